"""The page's HTTP interface on real runs: choose, choose anew, pause, stop."""

import asyncio
import contextlib
import http.client
import json

import cv2
import numpy as np
import pytest

from hotpath.app.report.thumbnails import cut
from hotpath.runtime.frames.boxes import overlap
from tests.support import pages
from tests.support.streams.mjpeg import MjpegServer

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("onnxruntime")

from hotpath.app.links.page import server  # noqa: E402  (after the check for aiohttp)
from hotpath.app.links.page.api import LARGEST_INDEX, Api  # noqa: E402

on_each_python = pytest.mark.pythons("aiohttp and asyncio of each Python")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the tiny network, a film of two squares, and the first one's true boxes."""
    folder = tmp_path_factory.mktemp("page")
    boxes = pages.write_world(folder)
    return folder, boxes


@pytest.fixture(scope="module")
def shared(world):
    """A run on the film that waits for a target, which no test selects."""
    with pages.PagedRun(world[0], world[0] / "frames") as run:
        yield run


@pytest.fixture
def run(world, tmp_path):
    with pages.PagedRun(tmp_path, world[0] / "frames", network=world[0] / "tiny.toml") as run:
        yield run


def choose(run, frame, box, replace=None):
    status, _, answer = run.ask("/api/targets", {"frame": frame, "box": box, "replace": replace})
    assert status == 201, answer
    return answer["number"]


def pause(run, paused):
    assert run.ask("/api/pause", {"paused": paused})[0] == 204


@on_each_python
def test_a_recording_waits_for_a_target_and_omits_no_frame(world, run):
    state = run.state()
    assert (state["frame"], state["waiting"], state["targets"]) == (0, "target", [])
    before = len(run.rows())
    number = choose(run, 0, world[1][0])
    run.wait_for(lambda state: state["frame"] > 5)
    pause(run, True)
    stood = run.state()["frame"]
    assert run.wait_for(lambda state: state["paused"])["frame"] == stood
    assert run.state()["frame"] == stood
    pause(run, False)
    run.wait_for(lambda state: state["frame"] > max(20, stood + 3))
    boxes = run.boxes(number)
    assert sorted(boxes) == list(range(len(boxes)))
    assert boxes[0] == list(world[1][0])
    assert int(run.rows()[before]["target"]) == number  # nothing was written before
    assert np.mean([overlap(boxes[n], np.array(world[1][n])) for n in boxes]) > 0.4


def test_a_target_of_an_earlier_frame_starts_there(world, run):
    pause(run, False)
    run.wait_for(lambda state: state["frame"] > 30)
    pause(run, True)
    now = run.state()["frame"]
    number = choose(run, now - 20, world[1][now - 20])
    boxes = run.boxes(number)
    assert min(boxes) == now - 20 and max(boxes) == now
    assert run.state()["targets"][0]["number"] == number
    assert overlap(run.state()["targets"][0]["box"], np.array(world[1][now])) > 0.4


def test_choosing_anew_ends_the_old_target(world, run):
    pause(run, True)
    first = choose(run, 0, [10, 10, 30, 30])
    second = choose(run, 0, world[1][0], replace=first)
    third = choose(run, 0, [200, 150, 30, 30])
    assert [t["number"] for t in run.state()["targets"]] == [second, third]
    pause(run, False)
    run.wait_for(lambda state: state["frame"] > 5)
    assert list(run.boxes(first)) == [0]
    assert len(run.boxes(second)) > 4 and len(run.boxes(third)) > 4
    assert run.ask(f"/api/targets/{third}", method="DELETE")[0] == 204
    assert run.ask(f"/api/targets/{third}", method="DELETE")[0] == 404
    assert run.ask("/api/targets/%C2%B2", method="DELETE")[0] == 404  # a digit that is no number
    assert [t["number"] for t in run.state()["targets"]] == [second]
    pause(run, True)
    frame = run.state()["frame"]
    for index in range(7):
        choose(run, frame, [10 * index, 10, 30, 30])
    assert run.ask("/api/targets", {"frame": frame, "box": [5, 5, 30, 30]})[0] == 409  # eight


def test_a_target_stays_shown_as_it_was_selected(world, run):
    pause(run, True)
    box = world[1][0]
    number = choose(run, 0, box)

    def picture():
        status, headers, jpeg = run.ask(f"/api/targets/{number}/selected")
        return jpeg if status == 200 and headers.get_content_type() == "image/jpeg" else None

    run.wait_for(lambda state: picture() is not None)
    first = picture()
    frame = cv2.imread(str(world[0] / "frames" / "0000.jpg"))
    assert first == cut(frame, box, server.SELECTED_PX)
    pause(run, False)
    run.wait_for(lambda state: state["frame"] > 20)  # the target has moved on
    assert picture() == first
    assert run.ask(f"/api/targets/{number}", method="DELETE")[0] == 204
    run.wait_for(lambda state: not state["targets"] and picture() is None)
    number = choose(run, 0, box)  # on a picture of before
    run.wait_for(lambda state: picture() is not None)
    assert picture() == first


def test_a_stop_ends_the_run_as_ctrl_c_does(world, run):
    choose(run, 0, world[1][0])
    run.wait_for(lambda state: state["frame"] > 10)
    assert run.ask("/api/stop", {"stop": True})[0] == 202
    assert run.wait() == 0
    assert "wrote" in run.words() and "Traceback" not in run.words()


def test_a_run_without_a_target_ends_and_states_no_speed(run):
    run.ask("/api/pause", {"paused": False})
    run.wait_for(lambda state: state["frame"] > 5)
    run.ask("/api/stop", {"stop": True})
    assert run.wait() == 0
    assert "no target was tracked" in run.words()
    assert "waiting for a target: select one on the page, or end this run with" in run.words()
    for word in ("FPS;", "mean score", "Traceback", "Warning"):
        assert word not in run.words()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "hotpath_{port}=wrong"}],
)
def test_each_request_needs_the_token(shared, headers):
    operations = [(route.method, route.path) for route in Api(*[None] * 3).routes()]
    assert ("POST", "/api/stop") in operations
    headers = {name: value.format(port=shared.port) for name, value in headers.items()}
    for method, path in operations:
        connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path.replace("{number}", "0"), headers=headers)
            answer = connection.getresponse()
            assert answer.status == 401 and json.loads(answer.read())["error"], (method, path)
    assert shared.process.poll() is None


def with_box(status, *boxes):
    return [(b'{"frame": 0, "box": %s}' % box.encode(), status) for box in boxes]


@pytest.mark.parametrize(
    "body, status",
    [
        *with_box(400, "[NaN, 0, 20, 20]", "[0, 0, Infinity, 20]", "[0, 0, 1e999, 20]"),
        *with_box(400, "[1e300, 0, 20, 20]", "[0, 0, 20]", "[0, 0, 20, true]", '"0,0,20,20"'),
        *with_box(422, "[0, 0, -20, 20]", "[0, 0, 0, 20]", "[900000, 0, 20, 20]"),
        *with_box(422, "[0, 0, 900000, 20]", "[0, 0, 1, 1]"),
        (b'{"frame": -1, "box": [0, 0, 20, 20]}', 400),
        (b'{"frame": 0.5, "box": [0, 0, 20, 20]}', 400),
        (b'{"frame": 7, "box": [0, 0, 20, 20]}', 410),
        (b'{"frame": 7, "box": [0, 0, 4, 3]}', 422),  # whatever the frame
        (b'{"frame": 0, "box": [0, 0, 20, 20], "replace": 9}', 404),
        (b'{"frame": 0, "box": [0, 0, 20, 20], "file": "/etc/passwd"}', 400),
        (b'{"frame": 0}', 400),
        (b'{"frame": %d, "box": [0, 0, 20, 20]}' % (LARGEST_INDEX + 1), 400),
        *[(body, 400) for body in (b"[]", b"{", b"\xff\xfe", b"[" * 2000)],
        (b'{"frame": 0, "box": [0, 0, 20, 20]' + b" " * 3000 + b"}", 413),
    ],
)
def test_what_no_target_can_be_is_refused_and_changes_nothing(shared, body, status):
    answer = shared.ask("/api/targets", body)
    assert answer[0] == status, answer[2]
    assert answer[2]["error"]
    state = shared.state()
    assert (state["frame"], state["targets"]) == (0, [])


def test_a_live_stream_runs_and_waits_for_a_target(world, tmp_path):
    with MjpegServer(str(world[0] / "frames"), fps=20) as sender:
        with pages.PagedRun(tmp_path, sender.address, network=world[0] / "tiny.toml") as run:
            state = run.wait_for(lambda state: state["frame"] > 5)
            assert state["live"] and not state["paused"] and state["targets"] == []
            assert run.ask("/api/pause", {"paused": True})[0] == 409
            choose(run, state["frame"], world[1][0])
            run.wait_for(lambda _: len(run.rows()) > 10)
            sender.kill()
            run.wait_for(lambda state: state["waiting"] == "frames")
            assert run.ask("/api/stop", {"stop": True})[0] == 202
            assert run.wait() == 0


@on_each_python
def test_the_socket_gives_each_picture_after_its_state(world, run):
    async def watch():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(run.address + "/ws", headers=run.bearer) as socket:
                states = {}
                seen = []
                told = 0
                while told < 5:  # a run that stands still goes on talking: silence means a loss
                    message = await asyncio.wait_for(socket.receive(), 4)
                    told += message.type == aiohttp.WSMsgType.TEXT
                    if message.type == aiohttp.WSMsgType.BINARY:
                        await socket.send_str(json.dumps({"seen": 0}))
                loop = asyncio.get_event_loop()
                await loop.run_in_executor(None, choose, run, 0, world[1][0])
                while len(seen) < 7:
                    message = await asyncio.wait_for(socket.receive(), 20)
                    if message.type == aiohttp.WSMsgType.TEXT:
                        state = json.loads(message.data)
                        states[state["frame"]] = state
                        continue
                    index = int.from_bytes(message.data[:8], "big")
                    assert index in states
                    assert message.data[8:10] == b"\xff\xd8"
                    seen.append(index)
                    if len(seen) < 6:
                        await socket.send_str(json.dumps({"seen": index}))
                # two pictures are in flight, and neither was acknowledged
                pictures = 0
                with pytest.raises(asyncio.TimeoutError):
                    while True:
                        message = await asyncio.wait_for(socket.receive(), 1.5)
                        pictures += message.type == aiohttp.WSMsgType.BINARY
                assert seen == sorted(seen)
                assert pictures == 0
                await socket.send_str(json.dumps({"seen": seen[-1]}))
                message = await asyncio.wait_for(socket.receive(), 10)
                assert json.loads(message.data)["frame"] > seen[-1] + 2, "the newest, not the next"

    asyncio.get_event_loop_policy().new_event_loop().run_until_complete(watch())


def test_without_a_target_older_files_stay(world, tmp_path):
    pytest.importorskip("av")
    report, video = tmp_path / "run.html", tmp_path / "run.mp4"
    older = [tmp_path / "out.csv", report, video]
    for path in older:
        path.write_text("an older run")
    options = ["--report", report, "--save", video]
    frames, network = world[0] / "frames", world[0] / "tiny.toml"
    with pages.PagedRun(tmp_path, frames, *options, network=network) as run:
        run.ask("/api/stop", {"stop": True})
        assert run.wait() == 0
        assert [path.read_text() for path in older] == ["an older run"] * 3
        for path in (report, video):
            assert f"{path}: no target was tracked, so the older file stays" in run.words()
    with pages.PagedRun(tmp_path, frames, *options, network=network) as run:
        choose(run, 0, world[1][0])
        run.wait_for(lambda state: state["frame"] > 5)
        run.ask("/api/stop", {"stop": True})
        assert run.wait() == 0
    assert "<html" in report.read_text() and video.stat().st_size > 1000
