"""Processes that time a tracker: one a round, since where memory lies changes its speed."""

import contextlib
import json
import os
import subprocess
import sys
from typing import Any, Dict, List

from hotpath.deploy.errors import WorkerFailed
from hotpath.deploy.fps.cases import Request

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")

BLOCK = 20  # frames of a request
CHECKED = 20  # frames whose boxes must agree; later ones may differ after a rounding
Answer = Dict[str, Any]  # of a worker to a request


class Worker:
    """A process of ``worker.py``, as a context.

    Attributes:
        answers: to each block: dict of ms, boxes and cpu_s.
    """

    def __init__(self, tree: str, request: Request) -> None:
        self._process = subprocess.Popen(
            [sys.executable, SCRIPT, tree],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            cwd=tree,
            env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"),
        )
        assert self._process.stdin and self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self._tree = tree
        self.answers: List[Answer] = []
        self._send(request)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._input.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def wait_ready(self) -> Answer:
        """Wait until it has loaded its network; returns the engine's description."""
        ready: Answer = self._receive()["ready"]
        return ready

    def block(self, frames: int) -> None:
        """Time so many frames."""
        self._send({"frames": frames})
        self.answers.append(self._receive())

    def first_boxes(self) -> List[List[float]]:
        """Boxes of the first frames, which all rounds have."""
        boxes = [box for answer in self.answers for box in answer["boxes"]]
        return [[round(v, 3) for v in box] for box in boxes[:CHECKED]]

    def steps_ms(self, warm: int) -> Dict[str, List[float]]:
        """Milliseconds of each step, in all blocks but the ``warm`` first."""
        steps: Dict[str, List[float]] = {}
        for answer in self.answers[warm:]:
            for step, values in answer["ms"].items():
                if values:
                    steps.setdefault(step, []).extend(round(v, 5) for v in values)
        return steps

    def _send(self, what: Dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # its answer says why
            self._input.write(json.dumps(what) + "\n")
            self._input.flush()

    def _receive(self) -> Answer:
        line = self._output.readline()
        answer: Answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            why = answer["error"]
            raise WorkerFailed(
                f"the code in {self._tree} can't be timed: {why}; run it there by itself",
                what="not timed",
            )
        return answer
