"""What tests of the training need: pictures, a teacher that knows brightness, a network, logs."""

import json

import cv2
import numpy as np
import torch

from calib.research.train.network import Kestrel
from tests.support import tiny


def used_network(**config):
    """A ``Kestrel`` whose batch norms have seen something."""
    torch.manual_seed(3)
    network = Kestrel(**config).train()
    for _ in range(4):
        network(torch.randn(3, 3, 127, 127), torch.randn(3, 3, 255, 255) * 2)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.2)
    return network.eval()


def read_log(path):
    """The objects of a run's log."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_training(folder):
    """Write ``images`` and the tiny network into a folder."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(60):
        picture = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120))
        cv2.imwrite(str(folder / "images" / f"{i:02d}.png"), picture)
    tiny.write_network(folder)
