"""Augmentation against SciPy and NumPy: amounts in range, strength 0 bitwise, its own draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from fer_jax.config.fields import FIELDS
from fer_jax.data import faces
from fer_jax.train.augment import augment, inverse_map, mixup, resample

STRENGTHS = {
    "augment.flip": 0.5,
    "augment.shift": 0.1,
    "augment.rotate": 20.0,
    "augment.zoom": 0.2,
    "augment.shear": 15.0,
    "augment.brightness": 0.2,
    "augment.contrast": 0.4,
    "augment.noise": 0.05,
    "augment.erase": 0.5,
}
OFF = dict.fromkeys(STRENGTHS, 0.0)
KEY = jax.random.key(7)
FACES = faces.draw("train", 16, size=24)[0]
COLOUR = faces.draw("train", 4, size=16, channels=3)[0]


compiled = jax.jit(augment, static_argnames="used")
blend = jax.jit(mixup)


def run(images, strengths, key=KEY):
    """One trial, compiled, the strengths traced; only the fields that are given are used."""
    hyper = {name: jnp.float32(value) for name, value in strengths.items()}
    return np.asarray(compiled(images, hyper, key, used=frozenset(strengths)))


def ramps(count, size):
    """Returns images whose channels are their own row and column numbers.

    A resampled pixel tells where it came from.
    """
    y, x = np.mgrid[:size, :size].astype(np.float32)
    return np.broadcast_to(np.stack([y, x], -1), (count, size, size, 2))


def uniform(values, low, high):
    """Whether the values stay within the range, reach it and are spread evenly."""
    assert low - 1e-3 * (high - low) <= values.min() and values.max() <= high + 1e-3 * (high - low)
    assert scipy.stats.kstest(values, scipy.stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_every_field_of_the_config_has_an_effect_or_is_mixup():
    assert {name for name in FIELDS if name.startswith("augment.")} == {*STRENGTHS, "augment.mixup"}


@pytest.mark.parametrize("shape", [(20, 20, 1), (12, 17, 3)])
def test_a_resample_is_that_of_scipy(shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, *shape)).astype(np.float32)
    degrees, scale, lean = rng.uniform(-180, 180, 5), rng.uniform(0.5, 2, 5), rng.uniform(-60, 60, 5)
    shift = rng.uniform(-6, 6, (2, 5))
    ours = resample(images, inverse_map(degrees, scale, lean), tuple(shift))
    centre = (np.array(shape[:2]) - 1) / 2
    for i in range(5):
        a, k = np.deg2rad(degrees[i]), np.tan(np.deg2rad(lean[i]))
        # y points down, so this turns counterclockwise as seen.
        rotation = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        matrix = np.linalg.inv(rotation @ np.array([[1, 0], [k, 1]]) * scale[i])
        offset = centre - matrix @ (centre + shift[:, i])
        for c in range(shape[2]):
            theirs = scipy.ndimage.affine_transform(images[i, ..., c], matrix, offset, order=1, mode="nearest")
            np.testing.assert_allclose(ours[i, ..., c], theirs, atol=0.01)


def test_directions():
    spot = np.zeros((1, 9, 9, 1), np.float32)
    spot[0, 4, 7] = 1  # right of the centre
    below = np.zeros_like(spot)
    below[0, 7, 4] = 1
    still = inverse_map(np.zeros(1), np.ones(1), np.zeros(1))
    assert resample(spot, still, (-2, 1))[0, 2, 8] == 1
    np.testing.assert_allclose(resample(spot, inverse_map(np.full(1, 90.0), 1, 0.0), (0, 0))[0, 1, 4], 1, atol=1e-5)
    np.testing.assert_allclose(resample(below, inverse_map(np.zeros(1), 1, 45.0), (0, 0))[0, 7, 7], 1, atol=1e-5)
    wide = resample(ramps(1, 9), inverse_map(np.zeros(1), np.full(1, 2.0), 0.0), (0, 0))
    np.testing.assert_allclose(wide[0, 0, 0], [2, 2], atol=1e-5)


def test_amounts_of_geometric_fields_are_uniform_in_their_range():
    size, middle = 33, 16
    images = ramps(2000, size)

    def around_the_centre(**strengths):
        out = run(images, {f"augment.{name}": value for name, value in strengths.items()})
        return out[:, middle, middle] - middle, out[:, middle, middle + 1] - out[:, middle, middle]

    moved, _ = around_the_centre(shift=0.1)
    uniform(-moved[:, 0], -0.1 * size, 0.1 * size)
    uniform(-moved[:, 1], -0.1 * size, 0.1 * size)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.08
    _, step = around_the_centre(rotate=30.0)
    uniform(np.rad2deg(np.arctan2(step[:, 0], step[:, 1])), -30, 30)
    _, step = around_the_centre(zoom=0.2)
    uniform(1 / step[:, 1], 0.8, 1.2)
    sheared = run(images, {"augment.shear": 25.0})
    uniform(np.rad2deg(np.arctan(sheared[:, middle, middle, 1] - sheared[:, middle + 1, middle, 1])), -25, 25)


def test_flip_is_an_exact_mirror_of_its_share_of_images():
    images = np.repeat(FACES, 50, axis=0)
    out = run(images, {"augment.flip": 0.3})
    mirrored = (out == images[:, :, ::-1]).all((1, 2, 3))
    assert (mirrored | (out == images).all((1, 2, 3))).all()
    assert abs(mirrored.mean() - 0.3) < 5 * np.sqrt(0.21 / len(images))
    np.testing.assert_array_equal(run(FACES, {**OFF, "augment.flip": 1.0}), FACES[:, :, ::-1])
    moves = {"augment.shift": 0.1, "augment.rotate": 20.0}
    flipped = run(FACES, {**moves, "augment.flip": 1.0})
    np.testing.assert_allclose(flipped, run(FACES, moves)[:, :, ::-1], atol=0.01)


@pytest.mark.parametrize("name", STRENGTHS)
def test_strength_zero_alone_is_bitwise_the_image(name):
    for images in (FACES, COLOUR, FACES / np.float32(1.7)):
        np.testing.assert_array_equal(run(images, {name: 0.0}), images)
    assert not np.array_equal(run(FACES, {name: STRENGTHS[name]}), FACES)


def test_strength_zero_beside_trials_of_other_strengths_is_bitwise_the_image():
    rows = [OFF, *({**OFF, name: value} for name, value in STRENGTHS.items()), STRENGTHS]
    hyper = {name: jnp.array([row[name] for row in rows], jnp.float32) for name in STRENGTHS}
    keys = jnp.broadcast_to(KEY, len(rows))
    images = FACES / np.float32(1.7)

    def trial(hyper, key):
        return augment(images, hyper, key, STRENGTHS.keys())

    mapped = np.asarray(jax.jit(lambda h, k: jax.lax.map(lambda a: trial(*a), (h, k)))(hyper, keys))
    for out in (np.asarray(jax.jit(jax.vmap(trial))(hyper, keys)), mapped):
        np.testing.assert_array_equal(out[0], images)
        flip_only = out[1 + list(STRENGTHS).index("augment.flip")]
        np.testing.assert_array_equal(flip_only, run(images, {"augment.flip": 0.5}))
        for row, one in zip(rows, out, strict=True):
            np.testing.assert_allclose(one, run(images, row), atol=0.01)


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_field_draws_the_same_whatever_else_is_compiled_in(name):
    alone = run(FACES, {name: STRENGTHS[name]})
    np.testing.assert_allclose(run(FACES, {**OFF, name: STRENGTHS[name]}), alone, atol=0.01)
    assert not np.array_equal(run(FACES, {name: STRENGTHS[name]}, key=jax.random.key(8)), alone)


def test_an_image_draws_by_its_row_and_each_its_own():
    same = np.repeat(FACES[:1], 8, axis=0)
    out = run(same, STRENGTHS)
    np.testing.assert_allclose(run(same[:3], STRENGTHS), out[:3], atol=0.01)
    assert all(not np.array_equal(out[0], other) for other in out[1:])


def test_unused_fields_are_not_in_the_program():
    def program(*used):
        return str(jax.make_jaxpr(lambda images, key: augment(images, STRENGTHS, key, used))(FACES, KEY))

    assert "gather" in program("augment.zoom") and "gather" not in program("augment.flip", "augment.noise")
    assert "erf_inv" in program("augment.noise") and "erf_inv" not in program("augment.brightness")
    assert "mul" not in program("augment.mixup")


def test_brightness_and_contrast_are_numpys():
    # Neither too dark nor too bright to be cut off.
    images = np.random.default_rng(0).integers(90, 160, (2000, 6, 6, 1)).astype(np.uint8)
    mean = images.mean((1, 2, 3), keepdims=True)
    added = run(images, {"augment.brightness": 0.2}) - images
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1], added.shape), atol=1e-3)
    uniform(added[:, 0, 0, 0], -51, 51)
    out = run(images, {"augment.contrast": 0.4})
    factor = ((out - mean) * (images - mean)).sum((1, 2, 3)) / ((images - mean) ** 2).sum((1, 2, 3))
    uniform(factor, 0.6, 1.4)
    np.testing.assert_allclose(out, mean + factor.reshape(-1, 1, 1, 1) * (images - mean), atol=1e-2)


def test_photometric_changes_are_cut_off_at_black_and_white():
    out = run(FACES, {"augment.brightness": 1.0, "augment.noise": 0.3})
    assert out.min() == 0 and out.max() == 255
    both = {"augment.brightness": 1.0, "augment.contrast": 1.0}
    added, scaled = (run(np.full_like(FACES, 128), {name: 1.0}) for name in both)
    np.testing.assert_array_equal(scaled, 128)
    np.testing.assert_allclose(run(np.full_like(FACES, 128), both), added, atol=0.01)


def test_noise_is_normal_and_the_same_in_every_channel():
    grey = np.full((20, 32, 32, 3), 128, np.uint8)
    noise = run(grey, {"augment.noise": 0.1}) - 128
    np.testing.assert_array_equal(noise[..., 0], noise[..., 2])
    values = noise[..., 0].ravel()
    assert scipy.stats.kstest(values, scipy.stats.norm(0, 25.5).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(noise[0, ..., 0].ravel(), noise[1, ..., 0].ravel())[0, 1]) < 5 / 32


@pytest.mark.parametrize("size", [8, 48])
def test_erase_fills_a_rectangle_of_the_stated_area_and_aspect_with_the_mean(size):
    images = np.zeros((1000, size, size, 1), np.uint8)
    images[:, :, : size // 2] = 255
    out = run(images, {"augment.erase": 0.7})[..., 0]
    erased = out == 127.5
    np.testing.assert_array_equal(out[~erased], images[..., 0][~erased])
    hit = erased.any((1, 2))
    assert abs(hit.mean() - 0.7) < 5 * np.sqrt(0.21 / 1000)
    rows, columns = erased.any(2).sum(1)[hit], erased.any(1).sum(1)[hit]
    np.testing.assert_array_equal(erased.sum((1, 2))[hit], rows * columns)
    # Sides are whole pixels, so half a pixel either way.
    assert ((rows + 0.5) * (columns + 0.5) >= 0.02 * size**2).all()
    assert ((rows - 0.5) * (columns - 0.5) <= 0.33 * size**2).all()
    assert ((rows + 0.5) / (columns - 0.5) >= 0.3).all() and ((rows - 0.5) / (columns + 0.5) <= 1 / 0.3).all()
    assert abs(np.log(rows / columns).mean()) < 0.1
    first, last = erased.any(2)[hit].argmax(1), size - 1 - erased.any(2)[hit][:, ::-1].argmax(1)
    assert first.min() == 0 and last.max() == size - 1


def test_erase_uses_the_mean_of_each_channel():
    out = run(COLOUR, {"augment.erase": 1.0})
    for image, new in zip(COLOUR, out, strict=True):
        changed = new[(new != image).any(-1)]
        np.testing.assert_allclose(changed, np.broadcast_to(image.mean((0, 1)), changed.shape), rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_a_beta_distribution(alpha):
    images = np.zeros((4000, 1, 1, 1), np.uint8)
    share = np.asarray(blend(images, jnp.zeros(4000), {"augment.mixup": alpha}, KEY)[3], np.float64)
    assert share.min() >= 0 and share.max() <= 1
    # Near 1 a float32 cannot tell shares apart, which a test of ranks would see for small alpha.
    inner = share[(share > 1e-5) & (share < 1 - 1e-5)]
    beta = scipy.stats.beta(alpha, alpha)
    low, high = beta.cdf([1e-5, 1 - 1e-5])
    assert scipy.stats.kstest(inner, lambda x: (beta.cdf(x) - low) / (high - low)).pvalue > 1e-3
    assert abs(share.mean() - 0.5) < 5 * beta.std() / np.sqrt(4000)
    assert abs(share.var() / beta.var() - 1) < 0.1


def test_mixup_blends_each_image_with_the_next():
    labels = np.arange(16)
    mixed, own, partner, share = blend(FACES, labels, {"augment.mixup": 0.8}, KEY)
    np.testing.assert_array_equal(own, labels)
    np.testing.assert_array_equal(partner, (labels + 1) % 16)
    weight = np.asarray(share).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(mixed, weight * FACES + (1 - weight) * FACES[np.asarray(partner)], rtol=1e-5, atol=1e-3)


def test_alpha_zero_beside_other_trials_is_bitwise_the_image():
    images, labels = FACES / np.float32(1.7), jnp.arange(16)
    alphas = jnp.array([0.0, 0.2, 1e-3, 1e6])
    trials = jax.jit(jax.vmap(lambda alpha: mixup(images, labels, {"augment.mixup": alpha}, KEY)))
    mixed, _, _, share = trials(alphas)
    np.testing.assert_array_equal(mixed[0], images)
    np.testing.assert_array_equal(share[0], 1)
    assert np.isfinite(share).all() and not np.array_equal(mixed[1], images)
    assert ((share[2] < 0.01) | (share[2] > 0.99)).all()
    np.testing.assert_allclose(share[3], 0.5, atol=0.01)
