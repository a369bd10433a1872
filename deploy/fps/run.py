"""A run: networks x precisions x engines on clips. A warm-up, then rounds that take turns."""

import hashlib
import json
import os
import time
import uuid
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.fps import compare, stats
from hotpath.deploy.fps import evidence as files
from hotpath.deploy.fps import place as places
from hotpath.deploy.fps.clips import Clip
from hotpath.deploy.fps.evidence import Evidence, PathLike, Result, Sample
from hotpath.deploy.fps.loop import Loop, Steps, waited_s
from hotpath.deploy.fps.verdict import judge
from hotpath.runtime import DEFAULT_NETWORK, bundle, engines, load_tracker, loading, precision
from hotpath.runtime.boxes import overlap
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.network import Network
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.tracker import Tracker

WARM_BLOCK = 20  # frames
STEADY = 0.03  # between the medians of the last blocks, and between their clocks
STEADY_BLOCKS = 4
WARM_S = 30.0  # longest warm-up
CHECKED = 20  # frames whose boxes must agree; later ones may differ after a rounding

Say = Callable[[str], None]
Opened = Tuple[Tracker, Dict[str, Any], Optional[str]]


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
        self.__dict__.update(values)

    def cases(self) -> List[Case]:
        return [Case(n, p, e) for n in self.networks for p in self.precisions for e in self.engines]


class Sampler:
    """Reads the board's sensors about once a second, between frames that are timed."""

    def __init__(self, telemetry: Telemetry, period_s: float, alone: bool = True) -> None:
        self._telemetry, self._period_s, self._alone = telemetry, period_s, alone
        self._began = self._last = time.monotonic()
        self._own_s = sum(os.times()[:4])
        self._due = float("inf")
        self.samples: List[Sample] = []
        if period_s:
            telemetry.read()  # loads are means since the previous reading
            self._due = self._last + period_s

    def tick(self) -> None:
        """Take a sample when a second has passed; call this between frames."""
        now = time.monotonic()
        if now < self._due:
            return
        sample: Sample = self._telemetry.read()
        own_s = sum(os.times()[:4])
        own = (own_s - self._own_s) / (now - self._last)
        load = sample.get("cpu_load_percent")
        count = sample.get("cpu_online_count") or os.cpu_count()
        sample["time_s"] = round(now - self._began, 3)
        sample["own_cores"] = round(own, 3)
        busy = None if load is None or not self._alone else load / 100.0 * count
        sample["other_cores"] = None if busy is None else round(max(0.0, busy - own), 3)
        self.samples.append(sample)
        self._last, self._own_s = now, own_s
        self._due = time.monotonic() + self._period_s


def round_numbers(settings: Settings, is_clear: Callable[[], bool]) -> Iterator[int]:
    """Numbers of rounds: those that were asked for, then more while the answer is not clear.

    Args:
        settings: uses ``rounds`` and ``minutes``, the time for the further ones.
        is_clear: function without arguments, called after the first ``rounds``.
    """
    yield from range(settings.rounds)
    number, end_s = settings.rounds, time.monotonic() + 60 * settings.minutes
    while time.monotonic() < end_s and not is_clear():
        yield number
        number += 1


def measure(
    settings: Settings,
    place: places.Place,
    path: PathLike,
    changed: Sequence[str] = (),
    reference: Optional[Evidence] = None,
    say: Say = print,
) -> Evidence:
    """Run all and keep the evidence file up to date.

    With a ``reference`` that can be compared, rounds go on until the answer is clear.
    """
    cv2.setNumThreads(settings.threads)
    evidence = begin(settings, place, changed)
    time.sleep(0.2 if settings.period_s else 0)  # to read the GPU's load before the run
    evidence["before"]["idle_sample"] = place.telemetry.read()
    sampler = Sampler(place.telemetry, settings.period_s)
    began = time.monotonic()
    for clip in settings.clips:
        loops = []
        for case in settings.cases():
            tracker, result = open_case(case, settings, clip)
            loop = Loop(tracker, clip.frames, clip.box)
            result["warm_up"] = warm_up(loop, place.telemetry, sampler, settings.warm_s)
            say("{}: warm after {frames} frames".format(files.name_of(result), **result["warm_up"]))
            loops.append((loop, result))
            evidence["results"].append(result)
        for number in round_numbers(
            settings, lambda: reference is None or compare.is_clear(reference, evidence)
        ):
            for loop, result in loops:
                one_round(loop, result, settings.frames, sampler, began)
                save(evidence, sampler, reference, path)
            say(said_of(number, settings, clip.name))
        for loop, _ in loops:
            loop.tracker.close()
    evidence["after"] = place.state()
    evidence["run"]["complete"] = True
    save(evidence, sampler, reference, path)
    return evidence


def said_of(number: int, settings: Settings, what: str) -> str:
    """The sentence after a round."""
    if number < settings.rounds:
        return f"round {number + 1} of {settings.rounds} on {what}"
    return f"round {number + 1} on {what}, since the answer is not clear yet"


def begin(settings: Settings, place: places.Place, changed: Sequence[str]) -> Evidence:
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
            "changed": list(changed),
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


def open_case(case: Case, settings: Settings, clip: Clip) -> Tuple[Tracker, Result]:
    """Make a case's tracker, and its result without rounds."""
    tracker, identity, parts = _tracker(case, settings)
    engine = tracker.engine.describe()
    result = new_result(case, settings, clip, identity, engine, tracker.kernels_name)
    if parts:
        result["engine_sha256"] = parts
    return tracker, result


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


def _tracker(case: Case, settings: Settings) -> Opened:
    """(tracker, the network's identity, sha256 of a bundle's parts or None)."""
    if needs_bundle(case):
        return _from_bundle(case, settings, load_network(case.network))
    network = on_processor(case, settings)
    paths = network.locate(settings.networks_dir)
    tracker = load_tracker(
        str(network.path),
        engine=case.engine,
        precision="fp32",
        networks_dir=settings.networks_dir,
        threads=settings.threads,
    )
    return tracker, bundle.identity(network, paths), None


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


def _from_bundle(case: Case, settings: Settings, network: Network) -> Opened:
    loaded, engine, kernels = loading.load(
        Options(
            case.network,
            engine=case.engine,
            precision=case.precision,
            threads=settings.threads,
        )
    )
    board = places.Place().board
    parts = loading.find_bundle(board, network, case.precision).parts
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return loading.create_tracker(loaded, engine, kernels), bundle.identity(network), digest


def warm_up(loop: Loop, telemetry: Telemetry, sampler: Sampler, longest_s: float) -> Dict[str, Any]:
    """Run until the last blocks agree in times and clocks. Return the evidence's ``warm_up``."""
    began = time.monotonic()
    medians = []
    clocks = []
    frames = 0
    while True:
        ms, _ = loop.run(WARM_BLOCK, sampler.tick)
        frames += WARM_BLOCK
        medians.append(float(np.median(ms["total"])))
        sample: Sample = telemetry.read()
        clocks.append(sample.get("gpu_clock_hz") or sample.get("cpu0_clock_hz") or 0)
        last, held = medians[-STEADY_BLOCKS:], clocks[-STEADY_BLOCKS:]
        alike = max(last) <= (1 + STEADY) * min(last) and max(held) <= (1 + STEADY) * min(held)
        steady = len(last) == STEADY_BLOCKS and alike
        seconds = time.monotonic() - began
        if steady or seconds > longest_s:
            return {"frames": frames, "seconds": round(seconds, 3), "steady": bool(steady)}


def one_round(loop: Loop, result: Result, frames: int, sampler: Sampler, began: float) -> None:
    """Time one round and add it to the result."""
    loop.place = 0
    started, waited = time.monotonic(), waited_s()
    ms, boxes = loop.run(frames, sampler.tick)
    seconds = time.monotonic() - started
    waited_now = waited_s()
    share = None if waited is None or waited_now is None else (waited_now - waited) / seconds
    add_round(result, started - began, seconds, ms, boxes, share)


def add_round(
    result: Result,
    started_s: float,
    seconds: float,
    ms: Steps,
    boxes: Sequence[Tuple[int, Sequence[float]]],
    share: Optional[float],
) -> None:
    first = [box for _, box in boxes[:CHECKED]]
    if not result["rounds"]:
        result["boxes"] = [[round(v, 3) for v in box] for box in first]
    result["rounds"].append(
        {
            "started_s": round(started_s, 3),
            "seconds": round(seconds, 3),
            "ms": {step: [round(v, 5) for v in values] for step, values in ms.items()},
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
