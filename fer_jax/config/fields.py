"""Every config field, declared once; all else about configs follows from `FIELDS`.

To add a field, add one entry to the table: the default config, the placeholders of `sweep.grid`,
`sweep.each`, `sweep.zip` and `sweep.draw`, the command line, the checks, `--print_config` and a
trial's identity pick it up from there. Choose a default that changes nothing (an id leaves out
fields at their default, so old runs keep theirs), and write the rules that join several fields in
rules.py.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fer_jax.config.field import Field, Need
from fer_jax.errors import ConfigError


def _when(name: str, *values: Any) -> tuple[Need, ...]:
    """Returns the `needs` of a field that counts where another one has one of these values."""
    return (Need(name, values),)


_SYNTHETIC = _when("data.name", "synthetic")
_READ = _when("data.name", "fer2013", "folder", "cifar10")
_LISTED = _when("data.name", "fer2013", "folder")
_KFOLD = _when("data.split", "kfold")
_CNN = _when("model.name", "cnn")
_MLP = _when("model.name", "mlp")
_BACKBONES = ("vgg19", "mobilenet_v2", "efficientnet_b0", "resnet50_v2")
_ON_BACKBONE = _when("model.name", *_BACKBONES)
_MOMENTUM = _when("train.optimizer", "sgd", "nesterov", "rmsprop")
_BETAS = _when("train.optimizer", "adam", "adamw", "lion")
_DECAYED = _when("train.optimizer", "adamw", "lion", "sgd", "nesterov", "rmsprop")
_PLATEAU = (Need("train.plateau_patience", above=0),)
_STOPPING = (Need("train.stop_patience", above=0), Need("phases.patience", longer=0))
_IN_PHASES = (Need("phases.lengths", longer=0),)
_BOOSTED = _when("head.kind", "xgboost")
_ANY_HEAD = _when("head.kind", "xgboost", "logistic", "svm", "forest", "neighbors")
_INT32 = 2**31 - 1

# fmt: off
_TABLE = (
    Field("data.name", "synthetic", "shape",
          "data set: built-in faces, FER-2013, any class-per-folder tree, or CIFAR-10",
          choices=("synthetic", "fer2013", "folder", "cifar10")),
    Field("data.path", "", "run",
          "folder, zip, tar, table (csv, tsv, parquet) or arrays (npz, npy) that hold the data set; "
          "unused for built-in faces"),
    Field("data.labels", "", "run",
          "csv, tsv or txt that lists images with their labels, and splits and groups if it names them; "
          "absolute, inside data.path, or below the working directory",
          needs=_LISTED),
    Field("data.pattern", "", "run",
          "what paths of images tell: a regular expression with named groups label, split or group, "
          "such as '(?P<group>[A-Z]+)[.](?P<label>[A-Z]+)'",
          needs=_LISTED),
    Field("data.names", (), "run",
          "what labels are called: '0=angry', '1=happy', ..., or a word: rafdb, affectnet, fer2013, jaffe, kdef",
          item=str, needs=_LISTED),
    Field("data.group", "", "run", "rule by which file names tell which images belong together, such as a person's",
          needs=_LISTED),
    Field("data.split", "official", "shape",
          "which images train, validate and test; kaggle validates on all that is not training, kaggle_eighth too "
          "and tests on an eighth of the training images: of each class, or _mixed of all together",
          choices=("official", "kaggle", "kaggle_eighth", "kaggle_eighth_mixed", "stratified_80_10_10",
                   "stratified_70_20_10", "kfold")),
    Field("data.folds", 5, "shape", "parts of all that is not test: each validates once, the others train",
          low=2, high=1000, needs=_KFOLD, never_swept="the folds of one split serve a whole sweep"),
    Field("data.fold", 0, "shape", "fold that validates in the first trial of a point; repeat r validates on fold + r",
          low=0, high=999, needs=_KFOLD, never_swept="sweep.repeats takes every point through the same folds"),
    Field("data.seed", 0, "shape", "seed of the split and of the built-in faces",
          low=0, high=_INT32, never_swept="one split serves a whole sweep"),
    Field("data.fraction", 1.0, "shape", "share of every split that is used", low=0, low_open=True, high=1),
    Field("data.image_size", 48, "shape", "height and width, pixels", low=8, high=512),
    Field("data.channels", 1, "shape", "1 = grey, 3 = RGB (grey is copied)", choices=(1, 3)),
    Field("data.classes", (), "shape", "class names to keep; () = all", item=str),
    Field("data.merge", (), "shape", "classes joined under a new name, such as 'positive=happy+surprise'", item=str),
    Field("data.drop_leaks", "none", "shape",
          "validation and test images left out: those with an exact copy in an earlier split, or a near one as well",
          choices=("none", "exact", "near"), needs=_READ),
    Field("data.balance", "none", "shape",
          "equal classes: leave images out, repeat them, or repeat them "
          "rotated, shifted, zoomed, flipped and brightened",
          choices=("none", "undersample", "oversample", "augment")),
    Field("data.balance_splits", "train", "shape", "which splits are balanced; augment takes train only",
          choices=("train", "all"), needs=_when("data.balance", "undersample", "oversample")),
    Field("data.normalize", "unit", "traced",
          "pixels to [0, 1], by the training split's range, to its mean 0 and sd 1, to [-1, 1], or left as 0..255",
          choices=("unit", "minmax", "standardize", "symmetric", "none")),
    Field("data.on_error", "fatal", "run", "what an unreadable image or row does", choices=("fatal", "skip")),
    Field("data.train_size", 2000, "shape", "training images drawn", low=1, high=1_000_000, needs=_SYNTHETIC),
    Field("data.validation_size", 500, "shape", "validation images drawn", low=1, high=1_000_000, needs=_SYNTHETIC),
    Field("data.test_size", 500, "shape", "test images drawn", low=1, high=1_000_000, needs=_SYNTHETIC),
    Field("data.label_noise", 0.02, "shape", "share of images given a wrong label", low=0, high=0.05, needs=_SYNTHETIC),

    Field("model.name", "cnn", "shape", "network family; the last four are those of keras.applications",
          choices=("cnn", "mlp", "silvestro", "imperial", *_BACKBONES)),
    Field("model.dropout", 0.4, "traced", "share of activations set to 0 in training",
          low=0, high=1, high_open=True, neutral=0, needs=_when("model.name", "cnn", "mlp", "silvestro")),
    Field("model.dense_dropout", 0.0, "traced", "the same after dense layers of a convolutional network",
          low=0, high=1, high_open=True, neutral=0,
          needs=_when("model.name", "cnn", "silvestro", "imperial", *_BACKBONES)),
    Field("model.init", "glorot_uniform", "traced",
          "initial weights: a distribution of kernels (glorot, he or lecun with _uniform or _normal); of a "
          "backbone, imagenet or an .h5 file of Keras'; or RUN:trial",
          neutral="glorot_uniform"),
    Field("model.freeze", (), "shape",
          "layers that are not trained: 'backbone', 'blocks=2' (the first two), 'layers=140' (the first 140, as "
          "Keras counts them), or names such as 'block1_*'", item=str),
    Field("model.width_multiplier", 1.0, "shape", "factor on the kernels and units of every hidden layer",
          low=0, low_open=True, high=16),
    Field("model.batch_norm", False, "shape", "batch normalisation on or off", needs=_when("model.name", "cnn", "mlp")),
    Field("model.pairs", 3, "shape", "number of convolution-pooling pairs", low=1, high=6, needs=_CNN),
    Field("model.kernels", (32, 64, 64), "shape", "kernels of each convolution; one number serves all",
          low=1, high=4096, needs=_CNN),
    Field("model.kernel_size", 3, "shape", "height and width of a kernel, pixels", low=1, high=11, needs=_CNN),
    Field("model.padding", "valid", "shape", "convolution border: none, or zeros that keep the size",
          choices=("valid", "same"), needs=_CNN),
    Field("model.pool_size", 2, "shape", "height, width and stride of a pool, pixels; 1 = no pooling",
          low=1, high=6, needs=_when("model.name", "cnn", "imperial")),
    Field("model.pool", "max", "shape", "what a pool keeps", choices=("max", "average"), needs=_CNN),
    Field("model.pool_padding", "valid", "shape", "pooling border: drop the rest, or pad it",
          choices=("valid", "same"), needs=_CNN),
    Field("model.dense", (64, 7), "shape", "units of each hidden dense layer; the output layer is added",
          low=1, high=65536, needs=_when("model.name", "cnn", "imperial", *_BACKBONES)),
    Field("model.hidden", (1000, 1000), "shape", "units of each hidden layer; the output layer is added",
          low=1, high=65536, needs=_MLP),
    Field("model.pooling", "average", "shape",
          "what is kept of each channel of the last map; of imperial's network, of each window of its pools",
          choices=("average", "max"), needs=_when("model.name", "imperial", *_BACKBONES)),
    Field("model.top", "own", "shape",
          "layers after the last map: ours (model.pooling, model.dense), or those Keras has there",
          choices=("own", "keras"), needs=_ON_BACKBONE),
    Field("model.preprocess", "none", "shape",
          "pixels inside the network: as data.normalize leaves them, or 0..255 "
          "made into what its ImageNet weights expect",
          choices=("none", "weights"), needs=_ON_BACKBONE),

    Field("train.batch_size", 64, "shape", "images per update", low=1, high=65536),
    Field("train.precision", "float32", "shape",
          "what products and convolutions compute in; weights, statistics and "
          "losses stay float32 (tf32: NVIDIA GPUs only)",
          choices=("float32", "tf32", "bfloat16")),
    Field("train.epochs", 50, "traced", "passes over the training split", low=1, high=1_000_000),
    Field("train.optimizer", "adam", "shape", "update rule",
          choices=("adam", "adamw", "sgd", "nesterov", "rmsprop", "lion")),
    Field("train.learning_rate", 1e-3, "traced", "step size of an update", low=0, low_open=True),
    Field("train.block_rates", (), "traced",
          "factors on the learning rate of each block of a backbone, first to last; its top has 1",
          low=0, item=float, neutral=(),
          needs=_ON_BACKBONE),
    Field("train.l2", 1e-4, "traced", "lambda: the objective gains lambda times the sum of squared kernels", low=0),
    Field("train.weight_decay", 0.0, "traced", "share of the learning rate by which weights shrink at each update",
          low=0, neutral=0, needs=_DECAYED),
    Field("train.clip_norm", 0.0, "traced", "longest gradient, all weights together; 0 = any", low=0, neutral=0),
    Field("train.momentum", 0.0, "traced", "share of the last step that is kept",
          low=0, high=1, high_open=True, needs=_MOMENTUM),
    Field("train.rho", 0.9, "traced", "decay of RMSprop's mean of squared gradients",
          low=0, high=1, high_open=True, needs=_when("train.optimizer", "rmsprop")),
    Field("train.beta1", 0.9, "traced", "decay of the mean of gradients",
          low=0, high=1, high_open=True, needs=_BETAS),
    Field("train.beta2", 0.999, "traced",
          "decay of the mean of squared gradients (Lion: of gradients; its authors use .99)",
          low=0, high=1, high_open=True, needs=_BETAS),
    Field("train.schedule", "constant", "shape",
          "how the learning rate changes: not; to its floor along a cosine; by decay_factor every decay_every "
          "epochs; by decay_factor each epoch; as 1 / (1 + decay x updates)",
          choices=("constant", "cosine", "step", "exponential", "inverse_time")),
    Field("train.decay", 0.0, "traced",
          "Keras' decay, per update", low=0, needs=_when("train.schedule", "inverse_time")),
    Field("train.decay_factor", 0.5, "traced", "factor on the learning rate",
          low=0, low_open=True, high=1, needs=_when("train.schedule", "step", "exponential")),
    Field("train.decay_every", 10, "traced", "epochs between two steps of the learning rate",
          low=1, high=1_000_000, needs=_when("train.schedule", "step")),
    Field("train.warmup", 0.0, "traced", "epochs in which the learning rate grows linearly from 0", low=0, neutral=0),
    Field("train.plateau_patience", 0, "traced",
          "epochs without a lower validation loss after which the learning rate falls; 0 = never",
          low=0, high=1_000_000),
    Field("train.plateau_factor", 0.5, "traced", "factor on the learning rate at a plateau",
          low=0, low_open=True, high=1, high_open=True, needs=_PLATEAU),
    Field("train.learning_rate_floor", 0.0, "traced", "below this neither cosine nor plateau takes the learning rate",
          low=0, needs=(*_when("train.schedule", "cosine"), *_PLATEAU)),
    Field("train.stop_patience", 0, "traced", "epochs without improvement after which a trial stops; 0 = never",
          low=0, high=1_000_000),
    Field("train.stop_metric", "val_loss", "shape", "what must improve", choices=("val_loss", "val_accuracy"),
          needs=_STOPPING),
    Field("train.stop_min_delta", 0.0, "traced", "a smaller change is no improvement", low=0, needs=_STOPPING),
    Field("train.seed", 0, "traced", "seed of weights, batches and dropout; repeat r trains with seed + r",
          low=0, high=_INT32, never_swept="sweep.repeats gives every point the same seeds"),
    Field("train.seeds", (), "traced",
          "seeds of initial weights, order of images, dropout and augmentation; () = train.seed for all four",
          low=0, high=_INT32, item=int, never_swept="sweep.seeds_of says which of them repeats vary"),
    Field("train.select", "val_accuracy", "shape",
          "which epoch's weights count: best on the validation split by this metric",
          choices=("val_accuracy", "val_loss")),

    Field("phases.lengths", (), "shape", "epochs of each phase of training instead of train.epochs; () = one phase",
          low=1, high=1_000_000, item=int),
    Field("phases.rates", (), "traced", "learning rate of each phase; () = train.learning_rate in all",
          low=0, low_open=True, item=float, needs=_IN_PHASES),
    Field("phases.frozen", (), "shape",
          "for each phase what is not trained besides model.freeze, in its words joined by +, or 'none'; () = nothing",
          item=str, needs=_IN_PHASES),
    Field("phases.patience", (), "traced", "early stopping of each phase; () = train.stop_patience in all",
          low=0, high=1_000_000, item=int, needs=_IN_PHASES),

    Field("loss.focal_gamma", 0.0, "traced", "focal loss exponent; 0 = cross-entropy", low=0, neutral=0),
    Field("loss.label_smoothing", 0.0, "traced", "share of a label spread over all classes",
          low=0, high=1, high_open=True, neutral=0),
    Field("loss.class_weight", 0.0, "traced",
          "power p of the class weights (N / (K n_c))^p on training images: 0 = none, 1 = every class counts the same",
          low=0, high=4, neutral=0),
    Field("loss.weights", (), "traced", "weights of single classes instead, such as 'disgust=5'; the others have 1",
          item=str, neutral=()),

    Field("augment.flip", 0.0, "traced", "share of training images mirrored left to right", low=0, high=1, neutral=0),
    Field("augment.shift", 0.0, "traced", "largest shift, share of the image's side", low=0, high=1, neutral=0),
    Field("augment.rotate", 0.0, "traced", "largest rotation, degrees", low=0, high=180, neutral=0),
    Field("augment.zoom", 0.0, "traced", "largest change of scale, 0.1: 0.9 to 1.1", low=0, high=1, high_open=True,
          neutral=0),
    Field("augment.shear", 0.0, "traced", "largest shear, degrees", low=0, high=80, neutral=0),
    Field("augment.brightness", 0.0, "traced", "largest change of brightness, share of full white", low=0, high=1,
          neutral=0),
    Field("augment.contrast", 0.0, "traced", "largest change of contrast, 0.2: 0.8 to 1.2", low=0, high=1, neutral=0),
    Field("augment.noise", 0.0, "traced", "sd of Gaussian noise, share of full white", low=0, high=1, neutral=0),
    Field("augment.erase", 0.0, "traced", "share of training images that lose a random rectangle", low=0, high=1,
          neutral=0),
    Field("augment.mixup", 0.0, "traced", "alpha of the Beta distribution from which shares of two images are drawn",
          low=0, neutral=0),

    Field("head.kind", "none", "head", "classifier fitted on features of every trained trial",
          choices=("none", "xgboost", "logistic", "svm", "forest", "neighbors")),
    Field("head.layer", "flatten", "head",
          "layer whose output, flattened, is its features; probabilities = the softmax", needs=_ANY_HEAD),
    Field("head.weights", "best", "head",
          "weights of the network that give the features: those train.select chose, or the last epoch's",
          choices=("best", "last"), needs=_ANY_HEAD),
    Field("head.rounds", 100, "head", "most boosting rounds, a tree a class each", low=1, high=100_000, needs=_BOOSTED),
    Field("head.stop_rounds", 0, "head",
          "rounds without a lower validation loss after which boosting stops and keeps the best; 0 = never",
          low=0, high=100_000, needs=_BOOSTED),
    Field("head.max_depth", 6, "head", "deepest boosted tree; 0 = any depth", low=0, high=64, needs=_BOOSTED),
    Field("head.eta", 0.3, "head", "learning rate of boosting", low=0, low_open=True, high=1, single=True,
          needs=_BOOSTED),
    Field("head.reg_lambda", 1.0, "head", "L2 penalty on the leaves' values", low=0, single=True, needs=_BOOSTED),
    Field("head.gamma", 0.0, "head", "least loss that a split must save", low=0, single=True, needs=_BOOSTED),
    Field("head.subsample", 1.0, "head",
          "share of images drawn for a tree", low=0, low_open=True, high=1, single=True, needs=_BOOSTED),
    Field("head.colsample_bytree", 1.0, "head", "share of features drawn for a tree", low=0, low_open=True, high=1,
          single=True, needs=_BOOSTED),
    Field("head.min_child_weight", 1.0, "head", "least sum of second derivatives in a leaf", low=0, single=True,
          needs=_BOOSTED),
    Field("head.C", 1.0, "head", "inverse of the L2 penalty; small = strong", low=1e-10, high=10**10,
          needs=_when("head.kind", "logistic", "svm")),
    Field("head.trees", 100, "head", "trees of the forest", low=1, high=100_000, needs=_when("head.kind", "forest")),
    Field("head.tree_depth", 0, "head", "deepest tree of the forest; 0 = any depth", low=0, high=1000,
          needs=_when("head.kind", "forest")),
    Field("head.neighbors", 5, "head",
          "training images that vote", low=1, high=100_000, needs=_when("head.kind", "neighbors")),
    Field("head.vote", "uniform", "head", "weight of a neighbour's vote: the same for all, or 1 / distance",
          choices=("uniform", "distance"), needs=_when("head.kind", "neighbors")),
    Field("head.threads", 1, "run", "threads of one fit; fits run side by side on the other cores", low=1, high=1024),

    Field("stack.engine", "auto", "run",
          "trials one after another on each device, vectorised, or vectorised with grouped convolutions; auto = "
          "measured once where a stack trains for over ten minutes, else by backend",
          choices=("auto", "map", "vmap", "grouped")),
    Field("stack.width", 0, "run",
          "most trials on the devices together; 0 = by memory and by what pays", low=0, high=65536),
    Field("stack.devices", 0, "run",
          "devices that share a wave; 0 = measured as the engine, else as many as its trials can use",
          low=0, high=65536),
    Field("stack.micro_batch", 0, "run",
          "images per pass through the network inside a batch; 0 = measured as the "
          "engine, else by backend; the batch size = whole",
          low=0, high=65536),
    Field("stack.data", "auto", "run", "pictures whole on every device, streamed to it, or by the memory they take",
          choices=("auto", "resident", "stream")),
    Field("stack.memory", 0.0, "run",
          "GB of memory that a plan may take, of a device or a CPU's machine; 0 = as much as there is", low=0),

    Field("checkpoint.every", 10, "run", "epochs between checkpoints; 0 = only at the end", low=0),
    Field("checkpoint.keep_state", True, "run",
          "whether a wave keeps its last state (with Adam four times its weights): "
          "--extend with more train.epochs goes on from it"),
    Field("report.title", "", "run", "heading of the report; empty = name of the run"),
    Field("report.saliency", True, "run",
          "whether the report shows what networks look at: seconds for a small network"),
    Field("report.show_images", False, "run",
          "whether the report shows pictures of the data set, whose licence "
          "may forbid it; built-in faces are always shown"),
    Field("report.paths", False, "run",
          "whether config.json and the report name files in the home folder by whole paths, not from ~ on"),

    Field("search.kind", "random", "run",
          "how sweep.draw draws: independently, along a sequence that fills the space evenly (sobol, halton), from "
          "every part of each range once (latin), or on a grid",
          choices=("grid", "random", "sobol", "halton", "latin"), needs=(Need("search.draws", above=0),)),
    Field("search.draws", 0, "run", "points that sweep.draw draws; the most that its grid has", low=0, high=100_000),
    Field("search.seed", 0, "run", "seed of what is drawn, and of which points begin in which bracket",
          low=0, high=_INT32),
    Field("search.halving", (), "run",
          "(epochs of the first rung, factor): of the points at a rung one in so many goes on to the next, of so many "
          "times the epochs; the last rung ends at train.epochs; () = every point is trained to its end",
          low=1, item=int),
    Field("search.brackets", 1, "run",
          "brackets of Hyperband: points of the first are compared from the first rung on, of the second from the "
          "second on, ...", low=1, high=100),
    Field("search.stop", "none", "run",
          "whether points also leave at a rung where their curves are unlikely to come to the best",
          choices=("none", "unlikely")),
    Field("search.race", (), "run",
          "(most seeds, error): more seeds for points that are not told apart from the best, until one is left with "
          "that error, or the seeds end; () = every point has sweep.repeats",
          low=0, low_open=True, item=float),

    Field("sweep.points", (), "sweep", "settings as dicts of dotted names, such as {'train.l2': 0.}", item=dict),
    Field("sweep.cross", False, "sweep",
          "whether every one of sweep.points is combined with all that each, grid, zip and draw set, instead of "
          "standing beside it"),
    Field("sweep.seeds_of", "all", "sweep",
          "what repeats vary: all that training draws, that and the split (everything), or only initial weights, the "
          "order of images, their augmentation, dropout, or the split",
          choices=("all", "everything", "weights", "order", "augmentation", "dropout", "split")),
    Field("sweep.repeats", 1, "sweep", "trials a point, with seeds train.seed, train.seed + 1, ...",
          low=1, high=100_000),
    Field("sweep.best", 0, "sweep",
          "points, best by train.select over the first sweep.repeats seeds, "
          "that get sweep.best_repeats trials; 0 = none",
          low=0, high=100_000),
    Field("sweep.best_repeats", 0, "sweep",
          "trials of each of the sweep.best points, the first sweep.repeats included; 0 = none", low=0, high=100_000),
    Field("sweep.chosen", (), "sweep",
          "the sweep.best points as a run has recorded them; filled in by the program", item=dict),
    Field("sweep.raced", (), "sweep",
          "the points that search.race has given more seeds, as a run has recorded them; filled in by the program",
          item=dict),
)
# fmt: on

FIELDS: dict[str, Field] = {field.name: field for field in _TABLE}
TREES = ("grid", "each", "zip")
# All that mirrors the fields inside `sweep`: lists in the trees, a text in the last.
MIRRORS = (*TREES, "draw")
MAX_SETTINGS = 100_000
TRIAL_KINDS = ("shape", "traced")
SWEPT_KINDS = (*TRIAL_KINDS, "head")


def add_field(field: Field) -> None:
    """Declares a field of your own, before any config is made.

    What the module's docstring says of the table holds for it.

    Raises:
        ConfigError: there is a field of that name already.
    """
    if field.name in FIELDS:
        raise ConfigError(f"{field.name} is declared already")
    FIELDS[field.name] = field


def add_choice(name: str, choice: str) -> None:
    """Allows another value of a field with choices, such as a network's name as `model.name`.

    What is behind it may read any field, so it meets every need of that field.
    """
    field = FIELDS[name]
    if choice in field.choices:
        return
    FIELDS[name] = dataclasses.replace(field, choices=(*field.choices, choice))
    for other, dependent in FIELDS.items():
        needs = (
            dataclasses.replace(need, values=(*need.values, choice)) if need.name == name else need
            for need in dependent.needs
        )
        FIELDS[other] = dataclasses.replace(dependent, needs=tuple(needs))
