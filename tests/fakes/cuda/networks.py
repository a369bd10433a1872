"""Networks for the tests of the GPU kernels: the values of a TOML, written in Python."""

from collections import namedtuple

DEFAULTS = {
    "name": "tiny",
    "family": "points",
    "exemplar": 127,
    "search": 255,
    "crop": "square",
    "context": 0.5,
    "corner": "(s+1)/2",
    "rounding": "half_up",
    "resample": "resize",
    "border": "mean",
    "channels": "BGR",
    "mean": (0.0, 0.0, 0.0),
    "scale": (1.0, 1.0, 1.0),
    "box_centre": "(w-1)/2",
    "box_corner": "w/2",
    "stride": 16,
    "map_size": 16,
    "score": "softmax",
    "quality": "none",
    "inclusive": False,
    "penalty": 0.15,
    "window": 0.49,
    "lr": 0.385,
    "lr_power": 1,
    "min_size": 10.0,
    "clip": "centre",
    "box_pixels": "exact",
    "lost_below": 0.0,
    "hold_below": 0.0,
    "hold_widen": 1.05,
    "hold_limit": 1.4,
}

Network = namedtuple("Network", sorted(DEFAULTS))


def network(**changes):
    """A network like those of ``runtime.networks``, with some values changed."""
    return Network(**dict(DEFAULTS, **changes))
