"""What the machine is and what else it does: memory, processor, and the work of other programs."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

# Of the processors' time: what others may take before a measurement counts as disturbed. The
# system's own work stays below.
QUIET = 0.1

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# Columns of /proc/stat in which a processor computes nothing: idle, and idle while a disk works.
_IDLE = (3, 4)
# Guests' time is in user's and nice's too.
_COLUMNS = 8


def total_memory() -> int:
    """Returns the bytes of memory that programs here may have, the same at every call.

    It is the machine's memory, or the limit of the container.
    """
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # 'max' where there is no limit
            total = min(total, int(Path(path).read_text(encoding="ascii")))
    return total


def available_memory() -> int:
    """Returns the bytes that a program could have now without another one losing any."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return min(total_memory(), 1024 * int(line.split()[1]))
    name = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return min(total_memory(), os.sysconf(name) * os.sysconf("SC_PAGE_SIZE"))


def processor() -> str:
    """Returns the processor's name, such as 'Intel(R) Xeon(R) Processor'."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def processor_flags() -> frozenset[str]:
    """Returns what the processor says it can do, such as 'avx2'; none where it cannot be asked."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


class Watch:
    """The time of the processors that other programs take, from its making on."""

    def __init__(self) -> None:
        self._before = _times()

    def others(self) -> float | None:
        """Returns the share, 0 to 1, of all this process may use; None where nothing tells it."""
        now = _times()
        if now is None or self._before is None:
            return None
        busy, whole, own = (after - before for after, before in zip(now, self._before, strict=True))
        return min(1.0, max(0.0, (busy - own) / whole)) if whole > 0 else None


def _times() -> tuple[float, float, float] | None:
    """Returns seconds in which the processors worked, in all, and worked for this process."""
    rows = []
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    for line in _lines("/proc/stat"):
        name, *columns = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and (allowed is None or int(name[3:]) in allowed):
            rows.append([int(number) for number in columns[:_COLUMNS]])
    if not rows:
        return None
    tick = os.sysconf("SC_CLK_TCK")
    whole = sum(map(sum, rows)) / tick
    idle = sum(row[column] for row in rows for column in _IDLE) / tick
    own = os.times()
    return whole - idle, whole, own.user + own.system


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
