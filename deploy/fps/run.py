"""A run: networks x precisions x engines on clips, in rounds that take turns.

Each round has a process of its own, so that one unlucky place of memory slows one round and not the
whole run.
"""

import hashlib
import itertools
import json
import os
import tempfile
import time
import uuid
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.fps import compare, stats
from hotpath.deploy.fps import evidence as files
from hotpath.deploy.fps import place as places
from hotpath.deploy.fps.clips import Clip
from hotpath.deploy.fps.evidence import Evidence, PathLike, Result, Sample
from hotpath.deploy.fps.sampler import Sampler
from hotpath.deploy.fps.verdict import judge
from hotpath.deploy.fps.workers import BLOCK, WARM_BLOCKS, Request, Timed, Worker
from hotpath.runtime import DEFAULT_NETWORK, bundle, engines, precision
from hotpath.runtime.boxes import overlap
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.network import Network
from hotpath.runtime.networks import load_network

STEADY = 0.03  # between the medians of the last blocks, and between their clocks
STEADY_BLOCKS = 4
WARM_S = 30.0  # longest warm-up
BUSY_WARM_S = 5.0  # where others keep the processor busy, so that times are never steady
BUSY_ROUNDS = 2  # after which an invalid run ends
LOAD_S = 1.0  # shorter readings of the load are chance
CHECKED = 20  # frames whose boxes must agree; later ones may differ after a rounding

Say = Callable[[str], None]


class Case(NamedTuple):
    """What is timed."""

    network: str
    precision: str
    engine: str


class NoPrecision(HotpathError):
    """A network has no form of the precision that was asked for."""


class Settings:
    """What a run does: the command line's options."""

    def __init__(self, **values: Any) -> None:
        self.networks, self.precisions, self.engines = [DEFAULT_NETWORK], ["fp32"], ["auto"]
        self.clips: List[Clip] = []
        self.frames = 200
        self.rounds = 5
        self.minutes = 0.0  # for further rounds, until the answer is clear
        self.threads = 1
        self.period_s = 1.0
        self.networks_dir = None
        self.int8_dir = "out/int8"
        self.warm_s = WARM_S
        self.look_s = 0.2  # at the board before the run
        self.__dict__.update(values)

    def cases(self) -> List[Case]:
        return [Case(n, p, e) for n in self.networks for p in self.precisions for e in self.engines]


def round_numbers(
    settings: Settings,
    is_clear: Callable[[], bool],
    is_invalid: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """Numbers of rounds: those that were asked for, then more while the answer is not clear.

    Args:
        settings: uses ``rounds`` and ``minutes``, the time for the further ones.
        is_clear: function without arguments, called after the first ``rounds``.
        is_invalid: function without arguments; once it is true, no rounds follow the first two.
    """
    end_s = 0.0
    for number in itertools.count():
        if number == settings.rounds:
            end_s = time.monotonic() + 60 * settings.minutes
        if number >= settings.rounds and (time.monotonic() >= end_s or is_clear()):
            return
        if number >= BUSY_ROUNDS and is_invalid():
            return
        yield number


def measure(
    settings: Settings,
    place: places.Place,
    path: PathLike,
    reference: Optional[Evidence] = None,
    say: Say = print,
) -> Evidence:
    """Run all and keep the evidence file up to date.

    With a ``reference`` that can be compared, rounds go on until the answer is clear.
    """
    evidence = begin(settings, place)
    evidence["before"]["idle_sample"] = load_before(settings, place)
    warm_s = settings.warm_s
    verdict = judge(evidence)
    if verdict["state"] == "invalid":
        warm_s = min(warm_s, BUSY_WARM_S)
        if settings.look_s >= LOAD_S:
            say("this run will be invalid: {}".format(verdict["reasons"][0]["text"]))
    sampler = Sampler(place.telemetry, settings.period_s)
    began = time.monotonic()

    def is_clear() -> bool:
        return reference is None or compare.is_clear(reference, evidence)

    def is_invalid() -> bool:
        return bool(evidence["verdict"]["state"] == "invalid")

    with tempfile.TemporaryDirectory(prefix="hotpath-fps-") as folder:
        for clip in settings.clips:
            frames = os.path.join(folder, "frames.npy")
            np.save(frames, np.stack(clip.frames))
            cases = [open_case(case, settings, clip, frames) for case in settings.cases()]
            evidence["results"] += [result for result, _ in cases]
            for number in round_numbers(settings, is_clear, is_invalid):
                for result, asked in cases:
                    one_round(asked, result, settings.frames, warm_s, sampler, began, say)
                    save(evidence, sampler, reference, path)
                say(said_of(number, settings, clip.name))
    evidence["after"] = place.state()
    evidence["run"]["complete"] = True
    save(evidence, sampler, reference, path)
    return evidence


def load_before(settings: Settings, place: places.Place) -> Sample:
    """Read the sensors for a while before the run: ``other_cores`` are busy without it."""
    time.sleep(settings.look_s if settings.period_s else 0)
    sample: Sample = place.telemetry.read()
    load = sample.get("cpu_load_percent")
    if settings.look_s >= LOAD_S and settings.period_s and load is not None:
        count = sample.get("cpu_online_count") or os.cpu_count() or 1
        sample["other_cores"] = round(load / 100.0 * count, 3)
    return sample


def said_of(number: int, settings: Settings, what: str) -> str:
    """The sentence after a round."""
    if number < settings.rounds:
        return f"round {number + 1} of {settings.rounds} on {what}"
    return f"round {number + 1} on {what}, since the answer is not clear yet"


def begin(settings: Settings, place: places.Place) -> Evidence:
    """Return evidence without any measurement."""
    commit, dirty = places.commit()
    return {
        "format": files.FORMAT,
        "run": {
            "id": uuid.uuid4().hex[:12],
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": commit,
            "dirty": dirty,
            "complete": False,
            "frames": settings.frames,
            "rounds": settings.rounds,
            "sampled": bool(settings.period_s),
        },
        "board": place.describe(),
        "before": place.state(),
        "libraries": place.libraries(),
        "clips": [describe_clip(clip) for clip in settings.clips],
        "results": [],
        "samples": [],
        "verdict": {"state": "ok", "reasons": []},
    }


def describe_clip(clip: Clip) -> Dict[str, Any]:
    height, width = clip.frames[0].shape[:2]
    return {
        "name": clip.name,
        "frames": len(clip.frames),
        "width": width,
        "height": height,
        "box": [float(v) for v in clip.box],
        "sha256": clip.sha256,
    }


def open_case(case: Case, settings: Settings, clip: Clip, frames: str) -> Tuple[Result, Request]:
    """Return a case's result without rounds, and what its workers are asked for."""
    network = load_network(case.network)
    if not needs_bundle(case):
        form = on_processor(case, settings)
        identity = bundle.identity(form, form.locate(settings.networks_dir))
        result = new_result(case, settings, clip, identity, {"engine": case.engine}, "unknown")
        asked = request(case, settings, clip, frames)
        return result, dict(asked, alone=file_of_a_frame(form, settings))
    bundled = bundle.find(places.Place().board, network, case.precision)
    identity = bundle.identity(network)
    result = new_result(case, settings, clip, identity, {"engine": case.engine}, "unknown")
    text = json.dumps(bundled.parts, sort_keys=True)
    result["engine_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return result, request(case, settings, clip, frames, str(bundled.folder))


def request(
    case: Case, settings: Settings, clip: Clip, frames: str, folder: Optional[str] = None
) -> Request:
    """What a worker is asked for.

    Args:
        case, settings, clip: what is timed.
        frames: path of the clip's frames, a .npy.
        folder: of the bundle, if the engine needs one.
    """
    asked: Request = {"threads": settings.threads, "frames": frames, "box": list(clip.box)}
    if folder is not None:
        asked["load"] = {"bundle": os.path.abspath(folder), "threads": settings.threads}
        return asked
    network = case.network
    if case.precision == "int8" or network.endswith(".toml"):
        network = os.path.abspath(str(on_processor(case, settings).path))
    asked["load"] = {
        "network": network,
        "engine": case.engine,
        "precision": "fp32",  # the file as it is, also if it is an INT8 form
        "threads": settings.threads,
        "networks_dir": os.path.abspath(settings.networks_dir) if settings.networks_dir else None,
    }
    return asked


def file_of_a_frame(network: Network, settings: Settings) -> str:
    """Return the path of the network's largest file that runs in each frame."""
    files = network.locate(settings.networks_dir)
    paths = [path for part, path in files.items() if part != "exemplar"]
    return os.path.abspath(str(max(paths, key=lambda path: os.path.getsize(str(path)))))


def new_result(
    case: Case,
    settings: Settings,
    clip: Clip,
    identity: Dict[str, Any],
    engine: Dict[str, Any],
    kernels: str,
) -> Result:
    """Return a result without rounds."""
    return {
        "network": load_network(case.network).name,
        "network_sha256": identity["sha256"],
        "precision": case.precision,
        "engine": engine,
        "kernels": kernels,
        "threads": settings.threads,
        "clip": clip.name,
        "warm_up": {"frames": 0, "seconds": 0.0, "steady": False},
        "boxes": [],
        "rounds": [],
        "figures": {"steps": {}},
    }


def needs_bundle(case: Case) -> bool:
    """Whether a case's engine runs bundles, not a network's own files."""
    return case.engine != engines.AUTO and not engines.find(case.engine).runs_files


def on_processor(case: Case, settings: Settings) -> Network:
    """The ``Network`` of a case for a processor's engines; ``NoPrecision`` where there is none."""
    network = load_network(case.network)
    if case.precision == "int8":
        toml = f"{settings.int8_dir}/{network.name}-int8.toml"
        form = load_network(toml) if os.path.isfile(toml) else precision.int8_form(network)
        if form is None:
            raise NoPrecision(
                f"there is no INT8 form of {network.name}: no {toml}; make it with `hotpath "
                f"int8 --network {network.name} --clips DIR --out {settings.int8_dir}`, or "
                "name its folder with --int8-dir"
            )
        network.check_form(form, settings.networks_dir)
        network = form
    elif case.precision != "fp32":
        raise NoPrecision(
            f"{case.precision} runs on TensorRT alone; name it with --engines tensorrt"
        )
    return network


def warm_up(
    worker: Worker, timed: Timed, telemetry: Telemetry, sampler: Sampler, longest_s: float
) -> Dict[str, Any]:
    """Run until the last blocks agree in times and clocks. Return the evidence's ``warm_up``."""
    began = time.monotonic()
    medians = []
    clocks = []
    frames = 0
    while True:
        answer = worker.block(BLOCK)
        sampler.tick(answer.get("cpu_s", 0.0))
        timed.add(answer, counts=False)
        frames += BLOCK
        medians.append(float(np.median(answer["ms"]["total"])))
        sample: Sample = telemetry.read()
        clocks.append(sample.get("gpu_clock_hz") or sample.get("cpu0_clock_hz") or 0)
        last, held = medians[-STEADY_BLOCKS:], clocks[-STEADY_BLOCKS:]
        alike = max(last) <= (1 + STEADY) * min(last) and max(held) <= (1 + STEADY) * min(held)
        steady = len(last) == STEADY_BLOCKS and alike
        seconds = time.monotonic() - began
        if steady or seconds > longest_s:
            return {"frames": frames, "seconds": round(seconds, 3), "steady": bool(steady)}


def one_round(
    asked: Request,
    result: Result,
    frames: int,
    warm_s: float,
    sampler: Sampler,
    began: float,
    say: Say = print,
) -> None:
    """Time one round in a new process, and add it to the result."""
    worker, timed = Worker(places.CHECKOUT, asked), Timed()
    try:
        ready = worker.wait_ready()
        result["kernels"], result["engine"] = ready.pop("kernels"), ready
        if result["rounds"]:
            for _ in range(WARM_BLOCKS):
                timed.add(worker.block(BLOCK), counts=False)
        else:
            warm = warm_up(worker, timed, sampler.telemetry, sampler, warm_s)
            result["warm_up"] = warm
            say("{}: warm after {frames} frames".format(files.name_of(result), **warm))
        started = time.monotonic()
        for first in range(0, frames, BLOCK):
            answer = worker.block(min(BLOCK, frames - first))
            sampler.tick(answer.get("cpu_s", 0.0))
            timed.add(answer)
        ended = time.monotonic()
    finally:
        worker.close()
    add_round(result, started - began, timed, ended - started)


def add_round(
    result: Result, started_s: float, timed: Timed, span_s: Optional[float] = None
) -> None:
    """Add what was timed as a round; the boxes of its first frames must be those of the others.

    Args:
        result: gets the round.
        started_s: since the run began.
        timed: what its worker measured.
        span_s: seconds from the start of its frames to their end; None: they followed each other.
    """
    first = [box for _, box in timed.boxes[:CHECKED]]
    if not result["rounds"]:
        result["boxes"] = [[round(v, 3) for v in box] for box in first]
    share = timed.waited_share
    result["rounds"].append(
        {
            "started_s": round(started_s, 3),
            "seconds": round(timed.seconds, 3),
            "span_s": round(timed.seconds if span_s is None else span_s, 3),
            "ms": {step: [round(v, 5) for v in values] for step, values in timed.ms.items()},
            "same_boxes": same_boxes(result["boxes"], first),
            "waited_share": None if share is None else round(share, 5),
        }
    )


def same_boxes(reference: Sequence[Any], boxes: Sequence[Any]) -> Optional[float]:
    """Return the lowest overlap with the known boxes, or None when there are none."""
    count = min(len(reference), len(boxes))
    return round(float(overlap(reference[:count], boxes[:count]).min()), 4) if count else None


def finish(evidence: Evidence, reference: Optional[Evidence]) -> None:
    """Compute the figures and the verdict of what was measured so far."""
    references = {_key(reference, r): r for r in reference["results"]} if reference else {}
    for result in evidence["results"]:
        if not result["rounds"]:
            continue
        steps = _figures(result["rounds"])
        result["figures"] = {
            "steps": steps,
            "fps": steps["total"]["fps"],
            "sustained_fps": files.sustained_fps(result),
            "energy_mj": files.energy_mj(result, evidence["samples"]),
        }
        expected = references.get(_key(evidence, result))
        if expected is not None:
            result["reference_boxes"] = same_boxes(expected["boxes"], result["boxes"])
    evidence["verdict"] = judge(evidence)


def _figures(rounds: Sequence[Dict[str, Any]]) -> Dict[str, Dict[str, float]]:
    """dict of step -> figures, over all rounds."""
    steps = {}
    for step in rounds[0]["ms"]:
        ms = np.concatenate([r["ms"].get(step, []) for r in rounds])
        steps[step] = stats.figures(np.maximum(ms, 1e-6))
    return steps


def _key(evidence: Evidence, result: Result) -> Tuple[str, str, str]:
    """Return what two results must share to have the same boxes."""
    clip = next(clip for clip in evidence["clips"] if clip["name"] == result["clip"])
    return result["network_sha256"], result["precision"], clip["sha256"]


def save(
    evidence: Evidence, sampler: Sampler, reference: Optional[Evidence], path: PathLike
) -> None:
    evidence["samples"] = list(sampler.samples)
    finish(evidence, reference)
    files.write(evidence, path)
