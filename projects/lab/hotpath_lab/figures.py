"""The table of an evaluation: figures of each tracker on each clip, means and intervals.

Means are over the clips that a tracker has results for. Their 95 % intervals are those of the
bootstrap over clips. Each tracker is compared with the first one on the clips that both have. A
clip that was begun at several frames counts once, with the mean of its starts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hotpath.video.clips import AnnotatedClip
from hotpath_lab import metrics, state_metrics
from hotpath_lab.losses import losses

Table = dict[str, Any]  # of figures
ALL = "all"  # the group of all clips
DRAWS = 4000  # of the bootstrap
FEWEST = 5  # clips of which an interval is given


class TrackerResults(NamedTuple):
    """The results of a tracker."""

    results: Mapping[str, Mapping[str, Any]]  # clip's name -> what ``run_clip`` returns
    engine: str = ""  # empty for a tracker whose boxes were given
    published: Mapping[str, float] = {}  # figures that its authors publish


def evaluation(
    clips: Sequence[AnnotatedClip],
    trackers: Mapping[str, TrackerResults],
    groups: Mapping[str, Sequence[str]],
    begun: Mapping[str, str] = {},
) -> Table:
    """Compute all figures.

    Args:
        clips: the clips that were tracked.
        trackers: name -> its results. Each is compared with the first one.
        groups: name -> names of clips. Each group gets its own means.
        begun: name of a clip that begins later -> name of the whole one.

    Returns:
        dict: ``clips`` (name, frames, sha256, absent), ``groups``, ``trackers``: for each name
        ``clips`` (name -> figures), ``mean`` over the clips, ``groups`` (name -> means),
        ``curves``, ``words`` (of ``hotpath_lab.state_metrics``, or None), ``engine``,
        ``published``.
    """
    table: Table = {
        "clips": [
            {
                "name": clip.name,
                "frames": len(clip),
                "sha256": clip.sha256,
                "absent": int(np.isnan(clip.boxes[:, 0]).sum()),
            }
            for clip in clips
        ],
        "groups": {ALL: [clip.name for clip in clips if clip.name not in begun], **groups},
        "trackers": {},
    }
    first: Mapping[str, Any] = {}
    for name, tracked in trackers.items():
        has = [clip for clip in clips if clip.name in tracked.results]
        starts: dict[str, list[dict[str, float]]] = {}
        for clip in has:
            figures = _of_clip(clip, tracked.results[clip.name])
            starts.setdefault(begun.get(clip.name, clip.name), []).append(figures)
        of_clips = {clip: _mean(rows) for clip, rows in starts.items()}
        curves = [metrics.curves(tracked.results[c.name]["boxes"], c.boxes) for c in has]
        first = first or of_clips
        means = {group: _means(of_clips, first, names) for group, names in table["groups"].items()}
        table["trackers"][name] = {
            "clips": of_clips,
            "mean": means.pop(ALL),
            "groups": means,
            "curves": {
                key: np.mean([curve[key] for curve in curves], axis=0).tolist() for key in curves[0]
            },
            "words": _words(has, tracked.results),
            "engine": tracked.engine,
            "published": dict(tracked.published),
        }
    return table


def _of_clip(clip: AnnotatedClip, result: Mapping[str, Any]) -> dict[str, float]:
    figures = metrics.figures(result["boxes"], clip.boxes)
    figures.update(losses(result["boxes"], clip.boxes, result.get("states", ())))
    if "claimed" in result:
        figures.update(metrics.words(result["boxes"], clip.boxes, result["claimed"]))
    if "ms" in result:
        figures["ms"] = float(np.median(result["ms"][1:])) if len(clip) > 1 else float("nan")
        for step, values in result["steps"].items():
            figures[step + "_ms"] = float(np.median(values))
    return figures


def _words(
    clips: Sequence[AnnotatedClip], results: Mapping[str, Mapping[str, Any]]
) -> Table | None:
    """The figures of ``hotpath_lab.state_metrics``; None of a tracker whose boxes were given."""
    if any("found" not in results[clip.name] for clip in clips):
        return None
    return state_metrics.figures(
        state_metrics.frames_of(results[clip.name], clip.boxes) for clip in clips
    )


def _means(
    of_clips: Mapping[str, dict[str, float]], first: Mapping[str, Any], names: Sequence[str]
) -> Table:
    rows = [of_clips[name] for name in names if name in of_clips]
    if not rows:
        return {"clips": 0}
    mean: Table = dict(_mean(rows), clips=len(rows))
    if "ms" in mean:
        mean["fps"] = 1e3 / mean["ms"]
    mean.update(_spread("success", [row["success"] for row in rows]))
    common = [name for name in names if name in of_clips and name in first]
    if of_clips is not first and common:
        apart = [of_clips[name]["success"] - first[name]["success"] for name in common]
        mean.update(difference=float(np.mean(apart)), **_spread("difference", apart))
        if "difference_low" in mean:
            better, worse = mean["difference_low"] > 0, mean["difference_high"] < 0
            mean["verdict"] = "better" if better else "worse" if worse else "no difference"
    return mean


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means of all figures; a row may lack one, such as that of absent frames."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: float(np.nanmean([row[key] for row in rows if key in row])) for key in keys}


def _spread(key: str, values: Sequence[float]) -> dict[str, float]:
    if len(values) < FEWEST:
        return {}
    low, high = interval(values)
    return {key + "_low": low, key + "_high": high}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of a mean by bootstrap. Equal values give equal intervals."""
    drawn = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.percentile(np.asarray(values)[drawn].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)
