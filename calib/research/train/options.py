"""The options of ``python -m calib.research.train``."""

import argparse
from collections.abc import Callable
from typing import Any

from calib import command
from calib.research.train.layers import BACKBONES
from calib.research.train.stages import NAMES

DESCRIPTION = """\
Train kestrel from pictures, clips and a teacher.

A training that was killed goes on from its last checkpoint with the same command. README.md beside
this file explains the stages: backbone, head, tune, joint and finish. Options with
STAGE=VALUE take a value for each stage that is to differ from the default.
"""

PAIRS = {"backbone": 1e6, "head": 2e5, "tune": 1.5e5, "joint": 1e5, "finish": 2e4}
RATES = {"backbone": 1.2e-2, "head": 3e-3, "tune": 2e-3, "joint": 1e-3, "finish": 3e-4}
NOTHING = dict.fromkeys(NAMES, 0.0)


class PerStage(argparse.Action):
    """Takes STAGE=VALUE..., and leaves a dict of all stages."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        found = dict(getattr(namespace, self.dest))
        for text in values:
            name, _, value = text.partition("=")
            try:
                number = float(value)
            except ValueError:
                number = None
            if name not in NAMES or number is None:
                told = f"{text!r} is not STAGE=NUMBER; the stages are {', '.join(NAMES)}"
                raise argparse.ArgumentError(self, told)
            found[name] = number
        setattr(namespace, self.dest, found)


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command.parser("calib.research.train", DESCRIPTION)
    _add_data(cli.add_argument_group("pictures").add_argument)
    _add_network(cli.add_argument_group("network and stages").add_argument)
    _add_schedule(cli.add_argument_group("schedule").add_argument)
    _add_machine(cli.add_argument_group("machine").add_argument)
    return cli


def _add_data(add: Callable[..., Any]) -> None:
    add("--images", nargs="+", required=True, metavar="DIR", help="folders of still pictures")
    add(
        "--clips",
        nargs="*",
        default=[],
        metavar="PATH",
        help="folders of clip folders with boxes.csv, folders of videos, or videos",
    )
    add(
        "--licences",
        nargs="*",
        default=[],
        metavar="CLASS",
        help="use only pictures of these licence classes, see sources.toml (default: all)",
    )
    add(
        "--validation",
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders of annotated clips, never trained on; each weighs the same",
    )
    add("--held", type=int, default=512, metavar="N", help="held-out pairs to judge by")
    add("--seed", type=int, default=0, help="of everything that is drawn by chance")


def _add_network(add: Callable[..., Any]) -> None:
    add("--out", required=True, metavar="DIR", help="folder of this run")
    add("--teacher", default="nanotrack_v2", metavar="NETWORK", help="network to learn from")
    add(
        "--maps-teacher",
        nargs="+",
        default=[],
        metavar="NETWORK",
        help="networks whose maps the head learns from (default: --teacher)",
    )
    add("--networks-dir", metavar="DIR", help="folder with the teachers' files")
    add(
        "--shape",
        default="k80",
        choices=tuple(BACKBONES),
        help="layers of the backbone (default: k80)",
    )
    add(
        "--head",
        nargs=3,
        type=int,
        default=[48, 32, 3],
        metavar=("WIDTH", "TOWER", "DEPTH"),
        help="channels of the head, channels of its two towers, 3x3 convolutions before them "
        "(default: 48 32 3)",
    )
    add(
        "--start",
        metavar="FILE",
        help="checkpoint, or TOML of an export, that the first stage starts from, instead of the "
        "stage before it",
    )
    add(
        "--stages",
        nargs="+",
        choices=NAMES,
        help="stages to run (default: all)",
    )


def _add_schedule(add: Callable[..., Any]) -> None:
    def each(name: str, defaults: dict[str, float], text: str) -> None:
        add(name, nargs="+", action=PerStage, default=defaults, metavar="STAGE=VALUE", help=text)

    each("--pairs", PAIRS, "pairs of a stage")
    each("--lr", RATES, "highest learning rate of a stage")
    each(
        "--decay",
        NOTHING,
        "last share of a stage, in which the learning rate falls; 0: it falls along a cosine",
    )
    add("--batch", type=int, default=32, help="pairs a step")
    add("--judgements", type=int, default=8, metavar="N", help="validations during a stage")
    add(
        "--checkpoint-seconds",
        type=float,
        default=120,
        metavar="S",
        help="time between two checkpoints",
    )


def _add_machine(add: Callable[..., Any]) -> None:
    add("--cache", metavar="DIR", help="folder of decoded pictures and drawn pairs (OUT/cache)")
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--threads", type=int, default=1, help="threads of PyTorch on a CPU")
    add(
        "--processes",
        type=int,
        default=1,
        help="processes that draw pairs; 0: another run fills the cache",
    )
    add("--ring", type=int, default=12288, metavar="N", help="pairs kept; 0.3 MB each")
    add(
        "--reuse",
        type=float,
        default=1.0,
        metavar="N",
        help="draw new pairs only as fast as each is used N times on average",
    )
