"""`networks add` finds the settings that a user's files do not state."""

import re

import numpy as np
import onnx
import pytest

from hotpath.app.cli.networks.__main__ import main
from hotpath.app.cli.networks.propose import propose
from hotpath.graphs import models
from hotpath.runtime import load_tracker
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.identity.identity import rules_of
from hotpath.runtime.networks import FOLDER
from tests.support import ROOT, blobs
from tests.support.described import load_network, toml_of


def files_of(folder, name):
    """A network's files without its TOML."""
    blobs.write_network(folder, name).unlink()
    return sorted(str(path) for path in folder.glob("*.onnx"))


def add(files, *more):
    """The exit code of `networks add`, under the name "mine"."""
    return main(["add", *files, "--name", "mine", *map(str, more)])


def refused(arguments, capsys):
    """The one sentence with which `networks add` ends."""
    assert add(arguments) == 2
    messages = capsys.readouterr().err
    assert len(messages.strip().splitlines()) == 1 and "trial.toml" not in messages
    return messages


@pytest.mark.parametrize("name", ["", "a" * 300, "../mine"])
def test_a_name_that_no_file_can_have_is_one_sentence(tmp_path, capsys, name):
    assert main(["add", *files_of(tmp_path, "lightfc"), "--name", name]) == 2
    assert "200 letters" in capsys.readouterr().err


FAMILIES = {
    "lighttrack": ("points", 127, 256),
    "siamfcpp": ("points", 127, 303),
    "siamrpnpp": ("anchors", 127, 255),
    "vittrack": ("centre", 128, 256),
    "lightfc": ("centre", 128, 256),
    "stark_s50": ("corners", 128, 320),
    "siamfc_015": ("response", 127, 255),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_tensors_tell_family_and_sides(tmp_path, name):
    paths = [tmp_path / path for path in files_of(tmp_path, name)]
    table = propose(paths).table
    found = table["family"], table["input"]["exemplar"], table["input"]["search"]
    assert found == FAMILIES[name]


def one_stream(folder, kept):
    """A graph of both pictures that gives a finished box and a score too; ``kept``: its outputs."""
    (path,) = files_of(folder, "vittrack")
    model = onnx.load(path)
    graph, (score, size, offset) = model.graph, [v.name for v in model.graph.output]
    for name in (score, size, offset):
        graph.node.append(onnx.helper.make_node("GlobalAveragePool", [name], ["mean_" + name]))
    means = ["mean_" + size, "mean_" + offset]
    graph.node.append(onnx.helper.make_node("Concat", means, ["finished"], axis=1))
    there = {"finished": 4, "mean_" + score: 1, score: None, size: None, offset: None}
    outputs = {value.name: value for value in graph.output}
    del graph.output[:]
    for name in [name for name in there if name.split("_")[0] in kept or name in kept]:
        shape = ["batch", there[name], 1, 1]
        made = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        graph.output.append(outputs.get(name, made))
    onnx.save(model, path)
    return folder / path


def test_a_centre_head_is_known_beside_a_finished_box(tmp_path):
    names = ("output1", "output2", "output3")
    proposal = propose([one_stream(tmp_path, ("finished",) + names)])
    assert proposal.table["family"] == "centre"
    chosen = next(iter(proposal.alternatives["maps"].values()))["maps"]
    assert sorted(chosen) == sorted(names)


@pytest.mark.parametrize(
    "kept, output", [(["finished"], "box"), (["finished", "mean"], "scored_box")]
)
def test_a_finished_box_is_known_with_and_without_a_score(tmp_path, kept, output):
    table = propose([one_stream(tmp_path, kept)]).table
    assert (table["family"], table["head"]["output"]) == ("corners", output)
    assert table["head"]["maps"][0] == "finished"


def test_a_second_exemplar_is_refused_with_what_to_export(tmp_path):
    path = one_stream(tmp_path, ["finished"])
    model = onnx.load(str(path))
    second = next(value for value in model.graph.input if models.shape_of(value)[3] < 256)
    model.graph.input.add().CopyFrom(second)
    model.graph.input[-1].name = "second"
    onnx.save(model, str(path))
    with pytest.raises(BadNetwork, match="so that one picture is both"):
        propose([path])


def test_it_says_what_was_not_tried_and_how_to_try_it(tmp_path, capsys):
    files = files_of(tmp_path, "siamfc_015")
    out = tmp_path / "out"
    assert add(files, "--out", out) == 0
    messages = capsys.readouterr().out
    assert "is ready for engines" in messages
    assert re.search("colours +BGR, 0 to 255, not tried", messages)
    assert "--parameters colours,crop,border --write`" in messages
    load_tracker(out / "mine.toml").close()


def test_like_takes_the_numbers_of_another_network(tmp_path):
    files = files_of(tmp_path, "ocean")
    out = tmp_path / "out"
    assert add(files, "--out", out, "--like", toml_of("ocean")) == 0
    network, other = load_network(out / "mine.toml"), load_network("ocean")
    for name in ("penalty", "search", "mean"):
        assert getattr(network, name) == getattr(other, name)


def shipped(network, part):
    return str(FOLDER / f"{network}_{part}.onnx")


def test_files_that_come_with_the_runtime_are_known(tmp_path, capsys):
    files = [shipped("kestrel_fast", part) for part in ("exemplar", "search")]
    assert add(files, "--out", tmp_path) == 0
    messages = capsys.readouterr().out
    assert "the files of kestrel_fast" in messages
    for name in ("search_lost_below", "found_above", "mean"):
        found = getattr(load_network(tmp_path / "mine.toml"), name)
        assert found == getattr(load_network("kestrel_fast"), name)
    written = (tmp_path / "mine.toml").read_text()
    assert "settings of kestrel_fast" in written


def test_files_of_two_networks_are_warned_of(tmp_path, capsys):
    exemplar, other = shipped("kestrel", "exemplar"), shipped("kestrel_small", "search")
    add([exemplar, other], "--out", tmp_path / "mixed")
    messages = capsys.readouterr().out
    assert "kestrel_exemplar.onnx is of kestrel" in messages
    assert "kestrel_small_search.onnx is of kestrel_small" in messages
    model = onnx.load(other)
    model.doc_string = "no longer a known file"
    onnx.save(model, str(tmp_path / "other.onnx"))
    add([exemplar, str(tmp_path / "other.onnx")], "--out", tmp_path / "strange")
    messages = capsys.readouterr().out
    assert "kestrel_exemplar.onnx and other.onnx" in messages and "weights" in messages


def test_files_of_no_known_form_are_refused_in_a_sentence(tmp_path, capsys):
    files = files_of(tmp_path, "siamfc_015")
    model = onnx.load(files[1])
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    graph = model.graph
    names = [graph.output[0].name] * 3
    graph.node.append(onnx.helper.make_node("Concat", names, ["three"], axis=1))
    graph.output[0].name = "three"
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3
    onnx.save(model, files[1])
    assert "no family" in refused(files + ["--out", str(tmp_path / "out")], capsys)
    assert not (tmp_path / "out").exists()


def one_file(path, picture, output):
    """An ONNX file that gives the mean of one picture as a tensor of some shape."""
    graph = blobs.Graph()
    mean = graph.ReduceMean("picture", keepdims=0)
    graph.Add(mean, np.zeros(output), output="given")
    onnx.save(graph.model([("picture", picture)], [("given", output)]), str(path))
    return [str(path)]


def test_detectors_features_and_grey_pictures_are_named(tmp_path, capsys):
    for output in ((1, 3549, 85), (1, 85, 22, 22), (1, 512)):
        messages = refused(one_file(tmp_path / "a.onnx", (1, 3, 352, 352), output), capsys)
        assert "x".join(map(str, output[1:])) in messages and "is not a tracker" in messages
    assert "grey" in refused(one_file(tmp_path / "a.onnx", (1, 1, 127, 127), (1, 8)), capsys)


def test_a_backbone_without_its_head_is_called_so(tmp_path, capsys):
    backbone = one_file(tmp_path / "a.onnx", (1, 3, 255, 255), (1, 48, 16, 16))
    assert "looks like a backbone" in refused(backbone, capsys)
    detector = one_file(tmp_path / "a.onnx", (1, 3, 352, 352), (1, 3549, 85))
    assert "backbone" not in refused(detector, capsys)


def test_nothing_is_written_into_the_program(tmp_path, capsys):
    files = files_of(tmp_path, "siamfc_015")
    messages = refused(files + ["--out", str(ROOT / "out")], capsys)
    assert "part of Hotpath" in messages
    assert add(files, "--like", "siamfc_015") == 0
    assert (tmp_path / "mine.toml").exists() and sorted(files) == sorted(
        str(path) for path in tmp_path.glob("*.onnx")
    )


def test_a_networks_files_decide_as_it_does(tmp_path, capsys):
    shipped = [str(FOLDER / f"kestrel_fast_{part}.onnx") for part in ("exemplar", "search")]
    assert main(["add", *shipped, "--name", "mine", "--out", str(tmp_path)]) == 0
    known = load_network(tmp_path / "mine.toml")
    assert known.negatives == load_network("kestrel_fast").negatives
    like = ["--like", "kestrel_fast", "--out", str(tmp_path)]
    assert main(["add", *shipped, "--name", "same", *like]) == 0
    same, original = load_network(tmp_path / "same.toml"), load_network("kestrel_fast")
    assert same.negatives == original.negatives
    assert rules_of(same) == rules_of(original)
    assert "negatives" not in capsys.readouterr().out
    changed = [str(tmp_path / f"changed_{name}.onnx") for name in ("exemplar", "search")]
    for path, copy in zip(shipped, changed):
        model = onnx.load(path)
        model.producer_name = "another"
        onnx.save(model, copy)
    assert main(["add", *changed, "--name", "other", *like]) == 0
    assert "python -m hotpath_lab.negatives --network" in capsys.readouterr().out
    other = load_network(tmp_path / "other.toml")
    assert other.negatives is None and other.same_share > 0
