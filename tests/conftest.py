"""Every test runs on four fake CPU devices, so that sharding over trials is exercised without an
accelerator, and with a cache of its own, so that neither data nor compiled programs of the user's
enter; compiled programs are shared by all workers and the programs they start, since many tests
train the same network.

Programs are compiled without LLVM's optimisation, which takes about as long as all the rest of a
test and changes speed only; `XLA_FLAGS= pytest` tests what users get.
"""

import os
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
_cache = tempfile.TemporaryDirectory(prefix="fer_jax_tests_")
os.environ["FER_JAX_CACHE"] = _cache.name
if "PYTEST_XDIST_WORKER" not in os.environ:
    # Workers find what the process that starts them has set.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{_cache.name}/programs"
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"

import jax  # noqa: E402  (the platform has to be chosen before jax is imported)

jax.config.update("jax_num_cpu_devices", 4)

# Fixtures of more rooms than one; the modules lie in tests/shared.
pytest_plugins = ("benchmark_scripts", "compilations", "four_networks", "made_runs", "small_studies", "trained_run")
