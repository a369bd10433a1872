"""Crop with the C++ kernels that this machine compiles, and count the values that are wrong.

    python -m tests.arm.crops CASES.npz

CASES.npz is written by ``tests.arm.same_crops``: the frame, and for each case its window, size and
the values that the definition gives. Prints the flags of the compiler, then for each kind of output
how many values differ. Exit code 1 when one does.
"""

import sys

import numpy as np

from kernels.cpu import binding, build

BORDER = (7, 130, 255)
MEAN, SCALE = (123.675, 116.28, 103.53), (0.01712, 0.01751, 0.01743)
KINDS = (
    (np.uint8, (0, 0, 0), (1, 1, 1), False),
    (np.float32, (0, 0, 0), (1, 1, 1), False),
    (np.float32, MEAN, SCALE, True),
    (np.float32, (118, 117, 0), SCALE, True),
    (np.uint8, (0, 0, 0), (1, 1, 1), True),
)


def main(path):
    """See above; returns the exit code."""
    library = build.library()
    kernels = binding.Kernels(library)
    wrong = [0] * len(KINDS)
    with np.load(path) as cases:
        frames = {"whole": cases["frame"], "strided": cases["frame"][3:-2, ::2, ::-1]}
        count = int(cases["count"])
        for number in range(count):
            frame = frames[str(cases[f"view{number}"])]
            window = tuple(int(value) for value in cases[f"window{number}"])
            for kind, (dtype, mean, scale, swap) in enumerate(KINDS):
                expected = cases[f"out{number}-{kind}"]
                out = np.full(expected.shape, 77, dtype)
                kernels.crop(frame, window, BORDER, out, (mean, scale, swap))
                wrong[kind] += int((out.view(np.uint8) != expected.view(np.uint8)).sum())
    flags = [flag for flag in library.flags if flag.startswith("-m")]
    print("{} crops, compiled with {}: {} bytes differ".format(count, " ".join(flags), sum(wrong)))
    return 1 if any(wrong) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
