"""python -m hotpath_release.planted: does the speed suite find slowdowns that are really there?

    python -m hotpath_release.planted --minutes 20       as many runs as fit, on a machine at rest
    python -m hotpath_release.planted --write            CSV and table, from the runs so far
    python -m hotpath_release.planted --simulate         the page's table of simulated rounds

First a reference of ``hotpath fps`` is made. Each run is then ``hotpath fps`` as a user runs it, in
which each crop takes longer (``planted_worker.py``) or nothing was changed, idle or beside one busy
core. Runs of all kinds take turns. They are kept in OUT/runs.jsonl, and the command goes on there
after a stop. ``ORDER`` has first what decides most.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

from hotpath.deploy.errors import CannotCompare
from hotpath.deploy.fps import __main__ as fps
from hotpath.deploy.fps import compare, evidence, measure, stats
from hotpath_release.planted_worker import KINDS
from tests.support import ROOT

PAGE = ROOT / "docs" / "results" / "fps-suite.md"
RAW = PAGE.with_suffix(".csv")
SIMULATED = "## Simulated rounds\n"  # heading of a section, the last one of the page
ROUND_NOISE, FRAME_NOISE = 0.02, 0.03  # of simulated rounds, and of the frames in each
WORKER = pathlib.Path(__file__).with_name("planted_worker.py")
# rounds of runs: (load, percent that are planted)
ORDER = (
    (("idle", 0), ("idle", 5), ("idle", 10), ("idle", 3)),
    (("busy", 0), ("busy", 10), ("busy", 5)),
)
DECISIONS = {0: "same", 1: "slower", 2: "failed", 3: "invalid", 4: "undecided"}
KEYS = (
    "load percent kind decision change low high machine added rounds seconds time reasons".split()
)
MEASURED = ("change", "low", "high", "machine")
ADDED = (
    "added"  # to the crop, as share of the reference's frame: what the planted delay really took
)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m hotpath_release.planted")
    parser.add_argument("--out", default="out/planted", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=20, help="of each load and slowdown")
    parser.add_argument("--minutes", type=float, default=60.0, help="no run begins after that")
    parser.add_argument("--write", action="store_true", help="write CSV and table, and end")
    parser.add_argument("--simulate", action="store_true", help="write the simulated rounds")
    options = parser.parse_args(arguments)
    if options.simulate:
        return write_simulated(simulated())
    if options.write:
        return write(options)
    end_s = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    base_ms = reference(options.out)
    for job in jobs(options.runs, read(options.out)):
        if time.monotonic() > end_s:
            break
        record = one(options, base_ms, *job)
        with open(options.out / "runs.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")
        print("{load} {percent} % {kind}: {decision} {change} in {seconds} s".format(**record))
    return 0


def reference(out):
    """Median milliseconds of a frame of the reference, which is made when it is missing."""
    compare.OWN = out / "reference"
    path = compare.OWN / "host.json"
    if not path.is_file():
        quietly(fps.main, ["--rounds", "30", "--out", str(out / "base")])
        code, said = quietly(fps.main, ["save", "--out", str(out / "base")])
        if code or not path.is_file():
            raise SystemExit(f"the machine is not at rest, or the reference failed: {said}")
    return evidence.read_evidence(path)["results"][0]["figures"]["steps"]["total"]["median"]


def jobs(runs, done):
    """What remains to be run, in order: (load, percent, kind)."""
    counts = {}
    for record in done:
        key = record["load"], record["percent"]
        counts[key] = counts.get(key, 0) + 1
    for cells in ORDER:
        for number in range(runs):
            for load, percent in cells:
                if counts.get((load, percent), 0) <= number:
                    yield load, percent, KINDS[number % len(KINDS)] if percent else "nothing"


def one(options, base_ms, load, percent, kind):
    """Run the suite once; its record."""
    usual, began = measure.SCRIPT, time.monotonic()
    if percent:
        os.environ["HOTPATH_PLANTED"] = f"{kind}:{base_ms * percent / 100:.5f}"
        measure.SCRIPT = str(WORKER)
    folder = options.out / "run"
    for old in folder.glob("evidence-*.json"):
        old.unlink()
    try:
        with busy_core() if load == "busy" else contextlib.nullcontext():
            code, _ = quietly(fps.main, ["--out", str(folder)])
    finally:
        measure.SCRIPT = usual
    record = dict(load=load, percent=percent, kind=kind, decision=DECISIONS[code])
    record.update(seconds=round(time.monotonic() - began, 1), time=int(time.time()))
    return dict(record, **measured(folder))


def measured(folder):
    """What a run measured: change with its interval, rounds, and why it is invalid."""
    (path,) = folder.glob("evidence-*.json")
    found = evidence.read_evidence(path)
    base = evidence.read_evidence(compare.OWN / "host.json")
    reasons = [r["text"] for r in found["verdict"]["reasons"]]
    values = {ADDED: None, "rounds": 0, "reasons": "; ".join(reasons)}
    for result in found["results"]:  # none on a busy machine
        crops = [each["figures"]["steps"]["crop"]["median"] for each in (*base["results"], result)]
        whole = base["results"][0]["figures"]["steps"]["total"]["median"]
        values[ADDED] = round((crops[-1] - crops[0]) / whole, 4)
        values["rounds"] = len(result["rounds"])
    values.update(dict.fromkeys(MEASURED))
    if not reasons:
        with contextlib.suppress(CannotCompare):
            ((_, comparison),) = compare.compare(base, found)
            values.update({k: round(getattr(comparison, k), 4) for k in MEASURED})
    return values


def quietly(call, *arguments):
    """(result, what it printed last) of a function."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        result = call(*arguments)
    return result, (said.getvalue().strip().splitlines() or [""])[-1]


@contextlib.contextmanager
def busy_core():
    """Keep one core busy meanwhile, and no longer than this process lives."""
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(10**5))"
    process = subprocess.Popen([sys.executable, "-c", code])
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def read(out):
    path = out / "runs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def table(records):
    """The rows of the page: (load, percent) -> counts of decisions, median change, seconds."""
    lines = []
    for load, percent in [cell for cells in ORDER for cell in cells]:
        own = [r for r in records if (r["load"], r["percent"]) == (load, percent)]
        if not own:
            continue
        counts = [sum(r["decision"] == name for r in own) for name in DECISIONS.values()]
        same, slower, _, invalid, undecided = counts
        changes = sorted(r["change"] for r in own if r["change"] is not None)
        middle = f"{changes[len(changes) // 2]:+.1%}" if changes else ""
        seconds = sorted(r["seconds"] for r in own)[len(own) // 2]
        what = f"{percent} % slower" if percent else "nothing"
        added = sorted(r[ADDED] for r in own if r.get(ADDED) is not None)
        took = f"{added[len(added) // 2]:+.1%}" if added else ""
        cells = [load, what, took, len(own), slower, same, undecided, invalid, middle]
        cells += [f"{seconds:.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def write(options):
    """Write the page's CSV, and print its table."""
    records = read(options.out)
    with open(RAW, "w", newline="") as file:
        writer = csv.DictWriter(file, KEYS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    print("\n".join(table(records)))
    return 0


def simulated(seed=0):
    """Decisions about simulated pairs: (how, slowdown, counts of decisions)."""
    random = np.random.RandomState(seed)

    def rounds(count, slowdown):
        noise = ROUND_NOISE * random.randn(count, 1) + FRAME_NOISE * random.randn(count, 200)
        return list(2.0 * slowdown * np.exp(noise))

    rows = []
    for how, base, paired in (("reference of 30 rounds", 30, False), ("in turns", 15, True)):
        for slowdown, pairs in ((1.0, 320), (1.05, 40)):
            decisions = [
                stats.compare(rounds(base, 1.0), rounds(15, slowdown), paired).decision
                for _ in range(pairs)
            ]
            rows.append((how, slowdown, [decisions.count(word) for word in compare.ORDER]))
    return rows


def write_simulated(rows):
    """Write the page's section about ``simulated`` rounds."""
    lines = [
        SIMULATED,
        f"Medians of rounds differ by {ROUND_NOISE:.0%}, frames in a round by {FRAME_NOISE:.0%} "
        "(standard deviations, all independent; in real turns the noise is in part common).",
        "",
        f"| 15 rounds against | planted | pairs | {' | '.join(compare.ORDER)} |",
        "|---|---|---|" + "---|" * len(compare.ORDER),
    ]
    for how, slowdown, counts in rows:
        planted = "nothing" if slowdown == 1 else f"{slowdown - 1:.0%} slower"
        lines.append(f"| {how} | {planted} | {sum(counts)} | {' | '.join(map(str, counts))} |")
    lines += ["", "Made by `python -m hotpath_release.planted --simulate`", ""]
    page = PAGE.read_text(encoding="utf-8").split(SIMULATED)[0].rstrip("\n")
    PAGE.write_text(page + "\n\n" + "\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
