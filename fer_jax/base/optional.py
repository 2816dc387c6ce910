"""Optional packages, imported where they are needed."""

import importlib
from typing import Any

from fer_jax.errors import FerJaxError


def need(module: str, extra: str) -> Any:
    """Imports and returns a module of an optional package.

    Args:
        module: its import name, such as 'safetensors.numpy'.
        extra: the extra of this package that installs it.

    Raises:
        FerJaxError: it cannot be imported; the message says why, and how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == package
        why = "is not installed" if missing else f"cannot be imported ({error})"
        raise FerJaxError(f"the package {package} {why}: pip install 'fer_jax[{extra}]'") from None
