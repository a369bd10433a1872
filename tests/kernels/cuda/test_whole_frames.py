"""Whole frames of every network's family on the GPU path give the boxes of the host's tracker.

The kernels run on the processor, under the real PyCUDA (``tests.fakes.cuda.clip``).
"""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime.networks import load_network, names
from tests.support import blobs
from tests.support.fake_gpu import python

CLIPS = ("otb-Couple", "otb-David")


def track(network, clips, **options):
    """The report of ``tests.fakes.cuda.clip``."""
    options.update(network=str(network), clips=[str(clip) for clip in clips])
    return json.loads(python(["-m", "tests.fakes.cuda.clip", json.dumps(options)]))


def check(report, launches=2):
    """Check that all boxes are the host's, and what a frame costs."""
    for clip in report:
        found, wanted = (
            np.array([track[0] for track in clip[side]]) for side in ("found", "wanted")
        )
        assert len({tuple(box) for box in found}) > len(found) // 2  # it moves
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
        for one, other in zip(clip["found"], clip["wanted"]):
            assert abs(one[1] - other[1]) < 1e-5 and one[2] == other[2]
        frame = clip["frame"]
        assert frame["launches"] == launches and frame["allocations"] == 0
        assert frame["uploads"] == frame["downloads"] == frame["synchronisations"] == 1
        assert frame["download_bytes"] == 64


def located(name, folder):
    """The network, or None where its files are not at hand."""
    network = load_network(name)
    try:
        network.locate(folder)
    except Exception:
        return None
    return network


ON_GPU = [name for name in names() if name != "dcfnet"]  # which learns in every frame
# Launches of our own beyond crop and select.
MORE_LAUNCHES = {"response": 2}  # enlarge, place


@pytest.mark.parametrize("name", ON_GPU)
def test_boxes_are_the_hosts(name, tmp_path, clips_dir, networks_dir):
    clips = [clips_dir / clip for clip in CLIPS]
    if located(name, networks_dir):
        report = track(name, clips, files=str(networks_dir), frames=60)
    else:
        report = track(blobs.write_network(tmp_path, name), clips[:1], frames=30)
    check(report, 2 + MORE_LAUNCHES.get(load_network(name).family, 0))
