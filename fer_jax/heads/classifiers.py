"""The kinds of head: how each is fitted, asked, kept and read again.

Every kind has a class with `fit`, `probabilities`, `importances`, `to_bytes` and `from_bytes`.
Nothing is ever pickled. XGBoost writes UBJSON; scikit-learn's estimators go through skops, which
reads no type it does not know; nearest neighbours are not kept, since they are nothing but the
features, which the run keeps. A checksum follows what is kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import warnings
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from fer_jax.errors import RunError
from fer_jax.heads import boosted_trees
from fer_jax.heads.features import Features

# So many rows are classified at a time, which bounds the memory that an estimator takes.
CHUNK = 8192
# Of the solvers of the linear heads.
MAX_ITERATIONS = 1000
# A SHA-256 of so many bytes follows what a head is kept as. XGBoost stops reading at the last brace
# and a zip file's reader looks for the end of its index, so that neither minds it.
SEAL_BYTES = 32
# How a zip file without a comment ends: the mark, and the place of it from behind.
_ZIP_END, _ZIP_END_BYTES = b"PK\x05\x06", 22
# A type that skops may read besides scikit-learn's estimators: a tree, whose nodes are arrays.
TRUSTED = ["sklearn.tree._tree.Tree"]


class Head(Protocol):
    """A fitted classifier of K classes on F features."""

    @property
    def rounds(self) -> int | None:
        """The boosting rounds that are kept; None for a kind that does not boost."""

    @property
    def importances(self) -> np.ndarray | None:
        """Each feature's share in what the splits of all trees gained, float (F,) summing to 1.

        None for a kind without trees, and where no tree has a split.
        """

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Returns class probabilities float32 (n, K), rows summing to 1, of float32 (n, F)."""

    def to_bytes(self) -> bytes:
        """Returns the bytes from which `load` makes the same head."""


class Boosted:
    """Gradient-boosted trees by XGBoost (Chen and Guestrin, KDD 2016).

    They minimise the cross-entropy of a softmax, on histograms of the features. The same settings,
    seed and number of threads give the same trees, bit for bit; another number of threads sums in
    another order.
    """

    suffix = "ubj"

    def __init__(self, booster: Any, num_classes: int):
        self.booster = booster
        self.num_classes = num_classes

    @classmethod
    def fit(cls, settings: Mapping[str, Any], features: Features, seed: int, stop: Callable[[], bool]) -> Boosted:
        """Returns trees fitted to the training split; the arguments are those of `fit` below."""
        import xgboost

        class Stop(xgboost.callback.TrainingCallback):
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                return stop()

        train, validation = features.matrices
        same = ("max_depth", "eta", "gamma", "subsample", "colsample_bytree", "min_child_weight")
        parameters = {name: settings[f"head.{name}"] for name in same} | {
            "lambda": settings["head.reg_lambda"],
            "objective": "multi:softprob",
            "num_class": features.num_classes,
            "eval_metric": "mlogloss",
            "tree_method": "hist",
            "device": "cuda" if on_gpu() else "cpu",
            "nthread": features.threads,
            "seed": seed,
        }
        callbacks: list[Any] = []
        patience = settings["head.stop_rounds"]
        if patience:
            callbacks.append(xgboost.callback.EarlyStopping(rounds=patience, data_name="validation", save_best=True))
        # Callbacks after one that stops are not called, and EarlyStopping must see each round.
        callbacks.append(Stop())
        booster = xgboost.train(
            parameters,
            train,
            settings["head.rounds"],
            evals=[(validation, "validation")] if patience else [],
            callbacks=callbacks,
            verbose_eval=False,
        )
        return cls(booster, features.num_classes)

    @property
    def rounds(self) -> int:
        return int(self.booster.num_boosted_rounds())

    @property
    def importances(self) -> np.ndarray | None:
        gains = np.zeros(self.booster.num_features())
        for name, gain in self.booster.get_score(importance_type="total_gain").items():
            gains[int(name.removeprefix("f"))] = gain
        return gains / gains.sum() if gains.any() else None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        parts = [self.booster.inplace_predict(part) for part in _chunks(features)]
        return np.concatenate(parts).reshape(len(features), self.num_classes).astype(np.float32)

    def to_bytes(self) -> bytes:
        return _sealed(bytes(self.booster.save_raw("ubj")))

    @classmethod
    def from_bytes(cls, content: bytes, num_classes: int) -> Boosted:
        """Returns the trees whose `to_bytes` are given; ValueError where the checksum differs."""
        import xgboost

        # XGBoost's parser trusts what it reads: damaged bytes can end the process or give another
        # model.
        content = _unsealed(content)
        boosted_trees.check(content, num_classes)
        booster = xgboost.Booster(model_file=bytearray(content))
        # XGBoost's threads spin while they wait for each other: on busy cores that costs a small
        # call far more than it saves a large one.
        booster.set_param({"nthread": 1})
        return cls(booster, num_classes)


class Estimator:
    """One of scikit-learn's classifiers; features are standardised first where scale matters.

    A softmax turns the margins of the linear SVM into probabilities, which are not calibrated: they
    rank the classes, and a loss computed from them means nothing.
    """

    suffix = "skops"
    rounds = None

    def __init__(self, pipeline: Any, num_classes: int):
        self.pipeline = pipeline
        self.num_classes = num_classes

    @classmethod
    def fit(cls, settings: Mapping[str, Any], features: Features, seed: int, stop: Callable[[], bool]) -> Estimator:
        """Returns an estimator fitted to the training split; arguments are those of `fit` below."""
        from sklearn.exceptions import ConvergenceWarning

        pipeline = _pipeline(settings, seed, features.threads)
        with warnings.catch_warnings():
            # A linear head that is not at its optimum after MAX_ITERATIONS still is as good a
            # classifier as its scores say.
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(features.splits["train"], features.labels["train"])
        return cls(pipeline, features.num_classes)

    @property
    def importances(self) -> np.ndarray | None:
        shares = getattr(self.pipeline[-1], "feature_importances_", None)
        return None if shares is None or not shares.any() else shares

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        return np.concatenate([self._some(part) for part in _chunks(features)]).astype(np.float32)

    def _some(self, features: np.ndarray) -> np.ndarray:
        # scikit-learn has no column for a class without training images, and takes no empty array.
        full = np.zeros((len(features), self.num_classes))
        if not len(features):
            return full
        if hasattr(self.pipeline, "predict_proba"):
            full[:, self.pipeline.classes_] = self.pipeline.predict_proba(features)
            return full
        from scipy.special import softmax

        margins = self.pipeline.decision_function(features)
        margins = np.column_stack([-margins, margins]) if margins.ndim == 1 else margins
        full[:, self.pipeline.classes_] = softmax(margins, axis=1)
        return full

    def to_bytes(self) -> bytes:
        import skops.io

        return _sealed(skops.io.dumps(self.pipeline))

    @classmethod
    def from_bytes(cls, content: bytes, num_classes: int) -> Estimator:
        """Returns the estimator whose `to_bytes` are given; raises an error for any other bytes."""
        import skops.io
        from sklearn.pipeline import Pipeline

        # Files of before they were sealed end as a zip file does; its members have checksums.
        if not content[-_ZIP_END_BYTES:].startswith(_ZIP_END):
            content = _unsealed(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # skops stores its parts as they are; packed, a small file may take any memory.
            packed = any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist())
            if packed or sum(part.file_size for part in archive.infolist()) > len(content):
                raise ValueError("its parts would take more room than the file")
        pipeline = skops.io.loads(content, trusted=TRUSTED)
        if not isinstance(pipeline, Pipeline):
            raise ValueError(f"it holds a {type(pipeline).__name__}")
        return cls(pipeline, num_classes)


def _pipeline(settings: Mapping[str, Any], seed: int, threads: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    kind = settings["head.kind"]
    if kind == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(C=settings["head.C"], max_iter=MAX_ITERATIONS))
    if kind == "svm":
        linear = LinearSVC(C=settings["head.C"], dual="auto", max_iter=MAX_ITERATIONS, random_state=seed)
        return make_pipeline(StandardScaler(), linear)
    if kind == "neighbors":
        neighbors, vote = settings["head.neighbors"], settings["head.vote"]
        return make_pipeline(StandardScaler(), KNeighborsClassifier(neighbors, weights=vote, n_jobs=threads))
    forest = RandomForestClassifier(
        settings["head.trees"], max_depth=settings["head.tree_depth"] or None, random_state=seed, n_jobs=threads
    )
    return make_pipeline(forest)


# Kinds that cannot be fitted to training images of a single class.
OF_TWO_CLASSES = ("logistic", "svm")

KINDS: dict[str, type[Boosted] | type[Estimator]] = {
    "xgboost": Boosted,
    "logistic": Estimator,
    "svm": Estimator,
    "forest": Estimator,
    "neighbors": Estimator,
}


def fit(settings: Mapping[str, Any], features: Features, seed: int, stop: Callable[[], bool] = lambda: False) -> Head:
    """Returns a classifier fitted to the training split.

    Args:
        settings: dotted name -> value of the head fields that have an effect with their
            `head.kind`.
        features: the features of a trial at a layer. The validation split is read only where
            `head.stop_rounds` stops boosting early.
        seed: of whatever the kind draws: rows and columns of trees, the order of the SVM's descent.
        stop: asked after each boosting round; true ends the fit early, and the head returned then
            must not be kept.
    """
    return KINDS[settings["head.kind"]].fit(settings, features, seed, stop)


def kept(settings: Mapping[str, Any]) -> bool:
    """Returns whether a head is kept on disk; nearest neighbours only repeat the features."""
    return settings["head.kind"] != "neighbors"


def suffix(settings: Mapping[str, Any]) -> str:
    """Returns the suffix, without a dot, of the file in which a head is kept."""
    return KINDS[settings["head.kind"]].suffix


def load(settings: Mapping[str, Any], content: bytes, num_classes: int) -> Head:
    """Returns the head whose `to_bytes` are given.

    Args:
        settings: as for `fit`.
        content: what `Head.to_bytes` returned.
        num_classes: K.

    Raises:
        RunError: the bytes are damaged, or hold anything that no head of this kind is made of.
    """
    try:
        return KINDS[settings["head.kind"]].from_bytes(content, num_classes)
    except Exception as error:
        # XGBoost and skops raise whatever their parsers stumble over.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"a {settings['head.kind']} head cannot be read ({reason}); start the sweep again to fit it anew"
        ) from None


def damage(settings: Mapping[str, Any], content: bytes) -> str:
    """Returns what is wrong with the bytes of a head that was kept, '' where nothing is.

    Arguments are those of `load`. Whole bytes of which the checksum says so are not loaded.
    """
    try:
        _unsealed(content)
        return ""
    except ValueError as error:
        problem = str(error)
    try:
        # Those of before all kinds were sealed have to be read.
        KINDS[settings["head.kind"]].from_bytes(content, 0)
        return ""
    except Exception:
        return problem


def missing_package(kind: str) -> str:
    """Returns the pip name of the package that a kind of head needs and is missing, or ''."""
    module, package = ("xgboost", "xgboost-cpu") if kind == "xgboost" else ("skops", "skops")
    return "" if kind == "none" or importlib.util.find_spec(module) else package


def on_gpu() -> bool:
    """Returns whether boosting runs on an NVIDIA GPU: JAX has one, and XGBoost is built for it."""
    import jax
    import xgboost

    return jax.default_backend() == "gpu" and bool(xgboost.build_info().get("USE_CUDA"))


def _sealed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def _unsealed(content: bytes) -> bytes:
    """Returns what `_sealed` was given; ValueError where the checksum differs."""
    content, seal = content[:-SEAL_BYTES], content[-SEAL_BYTES:]
    if seal != hashlib.sha256(content).digest():
        raise ValueError("its checksum differs")
    return content


def _chunks(features: np.ndarray) -> list[np.ndarray]:
    return [features[start : start + CHUNK] for start in range(0, max(len(features), 1), CHUNK)]
