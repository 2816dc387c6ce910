"""Expansion of head settings into fits, against a slow independent reading of the rules."""

import hashlib
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_configs import build, message

from fer_jax.config import fields, search_space
from fer_jax.config.values import flatten

KINDS = ("xgboost", "logistic", "svm", "forest", "neighbors")
# What counts with each kind, apart from head.kind, head.layer and head.weights; written down here a
# second time.
COUNTS = {
    "none": (),
    "xgboost": (
        "rounds", "stop_rounds", "max_depth", "eta", "reg_lambda", "gamma", "subsample", "colsample_bytree",
        "min_child_weight",
    ),
    "logistic": ("C",),
    "svm": ("C",),
    "forest": ("trees", "tree_depth"),
    "neighbors": ("neighbors", "vote"),
}  # fmt: skip
LISTS = {
    "train.l2": st.sampled_from((0.0, 1e-4, 1e-3)),
    "model.dropout": st.sampled_from((0.0, 0.4)),
    "head.kind": st.sampled_from(("none", *KINDS)),
    "head.layer": st.sampled_from(("flatten", "dense_0", "probabilities")),
    "head.max_depth": st.sampled_from((2, 4, 6)),
    "head.C": st.sampled_from((0.1, 1.0)),
    "head.vote": st.sampled_from(("uniform", "distance")),
    "head.weights": st.sampled_from(("best", "last")),
}


def fits_of(config):
    """Every fit of a config, trial by trial."""
    points = search_space.expand_points(config)
    return [search_space.Fit(trial, head) for trials, heads in points for trial in trials for head in heads]


def seen(fit, *names):
    return tuple(fit.head.get(f"head.{name}") for name in names)


# Numbers


def test_five_seeds_four_layers_and_sixty_settings_are_1200_fits_of_five_trainings():
    grid = {
        "head.layer": ("flatten", "dense_0", "output", "probabilities"),
        "head.max_depth": (2, 3, 4, 5, 6),
        "head.eta": (0.1, 0.3, 0.5),
        "head.subsample": (0.5, 1.0),
        "head.reg_lambda": (1.0, 10.0),
    }
    config = build(grid=grid, repeats=5, head__kind="xgboost")
    trials, fits = search_space.expand(config), fits_of(config)
    assert len(trials) == 5 and len(fits) == 1200
    identities = {trial.id("data") for trial in trials}
    assert identities == {trial.id("data") for trial in search_space.expand(build(repeats=5))}
    assert len({fit.id(fit.trial.id("data")) for fit in fits}) == 1200
    assert [fit.trial for fit in fits] == [trial for trial in trials for _ in range(240)]
    varied = {name for name in fits[0].head if len({fit.head[name] for fit in fits}) > 1}
    assert search_space.swept(config) == () and varied == set(grid)


@st.composite
def sweeps(draw):
    def lists_of(names):
        return draw(
            st.fixed_dictionaries({}, optional={name: st.lists(LISTS[name], min_size=1, max_size=3) for name in names})
        )

    names = draw(st.permutations(list(LISTS)))
    length = draw(st.integers(1, 3))
    zipped = {
        name: draw(st.lists(LISTS[name], min_size=length, max_size=length)) for name in names[: draw(st.integers(0, 2))]
    }
    some = st.dictionaries(st.sampled_from(list(LISTS)), st.none(), max_size=4)
    points = [{name: draw(LISTS[name]) for name in point} for point in draw(st.lists(some, max_size=3))]
    if draw(st.sampled_from((True, True, True, False))):
        # Some point uses every field, so that none of the sweep is without effect.
        points += [{"head.kind": kind} for kind in draw(st.permutations(("xgboost", "svm", "neighbors")))]
    return {
        "grid": lists_of(names[2:6]),
        "each": lists_of(names),
        "zipped": zipped,
        "points": points,
        "repeats": draw(st.integers(1, 3)),
        "head__kind": draw(LISTS["head.kind"]),
    }


def reference(sweep, base):
    """The settings of a sweep, written out the long way: point -> its head settings."""
    listed = [dict(point) for point in sweep["points"]]
    listed += [{name: value} for name, values in sweep["each"].items() for value in values]
    grid, zipped = sweep["grid"], sweep["zipped"]
    if grid or zipped:
        rows = [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
        for row in rows:
            for combination in itertools.product(*grid.values()):
                listed.append({**row, **dict(zip(grid, combination, strict=True))})
    if not (grid or zipped or sweep["each"] or any(sweep["points"])):
        listed = [{}]
    names = {name for setting in listed for name in setting}
    found, used = {}, set()
    for setting in listed:
        values = {**base, **setting}
        kind = values["head.kind"]
        count = {"head.kind", *(f"head.{name}" for name in COUNTS[kind])} | (
            {"head.layer", "head.weights"} if kind != "none" else set()
        )
        used |= count
        heads = found.setdefault((values["train.l2"], values["model.dropout"]), set())
        if kind != "none":
            heads.add(frozenset((name, values[name]) for name in count))
    unused = {name for name in names if name.startswith("head.")} - used
    return found, unused


@settings(max_examples=80, deadline=None, derandomize=True)
@given(sweeps())
def test_fits_are_trials_times_distinct_settings_that_count(sweep):
    config = build(**sweep)
    expected, unused = reference(sweep, flatten(config))
    if unused:
        assert message(fits_of, config).startswith("the sweep over head.")
        return
    trials, fits = search_space.expand(config), fits_of(config)
    assert len(trials) == len(expected) * sweep["repeats"]
    assert len(fits) == sweep["repeats"] * sum(len(heads) for heads in expected.values())
    found = {}
    for trial in trials:
        found.setdefault((trial.values["train.l2"], trial.values["model.dropout"]), set())
    for fit in fits:
        point = fit.trial.values["train.l2"], fit.trial.values["model.dropout"]
        found[point].add(frozenset(fit.head.items()))
    assert found == expected
    assert len({fit.id(fit.trial.id("data")) for fit in fits}) == len(fits)
    places = [trials.index(fit.trial) for fit in fits]
    assert places == sorted(places)  # trial by trial


@settings(max_examples=30, deadline=None, derandomize=True)
@given(sweeps())
def test_head_fields_never_change_a_trial(sweep):
    config = build(**sweep)
    base = flatten(config)
    if reference(sweep, base)[1]:
        assert message(fits_of, config)
        return
    plain = {"l2": {0.0, 1e-4, 1e-3, base["train.l2"]}, "dropout": {0.0, 0.4, base["model.dropout"]}}
    every = build(
        grid={"train.l2": tuple(plain["l2"]), "model.dropout": tuple(plain["dropout"])}, repeats=sweep["repeats"]
    )
    without = {trial.id("data") for trial in search_space.expand(every)}
    assert {trial.id("data") for trial in search_space.expand(config)} <= without
    assert not any(
        name.startswith("head.") for trial in search_space.expand(config) for name in (*trial.values, *trial.point)
    )


# Kinds


def test_no_head_no_fit():
    assert fits_of(build(repeats=3)) == []
    assert fits_of(build(grid={"train.l2": (0.0, 1.0)}, head__max_depth=3)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_holds_what_counts_with_its_kind(kind):
    (fit,) = fits_of(build(head__kind=kind))
    expected = {"kind": kind, "layer": "flatten", "weights": "best"} | {
        name: fields.FIELDS[f"head.{name}"].default for name in COUNTS[kind]
    }
    assert fit.head == {f"head.{name}": value for name, value in expected.items()}


def test_settings_that_differ_in_what_does_not_count_are_one_fit():
    grid = {"head.kind": KINDS, "head.max_depth": (2, 4, 6), "head.C": (0.1, 1.0)}
    fits = fits_of(build(grid=grid))
    assert [seen(fit, "kind", "max_depth", "C") for fit in fits] == [
        ("xgboost", 2, None),
        ("xgboost", 4, None),
        ("xgboost", 6, None),
        ("logistic", None, 0.1),
        ("logistic", None, 1.0),
        ("svm", None, 0.1),
        ("svm", None, 1.0),
        ("forest", None, None),
        ("neighbors", None, None),
    ]


def test_a_kind_of_none_among_others_trains_without_a_fit():
    points = [{"head.kind": "none", "train.l2": 0.0}, {"head.kind": "svm", "train.l2": 1.0}]
    config = build(points=points, repeats=2)
    assert len(search_space.expand(config)) == 4
    assert [(fit.trial.values["train.l2"], fit.trial.repeat) for fit in fits_of(config)] == [
        (1.0, 0),
        (1.0, 1),
    ]


@pytest.mark.parametrize(
    "sweep",
    [
        {"grid": {"head.max_depth": (2, 4)}},
        {"each": {"head.max_depth": (2, 4)}},
        {"zipped": {"head.max_depth": (2, 4), "train.l2": (0.0, 1.0)}},
        {"points": [{"head.max_depth": 2}, {"head.max_depth": 4}]},
        {"points": [{"head.kind": "none", "head.max_depth": 2}], "head__kind": "xgboost"},
    ],
    ids=lambda sweep: next(iter(sweep)),
)
def test_a_sweep_over_depth_without_boosting_is_refused_in_one_line(sweep):
    assert message(fits_of, build(**sweep)) == (
        "the sweep over head.max_depth changes nothing: it needs head.kind = xgboost, and no trial has that"
    )


def test_a_sweep_over_the_layer_without_a_head_is_refused():
    found = message(fits_of, build(grid={"head.layer": ("flatten", "dense_0")}))
    assert found.startswith("the sweep over head.layer changes nothing: it needs head.kind = xgboost or logistic or")


# Trees of a sweep


def test_a_grid_is_nested_in_the_order_of_the_fields():
    grid = {"head.eta": (0.1, 0.3), "head.layer": ("flatten", "dense_0"), "train.l2": (0.0, 1.0)}
    fits = fits_of(build(grid=grid, head__kind="xgboost"))
    settings_ = list(itertools.product(("flatten", "dense_0"), (0.1, 0.3)))
    assert [(fit.trial.values["train.l2"], *seen(fit, "layer", "eta")) for fit in fits] == [
        (l2, *setting) for l2 in (0.0, 1.0) for setting in settings_
    ]


def test_each_varies_one_head_field_at_a_time():
    each = {"head.max_depth": (2, 6), "head.eta": (0.1, 0.3)}
    fits = fits_of(build(each=each, head__kind="xgboost"))
    # Depth 6 and eta .3 are the defaults: the same setting twice.
    assert [seen(fit, "max_depth", "eta") for fit in fits] == [(2, 0.3), (6, 0.3), (6, 0.1)]


def test_each_over_trials_and_heads_does_not_multiply():
    each = {"train.l2": (0.0, 1.0), "head.max_depth": (2, 4)}
    fits = fits_of(build(each=each, head__kind="xgboost", train__l2=0.5))
    found = {(fit.trial.values["train.l2"], *seen(fit, "max_depth")) for fit in fits}
    assert found == {(0.0, 6), (1.0, 6), (0.5, 2), (0.5, 4)} and len(fits) == 4


def test_zipped_head_fields_advance_together():
    zipped = {"head.kind": ("svm", "logistic", "xgboost"), "head.layer": ("flatten", "dense_0", "output")}
    fits = fits_of(build(zipped=zipped, repeats=2))
    assert [(fit.trial.repeat, *seen(fit, "kind", "layer")) for fit in fits] == [
        (repeat, *pair) for repeat in (0, 1) for pair in zip(*zipped.values(), strict=True)
    ]


def test_a_head_field_zipped_with_one_of_the_trials_follows_it():
    zipped = {"train.l2": (0.0, 1.0), "head.max_depth": (2, 4)}
    config = build(zipped=zipped, head__kind="xgboost")
    assert [(fit.trial.values["train.l2"], *seen(fit, "max_depth")) for fit in fits_of(config)] == [
        (0.0, 2),
        (1.0, 4),
    ]


def test_points_of_one_training_gather_their_heads():
    points = [
        {"train.l2": 0.0, "head.kind": "svm"},
        {"train.l2": 1.0, "head.kind": "svm"},
        {"train.l2": 0.0, "head.kind": "forest"},
        {"train.l2": 0.0, "head.kind": "svm"},
    ]
    config = build(points=points)
    assert len(search_space.expand(config)) == 2
    found = [(fit.trial.values["train.l2"], *seen(fit, "kind")) for fit in fits_of(config)]
    assert found == [(0.0, "svm"), (0.0, "forest"), (1.0, "svm")]


# Ids


def digest(record):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def test_ids_of_fits_are_fixed_for_good():
    (plain,) = fits_of(build(head__kind="xgboost"))
    assert plain.id("0123456789") == digest({"trial": "0123456789", "head": {"head.kind": "xgboost"}})
    assert (
        plain.id("0123456789")
        == hashlib.sha256(b'{"head":{"head.kind":"xgboost"},"trial":"0123456789"}').hexdigest()[:10]
    )
    (other,) = fits_of(build(head__kind="xgboost", head__max_depth=3, head__layer="dense_0", head__eta=0.1))
    head = {"head.kind": "xgboost", "head.max_depth": 3, "head.layer": "dense_0", "head.eta": 0.1}
    assert other.id("abc") == digest({"trial": "abc", "head": head})
    (last,) = fits_of(build(head__kind="svm", head__weights="last"))
    assert last.id("abc") == digest({"trial": "abc", "head": {"head.kind": "svm", "head.weights": "last"}})


def test_an_id_depends_on_the_trial_and_on_what_counts():
    (fit,) = fits_of(build(head__kind="svm", head__C=0.1))
    assert fit.id("a") != fit.id("b")
    for same in ({"head__max_depth": 2}, {"head__threads": 4}, {"head__trees": 7}, {"report__title": "x"}):
        (other,) = fits_of(build(head__kind="svm", head__C=0.1, **same))
        assert other.id("a") == fit.id("a")
    for different in ({"head__C": 0.2}, {"head__layer": "dense_0"}, {"head__kind": "logistic"}):
        (other,) = fits_of(build(**{"head__kind": "svm", "head__C": 0.1, **different}))
        assert other.id("a") != fit.id("a")


def test_an_id_is_that_of_the_value_however_it_was_written():
    (fit,) = fits_of(build(head__kind="xgboost", head__reg_lambda=2.0))
    grid = {"head.reg_lambda": (2,)}
    (other,) = fits_of(build(grid=grid, head__kind="xgboost"))
    assert other.id("a") == fit.id("a")


def test_more_settings_renumber_no_fit():
    def identities(**more):
        grid = {"head.max_depth": (2, 4), **more}
        return {fit.id(fit.trial.id("data")) for fit in fits_of(build(grid=grid, head__kind="xgboost"))}

    assert identities() < identities(**{"head.eta": (0.1, 0.3), "train.l2": (1e-4, 0.0)})
