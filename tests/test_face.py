"""What `import fer_jax` gives: names that are looked up when asked for, and no module in their
place.
"""

import json
import pkgutil
import subprocess
import sys

import pytest

import fer_jax

HEAVY = ("jax", "numpy", "pandas", "scipy", "matplotlib", "ml_collections")
AFTER_ALL_MODULES = """
import importlib, json, pkgutil, types
import fer_jax

for found in pkgutil.walk_packages(fer_jax.__path__, "fer_jax."):
    importlib.import_module(found.name)
names = {}
for name in fer_jax.__all__:
    first, second = getattr(fer_jax, name), getattr(fer_jax, name)
    names[name] = first is second and not isinstance(first, types.ModuleType)
called = []
for _ in range(2):
    for ask in (
        lambda: fer_jax.load_run("nowhere"),
        lambda: fer_jax.saliency_maps([], None),
        lambda: fer_jax.class_saliency([]),
        lambda: fer_jax.table(None),
        lambda: fer_jax.export_model(None, "x"),
        lambda: fer_jax.evaluate(None, "x"),
        lambda: fer_jax.randomised_saliency([], None),
        lambda: fer_jax.run_sweep({}, "run"),
        lambda: fer_jax.plot(None, "curves"),
    ):
        try:
            ask()
        except fer_jax.FerJaxError as error:
            called.append(str(error))
print(json.dumps([names, called]))
"""


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_no_name_is_hidden_by_a_module_however_often_it_is_asked_for():
    names, called = run_python(AFTER_ALL_MODULES)
    assert names == dict.fromkeys(fer_jax.__all__, True)
    assert len(called) == 18 and called[:9] == called[9:]
    assert all(len(message.splitlines()) == 1 for message in called)


def test_a_notebook_shows_our_errors_as_one_line():
    assert fer_jax.RunError("no run at here")._render_traceback_() == ["RunError: no run at here"]


def test_no_name_is_that_of_a_room_or_program():
    assert not {found.name for found in pkgutil.iter_modules(fer_jax.__path__)} & set(fer_jax.__all__)


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    found = run_python("import fer_jax, json, sys; dir(fer_jax); print(json.dumps(list(sys.modules)))")
    assert not set(HEAVY) & set(found)


def test_names_are_listed_and_others_are_refused():
    assert set(fer_jax.__all__) <= set(dir(fer_jax))
    with pytest.raises(AttributeError, match="^module 'fer_jax' has no attribute 'saliency_map'$"):
        fer_jax.saliency_map  # noqa: B018  (asked for, to be refused)
