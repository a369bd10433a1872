"""Fixtures shared by all tests: where the development data is, and which tests a Python can run."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Training and calibration run off the board, where Python is new; an older one can't even read
# their tests.
collect_ignore_glob = ["calib/*", "test_calib*", "test_train*"] if sys.version_info < (3, 10) else []


@pytest.fixture(scope="session")
def shared():
    """The folder of development data beside the checkout (clips, networks, reference boxes)."""
    return _folder(ROOT.parent / "shared")


@pytest.fixture(scope="session")
def networks_dir(shared):
    """The networks' published files among the development data."""
    return _folder(shared / "models")


@pytest.fixture(scope="session")
def clips_dir(shared):
    """The annotated clips among the development data."""
    return _folder(shared / "clips")


def _folder(path):
    """The path when it is a folder; else skip the test and say which folder it lacks."""
    if not path.is_dir():
        pytest.skip("no folder ../{}".format(path.relative_to(ROOT.parent)))
    return path
