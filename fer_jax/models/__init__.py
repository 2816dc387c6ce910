"""Networks of named layers: how they are built, computed, loaded with weights, asked about images.

What a network does with arrays belongs here; losses, optimisers and whatever else trains one belong
in `train`, and trials, plans and files of a run in the rooms of those names.

The names below are imported when they are first asked for: JAX and Flax take seconds to import,
which programs that only print must not wait for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_jax.models.chain import Chain
    from fer_jax.models.network import Network, normalize
    from fer_jax.models.registry import NETWORKS, build, register

__all__ = ["NETWORKS", "Chain", "Network", "build", "normalize", "register"]

_HOME = {
    "NETWORKS": "registry",
    "Chain": "chain",
    "Network": "network",
    "build": "registry",
    "normalize": "network",
    "register": "registry",
}

if not TYPE_CHECKING:

    def __getattr__(name):
        import importlib

        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
