"""The networks that ship with the repository need no download and track targets."""

import numpy as np
import pytest

from hotpath import boards
from hotpath.app.cli import option_parser as cli
from hotpath.app.track_command import main
from hotpath.runtime import DEFAULT_NETWORK, engines, load_tracker
from hotpath.runtime.engines.shared import arithmetic, precision
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.networks import FASTER_PAIR, FOLDER, default_of, load_network
from tests.support import tiny
from tests.support.errors import refusal

SMALL, FAST = "kestrel_small", "kestrel_fast"
SHIPPED = (DEFAULT_NETWORK, "kestrel", FAST, SMALL)


@pytest.mark.parametrize("name", SHIPPED)
def test_their_files_lie_beside_their_tomls(name):
    network = load_network(name)
    for form, folder, most in (
        (network, FOLDER, 8e6),
        (precision.int8_form(network), FOLDER / "int8", 4.5e6),
    ):
        paths = form.locate()
        assert all(path.parent == folder for path in paths.values())
        assert sum(path.stat().st_size for path in paths.values()) <= most


def test_a_changed_copy_of_a_shipped_toml_finds_the_shipped_files(tmp_path):
    """Only by their sha256: a file of the same name beside it that is another one is refused."""
    shipped = load_network(DEFAULT_NETWORK)
    for form in (shipped, precision.int8_form(shipped)):
        copy = tmp_path / form.path.name.replace(DEFAULT_NETWORK, "mine")
        copy.write_text(form.path.read_text())
        assert load_network(copy).locate() == form.locate()
    (first, *_), paths = shipped.files, shipped.locate()
    text = (tmp_path / "mine.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace(first.sha256, "0" * 64))
    with refusal(BadNetwork, "missing file"):
        load_network(tmp_path / "mine.toml").locate()
    (tmp_path / first.name).write_bytes(paths[first.part].read_bytes()[:-1])
    with refusal(BadNetwork, "other file"):
        load_network(tmp_path / "mine.toml").locate()


def test_each_board_runs_the_best_network_that_it_runs_in_time():
    small = {"jetson_nano", "jetson_tx2", "raspberry_pi4", "raspberry_pi5", "rk3588", "android"}
    for name in boards.names():
        board = boards.load_board(name)
        best = "kestrel" if name in small else DEFAULT_NETWORK
        assert default_of(board) == (SMALL if board.family == "fpga" else best)
    assert default_of(None) == DEFAULT_NETWORK == "lightfc"


@pytest.mark.parametrize("cpu, kind", [("avx2", "fp32 on 4 threads"), ("avx_vnni", "int8")])
def test_the_first_line_names_the_pair_that_takes_less_time(tmp_path, monkeypatch, cpu, kind):
    (tmp_path / "cpuinfo").write_text(cpu)
    monkeypatch.setattr(arithmetic, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(arithmetic, "usable_cores", lambda: 9)
    monkeypatch.setattr(arithmetic, "MOST_THREADS", 4)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.delenv(arithmetic.LIMIT, raising=False)
    said = []
    load_tracker(log=said.append).close()
    assert said[0].startswith("lightfc and its witness kestrel run in " + kind.split()[0])
    assert f"{kind.partition(' ')[2]}, since this processor has " in said[0]
    assert "takes" not in said[0]
    named = cli.parse(FASTER_PAIR.split())
    small = boards.load_board("jetson_nano")
    assert (named.network, named.witness) == (small.network, small.witness)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("engine", engines.installed())
def test_they_follow_a_square_that_drifts_over_noise(engine, name):
    pictures, boxes = tiny.film(60)
    found = tiny.boxes_of(load_tracker(name, engine=engine), pictures, boxes)
    assert overlap(found, np.array(boxes[1:])).min() > 0.6


def test_the_command_line_needs_no_network_option(tmp_path, capfd):
    pictures, boxes = tiny.film(5)
    tiny.write_pictures(tmp_path, pictures)
    box = ",".join(map(str, boxes[0]))
    assert main(["--video", str(tmp_path), "--results", "-", "--box", box]) == 0
    done = capfd.readouterr()
    assert len(done.out.splitlines()) == 6 and DEFAULT_NETWORK in done.err
