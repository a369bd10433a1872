"""A source takes turns: libraries end the process where two threads are inside them."""

import subprocess
import sys
import threading

import cv2
import pytest

from hotpath.video.results import Results
from tests.support import ROOT, tiny
from tests.support.streams.mjpeg import MjpegServer

PROGRAM = """
import itertools, sys, threading
from hotpath.runtime.errors import BadSource
from hotpath.video.sources import open_source
calls = {
    "read": lambda n: source.read(0.05),
    "seek": lambda n: source.seek(n % 8),
    "seek_time": lambda n: source.seek_time(n / 30 % 0.3),
    "period_s": lambda n: source.period_s,
    "close": lambda n: source.close(),
}
wrong = []
def call(name):
    for n in range(15):
        try:
            calls[name](n)
        except BadSource as error:
            if not (name == "count" and "is closed" in str(error)):
                wrong.append((name, error))
        except Exception as error:
            wrong.append((name, error))
with open_source(sys.argv[1]) as source:
    if hasattr(source, "count"):
        calls["count"] = lambda n: source.count()
for pair in list(itertools.combinations_with_replacement(calls, 2)) * 2:
    print(*pair, flush=True)
    source = open_source(sys.argv[1])
    threads = [threading.Thread(target=call, args=(name,)) for name in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    source.close()
sys.exit(repr(wrong) if wrong else 0)
"""


def write_source(kind, folder):
    """A source of twelve frames of that kind; its path."""
    path, frames = folder / kind, tiny.film(12)[0]
    if kind == "film.avi":
        tiny.write_video(path, frames)
    elif kind == "pictures":
        path.mkdir()
        for number, frame in enumerate(frames):
            cv2.imwrite(str(path / f"{number:02}.png"), frame)
    else:
        image = pytest.importorskip("PIL.Image")
        first, *others = (image.fromarray(frame[:, :, ::-1]) for frame in frames)
        times = {"duration": 40} if kind.endswith("webp") else {}
        first.save(str(path), save_all=True, append_images=others, **times)
    return str(path)


def assert_takes_turns(address):
    words = [sys.executable, "-c", PROGRAM, address]
    pipe = subprocess.PIPE
    ran = subprocess.run(words, cwd=str(ROOT), stdout=pipe, stderr=pipe, timeout=120)
    last = ran.stdout.decode().splitlines()[-1:]
    assert ran.returncode == 0, (last, ran.stderr.decode())


@pytest.mark.parametrize("kind", ["film.avi", "pictures", "pages.tif", "pages.webp"])
def test_two_threads_in_two_methods_of_a_recording(kind, tmp_path):
    assert_takes_turns(write_source(kind, tmp_path))


def test_two_threads_in_two_methods_of_a_live_source():
    with MjpegServer() as server:
        assert_takes_turns(server.address)


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
