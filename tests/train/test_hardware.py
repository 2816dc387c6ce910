"""What XLA is told, and the memory of devices that say it and of those that do not."""

from types import SimpleNamespace

import jax
import pytest

from fer_jax.base import machine
from fer_jax.train import hardware


@pytest.fixture
def device(monkeypatch):
    """device(platform, statistics): the only device that there is, for a test."""

    def device(platform, statistics):
        one = SimpleNamespace(platform=platform, device_kind="some", memory_stats=lambda: statistics)
        monkeypatch.setattr(jax, "devices", lambda: [one])
        monkeypatch.setattr(jax, "device_count", lambda: 1)

    monkeypatch.setattr(machine, "total_memory", lambda: 1000)
    monkeypatch.setattr(machine, "available_memory", lambda: 600)
    return device


@pytest.mark.parametrize(
    ("platform", "statistics", "memory", "free"),
    [
        ("cpu", None, 1000, 600),
        ("gpu", {"bytes_limit": 500, "bytes_in_use": 200}, 500, 300),
        ("gpu", None, hardware.UNSAID_MEMORY, hardware.UNSAID_MEMORY),
        ("gpu", {"bytes_in_use": 200}, hardware.UNSAID_MEMORY, hardware.UNSAID_MEMORY),
        ("tpu", {}, hardware.UNSAID_MEMORY, hardware.UNSAID_MEMORY),
    ],
)
def test_the_hosts_memory_is_never_taken_for_an_accelerators(device, platform, statistics, memory, free):
    device(platform, statistics)
    assert hardware.detect(measure_rate=False).memory == memory and hardware.available_memory() == free


@pytest.mark.parametrize("platform", ["gpu", "cuda"])
def test_what_runs_once_on_a_gpu_is_not_tuned_and_the_training_step_is(platform):
    """This jaxlib has no GPU and knows its options."""
    assert hardware.compiler_options(platform, once=True) == {"xla_gpu_autotune_level": 0}
    assert hardware.compiler_options(platform) == {} == hardware.compiler_options("tpu", once=True)


def test_an_option_that_jaxlib_does_not_know_is_left_out(monkeypatch):
    monkeypatch.setattr(hardware, "_is_known", lambda name, value: False)
    hardware.compiler_options.cache_clear()
    assert hardware.compiler_options("gpu", once=True) == {}
    hardware.compiler_options.cache_clear()
