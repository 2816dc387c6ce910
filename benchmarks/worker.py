"""A process of its own for a candidate, which measures on command while the others wait.

Each library has its own threads and settings so, and those that wait do not spin. Commands and
answers are lines of JSON over the process's standard input and output; `Worker` is the side that
commands.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# Intel's OpenMP keeps a waiting thread's core busy for 200 ms, GNU's for about one. That one is
# left to it: a thread that sleeps at once is slow to wake at every layer, which would be unfair to
# PyTorch. `REST`, between two turns, is more. JAX would take most of a GPU's memory at once, and
# leave none to the others.
SETTINGS = {"KMP_BLOCKTIME": "1", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
REST = 0.02


class WorkerError(Exception):
    """What went wrong in the process, in one line."""


class Worker:
    """A process that builds what a module's function `build` returns and calls its methods.

    Args:
        module: a file of this folder, without its ending.
        environment: variables set for the process besides `SETTINGS`.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None):
        folder = Path(__file__).parent
        paths = [str(folder.parent), os.environ.get("PYTHONPATH", "")]
        variables = {
            **os.environ,
            **SETTINGS,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            **(environment or {}),
        }
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (it lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=variables,
        )

    def send(self, method: str, **arguments: Any) -> None:
        """Starts a method of what was built ('build': of the module); waits for no answer."""
        try:
            print(json.dumps([method, arguments]), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return  # `receive` says why

    def receive(self) -> Any:
        """Returns the answer to the last `send`.

        Raises:
            WorkerError: the method raised, or the process ended.
        """
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines()
            raise WorkerError(f"the process ended ({self._process.wait()}): {said[-1] if said else 'it said nothing'}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["result"]

    def call(self, method: str, **arguments: Any) -> Any:
        """Sends and returns the answer."""
        self.send(method, **arguments)
        return self.receive()

    def close(self) -> None:
        """Ends the process; one that is still at work gets two seconds."""
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def repeat(step: Callable[[], None], seconds: float, images: int) -> dict[str, float]:
    """Calls a step, which ends when its work is done, until the seconds have passed.

    Returns:
        {'images': of all steps together, 'seconds': they took}.
    """
    start, count = time.perf_counter(), 0
    while True:
        step()
        count += images
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return {"images": count, "seconds": elapsed}


def serve(module: str) -> None:
    """Answers commands until the input ends."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    built: Any = None
    for line in sys.stdin:
        method, arguments = json.loads(line)
        try:
            if method == "build":
                built = None
                built = importlib.import_module(module).build(**arguments)
                result = built.facts
            elif method == "answer":
                function = getattr(importlib.import_module(arguments.pop("module", module)), arguments.pop("function"))
                result = function(**arguments)
            else:
                result = getattr(built, method)(**arguments)
            answer = json.dumps({"result": result})
        except Exception as error:
            said = str(error).strip().splitlines()
            answer = json.dumps({"error": f"{type(error).__name__}: {said[0] if said else ''}"[:300]})
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
