"""Counts what frames of a network that ships cost on the fake GPU: JSON out.

    python -m hotpath_nogpu.cuda.cost kestrel

Three situations: a followed target beside a similar one, a lost target, and five targets. A row for
each frame has the device's counters, the windows, the most places of a window, and the calls that
read the features of windows.
"""

import json
import sys

import numpy as np

from hotpath.deploy.doctor.bringup.film import film
from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime.devices.gpu import Gpu
from hotpath.runtime.networks import load_network
from hotpath.runtime.options import Options
from hotpath.runtime.targets.targets import Targets
from hotpath.runtime.tracker import Tracker
from hotpath_nogpu.cuda import build
from hotpath_nogpu.cuda.clip import COSTS, open_engine

FRAMES, GONE = 12, 40  # with the target, and without it: the search begins after some


def twins():
    """Frames with patches of the same looks around the target, and the boxes of the target."""
    frames, truth = film(FRAMES, (0, 1))
    for frame, (x, y, w, h) in zip(frames, truth[:, 0].astype(int)):
        patch = frame[y : y + h, x : x + w].copy()
        for across, down in ((80, 10), (-75, 40), (10, 80)):
            left, top = max(x + across, 0), max(y + down, 0)
            place = frame[top : top + h, left : left + w]
            place[:] = patch[: place.shape[0], : place.shape[1]]
    return frames, truth


class Counted:
    """Counts a device's calls, one row for each call of its ``look``."""

    def __init__(self, gpu):
        self.rows, self._counters = [], gpu.engine.device.counters
        self._look, gpu.look = gpu.look, self.look
        self.most = gpu.windows

    def look(self, frame, looks):
        before = self._counters.read()
        seen, step_ms = self._look(frame, looks)
        after = self._counters.read()
        row = {name: after[name] - before[name] for name in COSTS}
        parts = [looks[n : n + self.most] for n in range(0, len(looks), self.most)]
        row.update(
            windows=len(looks),
            places=max(len(each.scores) for each in seen),
            reads=sum(any(look.reads for look in part) for part in parts),
        )
        self.rows.append(row)
        return seen, step_ms

    def take(self):
        """The rows so far, which are forgotten."""
        rows, self.rows = self.rows, []
        return rows


def main(name):
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    network = load_network(name)
    gpu = Gpu(network, open_engine(network, None, device), cpu.load())
    counted, report = Counted(gpu), {}
    frames, truth = twins()

    tracker = Tracker(gpu, recover=True, search_windows=4)
    tracker.init(frames[0], truth[0, 0])
    counted.take()
    for frame in frames[1:]:
        tracker.update(frame)
    report["choice"] = counted.take()
    noise = np.random.RandomState(1).randint(60, 140, frames[0].shape).astype(np.uint8)
    for index in range(GONE):
        tracker.update(np.roll(noise, 9 * index, axis=1))
    report["lost"] = [row for row in counted.take() if row["windows"] > 1]
    tracker.release()

    targets = Targets(gpu, Options(recover=True))
    x, y, w, h = truth[0, 0]
    for number in range(5):
        targets.add(frames[0], (x + 20 * number, y + 10 * number, w, h))
    counted.take()
    for frame in frames[1:]:
        targets.update(frame)
    report["targets"] = counted.take()
    gpu.close()
    return report


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
