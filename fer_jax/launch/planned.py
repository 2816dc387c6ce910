"""The plan of a sweep for the hardware at hand, and whether there is memory for it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from fer_jax import plan as planning
from fer_jax.config.search_space import Trial
from fer_jax.errors import ConfigError
from fer_jax.launch.prepared import Prepared
from fer_jax.plan import Plan, Stack, Wave, tuning
from fer_jax.plan.measurements import Measurements
from fer_jax.train import hardware


def plan_sweep(
    prepared: Prepared,
    trials: Mapping[str, Trial] | None = None,
    first_stack: int = 0,
    say: Callable[[str], None] = tuning.to_stderr,
    threshold: float = tuning.THRESHOLD_SECONDS,
    measures: bool = True,
    times_product: bool = False,
) -> Plan:
    """Plans a sweep, or some of its trials, for the hardware at hand.

    Nothing in the plan depends on what else the machine does, except where a measurement made now
    decides. `say` gets a line about that and about what is not known.

    Args:
        prepared: the sweep.
        trials: those to plan; None for all.
        first_stack: number of the first stack.
        say: shows a line to a person while something is measured.
        threshold: estimated seconds above which a stack's engine is chosen by measuring.
        measures: whether to measure and ask the compiler where nothing is kept from earlier; if
            not, the shipped table and estimates decide, in seconds.
        times_product: whether a matrix product is timed too, if none was on this processor.
    """
    options = _options(prepared)
    chosen = prepared.trials if trials is None else trials
    found = _hardware(prepared)
    tuner = tuning.Tuner(Measurements.here(found), say, threshold, measures=measures)
    found = dataclasses.replace(found, product_rate=tuner.product_rate(found, times_product))
    plan = planning.make_plan(chosen, prepared.sizes, options, found, first_stack, tuner)
    if found.backend == "cpu" and not measures and not tuner.known_product_rate():
        say("the time is that of a typical processor of this kind; --plan=measure times this one")
    if tuner.unknown:
        say(f"not measured: {tuner.describe_unknown()}; the sweep's start measures that, --plan=measure now")
    return plan


def cut_again(prepared: Prepared, stack: Stack, trials: Sequence[str]) -> tuple[Wave, ...]:
    """Returns waves for some of a stack's trials, given by their ids; see `plan.cut_again`."""
    group = {identity: prepared.trials[identity] for identity in trials}
    sizes = prepared.sizes(next(iter(group.values())))
    return planning.cut_again(stack, group, sizes, _options(prepared), _hardware(prepared))


def _options(prepared: Prepared) -> planning.Options:
    names = [field.name for field in dataclasses.fields(planning.Options)]
    return planning.Options(**{name: prepared.config.stack[name] for name in names})


def room_for(prepared: Prepared) -> planning.Room:
    """Returns the memory that there is for a sweep's plan."""
    return planning.Room(_hardware(prepared), hardware.available_memory())


def check_room(prepared: Prepared, plan: Plan, say: Callable[[str], None]) -> None:
    """Checks that there is memory for a plan, and says what may not fit.

    Raises:
        ConfigError: a stack needs more than a CPU's machine has, where the system would end the
            process without a word. An accelerator tells, see `halving`.
    """
    room = room_for(prepared)
    if shortages := room.shortages(plan):
        if room.hardware.backend == "cpu":
            raise ConfigError(shortages[0])
        for line in shortages:
            say(f"note: {line}")
    if tight := room.tightness(plan):
        say(tight)


def _hardware(prepared: Prepared) -> hardware.Hardware:
    """Returns the hardware at hand with as much memory as the user allows."""
    found = hardware.detect(measure_rate=False)
    allowed = prepared.config.stack.memory
    return dataclasses.replace(found, memory=int(allowed * 1e9)) if allowed else found
