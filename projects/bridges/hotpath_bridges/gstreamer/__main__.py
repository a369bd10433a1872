"""hotpath gstreamer: print what GStreamer needs to find the element ``hotpathtrack``.

    eval "$(hotpath gstreamer)"
    gst-inspect-1.0 hotpathtrack

GStreamer loads the element into the system's Python. So this Python must be of the same version.
"""

import argparse
import hashlib
import os
import pathlib
import sys
from typing import Optional, Sequence

import numpy as np

import hotpath
from hotpath.base.cli import Parser
from hotpath_bridges.gstreamer import find_python

HERE = pathlib.Path(__file__).resolve().parent


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print three lines for a shell, or a sentence where GStreamer can't run the element.

    Returns:
        the exit code.
    """
    style = argparse.RawDescriptionHelpFormatter
    Parser(prog="hotpath gstreamer", description=__doc__, formatter_class=style).parse_args(
        arguments
    )
    if os.environ.get("VIRTUAL_ENV"):  # libpython would take that environment's prefix, without gi
        return _refuse(
            "GStreamer's Python does not start while an environment is active; run `deactivate`, "
            f'then `eval "$({sys.prefix}/bin/hotpath gstreamer)"`'
        )
    system, version = find_python()
    if not system:
        return _refuse(
            "no python3 here has a binding of GStreamer; install python3-gi, python3-gst-1.0, "
            "gir1.2-gst-plugins-base-1.0 and gstreamer1.0-python3-plugin-loader"
        )
    ours = "{}.{}".format(*sys.version_info)
    if version != ours:
        return _refuse(
            f"GStreamer runs its elements in {system}, {version}, and this Python is {ours}; "
            f"set Hotpath up with {system}"
        )
    packages = pathlib.Path(np.__file__).resolve().parents[1]
    root = pathlib.Path(hotpath.__file__).resolve().parents[1]
    print(f'export GST_PLUGIN_PATH="{HERE}${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}"')
    paths = ":".join(dict.fromkeys((str(root), str(packages))))  # in a wheel they are one
    print(f'export PYTHONPATH="{paths}${{PYTHONPATH:+:$PYTHONPATH}}"')
    # GStreamer's usual file would keep for ever that it once found no element in Python
    name = hashlib.sha256(f"{HERE}:{paths}".encode()).hexdigest()[:8]
    folder = "${XDG_CACHE_HOME:-$HOME/.cache}/gstreamer-1.0"
    print(f'export GST_REGISTRY="{folder}/hotpath-{name}.bin"')
    return 0


def _refuse(sentence: str) -> int:
    print(f"hotpath gstreamer: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
