"""The trainer's programs for a GPU, compiled and counted on a machine without one.

    PYTHONPATH=FOLDER python benchmarks/gpu.py {check,table,all} --json=FILE

`FOLDER` has jax's CUDA plugin; `gpu_target.py` says how it comes there.

    check   compiles six epochs of oslo's network and lowers a list of programs that covers every
            network, engine, precision and option: what tests/gpu asserts, in over two minutes
    table   compiles the epochs of docs/gpu.md's table
    all     lowers every network, and on oslo's every option and program, in each engine and
            precision: a quarter of an hour

Nothing is run: times are those of a model on paper (`gpu_count.py`), and are called predicted.
Something wrong with a lowered program (`gpu_facts.problems`) is said, and the exit status is 1.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gpu_facts
import gpu_programs
import gpu_target


def compiled(name: str, one: gpu_programs.Compiled) -> dict[str, Any]:
    """Returns the facts of a program that is compiled, and prints a line."""
    began = time.perf_counter()
    found = {"name": name, **gpu_facts.compiled(one.case, one.case.lower(), one.tile)}
    rate, seconds = found["images_per_second"] / 1000, time.perf_counter() - began
    print(
        f"{found['program']}: {found['kernels_a_step']} kernels a step, {found['bytes_an_image'] / 1e6:.1f} MB an "
        f"image, {found['temporary_bytes_a_trial'] / 1e6:.0f} MB temporary a trial, predicted {rate:,.0f}k images/s "
        f"({seconds:.0f} s)",
        flush=True,
    )
    return found


def lowered(cases: Iterator[gpu_target.Case]) -> list[dict[str, Any]]:
    """Returns the facts of programs that are lowered only, and prints a line for each."""
    rows = []
    for case in cases:
        began = time.perf_counter()
        try:
            rows.append(gpu_facts.lowered(case, case.lower()))
        except Exception as error:  # what is wrong with one is said, and the others are looked at
            rows.append({"program": str(case), "failed": f"{type(error).__name__}: {str(error).splitlines()[0]}"})
        found = rows[-1].get("precisions", "")
        print(f"{case}: {found} ({time.perf_counter() - began:.1f} s)", flush=True)
        for problem in gpu_facts.problems(rows[-1]):
            print(f"WRONG {problem}", flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("check", "table", "all"))
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.json.parent.mkdir(parents=True, exist_ok=True)  # now, not after a quarter of an hour
    gpu_target.device()
    versions = {name: version(name) for name in ("jax", "jaxlib", "jax-cuda12-plugin", "jax-cuda12-pjrt")}
    document: dict[str, Any] = {"versions": versions, "chip": gpu_target.CHIP.stem, "predicted": True}
    if options.what == "check":
        document["compiled"] = [compiled(name, one) for name, one in gpu_programs.COMPILED.items()]
        document["lowered"] = lowered(gpu_programs.covering())
    elif options.what == "table":
        cases = {str(case): gpu_programs.Compiled(case) for case in gpu_programs.TABLE}
        document["compiled"] = [compiled(name, one) for name, one in cases.items()]
        document["rows"] = [
            _predicted(one.case, row) for one, row in zip(cases.values(), document["compiled"], strict=True)
        ]
    else:
        document["lowered"] = lowered(gpu_programs.everything())
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    if any(map(gpu_facts.problems, document.get("lowered", ()))):
        raise SystemExit(1)


def _predicted(case: gpu_target.Case, row: dict[str, Any]) -> dict[str, Any]:
    """Returns a row as `accelerator.py --predicted` reads it: of the steps, without validation."""
    network = "oslo" if case.network == "cnn" else case.network
    about = {"network": network, "engine": case.engine, "width": case.width, "batch": case.batch}
    return {**about, "precision": case.precision, "images_per_second": row["images_per_second_of_steps"]}


if __name__ == "__main__":
    main()
