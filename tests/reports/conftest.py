"""What several tests of reports need."""

import pytest

from fer_jax.figures import distribution, drawings
from fer_jax.reports import pictures


@pytest.fixture
def words_only(monkeypatch):
    """Reports without the figures of sweeps and answers, for tests of what else a page says."""
    monkeypatch.setattr(drawings, "of_sweep", lambda ranking: [])
    monkeypatch.setattr(drawings, "of_best_point", lambda *predictions: [])
    monkeypatch.setattr(distribution, "draw", lambda data: None)
    monkeypatch.setattr(pictures, "samples", lambda *asked: None)
