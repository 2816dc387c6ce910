"""What was found out about this hardware: speeds, memory, and what did not fit.

It is kept in the user's cache:

    <cache root>/tuned/<hash>.json      {"question": ..., "answer": ...}, one file a question

A question holds all that its answer depends on: versions, hardware, network, recipe. Other versions
ask another question; answers to old ones stay behind, a few hundred bytes each. Deleting the folder
forgets everything. A file that cannot be read or written is as good as none: what it would have
said is measured again. What is timed while other programs work is not kept.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from fer_jax.base import cache, files, machine
from fer_jax.errors import RunError
from fer_jax.train.hardware import Hardware

FORMAT = 3  # of the files and of how is measured; another number, other questions
VERSIONED = ("fer_jax", "jax", "jaxlib")
# What else decides how fast a GPU's programs are: who compiles them, and whose kernels they call.
ACCELERATOR_PACKAGES = (
    *("jax-cuda12-plugin", "jax-cuda12-pjrt", "jax-cuda13-plugin", "jax-cuda13-pjrt"),
    *("nvidia-cudnn-cu12", "nvidia-cudnn-cu13"),
)
DRIVER = Path("/proc/driver/nvidia/version")


class Measurements:
    """Questions and answers of one version on one hardware.

    Args:
        folder: of the files; need not exist.
        circumstances: joined to every question, see `circumstances`.
    """

    def __init__(self, folder: Path, circumstances: Mapping[str, Any]):
        self._folder, self._circumstances = folder, dict(circumstances)

    @classmethod
    def here(cls, hardware: Hardware) -> "Measurements":
        """Returns those in the user's cache for this hardware and the installed versions."""
        # Without a cache nothing can be read from there or kept.
        return cls(cache.optional("tuned") or Path(os.devnull), circumstances(hardware))

    def get(self, question: Mapping[str, Any]) -> Any:
        """Returns the answer to a question, None where there is none that can be read."""
        whole, path = self._whole(question)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return found["answer"] if found["question"] == whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, question: Mapping[str, Any], answer: Any) -> None:
        """Keeps an answer, if the disk lets it."""
        whole, path = self._whole(question)
        text = json.dumps({"question": whole, "answer": answer}, indent=1)
        with contextlib.suppress(RunError):
            files.write_bytes(path, text.encode("utf-8"))

    def _whole(self, question: Mapping[str, Any]) -> tuple[Any, Path]:
        text = json.dumps({**self._circumstances, **question}, sort_keys=True)
        return json.loads(text), self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def circumstances(hardware: Hardware) -> dict[str, Any]:
    """Returns versions, hardware, and what the user tells XLA."""
    found = {
        "format": FORMAT,
        "versions": {name: _version(name) for name in VERSIONED},
        "backend": hardware.backend,
        "kind": hardware.kind,
        "devices": hardware.devices,
        # JAX calls every processor 'cpu', and a home directory may serve several machines.
        "processor": [platform.machine(), machine.processor(), os.cpu_count()],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }
    # A CPU's questions stay as they were: nothing of this is about it.
    return found if hardware.backend == "cpu" else found | {"accelerator": _accelerator()}


def _accelerator() -> dict[str, Any]:
    try:
        driver = DRIVER.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        driver = ""
    return {
        "driver": driver,
        "platform_version": str(getattr(jax.devices()[0].client, "platform_version", "")),
        "packages": {name: _version(name) for name in ACCELERATOR_PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
