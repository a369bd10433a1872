"""A wheel holds one package of our own, and runs from any folder."""

import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

from tests.support import ROOT, tiny

pytest.importorskip("onnxruntime")
setuptools = pytest.importorskip("setuptools")
if int(setuptools.__version__.split(".")[0]) < 77:
    pytest.skip("a wheel is built by setuptools 77 or newer", allow_module_level=True)
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [f for f in sys.meta_path if "__editable__" not in getattr(f, "__module__", "")]
from hotpath_tracker.runtime import command
code = command.main(["track"] + sys.argv[2:])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The folder that the wheel's files are in."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    names = subprocess.check_output(["git", "ls-files"], cwd=str(ROOT)).decode().splitlines()
    for name in names:
        if name.startswith(("runtime", "kernels", "boards", "calib")) or "/" not in name:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(folder),
            str(copy),
        ],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(str(path)) as file:
        file.extractall(str(folder / "site-packages"))
    return folder / "site-packages"


def test_all_files_are_in_one_package(wheel):
    names = sorted(path.name for path in wheel.iterdir() if path.suffix != ".dist-info")
    assert names == ["hotpath_tracker"]
    assert (
        wheel / "hotpath_tracker" / "runtime" / "links" / "page" / "static" / "index.html"
    ).exists()
    assert (wheel / "hotpath_tracker" / "kernels" / "hotpath.h").exists()
    networks = wheel / "hotpath_tracker" / "runtime" / "networks"
    for name in ("kestrel", "kestrel_small"):
        assert (networks / (name + "-ranges.json")).exists()
        for form in (name, "int8/" + name + "-int8"):
            for end in (".toml", "_exemplar.onnx", "_search.onnx"):
                assert (networks / (form + end)).exists()
    (entry,) = wheel.glob("*.dist-info/entry_points.txt")
    assert "hotpath-tracker = hotpath_tracker.runtime.command:main" in entry.read_text()


def test_every_import_of_ours_was_renamed(wheel):
    wrong = subprocess.run(
        [
            "grep",
            "-rnE",
            r"^\s*(from|import) (runtime|kernels|boards|calib)\b",
            "--include=*.py",
            str(wheel),
        ],
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert wrong.stdout == ""


def test_the_wheel_tracks_from_any_folder_and_writes_nothing_into_itself(wheel, tmp_path):
    import cv2

    pictures, boxes = tiny.film(5)
    (tmp_path / "frames").mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / "frames" / f"{index:04d}.png"), picture)
    tiny.write_network(tmp_path)
    (tmp_path / "runtime.py").write_text("raise SystemExit('the wrong runtime')\n")
    before = files_of(wheel)
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-c",
            RUN,
            str(wheel),
            "--video",
            "frames",
            "--network",
            "tiny.toml",
            "--box",
            ",".join(f"{value:g}" for value in boxes[0]),
            "--results",
            "out.csv",
        ],
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, HOME=str(tmp_path), PYTHONPATH=""),
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    assert files_of(wheel) == before
    compiled = list(pathlib.Path(str(tmp_path)).glob(".cache/hotpath/hotpath-*.so"))
    assert compiled or "NumPy and OpenCV" in done.stderr


def files_of(folder):
    return sorted(str(path) for path in folder.rglob("*"))
