"""A lost target that a GPU follows is searched for as on the host: same states, same boxes."""

import json

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from hotpath.runtime.identity import PROBATION
from hotpath.runtime.search.search import JUDGED
from hotpath_nogpu.gpu import SITE, python
from nogpu_tests.cuda.test_cupy_launch import STAND_IN
from tests.runtime.search.test_search import BACK, GONE, SEARCHED, THRESHOLDS
from tests.support import ROOT, tiny

# bytes of a download
PLACES = 4 * 312  # of four windows
ROW = 4 + 2 * 4 * 3  # of the features under a place
FEATURES = 4 * 3 * 256  # of a whole window


def track(folder, **options):
    """The report of ``hotpath_nogpu.cuda.search``."""
    if "network" not in options:
        share, proof = options.pop("share", 0.02), options.pop("proof", {})
        path = tiny.write_network(folder, tiny.watched(**THRESHOLDS, peak_share=share, **proof))
        if options.get("one_region"):  # graphs that were made ready for several are another's
            path = path.rename(folder / "apart.toml")
        options["network"] = str(path)
    site = STAND_IN if options.get("library") == "cupy" else SITE
    said = python(["-m", "hotpath_nogpu.cuda.search", json.dumps(options)], site=site)
    report = json.loads(said.splitlines()[-1])  # ONNX Runtime may warn on standard output before
    assert report["library"] == options.get("library", "pycuda")
    return report


def check(found, wanted):
    """Check that a target was lost and found where the host's tracker says so."""
    check_alike(found, wanted)
    states = [track[3] for track in found]
    assert set(states[GONE + 8 : BACK - 1]) == {"lost"}
    back = [state for state in states[BACK:] if state != "lost"]
    assert back and "lost" not in back


def check_alike(found, wanted):
    """Check that two trackers say the same of every frame."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        assert one[3] == other[3]
        np.testing.assert_allclose(one[0], other[0], rtol=0, atol=1e-4)
        assert abs(one[1] - other[1]) < 1e-5 and one[2] == other[2]
        assert abs(one[4] - other[4]) < 1e-5


KINDS = [{"kind": kind} for kind in ("bgrx", "nv12")]
LARGER = [{"change": 8}, {"change": SEARCHED + 6}]  # frames, while tracked and while lost


@pytest.mark.parametrize(
    "options", [*KINDS, *LARGER, {"windows": 4}, {"windows": 3, "one_region": True}]
)
def test_states_and_boxes_are_the_hosts(tmp_path, options):
    report = track(tmp_path, **options)
    check(report["found"], report["wanted"])
    assert report["counts"] == ([1, 2, 3, 4] if options.get("one_region") else [1, 2, 4])


def test_through_cupy_too(tmp_path):
    report = track(tmp_path, library="cupy", windows=4)
    check(report["found"], report["wanted"])


def test_a_find_on_probation_is_learnt_afterwards(tmp_path):
    proof = {"same_share": 0.3, "wider_below": 0.2}
    report = track(tmp_path, proof=proof, after=PROBATION + JUDGED)
    check_alike(report["found"], report["wanted"])
    found = [track[3] for track in report["found"]].index("unsure")  # it is hardly the target
    read = [number for number, cost in enumerate(report["costs"]) if cost["downloads"] > 1]
    assert found + PROBATION < read[-1]
    assert not any(found < number < found + PROBATION for number in read)


@pytest.mark.parametrize("share", (0.2, 0.0))
def test_features_are_downloaded_only_where_they_are_learnt(tmp_path, share):
    report = track(tmp_path, windows=4, share=share)
    check(report["found"], report["wanted"])
    learnt = [cost["downloads"] > 1 for cost in report["costs"]]
    assert 5 < sum(learnt) < len(learnt) // 2
    for number, cost in enumerate(report["costs"]):
        assert cost["launches"] == 4 and cost["allocations"] == 0  # gather, crop, places, pooling
        assert cost["uploads"] == 2 and cost["synchronisations"] == 1
        windows = 4 if cost["download_bytes"] == PLACES + 28 * ROW else 1
        read = FEATURES if learnt[number] else 0
        assert cost["download_bytes"] == PLACES + windows * 7 * ROW + read


SHIPPED = ["kestrel", "kestrel_fast", "kestrel_small"]
MOST_BYTES = 16 << 10


@pytest.mark.parametrize("name", SHIPPED)
def test_a_frame_is_one_upload_one_download_and_one_wait(name):
    """Of each network that ships: with the choice, lost with 4 windows, and with 5 targets."""
    said = python(["-m", "hotpath_nogpu.cuda.cost", name])
    report = json.loads(said.splitlines()[-1])
    assert set(report) == {"choice", "lost", "targets"}
    assert max(cost["places"] for cost in report["choice"]) > 1
    assert {cost["windows"] for cost in report["lost"]} == {4}
    assert min(cost["windows"] for cost in report["targets"]) == 5  # more where one is searched for
    for costs in report.values():
        assert len(costs) > 7 and any(not cost["reads"] for cost in costs)
        for cost in costs:
            calls = -(-cost["windows"] // 4)
            # records and pixels; gather, crop, places, pooling
            assert cost["uploads"] == 2 * calls and cost["launches"] == 4 * calls
            assert cost["synchronisations"] == calls and cost["allocations"] == 0
            assert cost["downloads"] == calls + cost["reads"] <= 2 * calls
            if not cost["reads"]:
                assert 0 < cost["download_bytes"] <= MOST_BYTES * calls
    assert not any(cost["reads"] for cost in report["lost"])


def test_a_target_among_similar_objects_has_the_hosts_boxes(tmp_path):
    report = track(tmp_path)
    check_alike(report["found"], report["wanted"])
    assert max(report["peaks"]) > 1


@pytest.mark.slow("each target also alone on the host")
# with 4 windows a frame, each lost target has all of them
@pytest.mark.parametrize("windows, change", [(4, None), (2, SEARCHED + 6)])
def test_targets_are_found_as_on_the_host(tmp_path, windows, change):
    report = track(tmp_path, targets=True, windows=windows, change=change)
    for own, host in zip(zip(*report["found"]), zip(*report["wanted"])):
        check_alike(own, host)
    assert {track[3] for track in list(zip(*report["found"]))[2]} == {"tracked"}


@pytest.mark.slow("whole clips under the fake driver")
def test_kestrel_while_a_clip_shows_another_scene(tmp_path, clips_dir):
    clips = [str(clips_dir / name) for name in ("otb-David", "otb-Couple")]
    report = track(tmp_path, network="kestrel", clips=clips, windows=3)
    check_alike(report["found"], report["wanted"])
    states = [track[3] for track in report["found"]]
    assert states.count("lost") > 10 and states[-1] != "lost"
    said = (ROOT / "docs" / "jetson.md").read_text(encoding="utf-8")
    usual = min(cost["download_bytes"] for cost in report["costs"])
    assert "{:,} bytes for one window".format(usual) in said
