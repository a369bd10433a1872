"""The detector of a run: its options, and the finder of targets that they ask for.

With ``--class`` a detector finds targets by itself. With ``--mavlink`` it also finds the object at
a point that a ground station sends, and needs no class for that.
"""

import argparse
from typing import Any, Optional

from runtime.detect import Detector, load_detector
from runtime.errors import BadNetwork
from runtime.targets.finding import TargetFinder


def open_detector(options: argparse.Namespace) -> Optional[Detector]:
    """Load the detector of ``--detector``; None without one.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine: see ``runtime.detect.load_detector``.
        BadNetwork: an option that needs another one.
    """
    if not options.detector:
        for name in ("class", "all"):
            if getattr(options, "classes" if name == "class" else name):
                raise BadNetwork(f"--{name} needs a detector; give --detector NAME too")
        return None
    if not options.classes and (options.all or not options.mavlink):
        raise BadNetwork(
            f"--detector {options.detector} needs to know what to find; give --class too, such as "
            "--class person"
        )
    return load_detector(
        options.detector,
        classes=[n.strip() for n in options.classes.split(",")] if options.classes else None,
        networks_dir=options.networks_dir,
        threads=options.threads,
    )


def open_finder(
    options: argparse.Namespace, detector: Optional[Detector], targets: Any, live: bool
) -> Optional[TargetFinder]:
    """The finder of targets of a run; None without a detector, or where no class is named."""
    if detector is None or detector.any_class:
        return None
    return TargetFinder(
        targets, detector.detect, every=options.every, everything=options.all, background=live
    )
