"""A program may end while a daemon thread tracks, as those of windows, servers and robots do."""

import subprocess
import sys
import threading
import time

import pytest

from hotpath.base import python_end
from tests.support import ROOT

BEGIN = """
import sys, threading, time
import cv2, numpy as np
import hotpath
small = np.random.RandomState(0).randint(0, 255, (30, 40, 3)).astype(np.uint8)
frame = cv2.resize(small, (640, 480))
box, ready = (60, 60, 60, 60), threading.Event()
"""
CALLS = {  # what a thread repeats: (before, in the loop)
    "openvino": ("t = hotpath.load_tracker('kestrel_fast', engine='openvino'); t.init(frame, box)",)
    + ("t.update(frame)",),
    "onnxruntime": (
        "t = hotpath.load_tracker('kestrel_fast', engine='onnxruntime'); t.init(frame, box)",
        "t.update(frame)",
    ),
    "init": ("t = hotpath.load_tracker('kestrel_fast')", "t.init(frame, box)"),
    "targets": ("t = hotpath.load_targets('kestrel_fast'); t.add(frame, box)", "t.update(frame)"),
    "track": (
        "run = iter(())",
        "try: next(run)\n"
        "        except StopIteration:\n"
        "            run = hotpath.track(sys.argv[1], box=box, network='kestrel_fast')",
    ),
    "load": ("", "hotpath.load_tracker('kestrel_fast').close()"),
}


@pytest.mark.parametrize("kind", CALLS)
def test_the_end_waits_for_a_thread_and_lets_no_call_begin(tmp_path, kind):
    before, call = CALLS[kind]
    for library in ("openvino", "onnxruntime", "av"):
        pytest.importorskip(library)
    from tests.support.streams.films import even, write

    film = write(tmp_path / "a.mp4", even(60), "libx264") if kind == "track" else ""
    loop = f"def loop():\n    {before or 'pass'}\n    while True:\n        {call}\n"
    loop += "        ready.set()\n"
    end = "threading.Thread(target=loop, daemon=True).start()\nready.wait(60)\ntime.sleep(.2)\n"
    for _ in range(2):
        words = [sys.executable, "-W", "ignore", "-c", BEGIN + loop + end, str(film)]
        done = subprocess.run(words, cwd=str(ROOT), stderr=subprocess.PIPE, timeout=120)
        assert (done.returncode, done.stderr) == (0, b"")


def test_a_call_that_hangs_holds_the_end_for_a_limited_time(monkeypatch):
    monkeypatch.setattr(python_end, "END_S", 0.2)
    monkeypatch.setattr(python_end, "_ending", [])
    goes, over = threading.Event(), threading.Event()

    @python_end.uninterrupted
    def hang():
        goes.set()
        over.wait(60)

    thread = threading.Thread(target=hang, daemon=True)
    thread.start()
    goes.wait(60)
    began_s = time.monotonic()
    python_end._end()
    assert 0.15 < time.monotonic() - began_s < 30
    over.set()
    thread.join(60)
    assert not python_end._inside
    python_end.uninterrupted(goes.clear)()  # the thread that ends Python may go on
    assert not goes.is_set()
