"""A data set as the waves of a stack train on it: whole on the devices, or streamed to them.

Both give the same numbers.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from fer_jax.data import Dataset
from fer_jax.models import normalize
from fer_jax.train import hardware, step, stream
from fer_jax.train.engine import WaveProgram, padded_batches
from fer_jax.train.recipe import PRECISIONS
from fer_jax.train.streamed import StreamedProgram, evaluation_grid
from fer_jax.train.trial import TrialState

# Images that go together through the layers whose outputs are kept.
FEATURE_BATCH = 64
Epoch = tuple[TrialState, dict[str, jax.Array]]


class Evaluation(NamedTuple):
    """The loss, accuracy and logits of a wave's trials on a split, on the host.

    Attributes:
        loss: mean data loss, nats, float32 (trial,).
        accuracy: in [0, 1], float64 (trial,), exactly a number of images over their number.
        logits: float32 (trial, images, K), in the order of the split.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    logits: np.ndarray


def exact_share(shares: np.ndarray, count: int) -> np.ndarray:
    """Returns float32 shares of `count` images as the exact shares in float64; NaN stays.

    Differences of float32 shares that are the same number of images differ in their last digits,
    which a test of differences would take for a spread.
    """
    return np.rint(np.asarray(shares, np.float64) * count) / count


class Frozen(NamedTuple):
    """The layers that no phase trains and all trials of a wave share, on the host.

    Attributes:
        arrays: {'params', 'stats'}: layer -> leaf -> array.
        scale, offset: of the pixels, the same for all trials; read where outputs are computed once.
    """

    arrays: Mapping[str, Any]
    scale: float
    offset: float


class ResidentData:
    """A data set that lies whole on every device of a program.

    Attributes:
        train_images: images of the training split.
        labels: 'validation' and, where there is one, 'test' -> int32 (images,).
        leaked: the same splits -> bool (images,), see `Dataset.leaked`.
    """

    def __init__(self, program: WaveProgram, dataset: Dataset, frozen: Frozen | None = None):
        inputs = _inputs(program, dataset, frozen)
        self._train = program.place_train(inputs["train"], dataset.train.labels)
        held_out = {name: split for name, split in dataset.splits().items() if name != "train"}
        self._inputs = {name: inputs[name] for name in held_out}
        self._placed: dict[tuple[str, int], Any] = {}
        self._frozen = program.place_frozen(frozen.arrays if frozen else {})
        self.labels = {name: split.labels for name, split in held_out.items()}
        self.leaked = dataset.leaked
        self.train_images = len(dataset.train)
        for name in held_out:
            self._batches(program, name)

    def train_epoch(
        self, program: WaveProgram, state: TrialState, hyper: Mapping[str, jax.Array], epoch: int, phase: int = 0
    ) -> Epoch:
        """Trains every active trial for an epoch, as `trial.epoch` does; the old state is donated.

        Args:
            program: of the wave.
            state, hyper: of its trials.
            epoch: epochs that its active trials have completed.
            phase: the phase of the training that the epoch belongs to.
        """
        return program.epoch(state, hyper, self._train, self._batches(program, "validation"), self._frozen, phase)

    def evaluate(self, program: WaveProgram, variables: Any, hyper: Mapping[str, jax.Array], split: str) -> Evaluation:
        """Evaluates every trial on 'validation' or 'test' with its {'params', 'stats'}."""
        loss, accuracy, logits = jax.device_get(
            program.evaluate(split, variables, hyper, self._batches(program, split), self._frozen)
        )
        count = len(self.labels[split])
        return Evaluation(loss, exact_share(accuracy, count), _unbatched(logits)[:, :count])

    def _batches(self, program: WaveProgram, split: str) -> Any:
        """Returns a split in a program's batches, placed when a program first cuts it so.

        Stacks of other engines, which may cut it otherwise, share these data.
        """
        key = split, program.evaluation_batch
        if key not in self._placed:
            self._placed[key] = program.place_batches(self._inputs[split], self.labels[split])
        return self._placed[key]


class StreamedData:
    """A data set in the host's memory, or mapped into it, that reaches the devices in chunks.

    Attributes:
        train_images, labels, leaked: as for `ResidentData`.
    """

    def __init__(self, dataset: Dataset):
        # Indexing a mapped array makes copies that pretend to be mapped too; the same memory seen
        # as a plain array does not.
        self._splits = {name: (np.asarray(split.images), split.labels) for name, split in dataset.splits().items()}
        self.labels = {name: labels for name, (_, labels) in self._splits.items() if name != "train"}
        self.leaked = dataset.leaked
        self.train_images = len(dataset.train)

    def train_epoch(
        self, program: WaveProgram, state: TrialState, hyper: Mapping[str, jax.Array], epoch: int, phase: int = 0
    ) -> Epoch:
        """Does what `ResidentData.train_epoch` does, with a streamed program."""
        assert isinstance(program, StreamedProgram)
        seeds, own = np.unique(jax.device_get(hyper["train.seeds"])[:, step.ORDER], return_inverse=True)
        own = jax.device_put(own.astype(np.int32), program.per_trial)
        tally, scores = program.place_sums(len(own))
        for number, chunk in enumerate(self._training_chunks(program, seeds, epoch)):
            earlier, first = tally, program.place_number(number * program.size)
            state, tally = program.train_chunk(state, tally, hyper, own, chunk, first, phase)
            # Without waiting here, chunks would pile up on a device that computes more slowly than
            # they come.
            jax.block_until_ready(earlier)
        for batches in self._evaluation_chunks(program, "validation"):
            before, scores = scores, program.validate_chunk(state, scores, hyper, batches, phase)
            jax.block_until_ready(before)
        count = program.place_number(len(self._splits["validation"][1]))
        return program.finish_epoch(state, tally, scores, hyper, count, phase)

    def evaluate(self, program: WaveProgram, variables: Any, hyper: Mapping[str, jax.Array], split: str) -> Evaluation:
        """Does what `ResidentData.evaluate` does, with a streamed program."""
        assert isinstance(program, StreamedProgram)
        _, scores = program.place_sums(len(hyper["train.seed"]))
        count, parts = len(self._splits[split][1]), []
        for batches in self._evaluation_chunks(program, split):
            scores, logits = program.evaluate_chunk(split, variables, scores, hyper, batches)
            parts.append(_unbatched(jax.device_get(logits)))
        loss, accuracy = jax.device_get(program.mean_scores(scores, program.place_number(count)))
        return Evaluation(loss, exact_share(accuracy, count), np.concatenate(parts, axis=1)[:, :count])

    def _training_chunks(self, program: StreamedProgram, seeds: np.ndarray, epoch: int) -> Iterator[Any]:
        """Yields {'images': uint8 (streams, size, batch, h, w, c), 'labels'}, on the devices."""
        if len(seeds) > program.streams:
            raise ValueError(f"{len(seeds)} seeds in a wave, and a program for {program.streams}")
        images, labels = self._splits["train"]
        pieces = -(-program.steps // program.size)
        # What no seed or no step needs is filled with the first image; nobody looks at it.
        rows = np.zeros((program.streams, pieces * program.size, program.recipe.batch_size), np.int32)
        for place, seed in enumerate(seeds):
            rows[place, : program.steps] = jax.device_get(program.order(*jax.device_put((seed, np.int32(epoch)))))

        def read(number: int) -> dict[str, np.ndarray]:
            chosen = rows[:, number * program.size : (number + 1) * program.size]
            return {"images": images[chosen], "labels": labels[chosen]}

        return stream.prefetched(pieces, read, program.shared)

    def _evaluation_chunks(self, program: StreamedProgram, split: str) -> Iterator[Any]:
        """Yields batches as for `evaluation.add_scores`, several at a time, on the devices."""
        images, labels = self._splits[split]
        grid = evaluation_grid(len(labels), images.shape[1:], program.evaluation_batch)
        at_once = grid[0] * grid[1]

        def read(number: int) -> dict[str, np.ndarray]:
            some = slice(number * at_once, (number + 1) * at_once)
            return padded_batches(images[some], labels[some], grid)

        return stream.prefetched(-(-len(labels) // at_once), read, program.shared)


Data = ResidentData | StreamedData


def _unbatched(logits: np.ndarray) -> np.ndarray:
    """Returns (trial, batches, b, K) as (trial, batches * b, K)."""
    return logits.reshape(len(logits), -1, logits.shape[-1])


def place(program: WaveProgram, dataset: Dataset, frozen: Frozen | None = None) -> Data:
    """Returns a data set in the form that a program takes.

    A network that holds layers apart, or is cut, needs `frozen`.
    """
    return StreamedData(dataset) if isinstance(program, StreamedProgram) else ResidentData(program, dataset, frozen)


def _inputs(program: WaveProgram, dataset: Dataset, frozen: Frozen | None) -> dict[str, np.ndarray]:
    """Returns what the program's network takes of each split.

    These are images, or the outputs of the layers before the network, computed here once.
    """
    network, recipe = program.network, program.recipe
    images = {name: split.images for name, split in dataset.splits().items()}
    if network.takes_images:
        return images
    assert frozen is not None, "a cut network needs the layers before the cut"
    before = network.whole.before(network.cut)
    params, stats = (
        {name: frozen.arrays[kind][name] for name in own}
        for kind, own in zip(("params", "stats"), before.shapes, strict=True)
    )

    @functools.partial(jax.jit, compiler_options=hardware.compiler_options(program.devices[0].platform))
    def outputs(params: Any, stats: Any, batch: jax.Array) -> jax.Array:
        with jax.default_matmul_precision(PRECISIONS[recipe.precision]):
            found = before.apply(params, stats, normalize(batch, frozen.scale, frozen.offset).astype(recipe.dtype))[0]
        return found.astype(recipe.dtype)

    placed = jax.device_put((params, stats), program.devices[0])

    def computed(split: np.ndarray) -> np.ndarray:
        found = np.empty((len(split), *network.input_shape), program.input_dtype)
        for start in range(0, len(split), FEATURE_BATCH):
            batch = np.zeros((min(FEATURE_BATCH, len(split)), *split.shape[1:]), np.uint8)
            some = split[start : start + FEATURE_BATCH]
            batch[: len(some)] = some
            found[start : start + len(some)] = np.asarray(outputs(*placed, batch))[: len(some)]
        return found

    return {name: computed(split) for name, split in images.items()}
