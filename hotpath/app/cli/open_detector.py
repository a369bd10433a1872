"""Open the detector of a run by its options."""

from typing import TYPE_CHECKING

from hotpath.app.option_records import TargetOptions
from hotpath.runtime import engines
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.options import Options
from hotpath.runtime.targets.finding import TargetFinder

if TYPE_CHECKING:
    from hotpath.app.detect import Detector
    from hotpath.runtime.targets.targets import Targets


def check_detector(options: TargetOptions) -> None:
    """Refuse an option that needs another one, before anything is opened.

    Raises:
        BadNetwork: with the option that is missing.
    """
    if not options.detector:
        for name in ("class", "all"):
            if getattr(options, "classes" if name == "class" else name):
                raise BadNetwork(f"--{name} needs a detector; give --detector NAME too")
    elif not options.classes:
        raise BadNetwork(
            f"--detector {options.detector} needs to know what to find; give --class too, such as "
            "--class person"
        )


def open_detector(options: TargetOptions, network: Options) -> "Detector":
    """Load the detector of ``--detector``.

    Raises:
        UnknownNetwork, BadNetwork, NoEngine: see ``hotpath.app.detect.load_detector``.
    """
    from hotpath.app.detect import load_detector

    return load_detector(
        options.detector or "",
        classes=[name.strip() for name in (options.classes or "").split(",")],
        networks_dir=network.networks_dir,
        threads=network.threads or engines.THREADS,
    )


def open_finder(
    options: TargetOptions, detector: "Detector", targets: "Targets", live: bool
) -> TargetFinder:
    """The finder of targets of a run."""
    return TargetFinder(
        targets, detector.detect, every=options.every, everything=options.all, background=live
    )
