"""Runs that serve the page, as processes of their own, and a browser that opens it."""

import contextlib
import csv
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import cv2

from tests.support import tiny
from tests.support.needs import why_no_module, why_no_program
from tests.support.streams.process import ROOT

# options for Debian's Chromium: it runs as root and makes no connections of its own
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage"
).split()


def write_world(folder, frames=400, **film):
    """The tiny network and its film as pictures in ``folder``; returns the true boxes."""
    tiny.write_network(folder)
    pictures, boxes = tiny.film(frames, **film)
    (folder / "frames").mkdir()
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "frames" / f"{index:04d}.jpg"), picture)
    return boxes


class PagedRun:
    """``hotpath track --page`` on a source."""

    def __init__(self, folder, source, *options, port=0, network=None):
        self.folder = pathlib.Path(str(folder))
        self.out = self.folder / "out.csv"
        self._errors = self.folder / "words.txt"
        network = network or self.folder / "tiny.toml"
        command = [sys.executable, "-m", "hotpath", "track", "--network", network]
        command += ["--video", source, "--results", self.out, "--page", "--page-port", port]
        command = [str(word) for word in (*command, *options)]
        with open(str(self._errors), "wb") as errors:
            self.process = subprocess.Popen(command, stderr=errors, cwd=str(ROOT))
        deadline = time.monotonic() + 60
        found = None
        while not found:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(self.words())
            time.sleep(0.02)
            found = re.search(r"page: (http://\S+)\s", self.words())
        self.link = found.group(1)
        self.address = re.match(r"http://[^/]+", self.link).group()
        self.token = self.link.split("token=")[1]
        self.bearer = {"Authorization": "Bearer " + self.token}  # of whoever was not told others
        self.port = int(self.address.rsplit(":", 1)[1])
        while self.ask("/api/state")[0] == 503:  # no frame has come yet
            time.sleep(0.05)

    def words(self):
        """The text that it has printed so far."""
        return self._errors.read_text()

    def ask(self, path, body=None, method=None, **headers):
        """One HTTP request; returns (status, headers, JSON or bytes)."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (
            headers if "Cookie" in headers else dict(self.bearer, **headers)
        ).items():
            request.add_header(name.replace("_", "-"), value)
        try:
            answer = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read()
            if content and answer.headers.get_content_type() == "application/json":
                content = json.loads(content.decode("utf-8"))
            return answer.getcode(), answer.headers, content

    def state(self):
        """The state that the page would show now."""
        return self.ask("/api/state")[2]

    def wait_for(self, what, limit_s=60.0):
        """Wait until ``what(state)`` holds; returns the state."""
        deadline = time.monotonic() + limit_s
        while True:
            state = self.state()
            if what(state):
                return state
            assert time.monotonic() < deadline, state
            assert self.process.poll() is None, self.words()
            time.sleep(0.05)

    def rows(self):
        """The rows written so far, whole lines only."""
        lines = self.out.read_text().splitlines(True) if self.out.exists() else []
        return list(csv.DictReader([line for line in lines if line.endswith("\n")]))

    def boxes(self, target):
        """dict of frame -> (x, y, w, h) of one target."""
        return {
            int(row["frame"]): [float(row[key]) for key in "xywh"]
            for row in self.rows()
            if int(row["target"]) == target
        }

    def wait(self, limit_s=60.0):
        """Wait until the run ends; return its exit code."""
        return self.process.wait(limit_s)

    def kill(self):
        """Send SIGKILL."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def no_browser():
    """Why tests can't use a browser here, or ""."""
    return why_no_module("playwright") or why_no_program("chromium")


@contextlib.contextmanager
def browser():
    """Playwright's headless Chromium, the system's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, timeout=120000
        )
        try:
            yield started
        finally:
            started.close()


def drag(page, box, touch=False):
    """Draw a box, given in frame pixels, over the picture with the mouse or a finger."""
    place = page.locator("#overlay").bounding_box()
    size = page.evaluate("fetch('/api/state').then((a) => a.json()).then((s) => s.size)")
    scale = min(place["width"] / size[0], place["height"] / size[1])
    x0 = place["x"] + (place["width"] - size[0] * scale) / 2 + box[0] * scale
    y0 = place["y"] + (place["height"] - size[1] * scale) / 2 + box[1] * scale
    path = [(x0 + share * box[2] * scale, y0 + share * box[3] * scale) for share in (0, 0.5, 1)]
    if touch:  # by Chromium's own input events
        send = page.context.new_cdp_session(page).send
        for kind, (x, y) in zip(("touchStart", "touchMove", "touchMove"), path):
            send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        return
    page.mouse.move(*path[0])
    page.mouse.down()
    for at in path[1:]:
        page.mouse.move(*at)
    page.mouse.up()
