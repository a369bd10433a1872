"""Time all cases on the film of the bring-up, in rounds that take turns.

Each round has a process of its own, so that one unlucky place of memory slows one round and not the
whole run. Of two commits both processes of a round take turns, so that drift cancels.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np

from hotpath.boards import detect, snapshot
from hotpath.boards.files import Root
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.errors import WorkerFailed
from hotpath.deploy.film import film
from hotpath.deploy.fps import Evidence, Result, Sample
from hotpath.deploy.fps.cases import Request, SpeedCase, open_case
from hotpath.deploy.fps.checkout import CHECKOUT, commit_of
from hotpath.deploy.fps.evidence import FORMAT, why_invalid, write_evidence

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
BLOCK = 20  # frames of a request to a worker
CHECKED = 20  # frames whose boxes must agree; later ones may differ after a rounding
WARM_BLOCKS = 5  # in each process, before frames count
INVALID_ROUNDS = 2  # after which an invalid run ends
PERIOD_S = 1.0  # from one reading of the sensors to the next
FILM = 200  # frames
ENDED = "its process ended; run `python -m hotpath track` there to see why"

Answer = Dict[str, Any]  # of a worker to a request


class SpeedSettings(NamedTuple):
    """What a run does.

    Attributes:
        cases: what is timed.
        frames: of a round.
        rounds: of each case.
        warm_s: the shortest warm-up of the first round.
        look_s: at the board before the run, which ends there if others keep it busy; 0 for none.
    """

    cases: Sequence[SpeedCase]
    frames: int = 200
    rounds: int = 15
    warm_s: float = 3.0
    look_s: float = 0.0


class Side(NamedTuple):
    """A checkout that is timed, and the file of its evidence."""

    path: pathlib.Path
    tree: str = CHECKOUT


class Worker:
    """A process of ``worker.py``.

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

    def close(self) -> None:
        """End the process."""
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

    def _send(self, what: Dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # its answer says why
            self._input.write(json.dumps(what) + "\n")
            self._input.flush()

    def _receive(self) -> Answer:
        line = self._output.readline()
        answer: Answer = json.loads(line) if line else {"error": ENDED}
        if "error" in answer:
            why = answer["error"]
            raise WorkerFailed(
                f"the code in {self._tree} can't be timed: {why}",
                what="not timed",
            )
        return answer


class SpeedRun:
    """A run of one checkout, or of two that take turns, the older one first.

    Args:
        settings, sides: what is done, and by which code.
        say: gets a sentence after each round.
        root: folder that replaces ``/`` of the board.

    Attributes:
        evidence: of each side; its files are kept up to date.
    """

    def __init__(
        self,
        settings: SpeedSettings,
        sides: Sequence[Side],
        say: Callable[[str], None] = print,
        root: str = "/",
    ) -> None:
        self._settings, self._sides, self._say, self._root = settings, sides, say, root
        frames, boxes = film(FILM)
        self._frames, self._box = np.stack(frames), boxes[0, 0].tolist()
        picture = hashlib.sha256(self._frames.tobytes() + repr(self._box).encode()).hexdigest()
        number = uuid.uuid4().hex[:12]
        self.evidence = [self._begin(side, number, picture) for side in sides]
        self._sampler = Sampler(Telemetry(root, detect.detect(Root(root)).board))

    def _begin(self, side: Side, number: str, film_sha256: str) -> Evidence:
        """Evidence without any measurement; sides that take turns have the same number."""
        commit, dirty = commit_of(side.tree)
        return {
            "format": FORMAT,
            "run": {
                "id": number,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "commit": commit,
                "dirty": dirty,
                "complete": False,
                "rounds": self._settings.rounds,
            },
            "before": snapshot.describe(self._root),
            "film": film_sha256,
            "results": [],
            "samples": [],
            "invalid": [],
        }

    def measure(self) -> List[Evidence]:
        """Measure all; on a busy board nothing, which the evidence says."""
        if self._settings.look_s:
            time.sleep(self._settings.look_s)
            sample = self._sampler.read()
            for evidence in self.evidence:
                evidence["before"]["idle_sample"] = sample
            if self._save():
                return self.evidence
        self._measure_cases()
        after = snapshot.describe(self._root)
        for evidence in self.evidence:
            evidence["after"] = after
            evidence["run"]["complete"] = True
        self._save()
        return self.evidence

    def _measure_cases(self) -> None:
        with tempfile.TemporaryDirectory(prefix="hotpath-fps-") as folder:
            frames = os.path.join(folder, "frames.npy")
            np.save(frames, self._frames)
            opened = [open_case(case, frames, self._box) for case in self._settings.cases]
            for evidence in self.evidence:
                evidence["results"] = [json.loads(json.dumps(result)) for result, _ in opened]
            is_invalid = False
            for number in range(1, self._settings.rounds + 1):
                for place, (_, request) in enumerate(opened):
                    self._round([evidence["results"][place] for evidence in self.evidence], request)
                    is_invalid = self._save()
                self._say(f"round {number} of {self._settings.rounds}")
                if is_invalid and number >= INVALID_ROUNDS:
                    break

    def _save(self) -> bool:
        """Write what was measured so far; whether a side is invalid."""
        for evidence, side in zip(self.evidence, self._sides):
            evidence["samples"] = list(self._sampler.samples)
            evidence["invalid"] = why_invalid(evidence)
            write_evidence(evidence, side.path)
        return any(evidence["invalid"] for evidence in self.evidence)

    def _round(self, results: Sequence[Result], request: Request) -> None:
        """Time a round of a case: one new process, or two that take turns."""
        with contextlib.ExitStack() as stack:
            workers = [
                stack.enter_context(contextlib.closing(Worker(side.tree, request)))
                for side in self._sides
            ]
            for worker, result in zip(workers, results):
                result["engine"] = worker.wait_ready()
                result["kernels"] = result["engine"].pop("kernels")
            warm_end_s = time.monotonic() + (0 if results[0]["rounds"] else self._settings.warm_s)
            warm = 0
            while warm < WARM_BLOCKS or time.monotonic() < warm_end_s:
                self._turn(workers, BLOCK)
                warm += 1
            for first in range(0, self._settings.frames, BLOCK):
                self._turn(workers, min(BLOCK, self._settings.frames - first))
        for worker, result in zip(workers, results):
            boxes = [box for answer in worker.answers for box in answer["boxes"]]
            result["boxes"] = result["boxes"] or np.round(boxes[:CHECKED], 3).tolist()
            ms: Dict[str, List[float]] = {}
            for answer in worker.answers[warm:]:
                for step, values in answer["ms"].items():
                    ms.setdefault(step, []).extend(np.round(values, 5).tolist())
            result["rounds"].append({"ms": {step: values for step, values in ms.items() if values}})

    def _turn(self, workers: Sequence[Worker], frames: int) -> None:
        """Time a block of frames in each process, in an order that changes."""
        is_even = len(workers[0].answers) % 2 == 0
        for worker in reversed(workers) if is_even else workers:
            worker.block(frames)
        self._sampler.tick(sum(worker.answers[-1]["cpu_s"] for worker in workers))


class Sampler:
    """Reads the board's sensors about once a period, between frames that are timed."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._last_s, self._own_s = time.monotonic(), sum(os.times()[:4])
        self.samples: List[Sample] = []
        self.read()  # loads are means since the previous reading

    def tick(self, worker_s: float) -> None:
        """Take a sample when a period has passed; call this between frames."""
        if time.monotonic() - self._last_s >= PERIOD_S:
            self.samples.append(self.read(worker_s))

    def read(self, worker_s: float = 0.0) -> Sample:
        """Read all sensors, and ``other_cores``: processors that others used since the last time.

        Args:
            worker_s: processor seconds of workers that still run. Those that ended are counted.
        """
        sample: Sample = self._telemetry.read()
        now_s, own_s = time.monotonic(), sum(os.times()[:4]) + worker_s
        load = sample.get("cpu_load_percent")
        if load is not None:
            cores = sample.get("cpu_online_count") or os.cpu_count() or 1
            own = (own_s - self._own_s) / (now_s - self._last_s)
            sample["other_cores"] = round(max(0.0, load / 100.0 * cores - own), 3)
        self._last_s, self._own_s = now_s, own_s
        return sample
