"""Projects bring options and links to ``hotpath track``; without one, a sentence names it."""

import os
import re
import sys
from typing import NamedTuple

import pytest

from hotpath.app.option_records import Group, Option
from hotpath.base import messages
from tests.app.test_track import film_command, world
from tests.support import ROOT, run

__all__ = ["world"]
PLUG = """
from typing import NamedTuple
from hotpath.app.links.base import Link
from hotpath.app.option_records import Group, Option, Plug


class LampOptions(NamedTuple):
    colour: str = ""
    pulses: int = 2
    place = property(lambda self: "at the lamp" if self.colour else "")


OPTIONS = (
    Option("--lamp", "COLOUR", "shine", field="colour"),
    Option("--lamp-pulses", "N", "how often", int, "pulses"),
)


def check_run(context):
    context.say("checked")


def open_link(context):
    context.say(f"shines {context.options.of(LampOptions)[:2]} in {context.size}")
    return Lamp()


class Lamp(Link):
    def close(self):
        pass


PLUG = Plug(
    groups=(Group("lamp", LampOptions, OPTIONS),),
    links=(("lamp", "hotpath_lamp.plug", ""),),
    wanted=lambda links: ["lamp"] if links.of(LampOptions).colour else [],
    check=lambda links: None,
    programs={"lamp": ("hotpath_lamp.plug", "a lamp")},
)
"""
WITHOUT = (
    "import sys\n"
    "from hotpath.base import projects\n"
    "projects.load_plugs = lambda: ()\n"
    "from hotpath.app import track_command as track, command\n"
    "sys.exit((command if sys.argv[1] == 'hotpath' else track).main(sys.argv[2:]))\n"
)


def installed(folder, text=PLUG):
    """A project as pip installs one: its package, and its entry points."""
    (folder / "hotpath_lamp").mkdir()
    (folder / "hotpath_lamp" / "__init__.py").touch()
    (folder / "hotpath_lamp" / "plug.py").write_text(text)
    (folder / "hotpath_lamp-1.0.dist-info").mkdir()
    points = "[console_scripts]\na = b:c\n\n[hotpath.links]\nlamp = hotpath_lamp.plug:PLUG\n"
    (folder / "hotpath_lamp-1.0.dist-info" / "entry_points.txt").write_text(points)
    return dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(folder)]))


def test_a_project_adds_options_links_and_programs(world, tmp_path):
    environment = installed(tmp_path)
    (tmp_path / "run.toml").write_text("lamp-pulses = 5\n")
    words = film_command(world, "frames", "--no-show", "--frames", "2", "--lamp", "red")
    words += ["--config", str(tmp_path / "run.toml")]
    done = run(words, cwd=str(ROOT), env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "checked\nshines ('red', 5) in (" in done.stderr
    for program, told in (("hotpath.app.track_command", "--lamp COLOUR"), ("hotpath", "a lamp")):
        words = [sys.executable, "-m", program, "--help"] + ["all"] * (
            program == "hotpath.app.track_command"
        )
        assert told in run(words, cwd=str(ROOT), env=environment).stdout


class LampOptions(NamedTuple):
    colour: str = ""


@pytest.mark.parametrize("flag, field", [("--lamp-height", ""), ("--colour", "color")])
def test_an_option_without_a_field_is_named(flag, field):
    told = f"{flag}: LampOptions has no field {(field or flag[2:].replace('-', '_'))!r}"
    with pytest.raises(ValueError, match=re.escape(told)):
        Group("lamp", LampOptions, [Option(flag, "M", "how far", field=field)])


@pytest.mark.parametrize(
    "text", [PLUG.replace("    groups=", "    no_such="), "PLUG = (", "1 / 0", "PLUG = 3"]
)
def test_a_project_that_does_not_load_ends_no_run(world, tmp_path, text):
    environment = installed(tmp_path, text)
    (tmp_path / "hotpath_x-1.dist-info").mkdir()
    (tmp_path / "hotpath_x-1.dist-info" / "entry_points.txt").write_text("no section\n")
    words = film_command(world, "frames", "--no-show", "--frames", "2")
    done = run(words, cwd=str(ROOT), env=environment, timeout=120)
    assert done.returncode == 0 and "hotpath_lamp.plug can't be loaded" in done.stderr


def test_without_a_project_a_sentence_names_it(tmp_path):
    (tmp_path / "run.toml").write_text('gimbal = "a.toml"\n')
    for words in (
        ["track", "a.mp4", "--mavlink", "udpin::1"],
        ["track", "a.mp4", "--gimbal-login=x"],
        ["track", "a.mp4", "--config", str(tmp_path / "run.toml")],
        ["hotpath", "gimbal", "calibrate"],
    ):
        done = run([sys.executable, "-c", WITHOUT, *words], cwd=str(ROOT))
        assert done.returncode == 2 and "pip install ./projects/vehicle" in done.stderr, words


def test_no_word_of_a_project_is_one_of_hotpaths():
    assert messages.advice_for_unknown("mavlink-key", ["page"]) and not messages.advice_for_unknown(
        "mavink", ["page"]
    )
    assert not messages.advice_for_unknown("gimbal-zoom", ["gimbal"])  # the project is there
