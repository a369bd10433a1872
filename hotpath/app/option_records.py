"""The options of ``hotpath track`` as small records, so that each part of the program gets its own.

Below each record stands the ``Group`` of its options. The command line and the files of
``--config`` follow from both. ``RunOptions.network`` has the arguments of ``hotpath.load_targets``.
"""

import argparse
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from hotpath.base.cli import between, count, number
from hotpath.runtime.options import PRECISIONS, Options


class Option(NamedTuple):
    """An option of the command line, which sets a field of a record.

    The default of the field decides what the option is: a switch if it is False, repeated if it is
    empty, else followed by a value.

    Attributes:
        flag: such as "--page-host".
        value: what the help calls its value, in [ ] if it may be omitted; "" for none.
        text: the help. Names in braces are filled in: detectors, engine, network.
        kind: function that reads the value, or the tuple of all values; None for a text.
        field: the record's field; "" for that of the same name.
        off: help of ``--no-NAME``, which makes a field False that else may be None; "" for none.
    """

    flag: str
    value: str
    text: str
    kind: Any = None
    field: str = ""
    off: str = ""

    @property
    def name(self) -> str:
        """The name of its value among all: "page_host" of "--page-host"."""
        return self.flag[2:].replace("-", "_")


class Group:
    """The options of a record.

    Args:
        title: of the group in the help.
        record: class of the record, a ``NamedTuple`` whose fields have defaults.
        options: an ``Option`` for each field that the command line sets.

    Raises:
        ValueError: the record has no such field.

    Example:
        >>> class LampOptions(NamedTuple):
        ...     colour: str = ""
        >>> lamp = Group("lamp", LampOptions, [Option("--lamp", "NAME", "shine", field="colour")])
        >>> lamp.options[0].name
        'lamp'
    """

    def __init__(self, title: str, record: Any, options: Sequence[Option]) -> None:
        self.title, self.record = title, record
        self.options = [each._replace(field=each.field or each.name) for each in options]
        for option in self.options:
            if option.field not in record._fields:
                raise ValueError(f"{option.flag}: {record.__name__} has no field {option.field!r}")


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


class SourceOptions(NamedTuple):
    """What is read: ``video`` and how. ``start`` is in seconds."""

    video: Union[str, Sequence[str]] = ""
    fps: Optional[float] = None
    depth: Optional[int] = None
    start: Optional[float] = None
    frames: Optional[int] = None
    decoder: str = "auto"
    insecure: bool = False


SOURCE = Group(
    "what to track, and where",
    SourceOptions,
    (
        Option(
            "--video",
            "SOURCE",
            "cam0, a camera's device or a link to it (/dev/v4l/by-id/...), csi0, "
            "csi0@1920x1080:60/rotate180, an address (rtsp://, http://, udp://), a video file, - "
            "for a video on standard input, a folder of frames, pictures (img%04d.jpg, *.jpg), or "
            "a VOT, OTB, GOT-10k or UAV123 sequence; you may omit the word --video",
        ),
        Option(
            "--fps",
            "N",
            "frames per second of a folder of frames, or of a video instead of its time stamps",
            number(0.001, 100000),
        ),
        Option(
            "--depth",
            "BITS",
            "used bits of 16-bit pictures, such as 12 (default: each picture's own range)",
            between(9, 16),
        ),
        Option(
            "--start", "TIME", "begin a recording at this time: seconds, M:SS or H:MM:SS", time_of
        ),
        Option("--frames", "N", "stop after N frames", count),
        Option(
            "--decoder",
            "NAME",
            "auto (default: the board's video hardware if it has any), software, cuda, qsv, "
            "vaapi, amf, v4l2m2m, nvv4l2decoder or mppvideodec; falls back to software",
        ),
        Option(
            "--insecure",
            "",
            "accept any certificate of an https:// or rtsps:// address, such as a camera's own; "
            "the login goes to whoever answers there",
        ),
    ),
)


class TargetOptions(NamedTuple):
    """Which targets: texts of boxes and points, and the detector.

    ``classes`` are names with commas.
    """

    box: Sequence[str] = ()
    point: Sequence[str] = ()
    snug: bool = False
    detector: Optional[str] = None
    classes: Optional[str] = None
    all: bool = False
    every: int = 10

    @property
    def asks_detector(self) -> bool:
        """Whether there is an option of the detector."""
        return bool(self.detector or self.classes or self.all)

    @property
    def by_detector(self) -> bool:
        """Whether the detector finds the first targets."""
        return bool(self.detector and not (self.box or self.point))


TARGETS = Group(
    "what to track, and where",
    TargetOptions,
    (
        Option(
            "--box",
            "X,Y,W,H",
            "the target in the first frame, in 0-based pixels or in per cent of the frame "
            "(40%,30%,10%,20%); repeat it for several targets",
        ),
        Option(
            "--point",
            "X,Y",
            "a point of the target, instead of a box (50%,40%); each box and point is a target",
        ),
        Option("--snug", "", "replace a loose box by a tight one around the object in it"),
        Option(
            "--detector",
            "NAME|FILE.toml",
            "let a detector find the targets: a TOML or one of {detectors}",
        ),
        Option(
            "--class",
            "NAME,NAME",
            "classes that the detector looks for, such as person",
            field="classes",
        ),
        Option("--all", "", "track every object that the detector finds"),
        Option("--every", "N", "run the detector in every Nth frame", count),
    ),
)


NETWORK = Group(
    "network and engine",
    Options,
    (
        Option(
            "--network",
            "NAME|FILE.toml",
            "the network to run (default: the bundle's or the board's, else {network})",
        ),
        Option(
            "--precision",
            "",
            "auto takes INT8 if the processor has instructions for it",
            PRECISIONS,
        ),
        Option(
            "--threads",
            "N",
            "threads that run the network (default: 1; on x86 without VNNI half of the cores, at "
            "most 4)",
            between(1, 1024),
        ),
        Option(
            "--bundle",
            "DIR",
            "run only this folder of `{engine}` (default: this board's newest ones)",
        ),
        Option(
            "--recover",
            "",
            "search the whole picture for a lost target (default: if the network and the board's "
            "profile allow it)",
            off="report that a target is lost, but do not search for it",
        ),
        Option(
            "--witness",
            "NAME|FILE.toml",
            "a second network that checks the first one; none switches it off (default: the "
            "board's, unless you name a --network)",
        ),
    ),
)


class OutputOptions(NamedTuple):
    """What is written, drawn and printed. Without ``show`` others decide."""

    results: Optional[str] = None
    append: bool = False
    save: Optional[str] = None
    encoder: str = "auto"
    report: Optional[str] = None
    show: Optional[bool] = None
    profile: bool = False
    quiet: bool = False
    json: bool = False


OUTPUTS = Group(
    "results, video and window",
    OutputOptions,
    (
        Option(
            "--results",
            "FILE",
            "write the boxes: .csv, .jsonl, or .txt (MOTChallenge); - is standard output",
        ),
        Option("--append", "", "keep the rows of an older --results file"),
        Option("--save", "FILE.mp4", "save the video with the box drawn"),
        Option(
            "--encoder",
            "NAME",
            "encoder of --save: auto (the board's video hardware if it has any) or software",
            ("auto", "software"),
        ),
        Option(
            "--report",
            "FILE.html",
            "write a report with a time line, pictures of losses and re-acquisitions, curves and "
            "settings",
        ),
        Option(
            "--show",
            "",
            "open a window (default: if there is a display and no file is written)",
            off="open no window",
        ),
        Option("--profile", "", "print the milliseconds of each step at the end"),
        Option("--quiet", "", "print no progress and no summary"),
        Option("--json", "", "print a summary of the run as JSON on standard output"),
    ),
)


class PageOptions(NamedTuple):
    """The page in a browser; ``page`` says whether there is one."""

    page: bool = False
    host: str = "127.0.0.1"
    port: int = 8600
    fps: float = 30
    width: int = 960


PAGE = Group(
    "page in the browser",
    PageOptions,
    (
        Option("--page", "", "watch and control the run in a browser; --box is then optional"),
        Option(
            "--page-host",
            "ADDRESS",
            "address to listen on, 0.0.0.0 for all; the printed link contains the access token",
            field="host",
        ),
        Option(
            "--page-port",
            "N",
            "port to listen on; 0 takes a free one",
            between(0, 65535),
            field="port",
        ),
        Option("--page-fps", "N", "maximum pictures per second", between(1, 240), field="fps"),
        Option(
            "--page-width", "PX", "maximum width of the pictures", between(64, 7680), field="width"
        ),
    ),
)


class StreamOptions(NamedTuple):
    """Where the picture is sent to."""

    addresses: Sequence[str] = ()
    login: Optional[str] = None
    kbps: int = 4000
    plain: bool = False


STREAM = Group(
    "picture and boxes to other programs",
    StreamOptions,
    (
        Option(
            "--stream",
            "ADDRESS",
            "send the picture as H.264: rtp://HOST:PORT, udp://HOST:PORT (MPEG-TS), or to a "
            "server such as MediaMTX: rtsp://HOST:PORT/PATH; repeat it for several",
            field="addresses",
        ),
        Option(
            "--stream-login",
            "FILE",
            "file with USER:PASSWORD for an rtsp server (default: the variable STREAM_LOGIN)",
            field="login",
        ),
        Option("--stream-kbps", "N", "bit rate of the picture", between(50, 100000), field="kbps"),
        Option("--stream-plain", "", "draw no box into the picture", field="plain"),
    ),
)


class LinkOptions(NamedTuple):
    """The links to people, a vehicle and other programs.

    Attributes:
        others: a record of each kind that a ``Plug`` has.
        video: the source's name, which a calibration must be of.
        results, save: files that are recorded to, or None.
    """

    page: PageOptions = PageOptions()
    stream: StreamOptions = StreamOptions()
    others: Tuple[Any, ...] = ()
    publish: str = ""
    fov: Optional[Tuple[float, ...]] = None
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
        places = [getattr(record, "place", "") for record in self.others]
        if self.page.page:
            places.insert(0, "on the page")
        return [place for place in places if place]

    @property
    def places(self) -> List[str]:
        """Where targets may be selected while the run goes on."""
        places = self.points
        if self.publish.startswith("ros:"):
            places.append("by a message of ROS")
        return places

    @property
    def selects(self) -> bool:
        """Whether a link may select targets while the run goes on."""
        return bool(self.places)


LINKS = Group(
    "picture and boxes to other programs",
    LinkOptions,
    (
        Option(
            "--publish",
            "udp://HOST:PORT",
            "send one JSON datagram per frame; or ros:/TOPIC: ROS 2 messages; or "
            "mqtt://USER@HOST/PREFIX, mqtts:// (docs/use.md, Many cameras)",
        ),
        Option(
            "--fov",
            "H[,V]",
            "the camera's field of view in degrees; adds directions to results and --publish",
            angles,
        ),
    ),
)


class RunOptions(NamedTuple):
    """All of them, and the ``words`` that the user typed."""

    source: SourceOptions
    targets: TargetOptions
    network: Options
    outputs: OutputOptions
    links: LinkOptions
    words: Sequence[str] = ()


class Plug(NamedTuple):
    """What a project adds to ``hotpath track``: options, and the links that they ask for.

    ``hotpath.base.projects.load_plugs`` finds it. One of its records may have the property
    ``place``: where people may click on a target, such as "in the ground station", or "".

    Attributes:
        groups: one ``Group`` of options for each record that the project adds.
        links: as ``hotpath.app.cli.open_links.LINKS``, and the project's name where a package may
            be missing. They are told first, and opened last.
        wanted: which links the options ask for, by name.
        check: refuses, by ``BadOutput``, what can't work together.
        common: options that the short help lists.
        programs: word after ``hotpath`` -> its module, with the arguments that it gets first, and
            what it does.
        publishes: what the addresses of ``--publish`` begin with that its links take.
        sources: kind of source -> module with its ``open_source``; see ``hotpath.video.sources``.
    """

    groups: Tuple[Group, ...]
    links: Tuple[Tuple[str, ...], ...]
    wanted: Callable[[LinkOptions], List[str]]
    check: Callable[[LinkOptions], None]
    common: Tuple[str, ...] = ()
    programs: Dict[str, Tuple[str, str]] = {}
    publishes: Tuple[str, ...] = ()
    sources: Dict[str, str] = {}
