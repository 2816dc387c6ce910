"""The classes of each split as drawn."""

from fer_jax.figures import distribution


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_class_distribution_draws_shares_and_names_pictures():
    counts = {"train": {"happy": 30, "sad": 10}, "test": {"happy": 5, "sad": 5}}
    drawing = distribution.draw({"classes": ["happy", "sad"], "counts": counts})
    heights = [[bar.get_height() for bar in container] for container in drawing.figure.axes[0].containers]
    assert heights == [[0.75, 0.25], [0.5, 0.5]] and texts(drawing.figure.axes[0]) == ["30", "10", "5", "5"]
    assert distribution.draw({}) is None
