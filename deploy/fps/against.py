"""``--against GITREF``: this checkout and another commit take turns, so that drift cancels."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from typing import Callable, Iterator, List, Sequence, Tuple

import numpy as np

from hotpath.deploy.fps import compare
from hotpath.deploy.fps import evidence as files
from hotpath.deploy.fps import place as places
from hotpath.deploy.fps import run as runs
from hotpath.deploy.fps.clips import Clip
from hotpath.deploy.fps.evidence import Evidence, PathLike, Result
from hotpath.deploy.fps.sampler import Sampler
from hotpath.deploy.fps.workers import (
    BLOCK,
    WARM_BLOCKS,
    Request,
    Timed,
    Worker,
    WorkerFailed,
    environment,
)
from hotpath.runtime import bundle
from hotpath.runtime.networks import load_network

PathOf = Callable[[str], PathLike]  # of a side, "base" or "new"


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


def measure(
    settings: runs.Settings,
    place: places.Place,
    trees: Sequence[str],
    commits: Sequence[places.Commit],
    path_of: PathOf,
    say: runs.Say = print,
) -> List[Evidence]:
    pair = []
    for side, commit in zip(("base", "new"), commits):
        evidence = runs.begin(settings, place)
        evidence["run"].update(side=side, commit=commit[0], dirty=commit[1])
        pair.append(evidence)
    pair[1]["run"]["id"] = pair[0]["run"]["id"]
    sampler, began = Sampler(place.telemetry, settings.period_s, alone=False), time.monotonic()
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
    folder = None
    if runs.needs_bundle(case):
        folder = bundle_in(tree, case, settings, places.Place().board.name, say)
    return runs.request(case, settings, clip, frames, folder)


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
    done = places.run(command, cwd=tree, env=environment())
    if done.returncode or not os.path.isfile(os.path.join(folder, bundle.FILE)):
        why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise WorkerFailed(
            f"the code in {tree} can't build its bundle: {why}; run "
            f"`{bundle.command(board, case.network, case.precision)}` there by itself"
        )
    return folder


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
    sampler: Sampler,
    began: float,
    first: int,
) -> None:
    """Start a pair of processes that take turns until both have timed ``count`` frames."""
    workers: List[Worker] = []
    timed = [Timed(), Timed()]
    try:
        for tree, request in zip(trees, asked):
            workers.append(Worker(tree, request))
        for worker, result in zip(workers, results):
            ready = worker.wait_ready()
            result["kernels"] = ready.pop("kernels")
            result["engine"] = ready
        for block in range(-WARM_BLOCKS, -(-count // BLOCK)):
            for side in (0, 1) if (block + first) % 2 else (1, 0):
                timed[side].add(workers[side].block(BLOCK), counts=block >= 0)
                sampler.tick()
    finally:
        for worker in workers:
            worker.close()
    ended = time.monotonic() - began
    for own, result in zip(timed, results):
        runs.add_round(result, ended - sum(side.seconds for side in timed), own)


def _save(pair: Sequence[Evidence], sampler: Sampler, path_of: PathOf) -> None:
    for evidence in pair:
        runs.save(evidence, sampler, None, path_of(evidence["run"]["side"]))
