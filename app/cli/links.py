"""Open the links of a run, such as the page and MAVLink. No other one is loaded."""

import importlib
import os
from typing import TYPE_CHECKING, Any, List

from hotpath.kernels.commands import needs
from hotpath.runtime.errors import BadOutput

if TYPE_CHECKING:
    from hotpath.app.links.base import Context, Link

# the option that asks for a link, its module, and a package that may be missing
LINKS = (  # the vehicle is told first
    ("mavlink", "hotpath.app.links.mavlink.service", "pymavlink"),
    ("onvif", "hotpath.app.links.onvif", ""),  # of --gimbal
    ("stream", "hotpath.app.links.stream", ""),
    ("publish", "hotpath.app.links.publish", ""),
    ("ros", "hotpath.app.links.ros", ""),  # of --publish
    ("page", "hotpath.app.links.page.server", "aiohttp"),
)
# that options name
FILES = ("mavlink_key", "stream_login", "gimbal_login", "gimbal", "gimbal_calibration")


def check_links(options: Any) -> None:
    """Refuse what can't work together, before anything is opened."""
    steers = options.mavlink and options.fov
    if not to_onvif(options):
        if options.gimbal is not None and not steers:
            raise BadOutput(
                "--gimbal needs --mavlink URL and --fov DEGREES, or onvif://USER@HOST",
                what="needs a vehicle",
            )
        for name in ("login", "zoom"):
            if getattr(options, "gimbal_" + name):
                raise BadOutput(
                    f"--gimbal-{name} needs --gimbal onvif://USER@HOST", what="needs a camera"
                )
    for name in ("type", "key", "allow"):
        if getattr(options, "mavlink_" + name) and not options.mavlink:
            raise BadOutput(f"--mavlink-{name} needs --mavlink URL", what="needs a vehicle")
    for name in ("recording", "calibration"):
        if getattr(options, "gimbal_" + name) and options.gimbal is None:
            raise BadOutput(f"--gimbal-{name} needs --gimbal")
    for name in FILES:
        path = getattr(options, name)
        if path and not path.startswith("onvif://"):
            _check_file(name.replace("_", "-"), path)
    for name, module, package in LINKS:
        if name in wanted_links(options):
            check = getattr(_module(name, module, package), "check_options", None)
            if check:
                check(options)


def _check_file(option: str, path: str) -> None:
    """Refuse a file that can't be read. It is not opened, since it may be a pipe."""
    if os.path.isdir(path):
        raise BadOutput(f"--{option} {path}: is a folder; name a file")
    if not os.access(path, os.R_OK):
        why = "can't be read" if os.path.exists(path) else "no such file"
        raise BadOutput(f"--{option} {path}: {why}; name another file")


def selects(options: Any) -> bool:
    """Whether a link may select targets while the run goes on."""
    return bool(options.page or options.mavlink or to_ros(options))


def to_ros(options: Any) -> bool:
    """Whether --publish names a topic of ROS 2."""
    return bool(options.publish and options.publish.startswith("ros:"))


def to_onvif(options: Any) -> bool:
    """Whether --gimbal names a PTZ camera of the network."""
    return bool(options.gimbal and options.gimbal.startswith("onvif://"))


def wanted_links(options: Any) -> List[str]:
    """The options that ask for a link."""
    asked = {
        "mavlink": options.mavlink,
        "onvif": to_onvif(options),
        "stream": options.stream,
        "publish": options.publish and not to_ros(options),
        "ros": to_ros(options),
        "page": options.page,
    }
    return [name for name, _, _ in LINKS if asked[name]]


def open_links(context: "Context") -> "List[Link]":
    """Open the links that are asked for.

    Raises:
        BadOutput: an address, a file or a package that can't be had.
    """
    links: List[Link] = []
    if context.options.gimbal is not None:
        from hotpath.app.links import steering

        steering.check(context.options, context.live, context.can_lose, context.network)
    wanted = wanted_links(context.options)
    try:
        for name, module, package in reversed(LINKS):  # no camera is offered that can't start
            if name in wanted:
                links.insert(0, _module(name, module, package).open_link(context))
    except BaseException:
        for link in links:
            link.close()
        raise
    return links


def _module(name: str, module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if not package:
            raise
        raise BadOutput(needs(f"--{name}", package, error, name), what="missing package") from None
