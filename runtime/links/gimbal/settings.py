"""Read the numbers of the gimbal's control from TOML; every key is explained in gimbal.toml."""

import pathlib
from typing import Any, Dict, Optional

from boards import toml
from runtime.errors import HotpathError

DEFAULTS = pathlib.Path(__file__).resolve().parent / "gimbal.toml"

RANGES = {  # key -> lowest, highest value
    "pid": {
        "kp": (0.0, 50.0),
        "ki": (0.0, 50.0),
        "kd": (0.0, 5.0),
        "integral": (0.0, 360.0),
        "feed_forward": (0.0, 2.0),
    },
    "target": {"alpha": (0.01, 1.0), "beta": (0.0, 1.0), "rate": (0.0, 720.0)},
    "limits": {
        "yaw_rate": (0.1, 720.0),
        "pitch_rate": (0.1, 720.0),
        "slew": (1.0, 1e5),
        "dead_band": (0.0, 20.0),
        "pitch_min": (-180.0, 180.0),
        "pitch_max": (-180.0, 180.0),
    },
    "delay": {"command": (0.0, 2.0), "feedback": (0.0, 10.0)},
    "lost": {
        "unsure": (0.0, 1.0),
        "unsure_gain": (0.0, 1.0),
        "hold": (0.0, 60.0),
        "coast": (0.0, 60.0),
        "link": (0.1, 60.0),
    },
}


class BadSettings(HotpathError):
    """A file of the gimbal's numbers that can't be used."""


def load_settings(path: Optional[str] = None) -> Dict[str, Dict[str, float]]:
    """The numbers: the defaults, with those of a file in their place.

    Returns:
        dict of section -> dict of key -> number, as in gimbal.toml.

    Raises:
        BadSettings: no such file, no TOML, an unknown key, or a value out of its range.
    """
    settings = toml.read(DEFAULTS, BadSettings)
    _check(settings, DEFAULTS)
    if path:
        own = toml.read(pathlib.Path(path), BadSettings)
        _check(own, path)
        for section, values in own.items():
            settings[section].update(values)
    limits = settings["limits"]
    if limits["pitch_min"] >= limits["pitch_max"]:
        raise BadSettings(f"{path}: limits.pitch_min must be below limits.pitch_max")
    return settings


def _check(settings: Dict[str, Any], path: Any) -> None:
    for section, values in settings.items():
        if section not in RANGES or not isinstance(values, dict):
            raise BadSettings(
                "{}: unknown section [{}]; there are {}".format(
                    path, section, ", ".join(sorted(RANGES))
                )
            )
        for key, value in values.items():
            if key not in RANGES[section]:
                raise BadSettings(
                    "{}: unknown key {} in [{}]; there are {}".format(
                        path, key, section, ", ".join(sorted(RANGES[section]))
                    )
                )
            low, high = RANGES[section][key]
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not good or not low <= value <= high:
                raise BadSettings(
                    f"{path}: {section}.{key} must be a number from {low:g} to {high:g}, not "
                    f"{value!r}"
                )
