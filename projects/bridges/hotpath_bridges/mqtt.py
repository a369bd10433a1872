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
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence
from urllib.parse import parse_qsl, unquote

from hotpath.app.links.publish import encode_datagram
from hotpath.base.text import read as read_text
from hotpath.links import (
    Context,
    Link,
    LinkOptions,
    counted,
    needs,
    split_address,
    why_unread,
)
from hotpath.runtime.errors import BadOutput
from hotpath.video.base import TrackedFrame

KEEPALIVE_S = 10
ANSWER_S = 3.0  # how long the start of a run waits for the broker's answer
FLUSH_S = 1.0  # and how long the end waits for what is on its way
RETRY_S = 2
AWAY_S = 5.0  # without a frame, after which a live source is offline
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
    """Sends in paho's thread. While the broker is busy or away, only the newest frame waits.

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
        self._say, self._holds, self._fov, self._live = say, holds, fov, live
        self._broker, self._address = broker_of(options), options.publish
        self._lock = threading.RLock()
        self._newest: Optional[bytes] = None  # the frame that waits
        self._sent: Any = None  # paho's message of the frame before
        self._announced: List[Any] = []  # the first and the newest availability, to be confirmed
        self._available: Optional[str] = None  # what the broker was told since it is there, and
        self._states: Any = None  # of which states
        self._online = self._closing = False
        self._refused = self._said = ""
        self.written = self.sent = self.replaced = 0
        self._written_s = time.monotonic()
        self._answered = threading.Event()
        self._client = client = _client(self._broker, self._update)
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.reconnect_delay_set(RETRY_S, RETRY_S)
        where = self._broker.host, self._broker.port, KEEPALIVE_S
        try:
            client.connect(*where)
        except (OSError, ValueError) as error:  # a wrong host is a ValueError on Python 3.6
            if "certificate" in str(error).lower():
                raise self._error(
                    f"the broker's certificate is refused ({error}); name the host as it does, and "
                    "its authority with ?ca=FILE"
                ) from None
            self._tell(f"no broker ({error}); it is tried again")
            client.connect_async(*where)
            self._answered.set()
        client.loop_start()
        if not self._answered.wait(ANSWER_S):
            self._tell("the broker does not answer; is it one of MQTT? It is tried again")
        if self._refused:
            client.disconnect()
            raise self._error(self._refused)

    def write(self, tracked: TrackedFrame) -> None:
        """Send a frame, or let it wait in place of one that waits."""
        data = encode_datagram(tracked, time.monotonic(), time.time(), self._holds, self._fov)
        with self._lock:
            self.written += 1
            self._written_s = time.monotonic()
            self.replaced += self._newest is not None
            self._newest = data
            self._update()

    def lines(self) -> List[str]:
        """How many frames were sent, and how many were late."""
        more = f"; newer ones replaced {self.replaced}" if self.replaced else ""
        return [f"published {counted(self.sent, 'frame')} by MQTT{more}"]

    def close(self) -> None:
        """Send what waits, say that the camera is offline, and leave.

        Raises:
            BadOutput: the broker confirmed nothing of the run.
        """
        until_s = time.monotonic() + FLUSH_S
        self._wait(until_s, lambda: self._newest is None)
        with self._lock:
            self._closing = True
            self._update()
        self._wait(until_s, lambda: _is_out(self._announced[-1]))
        self._client.disconnect()  # in order, so that the broker does not send the will
        if self.written and not (self.sent and any(map(_is_out, self._announced))):
            raise self._error(
                "nothing was delivered, because the broker confirmed no frame of this run; is it "
                "running at this address?",
                "not delivered",
            )

    def _wait(self, until_s: float, is_done: Callable[[], bool]) -> None:
        while self._online and not is_done() and time.monotonic() < until_s:
            time.sleep(0.01)

    def _error(self, why: str, what: str = "refused") -> BadOutput:
        return BadOutput(f"--publish {self._address}: {why}", what=what)

    def _tell(self, why: str) -> None:
        """Say why nothing is delivered, once until the broker takes something again."""
        if why != self._said and not self._closing:
            self._said = why
            self._say(f"--publish {self._address}: {why}")

    # what paho's thread calls; arguments differ between its versions

    def _connected(self, client: Any, data: Any, flags: Any, code: Any, *_: Any) -> None:
        """The broker's answer to a connection; a code is a number, or has one (version 2)."""
        if getattr(code, "value", code):
            why = f"the broker refuses the connection ({code}); give the user in the address and "
            self._refused = why + "the password in the variable MQTT_PASSWORD"
            if self._answered.is_set():  # else the constructor raises it
                self._tell(self._refused)
        else:
            with self._lock:
                self._online, self._said, self._refused = True, "", ""
                self._available = self._states = self._sent = None
                self._update()
                if self._broker.discovery:
                    topic, message = discovery(self._broker)
                    client.publish(topic, json.dumps(message), retain=True)
        self._answered.set()

    def _disconnected(self, client: Any, *_: Any) -> None:
        with self._lock:
            was_online, self._online = self._online, False
        longest, client.longest = client.longest, 0
        if longest > MOST_BYTES:
            self._tell(
                f"the broker sends a packet of {longest} bytes, though nothing was asked of it; "
                "name another broker"
            )
        elif was_online:
            self._tell("the broker is away; it is tried again")

    def _update(self) -> None:
        """Say whether the camera is there, and send the frame that waits, if the broker is free.

        paho calls it after each message, and once a second.
        """
        with self._lock:
            if not self._online:
                return
            is_away = self._live and time.monotonic() - self._written_s > AWAY_S
            available = "offline" if is_away or self._closing else "online"
            if available != self._available:
                self._available = available
                topic = self._broker.topic + "/availability"
                message = self._client.publish(topic, available, qos=1, retain=True)
                self._announced = self._announced[:1] + [message]
            if self._newest is not None and (self._sent is None or _is_out(self._sent)):
                self._send(self._newest)
                self._newest = None

    def _send(self, data: bytes) -> None:
        targets = json.loads(data.decode("utf-8"))["targets"]
        states = [(target["number"], target["state"]) for target in targets]
        if states != self._states:
            self._states = states
            self._client.publish(self._broker.topic + "/state", data, retain=True)
        self._sent = self._client.publish(self._broker.topic + "/box", data)
        self.sent += 1


def _is_out(message: Any) -> bool:
    """Whether a message was written or, where that was asked for, confirmed."""
    return message.rc == 0 and bool(message.is_published())


def check_options(options: LinkOptions) -> None:
    """Refuse an address that is none, before anything is opened."""
    _client(broker_of(options), lambda: None)


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


def _class_of(base: Any, update: Callable[[], None]) -> Any:
    """A class of clients that read no packet of more than ``MOST_BYTES``; paho has no limit.

    Args:
        update: is called after each message, and once a second, while there is a connection.
    """

    class Client(base):
        longest = 0  # bytes of a packet that were asked for

        def _sock_recv(self, size: int) -> bytes:
            self.longest = max(self.longest, size)
            if size > MOST_BYTES:
                raise ConnectionResetError(f"a packet of {size} bytes")
            data: bytes = super()._sock_recv(size)
            return data

        def loop_misc(self) -> Any:
            update()
            return super().loop_misc()

    return Client


def _client(broker: Broker, update: Callable[[], None]) -> Any:
    """A client of paho-mqtt 1 (the last for Python 3.6) or 2, not yet connected."""
    try:
        from paho.mqtt import client as paho
    except ImportError as error:
        why = needs("--publish mqtt:", "paho-mqtt", error, "mqtt")
        raise BadOutput(why, what="missing package") from None
    versions = getattr(paho, "CallbackAPIVersion", None)
    client = _class_of(paho.Client, update)(*([versions.VERSION2] if versions else []))
    if broker.user:
        client.username_pw_set(broker.user, broker.password or None)
    client.will_set(broker.topic + "/availability", "offline", retain=True)
    if broker.tls:
        try:
            client.tls_set(ca_certs=broker.ca)
        except OSError as error:  # an SSLError is one
            raise BadOutput(f"--publish ca={broker.ca}: no certificate ({error})") from None
    return client
