"""Results are whole lines on the disk after every frame, whatever happens to the program."""

import csv
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import numpy as np
import pytest

from hotpath.runtime.errors import BadOutput
from hotpath.video.results import COLUMNS, ResultsWriter
from tests.support import ROOT
from tests.support.disks import small_disk
from tests.support.errors import refusal

pytestmark = pytest.mark.pythons("files, pipes and signals")

IMPORTS = (
    "import os, signal, sys\n"
    "from hotpath.runtime.errors import BadOutput\n"
    "from hotpath.video.results import ResultsWriter\n"
)


def run(code, *arguments, **options):
    """Start a Python process of this repository with standard output in a pipe."""
    command = [sys.executable, "-c", IMPORTS + code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, **options)


def test_csv_has_a_header_and_one_row_a_frame(tmp_path):
    path = tmp_path / "a.csv"
    with ResultsWriter(str(path)) as results:
        results.write((0, 0.0, 1.5, 2, 3, 4, np.float32(0.25)))
        results.write((1, 1 / 30.0) + (None,) * 4 + (float("nan"),))
        assert results.rows == 2
    assert path.read_text() == ("frame,time_s,x,y,w,h,score\n0,0.0,1.5,2,3,4,0.25\n1,0.0333,,,,,\n")


def test_a_comma_or_a_quote_in_a_name_stays_in_its_column(tmp_path):
    names = 'a, "b".png', "dog"
    with ResultsWriter(str(tmp_path / "a.csv"), ("file", "class_name")) as results:
        results.write(names)
    with open(str(tmp_path / "a.csv"), newline="") as file:
        assert [tuple(row) for row in csv.reader(file)][1:] == [names]


def test_jsonl_says_the_same(tmp_path):
    path = tmp_path / "a.jsonl"
    columns = COLUMNS + ("target", "lost")
    with ResultsWriter(str(path), columns) as results:
        results.write((0, 0.5, 1.25, 2, 3, 4, np.float64(0.5), "red, big", np.bool_(True)))
        results.write((1,) + (None,) * 5 + (float("inf"), None, None))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert list(rows[0]) == list(columns)
    assert rows[0]["x"] == 1.25 and rows[0]["target"] == "red, big" and rows[0]["lost"] is True
    assert rows[1] == dict(dict.fromkeys(columns), frame=1)


def test_standard_output_is_csv():
    code = (
        "print('before')\n"
        "with ResultsWriter('-') as results: results.write((0, 0.0, 1, 2, 3, 4, 0.5))\n"
        "print('after')\n"
    )
    out = run(code).communicate()[0].decode("utf-8").splitlines()
    assert out == ["before", ",".join(COLUMNS), "0,0.0,1,2,3,4,0.5", "after"]


def test_a_killed_program_leaves_every_row(tmp_path):
    path = tmp_path / "a.csv"
    code = (
        "results = ResultsWriter(sys.argv[1])\n"
        "for frame in range(50): results.write((frame, 0.0, 1, 2, 3, 4, 0.5))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run(code, path).wait() == -signal.SIGKILL
    lines = path.read_text().split("\n")
    assert len(lines) == 52 and lines[-1] == "" and lines[-2].startswith("49,")


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_full_disk_is_one_sentence_and_keeps_whole_rows(tmp_path, ending):
    with small_disk(tmp_path / "disk", 16) as disk:
        path = disk / ("a" + ending)
        with ResultsWriter(str(path)) as results:
            with pytest.raises(BadOutput) as caught:
                for frame in range(10000):
                    results.write((frame, frame / 30.0, 1.25, 2.5, 3.75, 4.5, 0.123))
            rows = results.rows
        text = path.read_text()
    assert "disk is full" in str(caught.value) and f"({rows} rows)" in str(caught.value)
    assert rows > 100 and text.endswith("\n")
    assert len(text.splitlines()) == rows + (ending == ".csv")
    if ending == ".jsonl":
        assert json.loads(text.splitlines()[-1])["frame"] == rows - 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_fails_at_each_row_until_there_is_room(tmp_path):
    (tmp_path / "a.csv").symlink_to("/dev/full")
    with ResultsWriter(tmp_path / "a.csv", ("frame",)) as results:
        for _ in range(2):
            with refusal(BadOutput, "not written"):
                results.write((0,))
    with small_disk(tmp_path / "disk", 8) as disk:
        filler, path = disk / "filler", disk / "b.csv"
        with pytest.raises(OSError):
            filler.write_bytes(bytes(20000))
        with ResultsWriter(path, ("frame",)) as results:
            with refusal(BadOutput, "not written"):
                results.write((0,))
            filler.unlink()
            results.write((1,))
        assert path.read_text() == "frame\n1\n"


def test_a_reader_that_leaves_is_one_sentence():
    code = (
        "try:\n"
        "    results = ResultsWriter('-')\n"
        "    while True: results.write((0, 0.0, 1, 2, 3, 4, 0.5))\n"
        "except BadOutput as error: sys.stderr.write(str(error))\n"
    )
    process = run(code, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert b"standard output: closed by its reader" in process.stderr.read()
    process.stderr.close()
    process.wait()


def test_the_rows_that_a_reader_took_are_counted_when_it_leaves(tmp_path):
    os.mkfifo(str(tmp_path / "pipe.csv"))
    reader = os.open(str(tmp_path / "pipe.csv"), os.O_RDONLY | os.O_NONBLOCK)
    results = ResultsWriter(str(tmp_path / "pipe.csv"), ("frame",))
    results.write((1,))
    results.write((2,))
    assert os.read(reader, 99) == b"frame\n1\n2\n"
    os.close(reader)
    with refusal(BadOutput, "not written"):
        results.write((3,))
    assert results.rows == 2
    results.close()


def test_a_closed_standard_output_is_one_sentence():
    code = "try: ResultsWriter('-')\nexcept BadOutput as error: sys.stderr.write(str(error))\n"
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", IMPORTS + code]
    done = subprocess.run(command, cwd=str(ROOT), stderr=subprocess.PIPE)
    assert done.stderr == b"standard output is closed; pass a file name to --results"


def test_a_pipe_without_a_reader_is_refused(tmp_path):
    os.mkfifo(str(tmp_path / "a.csv"))
    with pytest.raises(BadOutput, match="nobody reads this pipe"):
        ResultsWriter(tmp_path / "a.csv")


def test_a_recording_waits_for_the_reader_of_a_pipe(tmp_path):
    path = tmp_path / "a.csv"
    os.mkfifo(str(path))
    code = (
        "with ResultsWriter(sys.argv[1], ('frame',)) as r:\n"
        " for n in range(100000): r.write((n,))\n"
    )
    # not blocking, because the writer opens it later
    with open(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        process = run(code, path)
        deadline = time.monotonic() + 60
        waiting = 0
        while waiting < 60000 and time.monotonic() < deadline:  # until the pipe is full
            time.sleep(0.01)
            (waiting,) = struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))
        time.sleep(1.0)
        os.set_blocking(reader.fileno(), True)
        lines = reader.read().splitlines()
    assert process.communicate()[0] == b"" and process.returncode == 0
    assert len(lines) == 100001 and lines[-1] == b"99999"


def test_a_stopped_reader_holds_nobody_and_its_rows_are_counted(tmp_path):
    path = tmp_path / "a.csv"
    messages = []
    os.mkfifo(str(path))
    with open(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        results = ResultsWriter(path, ("frame",), waits=False, log=messages.append)
        slowest = 0.0
        for frame in range(100000):
            began = time.monotonic()
            results.write((frame,))
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 5.0 and results.dropped > 1000  # who waits, waits ten
        assert len(messages) == 1 and f"{path}: the reader is too slow" in messages[0]
        dropped = results.dropped
        os.set_blocking(reader.fileno(), True)
        lines = [reader.readline() for _ in range(5000)]  # there is room again
        results.write((-1,))
        end = threading.Thread(target=lambda: lines.extend(reader))
        end.start()
        results.close()
        end.join()
    assert results.dropped == dropped and results.rows == 100001 - dropped == len(lines) - 1
    assert lines[0] == b"frame\n" and lines[-1] == b"-1\n"
    assert [int(line) for line in lines[1:-1]] == list(range(results.rows - 1))


@pytest.mark.parametrize("append", [False, True])
def test_a_file_emptied_meanwhile_begins_anew_without_a_hole(tmp_path, append):
    path = tmp_path / "a.csv"
    with ResultsWriter(path, ("frame",), append=append) as results:
        results.write((0,))
        os.truncate(str(path), 0)  # logrotate's copytruncate
        results.write((1,))
        assert path.read_text() == "frame\n1\n"
    ResultsWriter(path, ("frame",), append=True).close()


def test_of_a_large_older_file_the_ends_alone_are_read(tmp_path):
    path = tmp_path / "a.csv"
    with open(str(path), "wb") as file:
        file.write(b"frame\n0\n")
        file.truncate(1 << 40)  # a hole: whoever reads all of it needs minutes
        file.seek(0, os.SEEK_END)
        file.write(b"\n1\n2")
    began = time.monotonic()
    ResultsWriter(path, ("frame",), append=True).close()
    assert time.monotonic() - began < 30.0 and path.stat().st_size == (1 << 40) + 5


@pytest.mark.parametrize(
    "name, what",
    [
        ("a.xyz", "unknown ending"),
        ("a", "unknown ending"),
        ("no/such/a.csv", "no folder"),
        ("folder.csv", "is a folder"),
        ("circle.csv", "a link to itself"),
    ],
)
def test_a_file_that_cant_be_written_is_refused(tmp_path, name, what):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    with refusal(BadOutput, what):
        ResultsWriter(str(tmp_path / name))
    assert (tmp_path / "circle.csv").is_symlink()


def test_no_permission_is_said(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(str(folder), os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(BadOutput, match="no permission"):
        ResultsWriter(str(folder / "a.csv"))


def test_a_read_only_file_system_is_said(tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        subprocess.check_call(["mount", "-o", "remount,ro", str(disk)])
        with refusal(BadOutput, "no permission"):
            ResultsWriter(str(disk / "a.csv"))


def test_an_older_file_stays_until_the_first_row_of_the_new_one(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("old\n")
    with ResultsWriter(path) as results:
        assert path.read_text() == "old\n"
        results.write((0, 0.0, 1, 2, 3, 4, 0.5))
        assert path.read_text().count("\n") == 2 and "old" not in path.read_text()
    told = []
    with ResultsWriter(path, log=told.append):
        pass
    assert path.read_text().count("\n") == 2 and "the older file stays" in told[0]
    assert [each.name for each in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "txt"])
def test_two_runs_cannot_write_the_same_results(tmp_path, ending):
    path = tmp_path / ("a." + ending)
    with ResultsWriter(path) as first:
        first.write((0, 0.0, 1, 2, 3, 4, 0.5))
        before = path.read_bytes()
        with refusal(BadOutput, "another run"):
            ResultsWriter(path)
        assert path.read_bytes() == before
    ResultsWriter(path).close()


def test_txt_is_motchallenges_format_without_lost_targets(tmp_path):
    path = tmp_path / "mot.txt"
    columns = COLUMNS + ("target", "lost")
    with ResultsWriter(str(path), columns) as out:
        out.write((0, 0.0, 10, 20.25, 30, 40, 0.875, 0, False))
        out.write((1, 0.04, 11, 21, 30, 40, 0.25, 0, True))
        out.write((1, 0.04, float("nan"), 21, 30, 40, 0.25, 1, False))
        out.write((2, None, 12.5, 22, 30.5, 40, 0.5, 1, False))
    assert path.read_text().splitlines() == [
        "1,1,11,21.25,30,40,0.88,-1,-1,-1",
        "3,2,13.5,23,30.5,40,0.5,-1,-1,-1",
    ]


OLDER = {"a.csv": "frame,score\n0,0.5", "a.jsonl": '{"b": 1}', "a.txt": "one line of notes"}


@pytest.mark.parametrize("name", sorted(OLDER))
def test_rows_are_added_and_a_last_line_without_an_end_is_kept(tmp_path, name):
    path = tmp_path / name
    path.write_text(OLDER[name])
    columns = ("frame", "x", "y", "w", "h") if name == "a.txt" else ("frame", "score")
    with ResultsWriter(path, columns, append=True) as results:
        results.write((1, 2, 3, 4, 5) if name == "a.txt" else (1, 0.75))
    text = path.read_text()
    assert text.startswith(OLDER[name] + "\n") and text.count("\n") == OLDER[name].count("\n") + 2


@pytest.mark.parametrize("change", ["removed", "replaced", "moved with its folder"])
@pytest.mark.parametrize("append", [False, True])
def test_a_file_that_is_not_there_at_the_end_is_told(tmp_path, change, append):
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "a.csv"
    results = ResultsWriter(path, ("frame",), append=append)
    results.write((0,))
    if change == "moved with its folder":
        folder.rename(tmp_path / "elsewhere")
    else:
        path.unlink()
    if change == "replaced":
        path.write_text("other\n")
    with refusal(BadOutput, "moved"):
        results.close()
    results.close()


def test_rows_of_other_columns_are_not_mixed(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,place\n1,2\n")
    with refusal(BadOutput, "other columns"):
        ResultsWriter(path, ("frame", "score"), append=True)
    assert path.read_text() == "time,place\n1,2\n"
