"""The options of ``hotpath track`` as small records, so that each part of the program gets its own.

Names, types and defaults of the options are declared here; ``hotpath.app.cli.options`` adds their
help. ``RunOptions.network`` has the arguments of ``hotpath.load_targets``.
"""

import ipaddress
from typing import NamedTuple, Optional, Sequence, Tuple, Union

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


class MavlinkOptions(NamedTuple):
    """The vehicle. Without ``url`` there is none.

    Attributes:
        system, component: our ids.
        type: what the heartbeat says, or None.
        key: file of the signature's key.
        allow: networks that packets may come from, or None.
        delay_s: age of the picture that a click without a time belongs to.
    """

    url: str = ""
    system: int = 1
    component: int = 100
    type: Optional[str] = None
    key: Optional[str] = None
    allow: Optional[Tuple[Union[ipaddress.IPv4Network, ipaddress.IPv6Network], ...]] = None
    delay_s: float = 0.2


class GimbalOptions(NamedTuple):
    """What turns the camera: ``name`` is a file, an address of ONVIF, "" or None for nothing.

    Attributes:
        zoom: share of the frame that the target shall fill.
        recording: whether a recording may steer.
    """

    name: Optional[str] = None
    login: Optional[str] = None
    calibration: Optional[str] = None
    zoom: Optional[float] = None
    recording: bool = False

    @property
    def is_onvif(self) -> bool:
        """Whether it is a PTZ camera of the network."""
        return bool(self.name and self.name.startswith("onvif://"))


class StreamOptions(NamedTuple):
    """Where the picture is sent to."""

    addresses: Sequence[str] = ()
    login: Optional[str] = None
    kbps: int = 4000
    plain: bool = False


class LinkOptions(NamedTuple):
    """The links to people, a vehicle and other programs.

    Attributes:
        publish: an address.
        fov: field of view, degrees, or None.
        video: the source's name, which a calibration must be of.
        results, save: files that the page offers, or None.
    """

    page: PageOptions = PageOptions()
    mavlink: MavlinkOptions = MavlinkOptions()
    gimbal: GimbalOptions = GimbalOptions()
    stream: StreamOptions = StreamOptions()
    publish: str = ""
    fov: Optional[Tuple[float, ...]] = None
    video: str = ""
    results: Optional[str] = None
    save: Optional[str] = None

    @property
    def asks_link(self) -> bool:
        """Whether there is an option of a link."""
        others = self.mavlink, self.gimbal, self.stream
        usual = MavlinkOptions(), GimbalOptions(), StreamOptions()
        return bool(self.page.page or self.publish) or others != usual

    @property
    def to_mqtt(self) -> bool:
        """Whether ``publish`` is a broker of MQTT."""
        return self.publish.startswith(("mqtt:", "mqtts:"))

    @property
    def to_ros(self) -> bool:
        """Whether ``publish`` is a topic of ROS 2."""
        return bool(self.publish and self.publish.startswith("ros:"))

    @property
    def selects(self) -> bool:
        """Whether a link may select targets while the run goes on."""
        return bool(self.page.page or self.mavlink.url or self.to_ros)


class RunOptions(NamedTuple):
    """All of them."""

    source: SourceOptions
    targets: TargetOptions
    network: Options
    outputs: OutputOptions
    links: LinkOptions
