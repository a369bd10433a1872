"""hotpath evaluate: measure how well networks follow annotated clips, as tables and plots.

    hotpath evaluate --clips DIR --networks kestrel,kestrel:int8,MIL --out out/evaluation

    hotpath evaluate --benchmark otb100 --data DIR --networks kestrel --boxes DIR

    hotpath evaluate --benchmark public --data DIR --starts 6

Each tracker is compared with the first one. Missing sequences of a benchmark are skipped.

--boxes judges the boxes of any tracker: DIR/TRACKER/SEQUENCE.txt, or DIR/SEQUENCE.txt. Each line is
x,y,w,h of a frame, with commas, tabs or spaces. Pixels count from 1 in a benchmark, as in its
authors' files, and from 0 in clips. --save-boxes writes the networks' boxes in the same layout.

--benchmark public evaluates what hotpath_lab.public fetched, and prints README's
table. Its --boxes are in DIR/otb100/TRACKER, DIR/uav123_10fps/TRACKER and DIR/dtb70/TRACKER.

OUT/boxes has a file with the boxes of each tracker on each clip. A finished file is reused as long
as clip, network and engine are the same. For correct times, use --jobs 1.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base.messages import why_unread
from hotpath.base.text import read as read_text
from hotpath.calib import command_line
from hotpath.calib.command_line import chosen_clips, find_chosen_clips, say
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import HotpathError
from hotpath.video.clips import AnnotatedClip
from hotpath_lab import benchmarks, box_files, evaluation_report, figures, runs, trackers
from hotpath_lab.figures import TrackerResults

PUBLIC = "public"  # the benchmark of README's table


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath evaluate", __doc__)
    command_line.add_clip_options(cli, required=False)
    cli.add_argument(
        "--benchmark",
        choices=sorted(benchmarks.LISTS),
        metavar="NAME",
        help="a public data set or a part of it, in its authors' layout: "
        + ", ".join(sorted(benchmarks.LISTS)),
    )
    cli.add_argument("--data", metavar="DIR", help="folder of the --benchmark")
    cli.add_argument(
        "--boxes",
        "--compare",
        metavar="DIR",
        help="boxes of other trackers, DIR/TRACKER/SEQUENCE.txt with a line x,y,w,h per frame",
    )
    cli.add_argument("--save-boxes", metavar="DIR", help="write the networks' boxes in that layout")
    text = "track once more, and write a picture of each frame's score maps"
    cli.add_argument("--save-maps", metavar="DIR", help=text)
    cli.add_argument(
        "--seen",
        metavar="FILE",
        help="names of sequences that training or choices saw; both parts get their own means",
    )
    cli.add_argument(
        "--networks",
        metavar="NAME,NAME",
        help="networks or TOMLs. NAME runs in fp32. You can append :int8 (which `hotpath track` "
        "runs by default if it is faster), :fpga (simulated), :norecover (no search for a lost "
        "target), :ENGINE, or an oracle that shows what fails: :truesize, :trueplace or "
        ":truechoice. Trackers of OpenCV: " + ", ".join(trackers.PEERS),
    )
    command_line.add_network_options(cli)
    cli.add_argument("--threads", type=int, default=1, metavar="N", help="threads per network")
    cli.add_argument(
        "--int8-dir",
        default="out/int8",
        metavar="DIR",
        help="where `hotpath int8` wrote its networks (default: %(default)s)",
    )
    text = "begin at N frames of each clip, evenly apart; the clip's figures are their mean"
    cli.add_argument("--starts", type=int, default=1, metavar="N", help=text)
    text = "use only the first N frames of each clip"
    cli.add_argument("--frames", type=int, metavar="N", help=text)
    command_line.add_workers(cli)
    text = "folder to write to (default: %(default)s)"
    cli.add_argument("--out", default="out/evaluation", metavar="DIR", help=text)
    return cli


def run(options: argparse.Namespace) -> int:
    """Track, then write every table; returns the exit code."""
    if bool(options.clips) == bool(options.benchmark):
        raise BadRun("name what to evaluate on: --clips DIR, or --benchmark NAME --data DIR")
    if options.benchmark and not options.data:
        raise BadRun(f"--benchmark {options.benchmark} needs --data DIR")
    if options.benchmark == PUBLIC and not (options.networks or options.boxes):
        options.networks = at_hand(options, evaluation_report.README_NETWORKS)
    if not options.networks and not options.boxes:
        raise BadRun("name what to judge: --networks NAME,NAME or --boxes DIR")
    out = Path(options.out)
    if not options.benchmark:
        found = find_chosen_clips(options.clips, options.only)
        data = benchmarks.Sequences(found, [clip.name for clip in found], [], {})
    else:
        data = benchmarks.sequences(options.benchmark, Path(options.data))
        data = data._replace(clips=chosen_clips(data.clips, options.only))
        out /= options.benchmark
    data = data._replace(clips=_cut(data.clips, options.frames))
    if options.starts > 1 and (options.boxes or options.save_boxes):
        raise BadRun("boxes begin at one frame; leave --starts, or --boxes and --save-boxes, out")
    table, left_out = evaluated(options, data, out)
    for sentence in left_out:
        say(f"hotpath evaluate: {sentence}")
    if not table:
        command_line.say_written(options.save_boxes)
        return 0
    if options.save_maps and options.networks:
        runs.save_maps(trackers.specs_of(options), data.clips, Path(options.save_maps))
        command_line.say_written(options.save_maps)
    paths = evaluation_report.write(table, out)
    say(evaluation_report.text(table))
    if options.benchmark == PUBLIC:
        print(
            evaluation_report.readme_table(
                evaluation_report.read_means(out / "table.csv"), intervals=True
            )
        )
    command_line.say_written(*paths)
    return 2 if left_out and options.clips else 0


def at_hand(options: argparse.Namespace, given: Sequence[str]) -> str:
    """Those of some trackers whose files are there, as a text for ``--networks``."""
    names = []
    for name in given:
        try:
            trackers.specs_of(argparse.Namespace(**{**vars(options), "networks": name}))
            names.append(name)
        except HotpathError as error:
            say(f"left out {name}: {error}")
    return ",".join(names)


def _begun(
    clips: Sequence[AnnotatedClip], starts: int
) -> tuple[list[AnnotatedClip], dict[str, str]]:
    """Each clip from ``starts`` frames on; dict of the name of a later one -> its clip's."""
    if starts < 1:
        raise BadRun(f"--starts {starts} begins nowhere; give 1 or more")
    more, begun = [], {}
    for clip in clips:
        shown = np.flatnonzero(np.isfinite(clip.boxes[:-1, 0]))
        wanted = [len(clip) * k // starts for k in range(1, starts)]
        places = np.minimum(np.searchsorted(shown, wanted), len(shown) - 1)
        for first in sorted(set(shown[places])):
            later = clip.since(first)
            more.append(later)
            begun[later.name] = clip.name
    return [*clips, *more], begun


def _cut(clips: Sequence[AnnotatedClip], frames: int | None) -> list[AnnotatedClip]:
    if frames is not None and frames < 2:
        raise BadRun(f"--frames {frames} leaves nothing to track; give 2 or more")
    return [clip if frames is None else clip.beginning(frames) for clip in clips]


def of_networks(
    tomls: Sequence[str | Path],
    clips: Sequence[AnnotatedClip],
    out: Path,
    networks_dir: str | None = None,
    engine: str = "auto",
    jobs: int = 1,
) -> dict[str, Any]:
    """The table of some networks on clips. Boxes that are there from an earlier run are used."""
    given = ["--networks", ",".join(map(str, tomls)), "--engine", engine, "--jobs", str(jobs)]
    given += ["--networks-dir", networks_dir] if networks_dir else []
    data = benchmarks.Sequences(list(clips), [clip.name for clip in clips], [], {})
    table, left_out = evaluated(parser().parse_args(given), data, out)
    for sentence in left_out:
        say(f"left out: {sentence}")
    return table


def evaluated(
    options: argparse.Namespace, data: benchmarks.Sequences, out: Path
) -> tuple[dict[str, Any], list[str]]:
    """Track what was not tracked before; returns the table and a sentence for each clip not in it.

    The table is empty where only first boxes are given out.

    Raises:
        BadRun: there is nothing to judge by and no boxes are to be saved, no clip could be followed
            to its end, or ``seen`` can't be read.
    """
    judged = any(np.isfinite(clip.boxes[1:, 0]).any() for clip in data.clips)
    if not judged and not options.save_boxes:
        raise BadRun(
            "only the first boxes are given out, so nothing can be judged here: name a folder with "
            "--save-boxes, and send its files to the authors' server"
        )
    specs = trackers.specs_of(options) if options.networks else []
    seen = _lines(options.seen)
    given = {}
    if options.boxes:
        given = _given(options, data)
    clips_begun, begun = _begun(data.clips, options.starts)
    broken = runs.run_missing(specs, clips_begun, out, options.jobs, options.cluster)
    sentences = data.left_out + [sentence for _, sentence in broken]
    gone = {begun.get(name, name) for name, _ in broken}
    clips = [clip for clip in clips_begun if begun.get(clip.name, clip.name) not in gone]
    if not clips:
        raise BadRun("no clip could be followed to its end: " + "; ".join(sentences))
    tracked = {}
    for spec in specs:
        kept = ((clip.name, runs.stored(spec, clip, out)) for clip in clips)
        done = {name: result for name, result in kept if result}
        tracked[spec.name] = TrackerResults(done, spec.options.engine, trackers.published(spec))
    if options.save_boxes:
        box_files.write(Path(options.save_boxes), _boxes_of(tracked), data.origin)
    if not judged:
        return {}, sentences
    for name, of_clips in given.items():
        results = {clip: {"boxes": rows} for clip, rows in of_clips.items() if clip not in gone}
        if results:
            tracked[f"{name} (boxes)" if name in tracked else name] = TrackerResults(results)
    there = {clip.name for clip in clips}
    groups = {group: [n for n in names if n in there] for group, names in data.groups.items()}
    if options.seen:
        parts: dict[str, list[str]] = {"unseen": [], "seen": []}
        for clip in (clip for clip in clips if clip.name not in begun):
            parts["seen" if clip.name in seen else "unseen"].append(clip.name)
        groups = {**parts, **groups}
    return figures.evaluation(clips, tracked, groups, begun), sentences


def _given(options: argparse.Namespace, data: benchmarks.Sequences) -> dict[str, box_files.Boxes]:
    """The boxes of --boxes: tracker -> clip's name -> boxes."""
    folder = Path(options.boxes)
    if options.benchmark != PUBLIC:
        return box_files.read(folder, data.clips, data.names, data.origin)
    given: dict[str, box_files.Boxes] = {}
    for name, members in data.groups.items():
        if (folder / name).is_dir():
            clips = [clip for clip in data.clips if clip.name in members]
            of_set = box_files.read(folder / name, clips, data.names, data.origin) if clips else {}
            for tracker, of_clips in of_set.items():
                given.setdefault(tracker, {}).update(of_clips)
    if not given:
        raise BadRun(f"--boxes {folder} has no folder otb100, uav123_10fps or dtb70 of boxes")
    return given


def _boxes_of(tracked: Mapping[str, TrackerResults]) -> dict[str, box_files.Boxes]:
    return {
        name: {clip: result["boxes"] for clip, result in each.results.items()}
        for name, each in tracked.items()
    }


def _lines(path: str | Path | None) -> list[str]:
    try:
        return read_text(str(path)).splitlines() if path else []
    except (OSError, UnicodeDecodeError) as error:
        raise BadRun(f"--seen {path}: {why_unread(error)}, with a sequence a line") from None


main = command_line.main("hotpath evaluate", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
