"""python -m hotpath_research.point_prompt: train the head that finds the object at a point.

``prepare`` makes crops of pictures once. ``train`` computes a network's features of them and trains
its head, in a few minutes of a processor; a network with other weights needs it again.
"""

import argparse
from pathlib import Path

import cv2

from hotpath.calib import command
from hotpath.runtime.networks import DEFAULT_NETWORK, load_network
from hotpath_research.point_prompt import data
from hotpath_research.train.sources import CLASSES, Sources

NAME = "hotpath_research.point_prompt"


def parser() -> argparse.ArgumentParser:
    cli = command.parser(NAME, __doc__)
    ways = cli.add_subparsers(dest="way", required=True, metavar="prepare|train")
    prepare = ways.add_parser("prepare", help="make crops of pictures")
    prepare.add_argument("--images", nargs="+", default=[], type=Path, metavar="DIR")
    prepare.add_argument("--clips", nargs="+", default=[], type=Path, metavar="DIR")
    prepare.add_argument("--coco", nargs="+", default=[], type=Path, metavar="JSON")
    prepare.add_argument("--detector", help="gives boxes to pictures without; default: none")
    prepare.add_argument("--licences", nargs="+", default=["A"], choices=CLASSES)
    prepare.add_argument("--examples", type=int, default=80000)
    prepare.add_argument("--seed", type=int, default=1)
    train = ways.add_parser("train", help="train the head of a network")
    train.add_argument("--data", required=True, type=Path, help="folder that prepare wrote")
    train.add_argument("--steps", type=int, default=3500)
    train.add_argument("--batch", type=int, default=64)
    train.add_argument("--seed", type=int, default=0)
    text = "put the head beside the network, and name it in its TOML"
    train.add_argument("--write", action="store_true", help=text)
    for way in (prepare, train):
        way.add_argument("--network", default=DEFAULT_NETWORK)
        way.add_argument("--out", required=True, help="folder that is written")
        command.add_network_options(way, engine=False)
    return cli


def run(options: argparse.Namespace) -> int:
    """Run one of the two commands; returns the exit code."""
    cv2.setNumThreads(1)
    network = load_network(options.network)
    if options.way == "prepare":
        detect = None
        if options.detector:
            from hotpath.app.detect import load_detector

            detector = load_detector(options.detector, networks_dir=options.networks_dir)
            detect = detector.detect
        return data.prepare(options, network, Sources(options.licences), detect)
    from hotpath_research.point_prompt.training import train  # needs PyTorch

    return train(options, network)


main = command.main(NAME, run, parser)

if __name__ == "__main__":
    raise SystemExit(main())
