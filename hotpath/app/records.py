"""The options of ``hotpath track`` as small records, so that each part of the program gets its own.

A field says all of its option: name, type, default, help, and what values there may be. The command
line and the files of ``--config`` follow from that. ``RunOptions.network`` has the arguments of
``hotpath.load_targets``.
"""

import argparse
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from hotpath.base.cli import between, count, number
from hotpath.runtime.options import PRECISIONS, Options

Kind = TypeVar("Kind")


class Option(NamedTuple):
    """An option of the command line: what stands as the default of a record's field.

    Attributes:
        text: its name, what the help calls its value, and after two blanks the help. Names in
            braces are filled in: detectors, engine, network, threads.
        default: value of the field.
        off: of a field that may be None: the help of ``--no-NAME``.
        in_files: whether only a file of ``--config`` has it.
        how: further arguments of ``argparse``. The kind of an option follows from its field's type.
    """

    text: str
    default: Any
    off: str
    in_files: bool
    how: Dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its value: "page_host" of "--page-host ADDRESS"."""
        return self.text.split()[0][2:].replace("-", "_")


def option(
    text: str, default: Any = None, off: str = "", in_files: bool = False, **how: Any
) -> Any:
    """Describe an option at its field; see ``Option``."""
    return Option(text, default, off, in_files, how)


def command_line(group: str) -> Callable[[Kind], Kind]:
    """Make a record one of options: its fields get their defaults, ``options`` has the rest.

    Args:
        group: title of the group in the help.

    Example:
        >>> @command_line("lamp")
        ... class LampOptions(NamedTuple):
        ...     colour: str = option("--lamp COLOUR  shine", "")
        >>> LampOptions(), LampOptions.options["colour"].name
        (LampOptions(colour=''), 'lamp')
    """

    def decorate(kind: Any) -> Any:
        texts = dict(zip(kind._fields, kind.__new__.__defaults__))
        kind.group = group
        kind.options = {name: text for name, text in texts.items() if isinstance(text, Option)}
        texts.update((name, text.default) for name, text in kind.options.items())
        kind.__new__.__defaults__ = tuple(texts.values())
        kind._field_defaults.update(texts)
        return kind

    return decorate


def time_of(text: str) -> float:
    """Seconds of "80", "1:20" or "1:02:03.5"."""
    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 3 or not all(0 <= value < 1e9 for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 80, 1:20 or 1:02:03.5")
    return sum(value * 60.0**place for place, value in enumerate(reversed(values)))


def angles(text: str) -> Tuple[float, ...]:
    """One or two angles."""
    values = tuple(number(1, 175)(part) for part in text.split(","))
    if len(values) > 2:
        raise argparse.ArgumentTypeError("give one or two angles, horizontal and vertical")
    return values


@command_line("what to track, and where")
class SourceOptions(NamedTuple):
    """What is read: ``video`` and how. ``start`` is in seconds."""

    video: Union[str, Sequence[str]] = option(
        "--video SOURCE  cam0, /dev/video2, csi0, csi0@1920x1080:60/rotate180, an address "
        "(rtsp://, http://, udp://), a video file, - for a video on standard input, a folder of "
        "frames, pictures (img%04d.jpg, *.jpg), or a VOT, OTB, GOT-10k or UAV123 sequence; you "
        "may omit the word --video",
        "",
    )
    fps: Optional[float] = option(
        "--fps N  frames a second of a folder of frames, or of a video, instead of its time stamps",
        type=number(0.001, 100000),
    )
    depth: Optional[int] = option(
        "--depth BITS  used bits of 16-bit pictures, such as 12 (default: their range without "
        "outliers)",
        type=between(9, 16),
    )
    start: Optional[float] = option(
        "--start TIME  begin at this time of a recording: seconds, M:SS or H:MM:SS", type=time_of
    )
    frames: Optional[int] = option("--frames N  stop after N frames", type=count)


@command_line("what to track, and where")
class TargetOptions(NamedTuple):
    """Which targets: texts of boxes and points, a file of boxes, and the detector.

    ``classes`` are names with commas.
    """

    box: Sequence[str] = option(
        "--box X,Y,W,H  the target in the first frame, in 0-based pixels or in per cent of the "
        "frame (40%,30%,10%,20%); repeat it for several targets",
        (),
    )
    point: Sequence[str] = option(
        "--point X,Y  a point of the target in the first frame, in 0-based pixels or in per cent "
        "of the frame (50%,40%), instead of a box; each box and point is a target",
        (),
    )
    snug: bool = option("--snug  replace a loose box by a tight one around the object in it", False)
    boxes: Optional[str] = option("--boxes FILE  a file with one target X,Y,W,H a line")
    detector: Optional[str] = option(
        "--detector NAME|FILE.toml  find the target without a box, or the object at a point: a "
        "TOML or one of {detectors}"
    )
    classes: Optional[str] = option(
        "--class NAME,NAME  what the detector finds, such as person; not needed for objects at a "
        "point"
    )
    all: bool = option("--all  every object that the detector finds is a target", False)
    every: int = option("--every N  run the detector once in N frames", 10, type=count)

    @property
    def asks_detector(self) -> bool:
        """Whether there is an option of the detector."""
        return bool(self.detector or self.classes or self.all)

    @property
    def by_detector(self) -> bool:
        """Whether the detector finds the first targets."""
        return bool(self.detector and self.classes and not (self.box or self.point or self.boxes))


# fields of ``hotpath.runtime.options.Options``
NETWORK: Dict[str, Option] = {
    "network": option(
        "--network NAME|FILE.toml  the network (default: the bundle's or the board's, else "
        "{network})",
    ),
    "precision": option(
        "--precision  auto takes INT8 where the processor has instructions for it",
        choices=PRECISIONS,
    ),
    "threads": option(
        "--threads N  threads that run the network (default: {threads})", type=between(1, 1024)
    ),
    "bundle": option("--bundle DIR  folder that `{engine}` wrote for this board"),
    "board": option("--board NAME  use the bundle of this board"),
    "recover": option(
        "--recover  search for a lost target in the whole picture (default: if the network can "
        "and the board's profile says so)",
        off="report that a target is lost, and do not search for it",
    ),
    "strict": option(
        "--strict  find a lost target only by a long proof: fewer returns, fewer look-alikes"
    ),
}


@command_line("results, video and window")
class OutputOptions(NamedTuple):
    """What is written, drawn and printed. Without ``show`` and ``hold`` others decide."""

    results: Optional[str] = option(
        "--results FILE  write the boxes: .csv, .jsonl, or .txt as MOTChallenge does; - is "
        "standard output"
    )
    append: bool = option("--append  keep the rows of an older --results file", False)
    save: Optional[str] = option("--save FILE.mp4  save the video with the box drawn")
    show: Optional[bool] = option(
        "--show  open a window (default: if there is a display and nothing is written)",
        off="open no window",
    )
    hold: Optional[bool] = option(
        "--hold  hold a recording's last frame in the window until a key (default: in a terminal,"
        " or if a key or the mouse was used)",
        off="close the window two seconds after a recording's last frame",
    )
    profile: bool = option("--profile  print milliseconds a step at the end", False)
    quiet: bool = option("--quiet  print no progress and no summary", False)
    json: bool = option("--json  print a summary of the run as JSON on standard output", False)


@command_line("page in the browser")
class PageOptions(NamedTuple):
    """The page in a browser; ``page`` says whether there is one."""

    page: bool = option(
        "--page  watch and control the run from a browser; --box is then optional", False
    )
    host: str = option(
        "--page-host ADDRESS  address to listen on, 0.0.0.0 for all; the printed link contains "
        "the access token",
        "127.0.0.1",
    )
    port: int = option("--page-port N  port; 0 takes any free one", 8600, type=between(0, 65535))
    fps: float = option(
        "--page-fps N  most pictures a second", 30, in_files=True, type=between(1, 240)
    )
    width: int = option(
        "--page-width PX  largest width of the pictures", 960, in_files=True, type=between(64, 7680)
    )


@command_line("picture and boxes to other programs")
class StreamOptions(NamedTuple):
    """Where the picture is sent to."""

    addresses: Sequence[str] = option(
        "--stream ADDRESS  send the picture as H.264: rtp://HOST:PORT, udp://HOST:PORT (MPEG-TS),"
        " or to a server such as MediaMTX: rtsp://HOST:PORT/PATH; repeat it for several",
        (),
    )
    login: Optional[str] = option(
        "--stream-login FILE  file with USER:PASSWORD of an rtsp server (default: the variable "
        "STREAM_LOGIN)",
    )
    kbps: int = option(
        "--stream-kbps N  bit rate of the picture", 4000, in_files=True, type=between(50, 100000)
    )
    plain: bool = option("--stream-plain  draw no box into the picture", False, in_files=True)


@command_line("picture and boxes to other programs")
class LinkOptions(NamedTuple):
    """The links to people, a vehicle and other programs.

    Attributes:
        others: a record of each kind that a ``Plug`` has.
        video: the source's name, which a calibration must be of.
        results, save: files that the page offers, or None.
    """

    page: PageOptions = PageOptions()
    stream: StreamOptions = StreamOptions()
    others: Tuple[Any, ...] = ()
    publish: str = option(
        "--publish udp://HOST:PORT  send one JSON datagram a frame; or ros:/TOPIC: messages of "
        "ROS 2; or mqtt://USER@HOST/PREFIX, mqtts:// (docs/use.md, Many cameras)",
        "",
    )
    fov: Optional[Tuple[float, ...]] = option(
        "--fov H[,V]  field of view of the camera, degrees; results and --publish then have "
        "directions",
        type=angles,
    )
    video: str = ""
    results: Optional[str] = None
    save: Optional[str] = None

    @property
    def asks_link(self) -> bool:
        """Whether there is an option of a link."""
        records = (self.stream, *self.others)
        return bool(self.page.page or self.publish) or any(r != type(r)() for r in records)

    def of(self, kind: Any) -> Any:
        """The record of a kind that a ``Plug`` has; its defaults if there is none."""
        return next((record for record in self.others if isinstance(record, kind)), kind())

    @property
    def points(self) -> List[str]:
        """Where people may click on a target while the run goes on, for a sentence."""
        others = [getattr(record, "place", "") for record in self.others]
        return ["on the page"] * self.page.page + [place for place in others if place]

    @property
    def places(self) -> List[str]:
        """Where targets may be selected while the run goes on."""
        return self.points + ["by a message of ROS"] * self.publish.startswith("ros:")

    @property
    def selects(self) -> bool:
        """Whether a link may select targets while the run goes on."""
        return bool(self.places)


class RunOptions(NamedTuple):
    """All of them."""

    source: SourceOptions
    targets: TargetOptions
    network: Options
    outputs: OutputOptions
    links: LinkOptions


class Plug(NamedTuple):
    """What a project adds to ``hotpath track``: options, and the links that they ask for.

    ``hotpath.base.projects.plugs`` finds it. One of its records may have the property
    ``place``: where people may click on a target, such as "in the ground station", or "".

    Attributes:
        records: those of its options, each with ``command_line``.
        links: as ``hotpath.app.cli.links.LINKS``, and the project's name where a package may be
            missing. They are told first, and opened last.
        wanted: which links the options ask for, by name.
        check: refuses, by ``BadOutput``, what can't work together.
        common: options that the short help lists.
        programs: word after ``hotpath`` -> its module and what it does.
        publishes: what the addresses of ``--publish`` begin with that its links take.
        sources: kind of source -> module with its ``open_source``; see ``hotpath.video.sources``.
    """

    records: Tuple[Any, ...]
    links: Tuple[Tuple[str, ...], ...]
    wanted: Callable[[LinkOptions], List[str]]
    check: Callable[[LinkOptions], None]
    common: Tuple[str, ...] = ()
    programs: Dict[str, Tuple[str, str]] = {}
    publishes: Tuple[str, ...] = ()
    sources: Dict[str, str] = {}
