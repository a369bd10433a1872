"""What a board still lacks, and the commands that install it."""

import sys

import pytest

from boards import detect, installed, load_board
from boards import names as board_names
from boards.doctor import Situation, missing
from boards.files import Root
from runtime import engines
from tests.support.board_roots import BoardRoot, situation

pytestmark = pytest.mark.pythons("the doctor on a board's own Python")


def names(board):
    return [entry.name for entry in missing.missing(situation(board))]


def test_nano_gets_pycuda_because_cupy_has_no_build(nano):
    entries = {entry.name: entry.command for entry in missing.missing(situation(nano))}
    assert "cupy" not in entries
    assert "/usr/local/cuda/bin" in entries["pycuda"] and "pycuda==" in entries["pycuda"]
    commands = missing.commands(situation(nano))
    assert len(commands) == len(set(commands)) > 0  # each is given once
    nano.put_package("pycuda-2021.1", "3.6")
    assert "pycuda" not in names(nano)


FRESH = ("numpy-*", "tensorrt-*", "libopencv_python-*", "tqdm-*", "onnx-*", "tomli-*")


@pytest.mark.parametrize(
    "name, dropped, wanted",
    [
        ("kv260", (), "cv2"),
        ("jetson_thor_jp7", (), "cv2 venv environment cupy"),
        ("jetson_nano_jp4", FRESH, "pip tensorrt cv2 numpy pycuda"),
    ],
)
def test_what_is_missing_goes_by_the_boards_engine(tmp_path, name, dropped, wanted):
    board = BoardRoot(name, tmp_path)
    for pattern in dropped:
        board.drop_packages(pattern)
    assert names(board) == wanted.split()


def test_a_computer_without_anything_gets_openvino():
    host, nothing = detect.Detection(), installed.Installed()
    host.board, nothing.python = load_board("host"), "3.12.1"
    entries = missing.missing(Situation(host, nothing, {}))
    assert [entry.name for entry in entries] == ["numpy", "cv2", "openvino"]


@pytest.mark.parametrize("name", [name for name in board_names() if name.startswith("jetson_")])
def test_no_jetson_is_advised_an_unpinned_cupy_or_numpy_2(name):
    for software in load_board(name).software.values():
        arrays = software["gpu_arrays"].split()
        assert "==" in arrays[0]
        if software["l4t"] >= "36":
            assert arrays[1:] == ["numpy>=1.22,<2"]


def test_where_pip_refuses_an_environment_comes_before_its_packages(tmp_path):
    thor = BoardRoot("jetson_thor_jp7", tmp_path)
    entries = missing.missing(situation(thor))
    assert "-m venv --system-site-packages" in entries[2].command
    thor.path("usr/lib/python3.12/EXTERNALLY-MANAGED").unlink()
    assert names(thor) == ["cv2", "cupy"]


def test_a_computer_with_a_gpu_gets_tensorrt_from_pip(tmp_path):
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text("NVRM version: NVIDIA UNIX x86_64 580")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python3.12").write_text("")
    found = Situation(detect.detect(tmp_path), installed.look(Root(tmp_path)), {})
    entries = {entry.name: entry.command for entry in missing.missing(found)}
    assert list(entries) == ["pip", "numpy", "cv2", "onnx", "tensorrt", "cupy"]
    assert entries["tensorrt"] == "python3 -m pip install tensorrt-cu12"


def test_an_engine_of_ones_own_says_how_it_is_installed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from runtime.engines.base import Engine as Base\n"
        "class Engine(Base):\n"
        "    name, runs_files, install = 'mine', True, 'pip install mine'\n"
        "    libraries = ('library_of_mine',)\n"
    )
    monkeypatch.setattr(engines, "__path__", list(engines.__path__) + [str(tmp_path)])
    found = detect.Detection()
    found.board = load_board("host")._replace(engine="mine")
    lacking = missing.missing(Situation(found, installed.look(Root()), {}))
    assert ("library_of_mine", "pip install mine") in [(e.name, e.command) for e in lacking]


@pytest.mark.parametrize(
    "name, wanted", [("raspberry_pi4", ["python3 -m pip install ncnn"]), ("raspberry_pi5", [])]
)
def test_arm_boards_lack_what_their_engine_imports(tmp_path, monkeypatch, name, wanted):
    monkeypatch.setattr("runtime.engines.base.Engine.is_installed", classmethod(lambda cls: False))
    found = missing.commands(situation(BoardRoot(name, tmp_path)))
    assert [text for text in found if "ncnn" in text] == wanted  # on the Pi 5 it is there


def test_where_make_setup_ran_the_other_python_is_named(tmp_path, monkeypatch):
    assert missing._setup(str(tmp_path)) == "make setup"
    assert missing.own_python(str(tmp_path)) == "python3"
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert missing._setup(str(tmp_path)) == ".venv/bin/python -m boards"
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert missing._setup(str(tmp_path)) == "make setup"
