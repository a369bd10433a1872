"""The parts of ``hotpath.app``: options, first boxes, outputs, progress."""

from hotpath.runtime.libraries import require

require(("numpy", "cv2"))
