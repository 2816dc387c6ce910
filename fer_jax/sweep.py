"""Trains everything a config asks for: `python -m fer_jax.sweep
--config=configs/grid3d.py[:variant,...] [--config.a.b=v ...]`.
"""

import shlex
import sys
from pathlib import Path

from absl import flags

from fer_jax import run_sweep
from fer_jax.config.command_line import describe, load, split_argv
from fer_jax.errors import run_program

FLAGS = flags.FLAGS
_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory; by default runs/<config>[-variant].")
_PLAN = flags.DEFINE_bool("plan", False, "Print what would run, with its cost, and stop.")
_PRINT_CONFIG = flags.DEFINE_bool(
    "print_config", False, "Print every config field with its value, kind and meaning, and stop."
)
_EXTEND = flags.DEFINE_bool("extend", False, "Go on with a run directory that holds only some of the trials.")
_RETRY_FAILED = flags.DEFINE_bool("retry_failed", False, "Train failed trials again.")
_EXECUTOR = flags.DEFINE_enum("executor", "local", ["local"], "Where waves run: 'local' is this machine.")
USAGE = "usage: python -m fer_jax.sweep --config=FILE[:variant,...] [--config.a.b=value ...] [flags]"


def main(argv: list[str]) -> int:
    """Runs the program; returns its exit status: 0 done, 1 some trials or fits failed, 2 an error
    of the user's, 130 stopped.
    """
    return run_program(_main, argv)


def _main(argv: list[str]) -> int:
    file, overrides, rest = split_argv(argv)
    if {"-h", "--help"} & set(rest):
        print(f"{__doc__}\n\n{USAGE}\n{FLAGS.main_module_help()}\n\nConfig fields: --config=FILE --print_config")
        return 0
    try:
        extra = FLAGS(rest)[1:]
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if extra:
        print(f"error: unexpected argument {extra[0]!r}; {USAGE}", file=sys.stderr)
        return 2
    if not file:
        print(
            f"error: no config: add --config=FILE, such as --config=configs/grid3d.py:smoke; {USAGE}", file=sys.stderr
        )
        return 2
    command = f"python -m fer_jax.sweep {shlex.join(argv[1:])}"
    loaded = load(file, overrides, command)
    if _PRINT_CONFIG.value:
        print(describe(loaded.config))
        return 0

    # JAX takes seconds to import; errors above need not wait for it.
    from fer_jax import plan as planning
    from fer_jax.launch import best_points
    from fer_jax.launch.prepared import describe_data, describe_heads, notes, plan_sweep, prepare
    from fer_jax.train import hardware

    hardware.prepare_host_devices()
    if _PLAN.value:
        prepared = prepare(loaded.config)
        lines = (
            describe_data(prepared),
            *notes(prepared),
            planning.describe(plan_sweep(prepared)),
            best_points.describe(prepared.config),
            describe_heads(prepared),
        )
        print("\n".join(filter(None, lines)))
        return 0
    workdir = Path(_WORKDIR.value or Path("runs") / loaded.name)
    run = run_sweep(loaded.config, workdir, extend=_EXTEND.value, retry_failed=_RETRY_FAILED.value, command=command)
    print(f"report: {workdir / 'report.html'}")
    return 1 if run.has_failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
