"""The public sequences: fetched by git from real repositories, verified, and evaluated."""

import csv
import hashlib
import json
import pathlib
import re
import subprocess

import cv2
import pytest

from hotpath_lab import benchmarks, evaluate, public
from tests.support import ROOT
from tests.support.needs import needs_program
from tests.support.tiny import film, write_network

pytest.importorskip("matplotlib")
pytest.importorskip("got10k.datasets")
FACTS = ROOT.parent / "shared" / "facts" / "public-sequences.md"
FRAMES = 8


def git(folder, *words):
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def committed(folder, files):
    """Commit files into a repository; returns the commit."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Clones of two sequences, one with odd names and only in the history, and of their boxes."""
    needs_program("git")
    pictures, boxes = film(FRAMES)
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    clones = tmp_path / "clones"
    one, two, tools = clones / "a/one", clones / "b/two", clones / "c/tools"
    of_one = committed(one, {f"s/dog1/img{k:05d}.jpg": jpeg for k, jpeg in enumerate(jpegs, 1)})
    git(one, "rm", "-rq", "s")
    committed(one, {"README": "the frames are gone"})
    more = {"pool/readme.txt": "", "pool/000001.jpg": b"of another target"}
    of_two = committed(two, {f"pool/{k:06d}.jpg": j for k, j in enumerate(jpegs, 446)} | more)
    rows = [[x + 1, y + 1, w, h] for x, y, w, h in boxes]
    lines = "".join(",".join(map(str, row)) + "\n" for row in rows)
    of_tools = committed(
        tools, {"o.json": json.dumps({"dog1": {"gt_rect": rows}}), "uav/group1_2.txt": lines}
    )
    sources = {
        "otb100": public.PublishedSource("c/tools", of_tools, "o.json"),
        "uav123_10fps": public.PublishedSource("c/tools", of_tools, "uav"),
    }
    table = [
        benchmarks.PublicRow("otb100", "Dog1", 1, FRAMES, "", "a/one", of_one, "s/dog1", ""),
        benchmarks.PublicRow(
            "uav123_10fps", "group1_2", 446, FRAMES, "x", "b/two", of_two, "pool", ""
        ),
    ]
    monkeypatch.setattr(public, "BOXES", sources)
    spans = {
        "UAV123": {"group1_2": {"start_frame": 1336, "end_frame": 1357, "folder_name": "group1"}}
    }
    monkeypatch.setattr(benchmarks, "_json", lambda name: spans)
    monkeypatch.setattr(benchmarks, "public_rows", lambda: table)
    data = tmp_path / "data"
    assert fetch(data, clones) == 2  # no row says which sha256 it wants
    hashes = {
        clip.name: clip.sha256
        for name in sources
        for clip in benchmarks.sequences(name, data / name).clips
    }
    table[:] = [row._replace(sha256=hashes[row.name]) for row in table]
    return clones, data


def fetch(data, clones):
    return public.main(["--data", str(data), "--repositories", str(clones)])


def test_sequences_are_taken_from_the_history_and_evaluated(published, tmp_path, capsys):
    clones, data = published
    fresh = tmp_path / "fresh"
    assert fetch(fresh, clones) == 0
    assert "2 of 2 sequences are there" in capsys.readouterr().err
    assert sorted(path.name for path in fresh.iterdir()) == ["otb100", "uav123_10fps"]
    assert (fresh / "otb100/Dog1/img/0001.jpg").is_file()
    toml = write_network(tmp_path)
    given = ["--benchmark", "public", "--data", str(fresh), "--networks", str(toml)]
    assert evaluate.main([*given, "--out", str(tmp_path / "out")]) == 0
    with open(tmp_path / "out/public/table.csv") as file:
        of_groups = {row["clip"]: row["clips"] for row in csv.DictReader(file)}
    assert of_groups["mean"] == "2" and of_groups["mean of unseen"] == "1"
    assert of_groups["mean of uav123_10fps seen"] == "1"


def test_only_what_is_damaged_is_fetched_again(published, capsys):
    clones, data = published
    assert fetch(data, clones) == 0
    assert "a/one" not in capsys.readouterr().err
    frame = data / "otb100/Dog1/img/0003.jpg"
    frame.write_bytes((data / "otb100/Dog1/img/0004.jpg").read_bytes())
    found = benchmarks.sequences("public", data)
    assert [clip.name for clip in found.clips] == ["group1_2"]
    assert "Dog1: it is damaged; run `python -m hotpath_lab.public" in found.left_out[0]
    capsys.readouterr()
    assert fetch(data, clones) == 0
    messages = capsys.readouterr().err
    assert "a/one: Dog1" in messages and "b/two" not in messages
    path = data / "otb100/Dog1/groundtruth_rect.txt"
    first, rest = path.read_text().split(",", 1)
    path.write_text(f"{float(first) + 1:g},{rest}")  # a box that differs by a pixel
    assert [clip.name for clip in benchmarks.sequences("public", data).clips] == ["group1_2"]


def test_what_is_missing_is_named_and_the_rest_is_fetched(published, tmp_path, capsys):
    clones, _ = published
    away = clones / "a/one"
    away.rename(tmp_path / "away")
    data = tmp_path / "fresh"
    assert fetch(data, clones) == 2
    messages = capsys.readouterr().err
    assert f"missing: otb100 Dog1: there is no clone {away}" in messages
    assert "1 of 2 sequences are there" in messages
    (data / ".fetching/.git").mkdir(parents=True)  # of a run that was killed
    (tmp_path / "away").rename(away)
    assert fetch(data, clones) == 0
    assert not (data / ".fetching").exists()


def test_a_commit_or_frame_that_is_not_there_is_named(published, tmp_path, capsys):
    clones, _ = published
    rows = benchmarks.public_rows()
    rows[0], rows[1] = rows[0]._replace(commit="0" * 40), rows[1]._replace(first=447)
    assert fetch(tmp_path / "fresh", clones) == 2
    messages = capsys.readouterr().err
    assert "Dog1: git could not fetch it: " in messages
    assert f"group1_2: b/two has no frame {446 + FRAMES} of pool" in messages


def test_without_sequences_the_benchmark_says_how_to_fetch_them(tmp_path, capsys):
    given = ["--benchmark", "public", "--data", str(tmp_path), "--networks", "kestrel"]
    assert evaluate.main(given) == 2
    assert f"python -m hotpath_lab.public --data {tmp_path}" in capsys.readouterr().err


def test_the_table_names_72_sequences_of_the_toolkits():
    rows = benchmarks.public_rows()
    assert len({(row.set, row.name) for row in rows}) == len(rows) == 72
    for row in rows:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", row.repository)
        assert re.fullmatch("[0-9a-f]{40}", row.commit) and re.fullmatch("[0-9a-f]{64}", row.sha256)
        if row.set != "dtb70":
            listed = {entry.name for entry in benchmarks.LISTS[row.set][0](pathlib.Path("none"))}
            assert row.name in listed


@pytest.mark.skipif(not FACTS.is_file(), reason=f"{FACTS} is not there")
def test_the_table_is_that_of_the_facts():
    listed = FACTS.read_text().split("## What we measured")[0]
    sources = re.findall(r"\| (\d+) \| \S+ \| ([^|]*) \| (\S+)@([0-9a-f]{40}):(\S+) \|", listed)
    rows = benchmarks.public_rows()
    ours = [(str(r.frames), r.seen, r.repository, r.commit, r.path) for r in rows]
    assert ours == [(n, seen.strip(), *more) for n, seen, *more in sources]


def test_films_and_clips_of_the_lists_are_fetched_and_checked(tmp_path, monkeypatch, capsys):
    needs_program("git")
    film_bytes, jpegs = b"a film", [b"one", b"two", b"three"]
    files = {f"s/img/{k}.jpg": jpeg for k, jpeg in enumerate(jpegs)}
    commit = committed(
        tmp_path / "clones/a/one", {**files, "s/gt.txt": "1,2,3,4", "x.mp4": film_bytes}
    )
    row = {"repository": "a/one", "commit": commit}
    sums = [hashlib.sha256(content).hexdigest() for content in (film_bytes, b"onetwo")]
    clip = {**row, "name": "s", "path": "s/img", "boxes": "s/gt.txt", "frames": "2"}
    lists = {
        "films": [{**row, "name": "x", "path": "x.mp4", "sha256": sums[0]}],
        "clips": [
            {**clip, "changed": "", "sha256": sums[1]},
            {**clip, "name": "t", "changed": "decoded", "sha256": ""},
        ],
    }
    monkeypatch.setattr(public, "named", lists.__getitem__)
    monkeypatch.setattr(benchmarks, "public_rows", list)
    data = tmp_path / "data"
    data.mkdir()
    words = [
        "--data",
        str(data),
        "--also",
        "films,clips",
        "--repositories",
        str(tmp_path / "clones"),
    ]
    assert public.main(words) == 0
    assert (data / "films/x.mp4").read_bytes() == film_bytes
    assert [path.read_bytes() for path in sorted((data / "clips/s/img").iterdir())] == jpegs[:2]
    assert (data / "clips/s/gt.txt").read_text() == "1,2,3,4"
    assert "left out: t was decoded" in capsys.readouterr().err
    lists["films"][0]["sha256"] = "0" * 64
    assert public.main(words) == 2
    assert "missing: x differs" in capsys.readouterr().err


def test_each_row_of_the_lists_names_a_commit_and_what_it_was_used_for():
    for kind in ("clips", "films"):
        rows = public.named(kind)
        assert len(rows) == 21 and len({(row["part"], row["name"]) for row in rows}) == 21
        for row in rows:
            assert re.fullmatch("[0-9a-f]{40}", row["commit"]) and row["role"]
            assert re.fullmatch("[0-9a-f]{64}", row["sha256"]) or row["changed"]
