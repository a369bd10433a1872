"""``--publish mqtt://USER@HOST/PREFIX``: targets for Home Assistant, and whoever else reads MQTT.

| topic | |
|---|---|
| PREFIX/NAME/box | the JSON of docs/publish.schema.json, of the newest frame |
| PREFIX/NAME/state | the same of the frame in which a state changed; retained |
| PREFIX/NAME/availability | online or offline; retained, and the last will |

A live source that sends nothing for ``AWAY_S`` is offline until its next frame.

NAME is that of the source. Behind a ``?`` may stand, joined by ``&``: ``name=NAME``,
``discovery=homeassistant`` (where Home Assistant looks for devices), ``password-file=FILE``
(default: the variable MQTT_PASSWORD) and ``ca=FILE`` (the authority of an ``mqtts://`` broker).
"""

import json
import os
import re
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, unquote

from hotpath.app.links.publish import encoded
from hotpath.base.text import read as read_text
from hotpath.links import (
    Context,
    Link,
    LinkOptions,
    LinkThread,
    counted,
    needs,
    split_address,
    why_unread,
)
from hotpath.runtime.errors import BadOutput
from hotpath.video.base import TrackedFrame

KEEPALIVE_S = 10
ANSWER_S = 3.0  # how long the start of a run waits for the broker
FLUSH_S = 1.0  # and how long the end waits for what is on its way
RETRY_S = 2.0
SILENT_S = 10.0  # after which a broker that accepted the connection and says nothing is told
AWAY_S = 5.0  # without a frame, after which a live source is offline
CONFIRM_S = 1.0  # between two messages that the broker confirms, and with them all before
MOST_BYTES = 1 << 16  # of a packet of the broker; nothing is subscribed to
KEYS = ("name", "discovery", "password-file", "ca")
SENSOR = "{{ value_json.targets[0].state if value_json.targets else 'none' }}"


class Broker(NamedTuple):
    """What the address says; ``topic`` is PREFIX/NAME."""

    host: str
    port: int
    tls: bool
    user: str
    password: str
    topic: str
    discovery: str
    ca: Optional[str]


class MqttLink(Link):
    """Sends in its own thread. While the broker is busy or away, only the newest frame waits.

    Args:
        options: its ``publish`` is the address.
        holds, fov: as in ``hotpath.app.links.publish.Publisher``.
        say: function of one line of text for the user.
        live: whether the source is live, so that it is offline where no frame comes.

    Raises:
        BadOutput: another address, no paho-mqtt, or a broker that refuses password or certificate.
    """

    def __init__(
        self,
        options: LinkOptions,
        say: Callable[[str], None],
        holds: Optional[Dict[str, str]] = None,
        fov: Optional[Sequence[float]] = None,
        live: bool = False,
    ) -> None:
        self._live, self._is_away = live, False
        self._written_s = time.monotonic()  # time of the last frame
        self.written = 0
        self._broker = broker_of(options)
        self._address = options.publish
        self._client = _client(self._broker)
        self._client.on_connect = self._answered
        self._client.on_publish = self._confirmed
        self._say, self._holds, self._fov = say, holds, fov
        self._lock = threading.Lock()
        self._newest: Optional[bytes] = None
        self._wake, self._tried, self._closing = (threading.Event() for _ in range(3))
        self._refused = self._said = ""
        self._online = False
        self._states: Any = None
        self.sent = self.taken = self.replaced = 0
        self._lost = 0  # frames of earlier connections that no broker confirmed
        self._asked: Optional[Tuple[int, int]] = None  # a message to confirm, frames before it
        self._asked_s = 0.0
        self.threads = (LinkThread("mqtt", self._work),)
        self.threads[0].start()
        self._tried.wait(ANSWER_S)
        if self._refused:
            self.close()
            raise BadOutput(self._refused, what="refused")

    def write(self, tracked: TrackedFrame) -> None:
        """Leave a frame to the thread, in place of one that waits."""
        data = encoded(tracked, time.monotonic(), time.time(), self._holds, self._fov)
        with self._lock:
            self.replaced += self._newest is not None
            self._newest = data
            self.written += 1
            self._written_s = time.monotonic()
        self._wake.set()

    def lines(self) -> List[str]:
        """How many frames the broker took, how many it did not confirm, and how many were late."""
        more = f"; newer ones replaced {self.replaced}" if self.replaced else ""
        if self.sent > self.taken:
            more = f"; the broker did not confirm {self.sent - self.taken} more" + more
        return [f"published {counted(self.taken, 'frame')} by MQTT{more}"]

    def close(self) -> None:
        """Send what waits, say that the camera is offline, and leave.

        Raises:
            BadOutput: the broker confirmed none of the frames of the run.
        """
        self._closing.set()
        self._wake.set()
        self.threads[0].join(ANSWER_S)
        if self.written and not self.taken:
            raise BadOutput(
                f"--publish {self._address}: nothing was delivered, because the broker confirmed "
                "no frame of this run; is it running at this address?",
                what="not delivered",
            )

    def _work(self) -> None:
        """The thread: hold a connection."""
        while not self._closing.is_set():
            why = self._connection()
            self._online = False
            is_raised = bool(self._refused) and not self._tried.is_set()  # by the constructor
            self._tried.set()
            if why and why != self._said and not is_raised:
                self._said = why
                self._say(why)
            self._closing.wait(RETRY_S)

    def _connection(self) -> str:
        """Connect and send until it ends; returns a sentence that says why it did."""
        client, broker = self._client, self._broker
        self._states, self._refused, self._asked, client.longest = None, "", None, 0
        self._lost = self.sent - self.taken
        try:
            client.connect(broker.host, broker.port, KEEPALIVE_S)
            since_s = time.monotonic()
            while not self._closing.is_set():
                failed = client.loop(0.0)
                if self._refused:
                    return self._refused
                if client.longest > MOST_BYTES:
                    client.disconnect()
                    return (
                        f"--publish {self._address}: the broker sends a packet of {client.longest} "
                        "bytes, though nothing was asked of it; name another broker"
                    )
                if failed:
                    return f"--publish {self._address}: the broker is away; it is tried again"
                if not self._online and time.monotonic() - since_s > SILENT_S:
                    return (
                        f"--publish {self._address}: the broker accepts the connection and does "
                        "not answer; is it one of MQTT? It is tried again"
                    )
                self._wake.wait(0.1)
                self._wake.clear()
                self._send_newest()
                self._look_for_frames()
            self._leave()
        except (OSError, ValueError) as error:  # a wrong host is a ValueError on Python 3.6
            if "certificate" in str(error).lower():
                self._refused = (
                    f"--publish {self._address}: the broker's certificate is refused ({error}); "
                    "name the host as it does, and its authority with ?ca=FILE"
                )
                return self._refused
            return f"--publish {self._address}: no broker ({error}); it is tried again"
        return ""

    def _answered(self, client: Any, data: Any, flags: Any, code: Any, *more: Any) -> None:
        """The broker's answer to a connection; a code is a number, or has one (version 2)."""
        if getattr(code, "value", code):
            self._refused = (
                f"--publish {self._address}: the broker refuses the connection ({code}); give the "
                "user in the address and the password in the variable MQTT_PASSWORD"
            )
            return
        self._online, self._said = True, ""
        self._say_available(not self._is_away)
        if self._broker.discovery:
            topic, message = discovery(self._broker)
            client.publish(topic, json.dumps(message), retain=True)
        self._tried.set()

    def _say_available(self, is_online: bool) -> None:
        word = "online" if is_online else "offline"
        self._client.publish(self._broker.topic + "/availability", word, retain=True)

    def _look_for_frames(self) -> None:
        """Say once that a live source is away; its next frame says that it is back."""
        is_silent = self._live and time.monotonic() - self._written_s > AWAY_S
        if is_silent and self._online and not self._is_away:
            self._is_away = True
            self._say_available(False)

    def _send_newest(self) -> None:
        """Send the frame that waits, unless an earlier one is still on its way."""
        if not self._online or self._client.want_write():
            return
        with self._lock:
            data, self._newest = self._newest, None
        if data is None:
            return
        if self._is_away:
            self._is_away = False
            self._say_available(True)
        targets = json.loads(data.decode("utf-8"))["targets"]
        states = [(target["number"], target["state"]) for target in targets]
        if states != self._states:
            self._states = states
            self._client.publish(self._broker.topic + "/state", data, retain=True)
        self._client.publish(self._broker.topic + "/box", data)
        self.sent += 1
        if self._asked is None and time.monotonic() > self._asked_s + CONFIRM_S:
            self._ask("online")

    def _ask(self, word: str) -> None:
        """Say whether the camera is there, and have it confirmed: it comes behind all frames."""
        topic = self._broker.topic + "/availability"
        asked = self._client.publish(topic, word, qos=1, retain=True)
        self._asked, self._asked_s = (asked.mid, self.sent - self._lost), time.monotonic()

    def _confirmed(self, client: Any, data: Any, mid: int, *more: Any) -> None:
        """The broker took a message and, in their order, all before it."""
        if self._asked is not None and mid == self._asked[0]:
            self.taken, self._asked = self._asked[1], None

    def _leave(self) -> None:
        """End the connection in order, so that the broker does not send the will."""
        self._flush()
        self._send_newest()
        if self._online:
            self._ask("offline")
        self._flush()
        self._client.disconnect()
        self._flush()

    def _flush(self) -> None:
        """Write what the connection holds and wait for what was asked, at most ``FLUSH_S`` long."""
        until = time.monotonic() + FLUSH_S
        while self._client.want_write() or (self._asked and self._online):
            if time.monotonic() > until or self._client.loop(0.1):
                break


def check_options(options: LinkOptions) -> None:
    """Refuse an address that is none, before anything is opened."""
    _client(broker_of(options))


def open_link(context: Context) -> MqttLink:
    """The link of ``--publish mqtt://USER@HOST/PREFIX``."""
    return MqttLink(context.options, context.say, context.holds, context.options.fov, context.live)


def broker_of(options: LinkOptions) -> Broker:
    """The parts of ``LinkOptions.publish``; raises ``BadOutput`` where one is missing or wrong."""
    address = options.publish
    parts = split_address(address)
    prefix, more = unquote(parts.path).strip("/"), dict(parse_qsl(parts.query))
    name = more.get("name") or name_of(options.video)
    wrong = not parts.hostname or not prefix or set(more) - set(KEYS) or set("#+") & set(prefix)
    if wrong or set("#+/") & set(name):
        raise BadOutput(
            f"--publish {address}: not an address; give mqtt://USER@HOST/PREFIX, with "
            f"{', '.join(KEYS)} behind a ?",
            what="not an address",
        )
    if parts.password:
        raise BadOutput(
            f"--publish mqtt: a password in the address can be seen by all; give mqtt://"
            f"{parts.username}@{parts.hostname} and put it into the variable MQTT_PASSWORD",
            what="open password",
        )
    password = os.environ.get("MQTT_PASSWORD", "")
    for key in ("password-file", "ca"):
        try:
            text = read_text(more[key]) if key in more else None
        except (OSError, UnicodeDecodeError) as error:
            raise BadOutput(f"--publish {key}={more[key]}: {why_unread(error)}") from None
        if key == "password-file" and text is not None:
            password = text.strip()
    tls, user = parts.scheme == "mqtts", unquote(parts.username or "")
    port = parts.port or (8883 if tls else 1883)
    topic, asks = f"{prefix}/{name}", more.get("discovery", "")
    return Broker(parts.hostname or "", port, tls, user, password, topic, asks, more.get("ca"))


def name_of(video: str) -> str:
    """A source's name as a part of a topic, without user, password and ending."""
    parts = split_address(video)
    if parts.hostname:
        video = parts.hostname + parts.path
    else:
        video = os.path.splitext(os.path.basename(video.rstrip("/")))[0]
    return re.sub(r"[^\w-]+", "-", video).strip("-") or "camera"


def discovery(broker: Broker) -> Any:
    """(topic, message) by which Home Assistant makes a device of the camera."""
    identity = "hotpath_" + re.sub(r"\W", "_", broker.topic)
    name = broker.topic.split("/")[-1]
    message = {
        "name": "target",
        "unique_id": identity,
        "state_topic": broker.topic + "/state",
        "value_template": SENSOR,
        "json_attributes_topic": broker.topic + "/state",
        "availability_topic": broker.topic + "/availability",
        "device": {"identifiers": [identity], "name": name, "manufacturer": "Hotpath"},
    }
    return f"{broker.discovery}/sensor/{identity}/config", message


def _bounded(base: Any) -> Any:
    """A class of clients that read no packet of more than ``MOST_BYTES``; paho has no limit."""

    class Client(base):
        longest = 0  # bytes of a packet that were asked for

        def _sock_recv(self, size: int) -> bytes:
            self.longest = max(self.longest, size)
            if size > MOST_BYTES:
                raise ConnectionResetError(f"a packet of {size} bytes")
            data: bytes = super()._sock_recv(size)
            return data

    return Client


def _client(broker: Broker) -> Any:
    """A client of paho-mqtt 1 (the last for Python 3.6) or 2, not yet connected."""
    try:
        from paho.mqtt import client as paho
    except ImportError as error:
        why = needs("--publish mqtt:", "paho-mqtt", error, "mqtt")
        raise BadOutput(why, what="missing package") from None
    versions = getattr(paho, "CallbackAPIVersion", None)
    client = _bounded(paho.Client)(*([versions.VERSION2] if versions else []))
    if broker.user:
        client.username_pw_set(broker.user, broker.password or None)
    client.will_set(broker.topic + "/availability", "offline", retain=True)
    if broker.tls:
        try:
            client.tls_set(ca_certs=broker.ca)
        except OSError as error:  # an SSLError is one
            raise BadOutput(f"--publish ca={broker.ca}: no certificate ({error})") from None
    return client
