"""Five ways to ask which pixels a network's answer stands on, each for a batch of images at once.

Every image is explained for one class, by the logit of that class: a probability also rises when
the others' logits fall (Simonyan et al. 2013, section 2). Pixels are those of an image, 0 black to
255 white, not what the network makes of them, so that trials with another normalisation are
comparable. All are for networks as they predict: batch normalisation by running statistics, no
dropout. Only reverse-mode gradients are taken; the convolutions and pools have no others.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

# Images, float32 (n, S, S, C) in 0..255 -> float32 (n,), the logit of the class that each is
# explained for.
Score = Callable[[jax.Array], jax.Array]
WHITE = 255.0


def gradient(score: Score, images: jax.Array) -> jax.Array:
    """Returns how the logit changes with each pixel (Simonyan et al. 2013, section 3).

    Args:
        score: see above.
        images: float32 (n, S, S, C) in 0..255.

    Returns:
        float32 (n, S, S, C), signed, in logits per full range of a pixel: 255 times the derivative
        by the pixel.
    """
    return WHITE * jax.grad(lambda pixels: score(pixels).sum())(images)


def smoothgrad(
    score: Score, images: jax.Array, places: jax.Array, key: jax.Array, samples: jax.Array, noise: jax.Array
) -> jax.Array:
    """Returns the mean gradient at noisy copies of an image (Smilkov et al. 2017, section 3).

    Args:
        score, images: as for `gradient`.
        places: int32 (n,), the number of each image. Its noise depends on (key, number, sample)
            alone.
        key: random key.
        samples: number of copies, a traced integer.
        noise: standard deviation of the Gaussian noise, as a share of the image's own range
            (brightest minus darkest pixel).

    Returns:
        As `gradient`.
    """
    deviation = noise * (images.max((1, 2, 3), keepdims=True) - images.min((1, 2, 3), keepdims=True))
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, places)

    def add(sample: jax.Array, total: jax.Array) -> jax.Array:
        drawn = jax.vmap(lambda own: jax.random.normal(jax.random.fold_in(own, sample), images.shape[1:]))(keys)
        return total + gradient(score, images + deviation * drawn)

    return jax.lax.fori_loop(0, samples, add, jnp.zeros_like(images)) / samples


def integrated_gradients(score: Score, images: jax.Array, baseline: jax.Array, steps: jax.Array) -> jax.Array:
    """Returns the gradient along the straight line from a baseline, times the pixel's change.

    This is equation 1 of Sundararajan et al. 2017, its integral a sum at the midpoints of `steps`
    equal parts. Were it exact, an image's values would add up to its logit minus the baseline's
    (their proposition 1, completeness).

    Args:
        score, images: as for `gradient`.
        baseline: float32 (S, S, C) in 0..255, the image that stands for 'nothing to see'.
        steps: number of parts, a traced integer.

    Returns:
        float32 (n, S, S, C), signed, in logits.
    """

    def add(step: jax.Array, total: jax.Array) -> jax.Array:
        share = (step.astype(jnp.float32) + 0.5) / steps
        return total + gradient(score, baseline + share * (images - baseline))

    mean = jax.lax.fori_loop(0, steps, add, jnp.zeros_like(images)) / steps
    return (images - baseline) / WHITE * mean


def grad_cam(
    tapped: Callable[[jax.Array], tuple[jax.Array, jax.Array]], shape: tuple[int, ...], size: int
) -> jax.Array:
    """Returns where those channels of a layer are active that speak for the class.

    These are equations 1 and 2 of Selvaraju et al. 2017.

    Args:
        tapped: float32 `shape`, added to the layer's output -> the scores (n,), and the layer's
            output with it.
        shape: of the layer's output, (n, rows, columns, channels).
        size: S, to which the map is enlarged (bilinear); the layer is taken to cover the whole
            image.

    Returns:
        float32 (n, S, S, 1), not negative: channels weighted by the mean of their gradient over all
        places, added up, cut off at 0.
    """

    def total(added: jax.Array) -> tuple[jax.Array, jax.Array]:
        scores, output = tapped(added)
        return scores.sum(), output

    gradients, output = jax.grad(total, has_aux=True)(jnp.zeros(shape, jnp.float32))
    weights = gradients.mean((1, 2), keepdims=True)
    coarse = jax.nn.relu((weights * output).sum(-1))
    return jax.image.resize(coarse, (shape[0], size, size), "linear")[..., None]


def occlusion(score: Score, images: jax.Array, baseline: jax.Array, corners: jax.Array, patch: jax.Array) -> jax.Array:
    """Returns how far the logit falls when squares of an image are covered.

    Zeiler and Fergus 2014, section 4.2, draw the class's probability with the square at each place.
    Here a pixel has the mean fall over all squares that cover it.

    Args:
        score, images: as for `gradient`.
        baseline: float32 (S, S, C) in 0..255, what the square shows.
        corners: int32 (m, 2), top row and left column of every square; together they cover the
            image.
        patch: side of the square, pixels, a traced integer.

    Returns:
        float32 (n, S, S, 1), signed, in logits; positive where covering lowers the logit.
    """
    size = images.shape[1]
    plain = score(images)
    line = jnp.arange(size)

    def add(sums: tuple[jax.Array, jax.Array], corner: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        falls, counts = sums
        rows, columns = ((line >= start) & (line < start + patch) for start in corner)
        covered = (rows[:, None] & columns[None, :])[..., None]
        fall = plain - score(jnp.where(covered, baseline, images))
        return (falls + jnp.where(covered, fall[:, None, None, None], 0.0), counts + covered), None

    start = (jnp.zeros((*images.shape[:3], 1), jnp.float32), jnp.zeros((size, size, 1), jnp.float32))
    (falls, counts), _ = jax.lax.scan(add, start, corners)
    return falls / counts
