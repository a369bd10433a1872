"""Which board is this, and which packages has it?"""

import os
import platform
import re
import shutil
import sys

import pytest

from hotpath import boards
from hotpath.boards import detect, installed
from hotpath.boards.files import Root
from tests.support import ROOT, run
from tests.support.board_roots import NAMES, BoardRoot

pytestmark = pytest.mark.pythons("files of a board")


@pytest.mark.parametrize("name", NAMES)
def test_every_snapshot_is_recognised_as_its_board(name, tmp_path):
    found = BoardRoot(name, tmp_path).detect()
    assert name.startswith(found.board.name)
    assert found.sure
    if found.board.family == "jetson":
        jetpack = name.rsplit("_jp", 1)[1]
        assert found.family.startswith(jetpack) and found.jetpack.startswith(jetpack)
        assert installed.find_installed(Root(tmp_path)).cuda


@pytest.mark.skipif(os.path.exists("/proc/device-tree/model"), reason="this is a board")
def test_this_computer_is_the_host():
    found = detect.detect()
    assert found.board.name == "host" and found.l4t is None
    assert installed.find_installed(Root()).python == platform.python_version()


def test_a_computer_with_nvidias_driver_is_recognised_by_it(tmp_path):
    computer = BoardRoot(None, tmp_path)
    assert computer.detect().board.name == "host"
    computer.put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 580")
    found = computer.detect()
    assert found.board.name == "nvidia_gpu" and found.sure
    assert found.software["gpu_arrays"].startswith("cupy")


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
        ("xlnx,zynqmp-smk-k26-revB\0xlnx,zynqmp-smk-k26\0xlnx,zynqmp", "Kria", "kv260"),
        ("digilent,zynq-artyz\0xlnx,zynq-7000", "Zynq PYNQ-Z2 Development Board", "pynq_z2"),
        ("raspberrypi,400\0brcm,bcm2711", "Raspberry Pi 400 Rev 1.0", "raspberry_pi4"),
        ("acme,drone\0raspberrypi,5-compute-module\0brcm,bcm2712", "x", "raspberry_pi5"),
        ("raspberrypi,3-model-b\0brcm,bcm2837", "Raspberry Pi 3 Model B Rev 1.2", "host"),
    ],
)
def test_device_trees_of_boards_without_a_snapshot(tmp_path, compatible, model, board):
    tree = BoardRoot(None, tmp_path)  # where /proc/device-tree is not mounted
    tree.put("sys/firmware/devicetree/base/compatible", compatible)
    tree.put("sys/firmware/devicetree/base/model", model + "\0")
    found = tree.detect()
    assert found.board.name == board
    assert found.model == model


@pytest.mark.parametrize("modules", ["", 'modules = ["p3767-0005"]\n'])
def test_a_new_board_needs_only_a_toml(tmp_path, monkeypatch, modules):
    profiles, root = tmp_path / "profiles", BoardRoot("jetson_orin_nano_jp6", tmp_path / "root")
    shutil.copytree(
        str(boards.FOLDER), str(profiles), ignore=shutil.ignore_patterns("*.py", "build")
    )
    text = (profiles / "jetson_orin_nano.toml").read_text("utf-8")
    text = re.sub("(?m)^modules = .*\n", modules, text)
    text = re.sub("(?m)^model_contains = .*", 'model_contains = ["Developer Kit Super"]', text)
    (profiles / "jetson_orin_nano_super.toml").write_text(text, "utf-8")
    monkeypatch.setattr(boards, "FOLDER", profiles)
    found = root.detect()
    assert found.board.name == "jetson_orin_nano_super" and found.sure
    assert found.model.endswith("Developer Kit Super") and found.family == "6"
    root.put("proc/device-tree/model", found.model.replace(" Super", ""))
    assert root.detect().board.name == "jetson_orin_nano"


def test_a_chip_of_one_board_is_taken_for_it_with_a_doubt(tmp_path):
    rover = BoardRoot(None, tmp_path)
    rover.put("proc/device-tree/compatible", "acme,rover\0nvidia,tegra264\0")
    found = rover.detect()
    assert found.board.name == "jetson_thor" and not found.sure


def test_pynq_names_its_board_in_the_environment_too(tmp_path):
    board = BoardRoot("pynq_z2", tmp_path)
    board.path("proc/device-tree/chosen/pynq_board").unlink()
    assert board.detect().board.name == "pynq_z2"
    board.put("etc/environment", 'PATH="/bin"\nexport BOARD="KV260"\n')
    assert board.detect().board.name == "kv260"


def test_l4t_is_read_from_its_package_without_a_release_file(orin):
    orin.path("etc/nv_tegra_release").unlink()
    found = orin.detect()
    assert (found.l4t, found.family) == ("36.4.3", "6")


def test_the_doctor_imports_no_library():
    """It works where they are broken, and on a fresh Jetson, which has none that reads TOML."""
    code = (
        "import sys\n"
        "for name in 'numpy cv2 tensorrt cupy pycuda pynq openvino tomllib tomli'.split():\n"
        "    sys.modules[name] = None\n"
        "from hotpath.deploy.doctor.boards_command import main\n"
        "sys.exit(main([]))\n"
    )
    done = run([sys.executable, "-c", code], cwd=str(ROOT))
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_packages_are_found_with_version_and_origin(orin):
    packages = installed.find_installed(Root(orin.folder)).packages
    assert packages["cv2"][:2] == ("4.12.0.88", "pip")
    assert packages["tensorrt"][:2] == ("10.3.0", "apt")
    assert "cupy" not in packages


def test_jetpacks_opencv_is_a_folder_with_its_version_in_dpkg(nano):
    nano.drop_packages("libopencv_python*")
    nano.put("usr/lib/python3.6/dist-packages/cv2/__init__.py", "")
    assert installed.find_installed(Root(nano.folder)).packages["cv2"][:2] == ("4.1.1", "apt")
    status = nano.path("var/lib/dpkg/status")
    text = status.read_text(encoding="utf-8")
    text = text.replace("install ok installed", "deinstall ok config-files")
    status.write_text(text, encoding="utf-8")
    assert installed.find_installed(Root(nano.folder)).debian == {}


def test_a_container_on_a_jetson_may_be_each_jetson(tmp_path):
    """Docker hides the device tree; the driver's file and the processor's kind are there."""
    container = BoardRoot(None, tmp_path)
    container.put("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module 540")
    assert container.detect().sure and not container.detect().may_be("jetson_orin_nano")
    container.put("usr/lib/aarch64-linux-gnu/libc.so.6", "")
    found = container.detect()
    assert found.board.name == "nvidia_gpu" and not found.sure
    assert found.may_be("nvidia_gpu") and found.may_be("jetson_orin_nano")
    assert not found.may_be("pynq_z2") and not found.may_be("host")
