"""``--against GITREF``: this checkout and another commit take turns, so that drift cancels."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from hotpath.deploy.fps import compare
from hotpath.deploy.fps import evidence as files
from hotpath.deploy.fps import place as places
from hotpath.deploy.fps import run as runs
from hotpath.deploy.fps.clips import Clip
from hotpath.deploy.fps.evidence import Evidence, PathLike, Result
from hotpath.deploy.fps.loop import Steps
from hotpath.runtime import bundle
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.networks import load_network

BLOCK = 20  # frames before the other's turn
WARM_BLOCKS = 5
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")

Request = Dict[str, Any]  # the first line of a worker's input
PathOf = Callable[[str], PathLike]  # of a side, "base" or "new"


class WorkerFailed(HotpathError):
    """One of the two checkouts can't be timed."""


@contextlib.contextmanager
def worktree(reference: str) -> Iterator[Tuple[str, str]]:
    """Check a commit out into a temporary folder. Gives (folder, commit)."""
    commit = places.git(["rev-parse", "--verify", reference + "^{commit}"]).strip()
    folder = tempfile.mkdtemp(prefix="hotpath-fps-")
    tree = os.path.join(folder, "tree")
    try:
        places.git(["worktree", "add", "--detach", tree, commit])
        yield tree, commit
    finally:
        with contextlib.suppress(places.GitFailed):
            places.git(["worktree", "remove", "--force", tree])
        shutil.rmtree(folder, ignore_errors=True)


class Worker:
    """A process that times one checkout."""

    def __init__(self, tree: str, settings: Request) -> None:
        self._process = subprocess.Popen(
            [sys.executable, WORKER, tree],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            cwd=tree,
            env=dict(_environment(), PYTHONDONTWRITEBYTECODE="1"),
        )
        assert self._process.stdin and self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        self._tree = tree
        self._send(settings)

    def wait_ready(self) -> Dict[str, Any]:
        """Wait until it has loaded its network; returns the engine's description."""
        ready: Dict[str, Any] = self._receive()["ready"]
        return ready

    def block(self, frames: int) -> Dict[str, Any]:
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

    def _send(self, what: Dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # its answer says why
            self._input.write(json.dumps(what) + "\n")
            self._input.flush()

    def _receive(self) -> Dict[str, Any]:
        line = self._output.readline()
        answer: Dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            why = answer["error"]
            raise WorkerFailed(
                f"the code in {self._tree} can't be timed: {why}; run it there by itself",
                what="not timed",
            )
        return answer


def measure(
    settings: runs.Settings,
    place: places.Place,
    trees: Sequence[str],
    commits: Sequence[places.Commit],
    path_of: PathOf,
    changed: Sequence[str] = (),
    say: runs.Say = print,
) -> List[Evidence]:
    pair = []
    for side, commit in zip(("base", "new"), commits):
        evidence = runs.begin(settings, place, changed)
        evidence["run"].update(side=side, commit=commit[0], dirty=commit[1])
        pair.append(evidence)
    pair[1]["run"]["id"] = pair[0]["run"]["id"]
    sampler, began = runs.Sampler(place.telemetry, settings.period_s, alone=False), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hotpath-fps-") as folder:
        for clip in settings.clips:
            frames = os.path.join(folder, "frames.npy")
            np.save(frames, np.stack(clip.frames))
            for case in settings.cases():
                results = _open(case, settings, clip, pair)
                asked = [_asked(case, settings, clip, frames, tree, say) for tree in trees]
                for number in runs.round_numbers(settings, lambda: compare.is_clear(*pair)):
                    _round(trees, asked, results, settings.frames, sampler, began, number % 2)
                    _save(pair, sampler, path_of)
                    say(runs.said_of(number, settings, files.name_of(results[0])))
    after = place.state()
    for evidence in pair:
        evidence["after"] = after
        evidence["run"]["complete"] = True
    _save(pair, sampler, path_of)
    return pair


def _asked(
    case: runs.Case, settings: runs.Settings, clip: Clip, frames: str, tree: str, say: runs.Say
) -> Request:
    """Return what the worker of a tree is told; its bundle is built first where it lacks one."""
    request = {"threads": settings.threads, "frames": frames, "box": list(clip.box)}
    if runs.needs_bundle(case):
        request["load"] = {
            "bundle": bundle_in(tree, case, settings, places.Place().board.name, say)
        }
        return request
    network = case.network
    if case.precision == "int8":
        network = os.path.abspath(str(runs.on_processor(case, settings).path))
    request["load"] = {
        "network": network,
        "engine": case.engine,
        "precision": "fp32",  # the file as it is, also if it is an INT8 form
        "threads": settings.threads,
        "networks_dir": os.path.abspath(settings.networks_dir) if settings.networks_dir else None,
    }
    return request


def bundle_in(
    tree: str, case: runs.Case, settings: runs.Settings, board: str, say: runs.Say = print
) -> str:
    """Return the folder of a case's bundle in a checkout. Build it there when it is missing."""
    network = load_network(case.network)
    part = bundle.folder_of(board, network.name, case.precision)
    folder = os.path.join(tree, str(part))
    if os.path.isfile(os.path.join(folder, bundle.FILE)):
        return folder
    prepared = str(part) + ".prepared"  # without onnx a board can't make one again
    if os.path.isdir(prepared) and not os.path.exists(os.path.join(tree, prepared)):
        shutil.copytree(prepared, os.path.join(tree, prepared))
    name = os.path.abspath(case.network) if case.network.endswith(".toml") else case.network
    command = [sys.executable, "-m", "hotpath", "engine", board, "--network", name]
    command += ["--precision", case.precision]
    if settings.networks_dir:
        command += ["--networks-dir", os.path.abspath(settings.networks_dir)]
    say(f"building {part} in {tree}")
    done = places.run(command, cwd=tree, env=_environment())
    if done.returncode or not os.path.isfile(os.path.join(folder, bundle.FILE)):
        why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise WorkerFailed(
            f"the code in {tree} can't build its bundle: {why}; run "
            f"`{bundle.command(board, case.network, case.precision)}` there by itself"
        )
    return folder


def _environment() -> Dict[str, str]:
    """The environment without this checkout, so that no tree imports from it."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = [folder for folder in folders if folder and os.path.abspath(folder) != places.CHECKOUT]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(kept))


def _open(
    case: runs.Case, settings: runs.Settings, clip: Clip, pair: Sequence[Evidence]
) -> List[Result]:
    """A result in the evidence of each side, still without rounds."""
    if runs.needs_bundle(case):  # a board may have it alone, without the network's files
        identity = bundle.identity(load_network(case.network))
    else:
        network = runs.on_processor(case, settings)
        identity = bundle.identity(network, network.locate(settings.networks_dir))
    result = runs.new_result(case, settings, clip, identity, {"engine": case.engine}, "unknown")
    result["warm_up"]["steady"] = True  # of turns, each round has its own
    results = [result, json.loads(json.dumps(result))]
    for evidence, own in zip(pair, results):
        evidence["results"].append(own)
    return results


def _round(
    trees: Sequence[str],
    asked: Sequence[Request],
    results: Sequence[Result],
    count: int,
    sampler: runs.Sampler,
    began: float,
    first: int,
) -> None:
    """Start a pair of processes that take turns until both have timed ``count`` frames."""
    workers = []  # new ones each round, since a process's memory layout changes its speed
    ms: List[Steps] = [{}, {}]
    boxes: List[List[Any]] = [[], []]
    waited: List[List[Any]] = [[], []]
    spent = [0.0, 0.0]
    try:
        for tree, settings in zip(trees, asked):
            workers.append(Worker(tree, settings))
        for worker, result in zip(workers, results):
            ready = worker.wait_ready()
            result["kernels"] = ready.pop("kernels")
            result["engine"] = ready
        for block in range(-WARM_BLOCKS, -(-count // BLOCK)):
            for side in (0, 1) if (block + first) % 2 else (1, 0):
                answer = workers[side].block(BLOCK)
                sampler.tick()
                boxes[side] += answer["boxes"]
                if block < 0:
                    continue
                for step, values in answer["ms"].items():
                    ms[side].setdefault(step, []).extend(values)
                waited[side].append(answer["waited_s"])
                spent[side] += sum(answer["ms"]["total"]) * 1e-3
    finally:
        for worker in workers:
            worker.close()
    ended = time.monotonic() - began
    for side, result in enumerate(results):
        share = None if None in waited[side] else sum(waited[side]) / spent[side]
        runs.add_round(result, ended - sum(spent), sum(spent), ms[side], boxes[side], share)


def _save(pair: Sequence[Evidence], sampler: runs.Sampler, path_of: PathOf) -> None:
    for evidence in pair:
        runs.save(evidence, sampler, None, path_of(evidence["run"]["side"]))
