"""Compare the C++ crop of every core of an ARM machine with its definition, computed here."""

import os
import tempfile

import numpy as np

from kernels import golden
from tests.arm.crops import BORDER, KINDS
from tests.arm.machine import HOME

CORES, CASES = 2, 30  # without `--whole`
ALL_CASES = 90
SIZES = ((255, 255), (127, 127), (16, 15), (33, 70), (1, 1))


def compare(machine, whole):
    """Crop on the first cores, or on all and more windows; whether every byte is right."""
    HOME.mkdir(parents=True, exist_ok=True)
    results = []
    with tempfile.TemporaryDirectory(dir=str(HOME)) as folder:
        path = os.path.join(folder, "cases.npz")
        np.savez(path, **_cases(np.random.RandomState(20), ALL_CASES if whole else CASES))
        for core in machine.table["cores"][: None if whole else CORES]:
            print(core, end=": ", flush=True)
            done = machine.run(core, ["-m", "tests.arm.crops", path])
            results.append(done.returncode == 0)
    return all(results)


def _cases(random, count):
    """Random windows of two views of a noisy frame: inside it, across an edge, and beyond."""
    frame = random.randint(0, 256, (400, 700, 3)).astype(np.uint8)
    views = {"whole": frame, "strided": frame[3:-2, ::2, ::-1]}
    values = {"frame": frame, "count": count}
    for number in range(count):
        view = ("whole", "strided")[number % 2]
        rows, columns = views[view].shape[:2]
        if number % 3:
            width, height = (int(side) for side in random.randint(1, 500, 2))
            x, y = random.randint(-width - 5, columns + 5), random.randint(-height - 5, rows + 5)
        else:
            width, height = random.randint(columns // 4, columns), random.randint(rows // 4, rows)
            x, y = random.randint(0, columns - width + 1), random.randint(0, rows - height + 1)
        window, size = (int(x), int(y), int(width), int(height)), SIZES[number % len(SIZES)]
        picture = golden.crop(views[view], window, size, BORDER)
        values[f"view{number}"] = view
        values[f"window{number}"] = window
        for kind, (dtype, mean, scale, swap) in enumerate(KINDS):
            packed = golden.pack(picture, mean, scale, swap, dtype)
            values[f"out{number}-{kind}"] = packed
    return values
