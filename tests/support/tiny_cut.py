"""The network of ``tiny``, with a head that convolves by the exemplar's features."""

import numpy as np
import onnx

from tests.support import tiny
from tests.support.models import model_of

NAME = "tiny_cut"


def write_network(folder, toml=tiny.TOML):
    """Write the TOML and both ONNX files; returns the TOML's path."""
    toml = toml.replace("tiny_head", "tiny_cut_head")
    onnx.save(tiny.backbone(opset=14), str(folder / "tiny_backbone.onnx"))
    onnx.save(head(), str(folder / "tiny_cut_head.onnx"))
    path = folder / (NAME + ".toml")
    path.write_text(toml)
    return path


def head():
    """Exemplar and search features -> class map (1, 2, 16, 16) and distances (1, 4, 16, 16)."""
    nodes = [
        ("Slice", ["z", "first", "last", "axes"], ["middle"]),
        ("Reshape", ["middle", "depthwise"], ["kernel"], dict(allowzero=0)),
        ("Conv", ["x", "kernel"], ["dw"], dict(group=3, pads=[1, 1, 1, 1])),
        ("HardSwish", ["dw"], ["swished"]),
        ("Conv", ["swished", "ones"], ["each"]),
        ("Conv", ["x", "middle", "bias"], ["loud"], dict(pads=[1, 1, 1, 1])),
        ("Mul", ["loud", "calm"], ["all"]),
        ("Add", ["each", "all"], ["target"]),
        ("Neg", ["target"], ["other"]),
        ("Concat", ["other", "target"], ["cls"], dict(axis=1)),
        ("Conv", ["x", "zero", "log"], ["logs"]),
        ("Exp", ["logs"], ["loc"]),
    ]
    constants = {
        "first": np.array([2, 2], np.int64),
        "last": np.array([5, 5], np.int64),
        "axes": np.array([2, 3], np.int64),
        "depthwise": np.array([3, 1, 3, 3], np.int64),
        "ones": np.full((1, 3, 1, 1), 0.1, np.float32),
        "calm": np.full(1, 0.1, np.float32),  # so that the softmax does not saturate
        "bias": np.full(1, -0.5, np.float32),
        "zero": np.zeros((4, 3, 1, 1), np.float32),
        "log": np.full(4, np.log(tiny.BOX / 2), np.float32),
    }
    ends = {"z": (1, 3, 8, 8), "x": (1, 3, 16, 16)}, {"cls": (1, 2, 16, 16), "loc": (1, 4, 16, 16)}
    return model_of(nodes, *ends, constants, 14)
