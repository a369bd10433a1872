"""Crops for calibration have the colours that the tracker gives the network."""

from types import SimpleNamespace

import numpy as np
import pytest

from hotpath.calib.crops import _cut
from hotpath.kernels import cpu


@pytest.mark.parametrize("border, value", [("mean", 100), ("mean_rounded", 101), ("zero", 0)])
def test_the_colour_outside_the_frame_is_the_networks(border, value):
    frame = np.full((60, 80, 3), 100, np.uint8)
    frame[:36] = 101  # mean 100.6
    network = SimpleNamespace(border=border, channels="BGR")
    tracker = SimpleNamespace(network=network, device=SimpleNamespace(kernels=cpu.load()))
    assert (_cut(tracker, frame, (200, 200, 32, 32), 32) == value).all()
