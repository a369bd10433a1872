"""Kill runs at random moments, and check that each output is the whole old file or a new one.

``python -m hotpath_release.kills --runs 200`` prints one line a kind of output, and exits with 1
if a file was lost. The kills are spread over the first seconds of a run, where the outputs are
replaced.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from hotpath.video.save import plays
from tests.support import tiny

OLD = b"the old file\n"
SPREAD_S = 1.5  # of the kills, from the moment at which the outputs are opened


def state_of(path):
    """Return what a file is after the kill: old, new or lost."""
    if not os.path.exists(path):
        return "lost"
    with open(path, "rb") as file:
        data = file.read()
    if data == OLD:
        return "old"
    if path.endswith((".mp4", ".mkv", ".avi")):
        return "new" if plays(path) else "lost"
    if path.endswith(".jsonl"):
        lines = data.decode().splitlines()
        whole = data.endswith(b"\n") and all("frame" in json.loads(line) for line in lines)
        return "new" if whole else "lost"
    rows = data.decode().splitlines()
    whole = data.endswith(b"\n") and len({row.count(",") for row in rows}) == 1
    return "new" if whole and len(rows) > 1 else "lost"


def one_kill(rng, words, folder, number):
    """Start a run over old files and kill it; returns dict of file name -> ``state_of``."""
    names = ["rows" + rng.choice([".csv", ".jsonl"]), "film" + rng.choice([".mp4", ".mkv", ".avi"])]
    paths = [os.path.join(folder, f"{number}-{name}") for name in names]
    for path in paths:
        with open(path, "wb") as file:
            file.write(OLD)
    command = words + ["--results", paths[0], "--save", paths[1], "--json"]
    with open(os.path.join(folder, f"{number}.json"), "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
    while process.poll() is None and not os.path.exists(paths[0] + ".part"):
        time.sleep(0.005)
    time.sleep(rng.random() * SPREAD_S)
    process.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
    process.wait(180)
    states = {name: state_of(path) for name, path in zip(names, paths)}
    with open(os.path.join(folder, f"{number}.json")) as file:
        text = file.read()
    states["json"] = "old" if not text else "new" if json.loads(text)["frames"] else "lost"
    return states


def kill(runs, seed=0):
    """Kill that many runs; returns a Counter of (output, state)."""
    rng, counts = random.Random(seed), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        tiny.write_network(pathlib.Path(folder))
        pictures, boxes = tiny.film(25)
        film = os.path.join(folder, "long.avi")
        tiny.write_video(film, pictures * 70)
        box = ",".join(str(float(value)) for value in boxes[0])
        words = [sys.executable, "-m", "hotpath.app", "--video", film, "--box", box, "--quiet"]
        words += ["--no-show", "--network", os.path.join(folder, "tiny.toml")]
        for number in range(runs):
            counts.update(one_kill(rng, words, folder, number).items())
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = kill(options.runs, options.seed)
    for (name, state), count in sorted(counts.items()):
        print(f"{name:12s} {state:5s} {count}")
    return int(any(state == "lost" for _, state in counts))


if __name__ == "__main__":
    sys.exit(main())
