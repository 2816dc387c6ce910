"""How often programs are compiled."""

import jax
import pytest


@pytest.fixture
def compilations():
    """The programs that are compiled from here on, an entry each."""
    found = []

    def listen(event, seconds, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    jax.jit(lambda x: x + 1)(0)
    assert found  # or nothing would be seen
    found.clear()
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)
