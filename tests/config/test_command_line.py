"""Command lines and config files, right and wrong."""

import re
import shlex
import textwrap

import pytest
from small_configs import message

from fer_jax.config import command_line, fields, search_space

HEAD = "from fer_jax.config import default_config, variants\nfrom fer_jax.config.command_line import base\n"


def write(folder, body, name="mine.py"):
    """A config file whose get_config has `body`; the body begins on line 5."""
    path = folder / name
    text = textwrap.indent(textwrap.dedent(body), "    ")
    path.write_text(f'{HEAD}def get_config(words=""):\n    config = default_config()\n{text}\n    return config\n')
    return str(path)


def from_command_line(*arguments):
    file, overrides, rest = command_line.split_argv(["sweep.py", *arguments])
    return command_line.load(file, overrides, "as typed"), rest


def given(overrides):
    """`train.l2=1 train.epochs=2` as flags."""
    return [f"--config.{override}" for override in re.split(r" (?=[a-z_]+\.)", overrides)]


@pytest.mark.parametrize(
    ("arguments", "file", "overrides", "rest"),
    [
        ([], None, {}, []),
        (["--config=a.py"], "a.py", {}, []),
        (["-config=a.py"], "a.py", {}, []),
        (["--config", "a.py", "run"], "a.py", {}, ["run"]),
        (["--config=a.py:x,y=2"], "a.py:x,y=2", {}, []),
        (["--config=a.py", "--config.train.l2=1e-3", "--plan"], "a.py", {"train.l2": "1e-3"}, ["--plan"]),
        (["--config.train.l2", "-1", "--config=a.py"], "a.py", {"train.l2": "-1"}, []),
        (["--config.train.l2=1", "--config.train.l2=2"], None, {"train.l2": "2"}, []),
        (["--config.data.path=a=b c"], None, {"data.path": "a=b c"}, []),
        (["--config.data.path="], None, {"data.path": ""}, []),
        (["--config.model.batch_norm", "--plan"], None, {"model.batch_norm": "true"}, ["--plan"]),
        (["--noconfig.model.batch_norm", "x"], None, {"model.batch_norm": "false"}, ["x"]),
        (
            ["--configs=a", "--config_file=b", "--workdir=--config"],
            None,
            {},
            ["--configs=a", "--config_file=b", "--workdir=--config"],
        ),
        (["--config=a.py", "--", "--config=b.py"], "a.py", {}, ["--", "--config=b.py"]),
        (["--help"], None, {}, ["--help"]),
    ],
)
def test_config_flags_are_separated_from_the_others(arguments, file, overrides, rest):
    assert command_line.split_argv(["program", *arguments]) == (file, overrides, ["program", *rest])


def test_a_command_line_becomes_a_checked_config(tmp_path):
    path = write(tmp_path, "config.train.epochs = 7\nvariants(words, ('smoke',))")
    loaded, rest = from_command_line(
        f"--config={path}:smoke", "--config.sweep.grid.train.l2=(0.,1e-3)", "--config.train.batch_size", "8", "--plan"
    )
    assert rest == ["sweep.py", "--plan"]
    assert loaded.config.train.epochs == 7
    assert loaded.config.train.batch_size == 8
    assert loaded.config.sweep.grid.train.l2 == (0.0, 1e-3)
    assert loaded.config.is_locked
    assert (loaded.file, loaded.variants, loaded.name) == (path, ("smoke",), "mine-smoke")
    assert loaded.command == "as typed"


def test_overrides_may_be_python_values(tmp_path):
    path = write(tmp_path, "config.sweep.grid.train.l2 = (1., 2.)")
    loaded = command_line.load(path, {"train.epochs": 3, "model.kernels": [8, 8, 8], "sweep.grid.train.l2": None})
    assert (loaded.config.train.epochs, loaded.config.model.kernels, loaded.command) == (3, (8, 8, 8), "")
    assert len(search_space.expand(loaded.config)) == 1
    assert message(command_line.load, path, {"train.l2": -1}).startswith("overrides: train.l2 = -1.0: must be")


def test_run_name_is_safe_as_a_folder(tmp_path):
    path = write(tmp_path, "pass")
    assert command_line.load(f"{path}:../a b").name == "mine-.._a_b"


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("train.l3=1", "no field train.l3; did you mean train.l2?"),
        ("learning_rate=1", "no field learning_rate; did you mean train.learning_rate?"),
        ("train=3", "train is a block of fields: set one of them, such as train.batch_size"),
        (
            "sweep.grid.train=3",
            "sweep.grid.train is a block of fields: set one of them, such as sweep.grid.train.batch_size",
        ),
        ("sweep.grid.train.l=1", "no field sweep.grid.train.l; did you mean sweep.grid.train.l2?"),
        ("sweep.grid.train.seed=(1,2)", "sweep.grid.train.seed: train.seed cannot be swept"),
        ("sweep.each.stack.width=1", "sweep.each.stack.width: stack.width cannot be swept: it is a run field"),
        ("sweep.points=({'train.l3':0},)", "sweep.points[0]: no field train.l3"),
        ("sweep.grid.train.l2=()", "sweep.grid.train.l2 is an empty list"),
        ("sweep.grid.train.l2=", "sweep.grid.train.l2 = ''"),
        ("sweep.grid.train.l2=(0.,nan)", "sweep.grid.train.l2 = 'nan'"),
        ("sweep.grid.train.l2=(0.,1e-3", "sweep.grid.train.l2 = '(0.'"),
        ("sweep.grid.model.pairs=(1,3)", "model.kernels = (32, 64, 64)"),
        ("sweep.zip.train.momentum=(.1,.2)", "the sweep over train.momentum changes nothing"),
        ("train.l2=inf", "train.l2 = 'inf'"),
        ("train.l2=1e999", "train.l2 = inf: must be a finite number"),
        ("train.learning_rate=1e39", "train.learning_rate = 1e+39: becomes infinite in float32"),
        ("sweep.grid.train.l2=(0.,1e-320)", "sweep.grid.train.l2 = 1e-320: becomes 0 in float32"),
        ("sweep.each.train.beta2=(.99,.99999999)", "sweep.each.train.beta2 = 0.99999999: becomes 1, which is"),
        ("sweep.zip.train.l2=(0.,1e39)", "sweep.zip.train.l2 = 1e+39: becomes infinite"),
        ("sweep.points=({'train.l2':1e39},)", "sweep.points[0] train.l2 = 1e+39: becomes infinite"),
        ("loss.weights=happy=1e39", "loss.weights = 1e+39: becomes infinite"),
        ("head.C=1e308", "head.C = 1e+308: must be a number, at least 1e-10 and at most 10,000,000,000"),
        ("train.epochs=1.5", "train.epochs = 1.5: must be a whole number"),
        ("train.epochs=", "train.epochs = ''"),
        ("train.optimizer=SGD", "train.optimizer = 'SGD': must be adam"),
        ("model.kernels=(8,16)", "model.kernels = (8, 16)"),
        ("data.name=fer2013", "data.path is empty"),
        ("=3", "no field ; did you mean"),
        ("train.l2='; import os", "train.l2 = "),
        ("train.lr=1", "no field train.lr; did you mean train.learning_rate?"),
        ("sweep.grid.train.plateau_factor=(.1,.2)", "the sweep over train.plateau_factor changes nothing: it needs "),
        (
            "sweep.each.train.stop_metric=(val_loss,val_accuracy)",
            "the sweep over train.stop_metric changes nothing: it needs ",
        ),
        ("train.warmup=51", "train.warmup = 51: train.epochs = 50"),
        ("model.width_multiplier=.001", "model.width_multiplier = 0.001: "),
        (
            "train.seed=2147483647 sweep.repeats=2",
            "train.seed = 2147483647 with sweep.repeats = 2 makes seeds up to 2147483648",
        ),
    ],
)
def test_a_wrong_override_is_blamed_on_the_command_line(tmp_path, override, wanted):
    path = write(tmp_path, "pass")
    text = message(from_command_line, f"--config={path}", *given(override))
    assert text.startswith(f"command line: {wanted}")


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        (
            "train.decay=1e-4",
            "train.decay = 0.0001 has no effect: train.schedule is constant; it needs train.schedule = inverse_time",
        ),
        (
            "train.learning_rate_floor=1e-5",
            "train.learning_rate_floor = 1e-05 has no effect: "
            "train.schedule is constant and train.plateau_patience is 0; "
            "it needs train.schedule = cosine or train.plateau_patience above 0",
        ),
        ("train.plateau_factor=.1", "train.plateau_factor = 0.1 has no effect: train.plateau_patience is 0; it needs "),
        (
            "train.stop_min_delta=.1",
            "train.stop_min_delta = 0.1 has no effect: train.stop_patience is 0 and phases.patience is (); it needs ",
        ),
        (
            "train.stop_metric=val_accuracy",
            "train.stop_metric = val_accuracy has no effect: train.stop_patience is 0 and phases.patience is (); ",
        ),
        ("data.balance_splits=all", "data.balance_splits = all has no effect: data.balance is none; it needs "),
        ("train.momentum=.9", "train.momentum = 0.9 has no effect: train.optimizer is adam; it needs "),
        ("model.name=mlp model.dense_dropout=.5", "model.dense_dropout = 0.5 has no effect: model.name is mlp; "),
        ("model.name=imperial model.hidden=(8,)", "model.hidden = (8,) has no effect: model.name is imperial; "),
        ("model.name=imperial model.dropout=.5", "model.dropout = 0.5 has no effect: model.name is imperial; "),
        (
            "sweep.grid.train.schedule=constant,step train.decay=.1",
            "train.decay = 0.1 has no effect: train.schedule is constant or step; ",
        ),
    ],
)
def test_an_override_without_effect_is_refused(tmp_path, overrides, wanted):
    path = write(tmp_path, "pass")
    text = message(from_command_line, f"--config={path}", *given(overrides))
    assert text.startswith(f"command line: {wanted}")
    python = dict(one.split("=", 1) for one in overrides.split())
    assert message(command_line.load, path, python).startswith(f"overrides: {wanted}")
    kept = command_line.load(path, python, keep_unused=True)
    assert [why.startswith(wanted) for why in kept.unused.values()] == [True]


@pytest.mark.parametrize(
    "overrides",
    [
        "train.decay=0",  # the default
        "model.name=imperial model.dropout=0",  # what its network does anyway
        "train.schedule=inverse_time train.decay=.1",
        "train.plateau_patience=3 train.plateau_factor=.1 train.learning_rate_floor=1e-5",
        "sweep.grid.train.schedule=constant,inverse_time train.decay=.1",
        "sweep.grid.train.stop_patience=0,3 train.stop_metric=val_accuracy",
        "sweep.points=({'train.schedule':'cosine'},{}) train.learning_rate_floor=1e-5",
    ],
)
def test_an_override_with_an_effect_in_some_trial_is_taken(tmp_path, overrides):
    loaded, _ = from_command_line(f"--config={write(tmp_path, 'pass')}", *given(overrides))
    assert not loaded.unused


def test_a_file_may_set_what_a_flag_or_variant_switches_off(tmp_path):
    path = write(tmp_path, "config.model.dense = (8,)\nconfig.train.decay = 1e-3\nconfig.model.dense_dropout = 0.5")
    loaded, _ = from_command_line(f"--config={path}", "--config.model.name=mlp")
    assert not loaded.unused
    assert search_space.without_effect(search_space.settings(loaded.config)) == (
        "model.dense_dropout",
        "model.dense",
        "train.decay",
    )


GRID = "config.sweep.grid.train.learning_rate = (1., 2.)"
POINTS = "config.sweep.points = ({'train.learning_rate': 1.}, {'train.learning_rate': 2., 'train.l2': 0.})"


@pytest.mark.parametrize(
    ("body", "override", "wanted"),
    [
        (
            GRID,
            "train.learning_rate=0.1",
            "train.learning_rate = 0.1 is never used: every trial has it from sweep.grid.train.learning_rate; "
            "override that instead: --config.sweep.grid.train.learning_rate='(0.1,)'",
        ),
        (
            f"{GRID}\n{POINTS}",
            "train.learning_rate=0.1",
            "train.learning_rate = 0.1 is never used: "
            "every trial has it from sweep.grid.train.learning_rate and sweep.points; to have it so, "
            "add --config.sweep.grid.train.learning_rate=None '--config.sweep.points=()'",
        ),
        (
            "config.sweep.zip.train.learning_rate = (1., 2.)\nconfig.sweep.zip.train.l2 = (1., 2.)",
            "train.l2=0.1",
            "train.l2 = 0.1 is never used: every trial has it from sweep.zip.train.l2; to have it so, "
            "add --config.sweep.zip.train.l2=None",
        ),
        (
            POINTS,
            "train.learning_rate=0.1",
            "train.learning_rate = 0.1 is never used: every trial has it from sweep.points; to have it so, "
            "add '--config.sweep.points=()'",
        ),
        (
            "config.sweep.each.train.l2 = (1., 2.)",
            "train.l2=0.1",
            "train.l2 = 0.1 is never used: every trial has it from sweep.each.train.l2; override that instead: ",
        ),
        (
            "config.sweep.grid.train.optimizer = ('adam', 'sgd')",
            "train.optimizer=lion",
            "train.optimizer = lion is never used: every trial has it from sweep.grid.train.optimizer; "
            "override that instead: --config.sweep.grid.train.optimizer='(\"lion\",)'",
        ),
    ],
)
def test_an_override_that_the_sweep_hides_is_refused_with_what_to_write_instead(tmp_path, body, override, wanted):
    path = write(tmp_path, body)
    text = message(from_command_line, f"--config={path}", f"--config.{override}")
    assert text.startswith(f"command line: {wanted}")
    advice, name, value = re.split("instead: |add ", text)[1], *override.split("=")
    kept = [f"--config.{override}"] if ", add " in text else []
    loaded, _ = from_command_line(f"--config={path}", *kept, *shlex.split(advice))
    assert {str(trial.values[name]) for trial in search_space.expand(loaded.config)} == {value}


@pytest.mark.parametrize(
    ("body", "override"),
    [
        (POINTS, "train.l2=0.1"),
        (f"{GRID}\nconfig.sweep.each.train.l2 = (1., 2.)", "train.learning_rate=0.1"),
        (
            "config.sweep.each.train.learning_rate = (1.,)\nconfig.sweep.each.train.l2 = (1., 2.)",
            "train.learning_rate=0.1",
        ),
        (GRID, "train.learning_rate=0.1 sweep.grid.train.learning_rate=None"),
    ],
)
def test_an_override_that_some_point_of_the_sweep_has_is_taken(tmp_path, body, override):
    loaded, _ = from_command_line(f"--config={write(tmp_path, body)}", *given(override))
    name, value = override.split()[0].split("=")
    assert float(value) in {trial.values[name] for trial in search_space.expand(loaded.config)}


def test_seeds_out_of_range_are_blamed_on_who_set_them(tmp_path):
    path = write(tmp_path, "config.train.seed = 2147483647\nconfig.sweep.repeats = 3")
    assert message(command_line.load, path).startswith(
        f"{path}: train.seed = 2147483647 with sweep.repeats = 3 makes seeds up to "
    )


def test_command_lines_without_a_config_or_value():
    assert "has no value" in message(from_command_line, "--config")
    assert "--config.train.l2 has no value" in message(from_command_line, "--config=x.py", "--config.train.l2")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("config.train.learnin_rate = 1.", ", line 5: no field train.learnin_rate; did you mean train.learning_rate?"),
        ("x = 1\nconfig.trian.l2 = 1.", ", line 6: no field trian.l2; did you mean train.l2?"),
        ("config['train']['l3'] = 1.", ", line 5: no field train.l3; did you mean train.l2?"),
        (
            "config.sweep.grid.train.l3 = (1.,)",
            ", line 5: no field sweep.grid.train.l3; did you mean sweep.grid.train.l2?",
        ),
        ("block = config.trian", ", line 5: no block trian; did you mean train?"),
        ("config.train.l2 = 'big'", ", line 5: train.l2 = 'big': must be a number, at least 0"),
        (
            "config.model.kernels = 'many'",
            ", line 5: model.kernels = 'many': must be a tuple, each item a whole number",
        ),
        ("config.train = 32", ", line 5: train is a block of fields: set one of them, such as train."),
        ("config.train.l2 = -1.", ": train.l2 = -1.0: must be a number, at least 0"),
        ("config.train.l2 = None", ": train.l2 = None: must be a number"),
        ("config.train = {'l9': 1}", ", line 5: train is a block of fields: set one of them, such as train."),
        ("config.sweep.grid.train.l2 = ()", ": sweep.grid.train.l2 is an empty list"),
        (
            "config.sweep.zip.train.l2 = (0., 1.)\nconfig.sweep.zip.train.epochs = (1,)",
            ": lists of sweep.zip need one length",
        ),
        ("config.data.name = 'fer2013'", ": data.path is empty"),
        ("variants(words, ('smoke',))\n1 / 0", ", line 6: ZeroDivisionError: division by zero"),
        ("{}['a']", ", line 5: KeyError: 'a'"),
        ("import no_such_module", ", line 5: ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise ValueError('two\\nlines')", ", line 5: ValueError: two lines"),
        ("(", ", line "),
        ("return 3", ": get_config returns a int, not the ConfigDict"),
        ("return", ": get_config returns a NoneType, not the ConfigDict"),
        ("from ml_collections import ConfigDict\nreturn ConfigDict()", ": data.name is missing"),
    ],
)
def test_a_wrong_config_file_is_named_with_its_line(tmp_path, body, wanted):
    path = write(tmp_path, body)
    assert message(command_line.load, path).startswith(path + wanted)


def test_files_that_are_no_config_files(tmp_path):
    empty = tmp_path / "empty.py"
    empty.write_text("")
    assert message(command_line.load, str(empty)) == f"{empty}: no function get_config(variants)"
    empty.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in message(command_line.load, str(empty))
    empty.write_bytes(b"x = 1\x00")
    assert message(command_line.load, str(empty)).startswith(str(empty))
    assert message(command_line.load, str(tmp_path)) == f"{tmp_path}: is a folder, not a config file; it holds empty.py"
    assert "is no Python file" in message(command_line.load, "README.md")
    assert message(command_line.load, str(tmp_path / "emty.py")).endswith(f"did you mean {empty}?")
    assert "no such config file; with fer_jax come grid3d, " in message(command_line.load, "nowhere/at_all.py")


def test_variants_reach_the_file_and_unknown_ones_are_named(tmp_path):
    path = write(tmp_path, "config.train.epochs = 1 if 'smoke' in variants(words, ('smoke', 'full')) else 2")
    assert command_line.load(path).config.train.epochs == 2
    assert command_line.load(path + ":smoke").config.train.epochs == 1
    assert command_line.load(path + ":").variants == ()
    assert message(command_line.load, path + ":smook") == (
        f"{path}: unknown variant 'smook'; did you mean smoke? (known: smoke, full)"
    )


def test_a_config_builds_on_its_neighbour_from_any_directory(tmp_path, monkeypatch):
    folder, elsewhere = tmp_path / "experiments", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    write(folder, "config.train.epochs = 3 if words == 'smoke' else 30", "first.py")
    write(folder, "config = base(__file__, f'first.py:{words}')\nconfig.train.l2 = 0.5", "second.py")
    for directory, path in (
        (folder, "second.py"),
        (tmp_path, "experiments/second.py"),
        (elsewhere, "../experiments/second.py"),
    ):
        monkeypatch.chdir(directory)
        config = command_line.load(path).config
        assert (config.train.epochs, config.train.l2) == (30, 0.5)
        assert command_line.load(f"{path}:smoke").config.train.epochs == 3
    monkeypatch.chdir(elsewhere)
    assert command_line.load(str(folder / "second.py")).config.train.epochs == 30


def test_an_error_in_a_neighbour_is_blamed_on_it_alone(tmp_path):
    first = write(tmp_path, "config.train.l3 = 1.", "first.py")
    second = write(tmp_path, "config = base(__file__, 'first.py')", "second.py")
    assert message(command_line.load, second) == f"{first}, line 5: no field train.l3; did you mean train.l2?"
    third = write(tmp_path, "config = base(__file__, 'absent.py')", "third.py")
    assert message(command_line.load, third).startswith(f"{third}: {tmp_path / 'absent.py'}: no such config file")


def test_an_edited_file_is_read_anew_and_leaves_nothing_behind(tmp_path):
    for epochs in (1, 2, 3):
        path = write(tmp_path, f"config.train.epochs = {epochs}")
        assert command_line.load(path).config.train.epochs == epochs
    assert [found.name for found in tmp_path.iterdir()] == ["mine.py"]


def test_loads_do_not_share_values(tmp_path):
    path = write(tmp_path, "pass")
    assert command_line.load(path, {"train.l2": 1.0}).config.train.l2 != command_line.load(path).config.train.l2


def test_description_has_every_field_and_marks_what_was_changed(tmp_path):
    path = write(tmp_path, "config.sweep.each.train.l2 = (0., 1.)\nconfig.train.epochs = 7\nconfig.sweep.repeats = 2")
    text = command_line.describe(command_line.load(path).config)
    lines = {line.split()[0]: line for line in text.splitlines() if line}
    assert set(fields.FIELDS) <= set(lines)
    assert re.search(r"^train\.epochs +\*7 +traced +passes over the training split; \[1, 1,000,000\]$", text, re.M)
    assert re.search(r"^train\.batch_size + 64 +shape ", text, re.M)
    assert re.search(r"^sweep\.each\.train\.l2 +\*\(0\.0, 1\.0\) +sweep +2 values of train\.l2$", text, re.M)
    assert "only with train.optimizer = sgd" in lines["train.momentum"]
    assert lines["train.plateau_factor"].endswith("only with train.plateau_patience above 0")
    assert text.endswith("points 2 x repeats 2 = trials 4, of shapes 1")
