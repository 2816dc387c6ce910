"""Oslo's published grid beside ours."""

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import published


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_published_figures_are_comparable_only_on_the_same_data(made, oslo):
    assert published.beside(gather(oslo)).startswith("Published, other data")
    assert published.beside(gather(made({"train.learning_rate": (1e-4, 1e-3, 1e-2)}))) == ""
    oslo.record["config"] |= {"data.name": "fer2013", "train.epochs": 50}
    oslo.record["data"]["split"] = "kaggle"
    assert published.beside(gather(oslo)).startswith("Published, other training length")
    oslo.record["config"]["train.epochs"] = 300
    assert published.beside(gather(oslo)).startswith("Published, same data set, split, classes and epochs")
