"""Other trackers behind our interface, to be timed for comparison."""

import cv2

from runtime.errors import HotpathError


class OpenCvNano:
    """OpenCV's TrackerNano on the same files, which must be a backbone and a head."""

    def __init__(self, network, networks_dir, threads):
        if not hasattr(cv2, "TrackerNano_create"):
            raise HotpathError(
                "OpenCV {} has no TrackerNano; install 4.7 or newer".format(cv2.__version__)
            )
        paths = network.locate(networks_dir)
        if set(paths) != {"backbone", "head"} or network.map_size != 16:
            raise HotpathError(
                "OpenCV's TrackerNano can't run {}: it takes a backbone and a head with 16x16 "
                "maps; leave --against away, or take nanotrack_v1 or nanotrack_v2".format(
                    network.name
                )
            )
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
