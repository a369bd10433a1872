"""Write the evidence file of a run: one JSON with all that others need to check its figures.

Why a run's figures do not count, as on a hot or busy board, is found out here, too.
"""

import json
import operator
import pathlib
from typing import Dict, Iterator, List, Sequence, Union

import numpy as np

from hotpath.base import cache
from hotpath.base.text import read_json
from hotpath.boards.sensors import throttle
from hotpath.deploy.errors import BadEvidence
from hotpath.deploy.fps import Evidence, Result, Sample

FORMAT = 2
MOST_BYTES = 1 << 26  # a run of an hour has some MB
NEEDED = {  # what comparisons and reports take of each part
    "run": ("id", "started", "commit", "dirty", "complete", "rounds"),
    "before": ("board", "model", "release", "power_mode", "locked", "sample"),
    "results": ("network_sha256", "kernels", "threads", "boxes"),
}
BELOW_LOCK = 0.95  # of the locked clock
MAY_BE_BELOW = 0.01  # share of samples
OTHERS_CORES = 0.5  # processors that others may use; they share caches and memory
GPU_BEFORE = 10.0  # percent of the GPU that was busy before the run
EVENTS = {  # those of peak currents climb by thousands under plain load
    "oc1_undervoltage_count": "under-voltage",
    "oc2_average_overcurrent_count": "average over-current",
}


def write_evidence(evidence: Evidence, path: pathlib.Path) -> None:
    """Write a file, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(path, json.dumps(evidence, allow_nan=False))
    except OSError as error:
        raise BadEvidence(
            f"the evidence can't be written to {path}: {error.strerror}; name another folder with "
            "--out"
        ) from None


def read_evidence(path: Union[str, pathlib.Path]) -> Evidence:
    """Read a file. Whether it is valid is found out again from what was measured."""
    again = "measure with `hotpath fps --out DIR`, which writes DIR/evidence-*.json"
    try:
        evidence: Evidence = read_json(str(path), MOST_BYTES)
        if evidence["format"] != FORMAT:
            raise ValueError("another version of Hotpath wrote it")
        for part, keys in NEEDED.items():
            for entry in evidence[part] if part == "results" else [evidence[part]]:
                operator.itemgetter(*keys)(entry)
        evidence["before"]["board"] + str(evidence["film"])
        for result in evidence["results"]:
            name_of(result)
            np.reshape(np.asarray(result["boxes"], np.float64), (-1, 4))
            if result["rounds"]:
                float(figures_of(result)["total"]["median"])
        evidence["invalid"] = why_invalid(evidence)
    except KeyError as error:
        raise BadEvidence(f"{path} is not evidence of ours: it lacks {error}; {again}") from None
    except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise BadEvidence(f"{path} can't be read as evidence: {error}; {again}") from None
    return evidence


def name_of(result: Result) -> str:
    """Return a result's name: network, precision and engine."""
    return "{network} {precision} {0}".format(result["engine"]["engine"], **result)


def figures_of(result: Result) -> Dict[str, Dict[str, float]]:
    """Step -> its median, p95 and p99, all ms, and FPS, of all rounds."""
    steps = {}
    for step in result["rounds"][0]["ms"]:
        ms = np.maximum(np.concatenate([r["ms"].get(step, []) for r in result["rounds"]]), 1e-6)
        median, p95, p99 = (float(v) for v in np.percentile(ms, (50, 95, 99)))
        steps[step] = {"median": median, "p95": p95, "p99": p99, "fps": 1e3 / median}
    return steps


def why_invalid(evidence: Evidence) -> List[str]:
    """The reasons for which a run is invalid, as phrases; none for a run that is not."""
    reasons = _mode(evidence), _limits(evidence), _clocks(evidence), _others(evidence)
    return sorted({phrase for phrases in reasons for phrase in phrases})


def _readings(evidence: Evidence) -> Sequence[Sample]:
    """All samples, from before the run to after it."""
    ends = [evidence[end]["sample"] for end in ("before", "after") if end in evidence]
    return [*ends[:1], *evidence["samples"], *ends[1:]]


def _mode(evidence: Evidence) -> Iterator[str]:
    modes = [
        str(s.get("power_mode_name") or s["power_mode_id"])
        for s in _readings(evidence)
        if s.get("power_mode_id") is not None
    ]
    if len(set(modes)) > 1:
        yield "the power mode changed: {}".format(", ".join(dict.fromkeys(modes)))
    after = evidence.get("after") or evidence["before"]
    if after["locked"] != evidence["before"]["locked"]:
        yield "clocks were locked or freed during the run"


def _limits(evidence: Evidence) -> Iterator[str]:
    """Find what slowed the board down: heat, voltage, current."""
    readings = _readings(evidence)
    for key, name in EVENTS.items():
        counts = [s[key] for s in readings if s.get(key) is not None]
        if counts and counts[-1] > counts[0]:
            yield f"{counts[-1] - counts[0]} {name} events"
    for key in (key for sample in readings for key in throttle.active(sample)):
        yield f"cooling device {key[len('cooling_') : -len('_state')]} was active"


def _clocks(evidence: Evidence) -> Iterator[str]:
    """Find locked clocks that were lower than their lock."""
    before, samples = evidence["before"], evidence["samples"]
    held = tuple(part for part, is_held in before["locked"].items() if is_held)
    for key in {key for sample in samples for key in sample if key.endswith("_clock_hz")}:
        top = before["sample"].get(key[: -len("_hz")] + "_max_hz")
        clocks = [s[key] for s in samples if s.get(key) is not None]
        low = sum(clock < BELOW_LOCK * top for clock in clocks) if top else 0
        if key.startswith(held) and low > MAY_BE_BELOW * len(clocks):
            name = key[: -len("_hz")]
            yield f"{name} was below 95% of its lock in {low} of {len(clocks)} samples"


def _others(evidence: Evidence) -> Iterator[str]:
    """Find other processes that used the GPU or the processor."""
    idle = evidence["before"].get("idle_sample", {})
    gpu, cores = idle.get("gpu_load_percent"), idle.get("other_cores")
    if gpu is not None and gpu > GPU_BEFORE:
        yield f"another process takes the GPU: {gpu:.0f}% busy before the start"
    if cores is not None and cores > OTHERS_CORES:
        yield f"{cores:.1f} processors were busy before the start"
    loads = [s["other_cores"] for s in evidence["samples"] if s.get("other_cores") is not None]
    if loads and np.median(loads) > OTHERS_CORES:
        yield f"other processes kept {np.median(loads):.1f} processors busy"
