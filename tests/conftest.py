"""Every test runs on four fake CPU devices, so that sharding over trials is exercised without an accelerator."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("KERAS_BACKEND", "jax")

import jax  # noqa: E402  (the platform has to be chosen before jax is imported)

jax.config.update("jax_num_cpu_devices", 4)
