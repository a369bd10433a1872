"""Write the summary of a run: the lines at its end, and ``--json``."""

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Sequence, Set, Tuple

from hotpath.app.cli.profile import Profile
from hotpath.base.messages import counted
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import LOST, STATES, TRACKED, UNSURE, Track
from hotpath.video.base import TrackedFrame
from hotpath.video.output_file import why_not

if TYPE_CHECKING:
    from hotpath.video.base import Source

LATE_FRAMES = 2000  # older than any frame on which somebody may still select a target
OUTSIDE_FRAMES = 30  # for which a target's centre is outside before the user is told


Figures = Dict[str, Any]  # of a run, as --json prints them, or a part of them


class Summary:
    """Counts the frames and remembers each target's last box.

    ``network`` is its name, ``engine`` is ``describe()`` of it, ``say`` takes one line of text.
    """

    def __init__(
        self, network: str, engine: Figures, profile: Profile, say: Callable[[str], None]
    ) -> None:
        self._network, self._engine, self._profile, self._say = network, engine, profile, say
        self._frames = self._empty = 0
        self._empty_at: Set[int] = set()  # indices of the last of them
        self._scores = 0
        self._score_sum = 0.0
        self._times_lost = self._times_found = 0  # of all targets, as the next
        self._words = dict.fromkeys(STATES, 0)  # frames of each
        self._missing: Set[int] = set()  # targets that are lost, and not verified since
        self._last: Dict[int, Tuple[int, Track]] = {}  # target -> its last frame and track
        self._outside: Dict[int, int] = {}  # target -> since which frame it has been outside

    def write(self, tracked: TrackedFrame) -> None:
        """Count a frame and its targets, and say once where one has left the frame for good."""
        index, tracks, shape = tracked.index, tracked.tracks, tracked.frame.shape
        self._frames += 1
        if not tracks:
            self._empty += 1
            self._empty_at.add(index)
            if len(self._empty_at) > 2 * LATE_FRAMES:
                self._empty_at = {i for i in self._empty_at if i > index - LATE_FRAMES}
        for number, track in tracks.items():
            x, y, w, h = track.box  # a centre at the frame's edge is outside
            inside = 0.5 < x + w / 2 < shape[1] - 0.5 and 0.5 < y + h / 2 < shape[0] - 0.5
            if track.lost or inside:
                self._outside.pop(number, None)
            elif index - self._outside.setdefault(number, index) == OUTSIDE_FRAMES:
                since = self._outside[number]
                self._say(
                    f"target {number}: outside the picture since frame {since}; ignore its boxes "
                    "until you select it again"
                )

        self._count(index, tracks)

    def write_late(self, tracked: TrackedFrame) -> None:
        """Count a target that was selected on a frame of before."""
        if tracked.index in self._empty_at:
            self._empty_at.discard(tracked.index)
            self._empty -= 1
        self._count(tracked.index, tracked.tracks)

    def _count(self, index: int, tracks: Dict[int, Track]) -> None:
        for number, track in tracks.items():
            if self._frames > 1:  # the first one's boxes are given
                self._scores += 1
                self._score_sum += float(track.score)
            self._words[track.state] += 1
            self._times_found += track.found
            if track.lost and number not in self._missing:  # a candidate given up is no other loss
                self._times_lost += 1
                self._missing.add(number)
            elif track.state == TRACKED:
                self._missing.discard(number)
            self._last[number] = index, track

    def figures(self, source: "Source", files: Sequence[str], failed: Sequence[str]) -> Figures:
        """Everything, ready for JSON.

        Args:
            source: source of the run.
            files: the paths that were written.
            failed: a sentence for each output that could not be written.
        """
        ms = self._profile.figures("total")
        targets = [
            {
                "target": number,
                "frame": index,
                "box": [round(float(value), 2) for value in track.box],
                "state": track.state,
                "presence": None if track.presence is None else round(float(track.presence), 4),
                "class": track.class_id,
                "class_name": track.class_name or None,
                "outside_since": self._outside.get(number),
            }
            for number, (index, track) in sorted(self._last.items())
        ]
        return {
            "source": source.name,
            "frames": self._frames,
            "frames_without_target": self._empty,
            "times_lost": self._times_lost,
            "times_found": self._times_found,
            "frames_of": dict(self._words),
            "network": self._network,
            "engine": self._engine,
            "ms": ms,
            "fps": self._profile.fps(),
            "score": self._score_sum / self._scores if self._scores else None,
            "latency_ms": self._profile.figures("latency"),
            "latency_from": source.captured_at,
            "dropped": source.dropped,
            "gaps_s": [seconds for _, seconds in source.gaps],
            "damaged": source.errors,
            "skipped": source.skipped,
            "left_out": list(source.left_out),
            "targets": targets,
            "files": list(files),
            "failed": list(failed),
        }


def lines_of(figures: Figures, live: bool) -> List[str]:
    """The figures as lines of text, without targets and files."""
    lines = [
        "{network}: {count} of {source} on {engine[engine]} {engine[version]}, "
        "{engine[precision]}".format(count=counted(figures["frames"], "frame"), **figures)
    ]
    if figures["frames_without_target"]:
        lines.append("frames without a target: {frames_without_target}".format(**figures))
    words = figures["frames_of"]
    if words["unsure"] or words["lost"]:
        times = [counted(figures[name], "time") for name in ("times_lost", "times_found")]
        lines.append("frames: {tracked} tracked, {unsure} unsure, {lost} lost".format(**words))
        # also after a jump of the box, without a loss
        lines[-1] += "; lost {}, re-acquired {}".format(*times)
    if figures["fps"] and not (figures["ms"] and figures["score"] is not None):
        lines.append("no target was tracked")
    elif figures["fps"]:
        lines.append(
            "{fps:.0f} FPS; tracking takes {ms[median]:.2f} ms a frame (median; p95 "
            "{ms[p95]:.2f})".format(**figures)
        )
    if figures["latency_ms"]:
        text = "{latency_from} to box: {median:.1f} ms (median; p95 {p95:.1f}, p99 {p99:.1f})"
        lines.append(text.format(**dict(figures, **figures["latency_ms"])))
    if live:
        gaps_s = figures["gaps_s"]
        lines.append(
            f"{counted(figures['dropped'], 'frame')} dropped, {counted(len(gaps_s), 'gap')} of "
            f"{sum(gaps_s):.1f} s in all"
        )
    lines += [f"{figures['source']}: {sentence}" for sentence in figures["left_out"]]
    damaged, skipped = figures["damaged"], figures["skipped"]
    if damaged or skipped:
        lines.append(
            f"{figures['source']}: {damaged} of {counted(figures['frames'], 'frame')} damaged, "
            f"{skipped} more skipped; boxes near the damage may be wrong"
        )
    return lines


def place_of(target: Figures) -> str:
    """Where a target was last, of ``Summary.figures``."""
    place = ",".join(f"{value:.1f}" for value in target["box"])
    lost = f" ({target['state']})" if target["state"] in (UNSURE, LOST) else ""
    return f"target {target['target']}: {place} in frame {target['frame']}{lost}"


def print_json(figures: Figures) -> None:
    """Print one line on standard output; raises ``BadOutput``, ``BrokenPipeError``."""
    if sys.stdout is None:
        raise BadOutput("standard output is closed, so the summary of --json is lost")
    try:
        print(json.dumps(figures), flush=True)
    except OSError as error:
        # what Python still holds would fail again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise BadOutput(why_not("standard output", error)) from None
