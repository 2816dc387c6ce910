"""Compares the training step of several source trees of fer_jax in one process, by turns.

    git worktree add /tmp/before COMMIT
    python benchmarks/compare.py /tmp/before . [--size=24] [--cases=8:0,32:8] [--trials=4]
        [--images=512] [--epochs=21] [--precision=float32]

oslo's network with dropout, mapped over one host device a core; a case is batch size:micro-batch,
and the trees take turns epoch by epoch.
What to quote is the ratio to the first tree, the median over the turns: these machines drift by a
factor of two within minutes.
"""

import argparse
from pathlib import Path

from candidate import Candidate, Work, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--cases", default="8:0,32:8")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=21)
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    codes = [load(tree) for tree in options.trees]
    codes[0].hardware.prepare_host_devices()
    for case in options.cases.split(","):
        batch, micro_batch = map(int, case.split(":"))
        settings = (("model.dropout", 0.4), ("train.precision", options.precision))
        work = Work(options.size, batch, options.trials, options.images, micro_batch, settings=settings)
        candidates = [Candidate(code, work) for code in codes]
        for _ in range(options.epochs):
            for candidate in candidates:
                candidate.run()
        for tree, candidate in zip(options.trees, candidates, strict=True):
            print(
                f"{options.size} px  batch {batch} in {micro_batch or batch}s  {tree}  {candidate.rate:,.0f} img/s  "
                f"x {candidate.ratio(candidates[0]):.2f}  compiled in {candidate.compile_seconds:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
