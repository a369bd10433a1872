"""systemd is told that the run is ready and alive."""

import os
import socket
import types

from hotpath.app.service_manager import ServiceManager


def listener(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(path)
    made.settimeout(60)
    return made


def test_ready_alive_and_stopping_are_said(tmp_path, monkeypatch):
    path, now_s = str(tmp_path / "notify"), [100.0]
    clock = types.SimpleNamespace(monotonic=lambda: now_s[0])
    monkeypatch.setattr("hotpath.app.service_manager.time", clock)
    with listener(path) as systemd:
        manager = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        manager.ready("tracking in cam0")
        assert systemd.recv(256) == b"READY=1\nSTATUS=tracking in cam0"
        for _ in range(50):
            manager.alive()
            now_s[0] += 0.011
        manager.stopping()
        messages = [systemd.recv(256)]
        while messages[-1] != b"STOPPING=1":
            messages.append(systemd.recv(256))
        assert messages[:-1] == [b"WATCHDOG=1"] * 5  # in 0.55 s: four times as often as is needed


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
