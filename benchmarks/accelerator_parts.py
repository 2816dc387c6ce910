"""The parts of `accelerator.py`, each a function of its session; what they measure stands there."""

import dataclasses
import functools
import statistics
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import peers
import record
import roofline
from candidate import Candidate, Work
from peer import FIELDS

EPOCHS = 300
LOSS_TOLERANCE, WEIGHT_TOLERANCE = 1e-3, 1e-4
# Of a product whose factors have 10 bits the error is some 3e-4 of a typical entry; with float32's
# 23 bits it is under 1e-6, with bfloat16's 7 bits 2e-3.
TF32_ERROR = 1e-4


def agreement(session: Any) -> None:
    """Losses and weights after one epoch of four steps, here and on the CPU."""
    fields = {**FIELDS[session.scale.network], "train.learning_rate": 1e-3}
    work = Work(session.scale.size, 16, 4, 64, held_out=16, settings=tuple(fields.items()))

    def compare(engine: str, reference: Candidate) -> dict:
        other = Candidate(session.code, work, engine, 1)
        ours, theirs = (jax.device_get((one.state.params, one.records)) for one in (other, reference))
        apart = [
            np.abs(a - b).reshape(-1) for a, b in zip(jax.tree.leaves(ours[0]), jax.tree.leaves(theirs[0]), strict=True)
        ]
        apart = np.concatenate(apart)
        losses = [float(np.abs(ours[1][name] / theirs[1][name] - 1).max()) for name in ("train_loss", "val_loss")]
        agrees = max(losses) < LOSS_TOLERANCE and float(np.quantile(apart, 0.99)) < WEIGHT_TOLERANCE
        about = {"engine": engine, "agrees": agrees, "train_loss": losses[0], "val_loss": losses[1]}
        return {
            **about,
            "weights_99_percent_within": float(np.quantile(apart, 0.99)),
            "weights_all_within": float(apart.max()),
        }

    with jax.default_matmul_precision("highest"):
        reference = session.attempt(
            "agreement, CPU", lambda: Candidate(session.code, work, "map", jax.devices("cpu")[:1])
        )
        for engine in session.code.engine.ENGINES if reference else ():
            found = session.attempt(f"agreement, {engine}", functools.partial(compare, engine, reference))
            if found:
                session.document["agreement"].append(found)
                print(f"agreement, {engine}: {'yes' if found['agrees'] else 'NO'}, {found}", flush=True)
                session.save()


def ways(session: Any) -> Iterator[tuple[str, int]]:
    """Returns (engine, width) of the stacks that are tried.

    One trial mapped is the scan loop that everything is compared with.
    """
    yield "map", 1
    for width in session.scale.widths:
        for engine in session.code.engine.ENGINES:
            if engine != "map":
                yield engine, width


def throughput(session: Any) -> None:
    """Measures a row for every stack and every way of PyTorch at each batch size."""
    torch_ways = [name for name in peers.CANDIDATES if name.startswith(("PyTorch: channels", "PyTorch: CUDA"))]
    platform = session.document["backend"]
    torch_ways = [name for name in torch_ways if peers.CANDIDATES[name].platform in ("", platform)]
    others = [
        peers.Candidate(name, dataclasses.replace(peers.CANDIDATES[name], images=session.scale.images))
        for name in torch_ways
    ]
    try:
        for batch in session.scale.batches:
            _throughput_at(session, batch, others)
    finally:
        for other in others:
            other.close()


def _throughput_at(session: Any, batch: int, others: Sequence[peers.Candidate]) -> None:
    stacks: dict[tuple[str, int], Candidate] = {}
    for engine, width in ways(session):
        what, work = f"throughput, batch {batch}, {width} x {engine}", session.work(batch, width)
        make = functools.partial(Candidate, session.code, work, engine, 1)
        room = session.attempt(what, functools.partial(session.has_room, what, work, engine))
        made = session.attempt(what, make) if room else None
        if made:
            stacks[engine, width] = made
    for other in others:
        session.attempt(
            f"{other.name}, batch {batch}",
            lambda other=other: other.build(session.scale.network, batch, session.scale.size, {}),
        )
    for _ in range(session.options.repeats):
        for stack in stacks.values():
            stack.run()
        for other in others:
            if other.facts:
                other.run(session.scale.seconds)
    alone = stacks.get(("map", 1))
    rows = [
        {
            "candidate": f"fer_jax: {width} x {engine}",
            "engine": engine,
            "width": width,
            **_rates(stack.rates, alone),
            **_work(stack),
            **session.predicted(engine=engine, width=width, batch=batch, precision="float32", rate=stack.rate),
        }
        for (engine, width), stack in stacks.items()
    ]
    for other in others:
        if other.rates:
            rows.append({"candidate": other.name, **_rates(other.rates, alone)})
        else:
            session.document["left_out"].append(f"{other.name}, batch {batch}: {other.failure or 'not built'}")
    for row in rows:
        session.document["throughput"].append({"batch": batch, **row})
        ratio = f"x {row['ratio_to_alone']:.1f}" if row.get("ratio_to_alone") else ""
        print(
            f"batch {batch:4d}  {row['candidate']:32s} {row['images_per_second']['median']:12,.0f} img/s  {ratio}"
            f"{_of_predicted(row)}",
            flush=True,
        )
    fitting = {way: stack.rate for way, stack in stacks.items() if way[1] == session.scale.widths[0]}
    if fitting:
        session.best[batch] = max(fitting, key=lambda way: fitting[way])[0]
    session.save()


def _rates(rates: Sequence[float], alone: Candidate | None) -> dict:
    ratio = statistics.median(own / one for own, one in zip(rates, alone.rates, strict=False)) if alone else None
    return {"images_per_second": record.spread(rates), "ratio_to_alone": ratio}


def _work(stack: Candidate) -> dict:
    return {"tflops": stack.rate * stack.flops / 1e12, "compile_seconds": round(stack.compile_seconds, 1)}


def grid(session: Any) -> None:
    """Seconds an epoch of each stack of grid3d:full, and what all of them take."""
    trials, train, validation = session.scale.grid
    settings = {**FIELDS[session.scale.network], "model.dropout": 0.3}
    for batch in session.scale.batches:
        engine = session.engine(batch)

        def measure(batch: int = batch, engine: str = engine) -> dict:
            work = Work(session.scale.size, batch, trials, train, held_out=validation, settings=tuple(settings.items()))
            stack = Candidate(session.code, work, engine, 1)
            stack.run()
            return {
                "batch": batch,
                "engine": engine,
                "epoch_seconds": stack.seconds[0],
                "images_per_second": stack.rate,
                **_work(stack),
            }

        found = session.attempt(f"grid, batch {batch}", measure)
        if found:
            session.document["grid"].append(found)
            print(
                f"grid, batch {batch}: {found['epoch_seconds']:.2f} s an epoch of {trials} trials ({engine})",
                flush=True,
            )
            session.save()
    rows = session.document["grid"]
    if len(rows) == len(session.scale.batches):
        minutes = EPOCHS * sum(row["epoch_seconds"] for row in rows) / 60
        session.document["grid_minutes"] = minutes
        print(f"the grid would take {minutes:.0f} min, extrapolated from an epoch of each batch size", flush=True)


def ceilings(session: Any) -> None:
    """Measures large products by precision, copying, and what share of each the stacks reach."""
    side = session.scale.product

    def product(precision: str) -> dict:
        kind = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
        left, right = (jax.random.normal(jax.random.key(i), (side, side)).astype(kind) for i in range(2))
        times = 8
        operation = functools.partial(jnp.matmul, precision=session.code.recipe.PRECISIONS[precision])
        program = jax.jit(functools.partial(roofline.repeated, operation, times))
        ceiling = roofline.Ceiling(lambda: program(left, right).block_until_ready(), 2 * side**3 * times)
        ceiling.turn()
        ceiling.seconds.clear()
        for _ in range(session.options.repeats):
            ceiling.turn()
        found = {"ceiling": f"{precision} product", "tflops": ceiling.rate / 1e12}
        return found | _seen(precision, rounding(operation, kind))

    def copied() -> dict:
        ceiling = roofline.copy(1, session.scale.copied)
        ceiling.turn()
        ceiling.seconds.clear()
        for _ in range(session.options.repeats):
            ceiling.turn()
        return {"ceiling": "copy", "gigabytes_per_second": ceiling.rate / 1e9}

    rates = {}
    for precision in ("bfloat16", "tf32", "float32"):
        found = session.attempt(f"{precision} product", functools.partial(product, precision))
        if found:
            rates[precision] = found["tflops"]
            session.document["roofline"].append(found)
    found = session.attempt("copy", copied)
    if found:
        session.document["roofline"].append(found)
    for row in (*session.document["throughput"], *session.document["grid"]):
        if "tflops" in row:
            row["share_of_products"] = {name: row["tflops"] / rate for name, rate in rates.items()}
    for found in session.document["roofline"]:
        told = [(value, name.replace("_", " ")) for name, value in found.items() if not isinstance(value, bool)]
        told += [("TF32" if value else "not TF32", name) for name, value in found.items() if isinstance(value, bool)]
        print(
            "  ".join(f"{value:,.3g} {name}" if isinstance(value, float) else f"{value}" for value, name in told),
            flush=True,
        )
    session.save()


def rounding(operation: Callable, kind: Any) -> float:
    """Returns the relative error of a product's entries, root mean square, against float64."""
    rng = np.random.default_rng(0)
    factors = [jnp.asarray(rng.normal(size=(256, 256)), kind) for _ in range(2)]
    exact = np.matmul(*(np.asarray(factor, np.float64) for factor in factors))
    error = np.asarray(jax.jit(operation)(*factors), np.float64) - exact
    return float(np.sqrt((error**2).mean() / (exact**2).mean()))


def _seen(precision: str, error: float) -> dict[str, Any]:
    """Returns the error, and of TF32 whether it is that of factors with 10 bits."""
    return {"relative_error": error} | (
        {"is_tf32": TF32_ERROR < error < 10 * TF32_ERROR} if precision == "tf32" else {}
    )


def stack_bytes(code: SimpleNamespace, work: Work, engine: str) -> int:
    """Returns the planner's estimate of the bytes of a stack's epoch on one device."""
    settings = {"model.name": work.model, **dict(work.settings), "train.batch_size": work.batch}
    values = code.values.flatten(code.values.default_config()) | settings
    dropped = [name for name in ("model.dropout", "model.dense_dropout") if name in settings]
    network = code.models.build(values, (work.size, work.size, 1), 7)
    one = code.cost.measure(network, code.plan.recipe_of(values, dropped, work.micro_batch))
    images = work.images + (work.held_out or work.images // 4)
    return code.memory.estimate(one, images * work.size**2, engine).at(work.trials)


def _of_predicted(row: dict[str, Any]) -> str:
    return f"  {row['ratio_to_predicted']:.2f} of predicted" if "predicted" in row else ""


def precision(session: Any) -> None:
    """Measures the first width at each batch size in every precision, taking turns."""
    field = session.code.fields.FIELDS["train.precision"]
    for batch in session.scale.batches:
        engine = session.engine(batch)
        stacks = {}
        for name in field.choices:
            work = session.work(batch, session.scale.widths[0], {"train.precision": name})
            make = functools.partial(Candidate, session.code, work, engine, 1)
            stacks[name] = session.attempt(f"precision {name}, batch {batch}", make)
        running = {name: stack for name, stack in stacks.items() if stack}
        for _ in range(session.options.repeats):
            for stack in running.values():
                stack.run()
        for name, stack in running.items():
            row = {
                "batch": batch,
                "precision": name,
                "engine": engine,
                "images_per_second": record.spread(stack.rates),
                **_work(stack),
                **session.predicted(
                    engine=engine, width=session.scale.widths[0], batch=batch, precision=name, rate=stack.rate
                ),
            }
            session.document["precision"].append(row)
            print(f"batch {batch:4d}  {name}: {stack.rate:,.0f} img/s{_of_predicted(row)}", flush=True)
        session.save()


PARTS: dict[str, Callable[[Any], None]] = {
    "agreement": agreement,
    "throughput": throughput,
    "precision": precision,
    "grid": grid,
    "roofline": ceilings,
}
