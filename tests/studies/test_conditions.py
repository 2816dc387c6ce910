"""Where a run is not what the paper ran."""

from types import SimpleNamespace

import pytest

import fer_jax
from fer_jax.config.values import default_config
from fer_jax.data.faces import FREQUENCIES
from fer_jax.data.names import CLASSES
from fer_jax.studies import conditions, sweeps
from fer_jax.studies.paper import Conditions


def test_the_epochs_of_all_phases_count():
    config = default_config()
    config.phases.lengths = (3, 4)
    assert conditions.epochs(SimpleNamespace(config=config)) == 7


def test_no_verdict_where_a_setting_is_not_the_papers(tiny):
    file, workdir, _ = tiny
    experiment = sweeps.read_study(file).experiments[0]
    trial = fer_jax.load_run(workdir / "tiny-full").select(learning_rate=1e-3)[0]
    paper = sweeps.paper_values(experiment, file)
    assert conditions.other_settings(paper, trial, {}) == []
    assert conditions.other_settings({**paper, "train.l2": 0.0, "train.epochs": 9}, trial, {}) == ["train.l2"]


@pytest.mark.parametrize(("missing", "reasons"), [(0, []), (7, ["other data: 35,880 images, FER-2013 has 35,887"])])
def test_fer2013_must_be_whole(missing, reasons):
    config = default_config()
    config.data.name, config.data.path = "fer2013", "fer.zip"
    counts = dict(zip(CLASSES, FREQUENCIES, strict=True))
    counts["happy"] -= missing
    record = {"data": {"classes": list(CLASSES), "counts": {"train": counts}}}
    trial = SimpleNamespace(
        config=config, classes=CLASSES, data=record["data"], run=SimpleNamespace(record=record, swept=())
    )
    assert conditions.other_data(Conditions("fer2013", "kaggle", CLASSES), trial) == reasons
    config.data.fraction = 0.5
    assert conditions.other_data(Conditions("fer2013", "kaggle", CLASSES), trial) == ["other data: a share of 0.5"]
