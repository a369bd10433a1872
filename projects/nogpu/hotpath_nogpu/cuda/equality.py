"""Track clips on the fake GPU and on the processor with the defaults, and compare every frame.

    python -m hotpath_nogpu.cuda.equality '{"network": "kestrel", "clips": [DIR], "frames": 300}'

A third of the way through, each clip shows something else for some frames, so that the target is
lost and searched for. One line of JSON is printed for each clip.
"""

import json
import os
import sys

import numpy as np

from hotpath.kernels import cpu
from hotpath.kernels.cuda import device as devices
from hotpath.runtime import engines
from hotpath.runtime.devices.gpu import Gpu
from hotpath.runtime.devices.processor import Processor
from hotpath.runtime.networks import load_network
from hotpath.runtime.tracker import Tracker
from hotpath_nogpu.cuda import build
from hotpath_nogpu.cuda.clip import open_engine, read_clip

AWAY = 40  # frames that show something else
COUNTED = "uploads downloads download_bytes synchronisations allocations".split()


def interrupted(frames):
    """The frames, a part of them of a grey noise in which there is no target."""
    start = len(frames) // 3
    noise = np.random.RandomState(3).randint(60, 140, (2,) + frames[0].shape).astype(np.uint8)
    away = [noise[n % 2] for n in range(min(AWAY, len(frames) // 3))]
    return frames[:start] + away + frames[start + len(away) :]


def follow(tracker, frames, box, counters=None):
    """What is said of every frame, the number of places, and what each costs."""
    tracker.init(frames[0], box)
    rows, costs = [], []
    for frame in frames[1:]:
        before = counters.read() if counters else {}
        track = tracker.update(frame)
        rows.append((track.state, *track.box, track.score, track.presence, track.found))
        after = counters.read() if counters else {}
        costs.append([after[name] - before[name] for name in COUNTED if counters])
    return rows, costs


def compare(found, wanted):
    """States that differ, and the largest differences of boxes, scores and presence."""
    states = sum(one[0] != other[0] for one, other in zip(found, wanted))
    ours, theirs = (np.array([row[1:] for row in rows], float) for rows in (found, wanted))
    apart = np.abs(ours - theirs)
    return {
        "frames": len(found),
        "states_apart": states,
        "box_px": float(apart[:, :4].max()),
        "score": float(apart[:, 4].max()),
        "presence": float(apart[:, 5].max()),
        "lost": sum(row[0] == "lost" for row in wanted),
        "found": sum(row[-1] for row in wanted),
    }


def run(options):
    device = devices.open_device()
    build.match_compiler(device.driver_version)
    network, files = load_network(options["network"]), options.get("files")
    gpu = Gpu(network, open_engine(network, files, device), cpu.load())
    host = engines.create("onnxruntime", network, network.locate(files))
    processor = Processor(network, host, cpu.load())
    for folder in options["clips"]:
        frames, box = read_clip(folder, options.get("frames", 300))
        frames = interrupted(frames)
        rows = []
        for device_of in (gpu, processor):
            tracker = Tracker(device_of, recover=True, search_windows=options.get("windows", 2))
            counters = device.counters if device_of is gpu else None
            rows.append(follow(tracker, frames, box, counters))
            tracker.release()
        (found, costs), (wanted, _) = rows
        report = {"clip": os.path.basename(folder), "network": network.name}
        report.update(compare(found, wanted))
        columns = np.array(costs)
        report.update(zip(COUNTED, columns.max(axis=0).tolist()))
        report["usual_bytes"] = int(np.median(columns[:, COUNTED.index("download_bytes")]))
        report["read"] = int((columns[:, COUNTED.index("downloads")] > 1).sum())
        print(json.dumps(report), flush=True)
    gpu.close()
    device.close()


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
