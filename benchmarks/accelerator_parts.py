"""Parts of `accelerator.py`, each a function of its session: agreement, grid and ceilings.

What they measure stands there.
"""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import roofline
from accelerator_throughput import ALONE, stack_facts, take_turns
from candidate import Candidate, Work, network_and_recipe
from peer import FIELDS

EPOCHS = 300
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-3, 1e-4
# Root mean square of a product's error, as a share of its entries: 3e-4 of factors with 10 bits,
# under 1e-5 with float32's 23 bits, 2e-3 and more with bfloat16's 7 bits.
TF32_ERRORS = (1e-4, 1e-3)
# Rows of a product that are computed in float64 to compare with.
EXACT_ROWS = 64


def agreement(session: Any) -> None:
    """Losses and weights after one epoch of four steps, here and on the CPU."""
    fields = {**FIELDS[session.scale.network], "train.learning_rate": 1e-3}
    work = Work(session.scale.size, 16, 4, 64, held_out=16, settings=tuple(fields.items()))
    make = functools.partial(Candidate, session.code, work)
    reference = session.attempt("agreement", "agreement, CPU", lambda: make("map", jax.devices("cpu")[:1]))
    for engine in session.code.engine.ENGINES if reference else ():
        other = session.attempt("agreement", f"agreement, {engine}", functools.partial(make, engine, 1))
        if not other:
            continue
        row = session.add("agreement", {"engine": engine, **_apart(other, reference)})
        print(
            f"agreement, {engine}: {'yes' if row['agrees'] else 'NO'}, losses within {row['losses_within']:.1g} "
            f"(relative), 99 % of the weights within {row['weights_99_percent_within']:.1g}, all within "
            f"{row['weights_all_within']:.1g}",
            flush=True,
        )


def _apart(other: Candidate, reference: Candidate) -> dict[str, Any]:
    """Returns how far two stacks are apart after an epoch, and whether that is rounding."""
    ours, theirs = (jax.device_get((one.state.params, one.records)) for one in (other, reference))
    leaves = zip(jax.tree.leaves(ours[0]), jax.tree.leaves(theirs[0]), strict=True)
    weights = np.concatenate([np.abs(a - b).reshape(-1) for a, b in leaves])
    losses = max(float(np.abs(ours[1][name] / theirs[1][name] - 1).max()) for name in ("train_loss", "val_loss"))
    most = float(np.quantile(weights, 0.99))
    return {
        "agrees": losses < LOSS_TOLERANCE and most < WEIGHT_TOLERANCE,
        "losses_within": losses,
        "weights_99_percent_within": most,
        "weights_all_within": float(weights.max()),
    }


def grid(session: Any) -> None:
    """Seconds an epoch of each stack of grid3d:full, and what all of them take."""
    trials, train, validation = session.scale.grid
    settings = {**FIELDS[session.scale.network], "model.dropout": 0.3}
    for batch in session.scale.batches:
        engine = best_engine(session, batch)
        work = Work(session.scale.size, batch, trials, train, held_out=validation, settings=tuple(settings.items()))
        stack = session.stack("grid", f"grid, batch {batch}", work, engine)
        if not stack:
            continue
        about = {"batch": batch, "engine": engine, "width": trials, "precision": "float32"}
        stack.keep_first()
        take_turns(session, f"grid, batch {batch}, second epoch", [stack], 1)
        found = {"epoch_seconds": stack.seconds[0], "images_per_second": stack.rate, **stack_facts(stack)}
        row = session.add("grid", about | found)
        print(
            f"grid, batch {batch}: {row['epoch_seconds']:.2f} s an epoch of {trials} trials ({engine}), "
            f"{row['images_per_second']:,.0f} img/s",
            flush=True,
        )
    rows = session.rows("grid")
    if len(rows) == len(session.scale.batches):
        minutes = EPOCHS * sum(row["epoch_seconds"] for row in rows) / 60
        session.document["grid_minutes"] = minutes
        print(f"the grid would take {minutes:.0f} min, extrapolated from an epoch of each batch size", flush=True)


def best_engine(session: Any, batch: int) -> str:
    """Returns the quickest engine at a batch size, or at the last that was measured.

    One trial alone stands for 'map', the first width for the others. Without any it is the usual.
    """
    rates: dict[int, dict[str, float]] = {}
    for row in session.rows("throughput"):
        way = row.get("engine"), row.get("width"), row["precision"]
        if way == (ALONE.engine, ALONE.width, "float32") or way[1:] == (session.scale.widths[0], "float32"):
            rates.setdefault(row["batch"], {})[row["engine"]] = row["images_per_second"]["median"]
    found = rates.get(batch) or next(reversed(rates.values()), {})
    return max(found, key=lambda engine: found[engine]) if found else _usual(session)


def _usual(session: Any) -> str:
    return "map" if session.document["backend"] == "cpu" else "vmap"


def ceilings(session: Any) -> None:
    """Measures large products by precision, copying, and what share of each the stacks reach."""
    rates: dict[str, float] = {}
    for precision in session.code.recipe.PRECISIONS:
        measure = functools.partial(_product, session, precision)
        found = session.attempt("ceiling", f"{precision} product", measure)
        if found:
            rates[precision] = found["tflops"]
            found["times_float32"] = found["tflops"] / rates["float32"] if "float32" in rates else None
            row = session.add("ceilings", found)
            print(
                f"{precision} product: {row['tflops']:,.3g} TFLOP/s, relative error {row['relative_error']:.1e}"
                + (f": {row['remark']}" if "remark" in row else ""),
                flush=True,
            )
    copied = session.attempt("ceiling", "copy", lambda: _copied(session))
    if copied:
        session.add("ceilings", {"ceiling": "copy", "gigabytes_per_second": copied})
        print(f"copy: {copied:,.3g} GB/s, read and written", flush=True)
    for row in (*session.rows("throughput"), *session.rows("grid")):
        if "tflops" in row and row["precision"] in rates:
            row["share_of_product"] = row["tflops"] / rates[row["precision"]]
    session.save()


def _product(session: Any, precision: str) -> dict[str, Any]:
    """Returns the rate and the error of a product, asked for as the trainer asks."""
    side, times = session.scale.product, 8
    kind = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    left, right = (jax.random.normal(jax.random.key(i), (side, side)).astype(kind) for i in range(2))

    def operation(left: jax.Array, right: jax.Array) -> jax.Array:
        with jax.default_matmul_precision(session.code.recipe.PRECISIONS[precision]):
            return jnp.matmul(left, right)

    program = jax.jit(functools.partial(roofline.repeated, operation, times))
    ceiling = roofline.Ceiling(lambda: program(left, right).block_until_ready(), 2 * side**3 * times)
    found = {"ceiling": f"{precision} product", "precision": precision, "tflops": _timed(session, ceiling) / 1e12}
    error = rounding(operation, left, right)
    return found | {"relative_error": error} | (seen(error) if precision == "tf32" else {})


def _copied(session: Any) -> float:
    return _timed(session, roofline.copy(1, session.scale.copied)) / 1e9


def _timed(session: Any, ceiling: roofline.Ceiling) -> float:
    ceiling.turn()
    ceiling.seconds.clear()
    for _ in range(session.options.repeats):
        ceiling.turn()
    return ceiling.rate


def rounding(operation: Callable, left: jax.Array, right: jax.Array) -> float:
    """Returns the error of a product's first rows against float64, relative, root mean square.

    The product is computed in full: of another shape, the compiler may choose another kernel.
    """
    found = np.asarray(jax.jit(operation)(left, right)[:EXACT_ROWS], np.float64)
    exact = np.asarray(left[:EXACT_ROWS], np.float64) @ np.asarray(right, np.float64)
    return float(np.sqrt(((found - exact) ** 2).mean() / (exact**2).mean()))


def seen(error: float) -> dict[str, Any]:
    """Returns whether a product's error is TF32's, in words too."""
    least, most = TF32_ERRORS
    is_tf32 = least < error < most
    finer = "not TF32, but finer: the error of float32"
    return {"is_tf32": is_tf32, "remark": "TF32" if is_tf32 else finer if error <= least else "coarser than TF32"}


def stack_bytes(code: SimpleNamespace, work: Work, engine: str) -> int:
    """Returns the planner's estimate of the bytes of a stack's epoch on one device."""
    one = code.cost.measure(*network_and_recipe(code, work))
    images = work.images + (work.held_out or work.images // 4)
    return code.memory.estimate(one, images * work.size**2, engine).at(work.trials)
