"""Runs of ``hotpath track`` with this project's options: what is wrong is one sentence."""

import re
import socket
import sys
import threading

import pytest

pytest.importorskip("pymavlink")

from tests.app.test_track import film_command, here, world
from tests.support import ROOT, run
from tests.support.ports import free_port

__all__ = ["world"]
LATE = {
    "a ground station's port in use": "--mavlink udpin:127.0.0.1:{udp}",
    "no address": "--mavlink nonsense",
    "a gimbal that steers by a recording": "--mavlink udpout:127.0.0.1:9 --gimbal --fov 60",
    "a PTZ camera that steers by a recording": "--gimbal onvif://127.0.0.1:9",
    "no such settings": "--mavlink udpout:127.0.0.1:9 --gimbal no --fov 60",
    "settings that are none": "--mavlink udpout:127.0.0.1:9 --gimbal {folder}/tiny.toml --fov 60",
    "a key that is none": "--mavlink udpout:127.0.0.1:9 --mavlink-key {folder}/tiny.toml",
    "a detector without a class": "--mavlink udpin::1 --detector yolox_nano --all",
}


@pytest.mark.parametrize("why", sorted(LATE))
def test_a_run_refused_late_keeps_earlier_results(world, tmp_path, capsys, why):
    old = tmp_path / "old.csv"
    old.write_text("frame,precious\n1,2\n")
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        words = LATE[why].format(folder=world[0], udp=udp.getsockname()[1]).split()
        assert here(world, "frames", "--results", old, "--no-show", *words) == 2
    assert old.read_text() == "frame,precious\n1,2\n", capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]


def test_an_option_that_is_gone_says_why_and_what_instead(world, tmp_path):
    (tmp_path / "run.toml").write_text("gimbal-recording = true\n")
    for words in (["--gimbal-recording"], ["--config", str(tmp_path / "run.toml")]):
        done = run(film_command(world, "frames", "--no-show", *words))
        assert done.returncode == 2 and "a recording answers no turn" in done.stderr, words


HOST = "a" * 70 + ".example"  # longer than a name may be


def test_an_impossible_host_is_one_sentence(world):
    words = film_command(world, "frames", "--no-show", "--mavlink", f"udpin:{HOST}:5")
    done = run(words, timeout=120)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "no host has such a name" in done.stderr


def test_a_radio_whose_name_can_not_be_looked_up_is_tried_again(world):
    done = run(film_command(world, "frames", "--no-show", "--mavlink", f"udpout:{HOST}:5"))
    assert done.returncode == 0 and "nothing answers there yet" in done.stderr


@pytest.mark.parametrize("way", ["tcp", "serial"])
def test_a_link_that_never_opens_sent_nothing_and_the_run_ends_with_two(world, capsys, way):
    address = (
        "serial:/dev/ttyNONE:57600"
        if way == "serial"
        else f"tcp:127.0.0.1:{free_port(socket.SOCK_STREAM)}"
    )
    assert here(world, "frames", "--no-show", "--mavlink", address) == 2
    told = capsys.readouterr().err
    assert "mavlink: 0 packets heard, 0 sent" in told, told
    assert f"{address}: nothing was delivered, because the link never opened" in told, told
    assert (f"{address}: no such device yet; it is tried again" in told) == (way == "serial")


def test_a_station_that_ends_leaves_the_run_its_exit_code(world, capsys):
    with socket.socket() as station:
        station.bind(("127.0.0.1", 0))
        station.listen(1)
        address = "tcp:127.0.0.1:{}".format(station.getsockname()[1])
        ends = threading.Thread(target=lambda: station.accept()[0].close(), daemon=True)
        ends.start()
        assert here(world, "frames", "--no-show", "--mavlink", address) == 0
        ends.join(60)
    told = capsys.readouterr().err
    assert re.search("mavlink: 0 packets heard, [1-9][0-9]* sent", told), told


WITHOUT = """
import sys
sys.path += ["projects/vehicle"]
sys.modules["fcntl"] = sys.modules["termios"] = sys.modules["tty"] = None
from hotpath.runtime.errors import BadOutput
from hotpath_vehicle.mavlink import transport
try:
    transport.open_transport("serial:/dev/tty.none:57600")
except BadOutput as error:
    print(error)
"""


def test_a_system_without_terminals_has_no_serial_lines():
    done = run([sys.executable, "-c", WITHOUT], cwd=str(ROOT))
    assert "no serial lines" in done.stdout, done.stderr
