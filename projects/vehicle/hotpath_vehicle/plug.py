"""Add the options ``--mavlink`` and ``--gimbal`` to ``hotpath track``, and open their links."""

import argparse
import ipaddress
from typing import Any, List, NamedTuple, Optional, Tuple, Union

from hotpath.app.option_records import Group, LinkOptions, Option, Plug
from hotpath.base.cli import between, number
from hotpath.runtime.errors import BadOutput


def networks_of(text: str) -> Tuple[Any, ...]:
    """Addresses or networks, with commas."""
    try:
        return tuple(ipaddress.ip_network(part.strip(), False) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; give addresses or networks") from None


class MavlinkOptions(NamedTuple):
    """The vehicle. Without ``url`` there is none."""

    url: str = ""
    system: int = 1
    component: int = 100
    type: Optional[str] = None
    key: Optional[str] = None
    allow: Optional[Tuple[Union[ipaddress.IPv4Network, ipaddress.IPv6Network], ...]] = None
    delay_s: float = 0.2

    @property
    def place(self) -> str:
        """Where people click on a target."""
        return "in the ground station" if self.url else ""


MAVLINK = Group(
    "vehicle (MAVLink)",
    MavlinkOptions,
    (
        Option(
            "--mavlink",
            "URL",
            "act as a MAVLink tracking camera: udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT "
            "or serial:DEVICE:BAUD; --box is then optional",
            field="url",
        ),
        Option("--mavlink-system", "N", "the vehicle's system id", between(1, 255), field="system"),
        Option(
            "--mavlink-component",
            "N",
            "the camera's component id",
            between(1, 255),
            field="component",
        ),
        Option(
            "--mavlink-type",
            "",
            "type in the heartbeat; ArduPilot's camera tracking needs `onboard`",
            ("camera", "onboard"),
            field="type",
        ),
        Option(
            "--mavlink-key",
            "FILE",
            "sign packets, and accept only signed ones; 32 bytes or 64 hex digits",
            field="key",
        ),
        Option(
            "--mavlink-allow",
            "ADDRESSES",
            "accept packets at udpin only from these, such as 10.0.0.5,192.168.1.0/24",
            networks_of,
            field="allow",
        ),
        Option(
            "--link-delay",
            "S",
            "apply a click without a time to the picture of S seconds ago",
            number(0, 10),
            field="delay_s",
        ),
    ),
)


class GimbalOptions(NamedTuple):
    """What turns the camera: ``name`` is a file, an address of ONVIF, "" or None for nothing."""

    name: Optional[str] = None
    login: Optional[str] = None
    calibration: Optional[str] = None

    @property
    def is_onvif(self) -> bool:
        """Whether it is a PTZ camera of the network."""
        return bool(self.name and self.name.startswith("onvif://"))


GIMBAL_GROUP = Group(
    "vehicle (MAVLink)",
    GimbalOptions,
    (
        Option(
            "--gimbal",
            "[FILE.toml]",
            "turn the vehicle's gimbal towards the target; needs --mavlink and --fov; the file "
            "replaces numbers of hotpath_vehicle/gimbal/gimbal.toml. Or onvif://USER@HOST:PORT: "
            "turn that PTZ camera",
            field="name",
        ),
        Option(
            "--gimbal-login",
            "FILE",
            "file with USER:PASSWORD of the PTZ camera (default: the variable GIMBAL_LOGIN)",
            field="login",
        ),
        Option(
            "--gimbal-calibration",
            "FILE",
            "result of `hotpath gimbal calibrate` or `hotpath ptz calibrate`; without it, the "
            "camera turns slowly",
            field="calibration",
        ),
    ),
)


def check(options: LinkOptions) -> None:
    """Refuse what can't work together, before anything is opened."""
    from hotpath.links import check_file

    mavlink, gimbal = options.of(MavlinkOptions), options.of(GimbalOptions)
    if not gimbal.is_onvif:
        if gimbal.name is not None and not (mavlink.url and options.fov):
            raise BadOutput(
                "--gimbal needs --mavlink URL and --fov DEGREES, or onvif://USER@HOST",
                what="needs a vehicle",
            )
        if gimbal.login:
            raise BadOutput(
                "--gimbal-login needs --gimbal onvif://USER@HOST", what="needs a camera"
            )
    for name in ("type", "key", "allow"):
        if getattr(mavlink, name) and not mavlink.url:
            raise BadOutput(f"--mavlink-{name} needs --mavlink URL", what="needs a vehicle")
    if gimbal.calibration and gimbal.name is None:
        raise BadOutput("--gimbal-calibration needs --gimbal")
    files = {
        "mavlink-key": mavlink.key,
        "gimbal-login": gimbal.login,
        "gimbal": None if gimbal.is_onvif else gimbal.name,
        "gimbal-calibration": gimbal.calibration,
    }
    for name, path in files.items():
        if path:
            check_file(name, path)


def wanted(options: LinkOptions) -> List[str]:
    """The links that the options ask for."""
    asked = {
        "mavlink": options.of(MavlinkOptions).url,
        "onvif": options.of(GimbalOptions).is_onvif,
    }
    return [name for name in asked if asked[name]]


PLUG = Plug(
    groups=(MAVLINK, GIMBAL_GROUP),
    common=("mavlink",),
    links=(
        ("mavlink", "hotpath_vehicle.mavlink.service", "pymavlink", "vehicle"),
        ("onvif", "hotpath_vehicle.onvif", ""),  # of --gimbal
    ),
    wanted=wanted,
    check=check,
    programs={
        "gimbal": (
            "hotpath_vehicle.calibrate gimbal",
            "calibrate a vehicle's gimbal before it turns fast",
        ),
        "ptz": ("hotpath_vehicle.calibrate ptz", "calibrate a PTZ camera of the network"),
    },
)
