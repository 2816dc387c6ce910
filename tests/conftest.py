"""Every test runs on four fake CPU devices, so that sharding over trials is exercised without an accelerator, and with a
cache of its own, so that neither data nor compiled programs of the user's enter. Reports draw no saliency unless a test asks for it,
since it compiles gradients for every network.

Programs are compiled without LLVM's optimisation, which takes about as long as all the rest of a test and changes speed only;
`XLA_FLAGS= pytest` tests what users get.
"""

import os
import tempfile

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
_cache = tempfile.TemporaryDirectory(prefix="fer_jax_tests_")
os.environ["FER_JAX_CACHE"] = _cache.name

import jax  # noqa: E402  (the platform has to be chosen before jax is imported)

jax.config.update("jax_num_cpu_devices", 4)

from fer_jax import report_pictures  # noqa: E402

report_pictures.METHODS = ()
