"""Names, links and records of a run directory that are refused, and those that are not."""

import os

import pandas as pd
import pytest

from fer_jax.errors import RunError
from fer_jax.store import RunDirectory, safety


@pytest.mark.parametrize("name", ["stack_0-wave_0", "stack_12-wave_345", "stack_0-wave_0ab"])
def test_what_a_plan_calls_its_waves_is_a_name(name):
    safety.check_name(safety.WAVE, "wave", name, "plan.json")


@pytest.mark.parametrize(
    "name",
    ["../../victim", "/etc", "stack_0-wave_0/..", "stack_0-wave_0\n", "stack_٣-wave_0", "", "wave_0", None, 3, ["a"]],
)
def test_what_no_plan_calls_a_wave_is_refused_in_one_line(name):
    with pytest.raises(RunError, match="^plan.json: wave .* is no name that this program gives; restore it") as caught:
        safety.check_name(safety.WAVE, "wave", name, "plan.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "name", "good"),
    [
        (safety.LAYER, "dense_0", True),
        (safety.LAYER, "block 1: add", True),
        (safety.LAYER, "../x", False),
        (safety.LAYER, "a/b", False),
        (safety.LAYER, "a\0", False),
        (safety.LAYER, "x" * 201, False),
        (safety.DIGEST, "0123456789", True),
        (safety.DIGEST, "0123456789ABC", False),
        (safety.STACK, "stack_0", True),
        (safety.STACK, "stack_0/", False),
    ],
)
def test_forms_of_names(form, name, good):
    assert bool(form.fullmatch(name)) == good


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("wave", "../../victim", "wave '../../victim' is no name"),
        ("id", "../x", "id '../x' is no name"),
        ("id", "", "id '' is no name"),
        ("head.layer", "../x", "head.layer '../x' is no name"),
        ("slot", -1, "slot -1 is below 0"),
        ("id", "b", "id b is there twice"),
    ],
)
def test_a_table_is_refused_with_its_file_and_the_name(tmp_path, column, value, said):
    table = pd.DataFrame({"id": ["a", "b"], "status": "done", "wave": ["stack_0-wave_0", ""], "slot": [0, None]})
    run = RunDirectory(tmp_path)
    run.write_trials(table)
    assert len(run.read_trials()) == 2
    table[column] = [value, table[column][1] if column in table else "dense_0"]
    run.write_trials(table)
    with pytest.raises(RunError, match=f"^{tmp_path / 'trials.csv'}: {said}"):
        run.read_trials()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"data": []}, "data is \\[\\]"),
        ({"swept": [3]}, "swept is 3"),
        ({"checksums": ["../x"]}, "checksum '../x' is no name"),
        ({"data": {"checksum": "../x"}}, "checksum '../x' is no name"),
        ({"data": {"classes": ["a"] * 10_001}}, "data.classes must be at most 10,000 names"),
        ({"data": {"counts": {"train": {"happy": -1}}}}, "data.counts.train is {'happy': -1}"),
        ({"other_data": [3]}, "other_data is 3"),
        ({"initial": [{"init": "x"}]}, "initial is {'init': 'x'}"),
    ],
)
def test_a_config_of_other_kinds_is_refused(tmp_path, document, said):
    run = RunDirectory(tmp_path)
    run.write_config(document)
    with pytest.raises(RunError, match=f"^{tmp_path / 'config.json'}: {said}"):
        run.read_config()


def test_what_is_neither_file_nor_folder_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(RunError, match="config.json is neither a file nor a folder: remove it$"):
        RunDirectory(tmp_path).read_config()


def test_links_in_folders_of_the_users_own_are_theirs(tmp_path):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "latest").symlink_to(tmp_path)
    safety.check_tree(tmp_path)
    (tmp_path / "figures" / "deep").mkdir(parents=True)
    (tmp_path / "figures" / "deep" / "link.png").symlink_to(tmp_path)
    with pytest.raises(RunError, match="figures/deep/link.png is a link"):
        safety.check_tree(tmp_path)


def test_there_need_not_be_a_run(tmp_path):
    safety.check_tree(tmp_path / "nothing")
