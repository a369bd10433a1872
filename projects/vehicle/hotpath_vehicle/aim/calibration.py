"""The calibration of one camera: sign, scale and delay, and the gains and limits for them."""

import math
import pathlib
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from hotpath.links import (
    Key,
    LinkOptions,
    Mistake,
    read_section,
    read_toml,
    sentence,
    write_toml,
)
from hotpath.runtime.errors import HotpathError
from hotpath.video.base import without_password
from hotpath_vehicle.gimbal.control import DELAY_S
from hotpath_vehicle.plug import GimbalOptions

HANDLING_S = 0.03  # from a frame's time until its command is sent
FASTEST = 60.0
SHARE = 0.15  # of the picture's width: the most that the camera turns within one delay
SHORT_S, LONG_S = 0.15, 0.35  # delays from which the gains are lower
AGAIN = "measure again with `hotpath {} calibrate`"
FRAMES = ("earth", "vehicle", "none")  # of the reported yaw
KEYS: Dict[str, Dict[str, Key]] = {
    "of": {
        "stream": Key(str),
        "actuator": Key(str),
        "size": Key(list, low=1, high=1 << 16, length=2),
    },
    "measured": {
        "fov": Key(float, low=0.1, high=179.0),
        "delay": Key(float, low=0.0, high=3.0),
        "spread": Key(float, low=0.0, high=1.0),
        "sign": Key(list, low=-1, high=1, length=2),
        "scale": Key(list, low=1e-3, high=1e4, length=2),
        "frame": Key(str, choices=FRAMES),
    },
}


class BadCalibration(HotpathError):
    """A calibration that can't be used."""


class AimCalibration(NamedTuple):
    """The measured properties of a camera, its stream and its actuator.

    Attributes:
        stream: the source, without a password.
        size: (width, height) of its frames, pixels.
        actuator: what turns: "gimbal 1/1/154" (system, manager, device) or "onvif://HOST:PORT".
        fov: the width of the picture, degrees.
        delay: from a command until the time stamp of the frame that shows it.
        spread: of the delay, 90 %.
        sign: for right and up, 1 where the camera turns as commanded, else -1.
        scale: for right and up, degrees turned for each commanded unit.
        frame: in which the actuator reports its yaw, one of ``FRAMES``.
    """

    stream: str
    size: Tuple[int, int]
    actuator: str
    fov: float
    delay: float
    spread: float
    sign: Tuple[int, int] = (1, 1)
    scale: Tuple[float, float] = (1.0, 1.0)
    frame: str = "earth"

    @property
    def kind(self) -> str:
        """The program that measures it."""
        return "ptz" if self.actuator.startswith("onvif:") else "gimbal"

    @property
    def reaction_s(self) -> float:
        """From a command until the answer to it can be sent."""
        return self.delay + HANDLING_S

    @property
    def age_s(self) -> float:
        """How much older a picture is than its time stamp says."""
        return max(0.0, self.delay - DELAY_S)

    @property
    def most(self) -> float:
        """The fastest turn."""
        return min(FASTEST, SHARE * self.fov / self.reaction_s)

    def check_stream(self, stream: str, size: Tuple[int, int]) -> None:
        """Raise ``BadCalibration`` unless it was measured with this stream."""
        if (stream, tuple(size)) != (self.stream, tuple(self.size)):
            measured = f"{self.stream} of {self.size[0]}x{self.size[1]}"
            raise BadCalibration(
                f"--gimbal-calibration is of {measured}, and this is {stream} of {size[0]}x"
                f"{size[1]}; {AGAIN.format(self.kind)}",
                what="other camera",
            )


def settings_for(settings: Dict[str, Dict[str, float]], calibration: AimCalibration) -> Any:
    """A copy of the control's numbers whose gains stand the calibration's delay and its spread.

    They stand an error of the delay of 0.1 s.
    """
    changed = {name: dict(section) for name, section in settings.items()}
    delay, pid = calibration.reaction_s, changed["pid"]
    most = min(max(1.0, 0.45 / delay), 0.3 / max(calibration.spread, 0.01))
    pid["kp"] = min(pid["kp"], most)
    pid["ki"] = min(pid["ki"], 0.07 * pid["kp"] ** 2)
    is_short, is_long = delay <= SHORT_S, delay > LONG_S
    if not is_short:
        pid["kd"] = 0.0
        pid["feed_forward"] = min(pid["feed_forward"], 0.9)
        beta = 0.08 if is_long else 0.1
        changed["target"]["beta"] = min(changed["target"]["beta"], beta)
    for name in ("yaw_rate", "pitch_rate"):
        changed["limits"][name] = min(changed["limits"][name], calibration.most)
    return changed


def text(calibration: AimCalibration, note: str) -> str:
    """The text of a calibration's file."""
    of = {key: getattr(calibration, key) for key in ("stream", "actuator")}
    measured = {key: round(getattr(calibration, key), 4) for key in ("fov", "delay", "spread")}
    measured.update(sign=list(calibration.sign), scale=[round(v, 4) for v in calibration.scale])
    measured.update(frame=calibration.frame)
    return write_toml({"of": dict(of, size=list(calibration.size)), "measured": measured}, note)


def read(path: str) -> AimCalibration:
    """Read a calibration.

    Raises:
        BadCalibration: no such file, no TOML, a key that is missing or wrong.
    """
    table = read_toml(pathlib.Path(str(path)), BadCalibration)
    mistakes: List[Mistake] = []
    values: Dict[str, Any] = {}
    for name, keys in KEYS.items():
        section = table.pop(name, {})
        section = section if isinstance(section, dict) else {}
        values.update(read_section(name, keys, section, mistakes))
    if table or mistakes:
        what = sentence(mistakes[0]) if mistakes else f"unknown section [{next(iter(table))}]"
        raise BadCalibration(
            f"{path}: {what}; this is not a calibration of ours, so measure again",
            what="wrong value",
            where=path,
        )
    if 0 in values["sign"]:
        raise BadCalibration(
            f"{path}: a sign is 1 or -1; measure again", what="wrong value", where=path
        )
    for key, kind in (("size", int), ("sign", int), ("scale", float)):
        values[key] = tuple(map(kind, values[key]))
    return AimCalibration(**values)


def from_options(options: LinkOptions, size: Tuple[int, int]) -> Optional[AimCalibration]:
    """The calibration that ``--gimbal-calibration`` names, checked against the run's stream.

    Raises:
        BadCalibration: it can't be read, or it is of another stream.
    """
    path = options.of(GimbalOptions).calibration
    if not path:
        return None
    calibration = read(path)
    calibration.check_stream(without_password(options.video), size)
    return calibration


def error_of(
    box: Tuple[float, float, float, float], size: Tuple[int, int], fov: float
) -> Tuple[float, float]:
    """(right, up) of a box's centre from the middle of the picture, degrees."""
    x, y = box[0] + box[2] / 2.0, box[1] + box[3] / 2.0
    focal = size[0] / 2.0 / math.tan(math.radians(fov) / 2.0)
    right = math.degrees(math.atan((x - size[0] / 2.0) / focal))
    return right, math.degrees(math.atan((size[1] / 2.0 - y) / focal))
