"""Why a run's figures do not count, as on a hot or busy board."""

from typing import Iterator, List, Sequence

import numpy as np

from hotpath.boards.sensors import cooling
from hotpath.deploy.fps import Evidence, Sample

BELOW_LOCK = 0.95  # of the locked clock
MAY_BE_BELOW = 0.01  # share of samples
OTHERS_CORES = 0.5  # processors that others may use; they share caches and memory
GPU_BEFORE = 10.0  # percent of the GPU that was busy before the run
EVENTS = {  # those of peak currents climb by thousands under plain load
    "oc1_undervoltage_count": "under-voltage",
    "oc2_average_overcurrent_count": "average over-current",
}


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
    for key in (key for sample in readings for key in cooling.active(sample)):
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
