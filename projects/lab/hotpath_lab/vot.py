"""hotpath vot: let the official VOT toolkit run a tracker of Hotpath, through TraX.

The toolkit starts this command by ``trackers.ini`` of a workspace (docs/calib.md), sends
paths of pictures and reads regions. The package ``vot-trax`` is needed.
"""

import argparse
import functools
import importlib
import os
import sys
from types import ModuleType
from typing import Any, Optional, Sequence

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")

import cv2

from hotpath.base.cli import Parser
from hotpath.base.common_options import add_engine, add_networks_dir
from hotpath.base.exit_codes import exit_code
from hotpath.base.messages import missing_package_text
from hotpath.runtime import DEFAULT_NETWORK, engines, loading
from hotpath.runtime.errors import BadFrame, BadSource, NoEngine
from hotpath.runtime.options import Options
from hotpath.runtime.tracker.tracker import Tracker
from hotpath.runtime.types import Track
from hotpath.video.folder import read_picture


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line; returns the exit code."""
    options = parser().parse_args(arguments)
    return exit_code("hotpath vot", lambda: serve(options))


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    cli = Parser(prog="hotpath vot", description=__doc__)
    text = "the network (default: %(default)s)"
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME|FILE.toml", help=text)
    add_networks_dir(cli)
    add_engine(cli, engines.choices(of_files=True))
    text = "threads that run the network (default: %(default)s)"
    cli.add_argument("--threads", type=int, default=engines.THREADS, metavar="N", help=text)
    return cli


def serve(options: argparse.Namespace) -> None:
    """Answer the toolkit until it quits.

    Raises:
        HotpathError: the network, a picture that the toolkit names, or a person who types.
    """
    try:
        trax: ModuleType = importlib.import_module("trax")
    except ImportError as error:
        raise NoEngine(missing_package_text("the VOT toolkit", "trax", error, "vot")) from None
    if sys.stdin and sys.stdin.isatty() and "TRAX_SOCKET" not in os.environ:
        raise BadSource(
            "the VOT toolkit runs this command; name it in the trackers.ini of a workspace, as "
            "docs/calib.md shows",
            what="no toolkit",
        )
    cv2.setNumThreads(1)
    log = functools.partial(print, file=sys.stderr)
    choice = Options(options.network, options.engine, threads=options.threads, log=log)
    tracker = loading.open_tracker(choice._replace(networks_dir=options.networks_dir))
    kinds = [trax.Region.RECTANGLE], [trax.Image.PATH], ["color"]
    with trax.Server(*kinds, tracker.name, "", "", metadata={"vot": "python"}) as server:
        while True:
            try:
                request = server.wait()
            except trax.TraxException:
                raise BadSource("the VOT toolkit went away in the middle; see its logs") from None
            if request.type == trax.TraxStatus.QUIT:
                return
            if request.type not in (trax.TraxStatus.INITIALIZE, trax.TraxStatus.FRAME):
                raise BadSource(f"the VOT toolkit ended the conversation: {request}")
            track = _answer(trax, tracker, request)
            region = trax.Rectangle.create(*track.box)
            server.status([(region, {"confidence": track.score})])


def _answer(trax: ModuleType, tracker: Tracker, request: Any) -> Track:
    """The track of one request; the first request gives the target."""
    frame = read_picture(str(request.image["color"].path()))
    if request.type == trax.TraxStatus.FRAME:
        return tracker.update(frame)
    if len(request.objects) != 1:
        raise BadFrame(
            f"the VOT toolkit asks for {len(request.objects)} targets; this tracker follows one"
        )
    region, _ = request.objects[0]
    return tracker.init(frame, [float(value) for value in region.bounds()])


if __name__ == "__main__":
    sys.exit(main())
