"""Compare two runs. Runs that differ in more than the commit are refused."""

import math
import pathlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

from hotpath import boards
from hotpath.deploy.fps import evidence as files
from hotpath.deploy.fps import stats
from hotpath.deploy.fps.evidence import Evidence, PathLike, Result
from hotpath.kernels import cache
from hotpath.runtime.errors import HotpathError

SHIPPED = boards.FOLDER / "reference"  # of boards that somebody measured
OWN = pathlib.Path(cache.HOME) / ".local" / "share" / "hotpath" / "reference"  # of this user
REFERENCE_ROUNDS = 30  # the fewest
REFERENCE_REACH = stats.MARGIN / 4  # half of the interval that a reference may cause
OTHER_SPEED = 1.15  # of the network alone: beyond it, the parts of a frame are slowed down unlike
KEPT = ("total", "alone")  # steps of a reference
EXIT = {"slower": 1, "invalid": 3, "undecided": 4}
HELD = {True: "held", False: "free", None: "unknown"}

Named = Tuple[str, stats.Comparison]  # name of a result, and how it compares


class CannotCompare(HotpathError):
    """Two runs that differ in more than the commit."""


class OtherSpeed(CannotCompare):
    """The machine itself is much faster or slower than it was."""


def compare(base: Evidence, new: Evidence) -> List[Named]:
    for evidence, which in ((base, "first"), (new, "second")):
        if evidence["verdict"]["state"] == "invalid":
            why = evidence["verdict"]["reasons"][0]["text"]
            raise CannotCompare(
                f"the {which} run is invalid and is never compared: {why}; measure again"
            )
    differences = differing(base, new)
    if differences:
        difference = "; ".join(differences)
        raise CannotCompare(f"these runs can't be compared: {difference}; measure both alike")
    paired = is_pair(base, new)
    base_results = {files.name_of(result): result for result in base["results"]}
    comparisons, unlike = [], []
    for result in new["results"]:
        name = files.name_of(result)
        if name not in base_results or not base_results[name]["rounds"] or not result["rounds"]:
            continue
        unlikeness = _results_differ(base_results[name], result)
        if unlikeness:
            unlike.append(f"{name}: {unlikeness}")
            continue
        comparisons.append((name, _compare(name, base_results[name], result, paired)))
    if unlike:
        raise CannotCompare("these runs can't be compared: {}".format("; ".join(unlike)))
    if not comparisons:
        raise CannotCompare(
            f"these runs have no network, precision, engine and clip in common: {_names(base)} "
            f"and {_names(new)}"
        )
    return comparisons


def _compare(name: str, base: Result, new: Result, paired: bool) -> stats.Comparison:
    """Compare a result's frames, in units of the network alone where both sides have it.

    Rounds that took turns need no unit.

    Raises:
        OtherSpeed: the network alone is much slower, or faster.
    """
    ratio = None if paired else files.alone_ratio(base, new)
    if ratio is None:
        return stats.compare(files.totals(base), files.totals(new), paired)
    if not 1 / OTHER_SPEED < ratio < OTHER_SPEED:
        raise OtherSpeed(
            f"{name}: the network alone takes {ratio:.2f} times as long as then, so this machine "
            "has another speed (heat, clocks, power); wait until it is as it was, or keep this run "
            "with `hotpath fps save`"
        )
    compared = stats.compare(files.relative(base), files.relative(new))
    return compared._replace(machine=1 / ratio - 1)


def is_pair(base: Evidence, new: Evidence) -> bool:
    """Whether the rounds of two runs took turns."""
    sides = {base["run"].get("side"), new["run"].get("side")}
    return base["run"]["id"] == new["run"]["id"] and sides == {"base", "new"}


def differing(base: Evidence, new: Evidence) -> List[str]:
    """Return in what two runs differ besides the commit, as a list of phrases."""
    pairs: List[Tuple[object, ...]] = []
    for key in ("name", "model", "cpus", "release"):
        pairs.append(("board " + key, base["board"].get(key), new["board"].get(key)))
    modes = [(e["before"]["power_mode"] or {}).get("name") for e in (base, new)]
    pairs.append(("power mode", *modes))
    for part in ("gpu", "emc", "cpu"):
        held = [HELD[e["before"]["locked"].get(part)] for e in (base, new)]
        pairs.append((f"lock of the {part} clock", *held))
        key = "cpu0_clock_max_hz" if part == "cpu" else part + "_clock_max_hz"
        tops = [e["before"]["sample"].get(key) for e in (base, new)]
        pairs.append((f"highest {part} clock", *tops))
    clips = [{clip["name"]: clip["sha256"][:12] for clip in e["clips"]} for e in (base, new)]
    for name in sorted(set(clips[0]) & set(clips[1])):
        pairs.append(("clip " + name, clips[0][name], clips[1][name]))
    return ["{} is {} and {}".format(*pair) for pair in pairs if pair[1] != pair[2]]


def _results_differ(base: Result, new: Result) -> Optional[str]:
    for key in ("network_sha256", "threads", "kernels"):
        if base[key] != new[key]:
            return f"{key} is {str(base[key])[:12]} and {str(new[key])[:12]}"
    versions = [r["engine"].get("version") for r in (base, new)]
    return (
        None
        if versions[0] == versions[1]
        else "the engine's version is {} and {}".format(*versions)
    )


def _names(evidence: Evidence) -> str:
    names = [files.name_of(result) for result in evidence["results"]] or ["nothing"]
    more = [f"{len(names) - 2} more"] if len(names) > 3 else names[2:]
    return ", ".join(names[:2] + more)


def sentence(name: str, comparison: stats.Comparison) -> str:
    text = (
        f"{name}: {comparison.decision} ({comparison.change:+.1%} FPS, 95% interval "
        f"{comparison.low:+.1%} to {comparison.high:+.1%})"
    )
    if comparison.machine is not None:
        text += f"; the network alone, by which this is measured, {comparison.machine:+.1%}"
    if comparison.decision != "undecided":
        return text
    if comparison.needed is None:
        return text + f"; so near {stats.MARGIN:.0%} that no number of rounds decides"
    return text + f"; some {comparison.needed} rounds would decide"


def answer(comparisons: Sequence[Named]) -> str:
    """One line for a person: the worst of what was compared, by how much, and how sure.

    Args:
        comparisons: (name, ``Comparison``) pairs, at least one.
    """
    name, worst = min(comparisons, key=lambda pair: (_rank(pair[1]), pair[1].change))
    by = f"{abs(worst.change):.1%} (95 % sure: {worst.low:+.1%} to {worst.high:+.1%} FPS)"
    if worst.decision == "same":
        words = f"same speed, within {stats.MARGIN:.0%}: {worst.change:+.1%} FPS"
    elif worst.decision == "undecided":
        more = "a reference with more rounds" if worst.needed is None else f"{worst.needed} rounds"
        words = f"undecided: {worst.change:+.1%} FPS, {worst.low:+.1%} to {worst.high:+.1%}; "
        words += f"{more} would decide"
    else:
        words = f"{worst.decision} by {by}"
    return words if len(comparisons) == 1 else f"{words} ({name})"


def _rank(comparison: stats.Comparison) -> int:
    return ("slower", "undecided", "same", "faster").index(comparison.decision)


def is_clear(base: Evidence, new: Evidence) -> bool:
    """Whether further rounds of a run would change nothing in the answer.

    So it is where the runs can't be compared, or where no number of rounds decides.
    """
    try:
        comparisons = compare(base, new)
    except CannotCompare:
        return True
    open_ones = [c for _, c in comparisons if c.decision == "undecided" and c.needed is not None]
    return not open_ones or any(c.decision == "slower" for _, c in comparisons)


def exit_code(comparisons: Sequence[Named]) -> int:
    """Return the code of ``EXIT`` for the worst that was found: slower, undecided; else 0."""
    decisions = {comparison.decision for _, comparison in comparisons}
    return next((EXIT[word] for word in ("slower", "undecided") if word in decisions), 0)


def reference_of(board: Dict[str, Any]) -> Optional[Evidence]:
    """Return the reference evidence of a board, this user's before the shipped one, or None.

    Args:
        board: ``board`` of evidence. A reference of another model is none of this board.
    """
    for folder in (OWN, SHIPPED):
        path = folder / (board["name"] + ".json")
        if path.is_file():
            reference = files.read(path)
            if all(reference["board"].get(key) == board.get(key) for key in ("model", "cpus")):
                return reference
    return None


def reach(evidence: Evidence) -> float:
    """Half of the 95 % interval of a comparison that a run alone causes, as a share; the widest."""
    results = evidence["results"]
    return max([stats.reach(files.relative(r) or files.totals(r)) for r in results] or [1.0])


def is_precise(evidence: Evidence) -> bool:
    """Whether a reference of this run can tell a change that is hardly above ``stats.MARGIN``."""
    fewest = min([len(result["rounds"]) for result in evidence["results"]] or [0])
    return fewest >= REFERENCE_ROUNDS and reach(evidence) <= REFERENCE_REACH


def save(evidence: Evidence, path: PathLike) -> pathlib.Path:
    """Keep a run as the reference of its board, for this user. Return the file's path.

    Raises:
        CannotCompare: the run is invalid or tells too little. The old reference stays.
        BadEvidence: the file can't be written.
    """
    again = "measure again with `hotpath fps`"
    if evidence["verdict"]["state"] == "invalid":
        why = evidence["verdict"]["reasons"][0]["text"]
        raise CannotCompare(f"{path} is invalid and can't be a reference: {why}; {again}")
    fewest = min([len(result["rounds"]) for result in evidence["results"]] or [0])
    if not evidence["run"]["complete"] or not is_precise(evidence):
        wide = (reach(evidence) / REFERENCE_REACH) ** 2 if fewest > 1 else 1.0
        needed = max(REFERENCE_ROUNDS, math.ceil(fewest * min(wide, 10.0)))
        raise CannotCompare(
            f"{path} has {fewest} rounds, too few to tell a change of {stats.MARGIN:.0%}; {again} "
            f"--rounds {needed}"
        )
    target: pathlib.Path = OWN / (evidence["board"]["name"] + ".json")
    files.write(as_reference(evidence), target)
    return target


def as_reference(evidence: Evidence) -> Evidence:
    """Return what a reference keeps of a run: frame times, but no samples and no snapshots."""
    kept = dict(evidence, samples=[])
    for side in ("before", "after"):
        if side in kept:
            kept[side] = {k: v for k, v in kept[side].items() if k != "snapshot"}
    kept["results"] = []
    for result in evidence["results"]:
        rounds = [
            dict(r, ms={s: [round(v, 4) for v in r["ms"][s]] for s in KEPT if s in r["ms"]})
            for r in result["rounds"]
        ]
        kept["results"].append(dict(result, rounds=rounds))
    return kept
