"""A small study of our own and the run of its sweep, made by the program."""

import contextlib
import io

import pytest

from fer_jax import study
from fer_jax.reports import study_tables
from fer_jax.studies.table import to_frame

CONFIG = """
from fer_jax.config import default_config, variants

def get_config(words=""):
    chosen = variants(words, ("smoke", "full"))
    config = default_config()
    config.data.image_size, config.data.train_size, config.data.validation_size, config.data.test_size = 16, 70, 40, 40
    config.model.pairs, config.model.kernels, config.model.dense, config.model.dropout = 1, (4,), (8,), 0.0
    config.train.batch_size, config.train.epochs, config.report.saliency = 35, 3, False
    config.sweep.each.train.learning_rate = (1e-3, 1e-2)
    config.sweep.repeats = 3
    return config
"""
STUDY = """
from fer_jax.data.names import CLASSES
from fer_jax.studies.paper import Conditions, Experiment, Published, Study

SAME = Conditions("synthetic", "official", CLASSES, epochs=3)
PUBLISHED = (
    Published("val_accuracy", 0.2, weights="best"),
    Published("val_accuracy", 0.9, sd=0.01, n=5),
    Published("test_auc", 0.5),
    Published("binary_test_accuracy", 0.7),
    Published("test_precision", 0.1),
)
STUDY = Study("tiny", "A tiny paper", (
    Experiment("slow", "configs/tiny.py", PUBLISHED, SAME, point={"train.learning_rate": 1e-3},
               positive=("Happiness", "surprise")),
    Experiment("fast", "configs/tiny.py", (), SAME, point={"train.learning_rate": 1e-2}, smoke=True),
))
"""


def run(*arguments):
    """Exit status, stdout and stderr of the program."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = study.main(["study", *(str(argument) for argument in arguments)])
    return status, out.getvalue(), err.getvalue()


def conclusion(row):
    """The last cell of a row of the table."""
    return study_tables.table(to_frame([row])).paper[-1].cells[0]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("tiny")
    for name, text in (("configs", CONFIG), ("sweeps", STUDY)):
        (root / name).mkdir()
        (root / name / "tiny.py").write_text(text)
    file = str(root / "sweeps" / "tiny.py")
    status, out, err = run(f"--study={file}", "--scale=full", f"--workdir={root / 'work'}")
    assert status == 0, err
    return file, root / "work", out
