"""A recording takes turns: its library ends the process where it is closed while it decodes."""

import itertools
import subprocess
import sys
import threading

import pytest

from hotpath.video.results import Results
from tests.support import ROOT, tiny

PROGRAM = """
import sys, threading
from hotpath.video.sources import open_source
calls = {
    "read": lambda n: source.read(),
    "seek": lambda n: source.seek(n % 8),
    "seek_time": lambda n: source.seek_time(n / 30 % 0.3),
    "period_s": lambda n: source.period_s,
    "close": lambda n: source.close(),
}
wrong = []
def call(name):
    for n in range(25):
        try:
            calls[name](n)
        except Exception as error:
            wrong.append((name, error))
for _ in range(4):
    source = open_source(sys.argv[1])
    threads = [threading.Thread(target=call, args=(name,)) for name in sys.argv[2:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
sys.exit(repr(wrong) if wrong else 0)
"""
NAMES = "read", "seek", "seek_time", "period_s", "close"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "film.avi"
    tiny.write_video(path, tiny.film(12)[0])
    return path


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(NAMES, 2)))
def test_two_threads_in_two_methods_of_a_recording(video, pair):
    words = [sys.executable, "-c", PROGRAM, str(video), *pair]
    ran = subprocess.run(words, cwd=str(ROOT), stderr=subprocess.PIPE, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()


def test_two_threads_write_whole_rows(tmp_path):
    path, wrong = tmp_path / "rows.csv", []
    results = Results(str(path), ("frame", "x"))

    def write(first):
        try:
            for n in range(first, first + 200):
                results.write([n, float(n)])
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.close()
    lines = path.read_text().splitlines()
    assert not wrong and len(lines) == 401 and all(line.count(",") == 1 for line in lines)
