"""The kernels compile once, into the first usable folder; without a compiler a fallback runs."""

import os
import pathlib
import platform
import subprocess
import sys

import pytest

from hotpath.base import cache
from hotpath.kernels.cpu import build, load, wheel_levels
from hotpath.kernels.cpu.__main__ import main
from tests.support.needs import why_no_compiler

needs_compiler = pytest.mark.skipif(bool(why_no_compiler()), reason=why_no_compiler())
QUICK = ("-O0",)  # the compiler takes a fifth of the time
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(build.HERE)))


@pytest.fixture
def small(tmp_path_factory, monkeypatch):
    """A source that the compiler is done with at once, in place of the kernels'."""
    path = tmp_path_factory.mktemp("source") / "small.cpp"
    path.write_text('extern "C" int hp_crop() { return 7; }')
    monkeypatch.setattr(build, "SOURCE", str(path))
    return path


@needs_compiler
@pytest.mark.pythons("ctypes loads the library")
def test_the_library_is_compiled_once_for_the_same_flags(small, tmp_path):
    first = build.library(QUICK, (str(tmp_path),))
    written = os.stat(first.path).st_mtime_ns
    assert build.library(QUICK, (str(tmp_path),)).path == first.path
    assert os.stat(first.path).st_mtime_ns == written
    name = os.path.basename(first.path)
    assert sorted(os.listdir(str(tmp_path))) == [name, name + ".sha256"]
    assert build.library(QUICK + ("-DHP_PORTABLE",), (str(tmp_path),)).path != first.path


DAMAGE = {
    "cut in its middle": lambda data: data[: len(data) // 2],
    "cut by a block": lambda data: data[:-4096],
    "empty": lambda data: b"",
    "a block of zeros": lambda data: data[:8192] + bytes(4096) + data[12288:],
    "a bit": lambda data: bytes([data[0] ^ 1]) + data[1:],
}


@needs_compiler
@pytest.mark.parametrize("kind", sorted(DAMAGE))
@pytest.mark.parametrize("ending", [".so", ".so.sha256"])
def test_a_damaged_library_is_made_again_and_ends_no_process(small, tmp_path, kind, ending):
    (tmp_path / "first").mkdir()
    first = build.library(QUICK, (str(tmp_path / "first"),)).path
    copy = tmp_path / "second" / os.path.basename(first)  # a path that was not loaded before
    copy.parent.mkdir(mode=0o700)
    whole = {end: pathlib.Path(first + end).read_bytes() for end in ("", ".sha256")}
    for end, data in whole.items():
        damaged = DAMAGE[kind](data) if ending == ".so" + end else data
        pathlib.Path(str(copy) + end).write_bytes(damaged)
    assert build.library(QUICK, (str(copy.parent),)).path == str(copy)
    assert cache.is_sealed(str(copy))


@needs_compiler
def test_a_folder_that_cannot_hold_it_is_passed_over(small, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    library = build.library(QUICK, (str(blocked / "build"), str(tmp_path / "next")))
    assert os.path.dirname(library.path) == str(tmp_path / "next")
    library = build.library(QUICK, (str(blocked), None))  # where none does, a temporary one
    assert library.handle.hp_crop and not os.path.exists(library.path)


@needs_compiler
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["folder", "file"])
def test_what_another_user_planted_is_not_loaded(small, tmp_path, given):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    path = build.library(QUICK, (str(theirs),)).path
    os.unlink(path)
    with open(path, "w") as file:
        file.write("planted")
    os.chown(str(theirs) if given == "folder" else path, 12345, 12345)
    library = build.library(QUICK, (str(theirs), str(ours)))
    assert os.path.dirname(library.path) == str(ours if given == "folder" else theirs)
    assert os.stat(library.path).st_uid == 0 and library.handle.hp_crop


@pytest.mark.parametrize(
    "script, cause",
    [
        (None, "no C++ compiler"),
        ("echo 'a.cpp:3: warning: old' >&2; echo 'cc: error: killed' >&2; exit 1", "killed"),
        ("exit 3", "no message"),
        ("exit 0", "cannot use"),  # and leaves nothing that can be loaded
    ],
)
def test_where_nothing_compiles_numpy_is_used_with_a_reason(tmp_path, monkeypatch, script, cause):
    if script:
        compiler = tmp_path / "c++"
        compiler.write_text("#!/bin/sh\n" + script)
        compiler.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + "/nowhere")
    messages = []
    assert load(messages.append).name == "numpy"
    assert (
        len(messages) == 1
        and cause in messages[0]
        and "NumPy" in messages[0]
        and "\n" not in messages[0]
    )


@needs_compiler
def test_processes_that_compile_at_once_all_get_a_whole_library(small, tmp_path):
    code = "import sys; from hotpath.kernels.cpu import build; build.SOURCE = sys.argv[2]; "
    code += "build.library(('-O0',), (sys.argv[1],))"
    command = [sys.executable, "-c", code, str(tmp_path), str(small)]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len([name for name in os.listdir(str(tmp_path)) if name.endswith(".so")]) == 1


@needs_compiler
def test_a_wheels_fastest_library_that_runs_here_is_taken(small, tmp_path):
    wheel_levels.build_levels(str(tmp_path), extra_flags=QUICK)
    mine = build._cpu_flags().split()
    for name, _, needed in build.LEVELS if platform.machine() == "x86_64" else build.LEVELS[-1:]:
        if set(needed) <= set(mine):
            library = build.load_bundled(needed, str(tmp_path))
            assert os.path.basename(library.path) == name + ".so" and library.handle.hp_crop() == 7
    for library in tmp_path.glob("*.so"):
        library.unlink()
    with pytest.raises(build.NoCompiledKernels, match="for this processor"):
        build.load_bundled(mine, str(tmp_path))
    other = tmp_path / "other"  # a path that was not loaded before
    other.mkdir()
    (other / "base.so").write_bytes(b"of another C library")
    with pytest.raises(build.NoCompiledKernels, match="base.so can't be loaded"):
        build.load_bundled((), str(other))


@needs_compiler
def test_the_command_prints_where_the_library_is(capsys):
    assert main() == 0
    path, flags = capsys.readouterr().out.splitlines()
    assert os.path.isfile(path) and "-O3" in flags
