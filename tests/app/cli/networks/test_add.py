"""`networks add` finds the settings that a user's files do not state."""

import pathlib
import re
import sys

import numpy as np
import onnx
import pytest

from hotpath.app.cli.networks.networks_command import main
from hotpath.app.cli.networks.propose import propose
from hotpath.graphs import models, picture_values
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
    "siamrpnpp_resnet50": ("anchors", 127, 255),
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
    files = files_of(tmp_path, "siamban")
    out = tmp_path / "out"
    assert add(files, "--out", out, "--like", toml_of("siamban")) == 0
    network, other = load_network(out / "mine.toml"), load_network("siamban")
    for name in ("penalty", "search", "mean"):
        assert getattr(network, name) == getattr(other, name)


def shipped(network, part):
    return str(FOLDER / f"{network}_{part}.onnx")


@pytest.mark.parametrize("like", [(), ("--like", "kestrel_fast")])
def test_files_that_come_with_the_runtime_are_known(tmp_path, capsys, like):
    files = [shipped("kestrel_fast", part) for part in ("exemplar", "search")]
    assert add(files, "--out", tmp_path, *like) == 0
    messages = capsys.readouterr().out
    assert ("the files of kestrel_fast" in messages) == (not like) and "negatives" not in messages
    mine, original = load_network(tmp_path / "mine.toml"), load_network("kestrel_fast")
    assert mine.mean == original.mean and mine.negatives == original.negatives
    assert rules_of(mine) == rules_of(original)
    assert "settings of kestrel_fast" in (tmp_path / "mine.toml").read_text()


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
    graph = blobs.BlobGraph()
    mean = graph.ReduceMean("picture", keepdims=0)
    graph.Add(mean, np.zeros(output), output="given")
    onnx.save(graph.model([("picture", picture)], [("given", output)]), str(path))
    return [str(path)]


@pytest.mark.parametrize(
    "picture, output, words",
    [
        ((1, 3, 352, 352), (1, 3549, 85), "3549x85 from one picture: a detector, a classifier"),
        ((1, 3, 352, 352), (1, 85, 22, 22), "85x22x22 from one picture"),
        ((1, 3, 352, 352), (1, 512), "512 from one picture: a detector, a classifier"),
        ((1, 3, 255, 255), (1, 48, 16, 16), "it looks like a backbone"),
        ((1, 1, 127, 127), (1, 8), "a grey picture"),
        ((1, 127, 127, 3), (1, 8), "N,C,H,W"),
    ],
)
def test_detectors_features_and_grey_pictures_are_named(tmp_path, capsys, picture, output, words):
    told = refused(one_file(tmp_path / "a.onnx", picture, output), capsys)
    assert words in told and ("is not a tracker" in told) == (picture[1] == 3)


def test_nothing_is_written_into_the_program(tmp_path, capsys):
    files = files_of(tmp_path, "siamfc_015")
    messages = refused(files + ["--out", str(ROOT / "out")], capsys)
    assert "part of Hotpath" in messages
    assert add(files, "--like", "siamfc_015") == 0
    assert (tmp_path / "mine.toml").exists() and sorted(files) == sorted(
        str(path) for path in tmp_path.glob("*.onnx")
    )


def test_other_files_decide_without_the_negatives_of_a_network(tmp_path, capsys):
    changed = [str(tmp_path / f"changed_{name}.onnx") for name in ("exemplar", "search")]
    for part, copy in zip(("exemplar", "search"), changed):
        model = onnx.load(shipped("kestrel_fast", part))
        model.producer_name = "another"
        onnx.save(model, copy)
    assert add(changed, "--like", "kestrel_fast") == 0
    assert "python -m hotpath_lab.negatives --network" in capsys.readouterr().out
    other = load_network(tmp_path / "mine.toml")
    assert other.negatives is None and other.same_share > 0


def with_first(folder, nodes, constants, folded=None):
    """kestrel_fast with nodes before it, whose picture is "image" and whose result is "normal"."""
    paths = []
    for part in ("exemplar", "search"):
        model = onnx.load(shipped("kestrel_fast", part))
        graph = model.graph
        if folded is not None:
            mean, std = folded
            layer = next(node for node in graph.node if "image" in node.input)
            tensors = {tensor.name: tensor for tensor in graph.initializer}
            weight, bias = (tensors[name] for name in layer.input[1:3])
            w, b = onnx.numpy_helper.to_array(weight), onnx.numpy_helper.to_array(bias)
            b = b - w.sum(axis=(1, 2, 3)) * np.float32(mean / std)
            weight.CopyFrom(onnx.numpy_helper.from_array(w / np.float32(std), weight.name))
            bias.CopyFrom(onnx.numpy_helper.from_array(b, bias.name))
        else:
            old = list(graph.node)
            for node in old:
                node.input[:] = ["normal" if name == "image" else name for name in node.input]
            models.replace(graph.node, [onnx.helper.make_node(*node) for node in nodes] + old)
        for name, value in constants.items():
            array = np.array(value, np.float32)
            models.add_constant(graph, name, array if array.size == 1 else array[:, None, None])
        paths.append(folder / f"own_{part}.onnx")
        onnx.save(model, str(paths[-1]))
    return paths


RGB = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "k": 255}
GREY = {"m": 118, "s": 58}
INSIDE = {  # name -> (nodes, constants, the mean and the scale that the TOML should have)
    "sub and div": (
        [("Sub", ["image", "m"], ["c"]), ("Div", ["c", "s"], ["normal"])],
        GREY,
        (0.0, 1.0),
    ),
    "of shares": (
        [("Sub", ["image", "mean"], ["c"]), ("Div", ["c", "std"], ["normal"])],
        RGB,
        (0.0, 1 / 255.0),
    ),
    "with the division by 255": (
        [
            ("Div", ["image", "k"], ["share"]),
            ("Sub", ["share", "mean"], ["c"]),
            ("Div", ["c", "std"], ["normal"]),
        ],
        RGB,
        (0.0, 1.0),
    ),
    "mul, then add": (
        [("Mul", ["image", "f"], ["c"]), ("Add", ["c", "o"], ["normal"])],
        {"f": 1 / 58.0, "o": -118 / 58.0},
        (0.0, 1.0),
    ),
    "the inverse of std": (
        [
            ("Reciprocal", ["s"], ["f"]),
            ("Sub", ["image", "m"], ["c"]),
            ("Mul", ["f", "c"], ["normal"]),
        ],
        GREY,
        (0.0, 1.0),
    ),
    "a scale alone": ([("Div", ["image", "k"], ["normal"])], {"k": 255}, (0.0, 1.0)),
    "folded into the layer": ((118, 58), {}, (0.0, 1.0)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_normalisation_inside_an_export_is_seen(tmp_path, name):
    pytest.importorskip("onnx.reference")
    nodes, constants, right = INSIDE[name]
    folded = nodes if isinstance(nodes, tuple) else None
    paths = with_first(tmp_path, nodes, constants, folded)
    like = load_network("kestrel_fast")
    for path in paths:
        sentence = picture_values.twice(path, like.mean, like.scale)
        assert f"{path.name} seems to normalise the picture itself" in sentence
        assert f"write mean {right[0]:g} and scale {right[1]:.6g}" in sentence
        assert not picture_values.twice(path, [right[0]] * 3, [right[1]] * 3)


def test_add_writes_the_mean_and_scale_that_check_asks_for(tmp_path, capsys):
    pytest.importorskip("onnx.reference")
    files = with_first(tmp_path, *INSIDE["sub and div"][:2])
    assert add(map(str, files), "--like", "kestrel_fast") == 0
    assert "the graph does it" in capsys.readouterr().out
    path = tmp_path / "mine.toml"
    network = load_network(path)
    assert (*network.mean, *network.scale) == (0, 0, 0, 1, 1, 1)
    assert main(["check", str(path)]) == 0
    text = path.read_text()
    path.write_text(re.sub("scale = .*", "scale = [0.0172, 0.0172, 0.0172]", text))
    assert main(["check", str(path)]) == 2
    assert "seems to normalise the picture itself" in capsys.readouterr().out


def with_last(folder, *nodes):
    """kestrel_small with nodes after its score, whose logits are "logit"."""
    paths = []
    for part in ("exemplar", "search"):
        model = onnx.load(shipped("kestrel_small", part))
        graph = model.graph
        if part == "search" and nodes:
            for node in graph.node:
                node.output[:] = ["logit" if name == "score" else name for name in node.output]
            for constant, value in {"half": 0.5, "k": 30000, "inverse": 1 / 30000}.items():
                models.add_constant(graph, constant, np.array(value, np.float32))
            graph.node.extend(onnx.helper.make_node(*node) for node in nodes)
            channels = 2 if nodes[-1][0] == "Softmax" else 1
            score = next(value for value in graph.output if value.name == "score")
            score.type.tensor_type.shape.dim[1].dim_value = channels
        paths.append(folder / f"own_{part}.onnx")
        onnx.save(model, str(paths[-1]))
    return paths


SIGMOID = ("Sigmoid", ["logit"], ["p"])
ENDS = {  # name -> (nodes, the score that the TOML should have)
    "nothing": ([], "sigmoid"),
    "Sigmoid": ([("Sigmoid", ["logit"], ["score"])], "none"),
    "HardSigmoid": ([("HardSigmoid", ["logit"], ["score"])], "none"),
    "Sigmoid, clipped": ([SIGMOID, ("Clip", ["p"], ["score"])], "none"),
    "Sigmoid, then a root": ([SIGMOID, ("Sqrt", ["p"], ["score"])], "none"),
    "two Sigmoids": ([SIGMOID, ("Sigmoid", ["logit"], ["q"]), ("Mul", "pq", ["score"])], "none"),
    "Sigmoid, halved": ([SIGMOID, ("Mul", ["half", "p"], ["score"])], "none"),
    "logits, halved": ([("Mul", ["half", "logit"], ["score"])], "sigmoid"),
    "logits, gated": ([SIGMOID, ("Mul", ["p", "logit"], ["score"])], "sigmoid"),
}


@pytest.mark.parametrize("like", [(), ("--like", "kestrel_small")], ids=["alone", "like"])
@pytest.mark.parametrize("name", ENDS)
def test_a_sigmoid_inside_an_export_is_not_followed_by_another(tmp_path, capsys, name, like):
    nodes, right = ENDS[name]
    assert add(map(str, with_last(tmp_path, *nodes)), *like) == 0
    words = capsys.readouterr().out
    assert ("the graph has the sigmoid itself" in words) == (right == "none")
    assert not like or "score      sigmoid, not tried" not in words
    path = tmp_path / "mine.toml"
    assert load_network(path).score == right
    assert like == () or main(["check", str(path)]) == 0
    if like and right == "none":
        path.write_text(path.read_text().replace('score = "none"', 'score = "sigmoid"'))
        assert main(["check", str(path)]) == 2
        words = capsys.readouterr().out
        assert "holds probabilities already" in words and 'write score = "none"' in words


def test_check_says_what_overflows_in_half_precision(tmp_path, capsys):
    pytest.importorskip("onnx.reference")
    nodes = ("Mul", ["logit", "k"], ["wide"]), ("Mul", ["wide", "inverse"], ["score"])
    assert add(map(str, with_last(tmp_path, *nodes)), "--like", "kestrel_small") == 0
    assert main(["check", str(tmp_path / "mine.toml")]) == 0
    words = capsys.readouterr().out
    assert re.search(r"fp16 +the activations reach [\d.e+]+ \(\S*wide\)", words)
    assert "PRECISION=fp32" in words and words.strip().endswith("all is well, but not in FP16")


def test_a_softmax_inside_an_export_is_warned_of(tmp_path, capsys):
    both = ("Neg", ["logit"], ["n"]), ("Concat", ["n", "logit"], ["both"])
    concat = onnx.helper.make_node(*both[1], axis=1)
    files = with_last(tmp_path, both[0], both[1], ("Softmax", ["both"], ["score"]))
    model = onnx.load(str(files[1]))
    for node in model.graph.node:
        if node.op_type == "Concat" and node.output[0] == "both":
            node.CopyFrom(concat)
        if node.op_type == "Softmax":
            node.attribute.append(onnx.helper.make_attribute("axis", 1))
    onnx.save(model, str(files[1]))
    assert add(map(str, files)) == 0
    assert "warning    map 1 holds probabilities already" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "mine.toml")]) == 2
    assert "the target's channel alone" in capsys.readouterr().out


def test_an_onnx_without_a_reference_says_nothing_of_a_normalisation(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx.reference", None)  # before 1.13, as on Python 3.6
    (path, *_) = load_network("kestrel").locate(None).values()
    assert picture_values.twice(path, [0.0] * 3, [1e-9] * 3) == ""


@pytest.mark.parametrize("network", ["kestrel", "kestrel_fast", "kestrel_small", "lightfc"])
def test_what_ships_is_normalised_once(network):
    pytest.importorskip("onnx.reference")
    mean, scale = load_network(network).mean, load_network(network).scale
    for part in ("exemplar", "search"):
        path = pathlib.Path(shipped(network, part))
        assert not picture_values.twice(path, mean, scale)
        assert picture_values.twice(path, mean, np.array(scale) / 255)
