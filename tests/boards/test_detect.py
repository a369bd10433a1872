"""Which board is this, what does it lack, and which known trap is it in."""

import os
import platform
import shutil
import sys

import pytest

from boards import detect, load_board
from boards.doctor import advice, installed
from boards.errors import UnknownBoard
from boards.files import Root
from tests.support.board_roots import NAMES, BoardRoot

A_JETSONS_FILE = "proc/device-tree/compatible"


def situation(board, **environ):
    return advice.Situation(board.detect(), installed.look(Root(board.folder)), environ)


def traps(board, **environ):
    return [trap.sentence for trap in advice.traps(situation(board, **environ))]


def lacking(board):
    return [entry.name for entry in advice.missing(situation(board))]


def put_package(board, name, python, where="usr/local/lib"):
    board.put("{}/python{}/dist-packages/{}.dist-info/METADATA".format(where, python, name), "")


def drop_packages(board, pattern):
    for path in board.folder.glob("usr/**/" + pattern + ".dist-info"):
        shutil.rmtree(str(path))


@pytest.fixture
def nano(tmp_path):
    return BoardRoot("jetson_nano_jp4", tmp_path)


@pytest.fixture
def orin(tmp_path):
    return BoardRoot("jetson_orin_nano_jp6", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_every_snapshot_is_recognised_as_its_board(name, tmp_path):
    found = BoardRoot(name, tmp_path).detect()
    assert name.startswith(found.board.name)
    assert found.sure and found.require() is found.board
    if found.board.family == "jetson":
        jetpack = name.rsplit("_jp", 1)[1]
        assert found.family.startswith(jetpack) and found.jetpack.startswith(jetpack)
        assert found.software["cuda"] in installed.look(Root(tmp_path)).cuda


@pytest.mark.skipif(os.path.exists("/proc/device-tree/model"), reason="this is a board")
def test_this_computer_is_the_host():
    found = detect.detect()
    assert found.board.name == "host" and found.l4t is None
    assert installed.look(Root()).python == platform.python_version()


@pytest.mark.parametrize(
    ("compatible", "model", "board"),
    [
        ("nvidia,p3768-0000+p3767-0001\0nvidia,tegra234\0", "Custom carrier", "jetson_orin_nx"),
        ("nvidia,p3768-0000+p3767-0004\0nvidia,tegra234\0", "Custom", "jetson_orin_nano"),
        # an Orin NX on the Orin Nano's kit: the module decides, not the model's name
        ("nvidia,p3767-0000\0nvidia,tegra234", "NVIDIA Orin Nano Developer Kit", "jetson_orin_nx"),
        ("acme,carrier\0nvidia,tegra234", "Acme with Jetson AGX Orin", "jetson_agx_orin"),
        ("nvidia,p3737-0000+p3701-0005\0nvidia,tegra234", "x", "jetson_agx_orin"),
        ("nvidia,p2972-0000\0nvidia,tegra194", "Jetson-AGX", "jetson_agx_xavier"),
        ("nvidia,p2597-0000+p3310-1000\0nvidia,tegra186", "quill", "jetson_tx2"),
        (
            "xlnx,zynqmp-zcu104-revC\0xlnx,zynqmp-zcu104\0xlnx,zynqmp",
            "ZynqMP ZCU104 RevC",
            "zcu104",
        ),
        ("avnet,ultra96-rev2\0avnet,ultra96\0xlnx,zynqmp", "Avnet Ultra96 Rev2", "ultra96"),
        ("digilent,zynq-artyz\0xlnx,zynq-7000", "Zynq PYNQ-Z2 Development Board", "pynq_z2"),
        ("raspberrypi,5-model-b\0brcm,bcm2712", "Raspberry Pi 5 Model B Rev 1.0", "host"),
    ],
)
def test_device_trees_of_boards_without_a_snapshot(tmp_path, compatible, model, board):
    tree = tmp_path / "sys/firmware/devicetree/base"  # where /proc/device-tree is not mounted
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(compatible.encode())
    (tree / "model").write_bytes(model.encode() + b"\0")
    found = detect.detect(tmp_path)
    assert found.board.name == board
    assert found.model == model


def test_a_known_chip_on_an_unknown_board_asks_which(tmp_path):
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"acme,rover\0nvidia,tegra234\0")
    found = detect.detect(tmp_path)
    assert found.board is None
    assert found.candidates == ["jetson_agx_orin", "jetson_orin_nano", "jetson_orin_nx"]
    with pytest.raises(UnknownBoard, match="BOARD=: jetson_agx_orin, jetson_orin_nano"):
        found.require()


def test_a_chip_of_one_board_is_taken_for_it_with_a_doubt(tmp_path):
    tree = tmp_path / "proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"acme,rover\0nvidia,tegra264\0")
    found = detect.detect(tmp_path)
    assert found.board.name == "jetson_thor" and not found.sure


def test_pynq_names_its_board_in_the_environment_too(tmp_path):
    board = BoardRoot("pynq_z2", tmp_path)
    board.path("proc/device-tree/chosen/pynq_board").unlink()
    assert board.detect().board.name == "pynq_z2"
    board.put("etc/environment", 'PATH="/bin"\nexport BOARD="ZCU104"\n')
    assert board.detect().board.name == "zcu104"


def test_l4t_is_read_from_its_package_where_the_release_file_is_missing(orin):
    orin.path("etc/nv_tegra_release").unlink()
    found = orin.detect()
    assert (found.l4t, found.family) == ("36.4.3", "6")


def test_a_release_that_nobody_tried_is_named(orin):
    orin.put("etc/nv_tegra_release", "# R34 (release), REVISION: 1.1, GCID: 0, BOARD: t186ref")
    assert orin.detect().family is None
    assert any("L4T 34.1.1 is none of the releases" in sentence for sentence in traps(orin))


def test_packages_are_found_with_version_and_origin(orin):
    packages = installed.look(Root(orin.folder)).packages
    assert packages["cv2"][:2] == ("4.12.0.88", "pip")
    assert packages["tensorrt"][:2] == ("10.3.0", "apt")
    assert "cupy" not in packages


def test_jetpacks_opencv_is_a_bare_folder_with_its_version_in_dpkg(nano):
    drop_packages(nano, "libopencv_python*")
    nano.put("usr/lib/python3.6/dist-packages/cv2/__init__.py", "")
    assert installed.look(Root(nano.folder)).packages["cv2"][:2] == ("4.1.1", "apt")


def test_packages_that_are_removed_but_not_purged_are_not_installed(nano):
    status = nano.path("var/lib/dpkg/status")
    text = status.read_text(encoding="utf-8").replace(
        "install ok installed", "deinstall ok config-files"
    )
    status.write_text(text, encoding="utf-8")
    assert installed.look(Root(nano.folder)).debian == {}


def test_this_pythons_own_packages_are_found():
    """pytest runs, so at least pip's kind of metadata is here; compare with the real library."""
    found = installed.look(Root()).packages
    numpy = pytest.importorskip("numpy")
    assert found["numpy"].version == numpy.__version__


def test_nano_names_the_numpy_that_crashes_and_its_cure(nano):
    assert any("Illegal instruction" in sentence for sentence in traps(nano))
    assert not any("Illegal" in text for text in traps(nano, OPENBLAS_CORETYPE="ARMV8"))
    drop_packages(nano, "numpy-*")
    put_package(nano, "numpy-1.19.4", "3.6")
    assert not any("Illegal" in text for text in traps(nano))


def test_the_same_numpy_is_no_trap_on_another_processor(tmp_path):
    xavier = BoardRoot("jetson_xavier_nx_jp5", tmp_path)
    drop_packages(xavier, "numpy-*")
    put_package(xavier, "numpy-1.19.5", "3.8")
    assert traps(xavier) == []


def test_nano_gets_pycuda_because_cupy_has_no_build(nano):
    entries = {entry.name: entry.command for entry in advice.missing(situation(nano))}
    assert "cupy" not in entries
    assert "/usr/local/cuda/bin" in entries["pycuda"] and "pycuda==" in entries["pycuda"]
    assert any("CuPy has no build for Python 3.6" in sentence for sentence in traps(nano))
    put_package(nano, "pycuda-2021.1", "3.6")
    assert "pycuda" not in lacking(nano)
    assert not any("CuPy" in sentence for sentence in traps(nano))


def test_pip_comes_first_where_jetpack_has_none(nano):
    assert lacking(nano)[0] == "pip"


def test_orin_without_the_dla_compiler(orin):
    caught = [t for t in advice.traps(situation(orin)) if "libnvdla_compiler" in t.sentence]
    assert "nvidia-l4t-dla-compiler" in caught[0].command
    orin.put("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", "")
    assert any("the file is empty" in sentence for sentence in traps(orin))  # a container's
    orin.put("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", "ELF")
    assert not any("libnvdla" in sentence for sentence in traps(orin))


def test_jetpack_7_2_needs_no_dla_compiler_but_an_older_tensorrt_does(tmp_path):
    orin = BoardRoot("jetson_orin_nano_jp7", tmp_path)
    assert traps(orin) == []
    drop_packages(orin, "tensorrt-*")
    put_package(orin, "tensorrt-10.11.0.33", "3.12")
    assert any("JetPack 7.2 dropped it" in sentence for sentence in traps(orin))


def test_tensorrt_of_another_python_is_found_and_named(nano):
    shutil.rmtree(str(nano.path("usr/bin")))
    nano.path("usr/bin").mkdir()
    nano.put("usr/bin/python3.6", "")
    nano.put("usr/bin/python3.8", "")
    nano.path("usr/bin/python3").symlink_to("python3.8")
    assert installed.look(Root(nano.folder)).python == "3.8"
    assert any("TensorRT 8.2.1.8 is there, but for Python 3.6" in text for text in traps(nano))


def test_a_wheel_of_opencv_hides_jetpacks_cameras(orin):
    assert any("opencv-python from pip has no GStreamer" in sentence for sentence in traps(orin))


def test_numpy_2_under_jetpacks_opencv(orin):
    drop_packages(orin, "opencv_python*")
    put_package(orin, "libopencv_python-4.8.0", "3.10", "usr/lib")
    assert any("built for NumPy 1" in sentence for sentence in traps(orin))


def test_pynq_traps(tmp_path):
    board = BoardRoot("pynq_z2", tmp_path)
    assert any("pycparser 3.0" in sentence for sentence in traps(board))
    drop_packages(board, "pynq-*")
    board.put("usr/local/share/pynq-venv/lib/python3.10/site-packages/pynq-4.0.0.dist-info/x", "")
    assert [text for text in traps(board) if "TypeError in Clocks" in text] == traps(board)


def test_what_is_missing_goes_by_the_boards_engine(tmp_path):
    assert lacking(BoardRoot("kv260", tmp_path / "kria")) == ["cv2"]
    assert lacking(BoardRoot("jetson_thor_jp7", tmp_path / "thor")) == ["cv2", "cupy"]
    empty = detect.Detection()
    empty.board = load_board("host")
    nothing = installed.Installed()
    nothing.python = "3.12.1"
    entries = advice.missing(advice.Situation(empty, nothing, {}))
    assert [entry.name for entry in entries] == ["numpy", "cv2", "openvino"]


def test_every_trap_gives_a_command():
    assert len({trap.__name__ for trap in advice.TRAPS}) == len(advice.TRAPS)
    assert all(trap.__doc__ for trap in advice.TRAPS)


def test_versions_compare_by_number_not_by_text():
    assert installed.at_least("10.3.0", (8, 5)) and not installed.at_least("8.5.2", (10,))
    assert installed.at_least("10.16.2.10", (10, 16)) and not installed.at_least(None, (1,))


def test_detection_imports_no_heavy_library():
    """`python -m boards` must work where those libraries are broken."""
    code = (
        "import sys\n"
        "for name in ('numpy', 'cv2', 'tensorrt', 'cupy', 'pycuda', 'pynq', 'openvino'):\n"
        "    sys.modules[name] = None\n"
        "from boards.__main__ import main\n"
        "sys.exit(main([]))\n"
    )
    import subprocess

    root = os.path.dirname(os.path.dirname(os.path.abspath(detect.__file__)))
    assert subprocess.call([sys.executable, "-c", code], cwd=root, stdout=subprocess.DEVNULL) == 0
