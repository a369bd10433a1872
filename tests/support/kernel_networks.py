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
    "exemplar_factor": 0.0,
    "search_factor": 0.0,
    "exemplar_margin": 0.0,
    "search_margin": 0.0,
    "ratios": (),
    "scales": (8.0,),
    "score_power": 0,
    "vote": "product",
    "min_score": 0.0,
    "relative_to": "target",
    "output": "two_maps",
    "cell_centre": 0.0,
    "penalty": 0.15,
    "window_influence": 0.49,
    "size_lr": 0.385,
    "size_lr_power": 1,
    "min_size": 10.0,
    "clip": "centre",
    "box_pixels": "exact",
    "can_be_lost": False,
    "search_lost_below": 0.0,
    "look_above": 0.3,
    "found_above": 0.0,
    "same_share": 0.0,
    "peak_share": 0.2,
    "wider_below": 0.0,
    "negatives": None,
    "point_prompt": None,
}
LOSSY = {"can_be_lost": True, "search_lost_below": 0.5, "found_above": 0.6}  # what tells a loss

Network = namedtuple("Network", sorted(DEFAULTS))


def network(**changes):
    """A network like those of ``hotpath.runtime.networks``, with some values changed."""
    return Network(**dict(DEFAULTS, **changes))
