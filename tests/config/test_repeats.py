"""What repeats vary: their values, their ids, and what would not differ at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_configs import build, message

from fer_jax.config import repeats, search_space
from fer_jax.config.values import from_json, to_json

MODES = tuple(repeats.SOURCES)


def sweep_of(seeds_of, count=3, **values):
    values = {"augment__flip": 0.5, "data__split": "stratified_80_10_10", "train__seed": 7, **values}
    config = build(repeats=count, **values)
    config.sweep.seeds_of = seeds_of
    return config


def trials(*arguments, **values):
    return search_space.expand(sweep_of(*arguments, **values))


def test_ids_of_repeats_that_vary_everything_are_those_of_before():
    """They were computed before there was anything else to vary."""
    found = search_space.expand(build({"train.l2": (0.0, 1e-3)}, repeats=3, train__seed=7))
    assert [trial.id("abc") for trial in found] == [
        "bbe4f30865", "bc85cccb17", "3c6705751f", "b2f73ee99a", "fb2802629e", "4b89f5bbd0",
    ]  # fmt: skip
    folds = search_space.expand(build(repeats=2, data__split="kfold", augment__flip=0.5))
    assert [trial.id("abc") for trial in folds] == ["928eb28bc6", "065372d8de"]


def test_the_first_repeat_is_one_trial_in_every_mode_and_every_other_is_its_own():
    found = {of: [trial.id("abc") for trial in trials(of)] for of in MODES}
    assert {ids[0] for ids in found.values()} == {found["all"][0]}
    later = [id for ids in found.values() for id in ids[1:]]
    assert len(set(later) - {found["all"][0]}) == 2 * len(MODES)
    assert {trials(of)[0].shape_key() for of in MODES} == {trials("all")[0].shape_key()}


@pytest.mark.parametrize("of", MODES)
def test_a_repeat_moves_the_seeds_of_what_it_varies_and_no_other(of):
    first, second, third = trials(of)
    places = {name: place for place, name in enumerate(repeats.STREAMS)}
    for repeat, trial in enumerate((first, second, third)):
        seeds = [7] * 4
        if of in places:
            seeds[places[of]] += repeat
        elif of in ("all", "everything"):
            seeds = [7 + repeat] * 4
        assert repeats.stream_seeds(trial.values) == tuple(seeds)
        assert trial.values["train.seed"] == 7 + repeat * (of in ("all", "everything"))
        assert trial.values["data.seed"] == repeat * (of in ("split", "everything"))
        assert trial.seed == (repeat if of == "split" else 7 + repeat) and trial.repeat == repeat
    # What is compiled is the same, unless the images are others.
    assert (first.shape_key() == third.shape_key()) == (of not in ("split", "everything"))


def test_a_repeat_is_the_trial_of_a_config_with_its_seeds():
    wanted = trials("order")[2].id("abc")
    (alone,) = trials("all", 1, train__seeds=(7, 9, 7, 7))
    assert alone.id("abc") == wanted
    (other,) = trials("all", 1, data__seed=2)
    assert other.id("abc") == trials("split")[2].id("abc")
    (both,) = trials("all", 1, data__seed=2, train__seed=9)
    assert both.id("abc") == trials("everything")[2].id("abc")


def test_given_seeds_of_streams_move_along():
    found = trials("all", 2, train__seeds=(1, 2, 3, 4))
    assert [trial.values["train.seeds"] for trial in found] == [(1, 2, 3, 4), (2, 3, 4, 5)]
    found = trials("dropout", 2, train__seeds=(1, 2, 3, 4))
    assert [trial.values["train.seeds"] for trial in found] == [(1, 2, 3, 4), (1, 2, 4, 4)]
    assert [trial.seed for trial in found] == [3, 4]


@given(st.integers(0, 9), st.tuples(*[st.integers(0, 9)] * 4), st.integers(0, 5), st.sampled_from(MODES))
def test_a_repeat_differs_from_the_first_in_what_it_varies_alone(seed, seeds, repeat, of):
    point = repeats.resolve({"train.seed": seed, "train.seeds": seeds, "data.seed": 0, "data.split": "official"})
    found = repeats.repeated(point, repeat, of)
    moved = [b - a for a, b in zip(repeats.stream_seeds(point), repeats.stream_seeds(found), strict=True)]
    assert moved == [repeat * (of in ("all", "everything", name)) for name in repeats.STREAMS]
    assert found["data.seed"] == repeat * (of in ("split", "everything")) and repeats.resolve(found) == found
    assert repeat or found == point


def test_what_repeats_vary_is_kept_with_the_config():
    config = sweep_of("order", train__seeds=(1, 2, 3, 4))
    assert search_space.expand(from_json(to_json(config))) == search_space.expand(config)
    assert "seeds_of" not in to_json(sweep_of("all"))["sweep"]


@pytest.mark.parametrize(
    ("of", "values", "words"),
    [
        ("weights", {"data__split": "kfold"}, "repeats under data.split = kfold are folds"),
        ("split", {"data__split": "kfold"}, "repeats under data.split = kfold are folds"),
        ("everything", {"data__split": "kfold"}, "repeats under data.split = kfold are folds"),
        ("augmentation", {"augment__flip": 0.0}, "without augmentation would have repeats that are all the same"),
        ("dropout", {"model__dropout": 0.0}, "a point without dropout would have repeats that are all the same"),
        ("dropout", {"model__dropout": 0.0, "model__dense_dropout": 0.2, "model__dense": ()}, "without dropout"),
        ("dropout", {"model__name": "imperial"}, "a point without dropout"),
        (
            "split",
            {"data__split": "official", "data__name": "fer2013", "data__path": "there"},
            "data.split = official is the same whatever the seed; set data.split = stratified_80_10_10",
        ),
        ("split", {"data__seed": 2**31 - 2}, "data.seed = 2147483646 with sweep.repeats = 3 makes seeds up to"),
        (
            "everything",
            {"data__split": "kaggle", "data__name": "fer2013", "data__path": "there"},
            "sweep.seeds_of = everything: data.split = kaggle is the same whatever the seed",
        ),
        ("everything", {"data__seed": 2**31 - 2}, "data.seed = 2147483646 with sweep.repeats = 3 makes seeds up to"),
        ("everything", {"train__seed": 2**31 - 2}, "train.seed = 2147483646 with sweep.repeats = 3 makes seeds up to"),
        ("order", {"train__seed": 2**31 - 2}, "train.seed = 2147483646 with sweep.repeats = 3 makes seeds up to"),
        ("order", {"train__seeds": (0, 2**31 - 1, 0, 0)}, "train.seeds = 2147483647 with sweep.repeats = 3"),
        ("all", {"train__seeds": (1, 2)}, "train.seeds = (1, 2): must be four seeds"),
        ("all", {"train__seeds": (0, 0, 0, -1)}, "train.seeds"),
    ],
)  # fmt: skip
def test_repeats_that_would_not_differ_are_refused(of, values, words):
    assert words in message(search_space.expand, sweep_of(of, **values))


def test_a_point_of_a_sweep_without_what_repeats_vary_is_refused():
    config = sweep_of("dropout", model__dropout=0.3)
    config.sweep.grid.model.dropout = (0.0, 0.3)
    assert "sweep.seeds_of = dropout: a point without dropout" in message(search_space.expand, config)
    config.sweep.grid.model.dropout = (0.1, 0.3)
    assert len(search_space.expand(config)) == 6
    config.sweep.grid.train.seeds = ((1, 2, 3, 4),)
    assert "train.seeds cannot be swept" in message(search_space.expand, config)


@pytest.mark.parametrize(
    ("of", "values"),
    [
        ("augmentation", {"augment__flip": 0.0, "augment__mixup": 0.2}),
        ("dropout", {"model__dropout": 0.0, "model__dense_dropout": 0.2}),
        ("dropout", {"model__dropout": 0.0, "model__name": "efficientnet_b0"}),
        ("split", {"data__split": "official"}),  # built-in faces are drawn anew
        ("everything", {"data__split": "official"}),
        ("split", {"data__split": "kaggle_eighth", "data__name": "fer2013", "data__path": "there"}),
        ("everything", {"data__split": "kaggle_eighth_mixed", "data__name": "fer2013", "data__path": "there"}),
    ],
)
def test_repeats_that_would_differ_are_not_refused(of, values):
    assert len(trials(of, **values)) == 3


def test_one_trial_a_point_may_lack_what_later_ones_would_vary():
    (alone,) = trials("augmentation", 1, augment__flip=0.0)
    assert alone.id("abc") == trials("all", 1, augment__flip=0.0)[0].id("abc")
