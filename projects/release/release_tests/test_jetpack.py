"""The table of JetPacks is of the boards that there are."""

import pytest

from hotpath.boards import jetpacks, load_board, names

pytestmark = pytest.mark.pythons("TOML without a library")

JETSONS = [load_board(name) for name in names() if name.startswith("jetson_")]


def test_every_jetpack_is_of_a_board_and_says_what_is_known():
    used = {name for board in JETSONS for name in board.software}
    assert used == set(jetpacks()) and all(board.software for board in JETSONS)
    assert all(set(each) == {"l4t", "python", "gpu_arrays"} for each in jetpacks().values())
