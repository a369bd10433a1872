"""The camera's definition file, and the settings in it that a ground station reads and writes.

A ground station draws its settings page from the file (mavlink.io/en/services/camera_def.html) and
reaches the values by the messages PARAM_EXT_*.
"""

import math
import struct
from typing import Any, Dict, List, NamedTuple, Optional
from xml.sax.saxutils import escape

from runtime.links.mavlink.messages import Message, Outgoing

PATH = "/camera.xml"
ADDRESS = "mftp:/" + PATH  # as QGroundControl and MAVSDK write MAVLink's file transfer
REAL32 = 9  # MAV_PARAM_EXT_TYPE
ACCEPTED, VALUE_UNSUPPORTED = 0, 1  # PARAM_ACK
VALUE_BYTES = 128


class Setting(NamedTuple):
    """One number that a ground station may set.

    Attributes:
        name: at most 16 letters.
        title: shown to the user, with the unit.
        attribute: of the object that has the value.
        low, high, step: what values it may have.
    """

    name: str
    title: str
    attribute: str
    low: float
    high: float
    step: float


SETTINGS = (
    Setting("LINK_DELAY", "Age of the picture that is clicked on (s)", "link_delay_s", 0, 10, 0.05),
)


def definition(model: str, version: int, camera: Any) -> bytes:
    """The definition file.

    Args:
        model: of the camera.
        version: of the file, as CAMERA_INFORMATION states it.
        camera: has the settings' attributes; their values now are the defaults.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8" ?>',
        "<mavlinkcamera>",
        f'  <definition version="{version}">',
        f"    <model>{escape(model)}</model>",
        "    <vendor>Hotpath</vendor>",
        "  </definition>",
        "  <parameters>",
    ]
    for each in SETTINGS:
        lines += [
            f'    <parameter name="{each.name}" type="float" '
            f'default="{getattr(camera, each.attribute):g}" min="{each.low:g}" max="{each.high:g}" '
            f'step="{each.step:g}">',
            f"      <description>{escape(each.title)}</description>",
            "    </parameter>",
        ]
    lines += ["  </parameters>", "</mavlinkcamera>", ""]
    return "\n".join(lines).encode("utf-8")


class Settings:
    """Answers PARAM_EXT_REQUEST_LIST, PARAM_EXT_REQUEST_READ and PARAM_EXT_SET.

    Args:
        camera: has the settings' attributes.
        system, component: ours.
    """

    def __init__(self, camera: Any, system: int, component: int) -> None:
        self._camera, self._system, self._component = camera, system, component

    def receive(self, message: Message) -> List[Outgoing]:
        """The answers to one message; none where it is not for us or not of this protocol."""
        fields = message.fields
        if not message.name.startswith("PARAM_EXT_") or "target_system" not in fields:
            return []
        if fields["target_system"] not in (0, self._system):
            return []
        if fields["target_component"] not in (0, self._component):
            return []
        if message.name == "PARAM_EXT_REQUEST_LIST":
            return [self._value(index) for index in range(len(SETTINGS))]
        index = _index_of(fields)
        if index is None:
            return []
        if message.name == "PARAM_EXT_REQUEST_READ":
            return [self._value(index)]
        if message.name == "PARAM_EXT_SET":
            return [self._set(index, fields)]
        return []

    def _value(self, index: int) -> Outgoing:
        setting = SETTINGS[index]
        return "PARAM_EXT_VALUE", {
            "param_id": setting.name.encode("ascii"),
            "param_value": _packed(getattr(self._camera, setting.attribute)),
            "param_type": REAL32,
            "param_count": len(SETTINGS),
            "param_index": index,
        }

    def _set(self, index: int, fields: Dict[str, Any]) -> Outgoing:
        setting = SETTINGS[index]
        (value,) = struct.unpack_from("<f", fields["param_value"].ljust(VALUE_BYTES, b"\0"))
        good = fields["param_type"] == REAL32 and math.isfinite(value)
        good = good and setting.low <= value <= setting.high
        if good:
            setattr(self._camera, setting.attribute, value)
        return "PARAM_EXT_ACK", {
            "param_id": setting.name.encode("ascii"),
            "param_value": _packed(getattr(self._camera, setting.attribute)),
            "param_type": REAL32,
            "param_result": ACCEPTED if good else VALUE_UNSUPPORTED,
        }


def _packed(value: float) -> bytes:
    return struct.pack("<f", value).ljust(VALUE_BYTES, b"\0")


def _index_of(fields: Dict[str, Any]) -> Optional[int]:
    """Place of the setting that a message names, by its number or by its name."""
    number = fields.get("param_index", -1)
    if 0 <= number < len(SETTINGS):
        return int(number)
    name = fields["param_id"]
    name = name if isinstance(name, str) else bytes(name).decode("ascii", "replace")
    names = [setting.name for setting in SETTINGS]
    name = name.rstrip("\0")
    return names.index(name) if name in names else None
