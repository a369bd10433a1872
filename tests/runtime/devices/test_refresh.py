"""A second exemplar is refreshed by the rule of the TOML: heights tell which frame it is from."""

import json

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

from hotpath.app.__main__ import main
from hotpath.graphs import assemble
from hotpath.runtime import BadNetwork, engines, load_targets, load_tracker
from hotpath.runtime.networks import load_network
from tests.support import blobs, tiny
from tests.support.clips import write_clip
from tests.support.errors import refusal
from tests.support.fake_gpu import python

EVERY = 4
BRIGHT = [1.0, 0.6, 0.9, 0.7, 0.8, 0.3, 0.2, 0.3, 0.4, 1.0, 1.0, 1.0, 1.0]
# which frame the second exemplar is from, in each frame
BEST = [0, 0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0]
DUE = [0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4]

TOML = """
family = "corners"
[input]
exemplar = 64
search = 128
crop = "area"
exemplar_factor = 2.0
search_factor = 4.0
corner = "s/2"
rounding = "half_even"
border = "zero"
box_centre = "w/2"
[head]
output = "scored_box"
correlation = "attention"
[tracking]
clip = "none"
min_size = 1
refresh_every = 4
refresh_from = "{}"
[[file]]
part = "whole"
name = "refreshed.onnx"
"""


def write_network(folder, rule="best"):
    """A box as high as the rectangle times its brightness in the second exemplar over the first."""
    path = folder / "refreshed.toml"
    path.write_text(TOML.format(rule))
    network, graph = load_network(path), blobs.Graph()
    first, second, seen = (
        graph.ReduceMax(graph.brightness(name, network), axes=[2, 3], keepdims=1)
        for name in ("template", "refreshed", "search")
    )
    x, y, w, h = graph.measure("search", network, network.search)
    # what is darker is as large
    w, h = graph.Div(w, seen), graph.Mul(graph.Div(h, seen), graph.Div(second, first))
    side = float(network.search)
    shares = [graph.Add(graph.Div(v, side), 0.5) for v in (x, y)]
    shares += [graph.Div(value, side) for value in (w, h)]
    box = graph.Concat(*shares, axis=1)
    graph.Reshape(box, np.array([1, 1, 4], np.int64), output="box")
    logit = graph.Mul(graph.Sub(seen, 0.5), 20.0)
    graph.Reshape(logit, np.array([1, 1], np.int64), output="score")
    pictures = [(name, (1, 3, 64, 64)) for name in ("template", "refreshed")]
    model = graph.model(
        pictures + [("search", (1, 3, 128, 128))], [("box", (1, 1, 4)), ("score", (1, 1))]
    )
    onnx.save(model, str(folder / "refreshed.onnx"))
    return path


def film():
    """The film of ``blobs``, with the rectangle's brightness of each frame."""
    frames, boxes = blobs.film(len(BRIGHT))
    dimmed = [(f // 255 * round(64 + 191 * b)).astype(np.uint8) for f, b in zip(frames, BRIGHT)]
    return dimmed, boxes


def check(heights, wanted):
    expected = [24 * BRIGHT[number] for number in wanted]
    np.testing.assert_allclose(heights, expected, rtol=0.05)


@pytest.mark.parametrize("engine", engines.installed())
@pytest.mark.parametrize("rule, wanted", [("best", BEST), ("due", DUE)])
def test_the_second_exemplar_is_from_the_frame_that_the_rule_names(tmp_path, engine, rule, wanted):
    frames, boxes = film()
    tracker = load_tracker(write_network(tmp_path, rule), engine=engine)
    for _ in range(2):  # a new target begins again
        tracker.init(frames[0], boxes[0])
        heights, refreshed = [], []
        for number, frame in enumerate(frames[1:], 1):
            heights.append(tracker.update(frame).box.h)
            if tracker.step_ms["refresh"]:
                refreshed.append(number)
        check(heights, wanted)
        # its features are computed in the first frame that uses it
        assert refreshed == ([5] if rule == "best" else [5])


@pytest.mark.parametrize("engine", engines.installed())
def test_a_network_in_two_parts_is_refreshed_too(tmp_path, engine):
    """As the INT8 form of such a network is written."""
    path = write_network(tmp_path)
    files = ""
    network = load_network(path)
    graphs = assemble.build(network, network.locate())
    for part in ("exemplar", "search"):
        onnx.save(getattr(graphs, part), str(tmp_path / part))
        files += f'[[file]]\npart = "{part}"\nname = "{part}"\n'
    path.write_text(TOML.format("best").split("[[file]]")[0] + files)
    (frames, boxes), tracker = film(), load_tracker(path, engine=engine)
    tracker.init(frames[0], boxes[0])
    check([tracker.update(frame).box.h for frame in frames[1:]], BEST)


def test_each_of_several_targets_has_its_own(tmp_path):
    frames, boxes = film()
    targets = load_targets(write_network(tmp_path))
    targets.add(frames[0], boxes[0])
    first = [targets.update(frame)[0].box.h for frame in frames[1:4]]
    targets.add(frames[3], boxes[3])  # its film begins with the fourth frame
    tracks = [targets.update(frame) for frame in frames[4:]]
    check(first + [track[0].box.h for track in tracks], BEST)
    again = [track[1].box.h for track in tracks]
    np.testing.assert_allclose(again[:4], 24.0, rtol=0.05)
    np.testing.assert_allclose(again[4], 24.0 * 0.8 / 0.7, rtol=0.05)
    targets.close()


def test_a_gpu_refreshes_as_the_processor(tmp_path):
    frames, boxes = film()
    clip = str(write_clip(tmp_path / "clip", frames, boxes))
    options = {"network": str(write_network(tmp_path)), "clips": [clip]}
    said = python(["-m", "tests.fakes.cuda.clip", json.dumps(options)])
    report = json.loads(said.splitlines()[-1])[0]
    for key in ("found", "wanted"):
        check([track[0][3] for track in report[key]], BEST)


def test_a_run_states_what_a_refresh_costs(tmp_path, capsys):
    frames, boxes = film()
    tiny.write_pictures(tmp_path / "clip", frames)
    given = ["--network", str(write_network(tmp_path)), "--video", str(tmp_path / "clip")]
    box = ",".join(map(str, boxes[0]))
    assert main(given + ["--box", box, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["refresh_ms"]["median"] > 0
    assert "refresh an exemplar" in said.err + said.out


def test_a_rule_without_a_second_exemplar_is_named(tmp_path):
    path = write_network(tmp_path)
    path.write_text(path.read_text().replace("refresh_every = 4", "refresh_every = 0"))
    with refusal(BadNetwork, "parts do not fit"):
        load_tracker(path)
