"""The tracker as an element of GStreamer's pipelines; see ``python/hotpathtrack.py``.

GStreamer's loader of Python plugins takes the files in ``python`` below ``GST_PLUGIN_PATH``.
"""

import os
import subprocess
import sys
from typing import Tuple

ASK = "import gi, sys; gi.require_version('GstBase', '1.0'); print(*sys.version_info[:2], sep='.')"


def find_python() -> Tuple[str, str]:
    """Return path and version of the first Python with GStreamer's binding, or two empty texts.

    The order is this Python, those of the PATH, and the system's.
    """
    folders = [*os.get_exec_path(), "/usr/bin"]
    paths = [sys.executable] + [os.path.join(folder, "python3") for folder in folders]
    for path in dict.fromkeys(paths):
        try:
            answer = subprocess.check_output([path, "-c", ASK], stderr=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            continue
        return path, answer.decode("ascii").strip()
    return "", ""
