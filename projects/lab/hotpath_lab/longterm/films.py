r"""python -m hotpath_lab.longterm.films: describe long films in which targets leave.

    python -m hotpath_lab.longterm.films --development DIR... --report DIR... --out \
        films.json

The command writes a description of a few lines a film, from two sets of clips that share no
sequence. Fit settings on the half ``development`` and publish figures of the half ``report``. The
pictures are drawn while a film is read. Clips below 60 frames serve only as other scenes.
``timeline.py`` defines the events of a film.
"""

import argparse
import functools
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base.text import read_json
from hotpath.calib import command_line
from hotpath.calib.command_line import say
from hotpath.calib.errors import BadRun
from hotpath.runtime.errors import BadClips
from hotpath.video.clips import AnnotatedClip, find_clips
from hotpath_lab.longterm import film_pictures
from hotpath_lab.longterm.timeline import KINDS, LONGEST, SHORTEST, Timeline

Entry = dict[str, Any]  # of a list of films, or of its table
FORMAT = 1
MOST_BYTES = 1 << 26  # of a description of films
HALVES = ("development", "report")
FEWEST = 60  # frames of a clip that a film is made from
COLOURS = 2  # every second film has another clip's target as its look-alike
NEAREST = 3  # of the clips with the target's shape, one gives that look-alike
TURN = (30, 150)  # of a look-alike's hue, halves of a degree
ALIKE = (0.85, 1.15)  # size of a look-alike in sizes of the target


class LongFilm:
    """One film; it reads like a ``hotpath.video.clips.AnnotatedClip``.

    Args:
        entry: entry of the description (see ``describe``).
        clips: dict of name -> ``AnnotatedClip``.

    Attributes:
        name: name of the film.
        half: one of ``HALVES``.
        source: name of the clip that it is made from.
        boxes: (frames, 4) float64 (x, y, w, h), NaN if the target is not to be seen.
        known: (frames,) bool, False if the target is partly visible, so that no answer is wrong.
        alike: (frames, 2) float64, centre of the look-alike; NaN if there is none.
    """

    def __init__(self, entry: Entry, clips: dict[str, AnnotatedClip]) -> None:
        self.name = entry["name"]
        self.half = entry["half"]
        self._entry = entry
        self.source = entry["clip"]
        self._clip, self._scene = (_named(clips, entry[key]) for key in ("clip", "scene"))
        self._alike = _named(clips, entry["alike"]["clip"])
        source = film_pictures.FilmFrames(self._clip)
        scene = film_pictures.FilmFrames(self._scene, source.height)
        self._timeline = Timeline(
            source.boxes,
            source.width,
            source.height,
            (len(scene), scene.width),
            [tuple(event) for event in entry["events"]],
            np.random.default_rng(entry["seed"]),
        )
        self.boxes, self.known = self._timeline.truth, self._timeline.known
        self.alike = self._timeline.alike

    def __len__(self) -> int:
        return len(self.boxes)

    def __getstate__(self) -> Entry:  # another machine's clips may be others
        return {name: value for name, value in self.__dict__.items() if name != "sha256"}

    def in_memory(self, most_bytes: int) -> "LongFilm":
        """The film itself: its pictures are drawn anew each time."""
        return self

    def __iter__(self) -> Iterator[np.ndarray]:
        drawn = self._pictures()
        return (drawn[index] for index in range(len(self)))

    @functools.cached_property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the description, the truth and the clips."""
        digest = hashlib.sha256(json.dumps(self._entry, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.boxes).tobytes())
        for clip in (self._clip, self._scene, self._alike):
            digest.update(clip.sha256.encode())
        return digest.hexdigest()

    def _pictures(self) -> Any:
        """Open the clips; a film that is not being read holds no frame."""
        alike = self._entry["alike"]
        source = film_pictures.FilmFrames(self._clip)
        frame, box = self._alike[alike["frame"]], self._alike.boxes[alike["frame"]]
        patch = film_pictures.cut_out(frame, box)
        if alike["turn"] is not None:
            patch = film_pictures.recoloured(patch, alike["turn"])
        area = (
            alike["size"] ** 2 * np.prod(source.boxes[0, 2:]) * (1 + 2 * film_pictures.MARGIN) ** 2
        )
        shape = math.sqrt(patch.shape[1] / patch.shape[0])
        width, height = (max(4, round(math.sqrt(area) * side)) for side in (shape, 1 / shape))
        scene = film_pictures.FilmFrames(self._scene, source.height)
        return film_pictures.FilmPictures(self._timeline, source, scene, patch, (width, height))


def _named(clips: dict[str, AnnotatedClip], name: str) -> AnnotatedClip:
    if name not in clips:
        raise BadClips(
            f"the films need the clip {name}; name its folder with --clips", what="missing clip"
        )
    return clips[name]


def describe(
    development: Sequence[AnnotatedClip], report: Sequence[AnnotatedClip], count: int, seed: int
) -> Entry:
    """Describe films from two sets of clips that share no sequence, ``count`` of each half.

    Returns:
        The description, which JSON can hold: ``format`` and ``films``, for each ``name``, ``half``,
        ``clip``, ``scene`` (names of clips), ``alike``, ``events`` and ``seed``.
    """
    shared = {clip.name for clip in development} & {clip.name for clip in report}
    shared = shared or {clip.sha256 for clip in development} & {clip.sha256 for clip in report}
    if shared:
        raise BadClips(f"both halves hold {sorted(shared)[0]}; they must share no sequence")
    films = []
    for half, clips in zip(HALVES, (development, report)):
        films += _half(half, clips, count, np.random.default_rng([seed, HALVES.index(half)]))
    return {"format": FORMAT, "films": films}


def _half(
    half: str, clips: Sequence[AnnotatedClip], count: int, rng: np.random.Generator
) -> list[Entry]:
    sources = [clip for clip in clips if len(clip) >= FEWEST]
    if not sources or len(clips) < 2:
        raise BadClips(
            f"the half {half} needs two clips, one of them with {FEWEST} frames; name more folders"
        )
    return [
        _film(f"{half}-{number + 1:02d}-{source.name}", half, source, clips, number, rng)
        for number, source in ((n, sources[n % len(sources)]) for n in range(count))
    ]


def _film(
    name: str,
    half: str,
    source: AnnotatedClip,
    clips: Sequence[AnnotatedClip],
    number: int,
    rng: np.random.Generator,
) -> Entry:
    other_clips = [clip for clip in clips if clip is not source]
    scene = other_clips[int(rng.integers(len(other_clips)))]
    like = sorted(other_clips, key=lambda clip: abs(_shape(clip) - _shape(source)))[:NEAREST]
    other = like[int(rng.integers(len(like)))]
    recolour = (number + number // max(1, len(clips))) % COLOURS == 0
    alike = source if recolour else other
    seen = np.flatnonzero(np.isfinite(alike.boxes).all(axis=1))
    lengths = np.exp(rng.uniform(math.log(SHORTEST), math.log(LONGEST), len(KINDS)))
    return {
        "name": name,
        "half": half,
        "clip": source.name,
        "scene": scene.name,
        "alike": {
            "clip": alike.name,
            "frame": int(rng.choice(seen)),
            "turn": int(rng.integers(*TURN)) if recolour else None,
            "size": round(float(rng.uniform(*ALIKE)), 3),
        },
        "events": [[KINDS[k], int(length)] for k, length in zip(rng.permutation(3), lengths)],
        "seed": int(rng.integers(2**31)),
    }


def _shape(clip: AnnotatedClip) -> float:
    """Logarithm of the first box's width over its height."""
    return math.log(clip.boxes[0, 2] / clip.boxes[0, 3])


def read(
    path: str | Path, clips: Sequence[AnnotatedClip], half: str | None = None
) -> list[LongFilm]:
    """The films of a description."""
    by_name = {clip.name: clip for clip in clips}
    return [LongFilm(entry, by_name) for entry in entries(path) if half in (None, entry["half"])]


def entries(path: str | Path) -> list[Entry]:
    """The films' entries of a description; ``BadRun`` if the file is none."""
    make = "make one with `python -m hotpath_lab.longterm.films`"
    try:
        table = read_json(str(path), MOST_BYTES)
    except (OSError, ValueError) as error:
        raise BadRun(f"{path} describes no films: {error}; {make}", what="no films") from None
    if not isinstance(table, dict) or table.get("format") != FORMAT or not table.get("films"):
        raise BadRun(f"{path} describes no films of this version; {make}", what="other version")
    films: list[Entry] = table["films"]
    return films


# -- the command


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_lab.longterm.films", __doc__)
    for half in HALVES:
        cli.add_argument("--" + half, nargs="+", metavar="DIR", help="clips of this half")
    cli.add_argument("--count", type=int, default=22, metavar="N", help="films of each half")
    cli.add_argument("--seed", type=int, default=1, metavar="N")
    cli.add_argument("--out", required=True, metavar="FILE")
    return cli


def run(options: argparse.Namespace) -> None:
    """Write a description."""
    if not options.development or not options.report:
        raise BadRun("name the clips of both halves: --development DIR --report DIR")
    if options.count < 1:
        raise BadRun(f"--count {options.count}: must be above zero")
    development, other = (
        find_clips(folders, log=say) for folders in (options.development, options.report)
    )
    table = describe(development, other, options.count, options.seed)
    lines = ",\n".join(json.dumps(entry) for entry in table["films"])
    text = f'{{"format": {FORMAT}, "films": [\n{lines}\n]}}\n'
    Path(options.out).write_text(text)
    say(f"wrote {len(table['films'])} films to {options.out}")


main = command_line.main("hotpath_lab.longterm.films", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
