"""Every shipped config and variant loads, validates and expands to what it says."""

import re
import shlex
from pathlib import Path

import pytest

from fer_jax import data, models
from fer_jax.config import command_line, search_space
from fer_jax.config.values import flatten, to_json
from fer_jax.errors import ConfigError
from fer_jax.models import freezing

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(path.name for path in CONFIGS.glob("*.py"))
SCALES = ("", "smoke", "full")
TRIALS = {
    "grid3d.py": {"": 125, "smoke": 8, "full": 125, "laptop": 125},
    "hust.py": {"": 30, "smoke": 12, "full": 35},
    "imperial.py": {"": 6, "smoke": 4, "full": 10},
    "mlp.py": {"": 3, "smoke": 2, "full": 5},
    "oslo_ablations.py": {"": 23, "smoke": 14, "full": 115},
    "oslo.py": {"": 3, "smoke": 2, "full": 5, "balanced": 3, "balanced,smoke": 2, "balanced,full": 5},
    "pisa.py": {"": 3, "smoke": 2, "full": 5},
    "silvestro.py": {"": 3, "smoke": 2, "full": 5},
    "xgboost.py": {"": 3, "smoke": 2, "full": 5},
}
FITS = {
    "": 39, "smoke": 18, "full": 39, "placement": 4, "depth": 5, "eta": 6, "rounds": 5, "reg_lambda": 5, "gamma": 6,
    "subsample": 3,
    "colsample_bytree": 3, "min_child_weight": 3, "their_parameters": 4, "placement,depth": 8, "depth,full": 5,
}  # fmt: skip
# Points of each experiment; their repeats are those of the file's own three scales.
POINTS = {
    "silvestro.py": {f"scenario{number}": 1 for number in range(1, 9)},
    "hust.py": {
        "all": {"": 6, "smoke": 6, "full": 7}, "baseline": 1, "no_augmentation": 1, "no_normalisation": 1, "focal": 2,
        "batch": 3,
        "learning_rate": 2, "frozen": {"": 6, "smoke": 2, "full": 6}, "random_init": 1, "block_rates": 2,
    },
    "pisa.py": {
        "v1": 1, "v4": 1, "v5": 1, "v7": 2, "v8": 1, "v9": 1, "v10": 1, "v11": 1, "v12": 1, "v13": 1, "augmentation": 5,
        "fer2013": 1, "v4,fer2013": 1, "augmentation,fer2013": 5,
    },
    "imperial.py": {
        "mlp": 2, "readings": 4, "decay_per_epoch": 1, "decay_keras": 1, "cifar10_overfit": 1, "cifar10": 1,
        "cnn": 1, "cnn_no_dropout": 1, "cnn_no_pools": 1, "cnn_max_pools": 1,
    },
}  # fmt: skip
REPEATS = {"silvestro.py": (3, 2, 5), "hust.py": (5, 2, 5), "imperial.py": (3, 2, 5), "pisa.py": (3, 2, 5)}
for file, experiments in POINTS.items():
    for word, points in experiments.items():
        for scale, repeats in zip(SCALES, REPEATS[file], strict=True):
            count = points[scale] if isinstance(points, dict) else points
            TRIALS[file][",".join(filter(None, (word, scale)))] = count * repeats
# Their points have one seed at every scale.
SEARCHES = {"coarse": (48, 4, 48), "fine": (24, 4, 24)}
for word, counts in SEARCHES.items():
    TRIALS["imperial.py"] |= {
        ",".join(filter(None, (word, scale))): count for scale, count in zip(SCALES, counts, strict=True)
    }
EXPERIMENTS = [(file, word) for file, experiments in POINTS.items() for word in experiments]
EXPERIMENTS += [("imperial.py", word) for word in SEARCHES]
ALL = [(file, variant, trials) for file, counts in TRIALS.items() for variant, trials in counts.items()]


def load(file, variant=""):
    overrides = {"data.path": "fer2013.zip"} if {"full", "laptop"} & {*variant.split(",")} else {}
    return command_line.load(f"{CONFIGS / file}:{variant}", overrides)


@pytest.mark.parametrize(("file", "variant", "trials"), ALL)
def test_expands_to_its_number_of_trials(file, variant, trials):
    loaded = load(file, variant)
    assert len(search_space.expand(loaded.config)) == trials
    assert loaded.name == "-".join(filter(None, (Path(file).stem, *variant.split(","))))
    command_line.describe(loaded.config)


@pytest.mark.parametrize("file", FILES)
def test_loads_from_another_directory(file, tmp_path, monkeypatch):
    here = load(file).config.to_json()
    monkeypatch.chdir(tmp_path)
    assert load(file).config.to_json() == here


@pytest.mark.parametrize(("variant", "settings"), FITS.items())
def test_xgboost_fits_every_setting_on_every_network(variant, settings):
    config = load("xgboost.py", variant).config
    for _, heads in search_space.expand_points(config):
        assert len(heads) == settings
        assert {head["head.kind"] for head in heads} == {"xgboost"}


@pytest.mark.parametrize(("file", "variant", "trials"), ALL)
def test_uses_built_in_data_unless_full(file, variant, trials):
    data, full = load(file, variant).config.data, bool({"full", "laptop"} & {*variant.split(",")})
    of_pisa = "fer2013" if "fer2013" in variant else "folder"
    real, size = ("cifar10", 32) if "cifar10" in variant else (of_pisa, 96) if file == "pisa.py" else ("fer2013", 48)
    assert data.name == (real if full else "synthetic")
    assert data.image_size == size or not full


@pytest.mark.parametrize(("file", "word"), [*((file, "") for file in FILES), *EXPERIMENTS])
def test_smoke_is_small(file, word):
    config = load(file, ",".join(filter(None, (word, "smoke")))).config
    trials = search_space.expand(config)
    epochs = trials[0].values["train.epochs"]
    assert len(trials) * epochs * config.data.train_size <= 5_000
    assert epochs >= 2
    assert max(trial.values["train.batch_size"] for trial in trials) <= config.data.train_size


def test_every_config_is_counted():
    assert set(TRIALS) == set(FILES)


@pytest.mark.parametrize(("file", "word"), EXPERIMENTS)
def test_docstring_explains_every_experiment(file, word):
    text = re.match(r'"""(.*?)"""', (CONFIGS / file).read_text(), re.DOTALL)[1]
    assert all(f"\n    {part} " in text or f"`{part}`" in text for part in word.split(","))


@pytest.mark.parametrize(("file", "one", "other"), [
    ("silvestro.py", "scenario1", "scenario8"), ("hust.py", "focal", "batch"), ("imperial.py", "mlp", "cnn"),
    ("pisa.py", "v4", "v13"),
])  # fmt: skip
def test_two_experiments_are_refused(file, one, other):
    with pytest.raises(ConfigError, match="give one"):
        load(file, f"{one},{other}")


@pytest.mark.parametrize(("file", "word"), EXPERIMENTS)
def test_words_may_come_in_any_order(file, word):
    assert to_json(load(file, f"{word},smoke").config) == to_json(load(file, f"smoke,{word}").config)


@pytest.mark.parametrize("file", FILES)
def test_docstring_says_what_it_reproduces_and_its_commands_load(file):
    text = re.match(r'"""(.*?)"""', (CONFIGS / file).read_text(), re.DOTALL)[1].replace("\\\n", " ")
    assert "Published" in text
    for word in ("(none)", "smoke", "full"):
        assert f"\n    {word} " in text
    commands = re.findall(r"^    (fer-jax sweep .*)$", text, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        given, overrides, rest = command_line.split_argv(shlex.split(command)[1:])
        assert rest == ["sweep"]
        assert f"{command_line.load(given, overrides).file}.py" == file


def test_oslo_is_the_published_point():
    values = search_space.expand(load("oslo.py", "full").config)[0].values
    assert {
        "model.pairs": 3, "model.kernels": (32, 64, 64), "model.kernel_size": 3, "model.dropout": 0.4,
        "model.dense": (64, 7), "train.optimizer": "adam", "train.learning_rate": 1e-3, "train.l2": 1e-4,
        "train.batch_size": 64, "train.epochs": 50, "data.split": "kaggle", "data.image_size": 48,
    }.items() <= values.items()  # fmt: skip


def test_oslos_balanced_training_changes_the_training_pictures_only():
    plain, balanced = (load("oslo.py", words).config for words in ("full", "balanced,full"))
    plain.data.balance = "augment"
    assert to_json(balanced) == to_json(plain)
    loaded = data.load(load("oslo.py", "balanced,smoke").config.data)
    assert len(set(loaded.counts("train"))) == 1
    assert len(loaded.validation) == load("oslo.py", "smoke").config.data.validation_size


def test_oslos_heads_stand_on_the_last_epoch():
    for scale in SCALES:
        ((_, heads),) = search_space.expand_points(load("xgboost.py", scale).config)
        assert {head["head.weights"] for head in heads} == {"last"}


def test_grid3d_is_oslos_grid():
    trials = search_space.expand(load("grid3d.py", "full").config)
    decades = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}
    expected = {(batch, rate, l2) for batch in (8, 16, 32, 64, 128) for rate in decades for l2 in decades}
    assert {tuple(trial.point.values()) for trial in trials} == expected
    assert tuple(trials[0].point) == ("train.batch_size", "train.learning_rate", "train.l2")
    assert len({trial.shape_key() for trial in trials}) == 5
    assert {trial.values["train.epochs"] for trial in trials} == {300}
    oslo, point = load("oslo.py", "full").config, trials[0].values
    assert (point["model.kernels"], point["data.split"]) == (oslo.model.kernels, oslo.data.split)


WORDS = {
    "pairs": 3, "pairs_no_dropout": 3, "kernels": 3, "kernel_size": 2, "kernel_size_padded": 3, "dropout": 4,
    "pool_size": 3,
    "dense_1": 3, "dense_2": 4,
}  # fmt: skip


@pytest.mark.parametrize(("word", "points"), WORDS.items())
def test_oslos_ablations_vary_one_part_each(word, points):
    full = command_line.load(f"{CONFIGS / 'oslo_ablations.py'}:{word},full", {"data.path": "fer2013.zip"}).config
    trials = [trial for trial in search_space.expand(full) if trial.repeat == 0]
    assert len(trials) == points and {trial.values["train.epochs"] for trial in trials} == {50}
    part = {
        "pairs_no_dropout": "pairs",
        "kernel_size_padded": "kernel_size",
        "dense_1": "dense",
        "dense_2": "dense",
    }.get(word, word)
    changed = {name for name in trials[0].values if len({trial.values[name] for trial in trials}) > 1}
    assert (
        changed - {"model.kernels"} == {f"model.{part}"} - {"model.kernels"}
        and trials[0].values["data.split"] == "kaggle"
    )
    assert len(search_space.expand(command_line.load(f"{CONFIGS / 'oslo_ablations.py'}:{word},smoke").config)) == 2


def test_mlp_is_imperials_network():
    values = search_space.expand(load("mlp.py", "full").config)[0].values
    assert (values["model.name"], values["model.hidden"], values["train.optimizer"]) == ("mlp", (1000, 1000), "sgd")
    assert (values["train.learning_rate"], values["train.momentum"], values["train.batch_size"]) == (1e-3, 0.5, 10)


SILVESTRO = {
    "scenario1": ((), "none", 0.0),
    "scenario2": ((), "undersample", 0.0),
    "scenario3": ((), "none", 1.0),
    "scenario4": (("angry", "fear", "happy", "neutral", "sad", "surprise"), "undersample", 0.0),
    "scenario5": (("happy", "neutral", "sad"), "undersample", 0.0),
    "scenario6": (("angry", "fear", "happy", "sad", "surprise"), "none", 1.0),
    "scenario7": (("angry", "disgust", "fear", "happy", "sad", "surprise"), "none", 1.0),
    "scenario8": (("angry", "disgust", "fear", "happy", "sad", "surprise"), "undersample", 0.0),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("scenario", SILVESTRO)
def test_silvestros_scenarios(scenario, scale):
    values = search_space.expand(load("silvestro.py", ",".join(filter(None, (scenario, scale)))).config)[0].values
    classes, balance, weight = SILVESTRO[scenario]
    merged = ("negative=angry+disgust+fear+sad", "positive=happy+surprise") if scenario[-1] in "78" else ()
    assert {
        "data.classes": classes, "data.merge": merged, "data.balance": balance, "loss.class_weight": weight,
        "data.balance_splits": "train" if balance == "none" else "all",
        "data.split": "kaggle_eighth_mixed" if scenario[-1] in "13" else "kaggle_eighth",
        "data.normalize": "unit", "augment.shift": 0.1, "augment.flip": 0.5, "model.name": "silvestro",
        "model.dropout": 0.25, "model.dense_dropout": 0.5, "train.l2": 0.0, "train.schedule": "constant",
    }.items() <= values.items()  # fmt: skip
    assert values["data.image_size"] >= 36


@pytest.mark.parametrize("file", ["silvestro.py", "hust.py", "pisa.py"])
def test_where_the_seed_of_a_split_is_unpublished_every_full_repeat_draws_its_own(file):
    trials = {scale: search_space.expand(load(file, scale).config) for scale in ("smoke", "full")}
    for scale, seeds in (("smoke", {0}), ("full", {0, 1, 2, 3, 4})):
        assert {trial.values["data.seed"] for trial in trials[scale]} == seeds
    assert all(trial.values["data.seed"] == trial.values["train.seed"] == trial.repeat for trial in trials["full"])


def test_silvestros_training_is_the_published_one():
    values = search_space.expand(load("silvestro.py", "scenario1,full").config)[0].values
    assert {
        "train.optimizer": "adam", "train.learning_rate": 1e-4, "train.batch_size": 64, "train.epochs": 40,
        "model.width_multiplier": 1.0, "data.image_size": 48,
    }.items() <= values.items()  # fmt: skip


def test_hust_is_the_published_setting():
    values = search_space.expand(load("hust.py", "baseline,full").config)[0].values
    assert {
        "data.split": "stratified_80_10_10", "data.normalize": "minmax", "train.optimizer": "adam",
        "train.learning_rate": 1e-4, "train.beta1": 0.9, "train.beta2": 0.999, "train.batch_size": 32,
        "train.plateau_patience": 7, "train.plateau_factor": 0.5, "train.learning_rate_floor": 1e-7,
        "train.stop_metric": "val_loss", "loss.focal_gamma": 0.0, "train.l2": 0.0, "model.name": "vgg19",
        "model.init": "imagenet",
        "model.width_multiplier": 1.0, "model.pooling": "max", "model.dense": (), "model.freeze": (),
        "data.channels": 3,
        "data.image_size": 48,
    }.items() <= values.items()  # fmt: skip
    assert values["augment.flip"] and values["augment.rotate"] and values["augment.shift"]
    assert values["train.stop_patience"] > values["train.plateau_patience"]


@pytest.mark.parametrize("scale", SCALES)
def test_husts_experiments_in_one_sweep_are_those_of_their_own_words(scale):
    def settings(word):
        trials = search_space.expand(load("hust.py", ",".join(filter(None, (word, scale)))).config)
        return {tuple(trial.values.items()) for trial in trials}

    together = settings("all")
    words = ("baseline", "no_augmentation", "no_normalisation", "focal", "learning_rate", "random_init")
    assert together == set().union(*(settings(word) for word in words))
    trials = search_space.expand(load("hust.py", scale).config)
    assert len({trial.shape_key() for trial in trials}) == len({trial.values["data.seed"] for trial in trials})


@pytest.mark.parametrize("scale", SCALES)
def test_husts_random_weights_are_the_baselines_below_full_scale(scale):
    drawn, base = (
        load("hust.py", ",".join(filter(None, (word, scale)))).config.model.init for word in ("random_init", "baseline")
    )
    assert (drawn, base) == (("glorot_uniform", "imagenet") if scale == "full" else ("he_normal", "he_normal"))


def test_hust_freezes_its_blocks_and_gives_each_a_rate():
    config = load("hust.py", "frozen,full").config
    trials = search_space.expand(config)[::5]
    assert [trial.values["model.freeze"] for trial in trials] == [(), *((f"blocks={count}",) for count in range(1, 6))]
    assert len({trial.shape_key() for trial in trials}) == 6
    network = models.build(flatten(load("hust.py", "baseline,smoke").config), (32, 32, 3), 7)
    places = freezing.blocks(network.layer_names)
    assert set(places.values()) == set(range(5)) and "max_pool" not in places and "output" not in places
    rates = [
        trial.values["train.block_rates"]
        for trial in search_space.expand(load("hust.py", "block_rates,full").config)[::5]
    ]
    assert rates[0] == () and len(rates[1]) == 5
    assert [above / below for below, above in zip(rates[1], (*rates[1][1:], 1.0), strict=True)] == pytest.approx(
        [2.6] * 5, rel=3e-3
    )


@pytest.mark.parametrize("scale", ["", "full"])
def test_husts_batch_sizes(scale):
    config = load("hust.py", ",".join(filter(None, ("batch", scale)))).config
    assert [trial.values["train.batch_size"] for trial in search_space.expand(config)][::5] == [2, 32, 2048]
    if not scale:
        drawn = config.data.train_size + config.data.validation_size + config.data.test_size
        assert 0.8 * drawn >= 2048


PISA = {
    "v4": ("mobilenet_v2", False, 1.0, ""),
    "v5": ("mobilenet_v2", True, 1.0, ""),
    "v7": ("efficientnet_b0", True, 1.0, ""),
    "v8": ("mobilenet_v2", False, 1.0, "geometric"),
    "v9": ("mobilenet_v2", False, 0.0, "geometric"),
    "v10": ("mobilenet_v2", False, 0.0, "photometric"),
    "v11": ("mobilenet_v2", False, 1.0, "photometric"),
    "v12": ("resnet50_v2", False, 1.0, ""),
    "v13": ("resnet50_v2", True, 1.0, ""),
}
GEOMETRIC, PHOTOMETRIC = {"augment.rotate", "augment.zoom"}, {"augment.brightness", "augment.contrast", "augment.noise"}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("word", PISA)
def test_pisas_versions(word, scale):
    values = search_space.expand(load("pisa.py", ",".join(filter(None, (word, scale)))).config)[0].values
    name, fine_tuned, weight, augmented = PISA[word]
    assert {
        "model.name": name, "loss.class_weight": weight, "data.classes": ("angry", "fear", "happy", "sad", "surprise"),
        "data.channels": 3, "model.pooling": "average", "model.dense": (128,), "model.dense_dropout": 0.5,
        "train.optimizer": "adam",
        "data.normalize": "none" if word == "v7" else "symmetric",
    }.items() <= values.items()  # fmt: skip
    assert {field for field, value in values.items() if field.startswith("augment.") and value} == {
        "": set(), "geometric": GEOMETRIC, "photometric": PHOTOMETRIC,
    }[augmented]  # fmt: skip
    if fine_tuned:
        assert (values["phases.frozen"], values["phases.patience"]) == (("backbone", "layers=140"), (0, 3))
    else:
        assert (values["model.freeze"], values["phases.lengths"]) == (("backbone",), ())


def test_pisas_champion_trains_as_published():
    values = search_space.expand(load("pisa.py", "full").config)[0].values
    assert {
        "model.name": "resnet50_v2", "model.init": "imagenet", "model.width_multiplier": 1.0, "data.image_size": 96,
        "phases.rates": (1e-4, 1e-5), "train.stop_metric": "val_loss",
    }.items() <= values.items()  # fmt: skip
    assert values["phases.lengths"][0] == 30
    network = models.build(values | {"model.width_multiplier": 0.125}, (32, 32, 3), 5)
    backbone = list(freezing.blocks(network.layer_names))
    left = [name for name in backbone if name not in freezing.frozen(network.layer_names, ("layers=140",))]
    assert len(backbone) == 190 and len(left) == 50  # 'the top 50 layers (from 140 onwards)'
    assert not set(freezing.frozen(network.layer_names, ("backbone",))) & {"dense_0", "output"}


@pytest.mark.parametrize("word", ["v4", "v5", "v8", "v9", "v11"])
def test_pisas_versions_on_fer2013_differ_in_their_data_alone(word):
    his, ours = (load("pisa.py", f"{words},full").config for words in (word, f"{word},fer2013"))
    (his, *_), (ours, *_) = search_space.expand(his), search_space.expand(ours)
    changed = {name: value for name, value in ours.values.items() if value != his.values[name]}
    assert changed == {"data.name": "fer2013", "data.split": "official"}


@pytest.mark.parametrize("scale", SCALES)
def test_pisas_augmentations_are_one_stack_a_split_of_its_versions(scale):
    def settings(word):
        return {
            tuple(trial.values.items())
            for trial in search_space.expand(load("pisa.py", ",".join(filter(None, (word, scale)))).config)
        }

    assert settings("augmentation") == set().union(*map(settings, ("v4", "v8", "v9", "v10", "v11")))
    trials = search_space.expand(load("pisa.py", f"augmentation,{scale or 'smoke'}").config)
    assert len({trial.shape_key() for trial in trials}) == len({trial.values["data.seed"] for trial in trials})
