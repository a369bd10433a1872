"""A detector small enough to be built in a test, with a known right answer, and frames for it."""

import numpy as np
import onnx

from tests.support.models import model_of

SIDE, CELLS = 128, 16  # input pixels, cells a side
BOX = 0.1875  # of the picture's side: 24 of 128 pixels

TOML = """
family = "yolox"
classes = "colours.toml"
[input]
side = [128, 128]
scale = [0.00392156862745098, 0.00392156862745098, 0.00392156862745098]
[detection]
strides = [8]
score = 0.5
overlap = 0.2
[[file]]
name = "tiny_detector.onnx"
"""


def write_detector(folder, toml=TOML):
    """Write the TOML, the names of its classes and the ONNX file; returns the TOML's path."""
    onnx.save(model(), str(folder / "tiny_detector.onnx"))
    (folder / "colours.toml").write_text('names = ["blue", "red"]\n')
    path = folder / "tiny_detector.toml"
    path.write_text(toml)
    return path


def model():
    """(1, 3, 128, 128) blue, green, red, 0 to 1 -> (1, 256, 7)."""
    # no offset, the logarithm of the size in strides of 8 pixels, and an object everywhere
    places = np.zeros((1, 5, CELLS, CELLS), np.float32)
    places[:, 2:4] = np.log(BOX * CELLS)
    places[:, 4] = 1
    colours = np.zeros((2, 3, 1, 1), np.float32)
    colours[0, 0] = colours[1, 2] = 1
    # a cell's value is the mean of the box around its corner, so that a whole square is brightest
    pool = {"kernel_shape": [24, 24], "strides": [8, 8], "pads": [12, 12, 4, 4]}
    nodes = [
        ("AveragePool", ["image"], ["cells"], dict(pool, count_include_pad=1)),
        ("Conv", ["cells", "colours"], ["classes"]),
        ("Concat", ["places", "classes"], ["maps"], dict(axis=1)),
        ("Reshape", ["maps", "shape"], ["rows"]),
        ("Transpose", ["rows"], ["out"], dict(perm=[0, 2, 1])),
    ]
    ends = {"image": (1, 3, SIDE, SIDE)}, {"out": (1, CELLS * CELLS, 7)}
    constants = {"places": places, "colours": colours, "shape": np.array([1, 7, CELLS * CELLS])}
    return model_of(nodes, *ends, constants, 11)


def frame(squares, width=256, height=256):
    """Squares on black, BGR uint8 (height, width, 3)."""
    picture = np.zeros((height, width, 3), np.uint8)
    for colour, x, y in squares:
        w, h = int(BOX * width), int(BOX * height)
        picture[y : y + h, x : x + w, {"blue": 0, "red": 2}[colour]] = 255
    return picture
