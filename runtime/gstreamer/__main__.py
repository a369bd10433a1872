"""python -m runtime.gstreamer: print what GStreamer needs to find the element ``hotpathtrack``.

    eval "$(python -m runtime.gstreamer)"
    gst-inspect-1.0 hotpathtrack

GStreamer loads the element into the system's Python. So this Python must be of the same version.
"""

import pathlib
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
SYSTEM = "/usr/bin/python3"
ASK = "import gi, sys; gi.require_version('GstBase', '1.0'); print(*sys.version_info[:2])"


def main() -> int:
    """Print two lines for a shell, or a sentence where GStreamer can't run the element.

    Returns:
        the exit code.
    """
    try:
        told = subprocess.check_output([SYSTEM, "-c", ASK], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return _refuse(
            f"{SYSTEM} has no binding of GStreamer; install python3-gi, python3-gst-1.0, "
            "gir1.2-gst-plugins-base-1.0 and gstreamer1.0-python3-plugin-loader"
        )
    theirs = tuple(int(number) for number in told.split())
    if theirs != sys.version_info[:2]:
        ours = "{}.{}".format(*sys.version_info)
        return _refuse(
            f"GStreamer runs its elements in {SYSTEM}, {theirs[0]}.{theirs[1]}, and this Python is "
            f"{ours}; set Hotpath up with {SYSTEM}"
        )
    packages = pathlib.Path(np.__file__).resolve().parents[1]
    root = HERE.parents[str(__package__).count(".")]
    print(f'export GST_PLUGIN_PATH="{HERE}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"')
    print(f'export PYTHONPATH="{root}:{packages}${{PYTHONPATH:+:$PYTHONPATH}}"')
    return 0


def _refuse(sentence: str) -> int:
    print(f"runtime.gstreamer: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
