"""python -m tests.fps.page: measure what the page costs the tracker, and its latency.

    python -m tests.fps.page --network nanotrack_v2 --networks-dir DIR [--browser] [--minutes 10]

Runs the command line on a source that always has a frame, with 0, 1 and 5 browsers' worth of
sockets in turn, one of the five stopped (SIGSTOP). A socket is a process that reads pictures and
says that it has seen them. On a busy machine frames per second tell little: the processor time of
the frame loop's own thread per frame is given too, which others' work does not change.

With --browser, headless Chromium shows the page of a 30 FPS source with the time painted into its
frames, and reads it back from the canvas. With --minutes, memory is watched so long.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

import cv2
import numpy as np

from tests.support import tiny

BITS, ROWS = 28, 16  # of the clock in the top rows: milliseconds, lowest bit first
BOX = (192, 144, 80, 80)
ROUND_S = 6.0

READ_CLOCK = """(seconds) => new Promise((done) => {
  const canvas = document.getElementById('picture'), ages = [];
  const pen = canvas.getContext('2d');
  const until = performance.now() + 1000 * seconds;
  let last = -1;
  const look = () => {
    const block = canvas.width / BITS, row = pen.getImageData(0, ROWS / 2, canvas.width, 1).data;
    let clock = 0;
    for (let bit = 0; bit < BITS; bit++) {
      if (row[4 * Math.floor((bit + 0.5) * block)] > 127) clock += 2 ** bit;
    }
    if (clock !== last) ages.push((Date.now() % 2 ** BITS) - clock);
    last = clock;
    performance.now() < until ? requestAnimationFrame(look) : done(ages.slice(1));
  };
  look();
})""".replace("BITS", str(BITS)).replace("ROWS", str(ROWS))


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fps.page", description=__doc__)
    parser.add_argument("--network", required=True)
    parser.add_argument("--networks-dir", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--browser", action="store_true")
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--serve", type=float, metavar="FPS", help=argparse.SUPPRESS)
    parser.add_argument("--watch", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        return serve(options)
    if options.watch:
        return watch(options.watch)
    print(f"encoding: {encoding_ms():.2f} ms a picture, 640x480")
    costs(options)
    if options.browser:
        latency(options)
    return 0


def encoding_ms():
    """Return the milliseconds that one JPEG takes."""
    from runtime.links.page.api import encoded

    frame = tiny.film(1, 640, 480, 80)[0][0]
    times = []
    for _ in range(50):
        started = time.thread_time()
        encoded(frame, 960)
        times.append(time.thread_time() - started)
    return 1e3 * statistics.median(times)


def serve(options):
    """The command line on a source that always has a frame (or FPS of them a second)."""
    from runtime import track
    from runtime.video.base import Source

    class Clockwork(Source):
        """An endless film; each frame shows the time of day."""

        live = True

        def __init__(self, fps):
            super().__init__("clockwork")
            self._films = tiny.film(200, 640, 480, 80)[0]
            self._period_s = 1.0 / fps if fps else 0.0
            self._start = time.monotonic()

        def read(self, timeout_s=1.0):
            due = self._start + self.given * self._period_s - time.monotonic()
            if self._period_s and due > 0:
                time.sleep(due)
            there_and_back = abs((self.given % 398) - 199)
            frame = self._films[there_and_back].copy()
            self.time_s = time.monotonic() - self._start
            clock = int(time.time() * 1e3) % (1 << BITS)
            bits = np.array([255 * (clock >> bit & 1) for bit in range(BITS)], np.uint8)
            wide = cv2.resize(bits[None], (640, ROWS), interpolation=cv2.INTER_NEAREST)
            frame[:ROWS] = wide[:, :, None]
            return self._give(frame)

    track.open_source = lambda *_: Clockwork(options.serve)
    more = ["--networks-dir", options.networks_dir] if options.networks_dir else []
    return track.main(
        [
            "--video",
            "clockwork",
            "--network",
            options.network,
            "--page",
            "--page-port",
            "0",
            "--box",
            ",".join(map(str, BOX)),
        ]
        + more
    )


def watch(address):
    """A browser's socket: pictures come in, "seen" goes out."""
    import asyncio

    import aiohttp

    async def look():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(address.replace("http", "ws") + "ws") as socket:
                async for message in socket:
                    if message.type == aiohttp.WSMsgType.BINARY:
                        index = int.from_bytes(message.data[:8], "big")
                        await socket.send_str(json.dumps({"seen": index}))

    asyncio.new_event_loop().run_until_complete(look())


class Run:
    """The child process that ``serve`` runs in."""

    def __init__(self, options, fps):
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.fps.page",
                "--network",
                options.network,
                "--networks-dir",
                options.networks_dir,
                "--serve",
                str(fps),
            ],
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        for line in self.process.stderr:
            if line.startswith("page: "):
                self.link = line.split()[1]
                return
        raise RuntimeError("the run did not start")

    def frame(self):
        with urllib.request.urlopen(self.link + "api/state", timeout=10) as answer:
            return json.loads(answer.read().decode())["frame"]

    def cpu_s(self):
        """Processor time of the frame loop's thread, and of the whole process, seconds."""
        pid, tick = self.process.pid, os.sysconf("SC_CLK_TCK")
        times = []
        for path in (f"/proc/{pid}/task/{pid}/stat", f"/proc/{pid}/stat"):
            with open(path) as file:
                fields = file.read().rsplit(")", 1)[1].split()
            times.append((int(fields[11]) + int(fields[12])) / float(tick))
        return times

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)


def costs(options):
    """Frames per second and processor time with 0, 1 and 5 sockets, in turn."""
    found = {0: [], 1: [], 5: []}
    with Run(options, 0) as run:
        time.sleep(3)
        for _ in range(options.rounds):
            for count in found:
                found[count].append(_one_round(run, count))
        for count, rounds in found.items():
            print(count, "browsers, ms of each round:", *[f"{r[1]:.2f}" for r in rounds])
            fps, loop_ms, other = (statistics.median(r[n] for r in rounds) for n in range(3))
            print(
                f"{count} browsers: {fps:.0f} FPS, {loop_ms:.3f} ms of the loop's processor time "
                f"a frame, {100 * other:.1f} % "
                "of a core beside it"
            )
        if options.minutes:
            _memory(run, options.minutes)


def _one_round(run, count):
    """(frames a second, the loop's ms of processor time a frame, cores used beside it)."""
    watchers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fps.page", "--network", "-", "--watch", run.link]
        )
        for _ in range(count)
    ]
    time.sleep(3)
    if count > 1:
        watchers[0].send_signal(signal.SIGSTOP)
    frame, cpu, began = run.frame(), run.cpu_s(), time.monotonic()
    time.sleep(ROUND_S)
    frames, after, took = run.frame() - frame, run.cpu_s(), time.monotonic() - began
    for watcher in watchers:
        watcher.kill()
        watcher.wait()
    loop_s = after[0] - cpu[0]
    return frames / took, 1e3 * loop_s / frames, (after[1] - cpu[1] - loop_s) / took


def _memory(run, minutes):
    """Measure resident memory each minute with five sockets, one of which is stopped."""
    watchers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.fps.page", "--network", "-", "--watch", run.link]
        )
        for _ in range(5)
    ]
    time.sleep(5)
    watchers[0].send_signal(signal.SIGSTOP)
    steps = max(2, int(minutes * 2))
    seen = []
    for _ in range(steps):
        time.sleep(60.0 * minutes / steps)
        seen.append(run.memory_mb())
    print("memory, MB: " + " ".join(f"{value:.0f}" for value in seen))
    for watcher in watchers:
        watcher.kill()
        watcher.wait()


def latency(options):
    """Measure the age of pictures in headless Chromium, from the frame to the canvas."""
    from tests.support import pages

    with Run(options, 30) as run, pages.browser() as browser:
        page = browser.new_page()
        page.goto(run.link)
        time.sleep(4)
        ages = sorted(page.evaluate(READ_CLOCK, 15))
        print(
            f"{len(ages)} pictures in 15 s, age in the browser: median "
            f"{statistics.median(ages):.0f} ms, p95 {ages[int(0.95 * len(ages))]:.0f} ms"
        )


if __name__ == "__main__":
    sys.exit(main())
