"""Pruning removes channels for good, and changes nothing but what the removed channels added."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("openvino")

from hotpath.calib.errors import TrainingStopped  # noqa: E402
from hotpath_research.train import origin, prune  # noqa: E402  (after the check for torch)
from hotpath_research.train.network import Kestrel  # noqa: E402
from hotpath_research.train.start import load_start, widths_of  # noqa: E402
from research_tests.training import used_network  # noqa: E402
from tests.calib.test_one_step_overlap import write_square  # noqa: E402
from tests.support import tiny  # noqa: E402


def network(tower=16):
    return used_network(shape="tiny", width=24, tower=tower, depth=1)


@torch.no_grad()
def maps(of, seed=0):
    torch.manual_seed(seed)
    return of.maps(torch.randn(2, 3, 128, 128), torch.randn(2, 3, 256, 256))


@pytest.mark.parametrize("tower", [16, 24, 40])  # narrower than the trunk, as wide, wider
def test_the_pruned_network_has_the_maps_of_the_masked_one(tower):
    whole = network(tower)
    before = maps(whole)
    kept = prune.mask(whole, 0.5)
    small = prune.removed(whole, kept)
    for ours, theirs in zip(maps(small), maps(whole)):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert any(not torch.allclose(a, b, atol=1e-5) for a, b in zip(before, maps(small)))
    block = small.backbone.layers[-1]
    assert block.expand.weight.shape[0] == block.narrow.weight.shape[1] == len(kept[0]) == 288
    assert small.head.score.weight.shape[1] == small.config["towers"][0] < tower
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in whole.parameters())


def test_the_weakest_channels_go():
    whole = network()
    block = whole.backbone.layers[-1]
    with torch.no_grad():
        block.narrow.weight[:, 5::6] *= 1e-3  # one in six: 96 of 576
    kept = prune.mask(whole, 96 / 576)[0].tolist()
    assert kept == [channel for channel in range(576) if channel % 6 != 5]


def test_one_command_prunes_exports_and_judges_both(tmp_path, capsys):
    from hotpath.runtime import load_tracker

    whole = network()
    (tmp_path / "run").mkdir()
    state = {"config": whole.config, "average": whole.state_dict()}
    torch.save(state, tmp_path / "run" / "head.pt")
    pictures = {"event": "pictures", "count": 9, "licences": {"A": 9}, "sources": {"COCO": 9}}
    teacher = {"event": "teacher", "name": "lightfc", "licence": "MIT"}
    lines = "".join(json.dumps(event) + "\n" for event in (teacher, pictures))
    (tmp_path / "run" / "log.jsonl").write_text(lines)
    (tmp_path / "clips").mkdir()
    write_square(tmp_path / "clips" / "square")
    out = tmp_path / "out"
    words = [str(tmp_path / "run" / "head.pt"), "--share", ".5", "--out", str(out)]
    assert prune.main([*words, "--clips", str(tmp_path / "clips")]) == 0
    before, after = map(json.loads, capsys.readouterr().out.splitlines())
    assert (before["network"], after["network"]) == ("run", "run_pruned")
    assert after["mmac"] < before["mmac"] and {"ms", "one_step", "lost"} <= set(after)
    frames, boxes = tiny.film(3)
    tracker = load_tracker(str(out / "run_pruned.toml"), engine="onnxruntime")
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1]).box).all()
    assert prune.main(words) == 2  # they are there
    start = str(out / "run_pruned.pt")  # trains on
    again = Kestrel(**{**whole.config, **widths_of(start)})
    load_start("head", again, start)
    assert widths_of(str(tmp_path / "run" / "head.pt")) == {}
    assert origin.origin_of(start) == origin.origin_of(words[0])  # also what the network saw
    assert origin.origin_of(start).licences == {"A": 9}
    assert "50% of its inner channels" in (out / "run_pruned.toml").read_text()


def test_a_share_that_removes_nothing_is_refused_at_once(tmp_path):
    whole = network()
    state = {"config": whole.config, "average": whole.state_dict()}
    torch.save(state, tmp_path / "head.pt")
    words = [str(tmp_path / "head.pt"), "--share", ".001", "--out", str(tmp_path / "out")]
    assert prune.main(words) == 2
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_share_that_leaves_nothing_is_refused(tmp_path):
    assert prune.main([str(tmp_path / "no.pt"), "--share", "1", "--out", str(tmp_path)]) == 2
    other = network()
    other.backbone.shape = "timm:mobileone_s0"
    with pytest.raises(TrainingStopped):
        prune.places(other)
