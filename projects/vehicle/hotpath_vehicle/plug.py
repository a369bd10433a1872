"""What this project adds to ``hotpath track``: its options, and the links that they ask for."""

import argparse
import ipaddress
import os
from typing import Any, List, NamedTuple, Optional, Tuple, Union

from hotpath.app.records import LinkOptions, Plug, command_line, option
from hotpath.base.cli import between, number
from hotpath.runtime.errors import BadOutput

GIMBAL = os.path.join(os.path.dirname(os.path.realpath(__file__)), "gimbal", "gimbal.toml")


def networks_of(text: str) -> Tuple[Any, ...]:
    """Addresses or networks, with commas."""
    try:
        return tuple(ipaddress.ip_network(part.strip(), False) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; give addresses or networks") from None


@command_line("vehicle (MAVLink)")
class MavlinkOptions(NamedTuple):
    """The vehicle. Without ``url`` there is none."""

    url: str = option(
        "--mavlink URL  be a MAVLink camera that tracks: udpout:HOST:PORT, udpin:HOST:PORT, "
        "tcp:HOST:PORT, tcpin:HOST:PORT or serial:DEVICE:BAUD; --box is then optional",
        "",
    )
    system: int = option("--mavlink-system N  system id of the vehicle", 1, type=between(1, 255))
    component: int = option(
        "--mavlink-component N  component id of the camera", 100, type=between(1, 255)
    )
    type: Optional[str] = option(
        "--mavlink-type  what the heartbeat says; `onboard` is what ArduPilot's camera tracking "
        "looks for",
        in_files=True,
        choices=("camera", "onboard"),
    )
    key: Optional[str] = option(
        "--mavlink-key FILE  sign packets, and accept only signed ones; 32 bytes or 64 hex digits"
    )
    allow: Optional[Tuple[Union[ipaddress.IPv4Network, ipaddress.IPv6Network], ...]] = option(
        "--mavlink-allow ADDRESSES  take packets at udpin and tcpin only from these, such as "
        "10.0.0.5,192.168.1.0/24",
        type=networks_of,
    )
    delay_s: float = option(
        "--link-delay S  a click without a time belongs to the picture of that many seconds ago",
        0.2,
        type=number(0, 10),
    )

    @property
    def place(self) -> str:
        """Where people click on a target."""
        return "in the ground station" if self.url else ""


@command_line("vehicle (MAVLink)")
class GimbalOptions(NamedTuple):
    """What turns the camera: ``name`` is a file, an address of ONVIF, "" or None for nothing."""

    name: Optional[str] = option(
        "--gimbal FILE.toml  turn the vehicle's gimbal towards the target; needs --mavlink and "
        f"--fov; the file replaces numbers of {GIMBAL}. Or onvif://USER@HOST:PORT: turn that PTZ "
        "camera",
        nargs="?",
        const="",
    )
    login: Optional[str] = option(
        "--gimbal-login FILE  file with USER:PASSWORD of the PTZ camera (default: the variable "
        "GIMBAL_LOGIN)",
    )
    calibration: Optional[str] = option(
        "--gimbal-calibration FILE  what `hotpath gimbal` or `hotpath ptz calibrate` measured; "
        "without, it goes slowly"
    )
    zoom: Optional[float] = option(
        "--gimbal-zoom SHARE  zoom until the target fills this share of the frame's width or "
        "height, such as 0.2",
        in_files=True,
        type=number(0.01, 0.9),
    )
    recording: bool = option(
        "--gimbal-recording  for simulators: let a recording steer; else --gimbal needs a live "
        "source",
        False,
        in_files=True,
    )

    @property
    def is_onvif(self) -> bool:
        """Whether it is a PTZ camera of the network."""
        return bool(self.name and self.name.startswith("onvif://"))


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
    records=(MavlinkOptions, GimbalOptions),
    common=("mavlink",),
    links=(
        ("mavlink", "hotpath_vehicle.mavlink.service", "pymavlink", "vehicle"),
        ("onvif", "hotpath_vehicle.onvif", ""),  # of --gimbal
    ),
    wanted=wanted,
    check=check,
    programs={
        "gimbal": (
            "hotpath_vehicle.calibrate_gimbal",
            "calibrate a vehicle's gimbal before it turns fast",
        ),
        "ptz": ("hotpath_vehicle.calibrate_ptz", "calibrate a PTZ camera of the network"),
    },
)
