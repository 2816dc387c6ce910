"""Words that programs offer and that are no config fields; rooms above say what each does.

They stand apart so that --help need not wait for JAX and SciPy.
"""

from absl import flags

# Ways of test-time augmentation: fer_jax.models.test_time.
TEST_TIME = ("flip", "ten_crop")
# Scores of likeness to the training data: fer_jax.analysis.outliers.
LIKENESS = ("energy", "max_logit")
# What --plan stands on: what is known, or what it measures now.
KNOWN, MEASURE = "known", "measure"


class _PlanParser(flags.ArgumentParser[str]):
    """Reads `--plan`, `--noplan` and `--plan=measure`."""

    syntactic_help = "--plan or --plan=measure"

    def parse(self, argument: str) -> str:
        # absl reads a flag without a value as 'true', and --no<flag> as 'false'.
        words = {"true": KNOWN, "false": "", MEASURE: MEASURE, "": ""}
        if argument not in words:
            raise ValueError(f"must be {self.syntactic_help}")
        return words[argument]


def define_plan(values: flags.FlagValues, prints: str) -> None:
    """Defines the flag --plan: '' where it is not given, `KNOWN` or `MEASURE`.

    Args:
        values: get the flag.
        prints: what the program prints, for --help.
    """
    meaning = (
        f"Print {prints}, and stop, in seconds and the same at every call: by what was measured before, else by the "
        "shipped table. --plan=measure first measures what a sweep would at its start, and keeps it."
    )
    flag = flags.Flag(_PlanParser(), None, "plan", "", meaning)
    flag.boolean = True
    flags.DEFINE_flag(flag, values)
