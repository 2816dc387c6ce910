"""How many trials a device has room for, as an out-of-memory has shown.

It is remembered on disk, see `measurements`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fer_jax.plan.measurements import Measurements
from fer_jax.plan.plan import DataSizes, Stack
from fer_jax.plan.work import Work, work_of
from fer_jax.train.hardware import Hardware, detect

# A device's limit varies a little from start to start. What did not fit into one may fit into a
# larger one, or into what the user allows now.
MUCH_MORE_MEMORY = 1.25


def remember_limit(
    stack: Stack,
    values: Mapping[str, Any],
    data: DataSizes,
    width: int,
    hardware: Hardware | None = None,
    measurements: Measurements | None = None,
) -> None:
    """Keeps on disk that this hardware has room for no more of a stack's trials at once.

    Later plans obey until there is much more memory. `stack.width` overrules it; deleting the
    folder `tuned` of the cache forgets it.

    Args:
        stack: that ran out of memory.
        values: the fields of any of its trials.
        data: sizes of the data its trials use.
        width: slots of the widest wave that fits, on all devices together.
        hardware: as the wave found it; by default as it is now.
        measurements: where it is kept; by default the user's cache.
    """
    hardware = hardware or detect(measure_rate=False)
    measurements = measurements or Measurements.here(hardware)
    work = work_of(values, stack.optional, data, len(stack.trials))
    work = dataclasses.replace(work, shares=stack.frozen == "shared", cut=stack.cut)
    how = stack.engine, stack.micro_batch, stack.data
    before, now = known_limit(measurements, hardware, work, *how), max(1, width // stack.devices)
    measurements.put(_question(work, *how), {"trials": min(before or now, now), "free_bytes": hardware.memory})


def known_limit(
    measurements: Measurements, hardware: Hardware, work: Work, engine: str, micro_batch: int, data: str
) -> int | None:
    """Returns the most trials that a device has room for, as `remember_limit` keeps it.

    Args:
        measurements: where it is kept.
        hardware: as it is now.
        work: of the stack.
        engine, micro_batch: how the stack is run.
        data: 'resident' or 'stream'.

    Returns:
        None where nothing is known, or where it was found with much less memory than now.
    """
    answer = measurements.get(_question(work, engine, micro_batch, data))
    if answer is None or hardware.memory > MUCH_MORE_MEMORY * answer["free_bytes"]:
        return None
    return answer["trials"]


def _question(work: Work, engine: str, micro_batch: int, data: str) -> dict[str, Any]:
    return {"subject": "limit", **work.sized_key(), "engine": engine, "micro_batch": micro_batch, "data": data}
