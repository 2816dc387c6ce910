"""Expansion of a config into trials, against a slow independent reading of the rules."""

import dataclasses
import hashlib
import itertools
import json
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_configs import build, message

from fer_jax.config import fields, search_space
from fer_jax.config.field import Field
from fer_jax.config.values import default_config, flatten
from fer_jax.errors import ConfigError

LISTS = {
    "train.l2": st.sampled_from((0.0, 1e-5, 1e-4, 1e-3)),
    "train.learning_rate": st.sampled_from((1e-4, 1e-3, 1e-2)),
    "train.batch_size": st.sampled_from((8, 16, 32)),
    "model.dropout": st.sampled_from((0.0, 0.25, 0.4)),
    "model.dense": st.sampled_from(((), (64,), (64, 7))),
    "train.optimizer": st.sampled_from(("adam", "sgd")),
}


def lists_of(names, min_size=1):
    return st.fixed_dictionaries(
        {}, optional={name: st.lists(LISTS[name], min_size=min_size, max_size=3) for name in names}
    )


@st.composite
def sweeps(draw):
    names = draw(st.permutations(list(LISTS)))
    length = draw(st.integers(1, 3))
    zipped = {
        name: draw(st.lists(LISTS[name], min_size=length, max_size=length)) for name in names[: draw(st.integers(0, 2))]
    }
    points = st.dictionaries(st.sampled_from(list(LISTS)), st.none(), max_size=3)
    return {
        "grid": draw(lists_of(names[2:5])),
        "each": draw(lists_of(names)),
        "zipped": zipped,
        "points": [{name: draw(LISTS[name]) for name in point} for point in draw(st.lists(points, max_size=3))],
        "repeats": draw(st.integers(1, 3)),
    }


def reference_points(sweep, base):
    """The set of points, written out the long way."""
    settings_ = [dict(point) for point in sweep["points"]]
    settings_ += [{name: value} for name, values in sweep["each"].items() for value in values]
    grid, zipped = sweep["grid"], sweep["zipped"]
    if grid or zipped:
        rows = [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
        for row in rows:
            for combination in itertools.product(*grid.values()):
                settings_.append({**row, **dict(zip(grid, combination, strict=True))})
    nothing_swept = not grid and not zipped and not sweep["each"] and not any(sweep["points"])
    if nothing_swept:
        settings_ = [{}]
    return {tuple((name, {**base, **setting}[name]) for name in LISTS) for setting in settings_}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(sweeps())
def test_trials_are_the_union_without_duplicates_times_repeats(sweep):
    config = build(**sweep)
    trials = search_space.expand(config)
    got = [tuple((name, trial.values[name]) for name in LISTS) for trial in trials]
    expected = reference_points(sweep, flatten(config))
    assert set(got) == expected
    assert len(got) == len(expected) * sweep["repeats"]
    assert len({trial.id("data") for trial in trials}) == len(trials)
    assert [trial.repeat for trial in trials] == list(range(sweep["repeats"])) * len(expected)
    assert all(trial.seed == trial.repeat for trial in trials)
    assert all(tuple(trial.point) == search_space.swept(config) for trial in trials)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    grid=lists_of(["train.l2", "train.learning_rate", "train.batch_size"]),
    rows=st.lists(st.tuples(LISTS["model.dropout"], LISTS["model.dense"]), min_size=1, max_size=4, unique=True),
)
def test_grid_by_zip_has_the_size_of_a_product(grid, rows):
    zipped = {"model.dropout": [row[0] for row in rows], "model.dense": [row[1] for row in rows]}
    assert len(search_space.expand(build(grid=grid, zipped=zipped))) == len(rows) * math.prod(
        len(set(values)) for values in grid.values()
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(sweeps(), st.randoms(use_true_random=False))
def test_more_values_and_repeats_renumber_nothing(sweep, random):
    before = {trial.id("data") for trial in search_space.expand(build(**sweep))}
    more = {**sweep, "repeats": sweep["repeats"] + 1, "points": [*sweep["points"], {"train.l2": 0.5}]}
    random.shuffle(more["points"])
    after = {trial.id("data") for trial in search_space.expand(build(**more))}
    swept_something = sweep["grid"] or sweep["each"] or sweep["zipped"] or any(sweep["points"])
    assert before < after or not swept_something


@pytest.fixture
def neutral_field(monkeypatch):
    field = Field("loss.new", 0.0, "traced", "a field that changes nothing at its default", low=0)
    monkeypatch.setitem(fields.FIELDS, "loss.new", field)


def test_ids_are_fixed_for_good():
    """The text that is hashed, letter by letter: after a change of it every stored run would seem
    to be another one.
    """

    def digest(text):
        return hashlib.sha256(text).hexdigest()[:10]

    first, second = search_space.expand(build(repeats=2))
    assert first.id("abc") == digest(b'{"data":"abc","seed":0,"values":{}}')
    assert second.id("abc") == digest(b'{"data":"abc","seed":1,"values":{}}')
    (other,) = search_space.expand(build(train__l2=0.5, model__dense=(32,)))
    assert other.id("abc") == digest(b'{"data":"abc","seed":0,"values":{"model.dense":[32],"train.l2":0.5}}')


def test_no_id_looks_like_a_number_but_one_that_is_recorded():
    trial = search_space.expand(build())[0]
    digests = {f"{n}": search_space._identity({"n": n}, ()) for n in range(2000)}
    texts = [json.dumps({"n": n}, separators=(",", ":")).encode() for n in range(2000)]
    before = [hashlib.sha256(text).hexdigest()[:10] for text in texts]
    changed = [(old, new) for old, new in zip(before, digests.values(), strict=True) if old != new]
    assert 20 < len(changed) < 80  # one in forty
    assert any(old.isdigit() for old, _ in changed) and any("e" in old for old, _ in changed)
    assert all(new[0] in "abcdef" and new[1:] == old[1:] for old, new in changed)
    for identity in digests.values():
        with pytest.raises(ValueError):
            float(identity)
    assert len(set(digests.values())) == 2000
    old = next(number for number, digest in enumerate(before) if digest.isdigit())
    assert search_space._identity({"n": old}, {before[old]}) == before[old]
    assert trial.id("data", known={"another"}) == trial.id("data")


def test_ids_survive_a_new_field_with_a_neutral_default(request):
    config = dict(grid={"train.l2": (0.0, 1e-4), "model.dense": ((), (64, 7))}, repeats=2)
    before = [trial.id("data") for trial in search_space.expand(build(**config))]
    request.getfixturevalue("neutral_field")
    trials = search_space.expand(build(**config))
    assert "loss.new" in trials[0].values
    assert [trial.id("data") for trial in trials] == before
    assert search_space.expand(build(loss__new=0.5, **config))[0].id("data") != before[0]


def test_id_depends_on_data_seed_and_values_only():
    trial = search_space.expand(build())[0]
    identity = trial.id("data")
    assert len(identity) == 10 and set(identity) <= set("0123456789abcdef")
    assert trial.id("other data") != identity
    assert search_space.expand(build(train__seed=1))[0].id("data") != identity
    assert search_space.expand(build(train__l2=0.0))[0].id("data") != identity
    assert search_space.expand(build(stack__width=3, report__title="x"))[0].id("data") == identity
    here, there = (
        search_space.expand(build(data__name="fer2013", data__path=path))[0].id("data") for path in ("here", "there")
    )
    assert here == there  # the data's checksum counts, not where they lie
    in_a_sweep = search_space.expand(build(grid={"train.l2": (0.0, 1e-4)}))
    assert identity in {other.id("data") for other in in_a_sweep}


def test_repeat_r_trains_with_seed_plus_r_at_every_point():
    trials = search_space.expand(build(grid={"train.l2": (0.0, 1e-4)}, repeats=3, train__seed=10))
    assert [trial.seed for trial in trials] == [10, 11, 12, 10, 11, 12]
    assert [trial.values["train.seed"] for trial in trials] == [10, 11, 12, 10, 11, 12]
    assert "train.seed" not in trials[0].point
    repeat, same_seed = search_space.expand(build(repeats=2))[1], search_space.expand(build(train__seed=1))[0]
    assert repeat.id("data") == same_seed.id("data")


def test_nothing_swept_is_one_point():
    (trial,) = search_space.expand(default_config())
    assert trial.point == {}
    assert set(trial.values) == {name for name, field in fields.FIELDS.items() if field.kind in ("shape", "traced")}


def test_grid_is_nested_in_the_order_of_the_fields():
    grid = {"train.l2": (0.0, 1.0), "train.batch_size": (8, 16)}  # set in another order than FIELDS has
    points = [tuple(trial.point.values()) for trial in search_space.expand(build(grid=grid))]
    assert points == [(8, 0.0), (8, 1.0), (16, 0.0), (16, 1.0)]
    zipped = {"train.optimizer": ("adam", "sgd"), "train.epochs": (1, 2)}
    points = [
        tuple(trial.point.values())
        for trial in search_space.expand(build(grid={"train.l2": (0.0, 1.0)}, zipped=zipped))
    ]
    assert points == [(1, "adam", 0.0), (1, "adam", 1.0), (2, "sgd", 0.0), (2, "sgd", 1.0)]


def test_each_varies_one_field_at_a_time():
    trials = search_space.expand(build(each={"train.l2": (0.0, 1.0), "model.dropout": (0.1,)}))
    assert [tuple(trial.point.values()) for trial in trials] == [(0.1, 1e-4), (0.4, 0.0), (0.4, 1.0)]


def test_values_are_canonical_whatever_was_given():
    (trial,) = search_space.expand(build(grid={"train.l2": [0], "model.kernels": [[8]]}))
    assert repr(trial.values["train.l2"]) == "0.0"
    assert trial.values["model.kernels"] == trial.point["model.kernels"] == (8, 8, 8)
    duplicates = {"train.l2": (0, 0.0, -0.0), "model.kernels": ((8,), (8, 8, 8))}
    assert len(search_space.expand(build(grid=duplicates))) == 1


def test_shape_key_joins_trials_of_one_program():
    trials = search_space.expand(
        build(grid={"train.l2": (0.0, 1.0), "train.epochs": (1, 2), "train.batch_size": (8, 16)}, repeats=2)
    )
    by_size = {}
    for trial in trials:
        by_size.setdefault(trial.values["train.batch_size"], set()).add(trial.shape_key())
    assert [len(keys) for keys in by_size.values()] == [1, 1]
    assert len(set.union(*by_size.values())) == 2
    assert ("model.dropout", 0.4) not in trials[0].shape_key()


def test_head_fields_make_no_trials(monkeypatch):
    head = Field("head.depth", 6, "head", "depth of a tree", low=1)
    monkeypatch.setitem(fields.FIELDS, "head.depth", head)
    assert len(search_space.expand(build(grid={"head.depth": (4, 6)}))) == 1
    config = build(grid={"head.depth": (4, 6), "train.l2": (0.0, 1.0)}, points=[{"head.depth": 3, "train.l2": 0.0}])
    assert search_space.swept(config) == ("train.l2",)
    assert [trial.point for trial in search_space.expand(config)] == [{"train.l2": 0.0}, {"train.l2": 1.0}]


def test_trials_travel_between_processes():
    trials = search_space.expand(build(grid={"train.l2": (0.0, 1.0)}))
    assert pickle.loads(pickle.dumps(trials)) == trials
    with pytest.raises(dataclasses.FrozenInstanceError):
        trials[0].repeat = 1


def test_a_point_that_does_not_fit_is_named():
    text = message(search_space.expand, build(grid={"model.pairs": (1, 3)}))
    assert text.startswith("model.kernels = (32, 64, 64)") and text.endswith("(at the sweep's point model.pairs = 1)")
    text = message(search_space.expand, build(zipped={"data.image_size": (48, 16), "train.batch_size": (8, 16)}))
    assert "conv_2" in text and "data.image_size = 16, train.batch_size = 16" in text
    fitting = build(zipped={"model.pairs": (1, 2), "model.kernels": ((8,), (8, 16))})
    assert [trial.values["model.kernels"] for trial in search_space.expand(fitting)] == [(8,), (8, 16)]


def test_the_base_need_not_fit_where_every_point_does():
    config = build(grid={"model.kernels": ((8,),)}, model__pairs=2)
    assert search_space.expand(config)[0].values["model.kernels"] == (8, 8)


def test_a_sweep_that_changes_nothing_is_refused():
    assert message(search_space.expand, build(grid={"train.momentum": (0.0, 0.9)})) == (
        "the sweep over train.momentum changes nothing: it needs train.optimizer = sgd or nesterov or rmsprop, "
        "and no trial has that"
    )
    assert "model.hidden" in message(search_space.expand, build(each={"model.hidden": ((10,), (20,))}))
    grid = {"train.momentum": (0.0, 0.9), "train.optimizer": ("adam", "sgd")}
    assert len(search_space.expand(build(grid=grid))) == 4


def test_a_sweep_over_what_a_patience_of_0_leaves_out_is_refused():
    assert message(search_space.expand, build(grid={"train.plateau_factor": (0.1, 0.5)})) == (
        "the sweep over train.plateau_factor changes nothing: it needs train.plateau_patience above 0, "
        "and no trial has that"
    )
    assert "train.stop_metric changes nothing" in message(
        search_space.expand, build(each={"train.stop_metric": ("val_loss", "val_accuracy")})
    )
    assert "train.schedule = cosine or train.plateau_patience above 0" in message(
        search_space.expand, build(zipped={"train.learning_rate_floor": (0.0, 1e-5)})
    )
    swept = {"train.plateau_factor": (0.1, 0.5), "train.plateau_patience": (0, 5)}
    assert len(search_space.expand(build(grid=swept))) == 4
    assert len(search_space.expand(build(grid={"train.plateau_factor": (0.1, 0.5)}, train__plateau_patience=5))) == 2
    assert "train.plateau_factor" in message(
        search_space.expand, build(grid={**swept, "train.plateau_patience": (0,)}, train__plateau_patience=5)
    )


def test_fields_without_effect_are_those_that_no_trial_uses():
    def named(**options):
        return search_space.without_effect(search_space.settings(build(**options)))

    assert named() == ()
    assert named(train__decay=0.1, model__hidden=(8,)) == ("model.hidden", "train.decay")
    assert named(train__decay=0.1, grid={"train.schedule": ("constant", "inverse_time")}) == ()
    assert named(train__decay=0.1, grid={"train.schedule": ("constant", "step")}) == ("train.decay",)
    assert named(train__decay=0.1, points=[{"train.schedule": "inverse_time"}, {"train.l2": 0.0}]) == ()
    assert named(train__stop_metric="val_accuracy") == ("train.stop_metric",)
    assert named(train__stop_metric="val_accuracy", train__stop_patience=3) == ()
    assert named(model__name="imperial", model__dropout=0.0) == ()  # there is none, as asked


def test_sources_of_a_field_are_what_sets_it_in_every_point():
    grid, each = {"train.l2": (0.0, 1.0)}, {"train.l2": (0.0, 1.0)}
    assert search_space.sources(build(grid=grid), "train.l2") == ("sweep.grid.train.l2",)
    assert search_space.sources(build(grid=grid), "train.epochs") == ()
    assert search_space.sources(build(), "train.l2") == ()
    assert search_space.sources(build(each=each), "train.l2") == ("sweep.each.train.l2",)
    assert search_space.sources(build(each={**each, "train.epochs": (1, 2)}), "train.l2") == ()
    both = [{"train.l2": 0.5}, {"train.l2": 0.6, "train.epochs": 3}]
    assert search_space.sources(build(grid=grid, points=both), "train.l2") == ("sweep.grid.train.l2", "sweep.points")
    assert search_space.sources(build(points=[*both, {}]), "train.l2") == ()


def test_a_sweep_too_large_to_list_is_refused_before_it_is_listed():
    values = tuple(index / 1000 for index in range(1000))
    huge = {"train.l2": values, "model.dropout": values, "loss.focal_gamma": values}
    assert "1,000,000,000 trials" in message(search_space.expand, build(grid=huge))


def test_repeats_must_leave_the_seed_in_range():
    assert "train.seed" in message(search_space.expand, build(repeats=2, train__seed=2**31 - 1))


def test_repeats_go_through_the_folds():
    trials = search_space.expand(
        build({"train.l2": (0.0, 1e-3)}, repeats=3, data__split="kfold", data__fold=1, train__seed=7)
    )
    assert [(trial.values["data.fold"], trial.seed) for trial in trials] == [(1, 7), (2, 8), (3, 9)] * 2
    assert len({trial.shape_key() for trial in trials}) == 3 and len({trial.id("data") for trial in trials}) == 6
    plain = search_space.expand(build(repeats=2))
    assert [trial.values["data.fold"] for trial in plain] == [0, 0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (build(repeats=6, data__split="kfold"), "6 repeats from data.fold = 0 on: .*data.folds = 5"),
        (build({"data.split": ("kfold", "official")}), "data.split = kfold cannot be swept beside another split"),
        (build({"data.fold": (0, 1)}, data__split="kfold"), "data.fold cannot be swept"),
    ],
)
def test_folds_that_cannot_be_are_refused(config, words):
    with pytest.raises(ConfigError, match=words):
        search_space.expand(config)


def test_chosen_points_have_more_repeats_and_the_other_ids_stay():
    config = build({"train.l2": (0.0, 1e-3), "model.dense": ((8,), (8, 4))}, repeats=2)
    before = {trial.id("data") for trial in search_space.expand(config)}
    config.sweep.best, config.sweep.best_repeats = 1, 5
    assert {trial.id("data") for trial in search_space.expand(config)} == before
    # Fields in another order, lists for tuples: as JSON may give them back.
    config.sweep.chosen = ({"train.l2": 1e-3, "model.dense": [8, 4]},)
    trials = search_space.expand(config)
    assert [len(of_point) for of_point, _ in search_space.expand_points(config)] == [2, 2, 2, 5]
    assert before < {trial.id("data") for trial in trials} and len(trials) == 11
    assert [trial.seed for trial in trials[-5:]] == [0, 1, 2, 3, 4]
