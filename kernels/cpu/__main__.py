"""``python -m hotpath.kernels.cpu``: compile the C++ kernels and print where they are."""

import sys

from hotpath.kernels.cpu import build


def main() -> int:
    try:
        library = build.library()
    except build.CannotBuild as error:
        print(f"{error}; crop and select will run in NumPy and OpenCV")
        return 0
    print(f"{library.path}\ncompiled with {library.compiler} {' '.join(library.flags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
