"""python -m hotpath_release.planted: does the speed suite find slowdowns that are really there?

    python -m hotpath_release.planted --minutes 20       as many runs as fit, on a machine at rest
    python -m hotpath_release.planted --write            CSV and table, from the runs so far

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

from hotpath.deploy.fps import __main__ as fps
from hotpath.deploy.fps import compare, evidence, workers
from hotpath_release.planted_worker import KINDS
from tests.support import ROOT

RAW = ROOT / "docs" / "results" / "fps-suite.csv"
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
    parser.add_argument("--run-minutes", default="1", help="as --minutes of `hotpath fps`")
    parser.add_argument("--write", action="store_true", help="write CSV and table, and end")
    options = parser.parse_args(arguments)
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
    return evidence.read(path)["results"][0]["figures"]["steps"]["total"]["median"]


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
    usual, began = workers.SCRIPT, time.monotonic()
    if percent:
        os.environ["HOTPATH_PLANTED"] = f"{kind}:{base_ms * percent / 100:.5f}"
        workers.SCRIPT = str(WORKER)
    folder = options.out / "run"
    for old in folder.glob("evidence-*.json"):
        old.unlink()
    try:
        with busy_core() if load == "busy" else contextlib.nullcontext():
            code, _ = quietly(fps.main, ["--minutes", options.run_minutes, "--out", str(folder)])
    finally:
        workers.SCRIPT = usual
    record = dict(load=load, percent=percent, kind=kind, decision=DECISIONS[code])
    record.update(seconds=round(time.monotonic() - began, 1), time=int(time.time()))
    return dict(record, **measured(folder))


def measured(folder):
    """What a run measured: change with its interval, rounds, and why it is invalid."""
    (path,) = folder.glob("evidence-*.json")
    found = evidence.read(path)
    base = evidence.read(compare.OWN / "host.json")
    (result,) = found["results"]
    reasons = [r["text"] for r in found["verdict"]["reasons"] if r["state"] == "invalid"]
    crops = [each["figures"]["steps"]["crop"]["median"] for each in (*base["results"], result)]
    whole = base["results"][0]["figures"]["steps"]["total"]["median"]
    values = {ADDED: round((crops[-1] - crops[0]) / whole, 4)}
    values |= {"rounds": len(result["rounds"]), "reasons": "; ".join(reasons)}
    try:
        ((_, comparison),) = compare.compare(base, found)
        values.update({k: round(getattr(comparison, k), 4) for k in MEASURED})
    except compare.CannotCompare:
        values.update(dict.fromkeys(MEASURED))
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


if __name__ == "__main__":
    raise SystemExit(main())
