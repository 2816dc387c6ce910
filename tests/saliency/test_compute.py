"""Every method against the same network written in NumPy in double precision: central differences,
explicit loops.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from fer_jax import models
from fer_jax.config.rules import resolve
from fer_jax.config.values import default_config, flatten
from fer_jax.models import inference
from fer_jax.saliency import compute, maps, settings

SIZE, CLASSES = 12, 3
SCALE, OFFSET = np.float32(1 / 64), np.float32(-1.5)
TARGETS = np.array([2, 0, 1])


def values(**changed):
    own = {
        "data.image_size": SIZE,
        "model.pairs": 2,
        "model.kernels": (3, 4),
        "model.batch_norm": True,
        "model.dense": (8,),
    }
    changed = {name.replace("__", "."): value for name, value in changed.items()}
    return resolve(flatten(default_config()) | own | changed)


def pictures(n, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, channels), np.uint8)


def make_variables(found, channels=1):
    """Random weights, and running statistics that differ from those of a batch."""
    network = models.build(found, (SIZE, SIZE, channels), CLASSES)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    rng = np.random.default_rng(4)
    params, stats = jax.tree.map(lambda leaf: rng.normal(0, 0.8, leaf.shape).astype(np.float32), shapes)
    stats = jax.tree.map(lambda leaf: np.abs(leaf) + np.float32(0.5), stats)
    return {"params": params, "stats": stats, "pixels": {"scale": SCALE, "offset": OFFSET}}


VARIABLES = make_variables(values())


@pytest.mark.parametrize("method", settings.METHODS)
def test_products_are_asked_for_in_float32(method, monkeypatch):
    """A GPU would round the factors of its products to 10 bits otherwise."""
    texts, make = [], compute._program

    def lowered(*key):
        program = make(*key)
        return lambda *arguments: texts.append(program.lower(*arguments).as_text()) or program(*arguments)

    monkeypatch.setattr(compute, "_program", lowered)
    explain(method, pictures(3))
    products = [line for line in texts[0].splitlines() if re.search(r"stablehlo\.(dot_general|convolution)", line)]
    assert products and all("precision" in line and "DEFAULT" not in line for line in products)


def explain(method, images, targets=TARGETS, variables=VARIABLES, found=None, channels=1, **given):
    """The arrays of all batches, and the settings they were made with."""
    found = found or values(data__channels=channels)
    key, shapes = inference.network_key(found, CLASSES), inference.layer_shapes(found, CLASSES)
    resolved = settings.resolve(method, given, key[1], shapes)
    batches = list(compute.batches(key, variables, images, np.asarray(targets), method, resolved))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}, resolved


def convolved(images, layer):
    """Without padding, with ReLU and batch normalisation by running statistics; float64 (n, h, w,
    c).
    """
    kernel, name = np.asarray(VARIABLES["params"][f"conv_{layer}"]["kernel"], np.float64), f"norm_{layer}"
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel.shape[:2], axis=(1, 2))
    out = np.maximum(np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + VARIABLES["params"][f"conv_{layer}"]["bias"], 0)
    norm, stats = VARIABLES["params"][name], VARIABLES["stats"][name]
    return (out - stats["mean"]) / np.sqrt(stats["var"] + 1e-3) * norm["scale"] + norm["bias"]


def head(features, params=VARIABLES["params"], np=np):
    """The layers after the last convolution's normalisation, as logits (n, K)."""
    n, rows, columns, channels = features.shape
    kept = features[:, : rows // 2 * 2, : columns // 2 * 2].reshape(n, rows // 2, 2, columns // 2, 2, channels)
    flat = kept.max(axis=(2, 4)).reshape(n, -1)
    hidden = np.maximum(flat @ params["dense_0"]["kernel"] + params["dense_0"]["bias"], 0)
    return hidden @ params["output"]["kernel"] + params["output"]["bias"]


def logits(images):
    inputs = np.asarray(images, np.float64) * SCALE + OFFSET
    first = convolved(inputs, 0)
    pooled = first[:, : first.shape[1] // 2 * 2, : first.shape[2] // 2 * 2]
    pooled = pooled.reshape(len(images), first.shape[1] // 2, 2, first.shape[2] // 2, 2, -1).max(axis=(2, 4))
    return head(convolved(pooled, 1))


def score(images, targets=TARGETS):
    return logits(images)[np.arange(len(images)), targets]


def differences(images, targets=TARGETS, step=1e-4):
    """255 times the derivative of each picture's score by each pixel, by central differences."""
    images = np.asarray(images, np.float64)
    found = np.empty(images.shape)
    for place in np.ndindex(images.shape[1:]):
        at = (slice(None), *place)
        nudge = np.zeros(images.shape)
        nudge[at] = step
        found[at] = (score(images + nudge, targets) - score(images - nudge, targets)) / (2 * step)
    return 255 * found


def test_the_reference_is_the_network():
    images = pictures(3)
    found = inference.apply(values(), CLASSES, VARIABLES, images, "output")
    np.testing.assert_allclose(found, logits(images), atol=1e-4)
    np.testing.assert_allclose(explain("gradient", images)[0]["logits"], score(images), atol=1e-4)


def test_gradients_are_central_differences_per_full_range_of_a_pixel():
    images = pictures(3)
    found = explain("gradient", images)[0]["values"]
    expected = differences(images)
    assert found.dtype == np.float32 and (np.abs(expected).max(axis=(1, 2, 3)) > 1).all()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_smoothgrad_is_the_mean_gradient_at_noisy_copies():
    images = pictures(3)
    images[0] = images[0] // 4  # a narrower range gets less noise
    found = explain("smoothgrad", images, samples=3, noise=0.1, seed=7)[0]["values"]
    spread = images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)).astype(float)
    expected = np.zeros(images.shape)
    for sample in range(3):
        noise = np.empty(images.shape)
        for place in range(3):
            own = jax.random.fold_in(jax.random.fold_in(jax.random.key(7), place), sample)
            noise[place] = jax.random.normal(own, images.shape[1:])
        expected += differences(images + 0.1 * spread[:, None, None, None] * noise) / 3
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_smoothgrad_without_noise_is_the_gradient():
    images = pictures(3)
    smooth = explain("smoothgrad", images, samples=2, noise=0)[0]["values"]
    np.testing.assert_allclose(smooth, explain("gradient", images)[0]["values"], rtol=1e-6)


@pytest.mark.parametrize("baseline", [127.5, "picture"])
def test_integrated_gradients_are_midpoint_sums_of_differences(baseline):
    images = pictures(3)
    if baseline == "picture":
        baseline = pictures(1, seed=9)[0, :, :, 0]
    found = explain("integrated_gradients", images, steps=3, baseline=baseline)[0]
    start = np.broadcast_to(
        np.reshape(baseline, (1, SIZE, SIZE, 1) if np.ndim(baseline) else (1, 1, 1, 1)), images.shape
    )
    path = images - start.astype(np.float64)
    mean = sum(differences(start + share * path) for share in (1 / 6, 3 / 6, 5 / 6)) / 3
    np.testing.assert_allclose(found["values"], path / 255 * mean, atol=2e-3)
    np.testing.assert_allclose(found["baseline_logits"], score(start), atol=1e-4)


def test_integrated_gradients_add_up_to_the_difference_of_logits_the_better_the_more_steps():
    images = pictures(3)
    errors = {}
    for steps in (2, 64, 1024):
        arrays, resolved = explain("integrated_gradients", images, steps=steps)
        found = maps.Saliency(
            "integrated_gradients", resolved, targets=TARGETS, classes=("a", "b", "c"), **arrays
        ).completeness()
        expected = score(images) - score(np.zeros_like(images))
        np.testing.assert_allclose(found["difference"], expected, atol=1e-4)
        np.testing.assert_allclose(found["error"], found["sum"] - found["difference"], atol=1e-12)
        errors[steps] = found["error"].abs().max() / np.abs(expected).max()
    assert errors[1024] < 0.005 and errors[64] < 0.05 < errors[2]


def test_grad_cam_weighs_channels_by_the_gradient_of_the_head():
    images = pictures(3)
    arrays, resolved = explain("grad_cam", images, layer="norm_1")
    features = inference.apply(values(), CLASSES, VARIABLES, images, "norm_1")
    gradients = np.asarray(jax.grad(lambda a: head(a, np=jnp)[jnp.arange(3), TARGETS].sum())(jnp.asarray(features)))
    expected = np.empty((3, SIZE, SIZE))
    for picture in range(3):
        coarse = np.zeros(features.shape[1:3])
        for channel in range(features.shape[-1]):
            coarse += gradients[picture, :, :, channel].mean() * features[picture, :, :, channel]
        side = (np.arange(SIZE) + 0.5) * len(coarse) / SIZE - 0.5  # pixel centres in the coarse map
        places = np.meshgrid(side, side, indexing="ij")
        expected[picture] = ndimage.map_coordinates(np.maximum(coarse, 0), places, order=1, mode="nearest")
    assert resolved["layer"] == "norm_1" and (expected > 0).any() and (expected == 0).any()
    np.testing.assert_allclose(arrays["values"][..., 0], expected, atol=1e-4)


def test_grad_cam_of_a_convolution_that_is_otherwise_computed_together_with_its_pool():
    """Without norms conv_1 and pool_1 are one step of the network unless conv_1 is watched."""
    found = values(model__batch_norm=False)
    variables = make_variables(found)
    images = pictures(3)
    at_convolution = explain("grad_cam", images, variables=variables, found=found, layer="conv_1")[0]
    assert at_convolution["values"].shape == (3, SIZE, SIZE, 1)
    features = inference.apply(found, CLASSES, variables, images, "conv_1")

    def score(features):
        return head(features, variables["params"], np=jnp)[jnp.arange(3), TARGETS].sum()

    gradients = np.asarray(jax.grad(score)(jnp.asarray(features)))
    coarse = np.maximum((gradients.mean(axis=(1, 2), keepdims=True) * features).sum(axis=-1), 0)
    expected = np.asarray(jax.image.resize(coarse, (3, SIZE, SIZE), "linear"))
    np.testing.assert_allclose(at_convolution["values"][..., 0], expected, atol=1e-4)
    plain = explain("gradient", images, variables=variables, found=found)[0]
    np.testing.assert_allclose(at_convolution["logits"], plain["logits"], atol=1e-4)


@pytest.mark.parametrize("patch, stride, baseline", [(4, 3, 127.5), (5, 5, 0), (12, 1, 30)])
def test_occlusion_is_the_mean_fall_over_the_squares_that_cover_a_pixel(patch, stride, baseline):
    images = pictures(3)
    arrays, _ = explain("occlusion", images, patch=patch, stride=stride, baseline=baseline)
    starts = list(range(0, SIZE - patch + 1, stride))
    starts += [SIZE - patch] * (starts[-1] != SIZE - patch)
    falls, counts = np.zeros((3, SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for top in starts:
        for left in starts:
            covered = images.astype(np.float64)
            covered[:, top : top + patch, left : left + patch] = baseline
            falls[:, top : top + patch, left : left + patch] += (score(images) - score(covered))[:, None, None]
            counts[top : top + patch, left : left + patch] += 1
    assert counts.min() > 0
    np.testing.assert_allclose(arrays["values"][..., 0], falls / counts, atol=1e-3)


@pytest.fixture(scope="module")
def linear():
    """A network without hidden layer, whose gradient for a class is its column of the kernel:
    values and variables.
    """
    found = values(data__channels=3, model__name="mlp", model__hidden=(), model__batch_norm=False)
    return found, make_variables(found, channels=3)


@pytest.mark.parametrize("method", ["gradient", "smoothgrad", "integrated_gradients", "occlusion"])
def test_a_linear_network_is_its_own_explanation(linear, method):
    found, variables = linear
    images = pictures(3, channels=3)
    kernel = variables["params"]["output"]["kernel"] * SCALE * 255  # logits per full range of a pixel
    weights = kernel.T.reshape(CLASSES, SIZE, SIZE, 3)[TARGETS]
    given = {"patch": 1, "stride": 1, "baseline": 0} if method == "occlusion" else {}
    arrays, _ = explain(method, images, variables=variables, found=found, **given)
    if method in ("gradient", "smoothgrad"):
        np.testing.assert_allclose(arrays["values"], weights, atol=1e-4)
        np.testing.assert_allclose(
            maps.over_channels(arrays["values"], method), np.abs(weights).max(axis=-1), atol=1e-4
        )
    elif method == "integrated_gradients":
        np.testing.assert_allclose(arrays["values"], weights * images / 255, atol=1e-4)
        sums = arrays["values"].sum(axis=(1, 2, 3))
        np.testing.assert_allclose(sums, arrays["logits"] - arrays["baseline_logits"], rtol=1e-4, atol=1e-3)
    else:
        np.testing.assert_allclose(arrays["values"][..., 0], (weights * images / 255).sum(axis=-1), atol=1e-3)


@pytest.mark.parametrize("method", settings.METHODS)
def test_any_number_of_images_is_one_compilation_and_each_is_explained_by_itself(method, compilations):
    given = {"smoothgrad": {"samples": 2}, "integrated_gradients": {"steps": 2}, "occlusion": {"patch": 6}}.get(
        method, {}
    )
    many = pictures(compute.BATCH + 3)
    targets = np.arange(len(many)) % CLASSES
    explain(method, many[:1], targets[:1], **given)
    compilations.clear()
    arrays, resolved = explain(method, many, targets, **given)
    assert resolved.get("layer") == ("norm_1" if method == "grad_cam" else None)
    assert arrays["values"].shape[:3] == (len(many), SIZE, SIZE) and arrays["logits"].shape == (len(many),)
    first, _ = explain(method, many[:2], targets[:2], **given)
    np.testing.assert_allclose(first["values"], arrays["values"][:2], atol=1e-5)
    if method != "smoothgrad":  # whose noise depends on the place
        last, _ = explain(method, many[-2:], targets[-2:], **given)
        np.testing.assert_allclose(last["values"], arrays["values"][-2:], atol=1e-5)
    none, _ = explain(method, many[:0], targets[:0], **given)
    assert none["values"].shape == (0, *arrays["values"].shape[1:])
    # Numbers are arguments of the program, and so are the weights.
    other = jax.tree.map(functools.partial(np.multiply, np.float32(0.5)), VARIABLES)
    changed = {
        "smoothgrad": {"samples": 3, "noise": 0.3, "seed": 5},
        "integrated_gradients": {"steps": 5, "baseline": 9},
    }.get(method, given)
    explain(method, many[:3], targets[:3], variables=other, **changed)
    assert not compilations


def test_squares_cover_the_picture_and_end_at_its_border():
    assert compute.corners(10, 4, 3).tolist() == [[top, left] for top in (0, 3, 6) for left in (0, 3, 6)]
    assert sorted({top for top, _ in compute.corners(11, 4, 3).tolist()}) == [0, 3, 6, 7]
    assert compute.corners(5, 5, 2).tolist() == [[0, 0]]
