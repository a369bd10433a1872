"""The options of ``python -m runtime.track``, in groups."""

import argparse
import os
from typing import Callable, List, Optional, Tuple

from runtime import DEFAULT_NETWORK, detect, engines, pace, precision
from runtime.video import hardware

DESCRIPTION = (
    "Follow one or several objects through a video, a camera or a network stream. "
    "Give the target as a box in the first frame (--box), draw it with the mouse (--show), or "
    "select it in a browser (--page) or in a ground station (--mavlink)."
)


def parse(arguments: List[str]) -> argparse.Namespace:
    """The options; argparse ends the program where they can't be understood."""
    return parser().parse_args(_joined_boxes(arguments))


def parser() -> argparse.ArgumentParser:
    """The command line's parser."""
    cli = argparse.ArgumentParser(prog="python -m runtime.track", description=DESCRIPTION)
    _add_source(cli.add_argument_group("what to track, and where"))
    _add_detector(cli.add_argument_group("detector"))
    _add_network(cli.add_argument_group("network and engine"))
    _add_outputs(cli.add_argument_group("results, video and window"))
    _add_page(cli.add_argument_group("page in the browser"))
    _add_vehicle(cli.add_argument_group("vehicle (MAVLink)"))
    _add_streams(cli.add_argument_group("picture and boxes to other programs"))
    lists = cli.add_argument_group("lists")
    lists.add_argument("--list-cameras", action="store_true", help="list the cameras, then end")
    lists.add_argument("--list-networks", action="store_true", help="list the networks, then end")
    return cli


def _add_source(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--video",
        metavar="SOURCE",
        help="cam0, /dev/video2, csi0, an address (rtsp://, http://, udp://), a video file, a "
        "folder of frames, or a VOT, OTB, GOT-10k or UAV123 sequence",
    )
    group.add_argument(
        "--box",
        metavar="X,Y,W,H",
        action="append",
        help="the target in the first frame, in 0-based pixels or in per cent of the frame "
        "(40%%,30%%,10%%,20%%); repeat it for several targets",
    )
    group.add_argument("--boxes", metavar="FILE", help="a file with one target X,Y,W,H a line")
    group.add_argument(
        "--fps",
        type=_rate,
        metavar="N",
        help="frames a second of a folder of frames, or of a video that states none",
    )
    group.add_argument(
        "--depth",
        type=between(9, 16),
        metavar="BITS",
        help="bits in use of 16-bit pictures, such as 12 (default: the range of their values)",
    )
    group.add_argument(
        "--decoder",
        choices=hardware.DECODERS,
        default=hardware.SOFTWARE,
        help="what decodes a video or a stream: the processor, or hardware that PyAV's FFmpeg "
        "reaches, with the processor where that does not work (default: %(default)s)",
    )
    group.add_argument("--frames", type=count, metavar="N", help="stop after N frames")


def _add_detector(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--detector",
        metavar="NAME|FILE.toml",
        help="find the target without a box, and the object at a point that a ground station "
        "sends; there are: {}".format(", ".join(detect.names())),
    )
    group.add_argument(
        "--class",
        dest="classes",
        metavar="NAME,NAME",
        help="what the detector finds, such as person; with --mavlink not needed",
    )
    group.add_argument(
        "--all", action="store_true", help="every object that the detector finds is a target"
    )
    group.add_argument(
        "--reid",
        metavar="NAME|FILE.toml",
        help="know lost targets again by a network, such as osnet_x0_25 for persons, instead of by "
        "their colours",
    )
    group.add_argument(
        "--every",
        type=count,
        default=10,
        metavar="N",
        help="frames from one look of the detector to the next (default: %(default)s)",
    )


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--network",
        metavar="NAME|FILE.toml",
        help=f"the network (default: the bundle's or the board's, else {DEFAULT_NETWORK})",
    )
    group.add_argument(
        "--networks-dir",
        default=os.environ.get("NETWORKS_DIR"),
        metavar="DIR",
        help="folder with the networks' files (default: the variable NETWORKS_DIR)",
    )
    group.add_argument(
        "--engine",
        default="auto",
        choices=engines.choices(),
        help="what runs the network (default: the best one that is installed)",
    )
    group.add_argument(
        "--precision",
        default=precision.AUTO,
        choices=precision.PRECISIONS,
        help="INT8 takes less time on processors that have instructions for it, which auto finds "
        "out (default: %(default)s)",
    )
    group.add_argument(
        "--threads",
        type=count,
        default=engines.THREADS,
        metavar="N",
        help="threads that run the network (default: %(default)s)",
    )
    group.add_argument(
        "--bundle", metavar="DIR", help="folder that `make engine` wrote for this board"
    )
    group.add_argument("--board", metavar="NAME", help="use the bundle of this board")
    group.add_argument(
        "--simulate",
        choices=("model", "rtl"),
        help="simulate the FPGA --board: its definition in NumPy, or its RTL",
    )
    recover = group.add_mutually_exclusive_group()
    recover.add_argument(
        "--recover",
        dest="recover",
        action="store_true",
        default=None,
        help="search for a lost target in the whole picture (default: where the network can, and "
        "the board's profile says so)",
    )
    recover.add_argument(
        "--no-recover",
        dest="recover",
        action="store_false",
        help="say that a target is lost, and do not search for it",
    )
    online = group.add_mutually_exclusive_group()
    online.add_argument(
        "--online",
        action="store_true",
        default=None,
        help="let a classifier learn the target while it is tracked (default: the network's TOML)",
    )
    online.add_argument("--no-online", dest="online", action="store_false", help="do not")
    group.add_argument(
        "--budget",
        dest="budget_ms",
        type=_number(0, 10000),
        metavar="MS",
        help="what a frame of the search may take beyond a tracked frame's time (default: the "
        "share of that time in the board's profile, mostly half)",
    )
    group.add_argument(
        "--latency",
        choices=pace.LATENCIES,
        default=pace.NORMAL,
        help="of live sources on a processor: how much work brings the boxes early. normal warms "
        "the caches up once before each frame, low several times and keeps the cores awake, "
        "saving never (default: %(default)s)",
    )
    group.add_argument(
        "--pipeline",
        type=int,
        choices=(1, 2),
        default=1,
        metavar="1|2",
        help="frames in flight at a time; 2 needs a GPU or an FPGA (default: %(default)s)",
    )


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--results",
        metavar="FILE",
        help="write the boxes: .csv, .jsonl, or .txt as MOTChallenge does; - is standard output",
    )
    group.add_argument(
        "--append", action="store_true", help="keep the rows of an older --results file"
    )
    group.add_argument("--save", metavar="FILE.mp4", help="save the video with the box drawn")
    group.add_argument(
        "--no-overlay",
        dest="overlay",
        action="store_false",
        help="draw the boxes alone, without bands of figures",
    )
    group.add_argument(
        "--trail", type=count, metavar="N", help="draw the target's path over the last N frames"
    )
    group.add_argument(
        "--blur", action="store_true", help="blur the target instead of drawing a box around it"
    )
    show = group.add_mutually_exclusive_group()
    show.add_argument(
        "--show",
        dest="show",
        action="store_true",
        default=None,
        help="open a window (default: where there is a display and nothing is written)",
    )
    show.add_argument("--no-show", dest="show", action="store_false", help="open no window")
    group.add_argument(
        "--profile", action="store_true", help="print milliseconds a step at the end"
    )


def _add_page(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--page",
        action="store_true",
        help="watch and control the run from a browser; --box is then optional",
    )
    group.add_argument(
        "--page-host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on, 0.0.0.0 for all; other addresses than this computer's loopback "
        "require the token in the printed link (default: %(default)s)",
    )
    group.add_argument(
        "--page-port",
        type=between(0, 65535),
        default=8600,
        metavar="N",
        help="port; 0 takes any free one (default: %(default)s)",
    )
    group.add_argument(
        "--page-fps",
        type=between(1, 240),
        default=30,
        metavar="N",
        help="most pictures a second (default: %(default)s)",
    )
    group.add_argument(
        "--page-width",
        type=between(64, 7680),
        default=960,
        metavar="PX",
        help="largest width of the pictures (default: %(default)s)",
    )


def _add_vehicle(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--mavlink",
        metavar="URL",
        help="be a MAVLink camera that tracks: udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT, "
        "tcpin:HOST:PORT or serial:DEVICE:BAUD; --box is then optional",
    )
    group.add_argument(
        "--mavlink-system",
        type=between(1, 255),
        default=1,
        metavar="N",
        help="system id of the vehicle (default: %(default)s)",
    )
    group.add_argument(
        "--mavlink-component",
        type=between(1, 255),
        default=100,
        metavar="N",
        help="component id of the camera (default: %(default)s)",
    )
    group.add_argument(
        "--mavlink-key",
        metavar="FILE",
        help="sign packets, and take none that are not signed; 32 bytes or 64 hex digits",
    )
    group.add_argument(
        "--link-delay",
        type=_number(0, 10),
        default=0.2,
        metavar="S",
        help="a click without a time belongs to the picture so many seconds ago (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--fov", type=_fov, metavar="H[,V]", help="field of view of the camera, degrees"
    )
    group.add_argument(
        "--gimbal",
        nargs="?",
        const="",
        metavar="FILE.toml",
        help="turn the vehicle's gimbal after the target; needs --mavlink and --fov; the file "
        "replaces numbers of runtime/links/gimbal/gimbal.toml",
    )
    group.add_argument(
        "--captures", metavar="DIR", help="folder for the pictures that a ground station asks for"
    )


def _add_streams(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--stream",
        action="append",
        metavar="ADDRESS",
        help="send the picture as H.264: rtsp://:8554/live serves it, udp://HOST:PORT sends RTP; "
        "repeat it for several",
    )
    group.add_argument(
        "--stream-kbps",
        type=between(50, 100000),
        default=4000,
        metavar="N",
        help="bit rate of the picture (default: %(default)s)",
    )
    group.add_argument("--stream-plain", action="store_true", help="draw no box into the picture")
    group.add_argument(
        "--record",
        metavar="FILE.mkv",
        help="write that picture to .mkv or .mp4, each frame with its time; an older file is kept",
    )
    group.add_argument(
        "--publish", metavar="udp://HOST:PORT", help="send one JSON datagram a frame"
    )


def _rate(text: str) -> float:
    """Frames a second, above 0 and up to 1000."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 1000")
    return value


def count(text: str) -> int:
    """A whole number from 1."""
    return _whole_number(text, 1, None)


def between(low: int, high: int) -> Callable[[str], int]:
    """A function that reads a whole number between two limits."""
    return lambda text: _whole_number(text, low, high)


def _number(low: float, high: float) -> Callable[[str], float]:
    """A function that reads a number between two limits."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return read


def _fov(text: str) -> Tuple[float, ...]:
    """One or two angles."""
    values = tuple(_number(1, 175)(part) for part in text.split(","))
    if len(values) > 2:
        raise argparse.ArgumentTypeError("give one or two angles, horizontal and vertical")
    return values


def _whole_number(text: str, low: int, high: Optional[int]) -> int:
    limits = f"from {low}" if high is None else f"from {low} to {high}"
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low or (high is not None and value > high):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
    return value


def _joined_boxes(arguments: List[str]) -> List[str]:
    """Join --box and a value that starts with a minus, which argparse would take for an option."""
    joined: List[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--box" and argument[:1] == "-":
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined
