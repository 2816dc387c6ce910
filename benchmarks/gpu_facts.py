"""What is known of a program for a GPU before one runs it, from its lowered and compiled text."""

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import gpu_count
import jax
from gpu_hlo import Module
from gpu_programs import PROGRAMS
from gpu_target import Case

from fer_jax.plan import memory

# A tile that keeps Triton's products on the tensor cores, as autotuning on a device would: without
# one XLA takes its default, which may be too small for them.
TILE = "block_m:64,block_n:64,block_k:32,num_stages:2,num_warps:4,num_ctas:1"
# train.precision -> what is asked of every product.
ASKED = {"float32": "HIGHEST", "tf32": "DEFAULT", "bfloat16": "HIGHEST"}
_COLLECTIVES = "all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute|all_reduce|all_gather|all_to_all"
# The programs that take a wave's state and give the next one: they write into the memory it had.
DONATING = ("epoch", "next_phase", "train_chunk", "finish_epoch")
_DONATED = re.compile(r"jax\.buffer_donor|tf\.aliasing_output")
_PRECISION = re.compile(r"precision(?:_config)? = \[([^\]]*)\]")


def lowered(case: Case, program: jax.stages.Lowered) -> dict[str, Any]:
    """Returns facts of a program before compilation.

    Returns:
        'float64', 'callbacks', 'collectives': how often each occurs; 'donated_arguments': how many
        are given away; 'precisions': how often each precision is asked of a product or convolution;
        'factors': the same for their types.
    """
    text = program.as_text()
    products = [
        line for line in text.splitlines() if "stablehlo.dot_general" in line or "stablehlo.convolution" in line
    ]
    asked: Counter[str] = Counter()
    factors: Counter[str] = Counter()
    for line in products:
        words = _PRECISION.search(line)
        both = {word.strip().rstrip(">").split()[-1] for word in words.group(1).split(",")} if words else {"?"}
        asked["/".join(sorted(both))] += 1
        types = re.search(r": \(tensor<([^>]*)>, tensor<([^>]*)>\)", line)
        factors["/".join(sorted({kind.split("x")[-1] for kind in types.groups()})) if types else "?"] += 1
    return {
        "program": str(case),
        "float64": len(re.findall(r"xf64>|<f64>", text)),
        "callbacks": len(re.findall(r"callback", text)),
        "collectives": len(re.findall(_COLLECTIVES, text)),
        "donated_arguments": len(_DONATED.findall(text)),
        "precisions": dict(asked),
        "factors": dict(factors),
    }


def problems(row: dict[str, Any]) -> list[str]:
    """Returns what is wrong with a lowered program, in words; [] where nothing is."""
    if "failed" in row:
        return [f"{row['program']}: cannot be lowered for a GPU: {row['failed']}"]
    words = row["program"].split()
    name = words[-1] if words[-1] in PROGRAMS else "epoch"
    precision = next(word for word in ASKED if word in words)
    wanted = ASKED["float32"] if name == "predict" else ASKED[precision]
    computes = name not in ("init", "next_phase", "finish_epoch")
    found = [kind for kind in ("float64", "callbacks", "collectives") if row[kind]]
    if (name in DONATING) != bool(row["donated_arguments"]):
        found.append(f"{row['donated_arguments']} arguments donated")
    if computes and set(row["precisions"]) != {wanted}:
        found.append(f"precisions {row['precisions']}, wanted {wanted}")
    if computes and ("bf16" in row["factors"]) != (precision == "bfloat16" and name != "predict"):
        found.append(f"factors {row['factors']}")
    if set(row["factors"]) - {"f32", "bf16"}:
        found.append(f"factors {row['factors']}")
    return [f"{row['program']}: {problem}" for problem in found]


def compiled(case: Case, program: jax.stages.Lowered, tile: bool = False) -> dict[str, Any]:
    """Compiles an epoch and returns what is counted in it.

    Args:
        case: of the program.
        program: lowered.
        tile: whether Triton's products are given `TILE`.

    Returns:
        See docs/gpu.md.
    """
    with tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {"xla_dump_to": folder}
        if tile:
            options["xla_gpu_override_gemm_autotuner"] = TILE
        executable = program.compile(compiler_options=options)
        thunks = next(Path(folder).glob("*thunk_sequence_after_thunk_passes.txt")).read_text()
        assembly = "".join(path.read_text() for path in Path(folder).glob("*.ptx"))
    text, one = executable.as_text(), case.work().cost(0)
    module = Module(text)
    steps = case.train // case.batch
    loops = list(module.loops())
    step = max(
        (gpu_count.cost(module, loop.body) for loop in loops if loop.trips == steps), key=lambda body: body.bytes
    )
    images = case.batch * (1 if case.engine == "map" else case.width)
    whole = gpu_count.cost(module)
    bytes_used = executable.memory_analysis()
    estimated = memory.estimate(one, case.sizes.bytes, case.engine)
    return {
        **lowered(case, program),
        "kernels_a_step": step.kernels,
        "bytes_an_image": round(step.bytes / images),
        "microseconds_a_step": round(step.seconds * 1e6, 1),
        "images_per_second": round(case.width * steps * case.batch / whole.seconds),
        "images_per_second_of_steps": round(images / step.seconds),
        "temporary_bytes": bytes_used.temp_size_in_bytes,
        "temporary_bytes_a_trial": round(bytes_used.temp_size_in_bytes / case.width),
        "estimate_to_compiler": estimated.at(case.width) / memory.bytes_of(bytes_used),
        "donated": bytes_used.alias_size_in_bytes / (one.state_bytes * case.width),
        "loops_without_known_trips": sum(loop.trips is None for loop in loops),
        "starts_a_step": _starts(thunks),
        "largest_window": max([side for one in module.instructions() for side in one.window], default=0),
        "sums_of_16_bits": _sums_of_16_bits(module),
        "instructions": dict(
            Counter(_tensor_core(word) for word in re.findall(r"\bw?g?mma\S*\.(?:sync|async)\S*", assembly))
        ),
        **{f"compiled_{name}": number for name, number in _unwanted(text).items()},
    }


def _tensor_core(word: str) -> str:
    found = re.search(r"(tf32|bf16|f16|f64)", word.partition(".f32.")[2] or word)
    return found.group(1) if found else "other"


def _unwanted(text: str) -> dict[str, int]:
    return {
        "float64": len(re.findall(r"\bf64\[", text)),
        "callbacks": len(re.findall(r'custom_call_target="[^"]*callback', text)),
        "collectives": len(re.findall(rf"\b(?:{_COLLECTIVES})(?:-start)?\(", text)),
    }


def _starts(thunks: str) -> int:
    """Returns what the host starts for one pass of a loop, the most of any: command buffers, and
    kernels that are in none. It is one where the whole body is a single command buffer.
    """
    most = 0
    for _, body in re.findall(r"^( *)body:\n((?:\1 +.*\n?)*)", thunks, re.MULTILINE):
        lines = [line for line in body.splitlines() if line.strip()]
        edge = min(len(line) - len(line.lstrip()) for line in lines)
        most = max(most, sum(len(line) - len(line.lstrip()) == edge for line in lines))
    return most


def _sums_of_16_bits(module: Module) -> int:
    """Returns how many reductions hand on partial sums of 16 bits."""
    found = 0
    for one in module.instructions():
        if one.opcode == "reduce" and one.arrays and one.arrays[0][0] == "bf16":
            combiner = module.computations.get(one.called("to_apply"), {})
            found += any(inner.opcode == "add" for inner in combiner.values())
    return found
