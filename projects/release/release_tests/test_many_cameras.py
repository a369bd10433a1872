"""docs/examples: the systemd unit and the compose file of many cameras."""

import pathlib
import re

import pytest

from hotpath.app.cli.option_parser import parse
from tests.support import run
from tests.support.needs import needs_program

EXAMPLES = pathlib.Path(__file__).parents[3] / "docs/examples"
UNIT, COMPOSE = EXAMPLES / "hotpath@.service", EXAMPLES / "compose.yaml"


def options_of(command, text, folder):
    """The options of a command, with the file of options that a text shows."""
    lines = re.findall(r"^#   (\w+ = .+)$", text, re.M)
    assert len(lines) == 4
    (folder / "door.toml").write_text("\n".join(lines))
    words = re.sub(r"\S+/(\w+|%i)\.toml", str(folder / "door.toml"), command).split()
    assert words[0].split("/")[-1] == "hotpath" and words[1] == "track"
    return parse(words[2:])


def check(options):
    assert options.video.startswith("rtsp://") and options.detector == "yolox_nano"
    assert options.publish.endswith("/home?name=door") and options.show is False


def test_systemd_knows_the_units_keys_and_hotpath_its_options(tmp_path):
    text = UNIT.read_text()
    check(options_of(re.search("^ExecStart=(.+)$", text, re.M).group(1), text, tmp_path))
    needs_program("systemd-analyze")
    (tmp_path / UNIT.name).write_text(text.replace("/opt/hotpath/.venv/bin/hotpath", "/bin/true"))
    place = str(tmp_path / UNIT.name.replace("@", "@door"))
    done = run(["systemd-analyze", "verify", place])
    said = (done.stdout + done.stderr).splitlines()
    assert not [line for line in said if "hotpath" in line], said


def test_the_compose_file_starts_each_camera_and_the_broker(tmp_path):
    yaml = pytest.importorskip("yaml")
    text = COMPOSE.read_text()
    services = yaml.safe_load(text)["services"]
    broker = services.pop("broker")
    assert broker["ports"] == ["127.0.0.1:1883:1883"]  # it asks for no password
    assert list(services) == ["door", "yard"]
    for name, camera in services.items():
        assert f"/{name}.toml" in camera["command"]
        check(options_of("hotpath " + camera["command"], text, tmp_path))
        assert (
            COMPOSE.parent / camera["build"]["context"] / camera["build"]["dockerfile"]
        ).is_file()
    needs_program("docker-compose")
    done = run(["docker-compose", "-f", COMPOSE, "config", "--quiet"])
    assert done.returncode == 0, done.stderr
