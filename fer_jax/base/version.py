"""The version, for `fer_jax.__version__`, `--version` and the package's metadata."""

__version__ = "0.1.0"
