"""What there is to compute on, and how fast its matrix product is."""

import dataclasses
import functools
import os
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.base import machine

MOST_HOST_DEVICES = 16
NEVER = 10**8  # seconds
# Bytes that are planned with on an accelerator that does not say how many it has. Those of the host
# say nothing of it; few accelerators have fewer than these, and none has a byte less than 8 GiB.
UNSAID_MEMORY = 8 * 2**30 - 1
# Floating-point operations a second of a float32 matrix product on a core with registers of 512,
# 256 and fewer bits: 137 to 155 billion on a Xeon with the first (docs/performance.md), and half
# as many for each halving.
CORE_RATES = {"avx512f": 140e9, "avx2": 70e9}
OTHER_CORE_RATE = 35e9


@dataclasses.dataclass(frozen=True)
class Hardware:
    """The devices of this process.

    Attributes:
        backend: 'cpu', 'gpu' or 'tpu'.
        kind: the vendor's name of a device, such as 'NVIDIA H100'.
        devices: number of devices; on a CPU, of host devices (one a core, see
            `prepare_host_devices`).
        memory: bytes of one device, the same at every start; on a CPU those of the machine, which
            the host devices share. `UNSAID_MEMORY` where an accelerator does not say.
        product_rate: floating-point operations a second of a float32 matrix product on all devices
            together; 0 if not known.
    """

    backend: str
    kind: str
    devices: int
    memory: int
    product_rate: float = 0.0


def prepare_host_devices() -> None:
    """Makes a CPU appear as one device a core, so that trials can be mapped over cores.

    It takes effect only before JAX has looked for devices; later it does nothing, and trials share
    the devices there are. A number the user has set (`jax_num_cpu_devices`) stands.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # JAX makes its settings attributes at run time, where a type checker does not see them.
    settings: Any = jax.config
    if settings.jax_num_cpu_devices < 0 and "xla_force_host_platform_device_count" not in os.environ.get(
        "XLA_FLAGS", ""
    ):
        try:
            jax.config.update("jax_num_cpu_devices", min(cores, MOST_HOST_DEVICES))
        except RuntimeError:
            return


def use_compilation_cache(folder: Path) -> None:
    """Keeps compiled programs on disk, so that the second start of a sweep compiles nothing.

    A cache that the user has set stands.
    """
    settings: Any = jax.config
    if settings.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@functools.cache
def compiler_options(platform: str, once: bool = False) -> dict[str, Any]:
    """Returns what XLA is told on 'cpu', 'gpu' or 'tpu'; nothing that this jaxlib does not know.

    Args:
        platform: of the devices; a GPU that is only described calls itself 'cuda'.
        once: whether the program runs once a wave, so that compiling it is what costs; otherwise it
            is the training step.
    """
    wanted: dict[str, Any] = {}
    if platform == "cpu" and once:
        # Unoptimised, silvestro's initial weights take 2.6 s to compile instead of 14: LLVM dwells
        # on the unrolled random bits.
        wanted = {"xla_backend_optimization_level": 0}
    elif platform == "cpu":
        # LLVM leaves half of a 512-bit register unused unless told; a processor without such
        # registers takes no notice. YNNPACK's convolutions and products are slower here than
        # Eigen's (weight gradients up to three times), its sums far faster than XLA's loops.
        wanted = {
            "xla_cpu_prefer_vector_width": 512,
            "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE",
        }
        # Devices wait for each other (`batch_parts`). XLA ends a process in which one has waited
        # for 40 seconds, as after a suspended laptop.
        wanted |= {
            "xla_cpu_collective_call_terminate_timeout_seconds": NEVER,
            "xla_cpu_collective_timeout_seconds": NEVER,
        }
    elif platform in ("gpu", "cuda") and once:
        # Timing the forms that each kernel could have pays for a step that runs a million times.
        # The memory analysis then lacks what some of the forms that win work in.
        wanted = {"xla_gpu_autotune_level": 0}
    return {name: value for name, value in wanted.items() if _is_known(name, value)}


def _is_known(option: str, value: Any) -> bool:
    """Returns whether this jaxlib compiles with the option."""
    try:
        jax.jit(lambda: jnp.zeros(()), compiler_options={option: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def detect(measure_rate: bool = True) -> Hardware:
    """Returns the hardware behind JAX's default backend.

    With `measure_rate` it times a matrix product on a CPU, see `product_rate`.
    """
    device = jax.devices()[0]
    rate = product_rate() if measure_rate and device.platform == "cpu" else 0.0
    # Host devices share the machine's memory, which no statistics say.
    unsaid = machine.total_memory() if device.platform == "cpu" else UNSAID_MEMORY
    memory = (device.memory_stats() or {}).get("bytes_limit") or unsaid
    return Hardware(device.platform, device.device_kind, jax.device_count(), memory, rate)


def available_memory() -> int:
    """Returns the bytes of one device that are free now; on a CPU, of the machine.

    It is `UNSAID_MEMORY` where an accelerator does not say.
    """
    device = jax.devices()[0]
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return machine.available_memory() if device.platform == "cpu" else UNSAID_MEMORY


def typical_rate(devices: int) -> float:
    """Returns a rate of so many processor cores' float32 matrix product that needs no measuring.

    It follows from how many numbers a core's instructions take at once.
    """
    flags = machine.processor_flags()
    return devices * next((rate for flag, rate in CORE_RATES.items() if flag in flags), OTHER_CORE_RATE)


def product_rate() -> float:
    """Returns the rate of a float32 matrix product on the default device, timed just now.

    It takes about a tenth of a second.
    """
    size = 1024
    product = jax.jit(lambda a: a @ a)
    matrix = jnp.full((size, size), 1 / size)
    product(matrix).block_until_ready()
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        product(matrix).block_until_ready()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best
