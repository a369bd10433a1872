"""Frames to a real mosquitto, and each fault of one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
import tracemalloc

import numpy as np
import pytest

from hotpath.app.option_records import LinkOptions
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Track
from hotpath.video.base import TrackedFrame
from hotpath_bridges import mqtt
from hotpath_bridges.mqtt import MqttLink, check_options, name_of
from tests.app.test_track import film_command, here, world
from tests.support import run
from tests.support.errors import refusal
from tests.support.needs import needs_program
from tests.support.ports import free_port

__all__ = ["world"]
paho = pytest.importorskip("paho.mqtt.client")
needs_program("mosquitto", "mosquitto_passwd", "openssl")
FRAME = np.zeros((48, 64, 3), np.uint8)
ANSWER_S = 60  # of a busy computer
MANY = 50000  # targets, whose message is longer than what a connection holds


class Mosquitto:
    """A broker in a folder, with a user ``cam`` whose password is ``secret``."""

    def __init__(self, folder, tls=False):
        self.port, self._conf = free_port(socket.SOCK_STREAM), folder / "broker.conf"
        words = ["mosquitto_passwd", "-c", "-b", folder / "users", "cam", "secret"]
        assert run(words).returncode == 0
        lines = [f"listener {self.port} 127.0.0.1", f"password_file {folder}/users", "user root"]
        lines += [f"certfile {folder}/c.pem", f"keyfile {folder}/k.pem"] * tls
        self._conf.write_text("\n".join([*lines, "allow_anonymous false"]) + "\n")

    def __enter__(self):
        self._ran = subprocess.Popen(["mosquitto", "-c", str(self._conf)], stderr=subprocess.PIPE)
        for _ in range(20 * ANSWER_S):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.05)
        raise AssertionError(self._ran.stderr.read())

    def __exit__(self, *error):
        self._ran.kill()
        self._ran.communicate()

    def signal(self, number):
        self._ran.send_signal(number)

    def address(self, more="", host="127.0.0.1", scheme="mqtt"):
        return f"{scheme}://cam@{host}:{self.port}/home/hotpath{more}"


class Reader:
    """A subscriber of everything: the newest message of each topic, and how many there were."""

    def __init__(self, broker):
        self.newest, self.count, self.retained = {}, {}, set()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.username_pw_set("cam", "secret")
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.on_message = self._keep
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert subscribed.wait(ANSWER_S)

    def _keep(self, client, data, message):
        self.newest[message.topic] = message.payload.decode()
        self.count[message.topic] = self.count.get(message.topic, 0) + 1
        self.retained |= {message.topic} if message.retain else set()

    def wait(self, topic, wanted):
        until = time.monotonic() + ANSWER_S
        while not wanted(self.newest.get(topic, "")):
            assert time.monotonic() < until, self.newest
            time.sleep(0.01)
        return self.newest[topic]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "secret")
    return Mosquitto(tmp_path)


@contextlib.contextmanager
def link_to(address, messages=None):
    link = MqttLink(
        LinkOptions(publish=address, video="cam0"), ([] if messages is None else messages).append
    )
    try:
        yield link
    finally:
        link.close()


def frame(index, state="tracked", targets=1):
    track = Track((1, 2, 30, 40), 0.9, state == "lost", state)
    tracks = dict.fromkeys(range(targets), track)
    return TrackedFrame(FRAME, index, None, tracks, time.monotonic())


def is_frame(index):
    return lambda text: text and json.loads(text)["frame"] == index


def show(link, reader, *indices):
    for index in indices:
        link.write(frame(index))
        reader.wait(HOME + "box", is_frame(index))


HOME = "home/hotpath/cam0/"


def test_a_run_leaves_its_state_and_says_when_it_ends(world, broker):
    with broker, Reader(broker) as reader:
        assert here(world, "frames", "--no-show", "--publish", broker.address("?name=door")) == 0
        reader.wait("home/hotpath/door/availability", "offline".__eq__)
        assert 1 <= reader.count["home/hotpath/door/state"] <= reader.count["home/hotpath/door/box"]
        with Reader(broker) as late:
            state = json.loads(late.wait("home/hotpath/door/state", bool))
            assert state["targets"][0]["state"] == "tracked"
            assert late.retained == {f"home/hotpath/door/{n}" for n in ("state", "availability")}


def test_a_state_is_sent_on_change_and_a_box_with_each_frame(broker):
    jsonschema = pytest.importorskip("jsonschema")
    from tests.app.links.test_publish import SCHEMA

    with broker, Reader(broker) as reader, link_to(broker.address("?discovery=ha")) as link:
        for index, state in enumerate(["tracked"] * 5 + ["lost"] * 5):
            link.write(frame(index, state))
            reader.wait(HOME + "box", is_frame(index))
        assert json.loads(reader.wait(HOME + "state", is_frame(5)))["targets"][0]["lost"]
        assert reader.count[HOME + "state"] == 2 and reader.count[HOME + "box"] == 10
        for name in ("state", "box"):
            jsonschema.validate(
                json.loads(reader.newest[HOME + name]), json.loads(SCHEMA.read_text())
            )
        device = json.loads(reader.newest["ha/sensor/hotpath_home_hotpath_cam0/config"])
        assert device["state_topic"] in reader.newest
        assert reader.newest[device["availability_topic"]] == "online"


def test_a_broker_that_returns_gets_the_newest(broker):
    messages = []
    with link_to(broker.address(), messages) as link:
        for index in range(100):
            link.write(frame(index))
        assert link.replaced == 99
        for last in (150, 250):
            with broker, Reader(broker) as reader:
                reader.wait(HOME + "availability", "online".__eq__)
                assert "no broker" in messages[0] and (len(messages) == 1 or last == 250)
                show(link, reader, last)
                reader.wait(HOME + "state", bool)  # though none changed
        assert 2 <= link.sent <= 4 and link.replaced <= 100  # of the first hundred, the last


def test_a_broker_that_hangs_spoils_neither_the_next_one_nor_the_end(broker):
    with broker:
        link = MqttLink(LinkOptions(publish=broker.address(), video="cam0"), print)
        broker.signal(signal.SIGSTOP)
        link.write(frame(0, targets=MANY))
    with broker, Reader(broker) as reader, contextlib.closing(link):
        show(link, reader, 1)
        broker.signal(signal.SIGSTOP)  # it confirms the first availability, and not the last


def test_a_live_source_without_frames_is_offline_until_the_next_one(broker, monkeypatch):
    options = LinkOptions(publish=broker.address(), video="cam0")
    topic = HOME + "availability"
    with broker, Reader(broker) as reader:
        for live in (True, False):
            with contextlib.closing(MqttLink(options, print, live=live)) as link:
                show(link, reader, 0)
                monkeypatch.setattr("hotpath_bridges.mqtt.AWAY_S", 0.0)
                if live:
                    reader.wait(topic, "offline".__eq__)
                else:
                    show(link, reader, 1, 2)  # the thread looked for frames in between
                    assert reader.newest[topic] == "online"
                monkeypatch.setattr("hotpath_bridges.mqtt.AWAY_S", 1e9)
                show(link, reader, 3)
                assert reader.newest[topic] == "online"
            reader.wait(topic, "offline".__eq__)


def test_a_broker_that_never_answers_makes_the_run_end_with_two(world, capsys):
    address = f"mqtt://cam@127.0.0.1:{free_port(socket.SOCK_STREAM)}/home"
    assert here(world, "frames", "--no-show", "--publish", address) == 2
    messages = capsys.readouterr().err
    assert "nothing was delivered, because the broker confirmed no frame of this run" in messages


def test_a_broker_that_reads_nothing_costs_frames_and_no_time(broker):
    with broker, link_to(broker.address()) as link, Reader(broker) as reader:
        show(link, reader, 0)
        broker.signal(signal.SIGSTOP)
        index, sent = 0, -1
        while sent != link.sent:  # until nothing goes out any more
            sent, began_s = link.sent, time.monotonic()
            for _ in range(300):
                index += 1
                link.write(frame(index, targets=100))
        # these 300 take a fifth of a second; with a wait of 0.1 s in each, half a minute
        assert time.monotonic() - began_s < 15
        assert link.replaced > 290
        broker.signal(signal.SIGCONT)
        reader.wait(HOME + "box", is_frame(index))


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_password_is_one_sentence(world, broker, monkeypatch, capsys, password):
    monkeypatch.delenv("MQTT_PASSWORD")
    if password:
        monkeypatch.setenv("MQTT_PASSWORD", password)
    with broker:
        assert here(world, "frames", "--no-show", "--publish", broker.address()) == 2
    messages = capsys.readouterr().err
    assert messages.count("the broker refuses the connection") == 1 and "MQTT_PASSWORD" in messages


def test_a_password_can_be_in_a_file(broker, tmp_path, monkeypatch):
    monkeypatch.delenv("MQTT_PASSWORD")
    (tmp_path / "password").write_text("secret\n")
    more = f"?password-file={tmp_path}/password"
    with broker, Reader(broker) as reader, link_to(broker.address(more)):
        reader.wait(HOME + "availability", "online".__eq__)


def test_a_certificate_is_of_that_host_and_a_known_authority(tmp_path, monkeypatch):
    monkeypatch.setenv("MQTT_PASSWORD", "secret")
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost"
    words += " -addext subjectAltName=DNS:localhost -keyout k.pem -out c.pem"
    assert run(words.split(), cwd=str(tmp_path)).returncode == 0
    own, messages = f"?ca={tmp_path}/c.pem", []
    with Mosquitto(tmp_path, tls=True) as broker:
        for more, host in (("", "localhost"), (own, "127.0.0.1")):
            with refusal(BadOutput, "refused"), link_to(broker.address(more, host, "mqtts")):
                pass
        with link_to(broker.address(own, "localhost", "mqtts"), messages) as link:
            link.write(frame(1))
        assert link.sent == 1


def test_the_will_says_that_a_killed_run_is_offline(world, broker):
    with broker, Reader(broker) as reader:
        words = film_command(world, "-", "--no-show", "--publish", broker.address("?name=k"))
        words[words.index("--video") + 1] = "-"
        killed = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        killed.stdin.write((world[0] / "film.avi").read_bytes())
        killed.stdin.flush()
        reader.wait("home/hotpath/k/availability", "online".__eq__)
        os.kill(killed.pid, signal.SIGKILL)
        killed.communicate()
        reader.wait("home/hotpath/k/availability", "offline".__eq__)


@pytest.mark.parametrize(
    "address, what",
    [
        ("mqtt://h", "not an address"),
        ("mqtt:///home", "not an address"),
        ("mqtt://h:x/home", "not an address"),
        ("mqtt://h/home/%23", "not an address"),
        ("mqtt://h/home?retain=1", "not an address"),
        ("mqtt://cam:secret@h/home", "open password"),
        ("mqtts://h/home?ca=/dev/null", ""),
        ("mqtt://h/home?password-file=/nowhere", ""),
    ],
)
def test_other_addresses_are_refused(address, what):
    with refusal(BadOutput, what) as refused:
        check_options(LinkOptions(publish=address, video="x"))
    assert "secret" not in str(refused.value)


def test_a_name_holds_no_password():
    names = {"rtsp://u:p@10.0.0.9:554/live": "10-0-0-9-live", "film/drone 1.mp4": "drone-1"}
    assert {video: name_of(video) for video in names} == names
    assert name_of("-") == "camera" and name_of("/dev/video2") == "video2"


CONNACK = b"\x20\x02\0\0"
FLOOD = b"\x30\x80\x80\x80\x7f\0\x01a" + bytes(1 << 20)  # the beginning of 266 MB


@contextlib.contextmanager
def fake_broker(answer):
    """The address of a broker that sends ``answer`` to its first client, and reads nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1000)
                connection.sendall(answer)
                ended.wait()

        ended = threading.Event()
        threading.Thread(target=serve, daemon=True).start()
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}/home"
        ended.set()


@pytest.mark.parametrize("answer, sent, replaced", [(b"", 0, 2), (CONNACK, 1, 1)])
def test_a_broker_that_confirms_nothing_is_told(answer, sent, replaced, monkeypatch):
    monkeypatch.setattr(mqtt, "ANSWER_S", 60.0 if answer else 0.5)
    messages = []
    with fake_broker(answer) as address:
        with refusal(BadOutput, "not delivered"), link_to(address, messages) as link:
            assert ("does not answer" in "".join(messages)) == (not answer)
            for index in range(3):  # the first one fills the connection, if there is one
                link.write(frame(index, targets=1 if index else MANY))
    assert (link.sent, link.replaced) == (sent, replaced)


def test_a_broker_that_sends_a_long_packet_costs_no_memory():
    messages, until_s = [], time.monotonic() + ANSWER_S
    with fake_broker(CONNACK + FLOOD) as address:
        tracemalloc.start()
        try:
            with link_to(address, messages):
                while not messages and time.monotonic() < until_s:
                    time.sleep(0.02)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert "sends a packet of" in messages[0] and peak < 32 << 20
