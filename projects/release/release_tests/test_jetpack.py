"""The table of JetPacks is of the boards that there are."""

import pytest

from hotpath.boards import jetpacks, load_board, names
from tests.boards.test_dockerfile import SNAPSHOTS
from tests.support.board_roots import BoardRoot

pytestmark = pytest.mark.pythons("TOML without a library")

JETSONS = [load_board(name) for name in names() if name.startswith("jetson_")]


def test_every_jetpack_is_of_a_board_and_says_what_is_known():
    used = {name for board in JETSONS for name in board.software}
    assert used == set(jetpacks()) and all(board.software for board in JETSONS)
    keys = {"l4t", "python", "cuda", "cudnn", "tensorrt", "numpy", "gpu_arrays", "graphs"}
    assert all(keys <= set(versions) <= keys | {"opencv"} for versions in jetpacks().values())


def test_the_files_of_each_fresh_board_are_of_its_release(tmp_path):
    for release, snapshot in SNAPSHOTS.items():
        found = BoardRoot(snapshot, tmp_path / release).detect()
        assert found.software["l4t"].split()[0].startswith(release[1:]), release
