"""Other trackers behind our interface, to be timed for comparison."""

import cv2

from runtime.errors import HotpathError
from runtime.networks import load_network

USUAL = "nanotrack_v2"  # what it runs where it can't run the network that is timed


class OpenCvNano:
    """OpenCV's TrackerNano, on the same files where it can run them, else on those of ``USUAL``."""

    def __init__(self, network, networks_dir, threads):
        if not hasattr(cv2, "TrackerNano_create"):
            raise HotpathError(f"OpenCV {cv2.__version__} has no TrackerNano; install 4.7 or newer")
        paths, self.runs = network.locate(networks_dir), network.name
        if set(paths) != {"backbone", "head"} or network.map_size != 16:
            paths, self.runs = load_network(USUAL).locate(networks_dir), USUAL
        cv2.setNumThreads(threads)
        self._params = cv2.TrackerNano_Params()
        self._params.backbone = str(paths["backbone"])
        self._params.neckhead = str(paths["head"])
        self._tracker = cv2.TrackerNano_create(self._params)

    def init(self, frame, box):
        """Start on a box (x, y, w, h)."""
        self._tracker.init(frame, tuple(int(round(value)) for value in box))

    def update(self, frame):
        """Track one frame."""
        return self._tracker.update(frame)


PEERS = {"opencv": OpenCvNano}
