"""What a person sees of a running sweep: bars in a terminal, plain lines elsewhere.

All that is said goes into log.txt too.
"""

import datetime
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, TextIO

from fer_jax.base import console
from fer_jax.base.bars import Bars, Row
from fer_jax.base.text import in_time, printable

SECONDS_BETWEEN_LINES = 10.0
# What `WaveProgress.epoch` logs, and the first line of a start.
_EPOCH = re.compile(r"(?P<wave>[\w-]+) \(.*?\): epoch (?P<epoch>\d+)(?: of (?P<epochs>\d+))?, .*, (?P<left>[^,]+) left")
PLANNING = "planning"


class Reached(NamedTuple):
    """How far a log says that a sweep has come.

    Attributes:
        wave: the name of the wave that is trained.
        epoch, epochs: the last one that is over, and the last of the wave; 0 where it is not told.
        left: the time left of the whole sweep, in words.
    """

    wave: str
    epoch: int
    epochs: int
    left: str


def last_reached(log: str) -> Reached | None:
    """Returns how far the last start of a sweep has come, None before its first epoch.

    Args:
        log: the end of log.txt.
    """
    for line in reversed(log.splitlines()):
        words = line.partition("  ")[2]
        if words == PLANNING:
            break
        if found := _EPOCH.fullmatch(words):
            return Reached(found["wave"], int(found["epoch"]), int(found["epochs"] or 0), found["left"])
    return None


class Progress:
    """The messages and bars of one running sweep.

    There are bars while it is entered (`with Progress(log) as progress`) and a person looks at a
    terminal.

    Args:
        log: log.txt, open for appending; None while nothing may be written.
        stream: where a person looks; standard error by default, in a notebook standard output.

    Attributes:
        flops_left: of all waves still to run; with the rate so far it gives the time left.
        best: the best validation accuracy so far and whose it is, in words.
    """

    def __init__(self, log: TextIO | None, stream: TextIO | None = None):
        self.log = log
        self.stream = stream or console.lines()
        self.flops_left = 0.0
        self.best: tuple[float, str] | None = None
        self._flops_before, self._flops_done = 0.0, 0.0
        self._seconds = 0.0
        self._until: float | None = None  # when all will be over, on the clock of time.monotonic
        self._started = time.monotonic()
        self._bars: Bars | None = None
        self._whole: Row | None = None
        self._shown = ExitStack()

    def __enter__(self) -> "Progress":
        self._bars = self._shown.enter_context(console.bars(self.stream))
        return self

    def __exit__(self, *error: object) -> None:
        self._bars = self._whole = None
        self._shown.close()

    @property
    def columns(self) -> int | None:
        """The width of the terminal in characters; None where lines are plain."""
        screen = console.screen(self.stream)
        return screen.width if screen else None

    def say(self, text: str, narrow: str = "") -> None:
        """Shows a message of one or several lines, above the bars if there are any, and logs it.

        Args:
            text: the message.
            narrow: what a terminal shows of it instead, where that is something else.
        """
        if screen := console.screen(self.stream):
            screen.say(printable(narrow or text, lines=True))
        else:
            console.show(text, self.stream)
        self.note(text)

    def note(self, text: str) -> None:
        """Logs a text, line by line, and shows nothing."""
        if self.log is not None:
            stamp = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
            self.log.writelines(f"{stamp}  {line}\n" for line in printable(text, lines=True).splitlines())

    def count_work(self, left: float, before: float = 0.0) -> None:
        """Takes a new count of the work of the whole sweep.

        Args:
            left: floating-point operations of all waves still to run.
            before: of what earlier starts have done; counts the first time only.
        """
        if self._whole is None:
            self._flops_before = before
            if self._bars is not None:
                self._whole = self._shown.enter_context(self._bars.row("sweep", 1.0, state=self._state))
        self.flops_left = left
        self._draw(0.0)

    @contextmanager
    def waiting(self, title: str) -> Iterator[None]:
        """Shows what is waited for, with a clock where there are bars, and logs it.

        How long that takes is not known: no time left is shown until the next epoch.
        """
        self._until = None
        if self._bars is None:
            self.say(title)
            yield
            return
        self.note(title)
        with self._bars.row(title):
            yield

    @contextmanager
    def wave(
        self, title: str, images: int, done: int, flops: float, epochs: int = 0, begun: int = 0, place: str = ""
    ) -> Iterator["WaveProgress"]:
        """Follows one wave.

        Args:
            title: its name and number of trials.
            images: training images of the whole wave, trials x epochs x images.
            done: those trained before an interruption.
            flops: work left in the wave.
            epochs: the last of the wave; 0 where that is not told.
            begun: the last that was trained before an interruption.
            place: where in the sweep it is, such as 'stack 2 of 5'; a bar's words instead of the
                title.
        """
        follower = WaveProgress(self, title, images, done, flops, epochs, begun)
        with ExitStack() as shown:
            if self._bars is not None:
                row = self._bars.row(place or title, images, done, follower.state)
                follower.row = shown.enter_context(row)
            try:
                yield follower
            finally:
                self.flops_left -= flops
                self._flops_done += follower.flops
                self._draw(0.0)

    @contextmanager
    def counting(self, title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Follows work that is counted; yields a function to call with how many more are done.

        Args:
            title: what is done.
            total: how many there are.
            unit: 'img' or 'fit'.
        """
        self.note(title)
        done = 0
        started = last = time.monotonic()

        def time_left() -> str:
            return f"{in_time((time.monotonic() - started) / done * (total - done))} left"

        def state(*_: object) -> str:
            return f"{done:,} of {total:,} {unit}{f', {time_left()}' if done else ''}"

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            if time.monotonic() - last > SECONDS_BETWEEN_LINES and done < total:
                last = time.monotonic()
                print(f"{title}: {done:,} done, {time_left()}", file=self.stream, flush=True)

        if self._bars is None:
            print(title, file=self.stream, flush=True)
            yield advance
            return
        with self._bars.row(title, total, state=state) as row:

            def move(count: int) -> None:
                nonlocal done
                done += count
                row.reach(done, total)

            yield move

    def epoch(self, seconds: float, best: float | None, wave_flops: float, whose: str = "") -> str:
        """Takes an epoch of the current wave into account.

        Args:
            seconds: it took.
            best: best validation accuracy of the epoch.
            wave_flops: work done in the current wave so far.
            whose: the point and seed that have it, in words.

        Returns:
            Best validation accuracy, whose it is, and rough time left of the whole sweep, in words.
        """
        self._seconds += seconds
        if best is not None:
            self.found(best, whose)
        left = (self.flops_left - wave_flops) * self._seconds / (self._flops_done + wave_flops)
        self._until = time.monotonic() + left
        self._draw(wave_flops)
        return f"{self._best_words()}, {in_time(left)} left"

    def found(self, best: float, whose: str) -> None:
        """Takes a validation accuracy into account, and whose it is, in words."""
        if self.best is None or best > self.best[0]:
            self.best = best, whose

    def _best_words(self) -> str:
        if self.best is None:
            return "best val none yet"
        accuracy, whose = self.best
        return f"best val {accuracy:.3f}{f' ({whose})' if whose else ''}"

    def _draw(self, wave_flops: float) -> None:
        """Brings the bar of the whole sweep, and the words below it, to where the sweep is."""
        if self._bars is None or self._whole is None:
            return
        done = self._flops_before + self._flops_done + wave_flops
        self._whole.reach(done, done + max(0.0, self.flops_left - wave_flops) or 1.0)
        self._bars.below = self._best_words() if self.best else ""

    def _state(self, done: float, total: float | None) -> str:
        words = f"{math.floor(100 * done / (total or 1.0))} % in {in_time(time.monotonic() - self._started)}"
        left = 0.0 if self._until is None else self._until - time.monotonic()
        return f"{words}, {in_time(left)} left" if left >= 0.5 else words


class WaveProgress:
    """One wave's part of a `Progress`; call `epoch` after every epoch.

    Attributes:
        images, seconds: trained so far by this start.
        row: its bar; None where lines are plain.
    """

    def __init__(self, parent: Progress, title: str, images: int, done: int, flops: float, epochs: int, begun: int):
        self.images, self.seconds = 0, 0.0
        self.row: Row | None = None
        self._parent, self._title, self._epochs, self._epoch = parent, title, epochs, begun
        self._total, self._first, self._done, self._flops = images, done, done, flops
        self._last = self._last_line = self._started = time.monotonic()

    def epoch(self, number: int, images: int, best: float | None, whose: str = "") -> None:
        """Reports an epoch.

        Args:
            number: counted from 1.
            images: training images of this epoch, over all trials.
            best: best validation accuracy of this epoch's trials in [0, 1], None where there is
                none.
            whose: the trial that has it, in words.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        self.images += images
        self.seconds += seconds
        self._done += images
        self._epoch = number
        state = self._parent.epoch(seconds, best, self.flops, whose)
        if self.row is not None:
            self.row.advance(images)
        of = f" of {self._epochs}" if self._epochs else ""
        line = f"{self._title}: epoch {number}{of}, {images / seconds:,.0f} trial-images/s, {state}"
        self._parent.note(line)
        if self.row is None and now - self._last_line > SECONDS_BETWEEN_LINES:
            print(line, file=self._parent.stream, flush=True)
            self._last_line = now

    def state(self, *_: object) -> str:
        """Returns which epoch runs, and how quickly the wave is trained, in words."""
        epoch = self._epoch + 1
        words = f"epoch {min(epoch, self._epochs)} of {self._epochs}" if self._epochs else f"epoch {epoch}"
        if rate := self.images_per_second:
            return f"{words}, {rate:,.0f} images/s"
        return f"{words}, {in_time(time.monotonic() - self._started)}"

    def note(self, text: str) -> None:
        """Logs something about the wave."""
        self._parent.note(f"{self._title}: {text}")

    @property
    def flops(self) -> float:
        """The floating-point operations done so far by this start."""
        return self._flops * (self._done - self._first) / max(1, self._total - self._first)

    @property
    def images_per_second(self) -> float | None:
        """Trials x images a second; None before the first epoch."""
        return self.images / self.seconds if self.seconds else None
