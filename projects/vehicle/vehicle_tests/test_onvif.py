"""A PTZ camera of the network follows the target, and its faults hold nobody."""

import contextlib
import os
import re
import socket
import threading
import time
from xml.etree import ElementTree

import numpy as np
import pytest

from hotpath.app.cli.open_links import check_links
from hotpath.app.cli.option_parser import parse, records_of
from hotpath.app.links.base import Context
from hotpath.app.option_records import LinkOptions
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.types import Box, Track
from hotpath.video.base import TrackedFrame
from hotpath_vehicle import onvif as product
from hotpath_vehicle.onvif import OnvifCamera, PtzLink, open_link
from hotpath_vehicle.plug import GimbalOptions
from hotpath_vehicle.ptz import Follower, make_aim
from tests.support.errors import refusal
from vehicle_tests.support.onvif_camera import GENERIC, SIZE, FakeOnvifCamera, part

LOGIN = ("eye", "of:<needle>")
SHAPE = (SIZE[1], SIZE[0], 3)
RNG = np.random.RandomState(1)
PAUSE_S = 0.01  # between two commands
BOMB = "<!DOCTYPE a [<!ENTITY b 'c'>]><a><PTZ><XAddr>&b;</XAddr></PTZ></a>"
RIGHT_UP = Track(Box(250, 20, 20, 20), 0.9)


@pytest.fixture
def camera():
    with contextlib.closing(FakeOnvifCamera(LOGIN)) as camera:
        yield camera


@pytest.fixture
def link(camera):
    with contextlib.closing(opened(camera)) as link:
        yield link


def opened(camera):
    messages = []
    follower = Follower(make_aim((60.0,), SIZE, None), messages.append)
    link = PtzLink(OnvifCamera(address(camera), LOGIN), follower, messages.append, PAUSE_S)
    link.messages = messages
    return link


def address(camera, user="eye@"):
    return f"onvif://{user}127.0.0.1:{camera.port}"


def tracked(track):
    """A frame of now, with another picture than the last one."""
    frame = RNG.randint(0, 256, SHAPE).astype(np.uint8)
    return TrackedFrame(frame, 0, None, {} if track is None else {0: track}, time.monotonic())


def show_until(link, track, condition):
    """Show frames of a live source until a condition holds; fails after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        link.write(tracked(track))
        time.sleep(0.005)


def read_by_wsdl(request):
    """The values of a request, read by zeep with ONVIF's own WSDL."""
    onvif = pytest.importorskip("onvif")
    from lxml import etree
    from zeep import Client

    service, _, name = request.tag[1:].partition("}")
    wsdl = {"device": "devicemgmt", "media": "media", "ptz": "ptz"}[service.split("/")[-2]]
    client = Client(os.path.join(os.path.dirname(onvif.__file__), "../wsdl", wsdl + ".wsdl"))
    (binding,) = client.wsdl.bindings.values()
    message = binding.get(name).input
    element = etree.fromstring(ElementTree.tostring(request))
    values = message.body.parse(element, client.wsdl.types)
    again = message.serialize(**{key: values[key] for key in values or ()}).content
    return values, element, part(again, "Body")[0]


def test_every_request_is_what_onvifs_wsdl_asks_for(camera):
    ours = OnvifCamera(address(camera), LOGIN)
    ours.move(lambda: (0.5, -0.25))
    ours.move(lambda: (0.0, 0.0))
    assert len(camera.asked) == 6
    for request in camera.asked:
        values, sent, again = read_by_wsdl(request)
        assert [e.tag for e in sent.iter()] == [e.tag for e in again.iter()]  # nothing is left over
        if sent.tag.endswith("ContinuousMove"):
            turn = values["Velocity"]["PanTilt"]
            # a share of the camera's own range: up and down it is a half
            assert (turn["x"], turn["y"], values["Velocity"]["Zoom"]) == (0.5, -0.125, None)
            assert values["Timeout"].total_seconds() == 1


@pytest.mark.parametrize(
    "gone, why",
    [
        ("lost", "the target is lost"),
        ("silent", "no new picture"),
        ("frozen", "the picture stands still"),
    ],
)
def test_without_fresh_evidence_the_camera_stops_and_it_is_said(camera, link, gone, why):
    show_until(link, RIGHT_UP, lambda: min(camera.velocity) > 0.02)
    same = tracked(RIGHT_UP).frame
    track = RIGHT_UP._replace(lost=True, state="lost") if gone == "lost" else RIGHT_UP
    deadline = time.monotonic() + 60
    while not (camera.names()[-1] == "Stop" and link.messages[1:]):
        assert time.monotonic() < deadline
        if gone != "silent":
            shown = tracked(track)
            link.write(shown._replace(frame=same) if gone == "frozen" else shown)
        time.sleep(0.005)
    assert link.messages[1:] == [f"camera holds: {why}"]


def test_a_slow_camera_holds_no_frame_and_gets_the_newest(camera, link):
    camera.may_answer.clear()
    for n in range(200):  # the camera answers none of them
        link.write(tracked(RIGHT_UP._replace(box=Box(n, 20, 20, 20))))
    assert camera.velocity == (0.0, 0.0)
    began = time.monotonic()
    camera.may_answer.set()
    show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0.02)
    most = 2 + (time.monotonic() - began) / PAUSE_S  # on a busy computer, too
    assert camera.names().count("ContinuousMove") <= most


def test_a_camera_that_goes_is_told_once_and_taken_up_again(camera, monkeypatch):
    monkeypatch.setattr(product, "RETRY_S", 0.05)
    link, port = opened(camera), camera.port
    show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0)
    assert link.messages == ["camera goes slowly: it has no calibration"]
    told = link.messages
    del told[:]
    camera.close()  # a request may be under way, and fail at once
    show_until(link, RIGHT_UP, lambda: link.failed >= 3)
    assert len(told) == 1 and "no answer to ContinuousMove" in told[0] and "trying again" in told[0]
    back = FakeOnvifCamera(LOGIN, port=port)
    show_until(link, RIGHT_UP, lambda: back.velocity[0])
    link.close()
    assert told[1].endswith("answers again") and len(told) == 2
    assert back.names()[-3:] == ["Stop"] * 3
    assert f"{link.failed} failed" in link.lines()[0]
    back.close()


CLOCKS = {  # name: (seconds by which the camera's clock is set, and ours)
    "the camera's, to some year": (-26 * 365 * 86400, 0),
    "the camera's drifts": (70, 0),
    "ours, by NTP": (0, 200 * 86400),
    "both": (-86400, 200 * 86400),
}


@pytest.mark.parametrize("theirs_s, ours_s", CLOCKS.values(), ids=CLOCKS)
def test_a_camera_is_turned_after_a_clock_was_set(camera, link, theirs_s, ours_s, monkeypatch):
    show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0)
    camera.ahead_s += theirs_s
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + ours_s)
    done = link.done
    show_until(link, RIGHT_UP, lambda: link.done > done + 5)
    assert not link.failed and camera.refused_logins <= 1


@pytest.mark.parametrize("zones_s", [(-7200, 0, 0), (-7200, 7200, 0), (28800, 28800, 0)])
@pytest.mark.parametrize("login", [LOGIN, ("eye", "wrong")], ids=["right", "wrong"])
def test_a_camera_checks_tokens_by_another_clock_than_it_tells(zones_s, login):
    with contextlib.closing(FakeOnvifCamera(LOGIN, zones_s=zones_s)) as camera:
        with refusal(BadOutput, "wrong login") if login != LOGIN else contextlib.ExitStack():
            ours = OnvifCamera(address(camera), login)
            assert ours.move(lambda: (0.5, 0.0)) == (0.5, 0.0)
        assert camera.refused_logins == len(set(zones_s)) - (login == LOGIN)


@pytest.mark.parametrize("digest", [False, True], ids=["token", "digest"])
def test_a_password_that_was_changed_is_tried_once_a_minute(camera, digest):
    camera.digest = digest
    link = opened(camera)
    show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0)
    camera.login = ("eye", "changed")
    show_until(link, RIGHT_UP, lambda: link.failed)
    time.sleep(1.5)  # longer than after another failure
    assert camera.refused_logins == 1 and link.failed == 1
    assert "refuses the user" in link.messages[-1] and "again in 60 s" in link.messages[-1]
    with refusal(BadOutput, "no stop"):
        link.close()
    assert camera.refused_logins == 2  # one stop


def test_after_a_refused_login_the_camera_is_taken_up_again(camera, monkeypatch):
    monkeypatch.setattr(product, "LOGIN_RETRY_S", 0.1)
    link = opened(camera)
    show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0)
    camera.login = ("eye", "changed")
    show_until(link, RIGHT_UP, lambda: link.failed >= 2)
    camera.login, done = LOGIN, link.done
    show_until(link, RIGHT_UP, lambda: link.done > done + 2)
    link.close()
    assert any(text.endswith("answers again") for text in link.messages)


@pytest.mark.parametrize("fault", ["refuses", "hangs", "hung before"])
@pytest.mark.parametrize("timeout", ["PT1S", None])
def test_a_camera_that_answers_no_stop_is_told_before_the_run_is_killed(timeout, fault):
    with contextlib.closing(FakeOnvifCamera(LOGIN, timeout=timeout)) as camera:
        link = opened(camera)
        show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0)
        camera.refuses = {"Stop": "Motor & gear"} if fault == "refuses" else {}
        if fault != "refuses":
            camera.may_answer.clear()
        if fault == "hung before":
            time.sleep(0.2)  # a command is under way
        began = time.monotonic()
        with refusal(BadOutput, "no stop") as caught:
            link.close()
        assert time.monotonic() - began < 10.0 and link.failed >= 3
        camera.may_answer.set()
    for words in (str(caught.value), link.messages[-1]):
        assert ("it stops by itself" in words) == (timeout is not None)
        assert ("switch it off" in words) == (timeout is None)
    assert "Motor & gear; " in link.messages[-1] or fault != "refuses"


def says(body):
    return dict(answer=lambda *_: (200, body, []))


REFUSED = {  # name: (what is changed of the camera, login, what is wrong)
    "a wrong password": ({}, ("eye", "wrong"), "wrong login"),
    "a wrong password, by digest": (dict(digest=True), ("eye", "wrong"), "wrong login"),
    "no password": ({}, ("", ""), "wrong login"),
    "no PTZ": (dict(has_ptz=False), LOGIN, "no PTZ"),
    "no turn": (dict(turns=()), LOGIN, "fixed"),
    "a page": (says("<html>"), LOGIN, "no camera"),
    "XML of another kind": (says("<a/>"), LOGIN, "no PTZ"),
    "half an answer": (says("<a><UTCDateTime/></a>"), LOGIN, "wrong answer"),
    "entities, which can fill a memory": (says(BOMB), LOGIN, "no camera"),
    "the same in UTF-16": (says(BOMB.encode("utf-16")), LOGIN, "no camera"),
}


@pytest.mark.parametrize("changed, login, what", REFUSED.values(), ids=REFUSED)
def test_a_camera_that_can_not_be_used_is_refused(camera, changed, login, what):
    vars(camera).update(changed)
    with refusal(BadOutput, what):
        OnvifCamera(address(camera, ""), login)


def test_http_digest_lets_in_and_no_proxy_is_between(camera, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    camera.digest = True
    OnvifCamera(address(camera), LOGIN).move(lambda: (0.5, 0.0))
    assert camera.velocity[0] == 0.5


def test_a_camera_sends_us_to_no_other_host(camera, monkeypatch):
    other = FakeOnvifCamera()
    there = [("Location", f"http://127.0.0.1:{other.port}/onvif/device_service")]
    monkeypatch.setattr(camera, "answer", lambda *_: (302, "", there))
    with refusal(BadOutput, "refused"):
        OnvifCamera(address(camera), LOGIN)
    other.close()


@pytest.mark.parametrize("start", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nX-Slow: "])
def test_an_answer_that_drips_is_none(monkeypatch, start):
    monkeypatch.setattr(product, "ANSWER_S", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=_drip, args=(server, start), daemon=True).start()
        with refusal(BadOutput, "no answer"):
            OnvifCamera(f"onvif://127.0.0.1:{server.getsockname()[1]}", ("", ""))


def _drip(server, start):
    client, _ = server.accept()
    client.recv(65536)
    client.sendall(start)
    with contextlib.suppress(OSError):
        while True:
            client.sendall(b" ")
            time.sleep(0.02)
    client.close()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("onvif://eye:secret@host", "not an address"),
        ("onvif://host:port", "not an address"),
        ("onvif://[::1", "not an address"),
        ("onvif://ear@host", "no password"),
        ("onvif://127.0.0.1:1", "no answer"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(given, what):
    with refusal(BadOutput, what) as caught:
        OnvifCamera(given, LOGIN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (["--gimbal", "file.toml"], "needs a vehicle"),
        (["--gimbal-login", "login"], "needs a camera"),
        ('mavlink-type = "camera"', "needs a vehicle"),
        (["--mavlink-key", "key"], "needs a vehicle"),
        (["--mavlink-allow", "10.0.0.5"], "needs a vehicle"),
    ],
)
def test_what_is_not_of_this_camera_is_refused(given, what, tmp_path):
    if isinstance(given, str):
        (tmp_path / "run.toml").write_text(given)
        given = ["--config", str(tmp_path / "run.toml")]
    check_links(records_of(parse(["--video", "x", "--gimbal", "onvif://host"]), print).links)
    links = records_of(parse(["--video", "x", *given]), print).links
    with refusal(BadOutput, what):
        check_links(links)


@pytest.mark.parametrize("rest_from", [99, 1], ids=["goes on", "ends at once"])
@pytest.mark.parametrize("how", ["token", "digest", "clock set"])
def test_each_form_of_a_command_has_the_newest_velocity(how, rest_from):
    """A camera that refuses forms may do so slowly."""
    given, camera = [], FakeOnvifCamera(LOGIN, timeout=None, digest=how == "digest")
    with contextlib.closing(camera):
        ours = OnvifCamera(address(camera), LOGIN)
        camera.ahead_s += 3600 * (how == "clock set")
        received = []
        refused = camera.answer

        def answer(path, data, headers):
            if b"ContinuousMove" in data:
                received.append(float(re.search(rb'PanTilt[^>]* x="([^"]*)"', data).group(1)))
                assert received[-1] == given[-1], "an older velocity"
            return refused(path, data, headers)

        def newest():
            given.append(round(0.1 + 0.01 * len(given), 2) if len(given) < rest_from else 0.0)
            return given[-1], 0.0

        camera.answer = answer
        assert ours.move(newest)[0] == given[-1]
        assert camera.names()[-1] == ("ContinuousMove" if rest_from == 99 else "Stop")
        assert len(received) == (len(given) if rest_from == 99 else rest_from)
        assert len(given) >= (2 if rest_from == 99 else rest_from + 1)


@pytest.mark.parametrize("timeout", ["PT5S", "PT0M2.5S", "P0DT0H0M7S", None])
def test_a_camera_turns_within_its_own_limits(timeout):
    with contextlib.closing(FakeOnvifCamera(LOGIN, timeout=timeout)) as camera:
        link = opened(camera)
        with contextlib.closing(link):
            show_until(link, RIGHT_UP, lambda: min(camera.velocity) > 0)
            time.sleep(0.3)
        assert link.failed == 0 and camera.velocity == (0, 0)
        told = [text for text in link.messages if "no timeout" in text]
        assert len(told) == (timeout is None)


DEGREES, FOV = "VelocitySpaceDegrees", "VelocitySpaceFOV"
LISTS = [
    [(DEGREES, 180, 90), (GENERIC, 1, 1)],
    [(FOV, 100, 100), (DEGREES, 60, 60), (GENERIC, 0.5, 0.5)],
    [(DEGREES, 90, 90)],
]
WISH = (0.1, -0.05)


@pytest.mark.parametrize("turns", LISTS)
def test_a_camera_turns_as_fast_as_it_was_asked_in_whatever_order_it_lists_its_spaces(turns):
    with contextlib.closing(FakeOnvifCamera(LOGIN, turns=turns)) as camera:
        OnvifCamera(address(camera), LOGIN).move(lambda: WISH)
        assert camera.velocity == pytest.approx(WISH, abs=0.001)
        uri = part(camera.asked[-1], "PanTilt").get("space", "")
        assert uri.endswith(GENERIC if len(turns) > 1 else "")


@pytest.mark.parametrize("turns, moves", [([(GENERIC, 1, 1)], True), (LISTS[0], False)])
def test_a_velocity_without_a_uri_goes_only_to_a_camera_with_one_space(turns, moves):
    with contextlib.closing(FakeOnvifCamera(LOGIN, turns=turns, takes_uris=False)) as camera:
        refused = contextlib.ExitStack() if moves else refusal(BadOutput, "refused")
        with refused:
            OnvifCamera(address(camera), LOGIN).move(lambda: WISH)
        assert (camera.velocity == pytest.approx(WISH, abs=0.001)) == moves


@pytest.mark.parametrize("timeout, seconds", [("PT600S", 1), ("PT5S", 5), ("PT1S", 1)])
def test_a_link_of_the_options_stops_by_itself_if_we_crash(timeout, seconds):
    """After a second, or the camera's least time; a timeout of minutes is not used."""
    messages = []
    with contextlib.closing(FakeOnvifCamera(timeout=timeout)) as camera:
        options = LinkOptions(others=(GimbalOptions(address(camera, "")),))
        link = open_link(Context(options, None, None, SIZE, "", messages.append))
        if timeout != "PT600S":  # which refuses a second
            show_until(link, RIGHT_UP, lambda: camera.velocity[0] > 0)
            moves = [asked for asked in camera.asked if asked.tag.endswith("ContinuousMove")]
            assert part(moves[-1], "Timeout").text == timeout
        link.close()
    assert link._camera.timeout_s == seconds
    assert any(f"after {seconds} s" in text for text in messages) == (seconds > 1)


def test_a_refusal_of_every_form_is_said_once(camera, link):
    camera.refuses = {"ContinuousMove": "not now"}
    ends = time.monotonic() + 3.5
    while time.monotonic() < ends:
        link.write(tracked(RIGHT_UP if int(time.monotonic() * 2) % 2 else None))
        time.sleep(0.02)
    assert len([text for text in link.messages if "not now" in text]) == 1, link.messages
