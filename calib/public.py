"""python -m hotpath.calib.public: the page that compares our networks with others on public
sequences.

    python -m hotpath.calib.public --data DIR --networks-dir DIR --page docs/results
    python -m hotpath.calib.public --data DIR --networks-dir DIR --page docs/results --times

DIR has otb100, uav123_10fps and dtb70, or some of them, each in its authors' layout with a file
seen.txt, and published/NAME with result files. ``tests.calib.collect`` builds it. The command also
writes a CSV file beside the page. ``--times`` first measures the frame's time of all trackers in
turns. Use it on a machine at rest. The same command continues a run that was killed.
"""

import argparse
import csv
import datetime
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hotpath.calib import benchmarks, command, evaluate, provenance, trackers
from hotpath.calib.command import say
from hotpath.calib.figures import ALL, FEWEST
from hotpath.calib.follow import follow
from hotpath.runtime.errors import BadClips, HotpathError
from hotpath.runtime.track.video.clips import Clip

SETS = {"otb100": "OTB100", "uav123_10fps": "UAV123@10fps", "dtb70": "DTB70"}
NETWORKS = (
    "kestrel:int8,kestrel:int8:norecover,kestrel_fast:int8,kestrel_fast:int8:norecover,"
    "kestrel_small,nanotrack_v1,nanotrack_v2,nanotrack_v3,fear_xs,lightfc"
)
NAME = "public-sequences"
GROUPS = (ALL, "unseen")
ROUNDS, FRAMES = 3, 60  # of a time
AT_REST = 1.0  # load average above which the machine was busy
# trackers that people know; where a data set has several files of one, the first counts
KNOWN = {
    "SiamRPN++": ["SiamRPN++"],
    "DaSiamRPN": ["DaSiamRPN"],
    "SiamFC": ["SiamFC"],
    "ECO": ["ECO_gpu"],
    "KCF": ["KCF (re-run)", "KCF (published)", "KCF"],
}
COLUMNS = "clips ao success success_low success_high precision norm_precision ms".split()
COLUMNS += "difference difference_low difference_high verdict".split()

ABOUT = """\
The sequences are whole ones from public repositories, and the authors of other trackers publish
their boxes. No training of ours saw these sequences. Two numbers of kestrel (`window`,
`search_lost_below`) were chosen on sequences that are not "unseen". Trackers in bold ran here. The
same code judges all trackers on the same frames. Networks run on OpenVINO, and LightFC on ONNX
Runtime. `:norecover` means without the search for a lost target. NanoTrack's author starts one
pixel to the right of the annotation and below it, so his boxes differ from those of nanotrack_v1.

- AO: mean overlap without the first frame.
- AUC: success over 21 thresholds. With at least {fewest} sequences, the brackets have the 95 %
  interval of a bootstrap over sequences.
- Precision: share of the frames in which the centre is at most 20 pixels off. Normalised: at most
  .2 of the box's width and height.
- The last column: AUC minus that of {first} on the sequences that both have, with its interval. A
  star means that the interval does not contain 0. Without a star no difference is shown.
- Unseen: neither our training nor our choices saw these sequences or another film of the scene.
  It is not known what the training of the other trackers saw.
- The attributes are those of the data sets' authors, by their abbreviations.
"""


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("hotpath.calib.public", __doc__)
    cli.add_argument("--data", required=True, metavar="DIR", help="folder of the data sets")
    cli.add_argument("--networks", default=NETWORKS, metavar="NAME,NAME")
    cli.add_argument("--peers", default=",".join(trackers.PEERS), metavar="NAME,NAME")
    command.add_network_options(cli)
    cli.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    cli.add_argument("--times", action="store_true", help="measure the frame's times first")
    cli.add_argument("--out", default="out/public", metavar="DIR", help="for boxes and plots")
    cli.add_argument("--page", default="docs/results", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> None:
    """Track what is not tracked yet and write the page."""
    data, out = Path(options.data), Path(options.out)
    there = [name for name in SETS if (data / name).is_dir()]
    if not there:
        raise BadClips(f"{data} holds none of {', '.join(SETS)}; make it with tests.calib.collect")
    shared = vars(options) | {"networks": ",".join([options.networks, *_peers(options)])}
    shared |= {"threads": 1, "int8_dir": str(out / "int8")}
    if options.times:
        _measure(argparse.Namespace(**shared), [data / name for name in there], out)
    times = _times(out)
    tables = {}
    for name in there:
        beside = {"published": data / "published" / name, "seen": data / name / "seen.txt"}
        more = {key: path if path.exists() else None for key, path in beside.items()}
        found = benchmarks.sequences(name, data / name)
        given = argparse.Namespace(**shared, **more)
        tables[name], left_out = evaluate.evaluated(given, found, out / name)
        for sentence in left_out:
            say(f"calib.public: {sentence}")
        for tracker, entry in tables[name]["trackers"].items():
            for mean in (entry["mean"], *entry["groups"].values()):
                if times and "ms" in mean:
                    mean["ms"] = times["ms"][name].get(tracker, float("nan"))
    page = Path(options.page)
    page.mkdir(parents=True, exist_ok=True)
    _write_csv(tables, page / f"{NAME}.csv")
    (page / f"{NAME}.md").write_text("\n".join(_page(tables, times)) + "\n")
    say(f"wrote {page / NAME}.md and .csv")


def _peers(options: argparse.Namespace) -> list[str]:
    """Return the trackers of ``--peers`` that can run here."""
    found = []
    for name in options.peers.split(","):
        try:
            trackers.specs([name], trackers.tracker_options(options))
            found.append(name)
        except HotpathError as error:
            say(f"without {name}: {error}")
    return found


# -- times


def _measure(options: argparse.Namespace, folders: Sequence[Path], out: Path) -> None:
    """Measure the trackers in turns on the shortest sequence of each data set."""
    load, ms = os.getloadavg()[0], {}
    specs = trackers.specs_of(options)
    cv2.setNumThreads(1)
    for folder in folders:
        clips = benchmarks.sequences(folder.name, folder).clips
        clip: Clip = min(clips, key=len).in_memory(evaluate.MOST_BYTES)
        told: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for spec in specs:
                result = follow(evaluate.tracker_of(spec), clip, FRAMES)
                told.setdefault(spec.name, []).extend(result["ms"][1:])
        ms[folder.name] = {name: float(np.median(values)) for name, values in told.items()}
    out.mkdir(parents=True, exist_ok=True)
    first = hasattr(os, "SCHED_FIFO") and os.sched_getscheduler(0) == os.SCHED_FIFO
    found = {"date": str(datetime.date.today()), "load": load, "first": first, "ms": ms}
    (out / "times.json").write_text(json.dumps(found, indent=1))


def _times(out: Path) -> dict[str, Any]:
    """What ``_measure`` wrote; empty if it did not."""
    try:
        found: dict[str, Any] = json.loads((out / "times.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


# -- what is written


def _rows(table: Mapping[str, Any], group: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (tracker, its engine, its means) of a group, the greatest AUC first."""
    rows = []
    for name, entry in table["trackers"].items():
        mean = entry["mean"] if group == ALL else entry["groups"].get(group, {})
        if mean.get("clips"):
            rows.append((name, entry["engine"], mean))
    return sorted(rows, key=lambda row: -row[2]["success"])


def _write_csv(tables: Mapping[str, Any], path: Path) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["data set", "group", "tracker", "engine", *COLUMNS])
        for name, table in tables.items():
            for group in table["groups"]:
                for tracker, engine, mean in _rows(table, group):
                    cells = (mean.get(key, "") for key in COLUMNS)
                    told = [f"{cell:.4g}" if isinstance(cell, float) else cell for cell in cells]
                    writer.writerow([name, group, tracker, engine or "published", *told])


def _page(tables: Mapping[str, Any], times: Mapping[str, Any]) -> Iterator[str]:
    first = next(iter(next(iter(tables.values()))["trackers"]))
    code = (provenance.commit() or "unknown")[:7]
    yield "# How does Hotpath compare with published trackers?\n"
    yield _answer(tables, first)
    yield from _known(tables, first)
    yield (
        "Made by `python -m hotpath.calib.public --data DIR --networks-dir DIR "
        "--page docs/results`\n"
    )
    yield (
        f"{datetime.date.today()}, commit {code}, {provenance.processor()}, "
        f"{os.cpu_count()} cores, one thread, OpenCV {cv2.__version__}. "
        f"Raw: [{NAME}.csv]({NAME}.csv)\n"
    )
    yield "## What the figures mean\n"
    if not times:
        yield "Times were taken while tracking, on a busy machine: they mean little.\n"
    else:
        busy = "" if times["load"] < AT_REST else ", a busy machine: they mean little"
        busy = ", at real-time priority" if times.get("first") else busy
        yield (
            f"Times: median of {ROUNDS} × {FRAMES} frames of one sequence, all trackers in turns, "
            f"{times['date']}, load average {times['load']:.1f}{busy}.\n"
        )
    yield ABOUT.format(first=first, fewest=FEWEST)
    for name, table in tables.items():
        for group in GROUPS:
            names = table["groups"].get(group, [])
            if names:
                yield f"## {SETS[name]}, {group}: {len(names)} sequences\n"
                yield from _means(table, group, first)
        yield from _attributes(table, SETS[name])


def _answer(tables: Mapping[str, Any], first: str) -> str:
    """Return one sentence: the AUC on each data set."""
    shares = (
        f"{table['trackers'][first]['mean']['success']:.3f} on {SETS[name]}"
        for name, table in tables.items()
    )
    return re.sub(r"\b0\.", ".", f"The AUC of {first} is {', '.join(shares)}.\n")


def _known(tables: Mapping[str, Any], first: str) -> Iterator[str]:
    yield "The table has AUC / precision of all sequences, and the verdict on the AUC.\n"
    heads = (f"{SETS[name]} ({len(table['groups'][ALL])})" for name, table in tables.items())
    yield f"| tracker | {' | '.join(heads)} |"
    yield "|---" * (len(tables) + 1) + "|"
    for shown, names in {f"**{first}**": [first], **KNOWN}.items():
        cells = [_cell(table, names) for table in tables.values()]
        if any(cells):
            yield _short(f"| {shown} | {' | '.join(cells)} |")
    yield ""


def _cell(table: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        if name in table["trackers"]:
            mean = table["trackers"][name]["mean"]
            told = f"{mean['success']:.3f} / {mean['precision']:.3f}"
            return told + (", " + mean["verdict"] if "verdict" in mean else "")
    return ""


def _means(table: Mapping[str, Any], group: str, first: str) -> Iterator[str]:
    whole = len(table["groups"][group])
    yield f"| tracker | AO | AUC | precision 20 px | normalised | ms | AUC less {first}'s |"
    yield "|---|---|---|---|---|---|---|"
    for name, engine, mean in _rows(table, group):
        shown = f"**{name}**" if engine else name
        if mean["clips"] < whole:
            shown += f" ({mean['clips']} of {whole} sequences)"
        apart = f"{mean['difference']:+.3f}" if "difference" in mean else ""
        if "verdict" in mean:
            apart += " [{difference_low:+.3f}, {difference_high:+.3f}]".format(**mean)
            apart += "" if mean["verdict"] == "no difference" else " *"
        spread = " [{success_low:.3f}, {success_high:.3f}]" if "success_low" in mean else ""
        ms = "" if np.isnan(mean.get("ms", np.nan)) else f"{mean['ms']:.1f}"
        row = "| {ao:.3f} | {success:.3f}" + spread + " | {precision:.3f} | {norm_precision:.3f} | "
        yield _short(f"| {shown} {row.format(**mean)}{ms} | {apart} |")
    yield ""


def _short(row: str) -> str:
    """A row whose shares begin with their point."""
    return re.sub(r"(?<![\d.])0(?=\.\d{3}\b)", "", row)


def _attributes(table: Mapping[str, Any], title: str) -> Iterator[str]:
    attributes = [group for group in table["groups"] if group not in GROUPS]
    if not attributes:
        return
    yield f"### {title}: AUC by attribute\n"
    heads = (f"{attribute} ({len(table['groups'][attribute])})" for attribute in attributes)
    yield "| tracker (sequences) | " + " | ".join(heads) + " |"
    yield "|---" * (len(attributes) + 1) + "|"
    for name, engine, _ in _rows(table, ALL):
        if engine and ":" not in name:
            means = (table["trackers"][name]["groups"][attribute] for attribute in attributes)
            cells = (f"{mean['success']:.3f}" if mean["clips"] else "" for mean in means)
            yield _short(f"| {name} | " + " | ".join(cells) + " |")
    yield ""


main = command.main("hotpath.calib.public", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
