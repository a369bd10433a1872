"""What a board still lacks, and the commands that install it."""

from boards import detect, installed, load_board
from boards.doctor import missing
from boards.doctor.situation import Situation
from tests.support.board_roots import BoardRoot, situation


def names(board):
    return [entry.name for entry in missing.missing(situation(board))]


def test_nano_gets_pycuda_because_cupy_has_no_build(nano):
    entries = {entry.name: entry.command for entry in missing.missing(situation(nano))}
    assert "cupy" not in entries
    assert "/usr/local/cuda/bin" in entries["pycuda"] and "pycuda==" in entries["pycuda"]
    nano.put_package("pycuda-2021.1", "3.6")
    assert "pycuda" not in names(nano)


def test_pip_comes_first_where_jetpack_has_none(nano):
    assert names(nano)[0] == "pip"


def test_what_is_missing_goes_by_the_boards_engine(tmp_path):
    assert names(BoardRoot("kv260", tmp_path / "kria")) == ["cv2"]
    assert names(BoardRoot("jetson_thor_jp7", tmp_path / "thor")) == ["cv2", "cupy"]
    empty = detect.Detection()
    empty.board = load_board("host")
    nothing = installed.Installed()
    nothing.python = "3.12.1"
    entries = missing.missing(Situation(empty, nothing, {}))
    assert [entry.name for entry in entries] == ["numpy", "cv2", "openvino"]
