"""What this project adds to ``hotpath track``."""

import sys

import pytest

from hotpath.app.cli.option_parser import parse, records_of
from hotpath_vehicle.plug import GimbalOptions, MavlinkOptions
from tests.support import run


def test_the_options_reach_the_links(tmp_path):
    (tmp_path / "run.toml").write_text('gimbal-login = "login"\n')
    arguments = ["a.mp4", "--mavlink", "udpin:127.0.0.1:1", "--mavlink-system", "7"]
    arguments += ["--link-delay", "0.5", "--gimbal", "onvif://host"]
    arguments += ["--config", str(tmp_path / "run.toml")]
    links = records_of(parse(arguments), print).links
    mavlink, gimbal = links.of(MavlinkOptions), links.of(GimbalOptions)
    assert (mavlink.url, mavlink.system, mavlink.delay_s) == ("udpin:127.0.0.1:1", 7, 0.5)
    assert gimbal.is_onvif and gimbal.login == "login" and gimbal.calibration is None
    assert links.asks_link and links.places == ["in the ground station"]


def test_a_run_without_its_options_asks_for_nothing():
    links = records_of(parse(["a.mp4"]), print).links
    assert not links.asks_link and not links.selects and links.of(GimbalOptions).name is None


@pytest.mark.parametrize("word, asks", [("gimbal", "--mavlink ADDRESS"), ("ptz", "onvif://USER")])
def test_its_programs_are_words_of_hotpath(word, asks):
    done = run([sys.executable, "-m", "hotpath.app.command", word, "calibrate", "--help"])
    text = " ".join(done.stdout.split())
    assert done.returncode == 0 and f"usage: hotpath {word} calibrate" in text and asks in text
