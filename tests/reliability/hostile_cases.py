"""The ways in which a stranger may spoil a run directory; `hostile_runs.py` tries them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from fer_jax.store import sealed

WAVE = "stack_0-wave_0"
ALL = ("load", "report", "compare", "predict", "export", "sweep")
READERS = ALL[:5]
DEEP = 100_000
MANY = 10**12
EXECUTED = Path(tempfile.gettempdir()) / f"fer_jax_pickle_was_executed_{os.getpid()}"


@dataclasses.dataclass(frozen=True)
class Case:
    """One hostile run.

    Attributes:
        spoil: is given a run's folder and that of the victim beside it, and spoils the run.
        refused: the actions that have to refuse the run; the others may go on.
        named: the word that their one line has to have.
    """

    spoil: Callable[[Path, Path], None]
    refused: tuple[str, ...] = ()
    named: str = ""


# Documents


def edit(run: Path, name: str, change: Callable[[dict], None]) -> None:
    document = json.loads((run / name).read_text())
    change(document)
    (run / name).write_text(json.dumps(document))


def in_plan(change: Callable[[dict], None]) -> Callable[[Path, Path], None]:
    return lambda run, victim: edit(run, "plan.json", lambda document: change(document["stacks"][0]))


def wave_called(name: str) -> Callable[[Path, Path], None]:
    def spoil(run: Path, victim: Path) -> None:
        edit(run, "plan.json", lambda document: document["stacks"][0]["waves"][0].update(name=name or str(victim)))

    return spoil


def in_config(**values) -> Callable[[Path, Path], None]:
    return lambda run, victim: edit(run, "config.json", lambda document: document.update(values))


def in_data(**values) -> Callable[[Path, Path], None]:
    return lambda run, victim: edit(run, "config.json", lambda document: document["data"].update(values))


def cell(name: str, column: str, value) -> Callable[[Path, Path], None]:
    def spoil(run: Path, victim: Path) -> None:
        table = pd.read_csv(run / name, dtype=str)
        table[column] = table[column].astype(object)
        table.loc[0, column] = value
        # Whoever writes a hostile table seals it as well.
        sealed.write(run / name, table.to_csv(index=False).encode())

    return spoil


def content(name: str, data: bytes | Callable[[], bytes]) -> Callable[[Path, Path], None]:
    """A file of the run, or all that match a pattern, has another content."""

    def spoil(run: Path, victim: Path) -> None:
        paths = list(run.glob(name)) or [run / name]
        for path in paths:
            path.write_bytes(data if isinstance(data, bytes) else data())

    return spoil


def sparse(name: str) -> Callable[[Path, Path], None]:
    return lambda run, victim: os.truncate(run / name, 1 << 40)


def scripts(run: Path, victim: Path) -> None:
    text = (run / "config.json").read_text().replace("happy", SCRIPT).replace("synthetic faces", SCRIPT)
    (run / "config.json").write_text(text)


def add_trial(run: Path, victim: Path) -> None:
    table = pd.read_csv(run / "trials.csv", dtype=str)
    more = table.iloc[[0]].assign(id="0123456789")
    sealed.write(run / "trials.csv", pd.concat([table, more]).to_csv(index=False).encode())


# Links, pipes, second names


def link(name: str, target: str = "") -> Callable[[Path, Path], None]:
    def spoil(run: Path, victim: Path) -> None:
        path = next(iter(run.glob(name)), run / name)
        if path.is_dir():
            path.rename(run.parent / "victim" / "moved")
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(victim / target if target else victim / "moved" if (victim / "moved").exists() else victim)

    return spoil


def second_name(name: str) -> Callable[[Path, Path], None]:
    def spoil(run: Path, victim: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).hardlink_to(victim / "notes.txt")

    return spoil


def pipe(name: str) -> Callable[[Path, Path], None]:
    def spoil(run: Path, victim: Path) -> None:
        path = next(iter(run.glob(name)), run / name)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return spoil


def temporaries(run: Path, victim: Path) -> None:
    for name in ("report.html", "config.json", "trials.csv"):
        (run / f".{name}.{os.getpid()}.tmp").symlink_to(victim / "notes.txt")


def second_temporaries(run: Path, victim: Path) -> None:
    for name in ("report.html", "config.json", "trials.csv"):
        (run / f".{name}.{os.getpid()}.tmp").hardlink_to(victim / "notes.txt")


def pipe_beside(run: Path, victim: Path) -> None:
    os.mkfifo(run.parent / "study.csv")


# Arrays and tables that claim more than they hold


def header(shape: tuple[int, ...], kind: str = "<f4", tail: bytes = b"1234") -> bytes:
    """A .npy file that claims a shape."""
    found = io.BytesIO()
    np.lib.format.write_array_header_1_0(found, {"descr": kind, "fortran_order": False, "shape": shape})
    return found.getvalue() + tail


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return found.getvalue()


class Executed:
    """An object whose pickle, when it is loaded, makes the folder `EXECUTED`."""

    def __reduce__(self):
        return os.mkdir, (str(EXECUTED),)


def pickled(packed: bool) -> bytes:
    shape = header((1,), "|O", pickle.dumps(Executed()))
    return zipped({"validation_labels.npy": shape, "test_labels.npy": shape}) if packed else shape


@functools.cache
def bomb() -> bytes:
    return zipped({"validation_labels.npy": header((1 << 28,), "|i1", bytes(1 << 28))}, zipfile.ZIP_DEFLATED)


def labels(value: int) -> bytes:
    found = io.BytesIO()
    many = {f"{split}_labels": np.full(35, value, np.int32) for split in ("validation", "test")}
    np.savez(found, **many, **{name.replace("labels", "leaked"): np.zeros(35, bool) for name in many})
    return found.getvalue()


def stored(change: Callable[[dict], None]) -> Callable[[Path, Path], None]:
    """The metadata of an array in the final weights say something else."""

    def spoil(run: Path, victim: Path) -> None:
        import tensorstore as ts

        base = next((run / "checkpoints" / WAVE).glob("final-*/manifest.ocdbt")).parent
        store = ts.KvStore.open({"driver": "ocdbt", "base": {"driver": "file", "path": f"{base}/"}}).result()
        for key in (key for key in store.list().result() if key.endswith(b"zarr.json") and b"kernel" in key):
            document = json.loads(store.read(key).result().value)
            change(document)
            store.write(key, json.dumps(document).encode()).result()

    return spoil


def long_shape(document: dict) -> None:
    document["shape"][1] = MANY


def long_chunk(document: dict) -> None:
    chunk = document["chunk_grid"]["configuration"]["chunk_shape"]
    chunk[1] *= 10**9


def many_slots(document: dict) -> None:
    document["shape"][0] = MANY


def curves(frame: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path, Path], None]:
    def spoil(run: Path, victim: Path) -> None:
        path = next((run / "curves").glob("*.parquet"))
        frame(pd.read_parquet(path)).to_parquet(path, index=False)

    return spoil


def alike(rows: int, text: str) -> Callable[[Path, Path], None]:
    """A part of the curves with many rows, all alike, in some thousand bytes."""

    def spoil(run: Path, victim: Path) -> None:
        path = next((run / "curves").glob("*.parquet"))
        path.write_bytes(rows_alike(tuple(pd.read_parquet(path).columns), rows, text))

    return spoil


@functools.cache
def rows_alike(columns: tuple[str, ...], rows: int, text: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    group = min(rows, 10**7)
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(group, np.int32)), pa.array([text]))
    zeros = pa.array(np.zeros(group))
    table = pa.table({name: ids if name == "id" else zeros for name in columns})
    found = io.BytesIO()
    with pq.ParquetWriter(found, table.schema) as writer:
        for _ in range(rows // group):
            writer.write_table(table, row_group_size=group)
    return found.getvalue()


def with_seal(data: bytes) -> bytes:
    return data + hashlib.sha256(data).digest()


SCRIPT = "<script>alert('x')</script>"
UBJ_MANY = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner[$l#L" + (2**62).to_bytes(8, "big") + b"\x00"
UBJ_DEEP = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner" + b"[" * 1_000_000
LINKED = (
    ".lock", "log.txt", "report.html", "figures", "tables", "curves", "checkpoints", f"checkpoints/{WAVE}",
    f"checkpoints/{WAVE}/final-000001", "features", "heads", "predictions", "config.json", "plan.json", "trials.csv",
    "heads.csv", "summary.csv", "exports", "tensorboard", "mlflow.db",
)  # fmt: skip

CASES: dict[str, Case] = {
    "a wave of the plan leads out": Case(wave_called("../../victim"), ("sweep",), "../../victim"),
    "a wave of the plan is an absolute path": Case(wave_called(""), ("sweep",), "victim"),
    "a stack of the plan leads out": Case(in_plan(lambda stack: stack.update(name="../x")), ("sweep",), "../x"),
    "a trial of the plan leads out": Case(
        in_plan(lambda stack: stack["waves"][0]["trials"].append("../../victim")), ("sweep",), "../../victim"
    ),
    "a wave is planned twice": Case(in_plan(lambda stack: stack["waves"].extend(stack["waves"])), ("sweep",), WAVE),
    "a wave of 10^12 slots": Case(in_plan(lambda stack: stack.update(width=MANY)), ("sweep",), "width"),
    "a wave of 1e999 slots": Case(
        lambda run, victim: (run / "plan.json").write_text(
            (run / "plan.json").read_text().replace('"devices": ', '"devices": 1e999, "old": ')
        ),
        ALL[:1] + ALL[5:],
        "plan.json",
    ),
    "an engine that there is not": Case(in_plan(lambda stack: stack.update(engine="../x")), ("sweep",), "engine"),
    "a trial's wave leads out": Case(cell("trials.csv", "wave", "../../victim"), ALL, "../../victim"),
    "a trial's id leads out": Case(cell("trials.csv", "id", "../../victim/x"), ALL, "../../victim/x"),
    "a trial's slot is negative": Case(cell("trials.csv", "slot", "-1"), ALL, "slot"),
    "a trial's slot is 10^18": Case(cell("trials.csv", "slot", str(10**18))),
    "a trial's slot is 1e999": Case(cell("trials.csv", "slot", "1e999"), ALL, "trials.csv"),
    "a trial that is not of the sweep": Case(add_trial),
    "a fit leads out": Case(cell("heads.csv", "fit", "../../victim/notes"), ("load", "report", "sweep"), "notes"),
    "a layer leads out": Case(cell("heads.csv", "head.layer", "../../victim/x"), ("load", "report", "sweep"), "victim"),
    "a checksum leads out": Case(in_data(checksum="../../victim/notes"), ALL, "../../victim"),
    **{f"{name} is a link": Case(link(name), ALL, Path(name).name) for name in LINKED},
    "a picture in figures/ is a link": Case(link("figures/main_effects.png", "notes.txt"), ALL, "main_effects.png"),
    "a file of the weights is a link": Case(link("checkpoints/*/final-*/**/_METADATA", "notes.txt"), ALL, "_METADATA"),
    "temporary names are links": Case(temporaries, ALL, "is a link"),
    "temporary names are second names": Case(second_temporaries),
    **{f"{name} has a second name": Case(second_name(name), ("sweep",), name) for name in (".lock", "log.txt")},
    "report.html has a second name": Case(second_name("report.html")),
    **{
        f"{name} is a pipe": Case(pipe(name), ALL, Path(name).suffix)
        for name in ("config.json", "trials.csv", "log.txt", ".lock", "predictions/*.npz", "curves/*.parquet")
    },
    "study.csv beside the run is a pipe": Case(pipe_beside),
    **{
        f"{name}, nested 100,000 deep": Case(content(name, b'{"a":' * DEEP + b"1" + b"}" * DEEP), refused, name)
        for name, refused in (("config.json", ALL), ("plan.json", ("load", "sweep")))
    },
    "config.json, nested 900 deep": Case(content("config.json", b'{"a":' * 900 + b"1" + b"}" * 900), ALL, "deep"),
    "config.json, 10^5 digits": Case(content("config.json", b'{"seconds": ' + b"9" * 10**5 + b"}"), ALL, "config.json"),
    "config.json, no number": Case(content("config.json", b'{"seconds": NaN}'), ALL, "NaN"),
    "config.json is a list": Case(content("config.json", b"[1]"), ALL, "config.json"),
    "config.json of other kinds": Case(in_config(swept=3, data=[]), ALL, "data"),
    "a config of other kinds": Case(in_config(config={"sweep": [], "train.epochs": {}}), READERS),
    "a million classes": Case(in_data(classes=[f"c{number}" for number in range(10**6)]), ALL, "classes"),
    "a swept field without a column": Case(in_config(swept=["train.l2"]), READERS, "train.l2"),
    "scripts in the names": Case(scripts),
    "a lone surrogate in the label": Case(in_data(label="\ud800")),
    **{f"{name} of 1 TB": Case(sparse(name), ALL, name) for name in ("config.json", "trials.csv")},
    "plan.json of 1 TB": Case(sparse("plan.json"), ("load", "sweep"), "plan.json"),
    "a table of a million columns": Case(
        content("trials.csv", lambda: b"id,status," + b",".join(b"c%d" % number for number in range(10**6)) + b"\n"),
        ALL,
        "columns",
    ),
    "labels of 10^12 rows": Case(content("predictions/*.npz", zipped({"test_labels.npy": header((MANY,), "<i4")}))),
    "labels that unpack to 256 MB": Case(content("predictions/*.npz", bomb)),
    "labels that are pickled": Case(content("predictions/*.npz", lambda: pickled(True))),
    "labels of other classes": Case(content("predictions/*.npz", lambda: labels(2**31 - 1))),
    "predictions of 10^12 rows": Case(content("predictions/*.npy", header((2, MANY, 7)))),
    "predictions of 10^12 rows of nothing": Case(content("predictions/*.npy", header((2, MANY, 0), tail=b""))),
    "predictions that are pickled": Case(content("predictions/*.npy", lambda: pickled(False))),
    "features of 10^12 rows": Case(content("features/*.npy", header((MANY, 8)))),
    "a seal of features, nested deep": Case(content("features/*.json", b"[" * DEEP)),
    "weights of 10^12 rows": Case(stored(long_shape), ("predict",), "checkpoints"),
    "weights in chunks of 10^11 rows": Case(stored(long_chunk)),
    "weights of 10^12 slots": Case(stored(many_slots)),
    "metadata of the weights, nested deep": Case(content("checkpoints/*/final-*/**/_METADATA", b'{"a":' * DEEP)),
    "metadata of the weights, 1 TB": Case(
        lambda run, victim: [os.truncate(path, 1 << 40) for path in run.glob("checkpoints/*/final-*/**/_METADATA")]
    ),
    "curves of 6 * 10^7 rows": Case(alike(6 * 10**7, "0123456789")),  # left out of what is shown
    "curves with ids of a megabyte": Case(alike(10**6, "x" * 10**6)),
    "curves of epoch 10^15": Case(curves(lambda table: table.assign(epoch=10**15))),
    "an estimator that unpacks to 256 MB": Case(content("heads/*.skops", bomb)),
    "an estimator that is pickled": Case(content("heads/*.skops", lambda: pickle.dumps(Executed()))),
    "trees of 2^62 numbers": Case(content("heads/*.ubj", with_seal(UBJ_MANY))),
    "trees, nested deep": Case(content("heads/*.ubj", with_seal(UBJ_DEEP))),
}
