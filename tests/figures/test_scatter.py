"""Points in space, read back from the matplotlib artists."""

from fer_jax.analysis.ranking import rank_points
from fer_jax.figures import scatter, surfaces


def gather(run):
    return rank_points(run.record, run.trials, run.curves, "a run")


def test_scatter_shows_every_point_over_three_named_axes(oslo):
    drawing = scatter.scatter_3d(gather(oslo))
    spaces = [ax for ax in drawing.figure.axes if ax.name == "3d"]
    assert [ax.get_title(loc="left") for ax in spaces] == ["Validation accuracy", "Validation loss (nats)"]
    for ax in spaces:
        names = ax.get_xlabel(), ax.get_ylabel(), ax.get_zlabel()
        assert names == ("learning rate η", "L2 penalty λ", "batch size (images)")
        assert sum(len(cloud._offsets3d[0]) for cloud in ax.collections) == 125 + 1  # and the ring
        assert [tick.get_text() for tick in ax.get_zticklabels()] == ["8", "16", "32", "64", "128"]
    assert "Published, other data" in drawing.caption


def test_the_best_of_equal_points_at_one_place_is_ringed(made):
    grid = {"train.batch_size": (8, 16), "train.learning_rate": (1e-4, 1e-3), "train.l2": (1e-5, 1e-3)}
    run = made({**grid, "model.pool": ("max", "average")}, accidents=False)
    run.trials["val_accuracy"] = 0.5
    found = gather(run)
    clouds = scatter.scatter_3d(found).figure.axes[0].collections
    assert [len(cloud._offsets3d[0]) for cloud in clouds] == [8, 1]
    ring = [float(axis[0]) for axis in clouds[1]._offsets3d]
    best = found.ranked.iloc[0]
    assert ring == [float(found.axes[field].position([best[field]])[0]) for field in surfaces.by_size(found)[:3]]
