"""Class probabilities of pictures, files and folders, of any size and colour:
`python -m fer_jax.predict RUN IMAGE...`.

By default the repeats of the point that validation found best answer together: the mean of their
probabilities and, beside it, the standard deviation over them.

With --labelled the one argument after RUN is a data set with the pictures by class, and what is
printed is how right the answers are, with and without the pictures that have a copy among those
trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from fer_jax.base import console
from fer_jax.base.text import shown
from fer_jax.config import fields
from fer_jax.config.choices import LIKENESS, TEST_TIME
from fer_jax.config.program import Command, run_program
from fer_jax.errors import ConfigError, FerJaxError, RunError

if TYPE_CHECKING:
    from fer_jax.results.ensemble import Ensemble
    from fer_jax.results.run import Run

USAGE = "usage: python -m fer_jax.predict RUN IMAGE_OR_FOLDER ... [flags], or RUN DATA --labelled [flags]"
# Flags that mean nothing without --labelled, and with it.
_LABELLED_ONLY = ("splits", "same_class", "copies", "train_data")
_PICTURES_ONLY = ("faces", "score", "show", "csv")


def _declare(values: flags.FlagValues) -> None:
    own: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_multi_string("trial", [], "Ask this trial; several times for the mean of several.", **own)
    flags.DEFINE_integer(
        "top", None, "Ask the done trials of the best points, this many of them; by default 1.", lower_bound=1, **own
    )
    flags.DEFINE_string(
        "by", None, "The metric that chooses points, such as val_accuracy; by default the run's train.select.", **own
    )
    flags.DEFINE_multi_string("where", [], "Only points with FIELD=VALUE; several times for several fields.", **own)
    flags.DEFINE_enum(
        "tta", None, list(TEST_TIME), "Test-time augmentation: picture and mirror image, or ten crops.", **own
    )
    flags.DEFINE_bool("faces", False, "Find the faces in each picture, a row each (needs the extra 'faces').", **own)
    flags.DEFINE_enum("score", "energy", list(LIKENESS), "How likeness to the training data is measured.", **own)
    flags.DEFINE_integer(
        "show",
        3,
        "Classes in a row of the table, the most probable first; --csv and --json have all.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_bool("json", False, "Print one JSON document instead of a table.", **own)
    flags.DEFINE_bool("csv", False, "Print comma-separated values instead of a table.", **own)
    flags.DEFINE_bool(
        "labelled",
        False,
        "Ask about a labelled data set (folder, zip, tar or csv) and print how right the answers are.",
        **own,
    )
    flags.DEFINE_list(
        "splits", [], "With --labelled: its train, validation, test or unassigned pictures only; by default all.", **own
    )
    flags.DEFINE_multi_string(
        "same_class", [], "With --labelled: THEIRS=OURS where names differ, as joy=happy; several times.", **own
    )
    flags.DEFINE_bool("copies", True, "With --labelled: look for copies among the pictures trained on.", **own)
    flags.DEFINE_string(
        "train_data", None, "With --labelled: where the run's own data lie now, if not at data.path.", **own
    )


def main(argv: list[str]) -> int:
    """Runs the program and returns its exit status.

    0: done; 1: some pictures got no answer; 2: an error of the user's; 130: stopped.
    """
    return run_program(argv, __doc__, USAGE, _declare, _check, _run)


def _check(command: Command) -> str:
    values, given = command.flags, command.arguments
    if len(given) < 2:
        return "name a run and a picture or a folder"
    if values.json and values.csv:
        return "--json and --csv: choose one"
    if values.trial and (values.top or values.by or values.where):
        return "--trial names the network, --top, --by and --where choose points: leave one out"
    if values.labelled and len(given) > 2:
        return "--labelled asks about one data set: name one"
    for name in _PICTURES_ONLY if values.labelled else _LABELLED_ONLY:
        if values[name].present:
            return (
                f"--{name} says nothing with --labelled: leave one out"
                if values.labelled
                else f"--{name} needs --labelled"
            )
    return ""


def _run(command: Command) -> int:
    # JAX takes seconds to import; errors of the command line need not wait for it.
    from fer_jax.base import cache
    from fer_jax.prediction import printing
    from fer_jax.prediction.pictures import classify, find_pictures
    from fer_jax.results.run import load_run
    from fer_jax.train import hardware

    values, given = command.flags, command.arguments
    if programs := cache.optional("compiled"):
        hardware.use_compilation_cache(programs)
    run = load_run(given[0])
    ensemble = _ensemble(run, values)
    if values.labelled:
        return _evaluate(ensemble, values, given[1])
    try:
        threshold, why = ensemble.threshold(values.score), ""
    except RunError as error:
        threshold, why = None, str(error)
    answers = classify(ensemble, find_pictures(given[1:]), values.faces, values.tta, values.score)
    printer = printing.Json if values.json else printing.Csv if values.csv else printing.Table
    asked = printing.Asked(values.score, values.tta, values.faces, values.show)
    # Rows of CSV come as they are found: in a terminal a bar would stand among them.
    if not (values.csv and sys.stdout.isatty()):
        answers = console.following(answers, "asking", "answers")
    return printer(ensemble, asked, threshold, why).write(answers, sys.stdout)


def _evaluate(ensemble: Ensemble, values: flags.FlagValues, path: str) -> int:
    """Prints how right the networks' answers are on a labelled data set.

    Copies are not sought where the networks' own data are missing.
    """
    from fer_jax.prediction import external, printing

    same = {}
    for text in values.same_class:
        theirs, equals, ours = text.partition("=")
        if not (theirs and equals and ours):
            raise ConfigError(f"--same_class={text}: write THEIRS=OURS, such as --same_class=joy=happy")
        same[theirs.strip()] = ours.strip()
    options = {"splits": values.splits, "classes": same, "tta": values.tta}
    copies, why = values.copies, ""
    if copies:
        try:
            for member in ensemble.members:
                member.dataset(values.train_data)
        except FerJaxError as error:
            copies, why = False, str(error)
    with console.working(f"asking about {shown(path)}", plain=False):
        found = external.evaluate(ensemble, path, copies=copies, train_path=values.train_data, **options)
    asked, label = ensemble.members[0].run.path, ensemble.members[0].data.get("label", "unknown data")
    if values.json:
        networks = {
            "run": str(asked),
            "networks": ensemble.label,
            "trials": [one.id for one in ensemble.members],
            "dead": printing.dead_answers(ensemble),
            "trained_on": label,
        }
        document = {**networks, "copies_not_sought": why or None, **found.to_json()}
        print(printing.json_text(document, sys.stdout))
    else:
        heads = [f"{ensemble.label} of {asked}, trained on {label}"]
        heads += [f"warning: {ensemble.warning}"] if ensemble.warning else []
        page = console.Page(sys.stdout)
        for line in (*heads, *external.describe(found, why)):
            page.line(line)
    return 0


def _ensemble(run: Run, values: flags.FlagValues) -> Ensemble:
    from fer_jax.results.ensemble import Ensemble

    if not values.trial:
        return run.ensemble(values.by, values.top or 1, **_wanted(run, values.where))
    members = tuple({trial.id: trial for trial in map(run.trial, values.trial)}.values())
    return Ensemble(members, f"trial {members[0].id}" if len(members) == 1 else f"{len(members)} trials")


def _wanted(run: Run, conditions: Sequence[str]) -> dict[str, Any]:
    """Returns field -> value, as `Run.select` takes them, from texts FIELD=VALUE."""
    wanted = {}
    for condition in conditions:
        name, equals, text = condition.partition("=")
        if not (name and equals):
            raise ConfigError(f"--where={condition}: write FIELD=VALUE, such as --where=learning_rate=1e-3")
        wanted[name] = fields.FIELDS[run.field_name(name)].parse(text)
    return wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv))
