"""From a study file to the sweeps it needs."""

import dataclasses
import re
from pathlib import Path

import pytest
from small_studies import STUDY

from fer_jax.config import search_space
from fer_jax.config.values import default_config
from fer_jax.data.names import CLASSES
from fer_jax.errors import ConfigError
from fer_jax.studies import sweeps
from fer_jax.studies.paper import Conditions, Experiment
from fer_jax.studies.values import read_metric

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "sweeps").glob("*.py"))
OSLO = str(ROOT / "sweeps" / "oslo.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "no STUDY of type fer_jax.studies.paper.Study"),
        ("import nowhere", "line 1: ModuleNotFoundError"),
        ("def broken(:", "line 1"),
        (STUDY.replace('"fast"', '"slow"'), "two experiments are called 'slow'"),
    ],
)
def test_a_broken_study_file_is_one_line(text, message, tmp_path):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        sweeps.read_study(str(tmp_path / "broken.py"))
    assert str(tmp_path / "broken.py") in str(caught.value) and "\n" not in str(caught.value)


def test_a_point_that_the_sweep_lacks_is_an_error_at_full_scale():
    config = default_config()
    config.sweep.each.train.l2 = (0.0, 1e-3)
    lacking = Experiment(
        "odd", "configs/x.py", (), Conditions("synthetic", "official", CLASSES), point={"train.l2": 0.5}
    )
    with pytest.raises(ConfigError, match="experiment 'odd': no point is train.l2 = 0.5 in the sweep of configs/x.py"):
        sweeps.find_point(lacking, config, "full")
    assert sweeps.find_point(lacking, config, "smoke") is None
    with pytest.raises(ConfigError, match="experiment 'odd': 2 points are all of them"):
        sweeps.find_point(dataclasses.replace(lacking, point={}), config, "smoke")


def test_smoke_keeps_its_size_and_equal_sweeps_are_one(tmp_path):
    at = Conditions("fer2013", "kaggle", CLASSES)

    def make(name, **overrides):
        return Experiment(name, "configs/oslo.py", (), at, overrides=overrides)

    experiments = (make("a"), make("b", **{"train.epochs": 300}), make("c", **{"train.l2": 0.1, "train.epochs": 300}))
    smoke = sweeps.sweeps(experiments, OSLO, "smoke")
    assert [len(one.experiments) for one in smoke] == [2, 1] and smoke[0].folder == "oslo-smoke"
    loaded = sweeps.load(smoke[1], {}, tmp_path, "smoke")
    assert loaded.config.train.epochs == 2 and loaded.config.train.l2 == 0.1
    full = sweeps.sweeps(experiments, OSLO, "full")
    assert len({one.folder for one in full}) == 3 and all(one.folder.startswith("oslo-full") for one in full)


@pytest.mark.parametrize("file", STUDIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("scale", ["", "smoke", "full"])
def test_every_shipped_study_loads(file, scale, tmp_path):
    read = sweeps.read_study(str(file))
    assert read.name == file.stem
    overrides = {"data.path": "fer2013.zip"} if scale == "full" else {}
    needed = sweeps.sweeps(sweeps.choose(read, (), scale), str(file), scale)
    loaded = [sweeps.load(one, overrides, tmp_path, scale) for one in needed]
    if scale == "smoke":
        assert sum(len({trial.shape_key() for trial in search_space.expand(one.config)}) for one in loaded) <= 6
    for one in read.experiments:
        sweeps.paper_values(one, str(file))
        assert all(read_metric(published.metric) for published in one.published)


def test_of_a_search_there_are_the_values_that_its_points_share():
    config = default_config()
    config.sweep.points = ({"train.schedule": "exponential"}, {"train.schedule": "inverse_time"})
    config.sweep.cross, config.search.draws = True, 4
    config.sweep.draw.train.learning_rate = "log 1e-4 1e-2"
    config.sweep.draw.train.decay = "log 1e-4 1e-2"
    config.sweep.draw.train.decay_factor = "log 1e-4 1e-2"
    one = Experiment("search", "configs/x.py", (), Conditions("synthetic", "official", CLASSES), best=True)
    whole = search_space.settings(config)[0]
    drawn = {"train.learning_rate", "train.decay", "train.decay_factor"}
    trained = {name: value for name, value in whole.items() if not name.startswith("head.")}
    of_one = sweeps.find_point(dataclasses.replace(one, point={"train.schedule": "inverse_time"}), config, "full")
    assert of_one["train.schedule"] == "inverse_time"
    assert trained.keys() - of_one.keys() == drawn
    of_both = sweeps.find_point(one, config, "full")
    # What counts with some schedules only says nothing where they differ.
    assert {"train.schedule", *drawn, "train.decay_every"} <= trained.keys() - of_both.keys()
    assert of_both["train.batch_size"] == whole["train.batch_size"]
    lacking = dataclasses.replace(one, point={"train.schedule": "cosine"})
    with pytest.raises(ConfigError, match="experiment 'search': no point is train.schedule = cosine in the sweep of"):
        sweeps.find_point(lacking, config, "full")
    assert sweeps.find_point(lacking, config, "smoke") is None
