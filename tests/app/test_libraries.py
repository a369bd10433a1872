"""What `import hotpath` loads, and what is said where a library is missing."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import cv2
import pytest

from hotpath.app import command
from hotpath.base import libraries, messages
from hotpath.base.broken_libraries import MEND
from tests import support
from tests.support import ROOT
from tests.support.examples import few_of
from tests.support.needs import skip

pytestmark = pytest.mark.pythons("the sentences about a wrong Python")

BARE = [sys.executable, "-S"]  # the standard library alone


def run(*words, cwd=ROOT, stdout=subprocess.PIPE, **variables):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment.update(variables)
    return support.run(words, cwd=str(cwd), timeout=60, env=environment, stdout=stdout)


def test_the_package_is_light():
    done = run(sys.executable, "-c", "import hotpath, sys; print(' '.join(sys.modules))")
    names = done.stdout.split()
    assert not [
        n
        for n in names
        if n.startswith(("hotpath.kernels.cuda", "hotpath.kernels.fpga", "hotpath.app"))
    ]
    assert not {"cv2", "onnx", "onnxruntime", "openvino", "hotpath.video"}.intersection(names)
    assert "hotpath.runtime" in names
    assert "numpy" not in names  # the doctor runs without it


def test_the_files_for_other_libraries_load_when_they_are_named():
    """``hotpath.interop.opencv.Tracker()`` is the one line that a program changes."""
    code = (
        "import hotpath, sys; names = [n for n in sys.modules if '.interop.' in n]; print(names)\n"
        "if sys.version_info < (3, 7): import hotpath.interop.got10k, hotpath.interop.opencv\n"
        "for name in ('opencv', 'got10k'):\n"
        "    print(getattr(hotpath.interop, name).Tracker.__name__)\n"
        "from hotpath.interop.opencv import Tracker\n"
        "print(Tracker is hotpath.interop.opencv.Tracker, hasattr(hotpath.interop, 'nonsense'))"
    )
    done = run(sys.executable, "-c", code)
    assert done.stdout.split() == ["[]", "OpenCvTracker", "Got10kTracker", "True", "False"], (
        done.stderr
    )


def test_a_python_without_libraries_is_told_what_to_run(tmp_path):
    hotpath = tmp_path / "hotpath"  # as pip writes it
    hotpath.write_text("from hotpath.app.command import main\nmain()\n")
    for words in (
        ["-m", "hotpath", "track"],
        ["-m", "hotpath", "networks"],
        ["-m", "hotpath", "track"],
        [hotpath, "track"],
    ):
        done = run(*BARE + words, PYTHONPATH=str(ROOT))
        assert done.returncode == 2
        assert "has no numpy" in done.stderr and "make setup" in done.stderr
        assert ".venv/bin/python" in done.stderr
        assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
    done = run(*BARE + ["-c", "import hotpath; hotpath.load_tracker()"])
    assert done.stderr.splitlines()[-1].startswith("ImportError: ") and "make setup" in done.stderr


def test_a_python_too_old_for_make_gets_what_is_missing(monkeypatch):
    monkeypatch.setattr(messages, "MAKEFILE_PYTHON", (99,))
    with pytest.raises(ImportError, match=r"; run `pip install no_such_one no_such_two`$"):
        libraries.require(["no_such_one", "cv2", "no_such_two"], "host")


@pytest.fixture
def site(tmp_path):
    """A folder with this Python's packages but OpenCV."""
    for path in pathlib.Path(cv2.__file__).parent.parent.iterdir():
        if path.name != "cv2":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "cv2").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "cv2 is half removed"),
        ({"data/haar.xml": ""}, "cv2 is half removed"),
        ({"__init__.py": ""}, "cv2 is half removed"),
        ({"__init__.py": "from .cv2 import *"}, "No module named 'cv2.cv2'"),
        ({"__init__.py": "raise ImportError('libGL.so.1: no such file')"}, "apt install libgl1"),
        ({"__init__.py": "raise ImportError('libxcb.so.1: no such file')"}, "libxcb1 libsm6"),
        ({"__init__.py": "raise ImportError('libgthread-2.0.so.0: none')"}, "dnf install"),
    ],
)
def test_an_opencv_that_does_not_work_is_one_sentence(site, files, why):
    for name, text in files.items():
        (site / "cv2" / name).parent.mkdir(exist_ok=True)
        (site / "cv2" / name).write_text(text)
    path = os.pathsep.join([str(site), str(ROOT)])
    done = run(*BARE, "-c", "import hotpath; hotpath.load_tracker()", PYTHONPATH=path)
    assert why in done.stderr.splitlines()[-1] and MEND in done.stderr


def test_each_program_says_that_opencv_does_not_work(site):
    path = os.pathsep.join([str(site), str(ROOT)])
    for words in (["-m", "hotpath", "track", "a.mp4"], ["-m", "hotpath", "networks"]):
        done = run(*BARE, *words, PYTHONPATH=path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "cv2 is half removed" in done.stderr and MEND in done.stderr
    done = run(*BARE, "-m", "hotpath", "boards", PYTHONPATH=path)
    listed = any(name.startswith("opencv") for name in os.listdir(str(site)))
    assert (MEND in done.stdout) == listed, done.stdout


# What an import does that was built for NumPy 1: NumPy 2 prints why, and the error may be empty.
OF_NUMPY_1 = """
import sys
sys.stderr.write("A module that was compiled using NumPy 1.x cannot be run in\\nNumPy 2.0\\n")
raise ImportError({!r})
"""
LACKS = """
try:
    import no_such_library
except ImportError as error:
    raise ImportError("half of it is missing") from error
"""
IMPORTS = {  # name -> (the module, why, what mends it)
    "NumPy 1, without a word": (OF_NUMPY_1.format(""), "built for NumPy 1", "'numpy<2'"),
    "NumPy 1": (
        OF_NUMPY_1.format("numpy.core.multiarray failed to import"),
        "built for NumPy 1",
        "'numpy<2'",
    ),
    "a newer NumPy": (
        "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
        "newer NumPy",
        "-U numpy",
    ),
    "a cause": (LACKS, "missing, because No module named 'no_such_library'", "--force-reinstall"),
    "a crash": ("import os; os.abort()", "ends the program with -6", "--force-reinstall"),
}


@pytest.mark.parametrize("name", sorted(IMPORTS))
@pytest.mark.parametrize("library", ["onnxruntime", "cv2"])
def test_why_a_library_does_not_load_is_said_with_what_mends_this_python(tmp_path, library, name):
    text, why, mends = IMPORTS[name]
    (tmp_path / (library + ".py")).write_text(text)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    words = ["-c", "import hotpath; hotpath.load_tracker('kestrel_fast', engine='onnxruntime')"]
    if library == "cv2":
        mends = mends.replace("--force-reinstall", MEND)
    if name != "a crash":  # which the doctor alone survives
        said = run(sys.executable, *words, PYTHONPATH=path).stderr.splitlines()[-1]
        assert why in said and mends in said
        assert library == "cv2" or f"{sys.executable} -m pip" in said
    if name.startswith("a"):
        done = run(sys.executable, "-m", "hotpath", "boards", PYTHONPATH=path)
        doctor = " ".join(done.stdout.split())
        assert f"{library} does not work" in doctor and why in doctor and mends in doctor


def test_a_name_is_guessed_where_it_is_nearly_right_and_not_else():
    names = ["donut", "person", "orange", "cell phone", "kestrel"]
    assert messages.did_you_mean("kestral", names) == "did you mean kestrel?"
    assert messages.did_you_mean("cell", names) == "did you mean cell phone?"  # its first word
    assert messages.did_you_mean("drone", names) == messages.did_you_mean("", names) == ""
    assert messages.did_you_mean("boxs", ["boxes", "box"], "--") == "did you mean --boxes or --box?"


@pytest.mark.parametrize(
    "error, why",
    [
        (ModuleNotFoundError("No module", name="trax"), ""),  # the package itself is missing
        (ImportError("GLIBC_2.34 not found"), ", which can't be loaded (GLIBC_2.34 not found)"),
        (ModuleNotFoundError("no numpy", name="numpy"), ", which can't be loaded (no numpy)"),
        (ModuleNotFoundError("no core", name="trax._core"), ", which can't be loaded (no core)"),
    ],
)
def test_a_package_that_is_missing_or_broken_is_one_sentence(error, why):
    told = messages.missing_package_text("--x", "trax", error, "vot")
    assert told == f"--x needs the package trax{why}; run `make setup ALSO=vot`"


@pytest.mark.parametrize("name", ["kernels.py", "runtime/__init__.py"])
def test_another_projects_file_of_our_name_changes_nothing(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('the wrong one')\n")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; "
    code += "import hotpath.runtime.tracker.tracker"
    assert run(sys.executable, "-c", code, cwd=tmp_path).returncode == 0


def test_the_command_lists_its_programs_and_runs_one():
    done = run(sys.executable, "-m", "hotpath.app.command")
    assert done.returncode == 2
    assert all(name in done.stdout for name in ("track", "networks", "boards", "int8", "fps"))
    for word in ("--help", "help"):
        assert run(sys.executable, "-m", "hotpath.app.command", word).returncode == 0
    done = run(sys.executable, "-m", "hotpath.app.command", "help", "networks")
    assert done.returncode == 0 and done.stdout.startswith("usage: hotpath networks")
    told = run(sys.executable, "-m", "hotpath.app.command", "--version").stdout
    assert told == run(sys.executable, "-m", "hotpath", "track", "--version").stdout != ""
    done = run(sys.executable, "-m", "hotpath.app.command", "trak")
    assert (done.returncode, done.stdout) == (2, "")
    assert "trak is not a program" in done.stderr and "did you mean track?" in done.stderr
    done = run(sys.executable, "-m", "hotpath.app.command", "networks", "list")
    assert done.returncode == 0 and "kestrel" in done.stdout


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason="int8 is refused there, as the next test says"
)
def test_what_a_program_lacks_is_said_before_its_import(monkeypatch, capsys):
    find = libraries.importlib.util.find_spec
    found = {"tqdm": lambda name: None}
    advice = messages.make_command("setup", ALSO="host")
    monkeypatch.setattr(
        libraries.importlib.util, "find_spec", lambda name: found.get(name, find)(name)
    )
    for words in (["int8", "--clips", "a"], ["int8", "--help"]):
        assert command.main(words) == 2
        said = capsys.readouterr().err
        assert "has no tqdm" in said and advice in said


def test_calibration_on_the_python_of_a_board_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 6))
    assert command.main(["int8", "--help"]) == 2
    assert "hotpath int8 needs Python 3.10 or newer" in capsys.readouterr().err


def test_ctrl_c_during_an_import_ends_without_a_traceback(tmp_path):
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt\n")
    code = (
        "import sys; from hotpath.app import command\n"
        "command.PROGRAMS['slow'] = command.Program('slow', '', libraries=())\n"
        "sys.exit(command.main(['slow']))"
    )
    done = run(sys.executable, "-c", code, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (130, "")


def needs_the_project_of(word):
    """Skip a program of a project that `make test` does not install."""
    program = command.PROGRAMS.get(word)
    module = "hotpath_" + program.extra if program and not program.module else "hotpath"
    if importlib.util.find_spec(module) is None:
        skip(module, "make setup ALSO=" + program.extra)


@pytest.mark.parametrize(
    "word", few_of(["", *command.PROGRAMS], ["", "track", "engine"], "many processes")
)
def test_a_help_whose_reader_has_gone_ends_without_a_traceback(word):
    needs_the_project_of(word)
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        words = [*filter(None, [word]), "--help"]
        done = run(sys.executable, "-m", "hotpath.app.command", *words, stdout=write_end)
    finally:
        os.close(write_end)
    assert done.stderr == ""


@pytest.mark.parametrize("word", few_of([*command.PROGRAMS], ["fps", "engine"], "many processes"))
def test_a_help_names_programs_as_the_user_starts_them(word):
    needs_the_project_of(word)
    told = run(sys.executable, "-m", "hotpath", word, "--help")
    assert f"hotpath {word}" in told.stdout and "python -m" not in told.stdout
