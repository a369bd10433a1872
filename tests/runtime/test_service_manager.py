"""systemd is told that the run is ready and alive."""

import os
import socket
import time
import types

import pytest

from runtime.service_manager import ServiceManager


def listener(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(path)
    made.settimeout(2)
    return made


def test_ready_alive_and_stopping_are_said(tmp_path, monkeypatch):
    path, now_s = str(tmp_path / "notify"), [100.0]
    clock = types.SimpleNamespace(monotonic=lambda: now_s[0])
    monkeypatch.setattr("runtime.service_manager.time", clock)
    with listener(path) as systemd:
        manager = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        manager.ready("tracking in cam0")
        assert systemd.recv(256) == b"READY=1\nSTATUS=tracking in cam0"
        for _ in range(50):
            manager.alive()
            now_s[0] += 0.011
        manager.stopping()
        said = [systemd.recv(256)]
        while said[-1] != b"STOPPING=1":
            said.append(systemd.recv(256))
        assert said[:-1] == [b"WATCHDOG=1"] * 5  # in 0.55 s: four times as often as is needed


def test_a_name_without_a_file_is_understood():
    name = f"\0hotpath-test-{os.getpid()}"
    with listener(name) as systemd:
        ServiceManager({"NOTIFY_SOCKET": "@" + name[1:]}).ready("x")
        assert systemd.recv(256).startswith(b"READY=1")


def test_without_a_service_manager_nothing_happens(tmp_path):
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "x"}):
        manager = ServiceManager(environment)
        manager.ready("x")
        manager.alive()
        manager.stopping()
        manager.stopping()


def test_a_run_that_is_killed_and_started_again_keeps_its_rows(tmp_path):
    pytest.importorskip("pymavlink")  # with a link, a recording plays at its own speed
    import numpy as np

    from tests.support import tiny
    from tests.support.mavlink_client import Program
    from tests.support.ports import free_port

    noise = np.random.RandomState(0).randint(0, 256, (120, 160, 3)).astype(np.uint8)
    tiny.write_pictures(tmp_path / "frames", [noise] * 30)
    rows, notify = tmp_path / "rows.csv", str(tmp_path / "notify")
    arguments = ["--video", tmp_path / "frames", "--box", "40,40,40,40", "--results", rows]
    arguments += ["--append", "--mavlink", f"udpout:127.0.0.1:{free_port()}"]
    with listener(notify) as systemd:
        systemd.settimeout(60)
        environment = {"NOTIFY_SOCKET": notify, "WATCHDOG_USEC": "1000000"}
        with Program(arguments, tmp_path / "log", environment) as program:
            assert systemd.recv(256).startswith(b"READY=1")
            assert systemd.recv(256) == b"WATCHDOG=1"
            deadline = time.monotonic() + 60
            while rows.read_text().count("\n") < 4 and time.monotonic() < deadline:
                time.sleep(0.01)
            program.process.kill()
            program.process.wait()
        before = rows.read_text()
        with Program(arguments, tmp_path / "log", environment) as program:
            program.process.wait(60)
    after = rows.read_text()
    assert before.count("\n") > 2 and after.startswith(before)
    assert after.count("\n") == before.count("\n") + 30
    assert after.count("frame,") == 1  # one header
