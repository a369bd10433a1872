"""The parts of ``hotpath.runtime.track``: options, first boxes, outputs, progress."""

from hotpath.runtime.libraries import require

require(("numpy", "cv2"))
