"""A network small enough to be built in a test, with a known right answer, and a film for it."""

import cv2
import numpy as np
import onnx

from tests.support.models import model_of

BOX = 62.0  # search pixels: size of the exemplar's box there (127 / 2, less rounding)

TOML = """
family = "points"
[input]
exemplar = 127
search = 255
[head]
stride = 16
map_size = 16
score = "softmax"
[tracking]
penalty = 0.1
window_influence = 0.3
size_lr = 0.3
[[file]]
part = "backbone"
name = "tiny_backbone.onnx"
[[file]]
part = "head"
name = "tiny_head.onnx"
"""


# of a network that can lose a target: keys of [tracking]
LOSSY = {"search_lost_below": 0.4, "look_above": 0.3, "found_above": 0.6}


def watched(toml=TOML, **values):
    """The TOML with more keys of [tracking]."""
    lines = "".join("{} = {}\n".format(*item) for item in values.items())
    return toml.replace("[[file]]", lines + "[[file]]", 1)


def write_network(folder, toml=TOML):
    """Write the TOML and both ONNX files; returns the TOML's path."""
    onnx.save(backbone(), str(folder / "tiny_backbone.onnx"))
    onnx.save(head(), str(folder / "tiny_head.onnx"))
    path = folder / "tiny.toml"
    path.write_text(toml)
    return path


def backbone(opset=11):
    """(1, 3, 255, 255) picture -> (1, 3, 16, 16): blue, green and red, about zero."""
    weights = np.zeros((3, 3, 63, 63), np.float32)
    for channel in range(3):
        weights[channel, channel] = 1 / 63.0**2 / 128
    bias = np.full(3, -0.75, np.float32)
    sizes = {"strides": [16, 16], "pads": [31, 31, 31, 31]}
    nodes = [("Conv", ["image", "w", "b"], ["features"], sizes)]
    ends = {"image": (1, 3, 255, 255)}, {"features": (1, 3, 16, 16)}
    return model_of(nodes, *ends, {"w": weights, "b": bias}, opset)


def blinded():
    """``backbone``, whose features are no numbers where the whole picture is white."""
    model = backbone()
    model.graph.node[0].output[0] = "seen"
    constants = {"white": np.float32(255), "zero": np.float32(0)}
    nodes = [
        ("ReduceMin", ["image"], ["least"]),
        ("Sub", ["white", "least"], ["below"]),
        ("Div", ["zero", "below"], ["number"]),
        ("Add", ["seen", "number"], ["features"]),
    ]
    more = model_of(nodes, {}, {}, constants, 11).graph
    model.graph.node.extend(more.node)
    model.graph.initializer.extend(more.initializer)
    return model


def head(channels=3):
    """Features of exemplar and search -> class map (1, 2, 16, 16) and distances (1, 4, 16, 16)."""
    nodes = [
        ("GlobalMaxPool", ["z"], ["pooled"]),
        ("Reshape", ["pooled", "row"], ["kernel"]),
        ("Reshape", ["x", "columns"], ["cells"]),
        ("MatMul", ["kernel", "cells"], ["response"]),
        ("Reshape", ["response", "map"], ["target"]),
        ("Neg", ["target"], ["other"]),
        ("Concat", ["other", "target"], ["cls"], dict(axis=1)),
        ("Conv", ["x", "zero", "log"], ["logs"]),
        ("Exp", ["logs"], ["loc"]),
    ]
    constants = {
        "row": np.array([1, 1, channels], np.int64),
        "columns": np.array([1, channels, 256], np.int64),
        "map": np.array([1, 1, 16, 16], np.int64),
        "zero": np.zeros((4, channels, 1, 1), np.float32),
        "log": np.full(4, np.log(BOX / 2), np.float32),
    }
    inputs = {"z": (1, channels, 8, 8), "x": (1, channels, 16, 16)}
    return model_of(nodes, inputs, {"cls": (1, 2, 16, 16), "loc": (1, 4, 16, 16)}, constants, 11)


def film(frames=30, width=320, height=240, side=40, gone=()):
    """A bright square that drifts over a dark, faintly textured picture, but in frames ``gone``."""
    noise = np.random.RandomState(7)
    ground = noise.randint(20, 50, (height, width, 3)).astype(np.uint8)
    pictures, boxes = [], []
    for index in range(frames):
        x = int(width * 0.3 + width * 0.3 * np.sin(index / 40.0))
        y = int(height * 0.3 + height * 0.2 * np.sin(index / 50.0))
        picture = ground.copy()
        if index not in gone:
            picture[y : y + side, x : x + side] = (210, 220, 230)
        pictures.append(picture)
        boxes.append((float(x), float(y), float(side), float(side)))
    return pictures, boxes


class Vanishing:
    """The film as a clip; its target is away for 30 frames after a third of it.

    Attributes:
        boxes: NaN while it is away.
        gone: bool (frames,), True while it is away.
    """

    name = "film"

    def __init__(self, frames):
        away = range(frames // 3, frames // 3 + 30)
        self.frames, boxes = film(frames, gone=away)
        self.boxes = np.array(boxes)
        self.boxes[away.start : away.stop] = np.nan
        self.gone = np.isnan(self.boxes[:, 0])

    def __len__(self):
        return len(self.frames)

    def __iter__(self):
        return iter([frame.copy() for frame in self.frames])


def write_video(path, pictures, fps=25):
    """A Motion JPEG video by OpenCV."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()


def write_pictures(folder, pictures):
    """Write pictures into a folder, which is made; returns it."""
    folder.mkdir(exist_ok=True)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{index:04d}.png"), picture)
    return folder


def boxes_of(tracker, pictures, boxes):
    """The boxes that a tracker finds after a film's first one, (frames - 1, 4); closes it."""
    tracker.init(pictures[0], boxes[0])
    found = np.array([tracker.update(picture).box for picture in pictures[1:]])
    tracker.close()
    return found


def write_world(folder, frames):
    """Write the network, and its film as pictures and as a video; returns the true boxes."""
    write_network(folder)
    pictures, boxes = film(frames)
    write_pictures(folder / "frames", pictures)
    write_video(folder / "film.avi", pictures)
    return np.array(boxes)
