"""One trial of a run as a Python object: its settings, its figures and its networks, ready to
classify pictures.

Weights are read when they are first asked for, those of this trial alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ml_collections import ConfigDict
from scipy import special

from fer_jax.analysis import metrics
from fer_jax.config import fields, search_space
from fer_jax.config.values import flatten, from_json, put
from fer_jax.errors import RunError
from fer_jax.models import inference, test_time
from fer_jax.results import fitted
from fer_jax.saliency import explain

if TYPE_CHECKING:
    from fer_jax.data import Dataset, Split
    from fer_jax.prediction.external import Evaluation
    from fer_jax.results.fitted import FitResult
    from fer_jax.results.run import Run
    from fer_jax.saliency import ClassSaliency, Saliency


@dataclasses.dataclass(frozen=True, eq=False)
class TrialResult:
    """One trial of a run: its settings, figures and networks.

    Attributes:
        run: the run it belongs to.
        row: its row of `run.trials`.
    """

    run: Run
    row: pd.Series

    def __repr__(self) -> str:
        return f"<trial {self.id} of {self.run.path}: {self.status}>"

    @property
    def id(self) -> str:
        return self.row["id"]

    @property
    def status(self) -> str:
        """pending, running, done, pruned, diverged or failed."""
        return self.row["status"]

    @property
    def curves(self) -> pd.DataFrame:
        """Its rows of `run.curves`."""
        return self.run.curves[self.run.curves["id"] == self.id].reset_index(drop=True)

    @functools.cached_property
    def config(self) -> ConfigDict:
        """The config that trains this trial alone: nothing swept, `train.seed` its own."""
        record = {name: value for name, value in self.run.record["config"].items() if name != "sweep"}
        config = from_json(record)
        for name in self.run.swept:
            if name in fields.FIELDS:
                put(config, name, fields.FIELDS[name].coerce(self.row[name]))
        config.train.seed = int(self.row["seed"])
        if config.data.split == "kfold":
            config.data.fold += int(self.row["repeat"])
        return config

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the columns `predict` returns."""
        return tuple(self.data["classes"])

    @functools.cached_property
    def data(self) -> Mapping[str, Any]:
        """What config.json says of its data set: classes, counts, split, label, checksum, ..."""
        return self._own_data() or self.run.record["data"]

    def _own_data(self) -> Mapping[str, Any] | None:
        """The record of its data set; None where several are recorded and none is its own."""
        described = [self.run.record["data"], *(self.run.record.get("other_data") or [])]
        if len(described) == 1:
            return described[0]
        # A swept data field or the folds gave several data sets; the id is a hash of the trial's
        # own.
        return next((data for data in described if self._would_be(data["checksum"])), None)

    def _would_be(self, checksum: str) -> bool:
        """Whether the data with this checksum are those that this trial was trained on."""
        trial = search_space.expand(self.config)[0]
        words = trial.values["model.init"], trial.values["model.name"]
        known = {(start["init"], start["network"]): start["checksum"] for start in self.run.record.get("initial", ())}
        return trial.id(checksum, known.get(words, "")) == self.id

    @property
    def variables(self) -> dict[str, Any]:
        """{'params', 'stats', 'pixels'} of the epoch that validation chose: nested dicts of numpy
        arrays, without a trial axis.

        'pixels' holds scale and offset: the network's input is scale * pixel + offset.

        Raises:
            RunError: the trial has left no weights (yet).
        """
        return {**self._weights["best"], "pixels": self._weights["pixels"]}

    @property
    def last_variables(self) -> dict[str, Any]:
        """As `variables`, of the last epoch."""
        return {**self._weights["last"], "pixels": self._weights["pixels"]}

    @functools.cached_property
    def _weights(self) -> dict[str, Any]:
        wave, slot = self.row.get("wave", ""), self.row.get("slot")
        if not wave or pd.isna(slot) or self.status in ("pending", "running", "failed"):
            yet = "" if self.status == "failed" else " yet"
            raise RunError(f"trial {self.id} of {self.run.path} is {self.status}: it has no weights{yet}")
        self._check_learnt()
        return self.run._directory.load_trial(wave, int(slot))

    def _check_learnt(self) -> None:
        """Raises RunError if it diverged before an epoch was over: its weights and answers are
        those it began with.
        """
        if self.row.get("best_epoch") == 0:
            epoch = self.row["diverged_epoch"]
            raise RunError(
                f"trial {self.id} of {self.run.path} diverged in epoch {epoch}, its first: nothing of it was learnt"
            )

    def logits(self, split: str = "test") -> np.ndarray:
        """What the network gave for the pictures of a held-out split at the end of its training, by
        the weights that validation chose; float32 (n, K), in the order of the split, columns as
        `classes`.

        Args:
            split: 'validation' or 'test'.

        Raises:
            RunError: another split, one that the data do not have, or none kept: the trial is not
                done, diverged in its first epoch, or the run was trained before logits were kept.
        """
        self._targets(split)  # first, since a split that is not there says more than predictions that are not
        wave, slot = self.row.get("wave", ""), self.row.get("slot")
        has_results = bool(wave) and not pd.isna(slot) and self.status in ("done", "diverged")
        if has_results:
            self._check_learnt()
        found = self.run._directory.predictions.read(wave, split, int(slot)) if has_results else None
        if found is None:
            why = "was trained before they were kept" if has_results else f"is {self.status}"
            raise RunError(f"trial {self.id} of {self.run.path} has no stored predictions: it {why}")
        return found

    def probabilities(self, split: str = "test") -> np.ndarray:
        """`logits` as class probabilities, float64 (n, K), rows summing to 1; errors as there."""
        return special.softmax(self.logits(split).astype(np.float64), axis=-1)

    def labels(self, split: str = "test") -> np.ndarray:
        """Labels of the pictures that `logits` is about, int32 (n,), indices into `classes`; errors
        as there.
        """
        return self._targets(split)["labels"]

    def leaked(self, split: str = "test") -> np.ndarray:
        """Which of these pictures have an exact copy among those that were trained on or, for the
        test split, validated on; bool (n,); errors as for `logits`.
        """
        return self._targets(split)["leaked"]

    def _targets(self, split: str) -> dict[str, np.ndarray]:
        """'labels' and what else is stored of a held-out split."""
        if split not in ("validation", "test"):
            raise RunError(f"split = {split!r}: predictions are stored of 'validation' and 'test'")
        stored = self.run._targets(self.data["checksum"])
        if f"{split}_labels" not in stored:
            raise RunError(f"the data of {self.run.path} have no {split} split")
        return {name.removeprefix(f"{split}_"): array for name, array in stored.items() if name.startswith(f"{split}_")}

    def has_split(self, split: str) -> bool:
        """Whether predictions are stored on 'validation' or 'test'."""
        return f"{split}_labels" in self.run._targets(self.data["checksum"])

    def predict(self, images: Any, weights: str = "best", tta: str | None = None) -> np.ndarray:
        """Class probabilities by the weights that validation chose, or by those of the last epoch.

        Args:
            images: uint8, or other numbers in 0..255, of shape (n, S, S, C), (n, S, S), (S, S, C)
                or (S, S), where S is data.image_size and C data.channels; grey pictures serve a
                network for colour.
            weights: 'best' (chosen by train.select) or 'last'.
            tta: 'flip' or 'ten_crop' averages the probabilities of several views of each picture;
                see `views`.

        Returns:
            float32 (n, K), rows summing to 1, columns as `classes`.

        Raises:
            RunError: another size, kind or range of images; no weights; or other `weights` or `tta`
                than these two.
        """
        if tta is None:
            return self._apply(images, None, weights)
        shown = test_time.views(tta, images, self.config.data.image_size, self.config.data.channels)
        return np.mean([self._apply(view, None, weights) for view in shown], axis=0)

    def features(self, images: Any, layer: str) -> np.ndarray:
        """The output of a named layer, float32 (n, ...), for images as `predict` takes them.

        Raises:
            RunError: as for `predict`, or an unknown layer (it names near ones).
        """
        return self._apply(images, layer)

    def _apply(self, images: Any, layer: str | None, weights: str = "best") -> np.ndarray:
        if weights not in ("best", "last"):
            raise RunError(f"weights = {weights!r}: must be 'best' or 'last'")
        values = flatten(self.config)
        variables = self.variables if weights == "best" else self.last_variables
        return inference.apply(values, len(self.classes), variables, images, layer)

    def saliency(
        self, images: Any, method: str = "gradient", target: Any = None, weights: str = "best", **settings: Any
    ) -> Saliency:
        """Which pixels the network's answers stand on; docs/saliency.md has methods, units and
        sources.

        Args:
            images: as for `predict`.
            method: 'gradient', 'smoothgrad', 'integrated_gradients', 'grad_cam' or 'occlusion'.
            target: the class whose logit is explained, by name or index, or one for each picture;
                None takes the predicted one.
            weights: as for `predict`.
            **settings: of the method. smoothgrad: samples (50), noise (0.15 of the picture's
                range), seed (0); integrated_gradients: steps (64), baseline (0, black); grad_cam:
                layer (the last with rows and columns); occlusion: patch (a sixth of the side,
                pixels), stride (half of that), baseline (127.5, grey).

        Returns:
            `maps` float32 (n, S, S), and more, see `analysis.saliency.Saliency`.

        Raises:
            RunError: as for `predict`, an unknown method, setting or class, or grad_cam of a
                network without rows and columns.
        """
        return explain.of_trial(self, images, method, target, weights, settings)

    def class_saliency(
        self,
        split: str = "validation",
        method: str = "gradient",
        limit: int | None = 100,
        weights: str = "best",
        path: str | None = None,
        **settings: Any,
    ) -> ClassSaliency:
        """Where the network looks in pictures of each class on average: means of their shares, each
        for its own class.

        Args:
            split: 'validation' by default, since who sees maps goes on to change things; 'test' or
                'train'.
            limit: pictures of a class at most, the first of the split; None for all.
            method, weights, **settings: as for `saliency`.
            path: as for `dataset`.

        Raises:
            RunError: as for `saliency`, no such split, or other data than the run's.
            DataError: the data cannot be read.
        """
        return explain.Explainer.of(self, method, weights, settings).class_means(split, limit, path)

    def randomised_saliency(
        self,
        images: Any,
        method: str = "gradient",
        target: Any = None,
        seed: int = 0,
        margin: int = 0,
        weights: str = "best",
        **settings: Any,
    ) -> pd.DataFrame:
        """Whether maps are about what was learnt: their rank correlation with those of weights
        drawn anew (Adebayo et al. 2018, section 4, cascading randomisation). A method whose maps
        stay alike shows the picture, not the network.

        Args:
            seed: of the new weights.
            margin: pixels left out at every side. Few kernels reach the border of a picture
                whatever the weights are, which makes the maps of any two networks alike.
            images, method, target, weights, **settings: as for `saliency`; the class is the trained
                network's throughout.

        Returns:
            A row for each layer with weights, the last layer first: `layer`, which is drawn anew
            together with all in the rows before; Spearman's `correlation` of the maps with the
            trained network's, mean over pictures; `absolute`, the same of the maps' absolute
            values; `n` pictures in it; `undefined`, pictures left out because a map was constant.

        Raises:
            RunError: as for `saliency`.
        """
        return explain.randomised(self, images, method, target, seed, margin, weights, settings)

    def export(self, path: str | Path, weights: str = "best", **options: Any) -> Path:
        """Writes its network for other programs: weights to a '.safetensors' file, or the whole
        network to an '.onnx' file.

        Args:
            weights: as for `predict`.
            **options: for ONNX, `dtype` of the pixels, 'uint8' or 'float32'.

        Raises:
            RunError: another ending, no weights, or a file that cannot be written; see
                `exports.network` for ONNX.
            FerJaxError: the package that writes such files is not installed.
        """
        from fer_jax.export import export_trial

        export_trial(self, path, weights, **options)
        return Path(path)

    def evaluate_on(self, path: str, **options: Any) -> Evaluation:
        """What it says of another labelled data set: accuracy, report by class, confusion matrix,
        with and without copies of its own training pictures.

        Args:
            path: folder, zip, tar or csv, as data.path.
            **options: `splits`, `classes`, `copies`, `weights`, `tta`, `train_path`, `kind`; these
                and errors as for `external.evaluate`.
        """
        from fer_jax.prediction import external

        return external.evaluate((self,), path, **options)

    @property
    def heads(self) -> pd.DataFrame:
        """Its rows of `run.heads`."""
        return self.run.heads[self.run.heads["id"] == self.id].reset_index(drop=True)

    def head(self, **wanted: Any) -> FitResult:
        """Its one fit with these values, such as `head(layer="dense_0", max_depth=6)`; all values
        of a single fit may be left out.

        Args:
            **wanted: head field=value; a field is what follows 'head.'.

        Raises:
            RunError: no head field of that name, a value it cannot have, no such fit, or several.
        """
        return fitted.find(self, wanted)

    def dataset(self, path: str | None = None) -> Dataset:
        """The data it was trained on, loaded anew.

        Args:
            path: where the data lie now, if no longer at data.path.

        Raises:
            DataError: they cannot be read.
            RunError: they are not those of the run: the checksum differs.
        """
        from fer_jax import data

        block = self.config.data.copy_and_resolve_references()
        block.path = path or block.path
        key = block.to_json()
        if key not in self.run._datasets:
            self.run._datasets[key] = data.load(block)
        loaded = self.run._datasets[key]
        if self.config.data.split == "kfold" or any(name.startswith("data.") for name in self.run.swept):
            # The record knows one data set; the id is a hash of the trial's own.
            same = self._would_be(loaded.checksum)
        else:
            same = loaded.checksum == self.run.record["data"].get("checksum")
        if not same:
            source = block.path or "the data"
            raise RunError(f"{source}: not what {self.run.path} was trained on (checksum {loaded.checksum[:10]})")
        return loaded

    def confusion_matrix(self, split: str = "test", path: str | None = None, normalize: bool = False) -> pd.DataFrame:
        """Pictures by true class (rows) and predicted class (columns), by the weights that
        validation chose.

        Of a held-out split it stands on the stored answers, where there are, and needs neither data
        nor network.

        Args:
            split: 'test', 'validation' or 'train'.
            path: as for `dataset`; asks the network anew.
            normalize: shares of each row's pictures instead, in [0, 1]; 0 in the row of a class
                without pictures, as scikit-learn has it.

        Raises:
            RunError: no such split, other data than the run's, or no weights.
            DataError: the data cannot be read.
        """
        probabilities, labels = self._answers(split, "best", path)
        counts = metrics.confusion(probabilities[None], labels)[0]
        pictures = counts.sum(axis=1, keepdims=True)
        values = counts / np.maximum(pictures, 1) if normalize else counts
        return pd.DataFrame(
            values, index=pd.Index(self.classes, name="true"), columns=pd.Index(self.classes, name="predicted")
        )

    def binarised(
        self,
        positive: Sequence[str],
        split: str = "test",
        threshold: float = 0.5,
        weights: str = "best",
        path: str | None = None,
    ) -> dict[str, float]:
        """Figures of 'one of the positive classes or not', from the probabilities of a network
        trained on more classes.

        A picture is called positive if the probabilities of the positive classes sum to `threshold`
        or more. Compare thresholds on the validation split: the test split is for the one that was
        chosen.

        Args:
            positive: names of some of `classes`, in any spelling `data.names.canonical` knows.
            split: 'test', 'validation' or 'train'.
            threshold: in [0, 1].
            weights: as for `predict`.
            path: as for `dataset`; without it the stored answers serve, where there are.

        Returns:
            accuracy, loss (nats), precision, recall, f1 (means over both answers) and auc; see
            `metrics.binarise`.

        Raises:
            ConfigError: an unknown class, or none or all of them positive.
            RunError: no such split, a threshold out of range, other data than the run's, or no
                weights.
            DataError: the data cannot be read.
        """
        metrics.positive_columns(self.classes, positive)
        if not 0 <= threshold <= 1:
            raise RunError(f"threshold = {threshold}: must be in [0, 1], a share of the probability")
        return metrics.binarise(*self._answers(split, weights, path), self.classes, positive, threshold)

    def _answers(self, split: str, weights: str, path: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (n, K) and labels (n,) of a split: the stored ones if that is what is asked
        for, else by asking the network.
        """
        if weights == "best" and path is None and split in ("validation", "test"):
            with contextlib.suppress(RunError):
                return self.probabilities(split), self.labels(split)
        found = self._split(split, path)
        return self.predict(found.images, weights), found.labels

    def _split(self, name: str, path: str | None) -> Split:
        splits = self.dataset(path).splits()
        if name not in splits:
            raise RunError(f"the data of {self.run.path} have no {name} split; choose one of {', '.join(splits)}")
        return splits[name]
