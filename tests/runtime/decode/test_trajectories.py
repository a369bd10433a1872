"""Whole frames with crop and select in C++ give the boxes of the definitions, on real clips."""

import itertools

import numpy as np
import pytest

from hotpath.kernels import cpu
from hotpath.kernels.cpu import interface
from hotpath.runtime import engines
from hotpath.runtime.devices.processor import CpuDevice
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.tracker.tracker import Tracker
from tests.support import blobs
from tests.support.clips import clip_at
from tests.support.described import load_network, names
from tests.support.examples import count, few_of
from tests.support.needs import needs_kernels

CLIPS = ("otb-Couple", "otb-David")
FRAMES = count(20, 60)


@pytest.fixture(scope="module")
def kernels():
    needs_kernels()
    return cpu.load()


@pytest.fixture(scope="module")
def clips(clips_dir):
    """The first frames of each clip, with its first box."""
    found = []
    for name in CLIPS:
        clip = clip_at(clips_dir / name)
        found.append((list(itertools.islice(clip, FRAMES)), clip.boxes[0]))
    return found


def located(name, networks_dir, tmp_path):
    """(network, paths of its files, clips): real files, or small ones where none are at hand."""
    network = load_network(name)
    try:
        return network, network.locate(networks_dir), len(CLIPS)
    except BadNetwork:
        network = load_network(blobs.write_network(tmp_path, name))
        return network, network.locate(tmp_path), 1


@pytest.mark.parametrize("name", few_of(names(), blobs.FEW, "its family is tested"))
def test_boxes_are_those_of_the_definitions(name, tmp_path, networks_dir, clips, kernels):
    network, paths, count = located(name, networks_dir, tmp_path)
    try:
        engine = engines.create(engines.installed()[0], network, paths)
    except BadNetwork as error:
        if "onnx 1.12 or newer" not in str(error):
            raise
        pytest.skip(str(error))
    # without C++, OpenCV warps, which differs by a grey level
    near_px, near_score = (2.0, 1e-2) if network.resample == "warp" else (1e-4, 1e-5)
    for frames, box in clips[:count]:
        fast, slow = (
            Tracker(CpuDevice(network, engine, way)) for way in (kernels, interface.CpuKernels())
        )
        fast.init(frames[0], box)
        slow.init(frames[0], box)
        boxes = []
        for frame in frames[1:]:
            found, wanted = fast.update(frame), slow.update(frame)
            np.testing.assert_allclose(found.box, wanted.box, rtol=0, atol=near_px)
            assert abs(found.score - wanted.score) < near_score and found.lost == wanted.lost
            boxes.append(tuple(found.box))
        assert len(set(boxes)) > FRAMES // 2  # it moves
    engine.close()
