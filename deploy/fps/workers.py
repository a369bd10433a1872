"""Processes that time a tracker: one a round, since where memory lies changes its speed."""

import contextlib
import json
import os
import subprocess
import sys
from typing import Any, Dict, List, Optional, Tuple

from hotpath.deploy.fps import place as places
from hotpath.deploy.fps.loop import Steps
from hotpath.runtime.errors import HotpathError

BLOCK = 20  # frames of a request
WARM_BLOCKS = 5  # in each process, before frames count
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")

Line = Dict[str, Any]  # of a worker's input or output
Request = Line  # the first line of its input


class WorkerFailed(HotpathError):
    """One of the two checkouts can't be timed."""


class Worker:
    """A process that times one checkout."""

    def __init__(self, tree: str, settings: Request) -> None:
        self._process = subprocess.Popen(
            [sys.executable, SCRIPT, tree],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            cwd=tree,
            env=dict(environment(), PYTHONDONTWRITEBYTECODE="1"),
        )
        assert self._process.stdin and self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self._tree = tree
        self._send(settings)

    def wait_ready(self) -> Line:
        """Wait until it has loaded its network; returns the engine's description."""
        ready: Line = self._receive()["ready"]
        return ready

    def block(self, frames: int) -> Line:
        """Time so many frames: dict of ms, boxes, waited_s."""
        self._send({"frames": frames})
        return self._receive()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _send(self, what: Line) -> None:
        with contextlib.suppress(BrokenPipeError):  # its answer says why
            self._input.write(json.dumps(what) + "\n")
            self._input.flush()

    def _receive(self) -> Line:
        line = self._output.readline()
        answer: Line = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            why = answer["error"]
            raise WorkerFailed(
                f"the code in {self._tree} can't be timed: {why}; run it there by itself",
                what="not timed",
            )
        return answer


class Timed:
    """What a worker has measured in a round.

    Attributes:
        ms: dict of step -> ms of each frame that counts.
        boxes: (frame, box) of each frame since the tracker took the target.
        waited_s: seconds without a processor; None if unknown.
        seconds: that the frames took.
    """

    def __init__(self) -> None:
        self.ms: Steps = {}
        self.boxes: List[Tuple[int, Any]] = []
        self.waited_s: Optional[float] = 0.0
        self.seconds = 0.0

    def add(self, answer: Line, counts: bool = True) -> None:
        """Add a block of ``Worker.block``; one of the warm-up does not count."""
        self.boxes += answer["boxes"]
        if not counts:
            return
        for step, values in answer["ms"].items():
            if values:
                self.ms.setdefault(step, []).extend(values)
        waited = answer["waited_s"]
        known = None not in (waited, self.waited_s)
        self.waited_s = waited + self.waited_s if known else None
        self.seconds += sum(answer["ms"]["total"]) * 1e-3

    @property
    def waited_share(self) -> Optional[float]:
        """Share of the time in which others had the processor; None if unknown."""
        return None if self.waited_s is None else self.waited_s / self.seconds


def environment() -> Dict[str, str]:
    """The environment without this checkout, so that no tree imports from it."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [folder for folder in folders if folder and os.path.abspath(folder) != places.CHECKOUT]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(kept))
