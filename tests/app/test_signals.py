"""A signal at any moment of a run ends it at once, without a traceback and without a lost row."""

import csv
import random
import signal

import pytest

from tests.app.test_track import box_text, world
from tests.support import tiny
from tests.support.examples import count
from tests.support.signalled import signalled

__all__ = ["world"]
pytest.importorskip("onnxruntime")
OLDER = "my older file\n"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGXCPU", "SIGABRT", "SIGKILL")
PHASES = 8  # equal parts of the calls of a run


@pytest.fixture(scope="module")
def words(world, tmp_path_factory):
    """The words of a short run, without its outputs."""
    folder, boxes = world
    film = tmp_path_factory.mktemp("short") / "short.avi"
    tiny.write_video(film, tiny.film(10)[0])
    start = ["--network", folder / "tiny.toml", "--engine", "onnxruntime"]
    return ["track", *start, "--video", film, "--box", box_text(boxes)]


@pytest.fixture(scope="module")
def calls(words, tmp_path_factory):
    """How many calls the run has, once its network is kept."""
    folder = tmp_path_factory.mktemp("calls")
    outputs = ["--results", folder / "rows.csv"]
    for _ in range(2):
        done, number = signalled(folder / "count", 0, signal.SIGTERM, *words, *outputs)
        assert done.returncode == 0, done.stderr
    return number


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_at_any_call_ends_a_run_and_loses_no_row(words, calls, tmp_path, name):
    number, chance = getattr(signal, name), random.Random(name)
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as below nohup, and a run leaves it so")
    rows = tmp_path / "rows.csv"
    for phase in chance.sample(range(PHASES), count(2, PHASES)):
        rows.write_text(OLDER)
        place = 1 + int((phase + chance.random()) * calls / PHASES)
        done, _ = signalled(tmp_path / "n", place, number, *words, "--results", rows)
        assert "Traceback" not in done.stderr, (place, done.stderr)
        assert done.returncode in (128 + number, -number), (place, done.stderr)
        text = rows.read_text()
        if text != OLDER:
            frames = [int(row["frame"]) for row in csv.DictReader(text.splitlines())]
            assert text.endswith("\n") and frames == list(range(len(frames))), (place, text)
        left = [path.name for path in tmp_path.iterdir() if ".part" in path.name]
        assert not left or number == signal.SIGKILL, (place, left)
