"""Fixtures of the tests of boards: two boards that many of them start from."""

import pytest

from tests.support.board_roots import BoardRoot


@pytest.fixture
def nano(tmp_path):
    return BoardRoot("jetson_nano_jp4", tmp_path)


@pytest.fixture
def orin(tmp_path):
    return BoardRoot("jetson_orin_nano_jp6", tmp_path)
