"""Open the links of a run, such as the page and MAVLink. No other one is loaded."""

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING, List

from hotpath.app.records import LinkOptions
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
    ("mqtt", "hotpath.app.links.mqtt", ""),  # of --publish, too
    ("ros", "hotpath.app.links.ros", ""),  # of --publish
    ("page", "hotpath.app.links.page.server", "aiohttp"),
)


def check_links(options: LinkOptions) -> None:
    """Refuse what can't work together, before anything is opened."""
    mavlink, gimbal = options.mavlink, options.gimbal
    if not gimbal.is_onvif:
        if gimbal.name is not None and not (mavlink.url and options.fov):
            raise BadOutput(
                "--gimbal needs --mavlink URL and --fov DEGREES, or onvif://USER@HOST",
                what="needs a vehicle",
            )
        for name in ("login", "zoom"):
            if getattr(gimbal, name):
                raise BadOutput(
                    f"--gimbal-{name} needs --gimbal onvif://USER@HOST", what="needs a camera"
                )
    for name in ("type", "key", "allow"):
        if getattr(mavlink, name) and not mavlink.url:
            raise BadOutput(f"--mavlink-{name} needs --mavlink URL", what="needs a vehicle")
    for name in ("recording", "calibration"):
        if getattr(gimbal, name) and gimbal.name is None:
            raise BadOutput(f"--gimbal-{name} needs --gimbal")
    files = {
        "mavlink-key": mavlink.key,
        "stream-login": options.stream.login,
        "gimbal-login": gimbal.login,
        "gimbal": None if gimbal.is_onvif else gimbal.name,
        "gimbal-calibration": gimbal.calibration,
    }
    for name, path in files.items():
        if path:
            _check_file(name, path)
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


def wanted_links(options: LinkOptions) -> List[str]:
    """The options that ask for a link."""
    asked = {
        "mavlink": options.mavlink.url,
        "onvif": options.gimbal.is_onvif,
        "stream": options.stream.addresses,
        "publish": options.publish and not options.to_ros and not options.to_mqtt,
        "mqtt": options.to_mqtt,
        "ros": options.to_ros,
        "page": options.page.page,
    }
    return [name for name, _, _ in LINKS if asked[name]]


def open_links(context: "Context") -> "List[Link]":
    """Open the links that are asked for.

    Raises:
        BadOutput: an address, a file or a package that can't be had.
    """
    links: List[Link] = []
    if context.options.gimbal.name is not None:
        from hotpath.app.links import steering

        steering.check(context.options.gimbal, context.live, context.can_lose, context.network)
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


def _module(name: str, module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if not package:
            raise
        raise BadOutput(needs(f"--{name}", package, error, name), what="missing package") from None
