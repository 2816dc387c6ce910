"""The program's own trainer, lowered and compiled for a GPU on a machine that has none.

XLA compiles for a chip that is only described (`gpu_h200.txtpb`), if jax's CUDA plugin is there; no
driver and no CUDA library is asked for. jax must not find the plugin where it looks for devices, so
it lies in a folder of its own, which only processes that compile for a GPU have in PYTHONPATH:

    pip install --no-deps --target=FOLDER jax-cuda12-plugin==VERSION jax-cuda12-pjrt==VERSION

with the VERSION of the installed jax (the extra gpu-check names it).
"""

import dataclasses
import functools
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Autotuning needs the device. Set before XLA is loaded.
os.environ["XLA_FLAGS"] = f"--xla_gpu_autotune_level=0 {os.environ.get('XLA_FLAGS', '')}"

import jax
from jax.experimental import topologies

from fer_jax.config.values import default_config, flatten
from fer_jax.models import inference
from fer_jax.plan.plan import DataSizes
from fer_jax.plan.work import Work, optional_fields, work_of
from fer_jax.train.engine import WaveProgram
from fer_jax.train.streamed import StreamedProgram

CHIP = Path(__file__).with_name("gpu_h200.txtpb")
# FER-2013's training split, and validation on Kaggle's test folder.
TRAIN, VALIDATION = 28_709, 7_178


@functools.cache
def device() -> Any:
    """Returns the described device, and lets the program believe that its backend is a GPU.

    Raises:
        SystemExit: jax finds no CUDA plugin, or one of another version.
    """
    for name in ("jax-cuda12-plugin", "jax-cuda12-pjrt"):
        try:
            found = version(name)
        except PackageNotFoundError:
            raise SystemExit(f"no {name} in PYTHONPATH; {CHIP.parent.name}/gpu_target.py says how") from None
        if found != jax.__version__:
            raise SystemExit(f"{name} is {found}, jax {jax.__version__}: install the plugin of jax' version")
    jax.config.update("jax_platforms", "cpu")
    lines = CHIP.read_text().splitlines()
    described = "\n".join(line for line in lines if not line.startswith("#"))
    try:
        topology = topologies.get_topology_desc(platform="cuda", target_config=described, topology="1x1x1")
    except RuntimeError as error:  # jax's own errors and NotImplementedError are some
        said = str(error).splitlines()[0]
        raise SystemExit(f"no CUDA plugin in PYTHONPATH ({said}); {CHIP.parent.name}/gpu_target.py says how") from None
    jax.default_backend = lambda: "gpu"
    return topology.devices[0]


@dataclasses.dataclass(frozen=True)
class Case:
    """A stack's programs, known by what they are compiled for.

    Attributes:
        network: the word of model.name.
        engine, width: how trials are computed, and how many.
        batch: images a step.
        precision: of train.precision.
        settings: further fields, (name, value).
        program: the word `WaveProgram.lower` knows it by, or 'predict'.
        train, validation: images of the splits.
        size, channels: of an image.
    """

    network: str = "cnn"
    engine: str = "vmap"
    width: int = 64
    batch: int = 32
    precision: str = "float32"
    settings: tuple[tuple[str, Any], ...] = (("model.dropout", 0.4),)
    program: str = "epoch"
    train: int = TRAIN
    validation: int = VALIDATION
    size: int = 48
    channels: int = 1

    def __str__(self) -> str:
        shape = f"{self.network} {self.engine} {self.width} x {self.batch} {self.precision}"
        more = [f"{name.partition('.')[2]}={value}" for name, value in self.settings if name != "model.dropout"]
        return " ".join([shape, *more, *([] if self.program == "epoch" else [self.program])])

    @property
    def values(self) -> dict[str, Any]:
        """The fields of a trial."""
        own: Mapping[str, Any] = {
            "model.name": self.network,
            "train.batch_size": self.batch,
            "train.precision": self.precision,
            "data.image_size": self.size,
            "data.channels": self.channels,
            **dict(self.settings),
        }
        return flatten(default_config()) | own

    @property
    def sizes(self) -> DataSizes:
        """The sizes of the data."""
        return DataSizes((self.size, self.size, self.channels), 7, self.train, self.validation, 0)

    def work(self) -> Work:
        """Returns what the trials compute."""
        trials: Any = [SimpleNamespace(values=self.values)]
        return work_of(self.values, optional_fields(trials), self.sizes, self.width)

    def lower(self) -> jax.stages.Lowered:
        """Returns the program for the described GPU, not compiled yet."""
        if self.program == "predict":
            return _predict(self)
        work, chip = self.work(), device()
        program = WaveProgram(work.built(), work.recipe, self.engine, (chip,))
        values = program.value_shapes(self.width)
        if self.program == "init":
            return program.lower("init", values)
        if self.program == "next_phase":
            return program.lower("next_phase", program.state_shapes(values), values, phase=1)
        for one in (program, StreamedProgram(program, self.train, streams=1)):
            shapes = one.shapes(values, self.train, self.validation, 0)
            if self.program in shapes:
                return one.lower(self.program, *shapes[self.program])
        raise ValueError(f"no program {self.program}")


def _predict(case: Case) -> jax.stages.Lowered:
    key = inference.network_key(case.values, 7)
    forward, names = inference._network(*key)
    network = case.work().built()
    params, stats = jax.eval_shape(network.init, jax.random.key(0))
    pixels = {name: jax.ShapeDtypeStruct((), "float32") for name in ("scale", "offset")}
    images = jax.ShapeDtypeStruct((case.batch, case.size, case.size, case.channels), "float32")
    placed = jax.sharding.SingleDeviceSharding(device())
    variables, images = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placed),
        ({"params": params, "stats": stats, "pixels": pixels}, images),
    )
    return forward.lower(variables, images, names[-1:])
