"""``make engine``: on the board, from another computer over a real ssh, and for a computer."""

import contextlib
import json
import os
import shutil
import signal
import sys
from types import SimpleNamespace

import pytest

from tests import support
from tests.support import ROOT

pytest.importorskip("onnxruntime")

from hotpath import boards
from hotpath.boards import detect
from hotpath.deploy.bundles import engine_command as build
from hotpath.deploy.bundles import prepared
from hotpath.deploy.bundles.engines import tensorrt
from hotpath.deploy.bundles.order import Order
from hotpath.runtime import loading
from hotpath.runtime.networks import bundle, default_of, load_network
from hotpath.runtime.options import Options
from hotpath_nogpu import PATH
from hotpath_nogpu.tensorrt import machine
from tests.support import tiny
from tests.support.board_roots import BoardRoot


@pytest.fixture
def toml(tmp_path):
    """The tiny network's TOML."""
    folder = tmp_path / "network"
    folder.mkdir()
    return tiny.write_network(folder)


def run(toml, out, *options):
    """Run the command line; the exit code."""
    given = list(options) + ["--network", str(toml), "--out", str(out)]
    return build.main([str(option) for option in given])


def be_without_onnx(monkeypatch):
    """Let all that imports onnx fail to be imported."""
    for name in ("assemble", "convert", "cut"):
        monkeypatch.setitem(sys.modules, "hotpath.graphs." + name, None)
        monkeypatch.delattr("hotpath.graphs." + name, raising=False)


@contextlib.contextmanager
def play(monkeypatch, tmp_path, name="jetson_nano", capability="5.3"):
    """This computer as a board with TensorRT 8.2."""
    monkeypatch.setattr(tensorrt, "CACHE", tmp_path / "cache")
    board = machine.FakeBoard("8.2", capability)
    board.be(name)
    try:
        yield board
    finally:
        board.leave()


NEEDS_RANGES = "hotpath int8 --network {} --clips DIR"


@pytest.mark.parametrize(
    "network, options, messages",
    [
        (
            "tiny",
            "jetson_nano --precision int8",
            ["INT8 on Jetson Nano: there is no INT8 unit: sm_53 has no dp4a", "FORCE=1"]
            + ["make engine BOARD=jetson_nano NETWORK={} PRECISION=fp16"],
        ),
        ("tiny", "jetson_nano --precision int8 --force", [NEEDS_RANGES]),
        ("tiny", "jetson_nan", ["did you mean jetson_nano"]),
        ("tiny", "orin_nano", ["did you mean jetson_orin_nano?"]),
        ("tiny", "raspberry", ["did you mean raspberry_pi4 or raspberry_pi5?"]),
        ("tiny", "pynq_z2", ["tiny does not run on a PYNQ-Z2: ", "needs strides [16, 16]"]),
        (
            "tiny",
            "host --precision fp16",
            [
                "FP16 on this computer: processors compute it as fp32",
                "NETWORK={} PRECISION=fp32`\n",
            ],
        ),
        ("tiny", "host --precision int8", ["tiny is not INT8; run `" + NEEDS_RANGES]),
        ("kestrel_small-int8", "jetson_nano --precision fp16", ["{} is INT8", "in floating point"]),
        (
            "kestrel_small-int8",
            "jetson_agx_orin --precision fp16",
            ["{} is INT8", "PRECISION=int8"],
        ),
        ("kestrel", "pynq_z2", ["{} does not run on a PYNQ-Z2", "run `make engine BOARD=pynq_z2`"]),
        (
            "lightfc",
            "pynq_z2",
            [
                "{} does not run on a PYNQ-Z2",
                "run `make engine BOARD=pynq_z2`",
                "GlobalAveragePool",
            ],
        ),
    ],
)
def test_what_can_not_be_built_is_one_sentence(toml, tmp_path, capsys, network, options, messages):
    if options.startswith("pynq"):
        pytest.importorskip("hotpath_fpga")
    network, out = toml if network == "tiny" else network, tmp_path / "out"
    assert run(network, out, *options.split()) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert not out.exists() or not list(out.iterdir())
    if "Python 3.10 or newer" not in text:  # of the FPGA's compiler
        assert all(part.format(network) in text for part in messages), text


def test_prepared_files_serve_their_board_alone_without_onnx(toml, tmp_path, capsys, monkeypatch):
    assert run(toml, tmp_path, "jetson_nano") == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    command = printed.split()
    assert command[:4] == "python3 -m hotpath engine".split()
    be_without_onnx(monkeypatch)
    with play(monkeypatch, tmp_path):
        assert run(toml, tmp_path, "jetson_nano") == 0
        made = bundle.Bundle(tmp_path / "jetson_nano" / "tiny-fp16")
        made.check_parts()
        told = capsys.readouterr()
        assert f"hotpath track --bundle {made.folder}" in told.out
        assert (
            "building whole-search0.onnx (" in told.err and "built whole-search0.onnx" in told.err
        )
        shutil.rmtree(str(made.folder))
        shutil.rmtree(str(toml.parent))  # the board has none of it
        assert build.main(command[4:]) == 0
    bundle.Bundle(made.folder).check_parts()
    capsys.readouterr()
    with play(monkeypatch, tmp_path, "jetson_tx2"):
        assert build.main(command[4:]) == 2
    text = capsys.readouterr().err
    assert "jetson_tx2, " in text and "prepared for jetson_nano" in text
    assert "run `make engine BOARD=jetson_tx2" in text
    found = detect.Detection()
    found.board = boards.load_board("host")  # which makes no fp16
    monkeypatch.setattr(detect, "detect", lambda root="/": found)
    assert build.main(command[4:]) == 2
    assert "BOARD=host NETWORK=tiny PRECISION=fp32" in capsys.readouterr().err


def test_in_a_container_on_a_jetson_the_named_board_is_built(toml, tmp_path, capsys, monkeypatch):
    """Docker hides the device tree: the GPU's compute capability must be the board's."""
    root = BoardRoot(None, tmp_path / "root")
    root.put("proc/driver/nvidia/version", "NVRM version")
    root.put("usr/lib/aarch64-linux-gnu/libc.so.6", "")
    found = root.detect()
    assert found.board.name == "nvidia_gpu"
    with play(monkeypatch, tmp_path, "nvidia_gpu", "8.7"), monkeypatch.context() as inside:
        inside.setattr(detect, "detect", lambda root="/": found)
        assert run(toml, tmp_path, "jetson_orin_nano") == 0
        made = bundle.Bundle(tmp_path / "jetson_orin_nano" / "tiny-fp16")
        assert made.compute_capability == "8.7"
        loading.load(Options(bundle=made.folder)).engine.close()
        prepared = made.folder.with_name("tiny-fp16.prepared")
        assert build.main(["--prepared", str(prepared)]) == 0  # what another computer prints
        capsys.readouterr()
        assert run(toml, tmp_path, "jetson_xavier_nx") == 0  # of 7.2: it is prepared for there
        told = capsys.readouterr()
        assert "hotpath engine --prepared" in told.out
        assert "checkout" not in told.err and "copy " in told.err  # a wheel has none


@pytest.mark.skipif(sys.version_info < (3, 10), reason="calib/ is for Python 3.10 and newer")
def test_int8_takes_a_table_of_ranges_to_the_board(toml, tmp_path, capsys, monkeypatch):
    from hotpath.graphs import table

    network = build.load_network(toml)
    ranges = {
        "format": table.FORMAT,
        "network": "tiny",
        "files": table.file_hashes(network, None),
        "keep": [],
        "last": [],
        "tensors": {"exemplar": {}, "search": {"search": {}}},
    }
    options = ["jetson_xavier_nx", "--precision", "int8"]
    options += ["--calibration", tmp_path / "tiny-ranges.json"]
    # a newer table of ranges is not passed over for what was prepared from the old one
    for highest, scale in ((254.0, "40000000"), (508.0, "40800000")):  # 2.0 and 4.0
        ranges["tensors"]["search"]["search"]["range"] = [-127.0, highest]
        table.write(ranges, tmp_path / "tiny-ranges.json")
        with play(monkeypatch, tmp_path, "jetson_xavier_nx", "7.2") as board:
            assert run(toml, tmp_path / "e", *options) == 0, capsys.readouterr().err
        made = bundle.Bundle(tmp_path / "e" / "jetson_xavier_nx" / "tiny-int8")
        assert made.calibration_sha256 == bundle.sha256_of(tmp_path / "tiny-ranges.json")
        caches = {value for what, value in board.machine.seen if what == "cache"}
        assert caches == {f"TRT-8201-EntropyCalibration2\nsearch: {scale}\n"}
    ranges["files"]["head"] = "ab" * 32
    table.write(ranges, tmp_path / "tiny-ranges.json")
    assert run(toml, tmp_path / "other", *options) == 2
    assert f"hotpath int8 --network {toml} --clips DIR` again" in capsys.readouterr().err


def test_a_board_without_onnx_builds_both_networks(tmp_path, capsys, monkeypatch):
    """Where this fails, run `python -m hotpath_research.train.ship NAME`."""
    be_without_onnx(monkeypatch)
    with play(monkeypatch, tmp_path):
        code = build.main(["jetson_nano", "--precision", "fp32", "--out", str(tmp_path / "e")])
    assert code == 0, capsys.readouterr().err
    for name in ("kestrel", "kestrel_fast"):
        made = bundle.Bundle(tmp_path / "e" / "jetson_nano" / (name + "-fp32"))
        made.check_parts()
        made.check_network(load_network(name))


def test_a_board_without_onnx_or_preparations_is_one_sentence(toml, tmp_path, capsys, monkeypatch):
    be_without_onnx(monkeypatch)
    with play(monkeypatch, tmp_path):
        assert run(toml, tmp_path, "jetson_nano") == 2
    text = capsys.readouterr().err
    assert "no onnx" in text and "copy what it prepares" in text


@pytest.mark.parametrize(
    "key, wrong",
    [
        ("memory_gb", "x"),
        ("forms", {}),
        ("network", None),
        ("files", []),
        (None, []),
        ("model", None),
    ],
)
def test_an_altered_preparation_is_one_sentence(toml, tmp_path, capsys, key, wrong):
    assert run(toml, tmp_path, "jetson_nano") == 0
    prepared = tmp_path / "jetson_nano" / "tiny-fp16.prepared"
    values = json.loads((prepared / "prepared.json").read_text())
    changed = dict(values, **{key: wrong}) if key else []
    if key == "model":
        (prepared / "whole-exemplar.onnx").write_bytes(b"x")
    else:
        (prepared / "prepared.json").write_text(json.dumps(changed))
    capsys.readouterr()
    assert build.main(["--prepared", str(prepared), "--out", str(tmp_path)]) == 2
    messages = capsys.readouterr().err.splitlines()
    assert len(messages) == 1 and (
        "copy it again" in messages[0] or "is not a prepared folder" in messages[0]
    )
    assert run(toml, tmp_path, "jetson_nano") == 0  # on a computer it is made anew


def test_a_board_needs_numpy_and_tensorrt_alone_to_build(toml, tmp_path):
    assert run(toml, tmp_path, "jetson_nano") == 0
    code = (
        "import sys\n"
        "for name in 'cv2 onnx onnxruntime openvino cupy pycuda tqdm torch'.split():\n"
        "    sys.modules[name] = None\n"
        "from hotpath.deploy.bundles import engine_command as build\n"
        "sys.exit(build.main(['--prepared', sys.argv[1]]))\n"
    )
    prepared = tmp_path / "jetson_nano" / "tiny-fp16.prepared"
    done = support.run([sys.executable, "-c", code, prepared], cwd=str(ROOT))
    # all is there but the board
    assert done.returncode == 2 and "this board is host" in done.stderr, done.stderr


def test_ctrl_c_in_a_build_leaves_nothing(toml, tmp_path, monkeypatch):
    script = (
        "import os, signal, sys\n"
        "from hotpath.deploy.bundles import engine_command as build\n"
        "from hotpath_nogpu.tensorrt import machine\n"
        "board = machine.FakeBoard('8.2')\n"
        "board.be('jetson_nano')\n"
        "def stop(self, network, config): os.kill(os.getpid(), signal.SIGINT)\n"
        "board.trt.Builder.build_serialized_network = stop\n"
        "sys.exit(build.main(['--prepared', sys.argv[1], '--out', sys.argv[2]]))\n"
    )
    assert run(toml, tmp_path / "e", "jetson_nano") == 0
    prepared = tmp_path / "e" / "jetson_nano" / "tiny-fp16.prepared"
    words = [sys.executable, "-c", script, prepared, tmp_path / "out"]
    done = support.run(words, env=dict(os.environ, PYTHONPATH=PATH))
    assert done.returncode in (130, -signal.SIGINT)
    assert "stopped; nothing was changed" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_computer_tells_an_fpga_board_what_to_copy_and_run(tmp_path, capsys):
    pytest.importorskip("hotpath_fpga")
    assert build.main(["pynq_z2", "--out", str(tmp_path)]) == 0
    told, folder = capsys.readouterr(), tmp_path / "pynq_z2"
    assert told.out.startswith("sudo python3 -m hotpath boards pynq runtime.track --bundle ")
    assert told.out.count("\n") == 1
    (made,) = folder.iterdir()
    assert str(made) in told.out and f"copy {folder} " in told.err
    assert f"missing: {folder / 'overlay' / 'hotpath.bit'}" in told.err
    (folder / "overlay").mkdir()
    (folder / "overlay" / "hotpath.bit").touch()
    assert build.main(["pynq_z2", "--out", str(tmp_path)]) == 0
    assert "missing" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "place"),
    [("raspberry_pi5", "copy {0} to one that has Hotpath"), ("android", "assets"), ("host", "")],
)
def test_what_to_do_next_can_be_done_on_the_board_that_was_named(
    name, place, tmp_path, capsys, monkeypatch
):
    folder = tmp_path / name
    board = boards.load_board(name)
    written = SimpleNamespace(
        folder=folder,
        board=name,
        parts={},
        engine="ncnn",
        libraries={"ncnn": "1.0"},
        network={"name": default_of(board)},
        precision="fp32",
    )
    build._tell(written, board)
    told = capsys.readouterr()
    command = f"hotpath track --bundle {written.folder}"  # which no `make engine` wrote
    assert (command in told.out) == (name != "android")
    assert place.format(written.folder.parent) in told.out + told.err
    assert ("copy" in told.err) == (name == "raspberry_pi5")
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python3"))
    build._tell(written)  # on the board itself, from the clone
    assert capsys.readouterr().out.startswith("python3 -m " + command)
    (tmp_path / "hotpath").touch()  # installed
    build._tell(written)
    assert capsys.readouterr().out.startswith(command)
    (tmp_path / "hotpath").unlink()
    monkeypatch.setattr("sys.prefix", str(tmp_path))  # in an environment, as of JetPack 7
    build._tell(written)
    assert capsys.readouterr().out.startswith(f"{tmp_path}/python3 -m {command}")


@pytest.mark.parametrize(
    ("board", "network", "command"),
    [
        ("jetson_nano", "kestrel", "track --video cam0"),
        ("jetson_nano", "kestrel_fast", "track --network kestrel_fast --video cam0"),
        ("host", "lightfc-int8", "track --bundle {} --video cam0"),
        ("a_board_of_ones_own", "kestrel", "track --bundle {} --video cam0"),
    ],
)
def test_no_choice_is_named_that_the_board_makes_itself(board, network, command):
    folder = bundle.folder_of(board, network, "fp16")
    written = SimpleNamespace(folder=folder, board=board, network={"name": network})
    assert build._command(written) == command.format(folder)


def test_what_follows_by_default_is_built_as_one(tmp_path, capsys):
    pytest.importorskip("onnx")
    assert build.main(["jetson_nano", "--out", str(tmp_path)]) == 0
    names = sorted(path.name for path in (tmp_path / "jetson_nano").iterdir())
    assert names == ["kestrel-fp16.prepared", "kestrel_fast-fp16.prepared"]
    commands = capsys.readouterr().out.splitlines()
    assert len(commands) == 2
    assert all(line.startswith("python3 -m hotpath engine --prepared ") for line in commands)
    assert build.main(["jetson_nano", "--network", "kestrel", "--out", str(tmp_path / "one")]) == 0
    assert len(list((tmp_path / "one" / "jetson_nano").iterdir())) == 1


def test_a_witness_that_can_not_be_built_is_said(tmp_path, capsys, monkeypatch):
    be_without_onnx(monkeypatch)
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "kestrel").symlink_to(prepared.SHIPPED / "kestrel")
    monkeypatch.setattr(prepared, "SHIPPED", tmp_path / "shipped")
    with play(monkeypatch, tmp_path):
        assert build.main(["jetson_nano", "--out", str(tmp_path / "e")]) == 0
    told = capsys.readouterr()
    assert "the witness kestrel_fast was not built: " in told.err and "no onnx" in told.err
    assert (tmp_path / "e" / "jetson_nano" / "kestrel-fp16" / "bundle.json").is_file()


@pytest.mark.parametrize("board", ["host", "jetson_nano"])
def test_a_network_that_was_trained_anew_takes_the_place_of_the_older_one(toml, tmp_path, board):
    import onnx

    file, found = toml.with_name("tiny_head.onnx"), []
    for text in ("", "other weights"):
        model = onnx.load(str(file))
        model.doc_string = text
        onnx.save(model, str(file))
        assert run(toml, tmp_path / "out", board) == 0
        (made,) = (tmp_path / "out" / board).iterdir()
        found.append({path.name: path.read_bytes() for path in made.iterdir()})
    assert found[0] != found[1]


def test_a_conversion_that_onnx_runtime_refuses_is_not_written(toml, tmp_path, monkeypatch):
    from hotpath.graphs import convert

    def half_broken(model, ends=False):
        broken = to_float16(model, ends)
        broken.graph.node[0].op_type = "Nothing"
        return broken

    to_float16 = convert.to_float16
    monkeypatch.setattr(convert, "to_float16", half_broken)
    messages = []
    order = Order(boards.load_board("jetson_thor"), load_network(toml), "fp16")
    prepared.prepare(tmp_path / "prepared", order, messages.append)
    assert any("TensorRT 11 can't run it with float16: ONNX Runtime" in line for line in messages)
    assert not list((tmp_path / "prepared").glob("*half*"))


@pytest.mark.parametrize(
    "board, more, network, precision",
    [
        # as the refusal of INT8 for ncnn says
        ("raspberry_pi5", ["--precision", "int8"], "kestrel_small-int8", "int8"),
        ("nvidia_gpu", [], "kestrel_small", "fp32"),  # whose usual precision is fp16
    ],
)
def test_a_board_gets_files_for_another_engine(tmp_path, board, more, network, precision):
    words = [board, "--network", "kestrel_small", "--engine", "onnxruntime", *more]
    assert build.main([*words, "--out", str(tmp_path)]) == 0
    (made,) = map(bundle.Bundle, (tmp_path / board).iterdir())
    assert (made.network["name"], made.precision) == (network, precision)
    assert made.engine == "onnxruntime"


def test_a_computer_gets_the_precision_that_it_tracks_in(tmp_path, capsys):
    network = "kestrel_small"
    plain = loading.load(Options(network=network)).engine
    assert build.main(["host", "--network", network, "--out", str(tmp_path)]) == 0
    command = capsys.readouterr().out.splitlines()[-1].split()
    assert command[:3] == ["hotpath", "track", "--bundle"]
    for named in (None, network):  # `track --board host` names the board's network
        bundled = loading.load(Options(bundle=command[3], network=named)).engine
        assert bundled.describe()["precision"] == plain.describe()["precision"]
        bundled.close()
    plain.close()
