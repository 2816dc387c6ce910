"""The examples of docs/extending.md, docs/lists.md, docs/notebooks.md, docs/search.md and
docs/training.md run as they stand.
"""

import re
import shlex
from pathlib import Path

import pytest
from reported_runs import run_directory, with_answers

import fer_jax
from fer_jax import data, models
from fer_jax.config import command_line, fields, naming, search_space
from fer_jax.config.rules import merges
from fer_jax.config.values import default_config
from fer_jax.data.classes import choose_classes, merge_classes
from fer_jax.data.faces import CLASSES
from fer_jax.data.reading import patterns
from fer_jax.reports import plots
from fer_jax.train import hyper

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
TRAINING = (ROOT / "docs" / "training.md").read_text()
LISTS = (ROOT / "docs" / "lists.md").read_text()
SEARCH = (ROOT / "docs" / "search.md").read_text()
NOTEBOOKS = (ROOT / "docs" / "notebooks.md").read_text()


def commands(page: str) -> list[list[str]]:
    return [
        shlex.split(command)
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for command in block.replace("\\\n", " ").splitlines()
    ]


@pytest.fixture
def example(monkeypatch):
    """example(heading) runs the section's code; what it registers is forgotten afterwards."""
    for registry in (fields.FIELDS, models.NETWORKS, data.READERS):
        for name in list(registry):
            monkeypatch.setitem(registry, name, registry[name])
    known = {id(registry): set(registry) for registry in (fields.FIELDS, models.NETWORKS, data.READERS)}

    def run(heading):
        section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
        namespace = {}
        exec("\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL)), namespace)
        return namespace

    yield run
    for registry in (fields.FIELDS, models.NETWORKS, data.READERS):
        for name in set(registry) - known[id(registry)]:
            del registry[name]


def train(config, path):
    config.data.image_size = 16
    config.train.batch_size = 8
    config.report.saliency = False
    return fer_jax.run_sweep(config, path)


def small():
    config = default_config()
    config.data.train_size, config.data.validation_size, config.data.test_size = 70, 35, 35
    config.train.epochs = 1
    return config


def test_a_network(example, tmp_path):
    example("A network")
    config = small()
    config.model.name = "squeeze"
    config.model.kernels = (4,)
    run = train(config, tmp_path)
    trial = run.trial(run.trials["id"][0])
    images = trial.dataset().validation.images
    assert trial.features(images, layer="squeeze").reshape(len(images), -1).shape == (35, 8)


def test_a_data_set(example, tmp_path):
    example("A data set")
    config = default_config()
    config.data.name, config.data.split = "stripes", "stratified_80_10_10"
    config.model.pairs, config.model.kernels, config.model.dense = 1, (4,), (8,)
    config.train.epochs = 15
    run = train(config, tmp_path)
    assert run.record["data"]["classes"] == ["lying", "upright"]
    assert run.trials["val_accuracy"][0] > 0.9


def test_a_config_field(example, tmp_path):
    example("A config field")
    config = small()
    config.model.name = "narrow"
    config.sweep.grid.model.bottleneck = (4, 16)
    assert len(train(config, tmp_path).plan["stacks"]) == 2


@pytest.mark.parametrize("words", commands(TRAINING) + commands(LISTS) + commands(SEARCH), ids=" ".join)
def test_a_command_of_the_pages_means_something(words, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert words[:2] == ["fer-jax", "sweep"]
    file, overrides, rest = command_line.split_argv(["sweep", *words[2:]])
    assert rest == ["sweep"]
    loaded = command_line.load(file, overrides)
    for trial in search_space.expand(loaded.config):
        kept = choose_classes(CLASSES, trial.values["data.classes"])
        classes, _ = merge_classes(CLASSES, kept, merges(trial.values))
        hyper.class_weights(trial.values, hyper.DataStatistics(classes, (1,) * len(classes)))


def test_the_fields_of_the_training_page_exist_and_all_of_training_are_there():
    named = set(re.findall(r"\b(?:train|loss|data|model)\.\w+", TRAINING))
    assert named <= set(fields.FIELDS)
    needless = {"train.seed"}  # the README's
    assert {name for name in fields.FIELDS if name.startswith(("train.", "loss."))} - needless <= named


def test_the_patterns_of_the_lists_page_read_the_names_beside_them():
    texts = [word.partition("=")[2] for words in commands(LISTS) for word in words if ".pattern=" in word]
    paths = ["KA.AN1.39.tiff", "AF01/AF01ANS.JPG", "anger/S005_001_00000011.png"]
    assert all(f"`{path}`" in LISTS for path in paths)
    found = [patterns.match(text, [path])[0] for text, path in zip(texts, paths, strict=True)]
    assert found == [{"group": "KA", "label": "AN"}, {"group": "AF01", "label": "AN"}, {"group": "S005"}]


def test_the_numberings_of_the_lists_page_are_those_that_are_used():
    for word, numbering in naming.NUMBERINGS.items():
        (said,) = re.findall(rf"^\| {word} \| ([^;|]+)", LISTS, re.MULTILINE)
        wanted = {label: name for label, name in numbering.items() if not label.startswith("class")}
        assert dict(one.lower().split() for one in said.strip().split(", ")) == wanted


def test_two_answers_from_more_classes(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", TRAINING, re.DOTALL)
    found = {"workdir": tmp_path}
    exec(code, found)
    trial = found["trial"]
    assert trial.classes == ("angry", "fear", "happy", "sad", "surprise")
    assert found["scores"] == trial.binarised(("surprise", "happy")) and found["chosen"] in (0.3, 0.4, 0.5, 0.6)
    assert found["scores"]["auc"] == found["scores_there"]["auc"]


def test_what_the_notebooks_page_types(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", NOTEBOOKS, re.DOTALL)
    found = {"workdir": with_answers(run_directory(tmp_path / "run", ("done",) * 4))}
    exec(code, found)
    assert found["row"].equals(found["run"].summary.loc[found["best"].name])
    assert (tmp_path / "run" / "curves.pdf").stat().st_size
    kinds = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", NOTEBOOKS, re.MULTILINE)))
    assert kinds == [*plots.KINDS, *plots.ANSWERS]


def test_every_file_the_pages_name_is_there():
    known = {
        str(path.relative_to(ROOT))
        for folder in ("fer_jax", "tests", "benchmarks", "configs", "sweeps", "docs")
        for path in (ROOT / folder).rglob("*.py")
    }
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {(page.name, name) for page in pages for name in re.findall(r"`([\w./]+\.py)`", page.read_text())}
    assert named
    assert [
        each for each in sorted(named) if not any(path.endswith(f"/{each[1]}") or path == each[1] for path in known)
    ] == []


def test_every_file_of_the_floor_plan_is_in_its_room():
    text = (ROOT / "docs" / "design.md").read_text()
    rooms = dict(re.findall(r"^\| \d+ \| `(\w+)/` \| (.+) \|$", text, re.MULTILINE))
    folders = {path.name for path in (ROOT / "fer_jax").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(rooms) == folders
    for name, files in rooms.items():
        there = {path.name for path in (ROOT / "fer_jax" / name).rglob("*.py")}
        assert set(re.findall(r"`(\w+\.py)`", files)) <= there, name
