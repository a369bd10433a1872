"""python -m calib.research.backbones: what a backbone costs, measured, before anybody trains it.

    python -m calib.research.backbones mobileone_s0 repvgg_a0 kestrel:k80 my_net.py:Small

A backbone is a model of timm, one of calib.research.train (kestrel:k80), or a class of your own.
It is cut at --stride, its branches and batch norms are folded into convolutions, and it is written
as ONNX. The command measures milliseconds in fp32 and INT8 on this computer's engines, all of them
in turns, and compiles for the FPGA boards. It writes into OUT:

    NAME.onnx, NAME-int8.onnx   the folded backbone
    NAME.json                   the row of the table: figures, times, layers, versions, the command
    table.md                    all rows, the fastest first

Times compare only within one run. Weights are random unless --pretrained: costs do not depend on
them.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from tqdm import tqdm

from calib import command
from calib.command import say
from calib.errors import BadRun
from calib.research.backbones import fabric, figures, kestrel, speed, table
from calib.research.train import foreign, record
from kernels.fpga import design

NAME = "calib.research.backbones"


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    cli = command.parser(NAME, __doc__)
    cli.add_argument("names", nargs="+", metavar="NAME|kestrel:SHAPE|FILE.py:CLASS")
    cli.add_argument("--stride", type=int, default=16, help="pixels a cell (default: 16)")
    cli.add_argument("--side", type=int, default=255, help="of the search region (default: 255)")
    cli.add_argument(
        "--exemplar", type=int, default=127, help="side of the exemplar (default: 127)"
    )
    cli.add_argument("--pretrained", action="store_true", help="take timm's published weights")
    cli.add_argument(
        "--engines", nargs="+", choices=sorted(speed.RUNNERS), help="default: all here"
    )
    cli.add_argument("--threads", type=int, default=1)
    cli.add_argument("--rounds", type=int, default=speed.ROUNDS)
    cli.add_argument(
        "--board",
        metavar="BOARD",
        choices=sorted(design.sizes()),
        help="compile for this FPGA board alone (default: for all)",
    )
    cli.add_argument("--out", default="out/backbones", metavar="DIR")
    return cli


def run(options: argparse.Namespace) -> int:
    """Make the rows, time them in turns, and write the table."""
    out = Path(options.out)
    boards = [options.board] if options.board else list(design.sizes())
    engines = speed.runners(options.engines)
    if len(set(options.names)) < len(options.names):
        raise BadRun("a backbone is named twice; name each once")
    out.mkdir(parents=True, exist_ok=True)
    rows, refused = [], []
    for name in tqdm(options.names, unit="backbone", disable=None):
        try:
            rows.append(make(name, options, out, boards))
        except BadRun as error:
            if len(options.names) == 1:
                raise
            refused.append(name)
            say(f"left out: {error}")
    if not rows:
        raise BadRun("no backbone is left")
    time_all(rows, engines, options, out)
    for each in rows:
        (out / (table.stem(each["name"]) + ".json")).write_text(json.dumps(each, indent=1))
    table.write(rows, out, rows[0]["measured"])
    print((out / "table.md").read_text())
    return 1 if refused else 0


def make(
    name: str, options: argparse.Namespace, out: Path, boards: Sequence[str]
) -> dict[str, Any]:
    """Load, fold, export, count and compile one backbone; returns its row."""
    stem = table.stem(name)
    module = kestrel.load(name, options.stride, pretrained=options.pretrained)
    foreign.settle(module, options.exemplar)
    backbone, differs = foreign.folded(module, options.exemplar)
    search = figures.write(backbone, out / (stem + ".onnx"), options.side)
    exemplar = figures.write(backbone, out / (stem + "-exemplar.onnx"), options.exemplar)
    onnx.save(speed.int8(search), str(out / (stem + "-int8.onnx")))
    return {
        "name": name,
        "fold_error": differs,
        "versions": record.versions(),
        "cycles": fabric.cycles(search, exemplar, boards),
        **figures.count(search)._asdict(),
    }


def time_all(
    rows: list[dict[str, Any]], engines: dict[str, Any], options: argparse.Namespace, out: Path
) -> None:
    """Time every backbone in fp32 and INT8 on every engine, in turns; then layer by layer."""
    calls, models = {}, {}
    for each in rows:
        for precision, end in (("fp32", ".onnx"), ("int8", "-int8.onnx")):
            model = onnx.load(out / (table.stem(each["name"]) + end))
            for engine, runner in engines.items():
                key = each["name"], engine, precision
                models[key] = model
                calls[key] = runner(model, options.threads).run
    say(f"timing {len(calls)} models in turns")
    times = speed.in_turns(calls, options.rounds)
    for each in rows:
        each["ms"], each["layers_ms"] = {}, {}
    for (name, engine, precision), found in times.items():
        each = next(r for r in rows if r["name"] == name)
        each["ms"].setdefault(engine, {})[precision] = {
            "median": statistics.median(found.warm),
            "p95": float(np.percentile(found.warm, 95)),
            "median_cold": statistics.median(found.cold),
        }
        layers = speed.by_layer(engines[engine], models[name, engine, precision], out)
        each["layers_ms"].setdefault(engine, {})[precision] = layers
    for each in rows:
        each["measured"] = speed.conditions(NAME, options.threads, options.rounds)


main = command.main(NAME, run, parser)

if __name__ == "__main__":
    sys.exit(main())
