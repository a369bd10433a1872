"""A run loads the links that it is asked for, and no other one."""

import sys

import pytest

from runtime.cli.links import _module
from runtime.errors import BadOutput
from tests.support import ROOT, run
from tests.support.pages import write_world

pytest.importorskip("onnxruntime")
CODE = (
    "import sys, runtime.track as track\n"
    "code = track.main(sys.argv[1:])\n"
    "found = sorted(name for name in sys.modules if name.startswith('runtime.links'))\n"
    "print(code, ' '.join(found))\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("links")
    write_world(folder, 3)
    return folder


def loaded(folder, *options):
    """The exit code and the modules of links that a run has loaded."""
    words = ["--video", folder / "frames", "--network", folder / "tiny.toml", "--no-show"]
    words += ["--box", "90,70,40,40", "--frames", "2", *options]
    done = run([sys.executable, "-c", CODE] + words, cwd=str(ROOT), timeout=120)
    code, *modules = done.stdout.split()
    assert code == "0"
    return modules


def test_a_plain_run_loads_no_link(folder):
    assert loaded(folder) == []


def test_datagrams_load_neither_page_nor_vehicle(folder):
    modules = loaded(folder, "--publish", "udp://127.0.0.1:9")
    assert "runtime.links.publish" in modules
    others = ("page", "mavlink", "stream", "gimbal")
    assert not [name for name in modules if name.split(".")[2:3] and name.split(".")[2] in others]


def test_a_package_that_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "runtime.links.page.server", None)
    with pytest.raises(BadOutput, match="--page needs the package aiohttp .* ALSO=page"):
        _module("page", "runtime.links.page.server", "aiohttp")
