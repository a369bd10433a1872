"""python -m calib.train.release: make the repository ship new weights, if they are better.

    python -m calib.train.release RUN/finish.pt --clips ../clips --gain ../clips2 --keep ../clips

The steps, in order:

    export       the ONNX files and the TOML of the candidate, in OUT
    int8         its table of ranges and its INT8 form, measured on --clips
    judge        the candidate and its INT8 form against the network that ships (calib.train.judge)
    install      copy both forms and the table of ranges into runtime/networks
    thresholds   below which certainty a target counts as lost (calib.loss_thresholds)
    figures      mean overlap on --clips, in README.md
    picture      docs/track.png, from the clip that `make track` downloads
    cycles       kernels/fpga/CYCLES.md, by compiling for every FPGA board and running the RTL

A candidate that is not better stops the command before anything is installed. --steps runs some
steps again, such as the last ones after a change by hand. Some take minutes; the FPGA's simulator
comes with `make fpga`.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np

from calib import command, evaluate, int8, loss_thresholds, table
from calib.command import say
from calib.errors import BadRun
from calib.fpga import trim
from calib.train import export, judge
from runtime import load_tracker
from runtime.networks import FOLDER
from runtime.video.draw import draw

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "kestrel"
INT8 = NAME + "-int8"
FORMS = (NAME, INT8)
STEPS = ("export", "int8", "judge", "install", "thresholds", "figures", "picture", "cycles")
CLIP = ".cache/carphone_pristine.mp4"
FACE = (64, 34, 48, 65)  # x, y, w, h in its first frame
SHOWN = (20, 60, 110)  # frames of the picture
ENLARGED, GAP = 2, 8  # times, pixels
SEARCH = r"(?m:^(?:unsure|doubt|look|found)_(?:below|above) = .*\n)"  # kept; not fitted here
SAME_CELL = 0.97  # share of pairs on which whole numbers should choose the cell of fp32


def main(arguments=None):
    """Run the command line; returns the exit code."""
    return command.run("calib.train.release", run, parser(), arguments, "stopped")


def parser():
    """The command line's options."""
    cli = command.parser("calib.train.release", __doc__)
    cli.add_argument("checkpoint", help="such as RUN/finish.pt")
    cli.add_argument(
        "--clips", nargs="+", required=True, metavar="DIR", help="annotated clips to measure on"
    )
    cli.add_argument(
        "--gain", nargs="+", default=[], metavar="DIR", help="clips that must get better"
    )
    cli.add_argument(
        "--keep", nargs="*", default=[], metavar="DIR", help="clips that must not get worse"
    )
    cli.add_argument(
        "--equal", action="store_true", help="the licence is freer: equal to what ships is enough"
    )
    cli.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS, metavar="STEP")
    cli.add_argument("--out", default="out/kestrel", metavar="DIR", help="where the work lies")
    cli.add_argument("--root", default=str(ROOT), metavar="DIR", help="the repository")
    return cli


def run(options):
    """Run the steps in their order; a failing one stops the command."""
    steps = {
        "export": run_export,
        "int8": run_int8,
        "judge": run_judge,
        "install": run_install,
        "thresholds": run_thresholds,
        "figures": run_figures,
        "picture": run_picture,
        "cycles": run_cycles,
    }
    if "judge" in options.steps and not options.gain:
        raise BadRun("no clips to judge by; name clips that were not looked at with --gain")
    for name in STEPS:
        if name in options.steps:
            say("-- " + name)
            steps[name](options)


def passed(name, code):
    """Stop if a command that this one calls has failed."""
    if code:
        raise BadRun("{} failed, see above; nothing after it was done".format(name))


def work(options, *parts):
    """A path in the folder of the work."""
    return pathlib.Path(options.out, *parts)


def networks(options):
    """The folder of the networks that ship."""
    return pathlib.Path(options.root) / FOLDER.relative_to(ROOT)


def run_export(options):
    """Write ONNX and TOML of the checkpoint."""
    say(json.dumps(export.export(options.checkpoint, work(options))))


def run_int8(options):
    """Measure the ranges and write the INT8 form."""
    toml = str(work(options, NAME + ".toml"))
    folder = str(work(options, "int8"))
    passed("calib.int8", int8.main(["--network", toml, "--clips", *options.clips, "--out", folder]))
    forms = json.loads(work(options, "int8", INT8 + ".json").read_text())["forms"]
    for form, figures in forms.items():
        if form != "fp32" and figures["same_cell"] < SAME_CELL:
            say(
                "{} chooses the cell of fp32 in {:.1%}, below {:.0%}".format(
                    form, figures["same_cell"], SAME_CELL
                )
            )


def run_judge(options):
    """Hold the candidate and its INT8 form to the rule."""
    candidates = [work(options, NAME + ".toml"), work(options, "int8", INT8 + ".toml")]
    shipped = str(networks(options) / (NAME + ".toml"))
    arguments = [*map(str, candidates), "--against", shipped, "--gain", *options.gain]
    if options.keep:
        arguments += ["--keep", *options.keep]
    if options.equal:
        arguments.append("--equal")
    if judge.main(arguments):
        raise BadRun("the candidate is not better than what ships; nothing was installed")


def run_install(options):
    """Copy both forms of the network, and the table of ranges without what nobody reads there."""
    ranges, shipped = work(options, "int8", NAME + "-ranges.json"), NAME + ".toml"
    search = re.findall(SEARCH, (networks(options) / shipped).read_text())
    names = [name + end for name in FORMS for end in ("_exemplar.onnx", "_search.onnx", ".toml")]
    paths = [work(options, "int8" if name.startswith(INT8) else "", name) for name in names]
    for path in [*paths, ranges]:
        if not path.is_file():
            raise BadRun("{} is not there; run the steps export and int8 first".format(path))
    (networks(options) / "int8").mkdir(exist_ok=True)
    for path in paths:
        to = networks(options) / path.relative_to(work(options))
        shutil.copyfile(str(path), str(to))
        if to.suffix == ".toml":
            replace(to, r"(?m)^(lost_below = .*\n)(?:{})*".format(SEARCH), "".join(search))
    text = trim.text(trim.trimmed(table.read(ranges)))
    (networks(options) / ranges.name).write_text(text)


def run_thresholds(options):
    """Fit the certainty below which a target counts as lost, and write it into the TOMLs."""
    toml, report = networks(options) / (NAME + ".toml"), work(options, "thresholds.json")
    report.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["--networks", str(toml), "--clips", *options.clips, "--knowing"]
    passed("calib.loss_thresholds", loss_thresholds.main([*arguments, "--json", str(report)]))
    below = json.loads(report.read_text())[0]["knowing"]["lost_below"]
    for path in (toml, networks(options) / "int8" / (INT8 + ".toml")):
        replace(path, r"(?m)^(lost_below = )[0-9.]+", "{:.2f}".format(below))


def run_figures(options):
    """Measure mean overlap and write it into README.md."""
    toml, folder = networks(options) / (NAME + ".toml"), work(options, "evaluation")
    arguments = ["--networks", str(toml), "--clips", *options.clips, "--out", str(folder)]
    passed("calib.evaluate", evaluate.main(arguments))
    (entry,) = json.loads((folder / "evaluation.json").read_text())["trackers"].values()
    overlap = "{:.3f}".format(entry["mean"]["ao"]).lstrip("0")
    readme = pathlib.Path(options.root) / "README.md"
    replace(readme, r"(\| `{}` \(default\) \| points \| )[0-9.]+".format(NAME), overlap)


def replace(path, pattern, value):
    """Write ``value`` behind what the pattern's group matches, at the one place where it does."""
    text, count = re.subn(pattern, lambda found: found.group(1) + value, path.read_text())
    if count != 1:
        raise BadRun("{} has {} places that match {}; correct it".format(path, count, pattern))
    path.write_text(text)


def run_picture(options):
    """Draw the picture of README.md: three frames of the clip, followed with the new weights."""
    root = pathlib.Path(options.root)
    clip = root / CLIP
    if not clip.is_file():
        raise BadRun("{} is not there; `make track` downloads it".format(CLIP))
    tracker = load_tracker(network=str(networks(options) / (NAME + ".toml")))
    cv2.imwrite(str(root / "docs" / "track.png"), picture(tracker, clip))
    tracker.close()


def picture(tracker, clip):
    """Frames of a clip beside one another, enlarged, with the box that the tracker found."""
    capture, parts, index = cv2.VideoCapture(str(clip)), [], 0
    good, frame = capture.read()
    while good and index <= max(SHOWN):
        if index == 0:
            tracker.init(frame, FACE)
        else:
            track = tracker.update(frame)
            if index in SHOWN:
                parts.append(drawn(frame, track, index))
        good, frame = capture.read()
        index += 1
    capture.release()
    if len(parts) < len(SHOWN):
        raise BadRun("{} has fewer than {} frames".format(clip, max(SHOWN) + 1))
    gap = np.full((parts[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([part for shown in parts for part in (gap, shown)][1:])


def drawn(frame, track, index):
    """One enlarged frame with its box; without times, which depend on the computer."""
    shown = draw(frame, track, {"network": NAME, "frame": index})
    return cv2.resize(shown, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)


def run_cycles(options):
    """Compile for every FPGA board, measure the cycles in the RTL and write CYCLES.md."""
    done = subprocess.run([sys.executable, "-m", "calib.fpga.cycles"], cwd=options.root)
    passed("calib.fpga.cycles", done.returncode)


if __name__ == "__main__":
    raise SystemExit(main())
