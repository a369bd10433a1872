"""Bytes of anybody do no harm to the native code: clang's fuzzer with its sanitizers.

python -m tests.kernels.cpu.test_fuzz SECONDS    for longer than ``make test-all`` does
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

from hotpath.kernels.cpu import build
from tests.support.needs import lacks

HERE = pathlib.Path(__file__).parent / "fuzz"
SECONDS = 60
FLAGS = "-O1 -g -march=native -std=c++14 -fno-math-errno -fno-sanitize-recover=undefined".split()
PARTS = {  # a file of the corpus -> the function that it calls
    "crop0": "hp_crop",
    "points": "hp_points_select",
    "anchors": "hp_anchors_select",
    "learn": "hp_samples_of_frame",
}
CLANG = "clang++", "apt install clang libclang-rt-14-dev"


def compiled(folder, *flags):
    """The fuzzer's program; skips the test where it can't be made."""
    if shutil.which("clang++") is None:
        pytest.skip(lacks(*CLANG))
    kernels = pathlib.Path(build.HERE)
    words = ["clang++", *FLAGS, "-fsanitize=fuzzer,address,undefined", *flags]
    words += [f"-I{place}" for place in (kernels, kernels.parent)]
    program = folder / "fuzz"
    done = subprocess.run(
        [*words, str(HERE / "fuzz.cpp"), "-o", str(program)], stdout=-1, stderr=-2
    )
    messages = done.stdout.decode()
    if done.returncode and "libclang_rt.fuzzer" in messages:
        pytest.skip(lacks(*CLANG))
    assert done.returncode == 0, messages
    return program


def fuzzed(program, folder, seconds):
    """(exit code, last words) of a run that begins with the stored corpus."""
    found = folder / "found"
    found.mkdir()
    words = [str(program), f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20"]
    words += [f"-artifact_prefix={folder}/", "-print_final_stats=1", "-seed=1"]
    done = subprocess.run([*words, str(found), str(HERE / "corpus")], stdout=-1, stderr=-2)
    return done.returncode, done.stdout.decode("utf-8", "replace")[-4000:]


@pytest.mark.slow("a minute of fuzzing")
@pytest.mark.timeout(SECONDS + 300)
def test_bytes_of_anybody_do_no_harm(tmp_path):
    code, messages = fuzzed(compiled(tmp_path), tmp_path, SECONDS)
    assert code == 0, messages


@pytest.mark.slow("compiles with clang's sanitizers")
def test_memory_that_is_too_small_is_noticed(tmp_path):
    """Each kind of input of the corpus, with half of the scratch memory that its kernel needs."""
    program = compiled(tmp_path, "-DHP_FUZZ_SCRATCH(bytes)=((bytes) / 2)")
    for file, function in PARTS.items():
        words = [str(program), f"-artifact_prefix={tmp_path}/", str(HERE / "corpus" / file)]
        done = subprocess.run(words, stdout=-1, stderr=-2)
        messages = done.stdout.decode("utf-8", "replace")
        assert done.returncode and "heap-buffer-overflow" in messages, file
        assert function in messages, messages


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        code, messages = fuzzed(compiled(pathlib.Path(place)), pathlib.Path(place), sys.argv[1])
        print(messages)
        sys.exit(code)
