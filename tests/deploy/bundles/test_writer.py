"""What a bundle takes with a network's TOML."""

import numpy as np

from hotpath.deploy.bundles.writer import copy_toml
from hotpath.runtime.networks import load_network
from hotpath_lab import negatives as describing
from tests.support import tiny


def test_a_network_of_ones_own_takes_its_strangers_to_the_board(tmp_path):
    home, board = tmp_path / "home", tmp_path / "board"
    home.mkdir()
    board.mkdir()
    toml = tiny.write_network(home)
    file = home / "tiny-negatives.npz"
    describing.write(str(file), np.ones((20, 4), np.float32), np.ones((20, 2)) / 2, "a test")
    describing.name_in(toml, file)
    copy_toml(toml, board / "tiny.toml")
    file.unlink()
    network = load_network(board / "tiny.toml")
    assert network.locate_made(network.negatives).parent == board
