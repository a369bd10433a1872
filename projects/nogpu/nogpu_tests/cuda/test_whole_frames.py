"""Whole frames of every network's family on the GPU path give the boxes of the host's tracker.

The kernels run on the processor, under the real PyCUDA (``hotpath_nogpu.cuda.clip``).
"""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.graphs import assemble
from hotpath.runtime.devices.gpu import SELECTS
from hotpath.runtime.errors import BadNetwork
from hotpath_nogpu.gpu import python
from tests.support import blobs
from tests.support.described import load_network, names
from tests.support.examples import count, few_of

CLIPS = ("otb-Couple", "otb-David")


def track(network, clips, **options):
    """The report of ``hotpath_nogpu.cuda.clip``, a dict for each clip."""
    options.update(network=str(network), clips=[str(clip) for clip in clips])
    return json.loads(python(["-m", "hotpath_nogpu.cuda.clip", json.dumps(options)]))


def check(report, moves=True):
    """Check that all boxes are the host's, and what a frame costs."""
    for clip in report:
        found, wanted = (
            np.array([track[0] for track in clip[side]]) for side in ("found", "wanted")
        )
        assert not moves or len({tuple(box) for box in found}) > len(found) // 2
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
        for one, other in zip(clip["found"], clip["wanted"]):
            assert abs(one[1] - other[1]) < 1e-5 and one[2] == other[2]
        check_cost(clip["frame"], 1)


def check_cost(frame, targets):
    """One upload of pixels and one of records; gather, crop, and perhaps select."""
    assert frame["allocations"] == 0 and frame["uploads"] == 2
    assert frame["synchronisations"] == 1 and frame["launches"] >= 2


def located(name, folder):
    """The network, or None where its files are not at hand."""
    network = load_network(name)
    try:
        assemble.build(network, network.locate(folder))
    except BadNetwork:  # no files, or an onnx that is too old for a quantised one
        return None
    return network


FAMILIES = {*SELECTS, "anchors", "corners", "response"}  # the processor selects in the last three
NAMES = [name for name in names() if load_network(name).family in FAMILIES]
FEW = [name for name in blobs.FEW if name in NAMES]


@pytest.mark.parametrize("name", few_of(NAMES, FEW, "a network of the same family is tested"))
def test_boxes_are_the_hosts(name, tmp_path, clips_dir, networks_dir):
    clips = [clips_dir / clip for clip in CLIPS[: count(1, 2)]]
    if located(name, networks_dir):
        report = track(name, clips, files=str(networks_dir), frames=count(15, 60))
    else:
        report = track(blobs.write_network(tmp_path, name), clips[:1], frames=count(15, 20))
    check(report)


def test_a_hidden_target_is_lost_as_the_host_says(clips_dir):
    report = track("kestrel", [clips_dir / CLIPS[0]], frames=25, hidden=True)
    check(report, moves=False)
    assert {track[2] for track in report[0]["found"]} == {False, True}


# networks of each family
SEVERAL = ["kestrel", "lightfc", "siamrpn_alexnet", "stark_s50"]


@pytest.mark.parametrize("name", few_of(SEVERAL, ["kestrel", "lightfc"], "as they"))
def test_each_of_several_targets_is_found_as_alone_on_the_host(name, tmp_path, clips_dir):
    toml = name if name == "kestrel" else blobs.write_network(tmp_path, name)
    (clip,) = track(toml, [clips_dir / CLIPS[1]], frames=8, targets=3)
    wanted = [list(boxes) for boxes in clip["wanted"]]
    last = len(wanted) - 1
    for index, found in enumerate(clip["found"]):
        for number, box in found.items():
            at = index - 2 if int(number) == last else index  # the last target comes 2 late
            np.testing.assert_allclose(box, wanted[int(number)][at], rtol=0, atol=2e-3)
    assert "0" in clip["found"][0] and "0" not in clip["found"][-1]
    assert len({tuple(box) for box in clip["found"][-1].values()}) == last
    check_cost(clip["frame"], last)


def check_equality(networks, clips, frames):
    """Check states, boxes and presence of the defaults, also after losses."""
    for name in networks:
        options = {"network": name, "clips": [str(clip) for clip in clips], "frames": frames}
        said = python(["-m", "hotpath_nogpu.cuda.equality", json.dumps(options)], timeout=3000)
        reports = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert len(reports) == len(clips) and sum(report["lost"] for report in reports) > 10
        for report in reports:
            assert report["states_apart"] == 0 and report["box_px"] <= 1e-4, report
            assert report["score"] <= 1e-5 and report["presence"] <= 1e-4, report
            assert report["synchronisations"] == 1 and report["allocations"] == 0, report


def test_the_defaults_judge_a_loss_as_the_host_does(clips_dir):
    check_equality(["kestrel_fast"], [clips_dir / CLIPS[1]], 90)


@pytest.mark.slow("300 frames of each development clip")
def test_the_defaults_say_of_every_clip_what_the_host_says(clips_dir):
    clips = sorted(path.parent for path in clips_dir.glob("*/boxes.csv"))
    check_equality(["kestrel", "kestrel_fast", "kestrel_small"], clips, 300)
