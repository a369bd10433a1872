"""The built wheel in an environment of its own: what the README promises runs there."""

import os
import re
import sys
import zipfile

import pytest
from packaging.requirements import Requirement

from tests.support import ROOT, tiny
from tests.test_readme import written
from tests.test_setup import run
from tests.test_setup import wheel as built

wheel = built
FRAMES = 12
CHECKOUT = ("make ", "git clone", "cam0", "mkdir ")  # not of a wheel, or a camera is needed
COMPUTER = {"python_version": "3.11", "sys_platform": "linux", "extra": ""}


def requirements(package):
    """What a wheel asks for."""
    with zipfile.ZipFile(str(package)) as file:
        (name,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        text = file.read(name).decode()
    return [Requirement(line) for line in re.findall(r"^Requires-Dist: (.*)$", text, re.MULTILINE)]


BROUGHT = {"opencv-python-headless", "onnx", "av"}


@pytest.mark.parametrize(
    "machine, kernel, brought",
    [
        ("x86_64", "6.1.0-18-amd64", BROUGHT | {"openvino"}),
        ("aarch64", "6.6.31-rpi-v8", BROUGHT | {"onnxruntime"}),
        ("arm64", "23.5.0", BROUGHT | {"onnxruntime"}),
        ("armv7l", "6.1.21-v7+", set()),
        ("aarch64", "4.9.140-tegra", set()),
        ("aarch64", "5.15.148-tegra", set()),
        ("aarch64", "5.15.0-1027-xilinx-zynqmp", set()),
        ("armv7l", "5.15.19-xilinx-v2022.1", set()),
    ],
)
def test_a_board_keeps_its_own_opencv_and_a_computer_gets_all(wheel, machine, kernel, brought):
    (package,) = wheel.parent.glob("*.whl")
    here = dict(COMPUTER, platform_machine=machine, platform_release=kernel)
    asked = {
        each.name
        for each in requirements(package)
        if each.marker is None or each.marker.evaluate(here)
    }
    assert asked == brought | {"numpy", "tqdm"}


def test_python_3_6_gets_the_last_libraries_with_wheels_for_it(wheel):
    (package,) = wheel.parent.glob("*.whl")
    here = {"python_version": "3.6", "platform_machine": "x86_64", "platform_release": "6.1.0"}
    for name, compiled in (("opencv-python-headless", "4.7.0.68"), ("onnx", "1.12.0")):
        asked = [each for each in requirements(package) if each.name == name]
        asked = [each.specifier for each in asked if each.marker.evaluate(dict(COMPUTER, **here))]
        assert asked and not all(compiled in specifier for specifier in asked)


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory):
    """A folder with a video and a network of the user's own, and its environment of a wheel."""
    folder = tmp_path_factory.mktemp("fresh")
    environment = folder / "environment"
    assert run([sys.executable, "-m", "venv", environment], folder)[0] == 0
    (package,) = wheel.parent.glob("*.whl")
    pip = [environment / "bin" / "python", "-m", "pip", "install", "-q", "--no-compile"]
    code, told = run([*pip, "-c", ROOT / "constraints.txt", package], folder)
    if code and re.search("No matching distribution|Connection|Temporary failure", told):
        pytest.skip(f"pip has no index here: {told.strip().splitlines()[-1]}")
    assert code == 0, told
    tiny.write_video(folder / "drone.mp4", tiny.film(FRAMES, width=640, height=480, side=90)[0])
    for name in ("kestrel.toml", "kestrel_exemplar.onnx", "kestrel_search.onnx"):
        own = folder / name.replace("kestrel.toml", "mine.toml")
        own.write_bytes((ROOT / "hotpath" / "runtime" / "networks" / name).read_bytes())
    return folder


def in_fresh(folder, command):
    """What a command prints in the environment of the wheel."""
    path = os.pathsep.join([str(folder / "environment" / "bin"), os.environ["PATH"]])
    code, told = run(["bash", "-ec", command], folder, PATH=path)
    assert code == 0, f"{command}\n{told[-3000:]}"
    return told


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.version_info < (3, 10), reason="the README needs Python 3.10")
@pytest.mark.slow("it installs 400 MB")
def test_the_wheel_runs_every_line_of_the_readme(fresh):
    (package,) = (fresh / "environment" / "lib").glob("python*/site-packages/hotpath")
    assert package.is_dir()
    lines = "".join(written("") + written("bash") + written("sh")).splitlines()
    lines = [line.replace(".venv/bin/", "") for line in lines if line]
    ran = [line for line in lines if "pip install" not in line and "ALSO=" not in line]
    ran = [line for line in ran if not any(word in line for word in CHECKOUT)]
    assert ran
    for line in ran:
        in_fresh(fresh, line)
    assert len((fresh / "boxes.csv").read_text().splitlines()) == FRAMES + 1
    for line in lines:
        if "cam0" in line and not os.path.exists("/dev/video0"):
            code, told = run(["environment/bin/" + line.split()[0], *line.split()[1:]], fresh)
            assert code == 2 and re.search("no camera|no windows|needs the package", told), told
    programs = written("python")
    assert programs
    for program in programs:
        (fresh / "own.py").write_text(program)
        printed = in_fresh(fresh, "python own.py").splitlines()
        assert sum(line.endswith(("tracked", "unsure", "lost")) for line in printed) == FRAMES
