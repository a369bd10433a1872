"""What this project adds to ``hotpath track``: its options, and the links that they ask for."""

import argparse
import ipaddress
import os
from typing import Any, List, NamedTuple, Optional, Tuple, Union

from hotpath.app.records import LinkOptions, Plug
from hotpath.kernels.cli import between, number
from hotpath.runtime.errors import BadOutput

GIMBAL = os.path.join(os.path.dirname(os.path.realpath(__file__)), "gimbal", "gimbal.toml")
OPTIONS = f"""
vehicle (MAVLink)
--mavlink URL  be a MAVLink camera that tracks: udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT,
    tcpin:HOST:PORT or serial:DEVICE:BAUD; --box is then optional
--mavlink-system N  system id of the vehicle
--mavlink-component N  component id of the camera
--mavlink-key FILE  sign packets, and accept only signed ones; 32 bytes or 64 hex digits
--mavlink-allow ADDRESSES  take packets at udpin and tcpin only from these, such as
    10.0.0.5,192.168.1.0/24
--link-delay S  a click without a time belongs to the picture of that many seconds ago
--gimbal FILE.toml  turn the vehicle's gimbal towards the target; needs --mavlink and --fov; the
    file replaces numbers of {GIMBAL}. Or onvif://USER@HOST:PORT: turn that PTZ camera
--gimbal-login FILE  file with USER:PASSWORD of the PTZ camera (default: the variable GIMBAL_LOGIN)
--gimbal-calibration FILE  what `hotpath gimbal` or `hotpath ptz calibrate` measured; without, it
    goes slowly
"""
KEYS = """
--mavlink-type  what the heartbeat says; `onboard` is what ArduPilot's camera tracking looks for
--gimbal-zoom SHARE  zoom until the target fills this share of the frame's width or height, such as
    0.2
--gimbal-recording  for simulators: let a recording steer; else --gimbal needs a live source
"""


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

    @property
    def place(self) -> str:
        """Where people click on a target."""
        return "in the ground station" if self.url else ""


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


def _networks(text: str) -> Tuple[Any, ...]:
    """Addresses or networks, with commas."""
    try:
        return tuple(ipaddress.ip_network(part.strip(), False) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; give addresses or networks") from None


PLUG = Plug(
    options=OPTIONS,
    keys=KEYS,
    common=("mavlink",),
    parts=(("mavlink_", MavlinkOptions), ("gimbal_", GimbalOptions)),
    dest={"mavlink": "mavlink_url", "link_delay": "mavlink_delay_s", "gimbal": "gimbal_name"},
    values={
        "mavlink_system": {"type": between(1, 255)},
        "mavlink_component": {"type": between(1, 255)},
        "mavlink_allow": {"type": _networks},
        "mavlink_type": {"choices": ("camera", "onboard")},
        "link_delay": {"type": number(0, 10)},
        "gimbal": {"nargs": "?", "const": ""},
        "gimbal_zoom": {"type": number(0.01, 0.9)},
    },
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
