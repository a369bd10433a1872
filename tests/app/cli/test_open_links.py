"""A run loads the links that it is asked for, and no other one."""

import sys
import types

from hotpath.app.cli import open_links
from hotpath.app.cli.open_links import _module
from hotpath.app.links.base import Link, LinkThread
from hotpath.runtime.errors import BadOutput
from tests.app.test_track import film_command, here, world
from tests.support import ROOT, run
from tests.support.errors import refusal

__all__ = ["world"]
CODE = (
    "import sys; from hotpath.app import track_command as track\n"
    "code = track.main(sys.argv[1:])\n"
    "found = sorted(name for name in sys.modules if "
    "name.startswith('hotpath.app.links'))\n"
    "print(code, ' '.join(found))\n"
)

UNUSED = ("app.detect", "app.cli.player", "app.cli.mouse", "video.desktop_window", "video.live")


def test_a_film_loads_neither_window_nor_camera_nor_detector(world):
    code = CODE.replace("hotpath.app.links", "hotpath.")
    words = film_command(world, "film.avi", "--no-show")[3:]
    done = run([sys.executable, "-c", code, *words], cwd=str(ROOT), timeout=120)
    code, *loaded = done.stdout.split()
    assert code == "0" and "hotpath.runtime.tracker.tracker" in loaded
    assert not [name for name in loaded if name[len("hotpath.") :].startswith(UNUSED)]


def test_a_run_loads_the_links_that_it_is_asked_for_alone(world):
    def loaded(*options):
        words = film_command(world, "frames", "--no-show", "--frames", "2", *options)[3:]
        done = run([sys.executable, "-c", CODE, *words], cwd=str(ROOT), timeout=120)
        code, *modules = done.stdout.split()
        assert code == "0"
        return modules

    assert loaded() == []
    modules = loaded("--publish", "udp://127.0.0.1:9")
    assert "hotpath.app.links.publish" in modules
    others = tuple("hotpath.app.links." + name for name in ("page", "stream"))
    assert not [name for name in modules if name.startswith(others)]


def test_a_package_that_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in [name for name in sys.modules if name.startswith("hotpath.app.links.page")]:
        monkeypatch.delitem(sys.modules, name)  # of an earlier test
    with refusal(BadOutput, "missing package"):
        _module("page", "hotpath.app.links.page.server", "aiohttp")


class Broken(Link):
    def __init__(self):
        self.closed = False
        self.threads = (LinkThread("broken", lambda: 1 / 0),)
        self.threads[0].start()
        self.threads[0].join()

    def close(self):
        self.closed = True


def test_a_link_whose_thread_dies_ends_the_run_with_a_sentence(world, monkeypatch, capsys):
    broken = Broken()
    module = types.SimpleNamespace(open_link=lambda context: broken)
    monkeypatch.setitem(sys.modules, "broken_link", module)
    monkeypatch.setattr(open_links, "LINKS", (("publish", "broken_link", ""),))
    assert here(world, "frames", "--publish", "udp://127.0.0.1:9", "--no-show") == 2
    messages = capsys.readouterr().err
    assert "the thread 'broken' ended by a fault, ZeroDivisionError" in messages
    assert "test_open_links.py" in messages and "start the run again" in messages and broken.closed


class Recorder(Link):
    files = ("run-2.mkv",)

    def close(self):
        pass


def test_the_files_that_a_link_wrote_are_told_at_the_end(world, monkeypatch, capsys):
    module = types.SimpleNamespace(open_link=lambda context: Recorder())
    monkeypatch.setitem(sys.modules, "recorder", module)
    monkeypatch.setattr(open_links, "LINKS", (("publish", "recorder", ""),))
    assert here(world, "frames", "--publish", "udp://127.0.0.1:9", "--no-show", "--json") == 0
    told = capsys.readouterr()
    assert "\nwrote run-2.mkv\n" in told.err and '"files": ["run-2.mkv"]' in told.out
