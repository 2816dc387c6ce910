"""Finds copies, leaks, conflicting labels and pictures with nothing on them:
`python -m fer_jax.audit DATA [DATA]`.

DATA is what data.path takes: a folder, a zip, a tar or a fer2013.csv; 'synthetic' is the built-in
faces. Of one data set the splits are held against each other, of two every picture of either
against the other. What is printed is written to audit.json too, and every offending picture to
offenders.csv.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from fer_jax.base import console
from fer_jax.base.files import write_bytes
from fer_jax.base.text import aligned, counted
from fer_jax.config.command_line import override, read_file, split_variants
from fer_jax.config.program import Command, run_program
from fer_jax.config.values import canonical, default_config
from fer_jax.data import contents, remarks, sizes
from fer_jax.data.inspection import Inspection, compare, examine
from fer_jax.data.offenders import COLUMNS
from fer_jax.data.splits import STRATIFIED

USAGE = "usage: python -m fer_jax.audit DATA [DATA] [--config.data.a=value ...] [--out=DIR] [--split=SPLIT] [flags]"
NOTE = (
    "Config fields: every --config.data.* of a sweep, and --config=FILE for those of a config file. Of two data sets\n"
    "they say how the first is read, and the flags above how both are; image size and channels always hold for both."
)
# Flags that are shorter names of config fields.
_FIELDS = {
    "kind": "name", "split": "split", "seed": "seed", "classes": "classes",
    "image_size": "image_size", "channels": "channels",
}  # fmt: skip
# What changes no image that is looked at; each is looked at once, and broken ones are left out.
_UNUSED = ("data.balance", "data.balance_splits", "data.normalize", "data.on_error")


def _declare(values: flags.FlagValues) -> None:
    splits = [contents.GIVEN, "official", "kaggle", *STRATIFIED, "kfold"]
    flags.DEFINE_string(
        "out", None, "Folder for audit.json and offenders.csv; by default audits/<name of DATA>.", flag_values=values
    )
    flags.DEFINE_enum(
        "kind", "auto", contents.KINDS, "data.name to read DATA with; auto = by the names in it.", flag_values=values
    )
    flags.DEFINE_enum(
        "split", contents.GIVEN, splits, "Splits as the source has them, or a data.split.", flag_values=values
    )
    flags.DEFINE_list("classes", [], "Class names to look at, joined by commas; all by default.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "data.seed of a stratified split.", 0, 2**31 - 1, flag_values=values)
    flags.DEFINE_integer(
        "image_size", 48, "Height and width at which pictures are compared, pixels.", 8, 512, flag_values=values
    )
    flags.DEFINE_integer("channels", 1, "1 compares in grey, 3 in colour.", flag_values=values)
    flags.register_validator("channels", lambda number: number in (1, 3), "must be 1 or 3", flag_values=values)


def main(argv: list[str]) -> int:
    """Runs the program and returns its exit status.

    0: done, whatever was found; 2: an error of the user's; 130: stopped.
    """
    return run_program(argv, __doc__, USAGE, _declare, _check, _run, takes_config=True, note=NOTE)


def _check(command: Command) -> str:
    named = len(command.arguments)
    if not 1 <= named <= 2:
        return f"{counted(named, 'data set')} named, one or two wanted"
    if other := [name for name in command.overrides if not name.startswith("data.")]:
        return f"--config.{other[0]} says nothing of data, and an audit takes --config.data.* only: leave it out"
    if "data.path" in command.overrides:
        return "--config.data.path and DATA both name the data: leave one out"
    for flag, field in _FIELDS.items():
        if command.flags[flag].present and f"data.{field}" in command.overrides:
            return f"--{flag} and --config.data.{field} are one: leave one out"
    return ""


def _run(command: Command) -> int:
    given, paths = command.flags, command.arguments
    blocks = _blocks(command)
    for name in _UNUSED:
        if name in command.overrides:
            console.say(f"{name} changes nothing here: an audit looks at every picture once, as it is")
    read = [contents.look(block) for block in blocks]
    with console.working("looking for copies and mistakes", plain=False):
        found = examine(*read) if len(read) == 1 else compare(*read)
    folder = Path(given.out or Path("audits") / "_and_".join(_slug(path) for path in paths))
    write(found, folder)
    page = console.Page(sys.stdout)
    for line in (describe if len(read) == 1 else describe_two)(found.summary, page.columns):
        page.line(line)
    if len(read) > 1 and (command.overrides or command.config):
        console.show("A was read as --config says; B as it is, in the image size and channels of A")
    console.show(f"\n{folder / 'audit.json'}\n{folder / 'offenders.csv'}: {counted(len(found.offenders), 'row')}")
    return 0


def _blocks(command: Command) -> list[ConfigDict]:
    """Returns `config.data` of each data set: the first's by --config, the second's by default."""
    configs = [default_config() for _ in command.arguments]
    for config in configs:
        config.data.name, config.data.split = "auto", contents.GIVEN
    if command.config:
        configs[0] = canonical(read_file(*split_variants(command.config)))
        if configs[0].data.name == "synthetic":
            configs[0].data.name = "auto"
    override(configs[0], command.overrides)
    for config, path in zip(configs, command.arguments, strict=True):
        config.data.path = path
        for flag, field in _FIELDS.items():
            if command.flags[flag].present:
                value = command.flags[flag].value
                config.data[field] = tuple(value) if isinstance(value, list) else value
        for field in ("image_size", "channels"):
            config.data[field] = configs[0].data[field]
    return [config.data for config in configs]


def write(found: Inspection, folder: Path) -> None:
    """Writes audit.json and offenders.csv, each in full or not at all.

    Raises:
        RunError: the disk refuses.
    """
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found.offenders)
    write_bytes(folder / "audit.json", (json.dumps(found.summary, indent=1) + "\n").encode(), "--out")
    write_bytes(folder / "offenders.csv", table.getvalue().encode("utf-8", "backslashreplace"), "--out")


def describe(summary: Mapping[str, Any], columns: int | None = None) -> list[str]:
    """Returns what was found in one data set as lines for people.

    `columns` is the width of the terminal; None where lines may be as wide as they are.
    """
    exact, near, broken = summary["exact"], summary["near"], summary["broken"]
    within = ", ".join(f"{count:,} within {name}" for name, count in exact["redundant_within"].items() if count)
    rows = [
        [
            "redundant exact copies",
            exact["redundant"],
            f"in {counted(exact['groups'], 'group')}" + (f"; {within}" if within else ""),
        ],
        [
            "groups with conflicting labels",
            exact["conflicting_groups"],
            counted(exact["conflicting_pictures"], "picture"),
        ],
        [
            "near copies, pairs",
            near["pairs"],
            f"{counted(near['pictures'], 'picture')}; {near['conflicting_pairs']:,} with two labels",
        ],
        ["constant pictures", summary["constant"], ""],
        ["nearly constant pictures", summary["nearly_constant"], ""],
        [
            "broken items, left out",
            broken["count"],
            ", ".join(f"{count:,} {kind}" for kind, count in broken["kinds"].items()),
        ],
    ]
    lines = [*_heading(summary["data"], columns), "", *_table(rows, "lrl")]
    leaks = [
        [
            f"{name} pictures in {other}",
            count["exact"],
            count["any"],
            _share(count["any"], summary["data"]["splits"][name]),
        ]
        for name, places in summary["leaks"].items()
        for other, count in places.items()
    ]
    if leaks:
        lines += ["", *_table([["leaks", "exact", "exact or near", "share"], *leaks], "lrrr")]
    told = [*remarks.remarks(summary["data"]["provenance"]), *summary["notes"]]
    return [*lines, *([""] if told else []), *told]


def describe_two(summary: Mapping[str, Any], columns: int | None = None) -> list[str]:
    """Returns what two data sets share as lines for people; `columns` as for `describe`."""
    lines = []
    for letter, data in zip("AB", summary["data"], strict=True):
        lines += _heading({**data, "path": f"{letter}: {data['path']}"}, columns)
        lines += [f"   {line}" for line in remarks.remarks(data["provenance"])]
    for own, other, key in (("B", "A", "second_in_first"), ("A", "B", "first_in_second")):
        found = summary[key]
        places = list(found["all"]["in"])
        head = [
            f"pictures of {own}",
            "",
            *(f"in {other}'s {place}" if place != "all" else f"in {other}" for place in places),
        ]
        rows = []
        for name, line in found.items():
            cells = [f"{line['in'][place]['exact']:,} / {line['in'][place]['any']:,}" for place in places]
            share = _share(line["in"]["all"]["any"], line["pictures"])
            rows.append([name, line["pictures"], *cells, share, line["other_label"]])
        lines += ["", *_table([[*head, "share", "other label"], *rows], "l" + "r" * (len(places) + 3))]
    return [
        *lines,
        "",
        "exact / exact or near copies; share: exact or near; other label: such a copy under another class name",
        *summary["notes"],
    ]


def _heading(data: Mapping[str, Any], columns: int | None) -> list[str]:
    """Returns lines on a data set: what it is, the sizes of its classes, what is left out."""
    size = "x".join(map(str, data["size"]))
    splits = ", ".join(f"{count:,} {name}" for name, count in data["splits"].items())
    made = "" if data["split"] == contents.GIVEN else f" ({data['split']})"
    if "fold" in data["provenance"]:
        made = f" (fold {data['provenance']['fold']} of {data['provenance']['folds']})"
    classes = sum(count > 0 for count in data["classes"].values())
    left_out = sizes.left_out(data["provenance"])
    there = {
        split: {name: count for name, count in by_class.items() if data["classes"][name]}
        for split, by_class in data["counts"].items()
    }
    return [
        f"{data['path']} ({data['name']}): {data['pictures']:,} pictures of {size}, {classes} classes; {splits}{made}",
        *(f"  {line}" for line in sizes.lines(there, columns and columns - 2)),
        *[f"  left out: {left_out}"] * bool(left_out),
    ]


def _share(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %" if of else ""


def _table(rows: Sequence[Sequence[Any]], sides: str) -> list[str]:
    return aligned([[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows], sides)


def _slug(path: str) -> str:
    return re.sub(r"[^\w.=+-]+", "_", Path(path).absolute().name) or "data"


if __name__ == "__main__":
    sys.exit(main(sys.argv))
