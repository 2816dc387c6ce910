"""What a person sees of a running sweep: a bar for each wave in a terminal, plain lines elsewhere.

All of it goes into log.txt too.
"""

import datetime
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from fer_jax.base.console import show
from fer_jax.base.text import in_time, printable

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """The messages and bars of one running sweep.

    Args:
        log: log.txt, open for appending; None while nothing may be written.
        stream: where a person looks; standard error by default.

    Attributes:
        flops_left: of all waves still to run; with the rate so far it gives the time left.
    """

    def __init__(self, log: TextIO | None, stream: TextIO | None = None):
        self.log = log
        self.stream = stream or sys.stderr
        self.flops_left = 0.0
        self.best: float | None = None
        self._flops_done = 0.0
        self._seconds = 0.0

    def say(self, text: str) -> None:
        """Shows a message of one or several lines, above a bar if there is one, and logs it."""
        with tqdm.external_write_mode(file=self.stream):
            show(text, self.stream)
        self.note(text)

    def note(self, text: str) -> None:
        """Logs a text, line by line, and shows nothing."""
        if self.log is not None:
            stamp = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
            self.log.writelines(f"{stamp}  {line}\n" for line in printable(text, lines=True).splitlines())

    @contextmanager
    def wave(self, title: str, images: int, done: int, flops: float) -> Iterator["WaveProgress"]:
        """Follows one wave.

        Args:
            title: its name and number of trials.
            images: training images of the whole wave, trials x epochs x images.
            done: those trained before an interruption.
            flops: work left in the wave.
        """
        bar = None
        if self.stream.isatty():
            bar = tqdm(
                total=images,
                initial=done,
                desc=title,
                file=self.stream,
                unit="img",
                leave=False,
                dynamic_ncols=True,
                bar_format="{desc}  {percentage:3.0f}%|{bar}|  {rate_noinv_fmt}{postfix}",
            )
        follower = WaveProgress(self, bar, title, images, done, flops)
        try:
            yield follower
        finally:
            if bar is not None:
                bar.close()
            self.flops_left -= flops
            self._flops_done += follower.flops

    @contextmanager
    def counting(self, title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Follows work that is counted; yields a function to call with how many more are done.

        Args:
            title: what is done.
            total: how many there are.
            unit: 'img' or 'fit'.
        """
        self.note(title)
        if self.stream.isatty():
            with tqdm(total=total, desc=title, file=self.stream, unit=unit, leave=False, dynamic_ncols=True) as bar:
                yield bar.update
            return
        done = 0
        started = last = time.monotonic()
        print(title, file=self.stream, flush=True)

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            if time.monotonic() - last > SECONDS_BETWEEN_LINES and done < total:
                last = time.monotonic()
                left = in_time((last - started) / done * (total - done))
                print(f"{title}: {done:,} done, {left} left", file=self.stream, flush=True)

        yield advance

    def epoch(self, seconds: float, best: float | None, wave_flops: float) -> str:
        """Takes an epoch of the current wave into account.

        Args:
            seconds: it took.
            best: best validation accuracy of the epoch.
            wave_flops: work done in the current wave so far.

        Returns:
            Best validation accuracy and rough time left of the whole sweep, in words.
        """
        self._seconds += seconds
        if best is not None:
            self.best = best if self.best is None else max(self.best, best)
        shown = "none yet" if self.best is None else f"{self.best:.3f}"
        left = (self.flops_left - wave_flops) * self._seconds / (self._flops_done + wave_flops)
        return f"best val {shown}, {in_time(left)} left"


class WaveProgress:
    """One wave's part of a `Progress`; call `epoch` after every epoch.

    Attributes:
        images, seconds: trained so far by this start.
    """

    def __init__(self, parent: Progress, bar: tqdm | None, title: str, images: int, done: int, flops: float):
        self.images, self.seconds = 0, 0.0
        self._parent, self._bar, self._title = parent, bar, title
        self._total, self._first, self._done, self._flops = images, done, done, flops
        self._last = self._last_line = time.monotonic()

    def epoch(self, number: int, images: int, best: float | None) -> None:
        """Reports an epoch.

        Args:
            number: counted from 1.
            images: training images of this epoch, over all trials.
            best: best validation accuracy of this epoch's trials in [0, 1], None where there is
                none.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        self.images += images
        self.seconds += seconds
        self._done += images
        state = self._parent.epoch(seconds, best, self.flops)
        if self._bar is not None:
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.update(images)
        line = f"{self._title}: epoch {number}, {images / seconds:,.0f} trial-images/s, {state}"
        self._parent.note(line)
        if self._bar is None and now - self._last_line > SECONDS_BETWEEN_LINES:
            print(line, file=self._parent.stream, flush=True)
            self._last_line = now

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
