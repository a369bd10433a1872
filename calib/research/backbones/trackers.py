"""python -m calib.research.backbones.trackers: what trained trackers are worth, and what they cost.

    python -m calib.research.backbones.trackers runs/a runs/b --ranges DIR --clips OTHER_DIR

Each RUN is the folder of a finished training (``calib.research.train --out``). The command
makes the INT8 form with the ranges of the clips in --ranges, all layers in 8 bit. On --clips, which
nothing should be chosen by, it measures one-step overlap and the mean overlap of whole tracks, in
fp32 and INT8. It times whole frames on this computer's engines, all trackers in turns, and compiles
for the FPGA boards. It writes into OUT:

    table.md, trackers.json     a row a tracker; all figures

What was measured once is kept in OUT/work; only times are always taken anew. So run it a second
time when the computer is quiet.
"""

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calib.clips import Clip

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import cv2
import numpy as np

from calib import command, int8, metrics, table
from calib.clips import find_clips
from calib.command import chosen, say
from calib.errors import BadRun
from calib.follow import follow
from calib.fpga.compile import compile_network
from calib.one_step_overlap import Finder, Pairs
from calib.research.backbones import fabric, speed, trackers_table
from calib.research.runs import summary
from calib.research.train.judging import LOST, estimate
from calib.store import Store
from kernels.fpga import design
from runtime import engines, load_tracker
from runtime.graphs import counting
from runtime.networks import load_network, sha256_of

NAME = "calib.research.backbones.trackers"
FRAMES, ROUNDS = 100, 300  # of the film that frames are timed on; frames of each tracker


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    cli = command.parser(NAME, __doc__)
    cli.add_argument("runs", nargs="+", metavar="RUN")
    command.add_clip_options(cli)
    cli.add_argument(
        "--ranges", nargs="+", required=True, metavar="DIR", help="clips to measure ranges on"
    )
    cli.add_argument("--engine", default="auto", choices=engines.choices(of_files=True))
    cli.add_argument("--rounds", type=int, default=ROUNDS, help="frames timed (default: 300)")
    cli.add_argument("--out", default="out/trackers", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> None:
    """Measure what is not measured yet, time everything, and write the table."""
    out = Path(options.out)
    clips = chosen(find_clips(options.clips, log=say), options.only)
    if len(clips) < 2:
        raise BadRun("one clip gives no standard error; name at least two with --clips")
    ranges = find_clips(options.ranges, log=say)
    both = sorted({clip.name for clip in clips if clip.sha256 in {c.sha256 for c in ranges}})
    if both:
        raise BadRun(f"{both[0]} is among --clips and --ranges; name it in one of them")
    names = [Path(folder).resolve().name for folder in options.runs]
    if len(set(names)) < len(names):
        raise BadRun("two runs have one name; give their folders different names")
    tomls = [tracker_of(Path(folder)) for folder in options.runs]
    rows = []
    for name, toml, folder in zip(names, tomls, options.runs):
        say(f"{name}: {toml}")
        forms = {"fp32": toml, "int8": quantised(toml, ranges, options, out / "work" / name)}
        judge = Judge(clips, options.engine, Store(out / "work" / name))
        rows.append(dict(trained(folder), name=name, **judge.figures(forms)))
    first = rows[0]["overlaps"]
    for row, times in zip(rows, frame_times(rows, clips[0], options.rounds)):
        row["ms"] = times
        row["to_first"] = estimate(np.subtract(row["overlaps"], first), row["clip"])
    told: dict[str, Any] = {
        "clips": [clip.name for clip in clips],
        "ranges": [clip.name for clip in ranges],
    }
    told["first"] = rows[0]["name"]
    told["conditions"] = speed.conditions(NAME, 1, options.rounds)
    (out / "trackers.json").write_text(json.dumps(dict(told, trackers=rows), indent=1))
    print(trackers_table.write(rows, told, out))


def tracker_of(folder: Path) -> Path:
    """The TOML of a run's tracker.

    Raises:
        BadRun: the run has none.
    """
    found = sorted((folder / "export").glob("*.toml"))
    if not found:
        raise BadRun(
            f"{folder} holds no tracker; finish the training with `python -m "
            f"calib.research.train --resume {folder}`"
        )
    return found[0]


def trained(folder: str | Path) -> dict[str, Any]:
    """What a run was trained with: dict of backbone, seed, pairs by stage, processor minutes."""
    kept = summary(Path(folder))
    return {
        "backbone": kept["options"]["shape"],
        "seed": kept["seed"],
        "pairs": kept["pairs_of_stages"],
        "minutes": kept["processor_seconds"] / 60,
    }


def quantised(toml: Path, ranges: Sequence[Clip], options: argparse.Namespace, out: Path) -> Path:
    """The TOML of the INT8 form, made by ``calib.int8`` unless it is there.

    Raises:
        BadRun: ``calib.int8`` failed.
    """
    made = out / (toml.stem + "-int8.toml")
    kept = out / (toml.stem + "-ranges.json")
    network = load_network(str(toml))
    files = {part: sha256_of(path) for part, path in network.locate(None).items()}
    names = sorted(clip.name for clip in ranges)
    if made.is_file() and kept.is_file():
        told = table.read(kept)
        if told["files"] == files and {c["name"] for c in told["clips"]} <= set(names):
            return made
    given = ["--network", str(toml), "--clips", *options.ranges, "--out", str(out)]
    if int8.main([*given, "--keep", "-", "--no-speed", "--tensorrt"]):
        raise BadRun(f"calib.int8 failed for {toml}, see above")
    return made


class Judge:
    """Measures trackers on clips; every figure is kept in a store.

    Args:
        clips: list of ``Clip``.
        engine: name of an engine, or "auto".
        store: ``calib.store.Store``.
    """

    def __init__(self, clips: Sequence[Clip], engine: str, store: Store) -> None:
        self.clips, self.engine, self.store = clips, engine, store

    def figures(self, forms: dict[str, Path]) -> dict[str, Any]:
        """All figures but times.

        Args:
            forms: dict of "fp32" and "int8" -> TOML.

        Returns:
            dict: ``toml``; ``macs``, ``parameters``; ``one_step``, ``mean_overlap`` by precision,
            each with its error over the clips; ``lost``, share of pairs with an overlap below .3;
            ``change`` from fp32 to INT8, of both overlaps; ``cycles`` by FPGA board; ``overlaps``
            of the pairs in fp32, and the ``clip`` of each.
        """
        files = {name: self._files(toml) for name, toml in forms.items()}
        depends: list[Any] = [self.engine, [clip.sha256 for clip in self.clips]]
        found: dict[str, Any] = {"toml": {name: str(toml) for name, toml in forms.items()}}
        found.update(size_of(forms["fp32"]), one_step={}, mean_overlap={}, lost={}, change={})
        pairs: dict[str, Any] = {}
        tracks: dict[str, Any] = {}
        for name, toml in forms.items():
            key = [*depends, files[name]]
            pairs[name] = self.store.figure(
                "one-step", key, functools.partial(self._one_step, toml)
            )
            tracks[name] = self.store.figure("tracks", key, functools.partial(self._tracks, toml))
            found["one_step"][name] = estimate(*pairs[name])
            found["mean_overlap"][name] = estimate(tracks[name], range(len(self.clips)))
            found["lost"][name] = float(np.mean(np.less(pairs[name][0], LOST)))
        found["overlaps"], found["clip"] = pairs["fp32"]
        changes = np.subtract(pairs["int8"][0], pairs["fp32"][0])
        found["change"]["one_step"] = estimate(changes, pairs["fp32"][1])
        changes = np.subtract(tracks["int8"], tracks["fp32"])
        found["change"]["mean_overlap"] = estimate(changes, range(len(self.clips)))
        kept = forms["int8"].with_name(forms["fp32"].stem + "-ranges.json")
        key = [files["fp32"], sha256_of(kept), design.sizes()]
        found["cycles"] = self.store.figure("cycles", key, lambda: cycles(forms["fp32"], kept))
        return found

    @staticmethod
    def _files(toml: Path) -> dict[str, Any]:
        network = load_network(str(toml))
        return {part: sha256_of(path) for part, path in network.locate(None).items()}

    def _one_step(self, toml: Path) -> list[Any]:
        """(overlaps of the pairs, clip of each)."""
        network = load_network(str(toml))
        pairs = Pairs(self.clips, network)
        engine = engines.create(self.engine, network, network.locate(None))
        _, found = Finder(network, engine).run(pairs)
        engine.close()
        return [[round(float(value), 4) for value in found], [int(i) for i in pairs.clip]]

    def _tracks(self, toml: Path) -> list[float]:
        """Mean overlap of each clip."""
        tracker = opened(toml, self.engine)
        found = [
            float(metrics.figures(np.array(follow(tracker, clip)["boxes"]), clip.boxes)["ao"])
            for clip in self.clips
        ]
        tracker.close()
        return found


def opened(toml: Path, engine: str) -> Any:
    """A tracker of the very files that a TOML names, which does not search for lost targets."""
    return load_tracker(str(toml), engine=engine, precision="fp32", threads=1, recover=False)


def size_of(toml: Path) -> dict[str, Any]:
    """dict of ``macs`` and ``parameters`` of the graph that runs in every frame."""
    network = load_network(str(toml))
    counts = counting.count_parts(network, network.locate(None))["a frame"]
    return {"macs": counts.macs, "parameters": counts.parameters}


def cycles(toml: Path, ranges: Path) -> dict[str, Any]:
    """dict of FPGA board -> cycles of a frame, by the compiler, or the sentence that refuses."""
    network = load_network(str(toml))
    return fabric.by_size(lambda name: compile_network(network, None, ranges, name))


def frame_times(rows: list[dict[str, Any]], clip: Clip, rounds: int) -> list[dict[str, Any]]:
    """Median milliseconds of a whole frame, all trackers in turns on one thread.

    Returns:
        list of dict of engine -> dict of precision -> milliseconds, one for each row.
    """
    cv2.setNumThreads(1)
    film = [clip[index] for index in range(min(len(clip), FRAMES))]
    calls, trackers = {}, []
    for number, row in enumerate(rows):
        for engine in speed.runners():
            for precision, toml in row["toml"].items():
                tracker = opened(toml, engine)
                tracker.init(film[0], clip.boxes[0])
                trackers.append(tracker)
                calls[number, engine, precision] = _Frames(tracker, film).step
    say(f"timing {len(calls)} trackers in turns, {rounds} frames each")
    started = time.monotonic()
    times = speed.in_turns(calls, rounds)
    say(f"{time.monotonic() - started:.0f} s")
    for tracker in trackers:
        tracker.close()
    found: list[dict[str, Any]] = [{} for _ in rows]
    for (number, engine, precision), values in times.items():
        found[number].setdefault(engine, {})[precision] = float(np.median(values.warm))
    return found


class _Frames:
    """Gives a tracker one frame of a film after the other, again and again."""

    def __init__(self, tracker: Any, film: Sequence[np.ndarray]) -> None:
        self._tracker, self._film, self._next = tracker, film, 0

    def step(self) -> None:
        self._next = (self._next + 1) % len(self._film)
        self._tracker.update(self._film[self._next])


main = command.main(NAME, run, parser)

if __name__ == "__main__":
    sys.exit(main())
