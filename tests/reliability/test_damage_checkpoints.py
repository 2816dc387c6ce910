"""A share of what damage_checkpoints.py tries: no reader believes a damaged checkpoint."""

import pytest

from fer_jax.config.values import put
from fer_jax.launch import loop
from tests.reliability import damage_checkpoints


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A tiny sweep, one run of it that ended and one that broke off."""
    config, folder = damage_checkpoints.smoke(), tmp_path_factory.mktemp("runs")
    put(config, "data.image_size", 16)
    put(config, "model.pairs", 1)
    put(config, "model.kernels", (4,))
    put(config, "model.dense", (8,))
    with damage_checkpoints.compiled_once():
        loop.run_sweep(config, folder / "whole")
        damage_checkpoints.interrupt(config, folder / "broken")
        yield config, folder / "whole", folder / "broken"


def test_final_weights_are_right_or_the_damage_is_told(runs, tmp_path):
    counts = damage_checkpoints.damage_finals(runs[1], tmp_path, tries=48, seed=1, asked=0)
    assert counts.wrong == [] and counts.said >= 12 and counts.held + counts.said == 48


@pytest.mark.parametrize("name", ["_CHECKPOINT_METADATA", "manifest.ocdbt"])
def test_every_reader_tells_damaged_metadata_in_a_line(runs, tmp_path, name):
    (final,) = runs[1].glob("checkpoints/*/final-*")
    content = (final / name).read_bytes()
    (final / name).write_bytes(b"")
    asked = damage_checkpoints.readers(runs[1], tmp_path)
    del asked["fer_jax.report"]  # seconds of figures come first; the script asks it
    try:
        words = {reader: damage_checkpoints.outcome(reader, read, None, final.name) for reader, read in asked.items()}
    finally:
        (final / name).write_bytes(content)
    assert words == dict.fromkeys(asked, "said")


def test_resumed_tables_equal_those_of_a_run_nobody_damaged(runs, tmp_path):
    counts = damage_checkpoints.damage_states(*runs, tmp_path, tries=3, seed=1)
    assert counts.wrong == [] and counts.held + counts.said == 3
