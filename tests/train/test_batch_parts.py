"""Sums over devices: of small arrays joined, of large ones apart, of counts, and counted once."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from fer_jax.train import batch_parts


@pytest.mark.parametrize("small", [2**18, 5, 1])
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_sums_over_devices_are_those_of_numpy(devices, small, monkeypatch):
    monkeypatch.setattr(batch_parts, "SMALL", small)
    rng = np.random.default_rng(0)
    images, kernel = rng.normal(size=(8, 3)).astype(np.float32), rng.normal(size=(2, 2, 2)).astype(np.float32)
    labels, once = rng.integers(0, 9, 8).astype(np.int32), np.float32(1.5)

    def local(images, labels, kernel, once):
        own = batch_parts.own({"images": images, "labels": labels}, devices)
        sums = {
            "images": own["images"].sum(0),
            "labels": own["labels"].sum(),
            "kernel": kernel,
            "once": batch_parts.once(once, devices),
        }
        return batch_parts.summed(sums, devices), batch_parts.gathered(own["images"] * 2, devices, 0)

    mesh = Mesh(np.asarray(jax.devices()[:devices]), (batch_parts.AXIS,))
    mapped = jax.shard_map(local, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False)
    sums, doubled = jax.jit(mapped)(images, labels, kernel, once)
    np.testing.assert_allclose(sums["images"], images.sum(0), rtol=1e-6)
    assert int(sums["labels"]) == labels.sum() and sums["labels"].dtype == np.int32
    np.testing.assert_allclose(sums["kernel"], devices * kernel, rtol=1e-6)
    assert float(sums["once"]) == 1.5
    np.testing.assert_array_equal(doubled, 2 * images)
