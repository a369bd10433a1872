"""python -m calib.vot: run the official VOT toolkit with our networks on your own clips.

    python -m calib.vot --clips DIR --only NAME,NAME --networks nanotrack_v2 --networks-dir DIR

The command writes a workspace (clips in VOT's format, trackers.ini, stack.yaml). Then it runs the
toolkit there: evaluate, analysis, report. Finished runs are not repeated. With --prepare it only
writes the workspace and prints the commands. It needs vot-toolkit 0.7.4 and attributee 0.1.9: in
newer versions the short-term experiments or all commands fail.
"""

import argparse
import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calib import command
from calib.clips import Clip, find_clips
from calib.command import chosen, say
from calib.errors import BadRun, Missing
from runtime.networks import load_network

LOW, HIGH = 20, 100  # lengths that EAO is averaged over
ANCHOR_EVERY = 50  # frames
STACK = Path(__file__).with_name("vot_stack.json")  # as JSON, which is YAML too


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.vot", __doc__)
    command.add_clip_options(cli)
    cli.add_argument("--networks", required=True, metavar="NAME,NAME")
    command.add_network_options(cli)
    cli.add_argument(
        "--low",
        type=int,
        default=LOW,
        metavar="FRAMES",
        help="EAO's lengths; VOT's own 115 to 755 mean nothing on short clips",
    )
    cli.add_argument("--high", type=int, default=HIGH, metavar="FRAMES")
    cli.add_argument("--prepare", action="store_true", help="write the workspace only")
    cli.add_argument("--out", default="out/vot", metavar="DIR", help="the workspace")
    return cli


def run(options: argparse.Namespace) -> None:
    """Write the workspace; run the toolkit in it."""
    clips = chosen(find_clips(options.clips, log=say), options.only)
    workspace = Path(options.out).resolve()
    write_workspace(workspace, clips, options.low, options.high)
    names = options.networks.split(",")
    labels = write_trackers(workspace, names, options.networks_dir, options.engine)
    commands = [
        ["evaluate", "--workspace", str(workspace), *labels],
        ["analysis", "--workspace", str(workspace), "--name", "own", *labels],
        ["report", "--workspace", str(workspace), "--name", "own", *labels],
    ]
    if options.prepare:
        print("\n".join("vot " + shlex.join(words) for words in commands))
        return
    for words in commands:
        toolkit(words)
    say(f"wrote {workspace}/reports/own/report.html and analysis/own.json")


# -- the workspace


def write_workspace(workspace: Path, clips: Sequence[Clip], low: int, high: int) -> None:
    """Write clips in VOT's format, config.yaml and stack.yaml; frames that exist are kept."""
    (workspace / "sequences").mkdir(parents=True, exist_ok=True)
    (workspace / "config.yaml").write_text("registry: [./trackers.ini]\nstack: ./stack.yaml\n")
    stack = STACK.read_text().replace('"LOW"', str(low)).replace('"HIGH"', str(high))
    (workspace / "stack.yaml").write_text(stack)
    for clip in clips:
        absent = np.flatnonzero(np.isnan(clip.boxes[:, 0]))
        if len(absent):
            raise BadRun(
                f"{clip.name}: the target is absent in {len(absent)} frames, which VOT's "
                "short-term experiments do "
                "not allow; name other clips with --only"
            )
        _write_sequence(workspace / "sequences" / clip.name, clip)
    names = "".join(clip.name + "\n" for clip in clips)
    (workspace / "sequences" / "list.txt").write_text(names)


def _write_sequence(folder: Path, clip: Clip) -> None:
    colour = folder / "color"
    colour.mkdir(parents=True, exist_ok=True)
    for index in range(len(clip)):
        path = colour / f"{index + 1:08d}.jpg"  # VOT counts frames from 1
        if not path.exists():
            cv2.imwrite(str(path), clip[index], [cv2.IMWRITE_JPEG_QUALITY, 98])
    height, width = clip[0].shape[:2]
    (folder / "groundtruth.txt").write_text(
        "".join(",".join(f"{value:.4f}" for value in box) + "\n" for box in clip.boxes)
    )
    (folder / "sequence").write_text(
        f"channels.color=color/%08d.jpg\nformat=default\nfps=30\nname={clip.name}\nwidth={width}\nheight={height}\n"
    )
    (folder / "anchor.value").write_text("".join(f"{a}\n" for a in anchors(len(clip))))


def anchors(count: int) -> list[int]:
    """Return a number for each frame: 1 a run starts forward, -1 backward, 0 no run starts."""
    values = [0] * count
    for start in range(0, count, ANCHOR_EVERY):
        values[start] = 1 if count - start > start else -1
    values[-1] = -1
    return values


def write_trackers(
    workspace: Path, names: Sequence[str], networks_dir: str | None, engine: str
) -> list[str]:
    """Write trackers.ini with one entry a network; returns their labels."""
    entries, labels = [], []
    root = Path(__file__).resolve().parent.parent
    for name in names:
        network = load_network(name)
        network.locate(networks_dir)
        command = [
            sys.executable,
            "-m",
            "runtime.vot",
            "--engine",
            engine,
            "--network",
            str(Path(network.path).resolve()),
        ]
        if networks_dir:
            command += ["--networks-dir", str(Path(networks_dir).resolve())]
        label = "".join(c if c.isalnum() else "_" for c in network.name)
        labels.append(label)
        entries.append(
            f"[{label}]\nlabel = {network.name}\nprotocol = trax\ncommand = "
            f"{shlex.join(command)}\nenv_PYTHONPATH = {root}\n"
        )
    (workspace / "trackers.ini").write_text("\n".join(entries))
    return labels


# -- the toolkit


def toolkit(arguments: Sequence[str]) -> Any:
    """Run one command of the VOT toolkit.

    Raises:
        Missing: it is not installed.
        BadRun: it failed.
    """
    if importlib.util.find_spec("vot") is None:
        raise Missing("the VOT toolkit is not installed; run `make setup ALSO=vot`")
    environment = dict(os.environ, VOT_RESULTS_BINARY="false", VOT_DEBUG_MODE="false")
    done = subprocess.run(
        [sys.executable, "-m", "vot", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        last = [line for line in done.stdout.splitlines() if line.strip()][-1:] or ["no output"]
        raise BadRun(f"vot {arguments[0]} failed: {last[0]}; its logs are in the workspace's logs/")


main = command.main("calib.vot", run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
