"""A network's files are made ready for engines once; later loads rewrite nothing."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from onnx import external_data_helper, numpy_helper

from hotpath.boards import load_board
from hotpath.deploy.bundles.engines import build_files
from hotpath.deploy.bundles.order import Order
from hotpath.graphs import writing
from hotpath.runtime import engines
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import canonical, load_network, sha256_of
from tests.support import ROOT, run, tiny
from tests.support.errors import refusal

NO_ROOM = """
import sys, tempfile
from hotpath.runtime.networks import canonical
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import load_network

tempfile._candidate_tempdir_list = lambda: ["/dev/null/none"]
network = load_network(sys.argv[1])
try:
    canonical.load(network, network.locate())
except BadNetwork as error:
    print(error)
"""
LOADS = """
import sys
from hotpath.runtime import load_tracker
said = []
tracker = load_tracker(sys.argv[1], engine=sys.argv[2], precision="fp32", log=said.append)
print(sum("prepared " in sentence for sentence in said), "onnx" in sys.modules)
"""

TRACKS = """
import sys
sys.modules["onnx"] = None  # an import of it fails
import numpy as np
from hotpath.runtime import load_tracker
tracker = load_tracker(bundle=sys.argv[1])
with np.load(sys.argv[2]) as film:
    tracker.init(film["pictures"][0], film["boxes"][0])
    boxes = [tracker.update(picture).box for picture in film["pictures"][1:]]
    print(np.abs(np.array(boxes) - film["boxes"][1:]).max())
"""

# makes the files, and reads them while other processes make the same
READS = """
import os, sys, time
from hotpath.runtime.networks import canonical
from hotpath.runtime.networks import load_network
from hotpath.graphs import writing
network = load_network(sys.argv[1])
open(sys.argv[3], "w").close()
while not os.path.exists(sys.argv[4]):
    time.sleep(0.001)
graphs = canonical.load(network, network.locate(), folder=sys.argv[2])
until = time.monotonic() + 1.0
while time.monotonic() < until:
    open(graphs.search.path, "rb").close()
"""


@pytest.fixture
def network(tmp_path):
    return load_network(tiny.write_network(tmp_path))


def loaded(network, tmp_path, messages, **more):
    given = network, network.locate()
    return canonical.load(*given, log=messages.append, folder=str(tmp_path / "kept"), **more)


@pytest.mark.parametrize("engine", engines.installed())
def test_a_network_is_made_ready_once_and_then_read_without_onnx(tmp_path, engine):
    toml = str(tiny.write_network(tmp_path))
    words = [sys.executable, "-c", LOADS, toml, engine]
    home = dict(os.environ, HOME=str(tmp_path / "home"), PYTHONPATH=str(ROOT))
    told = [run(words, env=home, cwd=str(ROOT), check=True).stdout.split() for _ in range(2)]
    assert told == [["1", "True"], ["0", "False"]]


@pytest.mark.parametrize("engine", engines.installed())
def test_a_computers_bundle_is_canonical_and_needs_no_onnx(tmp_path, engine):
    network = load_network(tiny.write_network(tmp_path))
    board = load_board("host")._replace(engine=engine)
    made = build_files(Order(board, network, "fp32", tmp_path / "engines"), lambda line: None)
    assert {"exemplar.onnx", "search.onnx", "graphs.json"} <= set(made.parts)
    pictures, boxes = tiny.film(6)
    np.savez(str(tmp_path / "film.npz"), pictures=pictures, boxes=boxes)
    home = dict(os.environ, HOME=str(tmp_path / "home"), PYTHONPATH=str(ROOT))
    words = [sys.executable, "-c", TRACKS, str(made.folder), str(tmp_path / "film.npz")]
    assert float(run(words, env=home, cwd=str(ROOT), check=True).stdout) < 12
    assert not (tmp_path / "home" / ".cache" / "hotpath" / "graphs").exists()


def test_networks_get_makes_a_network_ready(tmp_path):
    toml = tiny.write_network(tmp_path)
    home = dict(os.environ, HOME=str(tmp_path / "home"), PYTHONPATH=str(ROOT))
    told = [
        f'sha256 = "{sha256_of(tmp_path / name)}"'
        for name in ("tiny_backbone.onnx", "tiny_head.onnx")
    ]
    text = toml.read_text()
    for name, line in zip(("backbone", "head"), told):
        text = text.replace(
            f'name = "tiny_{name}.onnx"', f'name = "tiny_{name}.onnx"\n{line}\nurl = "https://x/"'
        )
    toml.write_text(text)
    command = [sys.executable, "-m", "hotpath", "networks"]
    get = ["get", str(toml), "--networks-dir", str(tmp_path)]
    messages = run(command + get, env=home, cwd=str(ROOT), check=True).stdout
    assert "is ready for engines" in messages
    words = [sys.executable, "-c", LOADS, str(toml), engines.installed()[0]]
    assert run(words, env=home, cwd=str(ROOT), check=True).stdout.split() == ["0", "False"]


def test_other_files_and_other_values_are_made_anew(tmp_path, network):
    messages = []
    first = loaded(network, tmp_path, messages)
    assert loaded(network, tmp_path, messages) == first and len(messages) == 1
    network.mean = (1.0, 2.0, 3.0)
    other = loaded(network, tmp_path, messages)
    assert other.search.path != first.search.path and len(messages) == 2
    path = network.locate()["head"]
    model = onnx.load(str(path))
    model.doc_string = "another file"
    onnx.save(model, str(path))
    assert loaded(network, tmp_path, messages).search.path not in (
        first.search.path,
        other.search.path,
    )


def test_files_have_fixed_names_and_shapes(tmp_path, network):
    graphs = loaded(network, tmp_path, [], form=canonical.FLOATS)
    assert graphs.image == ("exemplar", "search")
    model = onnx.load(graphs.search.path)
    onnx.checker.check_model(model)
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    assert shapes["search"] == [1, 3, 255, 255]
    assert {*graphs.maps, *graphs.features, graphs.search_features} < {*shapes}
    assert all(shapes[name][0] == 1 for name in graphs.maps)


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, network):
    (tmp_path / "kept").write_text("a file is in the way")
    messages = []
    for _ in range(2):
        graphs = loaded(network, tmp_path, messages)
        assert onnx.load(graphs.search.path).graph.node
    assert len(messages) == 2


DAMAGE = {
    "cut": lambda data: data[:-100],
    "empty": lambda data: b"",
    "zeros": lambda data: data[:64] + bytes(64) + data[128:],
    "gone": None,
}


@pytest.mark.parametrize("name", ["exemplar.onnx", "search.onnx", "graphs.json"])
@pytest.mark.parametrize("kind", sorted(DAMAGE))
def test_a_damaged_file_is_made_anew(tmp_path, network, name, kind):
    messages = []
    graphs = loaded(network, tmp_path, messages)
    path = pathlib.Path(graphs.search.path).with_name(name)
    whole = path.read_bytes()
    path.unlink()
    if DAMAGE[kind]:
        path.write_bytes(DAMAGE[kind](whole))
    assert loaded(network, tmp_path, messages) == graphs and len(messages) == 2
    if name != "graphs.json":
        assert path.read_bytes() == whole


def outside(path):
    """Move the float weights of an ONNX file to a file beside it."""
    model = onnx.load(str(path))
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
            external_data_helper.set_external_data(tensor, "weights.bin")
    onnx.save(model, str(path))
    return path.with_name("weights.bin")


def test_weights_beside_an_onnx_file_belong_to_it(tmp_path, network):
    path = network.locate()["head"]
    messages = []
    weights = outside(path)
    first, digest = loaded(network, tmp_path, messages), sha256_of(path)
    data = np.frombuffer(weights.read_bytes(), np.float32)
    weights.write_bytes((data * 2).tobytes())
    assert sha256_of(path) != digest
    second = loaded(network, tmp_path, messages)
    assert second.search.path != first.search.path and len(messages) == 2
    weights.write_bytes(data.tobytes())
    assert sha256_of(path) == digest
    assert loaded(network, tmp_path, messages) == first and len(messages) == 2
    given = [e._replace(sha256=digest) if e.part == "head" else e for e in network.files]
    network.files = given
    assert network.locate()["head"] == path
    weights.write_bytes(bytes(len(weights.read_bytes())))
    with refusal(BadNetwork, "other file"):
        network.locate()


def test_files_are_made_anew_by_other_code(tmp_path, network, monkeypatch):
    package, messages = tmp_path / "hotpath", []
    for name in ("graphs", "runtime/decode", "runtime/networks"):
        shutil.copytree(str(canonical.PACKAGE / name), str(package / name))
    monkeypatch.setattr(canonical, "PACKAGE", package)
    loaded(network, tmp_path, messages)
    for name in (
        *("graphs/assemble.py", "runtime/decode/points.py", "runtime/decode/shared/family.py"),
        "runtime/networks/canonical.py",
    ):
        (package / name).write_text("# other code\n")
        before = len(messages)
        assert [loaded(network, tmp_path, messages) for _ in range(2)]
        assert len(messages) == before + 1


def rewritten(folder, place, key, value):
    """Change one value of a description."""
    path = pathlib.Path(folder) / "graphs.json"
    values = json.loads(path.read_text())
    (values[place] if place else values)[key] = value
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("place", "key", "wrong"),
    [
        ("search", "path", ["..", ".", "", "/etc/passwd", "../search.onnx", "a\0b", "no.onnx", 5]),
        ("search", "shapes", [{"x": "abc"}, {"x": [1.5]}, None]),
        (None, "image", ["ab", ["a"]]),
    ],
)
def test_a_description_that_was_changed_is_refused(tmp_path, network, place, key, wrong):
    folder = os.path.dirname(loaded(network, tmp_path, []).search.path)
    for value in wrong:
        rewritten(folder, place, key, value)
        with refusal(BadNetwork, "damaged"):
            canonical.read(folder)


def test_a_user_without_home_or_temporary_files_gets_a_sentence(tmp_path, network):
    toml = str(network.path)
    words = [sys.executable, "-c", NO_ROOM, toml]
    done = run(words, env=dict(os.environ, HOME="/dev/null/x"), cwd=str(ROOT))
    assert done.returncode == 0 and "TMPDIR" in done.stdout, done.stderr


def test_processes_that_make_the_same_files_can_all_read_them(tmp_path):
    toml, begin = str(tiny.write_network(tmp_path)), tmp_path / "begin"
    ready = [tmp_path / f"ready-{number}" for number in range(4)]
    words = [sys.executable, "-c", READS, toml, str(tmp_path / "kept")]
    home = dict(os.environ, PYTHONPATH=str(ROOT))
    started = [
        subprocess.Popen([*words, str(each), str(begin)], env=home, stderr=subprocess.PIPE)
        for each in ready
    ]
    limit = time.monotonic() + 60
    while not all(each.exists() for each in ready):
        assert time.monotonic() < limit
        time.sleep(0.01)
    begin.touch()
    messages = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, messages


def test_those_unused_longest_go_when_there_are_too_many(tmp_path, network, monkeypatch):
    """The first is used to the end: another process may be about to open its files."""
    monkeypatch.setattr(writing, "MOST_NETWORKS", 3)
    made, kept = [], set()
    for number in range(writing.MOST_NETWORKS + 3):
        network.mean = (float(number), 0.0, 0.0)
        made.append(os.path.dirname(loaded(network, tmp_path, []).search.path))
        os.utime(made[-1], (number, number))
        network.mean = (0.0, 0.0, 0.0)
        kept.add(os.stat(loaded(network, tmp_path, []).search.path).st_ino)
    assert len(kept) == 1  # it was never made again
    there = [os.path.isdir(path) for path in made]
    assert there[0] and there[-1] and there.count(True) == writing.MOST_NETWORKS
    assert not there[1]


def test_a_file_that_does_not_fit_leaves_nothing_behind(tmp_path, network):
    paths = network.locate()
    paths["head"], paths["backbone"] = paths["backbone"], paths["head"]
    with pytest.raises(BadNetwork):
        canonical.load(network, paths, folder=str(tmp_path / "kept"))
    assert os.listdir(str(tmp_path / "kept")) == []


def test_where_nothing_makes_the_files_a_sentence_names_the_command(tmp_path, monkeypatch):
    network = load_network(tiny.write_network(tmp_path))
    kept = str(tmp_path / "kept")
    monkeypatch.setattr(canonical, "_writer", None)
    with refusal(BadNetwork, "not ready", command=f"NETWORK={network.given}"):
        canonical.load(network, network.locate(), folder=kept)
    monkeypatch.undo()
    canonical.load(network, network.locate(), folder=kept)
    monkeypatch.setattr(canonical, "_writer", None)
    assert canonical.load(network, network.locate(), folder=kept).maps  # only read
