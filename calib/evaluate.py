"""python -m calib.evaluate: how well networks follow annotated clips, as tables, plots and pages.

    python -m calib.evaluate --clips DIR --networks nanotrack_v1,nanotrack_v2,KCF \
        --networks-dir DIR --precision fp32 int8 --out out/evaluation

Each tracker's boxes on each clip are a file in OUT/boxes; a finished one is not run again as long
as clip, network and engine are the same. Times are measured in the run: use --jobs 1 when they
count.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import cv2
import numpy as np
from tqdm import tqdm

from calib import metrics, report, trackers
from calib.clips import find_clips
from calib.errors import BadRun
from runtime import engines
from runtime.errors import HotpathError

GRACE = 3  # late frames that the VOT real-time challenge forgives after a start


def main(arguments=None):
    """Run the command line; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except HotpathError as error:
        print("calib.evaluate: {}".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


def parser():
    """The command line's options."""
    cli = argparse.ArgumentParser(
        prog="python -m calib.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli.add_argument("--clips", nargs="+", required=True, metavar="DIR")
    cli.add_argument("--only", metavar="NAME,NAME", help="of all clips, these")
    cli.add_argument(
        "--trim",
        action="store_true",
        help="where frames and boxes differ in number, take the first of both",
    )
    cli.add_argument(
        "--networks",
        required=True,
        metavar="NAME,NAME",
        help="networks, TOMLs, and as peers: " + ", ".join(trackers.PEERS),
    )
    cli.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR")
    cli.add_argument("--engine", default="auto", choices=("auto",) + engines.PREFERENCE)
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


def run(options):
    """Track, then write every table; returns the exit code."""
    if options.realtime is not None and options.realtime <= 0:
        raise BadRun("--realtime {:g}: must be above zero".format(options.realtime))
    clips = chosen(find_clips(options.clips, options.trim, say), options.only)
    specs = trackers.specs(
        options.networks.split(","),
        options.precision,
        options.engine,
        options.threads,
        options.networks_dir,
        options.int8_dir,
    )
    out = pathlib.Path(options.out)
    broken = follow_all(specs, clips, out, options.jobs, None)
    rates = [None]
    if options.realtime:
        broken += follow_all(specs, clips, out, options.jobs, options.realtime)
        rates.append(options.realtime)
    clips = [clip for clip in clips if clip.name not in {name for name, _ in broken}]
    for _, sentence in broken:
        say("calib.evaluate: {}".format(sentence))
    if not clips:
        raise BadRun("no clip could be followed to its end; see above")
    table = evaluation(specs, clips, out, rates)
    report.write(table, clips, out)
    say(report.text(table))
    say("wrote {}".format(", ".join(str(out / name) for name in report.FILES)))
    return 2 if broken else 0


def say(text):
    """Tell the user something, without breaking the progress bar."""
    tqdm.write(text, file=sys.stderr)


def chosen(clips, only):
    """The clips named in ``only``, or all."""
    if not only:
        return clips
    wanted = only.split(",")
    unknown = sorted(set(wanted) - {clip.name for clip in clips})
    if unknown:
        raise BadRun(
            "no clip is called {}; there are: {}".format(
                unknown[0], ", ".join(clip.name for clip in clips)
            )
        )
    return [clip for clip in clips if clip.name in wanted]


# -- tracking


def follow_all(specs, clips, out, jobs, realtime):
    """Run what is not there yet; returns a list of (clip's name, sentence) of what broke."""
    todo = [
        (spec, clip)
        for spec in specs
        for clip in clips
        if stored(spec, clip, out, realtime) is None
    ]
    broken = []
    label = "tracking" if realtime is None else "at {:g} FPS".format(realtime)
    bar = tqdm(total=sum(len(clip) for _, clip in todo), unit=" frames", disable=None, desc=label)
    with bar:
        for clip, error in _outcomes(todo, out, jobs, realtime):
            bar.update(len(clip))
            if error:
                broken.append((clip.name, str(error)))
    return sorted(set(broken))


def _outcomes(todo, out, jobs, realtime):
    """(clip, error or None) as each is done."""
    if jobs <= 1:
        for spec, clip in todo:
            yield clip, _caught(follow_and_store, spec, clip, out, realtime)
        return
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        waiting = {
            pool.submit(follow_and_store, spec, clip, out, realtime): clip for spec, clip in todo
        }
        for done in concurrent.futures.as_completed(waiting):
            yield waiting[done], _caught(done.result)


def _caught(function, *arguments):
    try:
        function(*arguments)
    except HotpathError as error:
        return error
    return None


def path_of(spec, clip, out, realtime):
    """The file of a tracker's boxes on a clip."""
    name = spec.name if realtime is None else "{}@{:g}".format(spec.name, realtime)
    return out / "boxes" / "{}-{}".format(name, spec.engine) / (clip.name + ".json")


def stored(spec, clip, out, realtime=None):
    """What was tracked before, as a dict; None when there is nothing or it was something else."""
    try:
        with open(path_of(spec, clip, out, realtime)) as file:
            kept = json.load(file)
    except (OSError, ValueError):
        return None
    return kept if kept.get("key") == _key(spec, clip) else None


def _key(spec, clip):
    return spec.identity + clip.sha256


def follow_and_store(spec, clip, out, realtime):
    """Track one clip and write its file."""
    cv2.setNumThreads(1)
    tracker = _tracker(spec)
    if realtime is None:
        result = follow(tracker, clip)
    else:
        result = follow_late(tracker, clip, realtime, stored(spec, clip, out)["ms"])
    result["key"] = _key(spec, clip)
    path = path_of(spec, clip, out, realtime)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result))
    part.replace(path)


@functools.lru_cache(maxsize=1)
def _tracker(spec):
    return trackers.build(spec)


def follow(tracker, clip):
    """Track a clip from its first box.

    Returns:
        dict: ``boxes`` (n, 4), ``scores`` (n,), ``ms`` (n,) of each frame, ``steps`` name -> (n,).
    """
    boxes, scores, ms, steps = [], [], [], {}
    for index, frame in enumerate(clip):
        started = time.perf_counter()
        if index == 0:
            tracker.init(frame, clip.boxes[0])
            box, score = clip.boxes[0], 1.0
        else:
            track = tracker.update(frame)
            box, score = track.box, track.score
        ms.append((time.perf_counter() - started) * 1e3)
        boxes.append([float(value) for value in box])
        scores.append(float(score))
        for name, value in tracker.step_ms.items() if index else ():
            steps.setdefault(name, []).append(value)
    return {"boxes": boxes, "scores": scores, "ms": ms, "steps": steps}


def follow_late(tracker, clip, fps, ms):
    """Track a clip as the VOT real-time challenge does, a frame taking as long as it was measured.

    While the tracker is busy the camera goes on: a frame that comes meanwhile is never seen and
    gets the last box. The first ``GRACE`` late frames after the start are forgiven.
    """
    interval, grace, debt, skipped = 1e3 / fps, GRACE, 0.0, 0
    boxes, scores = [], []
    for index, frame in enumerate(clip):
        if debt > interval:
            debt -= interval
            skipped += 1
            boxes.append(boxes[-1])
            scores.append(scores[-1])
            continue
        debt = 0.0
        if index == 0:
            tracker.init(frame, clip.boxes[0])
            box, score = clip.boxes[0], 1.0
        else:
            track = tracker.update(frame)
            box, score = track.box, track.score
        boxes.append([float(value) for value in box])
        scores.append(float(score))
        if ms[index] > interval:
            grace, debt = (grace - 1, 0.0) if grace > 0 else (0, ms[index] - interval)
    return {"boxes": boxes, "scores": scores, "ms": ms, "steps": {}, "skipped": skipped}


# -- tables


def evaluation(specs, clips, out, rates):
    """All figures.

    Returns:
        dict: ``clips`` (name, frames, sha256, absent), ``trackers``: for each name ``clips`` (name
        -> figures), ``mean`` over the clips, ``frames`` (``ao`` over all frames), ``curves``.
    """
    table = {
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
            name = spec.name if rate is None else "{} at {:g} FPS".format(spec.name, rate)
            found = [stored(spec, clip, out, rate) for clip in clips]
            table["trackers"][name] = dict(_figures(clips, found), engine=spec.engine)
    return table


def _figures(clips, found):
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


if __name__ == "__main__":
    sys.exit(main())
