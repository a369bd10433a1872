"""What tests of the training need: pictures, a network that has seen something, logs."""

import json

import cv2
import numpy as np
import torch

from hotpath_research.train.network import Kestrel

TEACHER = "kestrel"  # it ships, and has LightFC's blocks


def used_network(**config):
    """A ``Kestrel`` whose batch norms have seen something."""
    torch.manual_seed(3)
    network = Kestrel(**config).train()
    for _ in range(3):
        network(torch.randn(3, 3, 128, 128), torch.randn(3, 3, 256, 256) * 2)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.2)
    return network.eval()


def read_log(path):
    """The objects of a run's log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_training(folder):
    """Write ``images`` into a folder, and ``videos`` with a square that moves."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(60):
        picture = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120))
        cv2.imwrite(str(folder / "images" / f"{i:02d}.png"), picture)
    (folder / "videos").mkdir()
    for name in ("one", "two"):
        writer = cv2.VideoWriter(
            str(folder / "videos" / f"{name}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (200, 150)
        )
        ground = cv2.resize(rng.integers(0, 90, (15, 20, 3), np.uint8), (200, 150))
        for frame in range(12):
            picture = ground.copy()
            picture[60:100, 40 + 6 * frame : 80 + 6 * frame] = (60, 200, 240)
            writer.write(picture)
        writer.release()
