"""The options of ``hotpath track`` as small records, so that each part of the program gets its own.

Names, types and defaults of the options are declared here; ``hotpath.app.cli.options`` adds their
help. ``RunOptions.network`` has the arguments of ``hotpath.load_targets``.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from hotpath.runtime.options import Options


class SourceOptions(NamedTuple):
    """What is read: ``--video`` and how.

    Attributes:
        start: seconds from the beginning of a recording.
        frames: after which the run stops.
    """

    video: Union[str, Sequence[str]] = ""
    fps: Optional[float] = None
    depth: Optional[int] = None
    start: Optional[float] = None
    frames: Optional[int] = None


class TargetOptions(NamedTuple):
    """Which targets: texts of ``--box`` and ``--point``, the file of ``--boxes``, and the detector.

    Attributes:
        snug: whether loose boxes are tightened.
        classes: names with commas.
        every: frames from one call of the detector to the next.
    """

    box: Sequence[str] = ()
    point: Sequence[str] = ()
    snug: bool = False
    boxes: Optional[str] = None
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
        return bool(self.detector and self.classes and not (self.box or self.point or self.boxes))


class OutputOptions(NamedTuple):
    """What is written, drawn and printed.

    Attributes:
        show: None opens a window where nothing else would be seen.
        hold: whether the window holds the last frame; None: if somebody watches.
    """

    results: Optional[str] = None
    append: bool = False
    save: Optional[str] = None
    show: Optional[bool] = None
    hold: Optional[bool] = None
    profile: bool = False
    quiet: bool = False
    json: bool = False


class PageOptions(NamedTuple):
    """The page in a browser; ``page`` says whether there is one."""

    page: bool = False
    host: str = "127.0.0.1"
    port: int = 8600
    fps: float = 30
    width: int = 960


class StreamOptions(NamedTuple):
    """Where the picture is sent to."""

    addresses: Sequence[str] = ()
    login: Optional[str] = None
    kbps: int = 4000
    plain: bool = False


class LinkOptions(NamedTuple):
    """The links to people, a vehicle and other programs.

    Attributes:
        others: a record of each kind that a ``Plug`` has.
        publish: an address.
        fov: field of view, degrees, or None.
        video: the source's name, which a calibration must be of.
        results, save: files that the page offers, or None.
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
    def to_mqtt(self) -> bool:
        """Whether ``publish`` is a broker of MQTT."""
        return self.publish.startswith(("mqtt:", "mqtts:"))

    @property
    def to_ros(self) -> bool:
        """Whether ``publish`` is a topic of ROS 2."""
        return bool(self.publish and self.publish.startswith("ros:"))

    @property
    def points(self) -> List[str]:
        """Where people may click on a target while the run goes on, for a sentence."""
        others = [getattr(record, "place", "") for record in self.others]
        return ["on the page"] * self.page.page + [place for place in others if place]

    @property
    def places(self) -> List[str]:
        """Where targets may be selected while the run goes on."""
        return self.points + ["by a message of ROS"] * self.to_ros

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

    ``hotpath.kernels.projects.plugs`` finds it. A record of ``parts`` may have the property
    ``place``: where people may click on a target, such as "in the ground station", or "".

    Attributes:
        options, keys: tables such as those of ``hotpath.app.cli.options``; keys are only in files.
        common: options that the short help lists.
        parts: the records of the options, with what the names of their fields begin with.
        dest: options that are not called as their fields.
        values: arguments of argparse, besides those that records tell.
        links: as ``hotpath.app.cli.links.LINKS``, and the project's name where a package may be
            missing. They are told first, and opened last.
        wanted: which links the options ask for, by name.
        check: refuses, by ``BadOutput``, what can't work together.
        programs: word after ``hotpath`` -> its module and what it does.
    """

    options: str
    parts: Tuple[Tuple[str, Any], ...]
    links: Tuple[Tuple[str, ...], ...]
    wanted: Callable[[LinkOptions], List[str]]
    check: Callable[[LinkOptions], None]
    keys: str = ""
    common: Tuple[str, ...] = ()
    dest: Dict[str, str] = {}
    values: Dict[str, Dict[str, Any]] = {}
    programs: Dict[str, Tuple[str, str]] = {}
