"""Why a library that is installed can't be imported, and what mends it."""

import importlib.util
import os
import re
import subprocess
import sys
from typing import NamedTuple, Optional

JETSON = "/etc/nv_tegra_release"  # whose environment has JetPack's packages
DISTRIBUTIONS = {"cv2": "opencv-python"}
# Of OpenCV's packages, all of which have the folder cv2. The removal of one breaks the others.
MEND = "pip install --force-reinstall --no-deps opencv-python-headless"
MEND_JETPACKS = "sudo apt-get install --reinstall libopencv-python"  # which has GStreamer
IMPORT_S = 60.0  # longest import of a library
# What is left of the import of a library that was built for another NumPy. Some raise no more.
NUMPY_1 = re.compile(r"compiled using NumPy 1|_ARRAY_API not found")
OTHER_NUMPY = re.compile(r"numpy\.core\.multiarray failed|numpy\.dtype size changed|ABI version")
CAUSE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Warning): (.+)$", re.MULTILINE)


class BrokenLibrary(NamedTuple):
    """Why a library that is installed can't be imported, and the command that mends it here."""

    why: str
    command: str


def why_broken(name: str) -> Optional[BrokenLibrary]:
    """Why a library can't be imported; None if it can, or is not there.

    Another process imports it, because an import may crash, and because some libraries print the
    cause instead of raising it.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; library = __import__({name!r})"
    code += "; library.imdecode" if name == "cv2" else ""
    done = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    try:
        said = done.communicate(timeout=IMPORT_S)[1]
    except subprocess.TimeoutExpired:
        done.kill()
        said = done.communicate()[1]
    if done.returncode == 0 or f"No module named {name!r}" in said:
        return None
    pip = f"{sys.executable} -m pip install "
    again = pip + "--force-reinstall " + DISTRIBUTIONS.get(name, name)
    if name == "cv2":
        again = MEND_JETPACKS if os.path.exists(JETSON) else f"{sys.executable} -m {MEND}"
    if NUMPY_1.search(said):
        newer = "" if os.path.exists(JETSON) else f"; a newer {name} would do, too"
        why = f"it was built for NumPy 1, and this Python has NumPy 2{newer}"
        return BrokenLibrary(why, pip + "'numpy<2'")
    if OTHER_NUMPY.search(said):
        return BrokenLibrary(
            "it was built for a newer NumPy than this Python has", pip + "-U numpy"
        )
    if "has no attribute 'imdecode'" in said:
        spec = importlib.util.find_spec(name)
        folders = ", ".join((spec and spec.submodule_search_locations) or ["cv2"])
        why = f"{folders} is half removed, as after one of two OpenCV packages was uninstalled"
        return BrokenLibrary(why, again)
    # the first cause comes first
    causes = list(dict.fromkeys(" ".join(text.split()) for text in CAUSE.findall(said)))
    ended = f"its import ends the program with {done.returncode}"
    return BrokenLibrary(", because ".join(reversed(causes)) or ended, again)
