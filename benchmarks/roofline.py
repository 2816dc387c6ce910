"""How near a training step comes to what the machine can do, by ceilings measured in the same run.

    python benchmarks/roofline.py [--networks=oslo,silvestro] [--batches=8,32,128] [--trials=0]
        [--engine=] [--repeats=5] [--seconds=0.5] [--json=FILE]

Counted, for one step of one trial: the operations of matrix products and convolutions
(`fer_jax.plan.cost`), and the bytes that XLA says the compiled step reads and writes. The latter is
the sum over the fused operations of their inputs and outputs, as if nothing stayed in a cache
between two of them, and knows nothing of what a library's kernel reads twice: an upper bound of
memory traffic on a CPU whose cache holds a micro-batch, a fair figure on an accelerator. It is
taken from the step for one trial, whatever the engine.

Ceilings, each on all devices at once: a large float32 matrix product; matrix products of the step's
own shapes, convolutions as patches times kernel, weighted as they occur (what a step of nothing but
these products would reach); copying a large array. Then the step itself, all taking turns. Per cent
of the first two; the bound of the roofline model is min(large product, bytes a second x operations
a byte).
"""

import argparse
import collections
import dataclasses
import functools
import importlib
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import record
from candidate import ROOT, Candidate, Work, load
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from peer import CLASSES, FIELDS

MICRO_BATCH = 8  # of 48x48 pixels, as the planner's table has it

# (matrices, rows, inner, columns) of a batched matrix product.
Shape = tuple[int, int, int, int]


@dataclasses.dataclass
class Ceiling:
    """A measurement that takes turns with the step.

    It is `work` of operations or bytes in a compiled call.
    """

    run: Callable[[], None]
    work: float
    seconds: list[float] = dataclasses.field(default_factory=list)

    def turn(self) -> None:
        start = time.perf_counter()
        self.run()
        self.seconds.append(time.perf_counter() - start)

    @property
    def rate(self) -> float:
        return self.work / statistics.median(self.seconds)


def everywhere(function: Callable, inputs: tuple, devices: int) -> Callable[[], None]:
    """Returns a call that runs a function on the first devices at once and waits for all.

    Each device has inputs of its own.

    Each device has inputs of its own.
    """
    mesh = Mesh(jax.devices()[:devices], ("device",))
    spread = NamedSharding(mesh, PartitionSpec("device"))
    placed = jax.device_put(tuple(jnp.broadcast_to(value, (devices, *value.shape)) for value in inputs), spread)
    mapped = jax.shard_map(
        lambda *own: function(*(value[0] for value in own))[None],
        mesh=mesh,
        in_specs=PartitionSpec("device"),
        out_specs=PartitionSpec("device"),
    )
    program = jax.jit(mapped).lower(*placed).compile()

    def run() -> None:
        program(*placed).block_until_ready()

    return run


def repeated(operation: Callable, times: int, *inputs: jax.Array) -> jax.Array:
    """Returns an operation done again and again.

    The barriers keep XLA from doing it once or in part.
    """

    def once(_: int, total: jax.Array) -> jax.Array:
        *held, total = jax.lax.optimization_barrier((*inputs, total))
        out = jax.lax.optimization_barrier(operation(*held))
        return total + out.reshape(-1)[0]

    # Made from an input, so that it varies over the devices as that does.
    return jax.lax.fori_loop(0, times, once, inputs[0].reshape(-1)[0] * 0)


def product(shape: Shape, devices: int, seconds: float, rate: float) -> Ceiling:
    """Returns a product on every device, repeated for about so many seconds.

    The rate that is expected is in operations a second.
    """
    matrices, rows, inner, columns = shape
    work = 2 * matrices * rows * inner * columns
    times = max(1, round(seconds * rate / work / devices))
    inputs = jnp.ones((matrices, rows, inner)) / inner, jnp.ones((matrices, inner, columns))
    inputs = inputs if matrices > 1 else (inputs[0][0], inputs[1][0])
    return Ceiling(everywhere(functools.partial(repeated, jnp.matmul, times), inputs, devices), work * times * devices)


def copy(devices: int, size: int) -> Ceiling:
    """Returns a call that reads and writes an array of so many bytes on every device, 16 times."""
    times = 16

    def rewrite(array: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, times, lambda _, x: x * 0.5 + 1, array)

    return Ceiling(everywhere(rewrite, (jnp.ones(size // 4),), devices), 2 * times * size * devices)


def products_of(step: Callable[..., Any], shapes: Any) -> collections.Counter[Shape]:
    """Returns the `products` of a step traced as for several trials at once.

    All its convolutions are products then.
    """
    stacked = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), shapes)
    return products(jax.make_jaxpr(jax.vmap(step))(*stacked).jaxpr)


def products(jaxpr: Any, found: collections.Counter[Shape] | None = None) -> collections.Counter[Shape]:
    """Returns the shapes of a traced program's products and convolutions, and their counts."""
    found = collections.Counter() if found is None else found
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), (batched, _) = equation.params["dimension_numbers"]
            left, right = (variable.aval.shape for variable in equation.invars)
            matrices = math.prod(left[axis] for axis in batched)
            inner = math.prod(left[axis] for axis in contracted)
            rows, columns = (math.prod(side) // matrices // inner for side in (left, right))
            if rows * columns > 1:  # not the sum of squares that tells whether a gradient is finite
                found[matrices, rows, inner, columns] += 1
        elif equation.primitive.name == "conv_general_dilated":
            out, kernel = equation.outvars[0].aval.shape, equation.invars[1].aval.shape
            spec = equation.params["dimension_numbers"]
            columns = kernel[spec.rhs_spec[0]]
            groups = equation.params["feature_group_count"]
            found[groups, math.prod(out) // columns, math.prod(kernel) // columns, columns // groups] += 1
        for inside in _subprograms(equation):
            products(inside, found)
    return found


def _subprograms(equation: Any) -> list:
    values = [
        item for value in equation.params.values() for item in (value if isinstance(value, (tuple, list)) else (value,))
    ]
    return [getattr(item, "jaxpr", item) for item in values if hasattr(item, "jaxpr") or hasattr(item, "eqns")]


def step_of(code: SimpleNamespace, network: Any, values: dict, batch: int, size: int) -> tuple[Callable, tuple]:
    """Returns one training step of one trial as a function, and the shapes of its arguments."""
    step, trial, hyper = (importlib.import_module(f"fer_jax.train.{name}") for name in ("step", "trial", "hyper"))
    dropped = [name for name in ("model.dropout", "model.dense_dropout") if values[name]]
    recipe = code.plan.recipe_of(values | {"train.batch_size": batch}, dropped, 0)
    kinds = hyper.layout(CLASSES)
    given = {name: jax.ShapeDtypeStruct(shape, kind) for name, (shape, kind) in kinds.items()}
    state = jax.eval_shape(lambda given: trial.init(network, recipe, given), given)
    split = {
        "images": jax.ShapeDtypeStruct((batch, size, size, 1), jnp.uint8),
        "labels": jax.ShapeDtypeStruct((batch,), jnp.int32),
    }

    def once(state: Any, given: Any, split: Any) -> Any:
        return step.train_steps(
            network, recipe, state.params, state.stats, state.opt, given, split, state.epoch, state.rate_scale
        )

    return once, (state, given, split)


def counted_bytes(compiled: Any) -> float | None:
    """Bytes that XLA says a compiled program reads and writes; None where it does not say."""
    found = compiled.cost_analysis()
    # None on some backends, a list of one dictionary on others, {} or [] where nothing was counted.
    found = next(iter(found), None) if isinstance(found, (list, tuple)) else found
    return (found or {}).get("bytes accessed") or None


def measure(
    code: SimpleNamespace, name: str, batch: int, options: argparse.Namespace, large: Ceiling, memory: Ceiling
) -> dict:
    """Returns the row of one network and batch size."""
    values = code.values.flatten(code.values.default_config()) | FIELDS[name]
    network = code.models.build(values, (options.size, options.size, 1), CLASSES)
    devices = jax.device_count()
    engine = options.engine or ("map" if jax.default_backend() == "cpu" else "vmap")
    trials = options.trials or (2 * devices if engine == "map" else max(1, 8192 // batch))
    cut = engine == "map" and jax.default_backend() == "cpu" and batch > MICRO_BATCH and not network.has_statistics
    at_once = MICRO_BATCH if cut else batch
    once, shapes = step_of(code, network, values, at_once, options.size)
    images = max(batch, options.images // trials // batch * batch)
    work = Work(
        options.size, batch, trials, images, MICRO_BATCH if cut else 0, held_out=1, settings=tuple(FIELDS[name].items())
    )
    step = Candidate(code, work, engine, devices if trials % devices == 0 else 1)
    side_by_side = 1 if engine == "map" else trials // devices
    own: dict[Shape, Ceiling] = {}
    shapes_found = products_of(once, shapes)
    for (matrices, *rest), _ in shapes_found.items():
        whole = (matrices * side_by_side, *rest)
        own[matrices, *rest] = product(whole, devices, options.seconds / len(shapes_found), large.rate)
    for _ in range(options.repeats):
        step.run()
        for ceiling in (large, memory, *own.values()):
            ceiling.turn()
    needed = {shape: 2 * math.prod(shape) * count for shape, count in shapes_found.items()}
    own_rate = sum(needed.values()) / sum(needed[shape] / ceiling.rate for shape, ceiling in own.items())
    moved = counted_bytes(jax.jit(once).lower(*shapes).compile())
    reached = step.rate * step.flops
    intensity = step.flops * at_once / moved if moved else None
    bound = min(large.rate, memory.rate * intensity) if intensity else None
    return {
        "network": name,
        "batch": batch,
        "engine": engine,
        "trials": trials,
        "micro_batch": work.micro_batch,
        "images_per_second": record.spread(step.rates),
        "flops_per_image": step.flops,
        "bytes_per_image": moved / at_once if moved else None,
        "flops_per_byte": intensity,
        "gflops": reached / 1e9,
        "large_product_gflops": large.rate / 1e9,
        "own_products_gflops": own_rate / 1e9,
        "copy_gigabytes_per_second": memory.rate / 1e9,
        "roofline_gflops": bound / 1e9 if bound else None,
        "share_of_large_product": reached / large.rate,
        "share_of_own_products": reached / own_rate,
        "share_of_roofline": reached / bound if bound else None,
        "products": [{"shape": shape, "times": shapes_found[shape], "gflops": own[shape].rate / 1e9} for shape in own],
    }


def show(row: dict) -> None:
    bytes_said, roofline = "unknown bytes", "no roofline: the compiler does not count bytes"
    if row["bytes_per_image"]:
        bytes_said, roofline = (
            f"{row['bytes_per_image'] / 1e6:.2f} MB",
            f"{row['share_of_roofline']:.0%} of the roofline",
        )
    print(
        f"{row['network']:9s} batch {row['batch']:4d}  {row['trials']} trials, {row['engine']}: "
        f"{row['flops_per_image'] / 1e6:.1f} MFLOP and {bytes_said} an image; {row['gflops']:,.0f} GFLOP/s, "
        f"{row['share_of_large_product']:.0%} of a large product ({row['large_product_gflops']:,.0f}), "
        f"{row['share_of_own_products']:.0%} of its own products ({row['own_products_gflops']:,.0f}), "
        f"{roofline} ({row['copy_gigabytes_per_second']:,.0f} GB/s)",
        flush=True,
    )


def ceilings(seconds: float) -> tuple[Ceiling, Ceiling]:
    """Returns the large product and the copy, each called once before the clock starts."""
    devices = jax.device_count()
    side, bytes_copied = (1024, 2**26) if jax.default_backend() == "cpu" else (8192, 2**30)
    trial = product((1, side, side, side), devices, 0.0, 1.0)
    for _ in range(2):
        trial.turn()
    large = product((1, side, side, side), devices, seconds, trial.work / trial.seconds[-1])
    memory = copy(devices, bytes_copied)
    for ceiling in (large, memory):
        ceiling.turn()
        ceiling.seconds.clear()
        ceiling.turn()
    return large, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="oslo,silvestro")
    parser.add_argument("--batches", default="8,32,128")
    parser.add_argument("--size", type=int, default=48, help="side of the pictures in pixels")
    parser.add_argument(
        "--trials", type=int, default=0, help="0: two a device where they are mapped, else 8,192 images a step"
    )
    parser.add_argument("--engine", default="", help="empty: map on a CPU, vmap elsewhere")
    parser.add_argument("--images", type=int, default=2048, help="of an epoch, all trials together")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="of the large product's turn, and of all own products' together"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    code = load(ROOT)
    code.hardware.prepare_host_devices()
    results = record.Results(code, options)
    for network in options.networks.split(","):
        for batch in map(int, options.batches.split(",")):
            large, memory = ceilings(options.seconds)
            results.add(measure(code, network, batch, options, large, memory))
            show(results.document["rows"][-1])
            results.save()
    results.finish()


if __name__ == "__main__":
    main()
