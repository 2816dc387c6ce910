"""Throughput of `accelerator.py`: rounds of ways to train, in order of worth.

A round is a batch size and some ways, which take turns; the first is always one trial in a scan, in
float32. A wide stack that is mapped needs no row: its trials run one after another, as that one.
"""

import dataclasses
import statistics
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import peers
import record
from candidate import Candidate

PEERS = ("PyTorch: channels_last", "PyTorch: CUDA graph")


@dataclasses.dataclass(frozen=True)
class Way:
    """How many trials are trained, and how."""

    engine: str
    width: int
    precision: str

    def __str__(self) -> str:
        return f"fer_jax: {self.width} x {self.engine}"


ALONE = Way("map", 1, "float32")


@dataclasses.dataclass(frozen=True)
class Round:
    """Ways that take turns at a batch size, and the precisions in which PyTorch is measured."""

    batch: int
    ways: tuple[Way, ...]
    peers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"batch {self.batch}: {'; '.join(f'{way}, {way.precision}' for way in self.ways)}"


def rounds(scale: Any, code: SimpleNamespace) -> Iterator[Round]:
    """Yields all rounds, in order of worth: usual batch sizes before odd, stacks before engines."""
    precisions = code.fields.FIELDS["train.precision"].choices
    others = [engine for engine in code.engine.ENGINES if engine not in ("map", "vmap")]
    narrow, *wide = scale.widths
    stacks = tuple(Way("vmap", narrow, precision) for precision in precisions)
    engines = (*(Way(engine, narrow, "float32") for engine in others), *(Way("vmap", n, "float32") for n in wide))
    rest = [Way("map", 1, precision) for precision in precisions[1:]]
    rest += [Way("vmap", width, precision) for width in wide for precision in precisions[1:]]
    rest += [Way(engine, narrow, precision) for engine in others for precision in precisions[1:]]
    rest += [Way(engine, width, precision) for engine in others for width in wide for precision in precisions]
    usual, odd = scale.batches[:3], scale.batches[3:]
    yield from (Round(batch, stacks, precisions) for batch in usual)
    yield Round(scale.batches[0], engines)
    yield from (Round(batch, stacks, precisions) for batch in odd)
    yield from (Round(batch, engines) for batch in scale.batches[1:])
    yield from (Round(batch, tuple(rest)) for batch in scale.batches)


def throughput(session: Any) -> None:
    """Measures the rounds that wait, until the part's time is used; the others go on waiting."""
    waiting, session.waiting = session.waiting, []
    platform = session.document["backend"]
    chosen = {name: peers.CANDIDATES[name] for name in PEERS if any(turns.peers for turns in waiting)}
    others = [
        peers.Candidate(name, dataclasses.replace(arrangement, images=session.scale.alone))
        for name, arrangement in chosen.items()
        if arrangement.platform in ("", platform)
    ]
    try:
        for turns in waiting:
            if session.fits(ALONE.engine):
                _round(session, turns, others)
            else:
                session.waiting.append(turns)
    finally:
        for other in others:
            other.close()


def _round(session: Any, turns: Round, others: Sequence[peers.Candidate]) -> None:
    stacks: dict[Way, Candidate] = {}
    rows: dict[Way, dict] = {}
    later = []
    for way in (ALONE, *turns.ways):
        if not session.fits(way.engine):
            later.append(way)
            continue
        work = session.work(turns.batch, way.width, way.precision)
        made = session.stack(way.engine, f"{way}, {way.precision}, batch {turns.batch}", work, way.engine)
        if made:
            stacks[way] = made
            made.keep_first()
            about = {"batch": turns.batch, **dataclasses.asdict(way)}
            if way != ALONE or not _measured(session, about):
                found = _found(session, about, made, stacks.get(ALONE))
                rows[way] = session.add("throughput", {"candidate": str(way), **about, **found})
    if set(later) - {ALONE}:
        session.waiting.append(Round(turns.batch, tuple(later)))
    take_turns(session, f"turns, batch {turns.batch}", list(stacks.values()), session.options.repeats)
    for way, row in rows.items():
        row |= _found(session, row, stacks[way], stacks.get(ALONE))
        show(row)
    session.save()
    for precision in turns.peers:
        for other in others:
            _peer(session, other, turns.batch, precision, stacks.get(ALONE))
    for row in rows.values():
        row |= _against_peers(session, row)
    session.save()


def _measured(session: Any, about: dict[str, Any]) -> bool:
    return any(about.items() <= row.items() for row in session.rows("throughput"))


def _found(session: Any, row: dict, stack: Candidate, alone: Candidate | None) -> dict[str, Any]:
    return {
        "images_per_second": record.spread(stack.rates),
        "ratio_to_alone": statistics.median(stack.rates) / alone.rate if alone else None,
        **stack_facts(stack),
        **session.predicted(row, stack.rate),
    }


def stack_facts(stack: Candidate) -> dict[str, Any]:
    """Returns what a row says of any stack."""
    return {
        "epochs": len(stack.seconds),
        "tflops": stack.rate * stack.flops / 1e12,
        "compile_seconds": round(stack.compile_seconds, 1),
        "temporary_bytes_a_trial": stack.bytes_a_trial,
    }


def take_turns(session: Any, what: str, stacks: Sequence[Candidate], repeats: int) -> None:
    """Runs epochs of the stacks in turns, while the part has time for another turn.

    They replace the first epoch, which is kept so far. Where it outlasted the patience it is the
    only one.
    """
    quick = [stack for stack in stacks if stack.seconds[0] <= session.scale.patience]

    def turns() -> None:
        taken = sum(stack.seconds[0] for stack in quick)
        for turn in range(repeats):
            if session.left() < taken:
                return
            start = time.perf_counter()
            for stack in quick:
                stack.run()
                if not turn:
                    del stack.seconds[0]
            taken = time.perf_counter() - start

    session.attempt("turns", what, turns)


def _peer(session: Any, other: peers.Candidate, batch: int, precision: str, alone: Candidate | None) -> None:
    what = f"{other.name}, {precision}, batch {batch}"
    if "No module" in other.failure:
        return  # said once

    def measure() -> None:
        other.build(session.scale.network, batch, session.scale.size, {"precision": precision})
        for _ in range(session.options.repeats):
            other.run(session.scale.seconds)

    other.rates, other.failure = [], ""
    session.attempt(other.name, what, measure)
    if other.failure:
        session.leave_out(what, other.failure)
    elif other.rates:
        ratio = statistics.median(other.rates) / alone.rate if alone else None
        about = {"candidate": other.name, "batch": batch, "precision": precision}
        found = {"images_per_second": record.spread(other.rates), "ratio_to_alone": ratio}
        show(session.add("throughput", about | found))


def _against_peers(session: Any, row: dict) -> dict[str, float]:
    """Returns a row's ratio to the quicker way of PyTorch at its batch size and precision."""
    rates = [
        other["images_per_second"]["median"]
        for other in session.rows("throughput")
        if "engine" not in other and (other["batch"], other["precision"]) == (row["batch"], row["precision"])
    ]
    return {"ratio_to_pytorch": row["images_per_second"]["median"] / max(rates)} if rates else {}


def show(row: dict[str, Any]) -> None:
    rate = row["images_per_second"]["median"]
    told = f"batch {row['batch']:4d}  {row['precision']:8s}  {row['candidate']:24s} {rate:12,.0f} img/s"
    told += f"  x {row['ratio_to_alone']:.2f}" if row["ratio_to_alone"] else ""
    told += f"  {row['ratio_to_predicted']:.2f} of predicted" if "predicted" in row else ""
    print(told, flush=True)
