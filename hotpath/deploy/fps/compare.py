"""Compare two runs, and refuse runs that differ in more than the commit.

Is one set of frame times slower than another? Wilcoxon's signed ranks of medians of rounds tell it.
Frames that follow each other share heat, clocks and neighbours, and rounds differ by more than
their frames tell (where memory lies, what else runs). So a round counts as one observation. Of
their spread only symmetry is assumed; on simulated rounds the sign test, which assumes nothing,
leaves nearly twice as many runs undecided.
"""

import math
import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from hotpath.base import cache
from hotpath.deploy.errors import BadEvidence, CannotCompare, OtherMachine
from hotpath.deploy.fps import Evidence, Result
from hotpath.deploy.fps.evidence import name_of, read_evidence, write_evidence
from hotpath.runtime.frames.boxes import overlap

OWN = pathlib.Path(cache.HOME) / ".local" / "share" / "hotpath" / "reference"  # of this user
REFERENCE_ROUNDS = 30  # the fewest
OTHER_SPEED = 1.15  # of the network alone: beyond it, the parts of a frame are slowed down unlike
SAME_BOX = 0.97  # overlap of the first frames' boxes
ORDER = ("slower", "undecided", "same", "faster")  # the worst first
EXIT = {"slower": 1, "undecided": 4}  # codes; else 0
MARGIN = 0.02  # a smaller change of speed is no change
DOUBT = 0.025  # that the truth lies beyond one end of an interval of 95 %
HELD = {True: "held", False: "free", None: "unknown"}


class Comparison(NamedTuple):
    """A change of speed; -0.05 is 5 % slower.

    Attributes:
        change, low, high: the change and its 95 % interval.
        decision: "slower", "faster", "same" or "undecided".
        machine: change of the speed of the network alone, which is taken out; or None.
    """

    change: float
    low: float
    high: float
    decision: str
    machine: Optional[float] = None


Named = Tuple[str, Comparison]  # name of a result, and how it compares


def compare(base: Evidence, new: Evidence) -> List[Named]:
    """Compare what two runs have in common.

    Raises:
        CannotCompare: they differ in more than the commit.
        OtherMachine: the machine has another speed, or the frames other boxes.
    """
    first, second = _settings(base), _settings(new)
    differences = [
        f"{what} is {value} and {second[what]}"
        for what, value in first.items()
        if value != second.get(what, value)
    ]
    if differences:
        difference = "; ".join(differences)
        raise CannotCompare(f"these runs can't be compared: {difference}; measure both alike")
    turns = base["run"]["id"] == new["run"]["id"]
    results = {name_of(result): result for result in base["results"] if result["rounds"]}
    comparisons = [
        (name_of(result), _compare(results[name_of(result)], result, turns))
        for result in new["results"]
        if result["rounds"] and name_of(result) in results
    ]
    if not comparisons:
        raise CannotCompare("these runs have no network, precision and engine in common")
    return comparisons


def _settings(evidence: Evidence) -> Dict[str, object]:
    """What must be the same in two runs: dict of what -> value."""
    before = evidence["before"]
    values = {key: before[key] for key in ("board", "model", "release")}
    values["power mode"] = before["power_mode"]
    values["number of processors"] = before["sample"].get("cpu_online_count")
    for part, clock in (("gpu", "gpu"), ("emc", "emc"), ("cpu", "cpu0")):
        values[f"lock of the {part} clock"] = HELD[before["locked"].get(part)]
        values[f"highest {part} clock"] = before["sample"].get(f"{clock}_clock_max_hz")
    values["the film"] = evidence["film"][:12]
    for result in (result for result in evidence["results"] if result["rounds"]):
        name = name_of(result)
        values[f"{name}: the engine's version"] = result["engine"].get("version")
        for key in ("network_sha256", "threads", "kernels"):
            values[f"{name}: {key}"] = str(result[key])[:12]
    return values


def _compare(base: Result, new: Result, turns: bool) -> Comparison:
    """Compare a result's frames; of two runs in units of the network alone, where both have it."""
    if turns:
        return compare_rounds(totals(base), totals(new), paired=True)
    low = min([float(overlap(*pair)) for pair in zip(base["boxes"], new["boxes"])], default=1.0)
    if low < SAME_BOX:
        raise OtherMachine(
            f"{name_of(new)}: the boxes differ from the reference's (overlap {low:.2f}); "
            "if they should, keep this run with `hotpath fps save`"
        )
    now, then = alone_ms(new), alone_ms(base)
    if not now or not then:
        return compare_rounds(totals(base), totals(new))
    ratio = float(np.median(now) / np.median(then))
    if not 1 / OTHER_SPEED < ratio < OTHER_SPEED:
        raise OtherMachine(
            f"{name_of(new)}: the network alone takes {ratio:.2f} times as long as then, so "
            "this machine has another speed (heat, clocks, power); wait until it is as it was, or "
            "keep this run with `hotpath fps save`"
        )
    compared = compare_rounds(relative(base), relative(new))
    return compared._replace(machine=1 / ratio - 1)


def totals(result: Result) -> List[np.ndarray]:
    """A result's rounds: list of arrays of frame times, ms."""
    return [np.array(r["ms"]["total"], np.float64) for r in result["rounds"]]


def alone_ms(result: Result) -> List[float]:
    """Medians of the network alone, a round each; empty if a round has none."""
    times = [r["ms"].get("alone") for r in result["rounds"]]
    return [float(np.median(ms)) for ms in times] if all(times) else []


def relative(result: Result) -> List[np.ndarray]:
    """The rounds in units of the network alone; empty if a round has none."""
    return [ms / alone for ms, alone in zip(totals(result), alone_ms(result))]


def sentence(comparison: Comparison) -> str:
    """How much slower or faster, and how sure that is."""
    if math.isinf(comparison.high):
        return "undecided: fewer than six rounds decide nothing; give more --rounds"
    word = "same speed" if comparison.decision == "same" else comparison.decision
    text = "{}: {:+.1%} FPS (95 % sure: {:+.1%} to {:+.1%})".format(word, *comparison[:3])
    if comparison.machine is not None:
        text += f"; the network alone, by which this is measured, {comparison.machine:+.1%}"
    if comparison.decision == "undecided":
        text += "; more --rounds would decide"
    return text


def worst(comparisons: Sequence[Named]) -> Named:
    """What decides: the first of ``ORDER``, and of those the largest loss."""
    return min(comparisons, key=lambda pair: (ORDER.index(pair[1].decision), pair[1].change))


def reference_of(board: Dict[str, Any]) -> Optional[Evidence]:
    """Return the reference of a board, or None.

    Args:
        board: ``before`` of evidence. A reference of another model is none of this board.
    """
    path = OWN / (board["board"] + ".json")
    try:
        reference = read_evidence(path) if path.is_file() else None
    except BadEvidence:
        raise BadEvidence(
            f"{path}, this board's reference, is damaged or of another version of Hotpath; delete "
            "it, run `hotpath fps --rounds 30`, and keep that run with `hotpath fps save`"
        ) from None
    return reference if reference and reference["before"]["model"] == board["model"] else None


def save(evidence: Evidence, path: pathlib.Path) -> pathlib.Path:
    """Keep a run as the reference of its board, for this user. Return the file's path.

    Raises:
        CannotCompare: the run is invalid or tells too little. The old reference stays.
        BadEvidence: the file can't be written.
    """
    fewest = min([len(result["rounds"]) for result in evidence["results"]] or [0])
    why = "; ".join(evidence["invalid"])
    if not evidence["run"]["complete"] or fewest < REFERENCE_ROUNDS:
        why = why or f"it has {fewest} rounds, too few for other runs to be compared with"
    if why:
        raise CannotCompare(
            f"{path} can't be a reference: {why}; measure again with `hotpath fps --rounds "
            f"{REFERENCE_ROUNDS}`"
        )
    target: pathlib.Path = OWN / (evidence["before"]["board"] + ".json")
    write_evidence(evidence, target)
    return target


def compare_rounds(
    base: Sequence[np.ndarray], new: Sequence[np.ndarray], paired: bool = False
) -> Comparison:
    """Compare two runs by the medians of their rounds, lists of arrays of frame times.

    Paired rounds took turns, so that what slowed one down slowed down the other.
    """
    first, second = _log_medians(base), _log_medians(new)
    if paired:
        low, change, high = interval([a - b for a, b in zip(first, second)])
    else:
        (low_1, middle_1, high_1), (low_2, middle_2, high_2) = interval(first), interval(second)
        change = middle_1 - middle_2
        low = change - math.hypot(middle_1 - low_1, high_2 - middle_2)
        high = change + math.hypot(high_1 - middle_1, middle_2 - low_2)
    change, low, high = np.expm1([change, low, high]).tolist()
    return Comparison(change, low, high, decide(low, high))


def interval(values: Sequence[float]) -> Tuple[float, float, float]:
    """The low end, the middle and the high end of the 95 % interval of a centre.

    The middle is the median of the means of all pairs (Hodges and Lehmann). The ends are those
    centres that the signed-rank test just rejects (Tukey). Fewer than six values show no end,
    because all of them may lie on one side by chance.
    """
    count = len(values)
    if not count:
        return -math.inf, 0.0, math.inf
    numbers = np.asarray(values, np.float64)
    means = np.sort((numbers[:, None] + numbers)[np.triu_indices(count)] / 2)
    chance = np.ones(1)  # of each sum of the ranks so far that are positive
    for rank in range(1, count + 1):
        nothing = np.zeros(rank)
        chance = (np.append(chance, nothing) + np.append(nothing, chance)) / 2
    outside = np.searchsorted(np.cumsum(chance), DOUBT, side="right")
    middle = float(np.median(means))
    if not outside:
        return -math.inf, middle, math.inf
    return float(means[outside - 1]), middle, float(means[-outside])


def decide(low: float, high: float) -> str:
    """Return the decision that an interval of the change of speed allows."""
    if high < -MARGIN:
        return "slower"
    if low > MARGIN:
        return "faster"
    return "same" if low >= -MARGIN and high <= MARGIN else "undecided"


def _log_medians(rounds: Sequence[np.ndarray]) -> Sequence[float]:
    return [math.log(max(np.median(ms), 1e-6)) for ms in rounds if len(ms)]
