"""python -m tests.documents.speed: time each network beside OpenCV's TrackerNano.

    python -m tests.documents.speed --video CLIP --box X,Y,W,H --networks-dir DIR

Each round is a run of ``python -m hotpath.boards.fps --video CLIP --against opencv`` of its own, in
which both trackers take turns. Writes docs/results/speed.json and speed.md with the rounds'
medians.
"""

import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from hotpath.calib import provenance
from tests.support import ROOT

OUT = ROOT / "docs" / "results"
NETWORKS = (
    ("kestrel", "int8"),
    ("kestrel", "fp32"),
    ("kestrel_fast", "int8"),
    ("kestrel_fast", "fp32"),
    ("kestrel_small", "int8"),
    ("kestrel_small", "fp32"),
    ("nanotrack_v1", "fp32"),
    ("nanotrack_v2", "fp32"),
    ("nanotrack_v3", "fp32"),
    ("fear_xs", "fp32"),
    ("lightfc", "fp32"),
)
STEPS = ("crop", "network", "select")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.documents.speed")
    parser.add_argument("--video", required=True)
    parser.add_argument("--box", required=True)
    parser.add_argument("--networks-dir", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=400)
    options = parser.parse_args(arguments)
    taken = {one: [] for one in NETWORKS}
    for _ in range(options.rounds):  # in turns, so that what disturbs for long disturbs all
        for network, precision in NETWORKS:
            taken[network, precision].append(once(options, network, precision))
    today, commit = datetime.date.today().isoformat(), (provenance.commit() or "unknown")[:7]
    results = {
        "date": today,
        "commit": commit,
        "machine": f"{provenance.processor()}, {os.cpu_count()} cores",
        "rounds": options.rounds,
        "frames": options.frames,
        "rows": [row(*one, rounds) for one, rounds in taken.items()],
    }
    (OUT / "speed.json").write_text(json.dumps(results, indent=1) + "\n")
    page = (OUT / "speed.md").read_text()
    for pattern, new in (
        (r"^20.*?(?=, busy)", f"{today}, commit {commit}, {results['machine']}"),
        (r"^`kestrel` in INT8 takes .*", answer(results["rows"])),
        (r"\d+ rounds of \d+ frames", f"{options.rounds} rounds of {options.frames} frames"),
        (r"(?<=\|---\|\n)(\|.*\n)+", "".join(line(one) + "\n" for one in results["rows"])),
    ):
        page = re.sub(pattern, new, page, count=1, flags=re.MULTILINE)
    (OUT / "speed.md").write_text(page)
    return 0


def once(options, network, precision):
    """One run of both trackers; returns its report."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = [sys.executable, "-m", "hotpath.boards.fps", "--video", options.video]
        command += ["--box", options.box]
        command += ["--network", network, "--precision", precision, "--engine", "openvino"]
        command += ["--networks-dir", options.networks_dir, "--frames", str(options.frames)]
        command += ["--against", "opencv", "--json", report.name]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return json.load(report)


def row(network, precision, rounds):
    """The medians of the rounds of one network."""
    peers = [one["against"]["opencv"] for one in rounds]
    return {
        "network": network,
        "precision": precision,
        "ms": {
            step: round(statistics.median(one["ms"][step]["median"] for one in rounds), 3)
            for step in (*STEPS, "total")
        },
        "opencv_ms": round(statistics.median(one["ms"]["total"]["median"] for one in peers), 3),
        "ratios": sorted(round(one["ratio"], 2) for one in peers),
    }


def answer(rows):
    """The page's answer: the default network beside OpenCV's tracker."""
    figures = next(one for one in rows if (one["network"], one["precision"]) == NETWORKS[0])
    return (
        f"`kestrel` in INT8 takes {figures['ms']['total']:.2f} ms a frame and is "
        f"{statistics.median(figures['ratios']):.1f} times as fast as OpenCV's TrackerNano."
    )


def line(figures):
    ratios = figures["ratios"]
    ratio = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    ms = [f"{figures['ms'][step]:.2f}" for step in (*STEPS, "total")]
    cells = [f"`{figures['network']}`", figures["precision"], *ms]
    return "| " + " | ".join([*cells, f"{figures['opencv_ms']:.2f}", ratio]) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
