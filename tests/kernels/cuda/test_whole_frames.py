"""Whole frames of every network's family on the GPU path give the boxes of the host's tracker.

The kernels run on the processor, under the real PyCUDA (``tests.fakes.cuda.clip``).
"""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from runtime.errors import BadNetwork
from runtime.graphs import assemble
from runtime.networks import load_network
from tests.kernels.cuda.test_cupy_launch import STAND_IN
from tests.support import blobs
from tests.support.examples import count, few_of
from tests.support.fake_gpu import SITE, python

CLIPS = ("otb-Couple", "otb-David")


def track(network, clips, **options):
    """The report of ``tests.fakes.cuda.clip``, a dict for each clip."""
    options.update(network=str(network), clips=[str(clip) for clip in clips])
    site = STAND_IN if options.get("library") == "cupy" else SITE
    told = json.loads(python(["-m", "tests.fakes.cuda.clip", json.dumps(options)], site=site))
    assert told.pop() == options.get("library", "pycuda")
    return told


def check(report, launches=2, moves=True):
    """Check that all boxes are the host's, and what a frame costs."""
    for clip in report:
        found, wanted = (
            np.array([track[0] for track in clip[side]]) for side in ("found", "wanted")
        )
        assert not moves or len({tuple(box) for box in found}) > len(found) // 2
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
        assemble.build(network, network.locate(folder))
    except BadNetwork:  # no files, or an onnx that is too old for a quantised one
        return None
    return network


def own_launches(name):
    """How often a frame launches kernels of our own."""
    # crop, select; of a response also enlarge, place
    return 4 if load_network(name).family == "response" else 2


@pytest.mark.parametrize("name", blobs.each_network())
def test_boxes_are_the_hosts(name, tmp_path, clips_dir, networks_dir):
    clips = [clips_dir / clip for clip in CLIPS[: count(1, 2)]]
    if located(name, networks_dir):
        report = track(name, clips, files=str(networks_dir), frames=count(15, 60))
    else:
        report = track(blobs.write_network(tmp_path, name), clips[:1], frames=count(15, 20))
    check(report, own_launches(name))


@pytest.mark.parametrize("name", few_of(["siamdw", "stark_s50"], ["stark_s50"], "as by PyCUDA"))
def test_boxes_through_cupy_are_the_hosts(name, tmp_path, clips_dir):
    toml = blobs.write_network(tmp_path, name)
    report = track(toml, [clips_dir / CLIPS[0]], frames=12, library="cupy")
    check(report, own_launches(name))


def test_a_hidden_target_is_lost_as_the_host_says_with_two_frames_in_flight(
    clips_dir, networks_dir
):
    report = track(
        "siamfc_015",
        [clips_dir / CLIPS[0]],
        files=str(networks_dir),
        frames=25,
        pipeline=2,
        hidden=True,
    )
    check(report, 4, moves=False)
    assert {track[2] for track in report[0]["found"]} == {False, True}


# A network of each family, and whether its graph takes several targets in one call.
GROUPS = {"siamrpn_alexnet": True, "lightfc": True, "stark_s50": True, "kestrel": True}


def check_group(clip, launches, batched):
    """Check that a group's boxes are those of each target alone; the last target comes 2 late.

    Args:
        clip: a dict of the report.
        launches: those of a frame with one target.
        batched: whether the network is one call.
    """
    wanted = [list(boxes) for boxes in clip["wanted"]]
    last = len(wanted) - 1
    for index, found in enumerate(clip["found"]):
        for number, box in found.items():
            at = index - 2 if int(number) == last else index
            np.testing.assert_allclose(box, wanted[int(number)][at], rtol=0, atol=1e-4)
    assert "0" in clip["found"][0] and "0" not in clip["found"][-1]
    assert len({tuple(box) for box in clip["found"][-1].values()}) == last
    frame = clip["frame"]
    assert frame["launches"] == launches and frame["allocations"] == 0
    assert frame["uploads"] == frame["downloads"] == frame["synchronisations"] == 1
    assert frame["download_bytes"] == 64 * last
    assert batched != any("once for each target" in sentence for sentence in clip["said"])


@pytest.mark.parametrize("name", few_of(sorted(GROUPS), ["kestrel", "lightfc"], "as they"))
def test_a_group_of_targets_finds_what_each_finds_alone(name, tmp_path, clips_dir, networks_dir):
    toml = name if name == "kestrel" else blobs.write_network(tmp_path, name)
    report = track(toml, [clips_dir / CLIPS[1]], frames=8, targets=3)
    check_group(report[0], own_launches(name), GROUPS[name])


@pytest.mark.parametrize(
    "name, targets, launches, library", [("stark_s50", 3, 2, "cupy"), ("siamdw", 2, 4, "pycuda")]
)
def test_a_group_through_cupy_and_one_that_is_searched_for_at_several_sizes(
    tmp_path, clips_dir, name, targets, launches, library
):
    toml = blobs.write_network(tmp_path, name)
    options = {"frames": 6, "targets": targets, "library": library}
    check_group(track(toml, [clips_dir / CLIPS[0]], **options)[0], launches, True)
