"""Draws, spaced lists and crossed points in a config: expanded, stored, shown and refused."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_configs import build, message

from fer_jax.config import search_space
from fer_jax.config.command_line import describe, load
from fer_jax.config.settings import Sweep
from fer_jax.config.values import canonical, default_config, from_json, get, to_json, validate

RATE, DECAY = "train.learning_rate", "train.l2"


def drawing(number=4, kind="random", grid=None, each=None, points=(), cross=False, **texts):
    """A config that draws, train__l2='uniform 0 1'."""
    values = {f"sweep__draw__{name}": text for name, text in texts.items()}
    return build(grid, each, points=points, search__draws=number, search__kind=kind, sweep__cross=cross, **values)


def points_of(config):
    return [dict(trial.point) for trial in search_space.expand(config)]


def test_draws_stand_last_beside_points_each_and_grid():
    config = drawing(
        3,
        "grid",
        train__learning_rate="log 1e-4 1e-2",
        points=[{DECAY: 0.5}],
        each={DECAY: (0.25,)},
        grid={"model.dropout": (0.1, 0.2)},
    )
    base = {RATE: 1e-3, DECAY: 1e-4, "model.dropout": 0.4}
    expected = [{DECAY: 0.5}, {DECAY: 0.25}, {"model.dropout": 0.1}, {"model.dropout": 0.2}]
    expected += [{RATE: 1e-4}, {RATE: 1e-3}, {RATE: 1e-2}]
    assert points_of(config) == [{**base, **change} for change in expected]
    assert search_space.swept(config) == ("model.dropout", RATE, DECAY)
    assert points_of(drawing(3, "grid", train__batch_size="int 1 2")) == [
        {"train.batch_size": 1},
        {"train.batch_size": 2},
    ]


def test_more_draws_keep_the_ids_of_fewer():
    for kind in ("random", "sobol", "halton"):
        few, more = (
            [
                trial.id("data")
                for trial in search_space.expand(
                    drawing(number, kind, train__l2="log 1e-5 1", model__dropout="uniform 0 .5")
                )
            ]
            for number in (5, 9)
        )
        assert more[:5] == few and len(set(more)) == 9


def test_a_drawn_point_is_that_trial_whoever_names_it():
    config = drawing(1, train__l2="uniform 0 1", model__dropout="choice .1 .2")
    (trial,) = search_space.expand(config)
    (same,) = search_space.expand(build(points=[dict(trial.point)]))
    assert same.id("data") == trial.id("data") and same.point == trial.point


def test_head_fields_are_drawn_and_make_no_trials():
    config = drawing(6, head__rounds="int 1 1000", head__eta="uniform .1 .9", head__kind="choice xgboost forest")
    ((trials, heads),) = search_space.expand_points(config)
    assert len(trials) == 1 and 1 < len(heads) <= 6


def test_repeats_of_a_drawn_point():
    config = drawing(3, train__l2="uniform 0 1")
    config.sweep.repeats = 2
    assert [trial.seed for trial in search_space.expand(config)] == [0, 1] * 3


SPACED = {"grid": {RATE: "log 1e-5 1e-1 5"}, "each": {"train.batch_size": "int 16 128 8"}}


def test_spaced_lists_stand_wherever_a_list_does():
    spelled = build(grid={RATE: (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)}, each={"train.batch_size": range(16, 129, 16)})
    assert to_json(build(**SPACED)) == to_json(spelled)
    zipped = build(zipped={RATE: "log 1e-3 1e-1 3", DECAY: "uniform 0 1 3"})
    assert points_of(zipped) == [{RATE: 1e-3, DECAY: 0.0}, {RATE: 1e-2, DECAY: 0.5}, {RATE: 1e-1, DECAY: 1.0}]
    assert "need one length" in message(validate, build(zipped={RATE: "log 1e-3 1e-1 3", DECAY: "uniform 0 1 4"}))
    words = build(grid={"model.init": ("he_normal", "lecun_normal")})
    assert len(search_space.expand(words)) == 2


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    points=st.lists(
        st.dictionaries(st.sampled_from((RATE, "train.epochs")), st.integers(1, 3), max_size=2), max_size=3
    ),
    grid=st.lists(st.sampled_from((0.0, 0.1, 0.2)), max_size=3),
    each=st.lists(st.sampled_from((0.3, 0.5)), max_size=2),
    number=st.integers(0, 3),
)
def test_crossing_combines_every_point_with_every_other_setting(points, grid, each, number):
    """Against the definition, with the draws taken from a config that does nothing else."""
    draws = {"train__clip_norm": "uniform 0 9"} if number else {}
    config = drawing(
        number,
        grid={DECAY: grid} if grid else None,
        each={"model.dropout": each} if each else None,
        points=points,
        cross=True,
        **draws,
    )
    others = [{"model.dropout": value} for value in each] + [{DECAY: value} for value in grid]
    others += points_of(drawing(number, **draws)) if number else []
    expected = [{**point, **other} for point, other in itertools.product(points or [{}], others or [{}])]
    base = to_json(default_config())
    names = search_space.swept(config)
    found = {tuple(point.values()) for point in points_of(config)}
    assert found == {tuple({**base, **change}[name] for name in names) for change in expected}


def test_crossed_points_in_order_by_hand():
    points = [{"train.optimizer": "sgd", "train.momentum": 0.9}, {"train.optimizer": "adam"}]
    crossed = build(grid={DECAY: (0.0, 1.0)}, points=points, sweep__cross=True)
    assert [tuple(point.values()) for point in points_of(crossed)] == [
        ("sgd", 0.0, 0.9),
        ("sgd", 1.0, 0.9),
        ("adam", 0.0, 0.0),
        ("adam", 1.0, 0.0),
    ]
    assert len(points_of(build(grid={DECAY: (0.0, 1.0)}, points=points))) == 4
    assert points_of(build(points=points, sweep__cross=True)) == points_of(build(points=points))
    alone = build(grid={DECAY: (0.0, 1.0)}, sweep__cross=True)
    assert len(points_of(alone)) == 2


def test_the_plan_says_how_parts_are_joined():
    def said(**options):
        return "; ".join(Sweep.of(drawing(**options)).notes())

    points, grid = [{RATE: 1.0}, {RATE: 2.0}], {DECAY: (0.0, 1.0, 2.0)}
    assert said(number=0) == said(number=0, grid=grid) == said(number=0, points=points) == ""
    assert said(train__momentum="uniform 0 .9") == ""
    assert said(number=0, grid=grid, points=points) == (
        "note: 2 points stand beside 3 settings of sweep.grid; --config.sweep.cross=true combines them"
    )
    assert said(number=0, grid=grid, points=points, cross=True) == (
        "note: sweep.cross combines 2 points with 3 settings of sweep.grid"
    )
    assert said(grid=grid, points=points[:1], model__dropout="uniform 0 .5") == (
        "note: 1 point stands beside 3 settings of sweep.grid and 4 draws; --config.sweep.cross=true combines them"
    )
    assert said(each=grid, model__dropout="uniform 0 .5") == (
        "note: 3 settings of sweep.each and 4 draws stand beside each other, uncombined"
    )
    both = build(grid=grid, zipped={RATE: (1.0, 2.0), "model.dropout": (0.1, 0.2)}, points=[{}])
    assert "beside 6 settings of sweep.grid x sweep.zip" in Sweep.of(both).notes()[0]


def test_the_plan_says_how_many_draws_differ():
    assert Sweep.of(drawing(8, "grid", train__batch_size="int 1 2")).notes() == [
        "note: search.kind = grid has 2 different points of 8"
    ]
    assert Sweep.of(drawing(40, train__batch_size="int 1 2", grid={RATE: (1.0,)})).notes() == [
        "note: search.kind = random draws 2 different points of 40",
        "note: 1 setting of sweep.grid and 2 draws stand beside each other, uncombined",
    ]
    assert Sweep.of(drawing(5, train__l2="uniform 0 1")).notes() == []


def test_the_plan_says_what_has_no_effect():
    points, grid = [{RATE: 1.0}, {RATE: 2.0}], {DECAY: (0.0, 1.0, 2.0)}
    assert Sweep.of(build(grid=grid, search__kind="sobol")).notes() == [
        "note: search.kind = sobol has no effect: sweep.draw is empty"
    ]
    assert Sweep.of(build(grid=grid, sweep__cross=True)).notes() == [
        "note: sweep.cross = True has no effect: it combines sweep.points with the rest; there are none"
    ]
    # A config that crosses its points with whatever is added says nothing where nothing is.
    assert Sweep.of(build(points=points, sweep__cross=True)).notes() == []


def test_json_keeps_draws_and_leaves_out_what_is_not_set():
    config = drawing(4, train__l2=" uniform  0   .5", model__dense="choice (8,) (8, 4)", cross=True, points=[{}])
    record = json.loads(json.dumps(to_json(config)))
    assert record["sweep"]["draw"] == {"model.dense": "choice (8,) (8, 4)", DECAY: "uniform 0 .5"}
    again = from_json(record)
    assert to_json(again) == to_json(config) == to_json(canonical(config)) and points_of(again) == points_of(config)
    assert "draw" not in to_json(default_config())["sweep"]
    with_wrong = {**record, "sweep": {**record["sweep"], "draw": {DECAY: "uniform 1 0"}}}
    assert message(from_json, with_wrong).startswith("sweep.draw.train.l2 = 'uniform 1 0': the ends are swapped")


def test_what_sets_a_field_in_every_point():
    assert search_space.sources(drawing(train__l2="uniform 0 1"), DECAY) == ("sweep.draw.train.l2",)
    assert search_space.sources(drawing(train__l2="uniform 0 1", points=[{RATE: 1.0}]), DECAY) == ()
    crossed = drawing(train__l2="uniform 0 1", points=[{RATE: 1.0}], cross=True)
    assert search_space.sources(crossed, DECAY) == ("sweep.draw.train.l2",)
    assert search_space.sources(crossed, RATE) == ("sweep.points",)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (drawing(0, train__l2="uniform 0 1"), "sweep.draw.train.l2 draws nothing: search.draws = 0; say how many "
                                              "points, such as --config.search.draws=16"),
        (drawing(4), "search.draws = 4 draws nothing: say from what, such as --config.sweep.draw.train.learning_rate="),
        (drawing(train__l2="uniform 0 1", grid={DECAY: (0.0, 1.0)}),
         "sweep.draw.train.l2: train.l2 is in sweep.grid as well; keep one of them, "
         "--config.sweep.grid.train.l2=None takes it out"),
        (build(zipped={DECAY: (0.0, 1.0)}, search__draws=2, sweep__draw__train__l2="uniform 0 1"),
         "sweep.draw.train.l2: train.l2 is in sweep.zip as well"),
        (drawing(0, points=[{}, {DECAY: 0.0}], grid={DECAY: (0.0, 1.0)}, cross=True),
         "sweep.cross = True: sweep.points[1] and sweep.grid both set train.l2; keep one of them"),
        (drawing(0, points=[{DECAY: 0.0}], each={DECAY: (0.0, 1.0)}, cross=True),
         "sweep.cross = True: sweep.points[0] and sweep.each both set train.l2"),
        (drawing(points=[{DECAY: 0.0}], train__l2="uniform 0 1", cross=True),
         "sweep.cross = True: sweep.points[0] and sweep.draw both set train.l2"),
        (drawing(train__l2="uniform 1 0"), "sweep.draw.train.l2 = 'uniform 1 0': the ends are swapped"),
        (drawing(data__seed="int 1 9"), "sweep.draw.data.seed"),
        (drawing(1, "grid", train__l2="uniform 0 1"), "search.draws = 1: the smallest grid, 2 levels of train.l2"),
        (drawing(train__momentum="uniform 0 .9"), "the sweep over train.momentum changes nothing: it needs"),
        (drawing(20, model__pairs="int 1 3"), "(at the sweep's point model.pairs = "),
        (drawing(90_000, train__l2="uniform 0 1", grid={RATE: "log 1e-5 1 20000"}), "the sweep makes 110,000 trials"),
        (build(grid={RATE: "log 1e-5 1 500"}, points=[{DECAY: i / 999} for i in range(300)], sweep__cross=True),
         "the sweep makes 150,000 trials: 100,000 is the most"),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_compiles(config, words):
    assert words in message(search_space.settings, config)


def test_the_command_line_sets_draws_and_says_where_a_wrong_one_came_from(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from fer_jax.config import default_config\n"
        "def get_config():\n"
        "    config = default_config()\n"
        "    config.sweep.draw.train.l2 = 'log 1e-5 1e-1'\n"
        "    config.search.draws = 3\n"
        "    return config\n"
    )
    plain = load(str(file)).config
    assert len(points_of(plain)) == 3 and get(plain, "sweep.draw.train.l2") == "log 1e-5 1e-1"

    def given(**overrides):
        named = {name.replace("__", "."): text for name, text in overrides.items()}
        return load(str(file), named, command="a command").config

    more = given(sweep__draw__model__dropout="uniform 0 .5", search__draws="8", search__kind="sobol")
    assert search_space.swept(more) == ("model.dropout", DECAY) and len(points_of(more)) == 8
    spaced = given(
        sweep__draw__train__l2="None", search__draws="0", sweep__grid__train__learning_rate="log 1e-3 1e-1 3"
    )
    assert [point[RATE] for point in points_of(spaced)] == [1e-3, 1e-2, 1e-1]

    def refused(**overrides):
        return message(lambda: given(**overrides))

    assert refused(sweep__draw__train__l2="log 1 1e-5").startswith("command line: sweep.draw.train.l2 = 'log 1 1e-5'")
    assert refused(search__draws="0").startswith("command line: sweep.draw.train.l2 draws nothing")
    assert refused(sweep__draw__train__l2="None").startswith(f"{file}: search.draws = 3 draws nothing")
    assert refused(sweep__draw__train__l="log 1 2").endswith("did you mean sweep.draw.train.l2?")
    assert refused(sweep__grid__train__l2="0,1").startswith(f"{file}: sweep.draw.train.l2: train.l2 is in sweep.grid")
    assert refused(train__l2="0.5") == (
        "command line: train.l2 = 0.5 is never used: every trial has it from sweep.draw.train.l2; "
        "to have it so, add --config.sweep.draw.train.l2=None"
    )
    file.write_text(file.read_text().replace("1e-1'", "1e-9'"))
    assert refused().startswith(f"{file}: sweep.draw.train.l2 = 'log 1e-5 1e-9': the ends are swapped")


def test_print_config_shows_what_is_drawn():
    lines = describe(drawing(3, train__l2="uniform 0 .5")).splitlines()
    (line,) = [line for line in lines if line.startswith("sweep.draw.")]
    assert line.split()[:5] == ["sweep.draw.train.l2", "*uniform", "0", ".5", "sweep"]
    assert lines[-1] == "points 3 x repeats 1 = trials 3, of shapes 1"
