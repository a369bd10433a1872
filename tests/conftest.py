"""Fixtures shared by all tests: where the development data is, and two boards."""

import pathlib
import re
import signal
import sys

import hypothesis
import pytest

from hotpath.runtime.engines.shared import arithmetic
from tests.support.board_roots import BoardRoot
from tests.support.examples import ALL, FEW
from tests.support.thorough import names

ROOT = pathlib.Path(__file__).resolve().parent.parent
# On Pythons that have no project installed: those that `make test` needs.
ENVIRONMENT = (ROOT / "projects/release/hotpath_release/environment.py").read_text()
TESTED = re.findall(r'"(\w+)"', ENVIRONMENT.split("\nTESTED = ")[1].splitlines()[0])
sys.path += [str(ROOT / "projects" / name) for name in TESTED]

# `make test` draws few examples, always the same; `make test-all` takes the other profile.
hypothesis.settings.register_profile(
    "few", max_examples=FEW, derandomize=True, database=None, deadline=None
)
hypothesis.settings.register_profile("many", max_examples=ALL, deadline=None)
hypothesis.settings.load_profile("few")

# A test that imports OpenVINO sends no event to its makers; see hotpath.runtime.engines.openvino.
sys.modules.setdefault("openvino_telemetry", None)

# Several processes test at a time, whose threads would wait for each other where there is no VNNI.
arithmetic.MOST_THREADS = 1

# A shell that starts the tests in the background makes them ignore Ctrl-C. The programs under test
# would inherit this, but some tests end them by Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    thorough = names()
    for item in items:
        if thorough.intersection((item.nodeid, item.nodeid.partition("[")[0])):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session")
def shared():
    """The folder of development data beside the checkout (clips, networks, reference boxes)."""
    return _folder(ROOT.parent / "shared")


@pytest.fixture(scope="session")
def networks_dir(shared):
    """The folder of published network files in the development data."""
    return _folder(shared / "models")


@pytest.fixture(scope="session")
def clips_dir(shared):
    """The folder of annotated clips in the development data."""
    return _folder(shared / "clips")


@pytest.fixture
def nano(tmp_path):
    """A Jetson Nano, as a folder."""
    return BoardRoot("jetson_nano_jp4", tmp_path)


@pytest.fixture
def orin(tmp_path):
    """A Jetson Orin Nano, as a folder."""
    return BoardRoot("jetson_orin_nano_jp6", tmp_path)


def _folder(path):
    """Return the path if it is a folder. Otherwise skip the test and name the missing folder."""
    if not path.is_dir():
        pytest.skip(f"development data in ../{path.relative_to(ROOT.parent)}")
    return path
