"""Read the numbers of the control from TOML; gimbal.toml explains every key."""

import pathlib
from typing import Dict, List, Optional, Tuple

from hotpath.links import Key, Mistake, read_section, read_toml, sentence
from hotpath.runtime.errors import HotpathError

DEFAULTS = pathlib.Path(__file__).resolve().parent / "gimbal.toml"

RANGES: Dict[str, Dict[str, Tuple[float, float]]] = {  # key -> lowest, highest value
    "pid": dict(kp=(0, 50), ki=(0, 50), kd=(0, 5), integral=(0, 360), feed_forward=(0, 2)),
    "target": {"alpha": (0.01, 1), "beta": (0, 1), "rate": (0, 720)},
    "limits": {
        "yaw_rate": (0.1, 720),
        "pitch_rate": (0.1, 720),
        "slew": (1, 1e5),
        "dead_band": (0, 20),
        "pitch_min": (-180, 180),
        "pitch_max": (-180, 180),
    },
    "delay": {"feedback": (0, 10)},
    "lost": {"link": (0.1, 60)},
}


class BadSettings(HotpathError):
    """A file of the control's numbers that can't be used."""


def load_settings(path: Optional[str] = None) -> Dict[str, Dict[str, float]]:
    """The numbers: the defaults, with those of a file in their place.

    Returns:
        dict of section -> dict of key -> number, as in the file of the defaults.

    Raises:
        BadSettings: no such file, no TOML, an unknown key, or a value out of its range.
    """
    settings = read_toml(DEFAULTS, BadSettings)
    if path:
        own = read_toml(pathlib.Path(path), BadSettings)
        mistakes: List[Mistake] = []
        for section, defaults in settings.items():
            keys = {
                key: Key(float, defaults[key], low=low, high=high)
                for key, (low, high) in RANGES[section].items()
                if key in defaults
            }
            given = own.pop(section, {})
            if not isinstance(given, dict):
                raise BadSettings(f"{path}: {section} must be a section, [{section}]")
            settings[section] = read_section(section, keys, given, mistakes)
        if own:
            there = ", ".join(settings)
            raise BadSettings(
                f"{path}: unknown section [{next(iter(own))}]; there are {there}",
                what="unknown section",
            )
        if mistakes:
            raise BadSettings(
                f"{path}: {sentence(mistakes[0])}; correct the file", what="wrong value"
            )
    limits = settings["limits"]
    if limits["pitch_min"] >= limits["pitch_max"]:
        raise BadSettings(
            f"{path}: limits.pitch_min must be below limits.pitch_max", what="wrong limits"
        )
    return settings
