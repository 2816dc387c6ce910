"""The README's commands, typed one after another in one folder, at smoke scale with small data."""

import io
import re
import shlex
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_jax import __main__ as command
from fer_jax import load_run, study
from fer_jax.data.names import CLASSES
from fer_jax.reports import run_report, several_runs
from tests.data.reading.test_cifar import BATCHES, batch, meta

README = (Path(__file__).parents[1] / "README.md").read_text()
SET_UP = ("uv", "pip", "pytest")  # what is not ours
# A network as small as can be, where the config has one of that kind.
SMALL = {"model.pairs": 1, "model.kernels": "(2,)", "model.dense": "(7,)", "train.epochs": 1}
GRID = {"batch_size": "(16,)", "learning_rate": "(1e-4,1e-3,1e-2,1e-1)", "l2": "(1e-4,1e-2)"}


def typed():
    """Every command of ours in the README's blocks, in order, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    parts = [shlex.split(part, comments=True) for line in lines for part in re.split(r" && ", line)]
    parts = [words[2:] if words[:2] == ["uv", "run"] else words for words in parts]
    return [words for words in parts if words and words[0] not in SET_UP and not words[0].startswith("-")]


def small(words, train):
    """Returns a command at smoke scale, which writes into the directory that the README's does.

    A sweep is planned only, unless its directory is one of `train`.
    """
    if words[1] != "sweep":
        return [*words, *["--plan"] * (words[1] == "study")]
    config = next(word for word in words if word.startswith("--config=")).removeprefix("--config=")
    name, _, variant = config.partition(":")
    given = {word.partition("=")[0].removeprefix("--config.") for word in words}
    rest = [word.replace(f"--config={config}", f"--config={name}:smoke") for word in words]
    rest = [re.sub(r"(epochs|draws|best|best_repeats)=\d+", r"\1=2", word) for word in rest]
    if "--workdir" not in given:
        rest.append(f"--workdir=runs/{'-'.join(filter(None, (name, variant)))}")
    more = SMALL | {f"sweep.grid.train.{field}": values for field, values in GRID.items() if name == "grid3d"}
    if "search.halving" in given:
        more |= {"train.epochs": 8}
    if variant == "full":
        more |= {"data.name": "fer2013", "data.split": "kaggle"}
    rest += [f"--config.{field}={value}" for field, value in more.items() if field not in given]
    planned = workdir(rest) in train or any(word.startswith(("--plan", "--print_config")) for word in words)
    return rest if planned else [*rest, "--plan"]


def workdir(words):
    return next((word.partition("=")[2] for word in words if word.startswith("--workdir=")), "")


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the data that the README's commands name."""
    monkeypatch.chdir(tmp_path)
    number = 0
    for place, count in (("fer/train", 6), ("fer/test", 2), ("my_faces", 10), ("other_faces", 2)):
        for name in CLASSES:
            for at in range(count):
                picture(tmp_path / place / name / f"{at}.png", number := number + 1)
    picture(tmp_path / "photo.jpg", 0)
    with zipfile.ZipFile("fer2013.zip", "w") as packed:
        for file in sorted(Path("fer").rglob("*.png")):
            packed.write(file, file.relative_to("fer"))
    pixels, labels = np.random.default_rng(0).integers(0, 256, (10, 3072), np.uint8), range(10)
    with tarfile.open("cifar-10-python.tar.gz", "w:gz") as packed:
        for name, content in {"batches.meta": meta(count=10), **dict.fromkeys(BATCHES, batch(pixels, labels))}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return tmp_path


READ_LATER = {"runs/grid3d"}
EVERYTHING = {f"runs/{name}" for name in ("grid3d", "grid3d-smoke", "search", "oslo", "oslo-l2", "oslo-rates",
              "oslo-full", "oslo-positive", "oslo-no-leaks", "my_faces", "cifar10", "xgboost")}  # fmt: skip


@pytest.mark.parametrize("train", [READ_LATER, pytest.param(EVERYTHING, marks=pytest.mark.slow)], ids=["read", "all"])
def test_every_command_can_be_typed_after_those_before_it(train, folder, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(folder))
    # Reports are drawn elsewhere, and the sweeps of studies planned: here it counts that they can.
    monkeypatch.setattr(run_report, "write_report", lambda run, *_: load_run(run).best_point() is not None)
    monkeypatch.setattr(study, "_plan", lambda *_: 0)
    taken = {}
    monkeypatch.setattr(several_runs, "write_comparison", lambda runs, *_: [taken[run] for run in runs])
    for words in dict.fromkeys(map(tuple, typed())):
        asked = small(words, train)
        assert command.main(asked) == 0, f"{shlex.join(words)}: {capsys.readouterr().err}"
        if words[1] == "sweep" and "--extend" not in words and not any("--p" in word for word in words):
            assert taken.setdefault(workdir(asked), words) == words, "two sweeps share a run directory"
    assert set(taken) == EVERYTHING
    assert load_run("runs/grid3d").record["command"].startswith("fer-jax sweep --config=grid3d:smoke --extend ")
    left = [file for file in (folder / "runs").rglob("*.json") if str(folder).encode() in file.read_bytes()]
    assert left == []
