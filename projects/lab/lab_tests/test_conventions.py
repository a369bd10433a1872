"""`hotpath tune` finds the conventions of a network's files by trying them."""

import re

import numpy as np
import onnx
import pytest

from hotpath.app.cli.networks.networks_command import main as networks
from hotpath.base import toml
from hotpath.runtime.errors import BadNetwork, NetworkFailed
from hotpath_lab import tune
from hotpath_lab.conventions import OWN, Conventions
from tests.app.cli.networks.test_add import files_of
from tests.support import blobs, tiny
from tests.support.described import load_network

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two annotated clips of a bright rectangle."""
    folder = tmp_path_factory.mktemp("clips")
    for name, size in (("wide", (36, 24)), ("tall", (20, 44))):
        frames, boxes = blobs.film(10, size=size)
        tiny.write_pictures(folder / name, frames)
        lines = [",".join(map(str, box)) for box in boxes]
        (folder / name / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder


def added(folder, name):
    """The TOML that `networks add` writes for a network's files."""
    files = files_of(folder, name)
    assert networks(["add", *files, "--name", "mine", "--out", str(folder / "out")]) == 0
    return folder / "out" / "mine.toml"


def search(path, clips, *more):
    words = ["--network", str(path), "--clips", str(clips), "--out", str(path.parent / "tune")]
    return tune.run(tune.parser().parse_args([*words, *more]))


def test_colours_are_found_and_the_stride_of_the_toml_stays_where_it_is_as_good(tmp_path, clips):
    path = added(tmp_path, "lighttrack")
    asked = ["--parameters", "colours,stride", "--trials", "30", "--write"]
    report = search(path, clips, *asked)
    assert report["start"] == {"colours": OWN, "stride": OWN}
    assert report["score_held_out"]["best"] > report["score_held_out"]["start"] + 0.1
    true = load_network("lighttrack")
    for network in (load_network(path), load_network(path.parent / "tune" / "mine-tuned.toml")):
        np.testing.assert_allclose(network.scale, true.scale, rtol=0.02)  # the film is grey
        assert network.stride == 16
        assert all(entry.sha256 for entry in network.files)


def test_an_answer_of_the_toml_is_no_alternative(tmp_path):
    path = added(tmp_path, "vittrack")
    network = load_network(path)
    conventions = Conventions(network, network.locate(), ["maps", "crop"])
    own, other = conventions.choices["maps"]
    assert conventions.network({"maps": own}).maps == network.maps
    assert conventions.network({"maps": other}).maps == (network.maps[0],) + network.maps[:0:-1]
    assert "area, factors 2 and 4" not in conventions.choices["crop"]
    square = conventions.sections({"crop": "square, context 0.5"})["input"]
    assert square["crop"] == "square" and square["search_factor"] is None


def test_a_question_without_alternatives_is_named(tmp_path):
    path = added(tmp_path, "vittrack")
    with pytest.raises(BadNetwork, match="no alternative of 'stride' to try; there are: colours"):
        search(path, tmp_path, "--parameters", "stride")


def unchecked(path):
    """Take the hashes out of a TOML, whose files will be changed."""
    path.write_text(re.sub("(?m)^sha256 = .*\n", "", path.read_text()))


def overflow(path, factor=0.0):
    """Let a search graph give NaN for values of 0 to 255, by their exponential times a factor."""
    model = onnx.load(str(path))
    graph = model.graph
    picture, output = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.output[:] = ["finite" if name == output else name for name in node.output]
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(factor, np.float32), "nothing"))
    for operator, inputs, result in (
        ("Exp", [picture], "large"),
        ("ReduceMean", ["large"], "mean_large"),
        ("Mul", ["mean_large", "nothing"], "nan"),
        ("Add", ["finite", "nan"], output),
    ):
        graph.node.append(onnx.helper.make_node(operator, inputs, [result]))
    onnx.save(model, str(path))


def test_files_that_give_nothing_with_any_convention_are_named(tmp_path, clips):
    path = added(tmp_path, "lighttrack")
    unchecked(path)
    overflow(path.parent / "lighttrack_track.onnx", np.inf)
    with pytest.raises(NetworkFailed, match="no finite score"):
        search(path, clips, "--parameters", "colours", "--trials", "3")


def test_conventions_that_do_not_fit_cost_no_more_than_their_trial(tmp_path, clips):
    path = added(tmp_path, "lighttrack")
    unchecked(path)
    overflow(path.parent / "lighttrack_track.onnx")
    report = search(path, clips, "--parameters", "colours", "--trials", "12")
    assert report["history"][0]["score"] == 0 and report["best"]["colours"] != OWN


@pytest.mark.parametrize(
    "tracking",
    ["[tracking]\nsize_lr = 0.3\n", "tracking.size_lr = 0.3\n", "tracking = {size_lr = 0.3}\n"],
)
def test_keys_change_in_their_sections_alone(tmp_path, tracking):
    path = tmp_path / "a.toml"
    sections = [
        "[input]  # of the files\nmean = [1, 2, 3]  # a comment\ncontext = 0.5\n",
        "[head]\nscale = [\n 1,\n]\n",
    ]
    path.write_text('family = "points"\n' + "".join(sorted([tracking, *sections], reverse=True)))
    values = {
        "input": {"mean": [4, 5, 6], "context": None, "crop": "area"},
        "head": {"score": None, "scale": [2]},
        "tracking": {"size_lr": 0.4},
        "new": {"key": "value"},
    }
    path.write_text(tune.changed(path, values))
    assert toml.read(path, BadNetwork) == {
        "family": "points",
        "input": {"mean": [4, 5, 6], "crop": "area"},
        "head": {"scale": [2]},
        "tracking": {"size_lr": 0.4},
        "new": {"key": "value"},
    }
    assert "# a comment" in path.read_text() and "[input]  # of the files" in path.read_text()
