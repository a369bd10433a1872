"""hotpath int8: quantise a network to INT8 on a computer, with ranges from clips.

    hotpath int8 --network nanotrack_v2 --networks-dir DIR --clips DIR --out out/int8

The command measures ranges on the crops that the tracker sees. It takes the method that loses the
least one-step overlap. If too much is lost, it keeps sensitive layers in 16 bit. It writes into
OUT:

    NAME-int8.toml, _exemplar.onnx, _search.onnx   Q/DQ for ONNX Runtime and OpenVINO (--network)
    NAME-int8-symmetric.toml …                     Q/DQ in TensorRT's form
    NAME-ranges.json                               the table of ranges, the source of the others
    NAME-int8.json                                 the report: overlap, size, noise of each layer

The last figures come from the held-out clips, which influence neither ranges nor choices.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotpath.base.cache import write_text
from hotpath.base.messages import counted
from hotpath.calib import command_line
from hotpath.calib.command_line import find_chosen_clips, say
from hotpath.calib.errors import BadRun
from hotpath.graphs import table
from hotpath.runtime.networks import load_network

if TYPE_CHECKING:
    from hotpath.calib.calibration import (
        NetworkCalibration,  # ONNX Runtime, which --help does not need
    )

Table = dict[str, Any]  # of ranges or of their report
RAN_OUT = "{:.4f} is lost at best, with {} in 16 bit; --budget {:g} allows no better"


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath int8", __doc__)
    text = "the network to quantise"
    cli.add_argument("--network", required=True, metavar="NAME|FILE.toml", help=text)
    command_line.add_network_options(cli, engine=False)
    command_line.add_clip_options(cli, required=False)
    cli.add_argument(
        "--held-out",
        metavar="NAME,NAME",
        help="clips that only the last figures use (default: every second clip)",
    )
    cli.add_argument("--exemplars", type=int, default=4, metavar="N", help="exemplar crops a clip")
    cli.add_argument("--searches", type=int, default=12, metavar="N", help="search crops a clip")
    cli.add_argument(
        "--tolerance",
        type=float,
        default=0.018,
        metavar="X",
        help="loss of overlap above which layers are kept in 16 bit (default: %(default)s)",
    )
    cli.add_argument(
        "--budget",
        type=float,
        default=0.25,
        metavar="SHARE",
        help="share of the multiply-accumulates that may stay in 16 bit (default: %(default)s)",
    )
    text = "folder to write to (default: %(default)s)"
    cli.add_argument("--out", default="out/int8", metavar="DIR", help=text)
    return cli


def run(options: argparse.Namespace) -> Table:
    """Calibrate one network and return the report."""
    from hotpath.calib.calibration import NetworkCalibration

    network = load_network(options.network)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if not options.clips:
        raise BadRun("no clips to measure on; name a folder of annotated clips with --clips DIR")
    clips = find_chosen_clips(options.clips, options.only)
    measured, held = command_line.split_clips(clips, options.held_out)
    counts = (options.exemplars, options.searches)
    work = NetworkCalibration(network, options.networks_dir, measured, held, counts)
    ranges, summary = calibrate(work, options)
    measures, figures = out / (network.name + "-ranges.json"), out / (network.name + "-int8.json")
    table.write(ranges, measures)
    written = write_targets(work, ranges, out)
    report = dict(summary, **work.final(written, ranges))
    write_text(figures, json.dumps(report, indent=1))
    say(text(report))
    command_line.say_written(*files_of(written), measures, figures)
    return report


def calibrate(work: "NetworkCalibration", options: argparse.Namespace) -> tuple[Table, Table]:
    """Measure the ranges, then choose the method and the layers to keep by one-step overlap.

    Returns:
        (table, dict of what was tried).
    """
    from hotpath.calib.ranges import METHODS

    say(f"{work.network.name}: crops and ranges on {counted(len(work.clips), 'clip')}")
    ranges = work.table()
    tried = {}
    for method in METHODS:
        tried[method] = work.try_out(ranges, method, ())
        say(f"{method:<12} loses {tried[method]:.4f} of one-step overlap")
    method = min(tried, key=tried.__getitem__)
    work.choose(ranges, method)

    say("looking for the layers that lose most")
    noises = work.noises(ranges)
    # keep more and more layers until the loss is small enough
    steps: list[Table] = []
    keep: list[str] = []
    if tried[method] > options.tolerance:
        keep, steps = search_layers(work, ranges, noises, tried[method], options)
    ranges["keep"] = keep
    trials = {"methods": tried, "tolerance": options.tolerance, "search": steps}
    return ranges, dict(trials, noise=noises)


def search_layers(
    work: "NetworkCalibration",
    ranges: Table,
    noises: dict[str, float],
    loss_of_none: float,
    options: argparse.Namespace,
) -> tuple[list[str], list[Table]]:
    """Return (layers to keep, list of dicts: the loss with each number of them).

    ``loss_of_none`` is the loss where no layer is kept.
    """
    method = ranges["method"]
    best: tuple[list[str], float] = [], loss_of_none
    steps = []
    for keep in work.keep_sets(noises, options.budget):
        loss = work.try_out(ranges, method, keep)
        steps.append({"kept": len(keep), "added": keep[-1], "loss": loss})
        say(f"{len(keep):>3} layers in 16 bit: {loss:.4f}")
        if loss < best[1]:
            best = (keep, loss)
        if loss <= options.tolerance:
            return keep, steps
    say(RAN_OUT.format(best[1], counted(len(best[0]), "layer"), options.budget))
    return best[0], steps


def write_targets(work: "NetworkCalibration", ranges: Table, out: Path) -> dict[str, Path]:
    """Write every form; dict of form -> its TOML."""
    from hotpath.calib import qdq

    name = work.network.name
    written = {}
    for form in qdq.FORMS:
        suffix = "-int8" if form == "cpu" else "-int8-symmetric"
        note = "{} in INT8 ({}), made by hotpath int8 from {}-ranges.json.\nIn 16 bit: {}.".format(
            name, form, name, ", ".join(ranges["keep"]) or "nothing"
        )
        models = work.models(ranges, None, ranges["keep"], form)
        written[form] = qdq.write(work.network, models, out, name + suffix, note, ranges["files"])
    return written


def files_of(written: dict[str, Path]) -> list[Path]:
    """Every file that ``write_targets`` wrote: each TOML with its models."""
    files = []
    for path in written.values():
        form = load_network(path)
        files += [path, *form.locate().values()]
        files += [form.locate_made(made) for made in (form.negatives, form.point_prompt) if made]
    return list(dict.fromkeys(files))


def text(report: Table) -> str:
    """Return the report as a few lines for the terminal."""
    lines = [
        f"{report['network']}: {report['method']}, {counted(len(report['keep']), 'layer')} in 16 "
        f"bit ({report['kept_share']:.1%} of all), {counted(report['pairs'], 'pair')} of "
        f"{counted(len(report['held_out']), 'held-out clip')}",
        "{:<32}{:>18}{:>18}{:>11}{:>7}".format("", "overlap", "loss", "same cell", "MB"),
    ]
    for name, form in report["forms"].items():
        figures = _figure(form["overlap"], form["overlap_error"], "{:.4f}")
        figures += _figure(form["loss"], form["loss_error"], "{:+.4f}")
        lines.append(f"{name:<32}{figures}{form['same_cell']:11.3f}{form['bytes'] / 1e6:7.2f}")
    small = [name for name, form in report["forms"].items() if name != "fp32" and _is_small(form)]
    if small:
        lines.append(f"within two standard errors of fp32 (over clips): {', '.join(small)}")
    return "\n".join(lines)


def _figure(value: float, error: float | None, form: str) -> str:
    """A figure and its standard error, in 18 columns; one held-out clip gives no error."""
    return (form.format(value) + ("" if error is None else f" ± {error:.4f}")).rjust(18)


def _is_small(form: Table) -> bool:
    """Whether a form's loss may be none at all."""
    error = form["loss_error"]
    return error is not None and abs(form["loss"]) <= 2 * error


main = command_line.main("hotpath int8", run, parser, "stopped")

if __name__ == "__main__":
    raise SystemExit(main())
