"""What a board still lacks, the traps that it has, and the commands that help."""

import os
import shutil
import sys

import pytest

from hotpath.boards import detect, installed, load_board
from hotpath.boards import names as board_names
from hotpath.boards.files import Root
from hotpath.deploy.doctor import Situation, doctor_report, missing_packages, traps
from hotpath.runtime import engines
from tests.support import ROOT
from tests.support.board_roots import BoardRoot, situation

pytestmark = pytest.mark.pythons("the doctor on a board's own Python")


def names(board):
    return [entry.name for entry in missing_packages.missing_packages(situation(board))]


def test_nano_gets_pycuda_because_cupy_has_no_build(nano):
    entries = {
        entry.name: entry.command for entry in missing_packages.missing_packages(situation(nano))
    }
    assert "cupy" not in entries
    assert "/usr/local/cuda/bin" in entries["pycuda"] and "pycuda==" in entries["pycuda"]
    commands = missing_packages.install_commands(situation(nano))
    assert len(commands) == len(set(commands)) > 0  # each is given once
    nano.put_package("pycuda-2021.1", "3.6")
    assert "pycuda" not in names(nano)


FRESH = ("numpy-*", "tensorrt-*", "libopencv_python-*", "tqdm-*", "onnx-*", "tomli-*")


@pytest.mark.parametrize(
    "name, dropped, wanted",
    [
        ("kv260", (), "cv2"),
        ("jetson_thor_jp7", (), "cv2 venv environment cupy onnx aiohttp"),
        ("jetson_orin_nano_jp6", (), "cupy onnx aiohttp"),
        ("jetson_nano_jp4", FRESH, "pip tensorrt cv2 numpy pycuda aiohttp"),
    ],
)
def test_what_is_missing_goes_by_the_boards_engine(tmp_path, name, dropped, wanted):
    board = BoardRoot(name, tmp_path)
    for pattern in dropped:
        board.drop_packages(pattern)
    assert names(board) == wanted.split()


def test_a_computer_without_anything_gets_openvino():
    host, nothing = detect.Detection(), installed.InstalledSoftware()
    host.board = load_board("host")
    nothing.python = "3.12.1"
    entries = missing_packages.missing_packages(Situation(host, nothing, {}))
    assert [entry.name for entry in entries] == ["numpy", "cv2", "openvino"]


@pytest.mark.parametrize("name", [name for name in board_names() if name.startswith("jetson_")])
def test_no_jetson_is_advised_an_unpinned_cupy_or_numpy_2(name):
    for software in load_board(name).software.values():
        arrays = software["gpu_arrays"].split()
        assert "==" in arrays[0]
        if software["l4t"] >= "36":
            assert arrays[1:] == ["numpy>=1.22,<2"]


@pytest.mark.parametrize("software", [{"6": {"l4t": "36", "tensorrt": "10"}}, {}])
def test_a_profile_without_its_gpu_library_is_asked_to_name_it(tmp_path, software):
    of_board = situation(BoardRoot("jetson_thor_jp7", tmp_path))
    of_board.detection.software = {}
    of_board.detection.board = of_board.detection.board._replace(software=software)
    (entry,) = [
        entry for entry in missing_packages.missing_packages(of_board) if entry.name == "gpu_arrays"
    ]
    assert "jetson_thor.toml" in entry.command and 'gpu_arrays = "cupy' in entry.command


def test_a_refusing_environment_comes_before_its_packages(tmp_path):
    thor = BoardRoot("jetson_thor_jp7", tmp_path)
    entries = missing_packages.missing_packages(situation(thor))
    assert "-m venv --system-site-packages" in entries[2].command
    thor.path("usr/lib/python3.12/EXTERNALLY-MANAGED").unlink()
    assert names(thor) == ["cv2", "cupy", "onnx", "aiohttp"]


def test_in_a_new_shell_an_environment_that_is_there_is_used(tmp_path):
    """A user of a Thor opens a new shell: its python3 is the system's again."""
    thor = BoardRoot("jetson_thor_jp7", tmp_path)
    python = "~/hotpath-venv/bin/python"
    thor.put("home/a/hotpath-venv/bin/python", "")
    commands = missing_packages.install_commands(situation(thor))
    assert not [
        text
        for text in commands
        if "venv --system" in text or "apt-get install python3-venv" in text
    ]
    pip = [text for text in commands if "pip install" in text]
    assert len(pip) == 3 and all(text.startswith(python + " -m pip install ") for text in pip)
    for name in ("cupy_cuda13x-13.6.0", "aiohttp-3.9.1", "onnx-1.22.0"):
        packages = "home/a/hotpath-venv/lib/python3.12/site-packages/"
        thor.put(f"{packages}{name}.dist-info/METADATA", "")
    assert names(thor) == ["cv2"]
    found = situation(thor)
    found.installed.is_other = True  # this shell's Python is the system's
    assert missing_packages.install_commands(found) == [python + " -m hotpath boards"]


def test_every_command_of_a_board_is_of_its_reports_python(tmp_path):
    thor = BoardRoot("jetson_thor_jp7", tmp_path)
    thor.put_package("numpy-2.1.0", "3.12", "usr/lib")
    told = doctor_report.machine(situation(thor), thor.telemetry())
    assert [line.split()[-1] for line in told if "of all commands" in line] == [
        "~/hotpath-venv/bin/python"
    ]
    assert not [line for line in told if line.strip().startswith("python3 -m pip")]


def test_a_computer_with_a_gpu_gets_tensorrt_in_one_environment(tmp_path):
    computer = BoardRoot(None, tmp_path)
    computer.put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 580")
    computer.put("usr/bin/python3.12", "")
    entries = {
        entry.name: entry.command
        for entry in missing_packages.missing_packages(situation(computer))
    }
    assert list(entries) == ["numpy", "cv2", "onnx", "tensorrt", "cupy"]
    wanted = "make setup ALSO=nvidia"  # what `make engine` runs with
    if os.path.realpath(sys.prefix) != os.path.realpath(str(ROOT / ".venv")):
        wanted = missing_packages._setup(
            ALSO="nvidia"
        )  # another Python asks for that one, if it is there
    assert set(entries.values()) == {wanted}
    computer.put("usr/lib/python3.12/EXTERNALLY-MANAGED", "")
    assert missing_packages.install_commands(situation(computer)) == [wanted]
    extras = (ROOT / "pyproject.toml").read_text().split("\nnvidia = [")[1].split("]\n]")[0]
    assert "tensorrt-cu12" in extras and "cupy-cuda12x" in extras and "[host]" in extras


def test_an_engine_of_ones_own_says_how_it_is_installed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from hotpath.runtime.engines.base import Engine\n"
        "class MyEngine(Engine):\n"
        "    name, runs_files, install = 'mine', True, 'pip install mine'\n"
        "    libraries = ('library_of_mine',)\n"
        "ENGINE = MyEngine\n"
    )
    monkeypatch.setattr(engines, "__path__", list(engines.__path__) + [str(tmp_path)])
    found = detect.Detection()
    found.board = load_board("host")._replace(engine="mine")
    nothing = installed.InstalledSoftware()
    nothing.python = "3.12.1"
    lacking = missing_packages.missing_packages(Situation(found, nothing, {}))
    assert ("library_of_mine", "pip install mine") in [(e.name, e.command) for e in lacking]


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("raspberry_pi4", ["~/hotpath-venv/bin/python -m pip install ncnn"]),
        ("raspberry_pi5", []),
        ("rk3588", ["python3 -m pip install rknn-toolkit-lite2"]),
    ],
)
def test_arm_boards_lack_what_their_engine_imports(tmp_path, monkeypatch, name, wanted):
    monkeypatch.setattr(
        "hotpath.runtime.engines.base.Engine.is_installed", classmethod(lambda cls: False)
    )
    board = BoardRoot(name, tmp_path)
    board.drop_packages("rknn*")
    found = missing_packages.install_commands(situation(board))
    assert [text for text in found if "nn" in text] == wanted  # on the Pi 5 it is there


def test_where_make_setup_ran_the_other_python_is_named(tmp_path, monkeypatch):
    assert missing_packages._setup(str(tmp_path)) == "make setup"
    assert missing_packages.own_python(str(tmp_path)) == "python3"
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert (
        missing_packages._setup(str(tmp_path), ALSO="nvidia")
        == ".venv/bin/python -m hotpath boards"
    )
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert missing_packages._setup(str(tmp_path)) == "make setup"


def sentences(board, **environ):
    return [trap.sentence for trap in traps.traps(situation(board, **environ))]


def test_a_release_that_nobody_tried_is_named(orin):
    orin.put("etc/nv_tegra_release", "# R34 (release), REVISION: 1.1, GCID: 0, BOARD: t186ref")
    assert orin.detect().family is None
    assert any("L4T 34.1.1 " in sentence for sentence in sentences(orin))


def test_the_numpy_that_crashes_is_named_on_its_processor_alone(nano, tmp_path):
    assert any("Illegal instruction" in sentence for sentence in sentences(nano))
    assert not any("Illegal" in text for text in sentences(nano, OPENBLAS_CORETYPE="ARMV8"))
    nano.drop_packages("numpy-*")
    nano.put_package("numpy-1.19.4", "3.6")
    assert not any("Illegal" in text for text in sentences(nano))
    xavier = BoardRoot("jetson_xavier_nx_jp5", tmp_path / "xavier")
    xavier.drop_packages("numpy-*")
    xavier.put_package("numpy-1.19.5", "3.8")
    assert sentences(xavier) == []


@pytest.mark.parametrize("version", ["7.1.3.0", "8.0.1.6"])
def test_a_tensorrt_that_can_not_build_bundles_is_refused(nano, version):
    assert not any("can't build bundles" in sentence for sentence in sentences(nano))
    nano.drop_packages("tensorrt-*")
    nano.put_package("tensorrt-" + version, "3.6")
    caught = [t for t in traps.traps(situation(nano)) if "can't build bundles" in t.sentence]
    assert f"TensorRT {version} " in caught[0].sentence and "JetPack 4.6.1" in caught[0].command


def test_orin_without_the_dla_compiler(orin):
    caught = [t for t in traps.traps(situation(orin)) if "libnvdla_compiler" in t.sentence]
    assert "nvidia-l4t-dla-compiler" in caught[0].command
    orin.put("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", "")
    assert any("the file is empty" in sentence for sentence in sentences(orin))  # a container's
    orin.put("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", "ELF")
    assert not any("libnvdla" in sentence for sentence in sentences(orin))


def test_only_tensorrt_before_jetpack_7_2_needs_a_dla_compiler(tmp_path):
    orin = BoardRoot("jetson_orin_nano_jp7", tmp_path)
    assert sentences(orin) == []
    orin.drop_packages("tensorrt-*")
    orin.put_package("tensorrt-10.11.0.33", "3.12")
    assert any("JetPack 7.2 dropped it" in sentence for sentence in sentences(orin))


def test_tensorrt_of_another_python_is_found_and_named(nano):
    shutil.rmtree(str(nano.path("usr/bin")))
    nano.path("usr/bin").mkdir()
    nano.put("usr/bin/python3.6", "")
    nano.put("usr/bin/python3.8", "")
    nano.path("usr/bin/python3").symlink_to("python3.8")
    assert installed.find_installed(Root(nano.folder)).python == "3.8"
    assert any("TensorRT 8.2.1.8 " in text and "Python 3.6" in text for text in sentences(nano))


def test_a_wheel_of_opencv_hides_jetpacks(orin):
    assert any("opencv-python from pip" in text for text in sentences(orin))


def test_pynq_traps(tmp_path):
    board = BoardRoot("pynq_z2", tmp_path)
    assert any("pycparser 3.0" in sentence for sentence in sentences(board))
    board.drop_packages("pynq-*")
    board.put("usr/local/share/pynq-venv/lib/python3.10/site-packages/pynq-4.0.0.dist-info/x", "")
    assert "TypeError in Clocks" in sentences(board)[-1]
