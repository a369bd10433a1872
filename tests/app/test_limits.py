"""Where a disk is full, a stream closed or a limit reached, one sentence says so."""

import functools
import os
import resource
import subprocess
import sys

import pytest

from tests.app.test_track import film_command, lines_in, world
from tests.support import ROOT, run

__all__ = ["world"]
pytest.importorskip("onnxruntime")


def limited(words, kind, limit, **options):
    """A run below a limit of ``resource``."""
    limits = functools.partial(resource.setrlimit, kind, (limit, limit))
    return run(words, preexec_fn=limits, cwd=str(ROOT), timeout=120, **options)


def on_film(world, *outputs):
    """The words of ``python -m hotpath track`` on a film."""
    _, _, _, *words = film_command(world, "film.avi", *outputs)
    return [sys.executable, "-m", "hotpath", "track", "--engine", "onnxruntime", *words]


def closing(number):
    return functools.partial(os.close, number)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("buffer", ["", "1"])
@pytest.mark.parametrize("words", [["networks", "list"], ["boards", "list"], ["track", "--help"]])
def test_a_full_disk_for_what_is_printed_is_one_sentence(words, buffer):
    environment = dict(os.environ, PYTHONUNBUFFERED=buffer)
    with open("/dev/full", "wb") as full:
        program = [sys.executable, "-m", "hotpath", *words]
        done = run(program, cwd=str(ROOT), stdout=full, env=environment)
    assert done.returncode == 2 and "No space left on device" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_closed_standard_error_costs_no_row_and_gets_no_file(world, tmp_path):
    pytest.importorskip("av")
    rows, video = tmp_path / "rows.csv", tmp_path / "out.mp4"
    outputs = ["--results", rows, "--save", video, "--frames", "5"]
    for words in (on_film(world, *outputs), film_command(world, "film.avi", *outputs)):
        assert subprocess.call(list(map(str, words)), cwd=str(ROOT), preexec_fn=closing(2)) == 0
        assert lines_in(rows) == 6 and video.stat().st_size > 1000
    code = "import os, hotpath.app.command as c; c.main([]); print(os.open('/dev/null', 0))"
    done = run([sys.executable, "-c", code], cwd=str(ROOT), preexec_fn=closing(2))
    assert int(done.stdout.splitlines()[-1]) > 2


def test_a_closed_standard_output_takes_no_summary(world):
    done = run(on_film(world, "--json"), cwd=str(ROOT), preexec_fn=closing(1), stdout=None)
    assert done.returncode == 2 and "standard output is closed" in done.stderr


@pytest.mark.parametrize("limit", [8, 10, 13, 17, 24])
def test_few_open_files_are_enough_or_one_sentence(world, tmp_path, limit):
    rows = tmp_path / "rows.csv"
    done = limited(on_film(world, "--results", rows), resource.RLIMIT_NOFILE, limit)
    assert "Traceback" not in done.stderr and done.returncode in (0, 2)
    if done.returncode:
        assert "Too many open files" in done.stderr
    else:
        assert lines_in(rows) == 31


@pytest.mark.parametrize("kilobytes", [1, 2])
def test_rows_before_a_limit_of_file_sizes_stay_whole(world, tmp_path, kilobytes):
    rows = tmp_path / "rows.csv"
    words = on_film(world, "--results", rows)
    run(words, cwd=str(ROOT))  # the network is kept
    done = limited(words, resource.RLIMIT_FSIZE, kilobytes << 10)
    text = rows.read_text()
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "can't be written (File too large)" in done.stderr
    assert text.endswith("\n") and len({line.count(",") for line in text.splitlines()}) == 1
