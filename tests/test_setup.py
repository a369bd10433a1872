"""A wheel holds one package of our own, and runs from any folder."""

import os
import re
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement

from hotpath.app import command
from tests import support
from tests.support import ROOT, tiny
from tests.support.checkout import copy_to
from tests.support.needs import why_no_module

pytest.importorskip("onnxruntime")
setuptools = pytest.importorskip("setuptools")
if int(setuptools.__version__.split(".")[0]) < 77:
    pytest.skip("a wheel is built by setuptools 77 or newer", allow_module_level=True)
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [f for f in sys.meta_path if "__editable__" not in getattr(f, "__module__", "")]
from hotpath.app import command
code = command.main(["track"] + sys.argv[2:])
"""


def run(words, folder, **variables):
    """The exit code of a command in a folder, which is its home too, and what it printed."""
    environment = dict(dict(os.environ, HOME=str(folder), PYTHONPATH=""), **variables)
    done = support.run(words, cwd=str(folder), stderr=subprocess.STDOUT, env=environment)
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The folder that the wheel's files are in."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy_to(copy)
    words = "-m pip wheel -q --no-deps --no-build-isolation -w".split() + [folder, copy]
    done, told = run([sys.executable] + words, folder)
    assert done == 0, told
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(str(path)) as file:
        file.extractall(str(folder / "site-packages"))
    return folder / "site-packages"


def test_all_files_are_in_one_package_and_import_from_there(wheel):
    names = sorted(path.name for path in wheel.iterdir() if path.suffix != ".dist-info")
    assert names == ["hotpath"]
    assert (wheel / "hotpath" / "py.typed").exists()
    assert (wheel / "hotpath/app/links/page/static/index.html").exists()
    assert (wheel / "hotpath" / "kernels" / "hotpath.h").exists()
    networks = wheel / "hotpath" / "runtime" / "networks"
    for name in ("kestrel", "kestrel_small"):
        assert (networks / (name + "-ranges.json")).exists()
        for form in (name, "int8/" + name + "-int8"):
            for end in (".toml", "_exemplar.onnx", "_search.onnx"):
                assert (networks / (form + end)).exists()
    (entry,) = wheel.glob("*.dist-info/entry_points.txt")
    assert "hotpath = hotpath.__main__:main" in entry.read_text()
    for path in (wheel / "hotpath").rglob("*.py"):  # each as it is in the checkout
        assert path.read_bytes() == (ROOT / path.relative_to(wheel)).read_bytes(), path


def test_a_wheel_has_each_weight_once(wheel):
    """Both parts of a network may hold its backbone, but nothing else holds it again."""
    onnx = pytest.importorskip("onnx")
    networks = {}
    for path in (wheel / "hotpath").rglob("*.onnx"):
        network = path.parent / path.stem.rpartition("_")[0]
        for weights in onnx.load(str(path)).graph.initializer:
            if len(weights.raw_data) > 10000:
                networks.setdefault(weights.raw_data, set()).add(network)
    assert len(networks) > 50
    assert not [names for names in networks.values() if len(names) > 1]


def test_a_program_beside_a_clone_finds_the_package(tmp_path):
    """Python starts in a folder that holds the clone, ``hotpath``, which is no package itself."""
    clone, place = tmp_path / "hotpath", tmp_path / "installed"
    copy_to(clone)
    words = "-m pip install -q --no-deps --no-build-isolation --target".split()
    done, told = run([sys.executable] + words + [place, "-e", clone], tmp_path)
    assert done == 0, told
    code = (
        "import site, sys; sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in "
        "getattr(f, '__module__', '')]; sys.path[:] = [p for p in sys.path if p != sys.argv[2]]\n"
        "site.addsitedir(sys.argv[1])\n"
        "import hotpath; print(hotpath.__file__, hotpath.track.__name__)"
    )
    done, told = run([sys.executable, "-c", code, place, ROOT], tmp_path)
    assert told.split() == [str(clone / "hotpath" / "__init__.py"), "track"]


def write_film(folder):
    """Write a network and five pictures; return their boxes."""
    pictures, boxes = tiny.film(5)
    tiny.write_pictures(folder / "frames", pictures)
    tiny.write_network(folder)
    return boxes


def test_the_wheel_tracks_anywhere_and_writes_nothing_inside(wheel, tmp_path):
    boxes = write_film(tmp_path)
    (tmp_path / "runtime.py").write_text("raise SystemExit('the wrong runtime')\n")
    before = set(wheel.rglob("*"))
    words = "--video frames --network tiny.toml --results out.csv --box".split()
    words = [sys.executable, "-B", "-c", RUN, wheel] + words + [",".join(map(str, boxes[0]))]
    code, told = run(words, tmp_path, HOME=str(wheel.parent))
    assert code == 0, told
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
    assert set(wheel.rglob("*")) == before
    compiled = list(wheel.parent.glob(".cache/hotpath/hotpath-*.so"))
    assert compiled or "NumPy and OpenCV" in told


ONLY = """
import importlib.metadata, re, sys
from packaging.requirements import Requirement
extras = {{"hotpath-tracker": {{"", *sys.argv[2].split(",")}}}}
todo = ["hotpath-tracker"]
while todo:
    name = todo.pop()
    try:
        path = [sys.argv[1]] if name == "hotpath-tracker" else sys.path
        found = next(iter(importlib.metadata.distributions(name=name, path=path)))
    except StopIteration:
        continue  # another system's
    for need in map(Requirement, found.requires or ()):
        wanted = extras[name]
        if need.marker is None or any(need.marker.evaluate({{"extra": e}}) for e in wanted):
            key = re.sub("[-_.]+", "-", need.name).lower()
            if not {{"", *need.extras}} <= extras.get(key, set()):
                extras[key] = extras.get(key, set()) | {{"", *need.extras}}
                todo.append(key)
tops = importlib.metadata.packages_distributions()
class Only:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        owners = {{re.sub("[-_.]+", "-", d).lower() for d in tops.get(name.split(".")[0], ())}}
        if owners and not owners & (set(extras) | {{"opencv-python", "opencv-python-headless"}}):
            return None
        return self.finder.find_spec(name, path, target)
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [f for f in sys.meta_path if "__editable__" not in getattr(f, "__module__", "")]
sys.meta_path[:] = [Only(finder) for finder in sys.meta_path]
{code}
"""
DEEPER = {  # what a program imports only later
    "track": "from hotpath import load_tracker\nload_tracker()",
    "networks": "from hotpath.app.cli.networks import add, examine",
    "engine": "import hotpath.graphs.correlation_cut",
}
ELSEWHERE = {word: each.extra for word, each in command.PROGRAMS.items() if not each.module}
NO_PROJECT = "from hotpath.base import projects\nprojects.find_entry_point = lambda name: None\n"
NO_PROJECT += "projects.load_plugs = tuple\n"
PROGRAMS = [name for name in command.PROGRAMS if name not in ELSEWHERE]
COMMANDS = [name for name in PROGRAMS if name != "gstreamer"]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="calib/ needs Python 3.10")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_finds_all_that_it_imports_in_its_extra(wheel, tmp_path, name):
    why = why_no_module(*command.PROGRAMS[name].libraries)
    if why:
        pytest.skip(why)
    code = NO_PROJECT + DEEPER.get(name, "")
    code += f"\nfrom hotpath.app import command\nprogram = command.PROGRAMS[{name!r}]\n"
    code += f"command.require(program.libraries)\ncommand.main([{name!r}, '--help'])"
    words = [sys.executable, "-c", ONLY.format(code=code), wheel, command.PROGRAMS[name].extra]
    done, told = run(words, tmp_path, HOME=str(wheel.parent))  # one compiles, the others use it
    assert done == 0 and "usage" in told, told


@pytest.mark.skipif(sys.version_info < (3, 10), reason="calib/ needs Python 3.10")
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_help_of_a_command_needs_no_extra(wheel, tmp_path, name):
    code = NO_PROJECT + f"from hotpath.app import command\ncommand.main([{name!r}, '--help'])"
    words = [sys.executable, "-c", ONLY.format(code=code), wheel, "none"]
    done, told = run(words, tmp_path, HOME=str(wheel.parent))
    assert done == 0 and told.startswith(f"usage: hotpath {name} "), told
    assert not re.search(r"``|python3 -m|(?<!/)runtime/|\bruntime\.", told), told


def test_a_wheel_lists_its_programs(wheel, tmp_path):
    code = NO_PROJECT + "from hotpath.app import command\ncommand.main([])"
    done, told = run([sys.executable, "-c", ONLY.format(code=code), wheel, "none"], tmp_path)
    _, first, further, begin = told.split("\n\n")
    words = [line.split()[0] for line in first.splitlines() + further.splitlines()[1:]]
    assert done == 0 and sorted(words) == sorted(PROGRAMS) and words[0] == "track", told
    assert further.startswith("more programs:\n") and begin.startswith("To begin: "), told


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_what_a_wheel_lacks_is_said_before_its_libraries_load(wheel, tmp_path, name):
    code = NO_PROJECT + "from hotpath.app import command\n"
    code += f"sys.exit(command.main([{name!r}, 'a.pt']))"
    words = [sys.executable, "-c", ONLY.format(code=code), wheel, "none"]
    done, told = run(words, tmp_path)
    assert done == 2 and name in told and "projects/" + ELSEWHERE[name] in told, told


def test_an_indexs_page_links_to_the_workflows_repository():
    def page(**environ):
        code, told = run([sys.executable, "setup.py", "-q", "--long-description"], ROOT, **environ)
        assert code == 0, told
        return told

    relative = re.compile(r"\]\((?!https?:|#)")
    told = page(HOTPATH_URL="")
    assert relative.search(told) and "git clone" not in told and "issues/new" not in told
    told = page(GITHUB_REPOSITORY="someone/hotpath")
    assert "git clone https://github.com/someone/hotpath hotpath\n" in told
    issue = "[an issue](https://github.com/someone/hotpath/issues/new)"
    assert f"attach `bringup.json` to {issue}." in told
    place = r"\(https://github.com/someone/hotpath/{}/v[\w.]+/docs/{}\)"
    for kind, name in (("raw", "track.webp"), ("blob", "use.md")):
        assert re.search(place.format(kind, name), told)
    assert not relative.search(told)


@pytest.mark.parametrize(
    "system, tags",
    [
        ("linux", "linux_arm64 linux_x86_64 None"),
        ("darwin", "macosx_11_0_arm64 macosx_11_0_x86_64 None"),
    ],
)
def test_each_kind_of_machine_has_a_wheel_of_its_own_name(system, tags):
    code = "import runpy, sys; sys.argv = ['setup.py', '--version']; "
    code += f"found = runpy.run_path('setup.py'); sys.platform = {system!r}; "
    code += "print(*map(found['machine_tag'], ('arm64', 'x86_64', None)))"
    code, told = run([sys.executable, "-c", code], ROOT)
    assert code == 0 and told.splitlines()[-1] == tags, told


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
