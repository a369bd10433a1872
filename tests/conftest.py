"""Fixtures shared by all tests: where the development data is."""

import pathlib
import signal

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would the programs
# under test, which they send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
