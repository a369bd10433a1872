"""The options of ``python -m hotpath_research.train``."""

import argparse
from typing import Any

from hotpath.base.cli import count
from hotpath.calib import command_line
from hotpath_research.train.backbones import PREFIX, RELU6
from hotpath_research.train.curves import Plot
from hotpath_research.train.layers import BACKBONES
from hotpath_research.train.optimiser import PARTS
from hotpath_research.train.stages import NAMES
from hotpath_research.train.training_pictures import FRAMES

DESCRIPTION = """\
Train kestrel from pictures, videos and a teacher.

Stage features trains the backbone, which begins as a part of the teacher. Stage head trains the
head. A training that was killed goes on from its last checkpoint with the same command and --out.
docs/training.md explains both. Options with STAGE=VALUE take a value for each stage that is to
differ from the default.
"""

PAIRS = {"features": 3e5, "head": 4e5}
BATCH = 32
RATES = {"features": 5e-3, "head": 3e-3}


class PerStage(argparse.Action):
    """Takes NAME=VALUE..., and leaves a dict; ``const`` has the names."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        numbers = dict(getattr(namespace, self.dest))
        for text in values:
            name, _, value = text.partition("=")
            try:
                number = float(value)
            except ValueError:
                number = None
            choices: Any = tuple(self.const)
            if name not in choices or number is None:
                message = f"{text!r} is not NAME=NUMBER; the names are {', '.join(choices)}"
                raise argparse.ArgumentError(self, message)
            numbers[name] = number
        setattr(namespace, self.dest, numbers)


def shape(text: str) -> str:
    """A ``--shape``."""
    if text in BACKBONES or text.startswith(PREFIX):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(BACKBONES)}, {PREFIX}NAME")


def add_shape(add: Any, default: str | None) -> None:
    """Add ``--shape`` and ``--head`` by the function ``add``."""
    add(
        "--shape",
        default=default,
        type=shape,
        metavar="|".join(BACKBONES) + f"|timm:NAME[{RELU6}]",
        help="layers of the backbone: ours, or those of a model of timm, which :relu6 gives ReLU6 "
        "instead of ReLU (default: %(default)s)",
    )
    add(
        "--head",
        nargs=3,
        type=int,
        default=[96, 64, 3],
        metavar=("WIDTH", "TOWER", "DEPTH"),
        help="channels of the head, channels of its two towers, 3x3 convolutions before them "
        "(default: 96 64 3)",
    )


def parser() -> argparse.ArgumentParser:
    """The command line's options."""
    cli = command_line.parser("hotpath_research.train", DESCRIPTION)
    text = "draw the curves of one or several runs into curves.png of the first, and end"
    cli.add_argument("--plot", action=Plot, nargs="+", metavar="RUN", help=text)
    add = cli.add_argument_group("pictures").add_argument
    add("--images", nargs="+", required=True, metavar="DIR", help="folders of still pictures")
    add(
        "--clips",
        nargs="*",
        default=[],
        metavar="PATH",
        help="folders of annotated clips as of `hotpath evaluate`, SET=DIR with a SET of its "
        "--benchmark, folders of videos, or videos",
    )
    add(
        "--frames",
        type=count,
        default=FRAMES,
        metavar="N",
        help="pictures of a clip or video, evenly spread; about 0.4 MB each (default: %(default)s)",
    )
    add(
        "--learn-boxes",
        action="store_true",
        help="learn the boxes of annotated --clips in half of the pairs of stage head, on from "
        "--start (default: kestrel); write a network only if whole tracks on other clips gain",
    )
    text = "clips that only judge what --learn-boxes gained (default: every second film)"
    add("--held-out", metavar="NAME,NAME", help=text)
    text = "learn also boxes of --learn-boxes that --start misses nearly whole: mostly wrong labels"
    add("--keep-outliers", action="store_true", help=text)
    add(
        "--licences",
        nargs="*",
        default=[],
        metavar="CLASS",
        help="use only pictures of these licence classes, see sources.csv (default: all)",
    )
    add(
        "--validation",
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders of annotated clips, never trained on; each weighs the same",
    )
    add("--held", type=int, default=256, metavar="N", help="held-out pairs to judge by")
    add("--seed", type=int, default=0, help="of everything that is drawn by chance")

    add = cli.add_argument_group("network and stages").add_argument
    text = "folder of this run; name it to go on (default: a new one, out/train/SHAPE-DATE-TIME)"
    add("--out", metavar="DIR", help=text)
    add("--teacher", default="lightfc", metavar="NETWORK", help="network to learn from")
    add("--networks-dir", metavar="DIR", help="folder with the teacher's files")
    add_shape(add, "nine")
    add(
        "--pretrained",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="begin a model of timm with timm's weights, which are fetched (default: yes)",
    )
    add(
        "--start",
        metavar="FILE|NETWORK",
        help="checkpoint that the first stage starts from, instead of the teacher's blocks or of "
        "the stage before it; or a network that ships, such as kestrel, or its TOML",
    )
    add("--stages", nargs="+", default=NAMES, choices=NAMES, help="stages to run (default: both)")

    add = cli.add_argument_group("schedule").add_argument
    parts = {**PARTS, "features": ""}  # head is a stage, too
    for name, defaults, choices, text in (
        ("--pairs", PAIRS, NAMES, "pairs of a stage"),
        (
            "--lr",
            RATES,
            parts,
            "highest learning rate of a stage, or of a part: " + ", ".join(PARTS),
        ),
        ("--freeze", {}, PARTS, "pairs until which a part stays as it is, such as backbone=2e4"),
    ):
        add(
            name,
            nargs="+",
            action=PerStage,
            const=choices,
            default=defaults,
            metavar="NAME=VALUE",
            help=text,
        )
    add("--batch", type=int, default=BATCH, help="pairs a step; twice as many in stage head")
    text = "batches of a step, for small GPUs"
    add("--accumulate", type=count, default=1, metavar="N", help=text)
    text = "sweep the learning rate of the first stage, write lr.csv and lr.png into OUT, and end"
    add("--find-lr", action="store_true", help=text)
    add("--judgements", type=int, default=8, metavar="N", help="validations during a stage")
    add("--checkpoint-seconds", type=float, default=120, metavar="S", help="between checkpoints")

    add = cli.add_argument_group("machine").add_argument
    add("--cache", metavar="DIR", help="folder of decoded pictures and drawn pairs (OUT/cache)")
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--compile", action="store_true", help="compile the network by torch.compile")
    add("--threads", type=int, default=1, help="threads of PyTorch on a CPU")
    add("--processes", type=count, default=1, help="processes that draw pairs")
    add("--ring", type=int, default=12288, metavar="N", help="pairs kept; 0.3 MB each")
    add(
        "--reuse",
        type=float,
        default=3.0,
        metavar="N",
        help="draw new pairs only as fast as each is used N times on average",
    )
    return cli
