"""hotpath report: make the report of ``hotpath track --report`` afterwards, of boxes and a video.

The boxes are those of ``--results``, .csv or .jsonl. A table of another tracker will do if it has
the columns ``frame``, ``x``, ``y``, ``w`` and ``h``, with frames and pixels counted from 0.
"""

import csv
import math
import os
import sys
from typing import Any, Dict, Iterator, List, Optional, Sequence

import numpy as np

from hotpath.app.cli.progress import quiet, say
from hotpath.app.report.document import Facts
from hotpath.app.report.file import KINDS, Report
from hotpath.base.cli import HIGHEST_COUNT, Parser, number
from hotpath.base.commands import counted, why_unread
from hotpath.base.ends import exit_code
from hotpath.base.progress_bar import tqdm
from hotpath.base.text import parsed_json
from hotpath.runtime import __version__
from hotpath.runtime.errors import BadOption, BadSource
from hotpath.runtime.frames.pictures import Picture
from hotpath.runtime.types import LOST, STATES, TRACKED, Box, Track
from hotpath.video.base import TrackedFrame
from hotpath.video.output_file import check_ending
from hotpath.video.sources import is_recorded, open_source, reads

NEEDED = ("frame", "x", "y", "w", "h")
READ = (".csv", ".jsonl")
MOST_MIB = 128  # of a table: ten hours of one target
PATIENCE_S = 10.0  # that a recording's next frame may take
Rows = Dict[int, Dict[int, Track]]  # frame -> target -> track


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line; returns the exit code."""
    quiet()
    options = parser().parse_args(arguments)
    return exit_code(
        "hotpath report", lambda: make(options.boxes, options.video, options.output, options.fps)
    )


def parser() -> Parser:
    """The options."""
    cli = Parser(prog="hotpath report", description=__doc__)
    cli.add_argument("boxes", metavar="BOXES", help="the file of --results: .csv or .jsonl")
    cli.add_argument("--video", required=True, help="the recording that was tracked")
    text = "the report (default: named as BOXES, with the ending .html)"
    cli.add_argument("--output", metavar="FILE.html", help=text)
    text = "frames a second of a folder of frames, or of a video, instead of its time stamps"
    cli.add_argument("--fps", type=number(0.001, 100000), metavar="N", help=text)
    return cli


def make(boxes: str, video: str, output: Optional[str], fps: Optional[float]) -> int:
    """Write the report; returns the exit code.

    Raises:
        BadOption: a table that can't be understood.
        BadSource: a video that can't be read, or one that is live.
        BadOutput: a report that can't be written.
    """
    output = output or os.path.splitext(boxes)[0] + KINDS[0]
    check_ending(output, KINDS)
    rows = read(boxes)
    if not is_recorded(video):
        raise BadSource(f"{video}: is live, so its frames are gone; name the recording")
    for path in reads(video):
        if os.path.exists(output) and os.path.samefile(path, output):
            raise BadSource(f"{output} is also the video; name another --output")
    is_there = os.path.isfile(output) and os.path.getsize(output) > 0
    found = outside = 0
    with open_source(video, say, fps, planes=True) as source:
        settings = [("boxes", boxes), ("Hotpath", __version__)]
        note = f"Made of {boxes}, which another run wrote."
        report = Report(output, lambda: Facts(source.name, settings, note=note))
        try:
            silent = True if sys.stderr is None else None  # None: where there is no terminal
            for _ in tqdm(range(max(rows) + 1), desc="report", leave=False, disable=silent):
                frame = source.read(PATIENCE_S)
                if not isinstance(frame, (np.ndarray, Picture)):  # the end
                    break
                index = source.given - 1
                tracks = rows.get(index, {})
                found += bool(tracks)
                outside += any(_is_outside(track, frame.shape) for track in tracks.values())
                report.write(TrackedFrame(frame, index, source.time_s, tracks))
            if not found:
                raise BadOption(f"{boxes}: has no box for a frame of {video}; name its own video")
            report.close()
        finally:
            report.abandon()
    if found < len(rows):
        missing = counted(len(rows) - found, "frame")
        say(f"{video}: ends before {missing} that {boxes} has; is it the same recording?")
    elif source.frames and source.frames > max(rows) + 1:
        say(
            f"{video}: has {source.frames} frames, and {boxes} ends at frame {max(rows)}; where it "
            "is not the recording that was tracked, the boxes are wrong"
        )
    if outside:
        frames_outside = counted(outside, "frame")
        say(f"{boxes}: a box is outside the picture in {frames_outside}; is it of this recording?")
    say(f"wrote {output}" + " in place of an older file" * is_there)
    return 0


def _is_outside(track: Track, shape: Sequence[int]) -> bool:
    """Whether a box that was followed has no pixel of the picture."""
    x, y, w, h = track.box
    return not track.lost and (x >= shape[1] or y >= shape[0] or x + w <= 0 or y + h <= 0)


def read(path: str) -> Rows:
    """The tracks of a table; raises ``BadOption`` where it can't be understood."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in READ:
        raise BadOption(f"{path}: must be .csv or .jsonl, as --results writes them")
    rows: Rows = {}
    newest: Dict[int, Track] = {}
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadOption(f"{path}: is not a regular file; name a --results file")
    if os.path.isfile(path) and os.path.getsize(path) > MOST_MIB << 20:
        raise BadOption(
            f"{path}: has more than {MOST_MIB} MiB; cut it to the frames that the report is about",
            what="too large",
        )
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(_csv(file) if kind == ".csv" else _jsonl(file), 1):
                missing = [name for name in NEEDED if name not in row]
                if missing:
                    raise BadOption(f"{path}: has no column {missing[0]}; name a --results file")
                try:
                    _add(rows, newest, row)
                except (TypeError, ValueError, OverflowError) as error:
                    raise BadOption(f"{path}: row {line} can't be read: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadOption(f"{path}: {why_unread(error)}") from None
    except (ValueError, csv.Error) as error:  # of a line that is no row
        raise BadOption(f"{path}: can't be read: {error}") from None
    if not rows:
        raise BadOption(f"{path}: has no rows, so there is nothing to report")
    return rows


def _csv(file: Any) -> Iterator[Dict[str, Any]]:
    for row in csv.DictReader(file):
        yield {name: value for name, value in row.items() if name is not None}


def _jsonl(file: Any) -> Iterator[Dict[str, Any]]:
    for line in file:
        row = parsed_json(line) if line.strip() else {}
        if not isinstance(row, dict):
            raise ValueError("a line is not an object")
        if row:
            yield row


def _add(rows: Rows, newest: Dict[int, Track], row: Dict[str, Any]) -> None:
    """Add a row; a target without a box in it is lost there. ``newest``: target -> last track."""
    index, target = int(row["frame"]), int(_number(row, "target") or 0)
    if not 0 <= index <= HIGHEST_COUNT:
        raise ValueError(f"frames count from 0 to {HIGHEST_COUNT:,}")
    values = [_number(row, name) for name in NEEDED[1:]]
    known = [value for value in values if value is not None]
    state = row.get("state") or (LOST if _number(row, "lost") else TRACKED)
    before = newest.get(target)
    if len(known) < 4:
        if before is None:  # before its first box
            return
        state, known = LOST, list(before.box)
    if state not in STATES:
        raise ValueError(f"the state {state!r} is none of {', '.join(STATES)}")
    velocity = _number(row, "velocity_x"), _number(row, "velocity_y")
    found = _number(row, "found")
    track = Track(
        Box(*known),
        _number(row, "score") or 0.0,
        lost=state == LOST,
        state=state,
        class_name=row.get("class_name") or "",
        velocity=None if None in velocity else velocity,  # type: ignore[arg-type]
        presence=_number(row, "presence"),
        # a table without the column finds a target where it is no longer lost
        found=bool(found)
        if "found" in row
        else before is not None and before.lost and state != LOST,
    )
    rows.setdefault(index, {})[target] = newest[target] = track


def _number(row: Dict[str, Any], name: str) -> Optional[float]:
    value = row.get(name)
    if value is None or value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None


if __name__ == "__main__":
    sys.exit(main())
