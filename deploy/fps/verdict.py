"""Judge whether a run's figures are reliable: ``invalid``, ``warn`` or ``ok``, with reasons."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from hotpath.boards.sensors import cooling
from hotpath.deploy.fps.evidence import Evidence, Result, Sample

State = Dict[str, Any]  # ``before`` and ``after`` of evidence
Reason = Tuple[str, str]  # of STATES, sentence

STATES = ("ok", "warn", "invalid")
BELOW_LOCK = 0.95  # of the locked clock
MAY_BE_BELOW = 0.01  # share of samples
WAITED = 0.10  # share of the time in which other processes had our processor
WAITED_A_LITTLE = 0.02
OTHERS_CORES = 0.25  # processors that other processes may use
TOO_BUSY_CORES = 0.5  # they share caches and memory, so what is timed is slower
GPU_BEFORE = 10.0  # percent of the GPU that was busy before the run
SAME_BOX = 0.97  # overlap of the first frames' boxes
EVENTS = (  # the first two slow a board down; the last climbs by thousands under plain load
    ("oc1_undervoltage_count", "invalid", "{} under-voltage events"),
    ("oc2_average_overcurrent_count", "invalid", "{} average over-current events"),
    ("oc3_peak_overcurrent_count", "warn", "{} peak over-current events"),
)


def judge(evidence: Evidence) -> Dict[str, Any]:
    before = evidence["before"]
    samples = list(evidence["samples"])
    after = evidence.get("after") or {}
    readings = [before["sample"]] + samples + ([after["sample"]] if after else [])
    reasons = _mode(before, after, readings) + _events(readings) + _cooling(readings)
    reasons += _clocks(before, samples) + _others(evidence, before, samples)
    reasons += _results(evidence["results"])
    if not evidence["run"]["complete"]:
        reasons.append(("warn", "the run was stopped before its end"))
    reasons = sorted(set(reasons), key=lambda reason: (-STATES.index(reason[0]), reason[1]))
    state = reasons[0][0] if reasons else "ok"
    return {"state": state, "reasons": [{"state": s, "text": text} for s, text in reasons]}


def _mode(before: State, after: State, readings: Sequence[Sample]) -> List[Reason]:
    modes = [(s.get("power_mode_id"), s.get("power_mode_name")) for s in readings]
    modes = [mode for mode in modes if mode[0] is not None]
    reasons = []
    if len(set(modes)) > 1:
        names = [str(mode[1] or mode[0]) for mode in dict.fromkeys(modes)]
        reasons.append(("invalid", "the power mode changed: {}".format(", ".join(names))))
    fastest = before.get("fastest_power_mode")
    if fastest and modes and modes[0][1] != fastest:
        now = modes[0][1] or modes[0][0]
        reasons.append(("warn", f"the power mode is {now}, the fastest is {fastest}"))
    if after and before["locked"] != after["locked"]:
        reasons.append(("invalid", "clocks were locked or freed during the run"))
    return reasons


def _events(readings: Sequence[Sample]) -> List[Reason]:
    reasons = []
    for key, state, text in EVENTS:
        counts = [s[key] for s in readings if s.get(key) is not None]
        if counts and counts[-1] > counts[0]:
            reasons.append((state, text.format(counts[-1] - counts[0])))
    alarms = {key for s in readings for key, v in s.items() if key.endswith("_alarm_state") and v}
    return reasons + [
        ("warn", "current alarm of {}".format(k[: -len("_alarm_state")])) for k in sorted(alarms)
    ]


def _cooling(readings: Sequence[Sample]) -> List[Reason]:
    devices = sorted({key for sample in readings for key in cooling.active(sample)})
    return [
        ("invalid", "cooling device {} was active".format(d[len("cooling_") : -len("_state")]))
        for d in devices
    ]


def _clocks(before: State, samples: Sequence[Sample]) -> List[Reason]:
    """Find locked clocks that were lower than their lock."""
    reasons = []
    for part, held in sorted(before["locked"].items()):
        if not held:
            continue
        keys = {key for sample in samples for key in sample if key.startswith(part)}
        for key in sorted(key for key in keys if key.endswith("_clock_hz")):
            limit = key[: -len("_hz")] + "_max_hz"
            pairs = [(s.get(key), before["sample"].get(limit)) for s in samples]
            pairs = [(now, top) for now, top in pairs if now is not None and top]
            low = sum(now < BELOW_LOCK * top for now, top in pairs)
            if pairs and low > MAY_BE_BELOW * len(pairs):
                text = "{} was below 95% of its lock in {} of {} samples"
                reasons.append(("invalid", text.format(key[: -len("_hz")], low, len(pairs))))
    return reasons


def _others(evidence: Evidence, before: State, samples: Sequence[Sample]) -> List[Reason]:
    """Find other processes that used the GPU or the processor."""
    reasons = []
    busy = before.get("idle_sample", {}).get("gpu_load_percent")
    if busy is not None and busy > GPU_BEFORE:
        text = f"another process takes the GPU: {busy:.0f}% busy before the start"
        reasons.append(("invalid", text))
    cores = before.get("idle_sample", {}).get("other_cores")
    if cores is not None and cores > TOO_BUSY_CORES:
        reasons.append(("invalid", f"{cores:.1f} processors were busy before the start"))
    waited = [share for share in map(_waited, evidence["results"]) if share is not None]
    if waited and max(waited) > WAITED:
        text = "another process took the CPU: it was waited for in {:.0f}% of the time"
        reasons.append(("invalid", text.format(100 * max(waited))))
    elif waited and max(waited) > WAITED_A_LITTLE:
        reasons.append(("warn", f"the CPU was waited for in {100 * max(waited):.1f}% of the time"))
    loads = sorted(s["other_cores"] for s in samples if s.get("other_cores") is not None)
    if loads and loads[len(loads) // 2] > OTHERS_CORES:
        middle = loads[len(loads) // 2]
        state = "invalid" if middle > TOO_BUSY_CORES else "warn"
        reasons.append((state, f"other processes kept {middle:.1f} processors busy"))
    return reasons


def _waited(result: Result) -> Optional[float]:
    """Share of a result's rounds in which others had our processor, or None if unknown."""
    rounds = [r for r in result["rounds"] if r.get("waited_share") is not None]
    seconds = sum(r["seconds"] for r in rounds)
    return sum(r["waited_share"] * r["seconds"] for r in rounds) / seconds if seconds else None


def _results(results: Sequence[Result]) -> List[Reason]:
    reasons = []
    for result in results:
        name = "{network} {precision} on {clip}".format(**result)
        if not result["warm_up"]["steady"]:
            reasons.append(("warn", f"{name}: times were not steady after the warm-up"))
        overlaps = [r["same_boxes"] for r in result["rounds"] if r.get("same_boxes") is not None]
        if overlaps and min(overlaps) < SAME_BOX:
            reasons.append(("invalid", f"{name}: the boxes of the rounds differ"))
        reference_overlap = result.get("reference_boxes")
        if reference_overlap is not None and reference_overlap < SAME_BOX:
            text = f"{name}: the boxes differ from the reference (overlap {reference_overlap:.2f})"
            reasons.append(("invalid", text))
    return reasons
