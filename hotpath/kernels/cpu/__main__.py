"""``python -m hotpath.kernels.cpu``: compile the C++ kernels and print where they are."""

import sys

from hotpath.kernels.cpu import build, slower


def main() -> int:
    try:
        library = build.library()
    except build.NoCompiledKernels as error:
        print(slower(error))
        return 0
    print(f"{library.path}\ncompiled with {library.compiler} {' '.join(library.flags)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
