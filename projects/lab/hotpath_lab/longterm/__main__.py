"""python -m hotpath_lab.longterm: measure how trackers detect a loss and find targets
again.

    python -m hotpath_lab.longterm --clips DIR... --films films.json --networks kestrel

It measures on long films, which ``hotpath_lab.longterm.films`` describes. They have two
halves: fit settings on one and publish the figures of the other. ``metrics.py`` defines the
figures. OUT/boxes stores the result of every tracker on every film. A stored result is used again
as long as code, network and film are the same.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hotpath.base.cache import write_text
from hotpath.calib import command
from hotpath.calib.command import chosen, say
from hotpath.calib.errors import BadRun
from hotpath.runtime import DEFAULT_NETWORK
from hotpath.video.clips import find_clips
from hotpath_lab import runs, state_metrics, trackers
from hotpath_lab.longterm import films
from hotpath_lab.longterm.metrics import Judged, figures, finite
from hotpath_lab.provenance import code_identity
from hotpath_lab.trackers import Spec

COLUMNS = (
    ("precision", "prec.", ".3f"),
    ("recall", "recall", ".3f"),
    ("f", "F", ".3f"),
    ("found_in_30", "found/30", ".3f"),
    ("frames_to_find", "frames", ".1f"),
    ("false_returns", "false/1000", ".2f"),
    ("claimed_while_gone", "claimed", ".3f"),
    ("mean_overlap", "overlap", ".3f"),
    ("p50_ms", "p50 ms", ".2f"),
    ("p99_ms", "p99 ms", ".2f"),
)
LEGEND = (
    "found/30: share of returns found within 30 frames; frames: median until then; false/1000: "
    "wrong claims that start, for 1,000 frames without the target; claimed: share of those frames "
    "with a box; overlap: of the box, whether claimed or not"
)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath_lab.longterm", __doc__)
    command.add_clip_options(cli)
    cli.add_argument("--films", required=True, metavar="FILE", help="description of long films")
    cli.add_argument("--half", choices=films.HALVES, help="only this half of the films")
    cli.add_argument("--networks", default=DEFAULT_NETWORK, metavar="NAME,NAME")
    command.add_network_options(cli)
    cli.add_argument("--threads", type=int, default=1, metavar="N")
    command.add_workers(cli)
    cli.add_argument("--out", default="out/longterm", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> None:
    """Track what was not tracked yet; print and write the figures."""
    clips = find_clips(options.clips, log=say)
    sources = {clip.name for clip in chosen(clips, options.only)}
    members_all = films.read(options.films, clips, options.half)
    members = [film for film in members_all if film.source in sources]
    specs = [
        spec._replace(identity=spec.identity + code_identity())
        for spec in trackers.specs_of(options)
    ]
    out = Path(options.out)
    for _, sentence in runs.follow_all(specs, members, out, options.jobs, options.cluster):
        raise BadRun(sentence)
    report = {spec.name: measured(spec, members, out) for spec in specs}
    say(text(members, report))
    say(LEGEND)
    say(state_metrics.text({name: entry["words"] for name, entry in report.items()}))
    path = out / "longterm.json"
    write_text(path, json.dumps(finite(report), indent=1, allow_nan=False))
    say(f"wrote {path}")


# -- figures


def measured(spec: Spec, members: Sequence[Any], out: Path) -> dict[str, Any]:
    """dict: ``all`` (figures over the films), ``each`` (name of a film -> figures), ``words``."""
    kept = (runs.stored(spec, member, out) for member in members)
    done = [run for run in kept if run is not None]  # follow_all has made all of them
    judged = [
        Judged(run["boxes"], run["claimed"], film.boxes, film.known)
        for run, film in zip(done, members)
    ]
    ms = np.concatenate([run["ms"][1:] for run in done])
    all_ms = dict(zip(("p50_ms", "p95_ms", "p99_ms"), np.percentile(ms, (50, 95, 99)).tolist()))
    return {
        "all": dict(figures(judged), worst_ms=float(ms.max()), **all_ms),
        "words": state_metrics.figures(
            state_metrics.frames_of(run, film.boxes, film.known) for run, film in zip(done, members)
        ),
        "each": {member.name: figures([item]) for member, item in zip(members, judged)},
    }


def text(members: Sequence[Any], report: dict[str, Any]) -> str:
    """A table as text."""
    count = f"{len(members)} films, {sum(map(len, members))} frames"
    rows = [(tracker, entry["all"]) for tracker, entry in report.items()]
    wide = max(len(title) for title, _ in rows + [(count, None)]) + 2
    lines = [count.ljust(wide) + "".join(f"{title:>12}" for _, title, _ in COLUMNS)]
    for title, row in rows:
        cells = (_cell(row, key, form) for key, _, form in COLUMNS)
        lines.append(title.ljust(wide) + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def _cell(row: dict[str, Any], key: str, form: str) -> str:
    value = row.get(key)
    return "" if value is None or np.isnan(value) else format(value, form)


main = command.main("hotpath_lab.longterm", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
