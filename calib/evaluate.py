"""python -m calib.evaluate: how well networks follow annotated clips, as tables, plots and pages.

    python -m calib.evaluate --clips DIR --networks nanotrack_v1,nanotrack_v2,KCF \
        --networks-dir DIR --precision fp32 int8 --out out/evaluation

    python -m calib.evaluate --benchmark otb100 --data DIR --networks kestrel

Each tracker's boxes on each clip are a file in OUT/boxes; a finished one is not run again as long
as clip, network and engine are the same. Times are measured in the run: use --jobs 1 when they
count.
"""

import argparse
import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calib.clips import Clip
from calib.trackers import Spec

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import cv2
import numpy as np

from calib import benchmarks, command, metrics, report, trackers, workers
from calib.clips import find_clips
from calib.command import chosen, say
from calib.errors import BadRun
from calib.follow import follow, follow_late


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.evaluate", __doc__)
    command.add_clip_options(cli, required=False)
    cli.add_argument(
        "--benchmark",
        choices=benchmarks.names(),
        help="a whole public data set, in the layout in which its authors give it out",
    )
    cli.add_argument("--data", metavar="DIR", help="folder of the --benchmark")
    cli.add_argument(
        "--trim",
        action="store_true",
        help="where frames and boxes differ in number, use as many as both have",
    )
    cli.add_argument(
        "--networks",
        required=True,
        metavar="NAME,NAME",
        help="networks, TOMLs, and as peers: " + ", ".join(trackers.PEERS),
    )
    command.add_network_options(cli)
    cli.add_argument("--threads", type=int, default=1, metavar="N")
    cli.add_argument("--precision", nargs="+", default=["fp32"], choices=("fp32", "int8"))
    cli.add_argument(
        "--int8-dir",
        default="out/int8",
        metavar="DIR",
        help="where calib.int8 wrote its networks (default: %(default)s)",
    )
    cli.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    cli.add_argument(
        "--realtime",
        type=float,
        metavar="FPS",
        help="also as a camera of FPS would drive them, with the times measured here",
    )
    cli.add_argument("--out", default="out/evaluation", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> int:
    """Track, then write every table; returns the exit code."""
    if bool(options.clips) == bool(options.benchmark):
        raise BadRun("name what to evaluate on: --clips DIR, or --benchmark NAME --data DIR")
    if options.benchmark:
        if not options.data:
            raise BadRun(f"--benchmark {options.benchmark} needs --data DIR")
        benchmarks.run(options)
        return 0
    if options.realtime is not None and options.realtime <= 0:
        raise BadRun(f"--realtime {options.realtime:g}: must be above zero")
    clips = chosen(find_clips(options.clips, options.trim, say), options.only)
    shared = trackers.tracker_options(options)
    names = options.networks.split(",")
    specs = trackers.specs(names, options.precision, shared, options.int8_dir)
    out = Path(options.out)
    broken = follow_all(specs, clips, out, options.jobs, None)
    rates: list[float | None] = [None]
    if options.realtime:
        broken += follow_all(specs, clips, out, options.jobs, options.realtime)
        rates.append(options.realtime)
    clips = [clip for clip in clips if clip.name not in {name for name, _ in broken}]
    for _, sentence in broken:
        say(f"calib.evaluate: {sentence}")
    if not clips:
        raise BadRun("no clip could be followed to its end; see above")
    table = evaluation(specs, clips, out, rates)
    report.write(table, clips, out)
    say(report.text(table))
    say("wrote {}".format(", ".join(str(out / name) for name in report.FILES)))
    return 2 if broken else 0


# -- tracking


def follow_all(
    specs: Sequence[Spec], clips: Sequence[Clip], out: Path, jobs: int, realtime: float | None
) -> list[tuple[str, str]]:
    """Run what is not there yet; returns a list of (clip's name, sentence) of what broke."""
    todo = [
        (clip, (spec, clip, out, realtime))
        for spec in specs
        for clip in clips
        if stored(spec, clip, out, realtime) is None
    ]
    label = "tracking" if realtime is None else f"at {realtime:g} FPS"
    ended = workers.over_clips(follow_and_store, todo, jobs, label)
    return sorted({(clip.name, str(error)) for clip, error in ended if error})


def path_of(spec: Spec, clip: Clip, out: Path, realtime: float | None) -> Path:
    """The file of a tracker's boxes on a clip."""
    name = spec.name if realtime is None else f"{spec.name}@{realtime:g}"
    return out / "boxes" / f"{name}-{spec.options.engine}" / (clip.name + ".json")


def stored(
    spec: Spec, clip: Clip, out: Path, realtime: float | None = None
) -> dict[str, Any] | None:
    """What was tracked before, as a dict; None when there is nothing or it was something else."""
    try:
        with open(path_of(spec, clip, out, realtime)) as file:
            kept = json.load(file)
    except (OSError, ValueError):
        return None
    return kept if kept.get("key") == _key(spec, clip) else None


def _key(spec: Spec, clip: Clip) -> str:
    return spec.identity + clip.sha256


def follow_and_store(spec: Spec, clip: Clip, out: Path, realtime: float | None) -> None:
    """Track one clip and write its file."""
    cv2.setNumThreads(1)
    tracker = _tracker(spec)
    if realtime is None:
        result = follow(tracker, clip)
    else:
        measured = stored(spec, clip, out) or {}  # which follow_all has made
        result = follow_late(tracker, clip, realtime, measured["ms"])
    result["key"] = _key(spec, clip)
    path = path_of(spec, clip, out, realtime)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result))
    part.replace(path)


@functools.lru_cache(maxsize=1)
def _tracker(spec: Spec) -> Any:
    return trackers.build(spec)


# -- tables


def evaluation(
    specs: Sequence[Spec], clips: Sequence[Clip], out: Path, rates: Sequence[float | None]
) -> dict[str, Any]:
    """All figures.

    Returns:
        dict: ``clips`` (name, frames, sha256, absent), ``trackers``: for each name ``clips`` (name
        -> figures), ``mean`` over the clips, ``ao_of_all_frames``,
        ``curves``, ``published``.
    """
    table: dict[str, Any] = {
        "clips": [
            {
                "name": clip.name,
                "frames": len(clip),
                "sha256": clip.sha256,
                "absent": int(np.isnan(clip.boxes[:, 0]).sum()),
            }
            for clip in clips
        ],
        "trackers": {},
    }
    for rate in rates:
        for spec in specs:
            name = spec.name if rate is None else f"{spec.name} at {rate:g} FPS"
            found = [stored(spec, clip, out, rate) for clip in clips]
            table["trackers"][name] = dict(
                _figures(clips, found),
                engine=spec.options.engine,
                published=trackers.published(spec),
            )
    return table


def _figures(clips: Sequence[Clip], found: Sequence[Any]) -> dict[str, Any]:
    per_clip, per_curve, ious = {}, [], []
    for clip, result in zip(clips, found):
        boxes = np.array(result["boxes"])
        figures = metrics.figures(boxes, clip.boxes)
        ms = float(np.median(result["ms"][1:])) if len(clip) > 1 else float("nan")
        figures.update(fps=1e3 / ms, ms=ms, skipped=result.get("skipped", 0))
        for step, values in result["steps"].items():
            figures[step + "_ms"] = float(np.median(values))
        per_clip[clip.name] = figures
        per_curve.append(metrics.curves(boxes, clip.boxes))
        ious.append(metrics.overlap(boxes[1:], clip.boxes[1:]))
    keys = next(iter(per_clip.values())).keys()
    mean = {key: float(np.nanmean([row[key] for row in per_clip.values()])) for key in keys}
    mean["fps"] = 1e3 / mean["ms"]
    return {
        "clips": per_clip,
        "mean": mean,
        "ao_of_all_frames": float(np.nanmean(np.concatenate(ious))),
        "curves": {
            key: np.mean([curve[key] for curve in per_curve], axis=0).tolist()
            for key in per_curve[0]
        },
        "boxes": {clip.name: result["boxes"] for clip, result in zip(clips, found)},
    }


main = command.main("calib.evaluate", run, parser)

if __name__ == "__main__":
    sys.exit(main())
