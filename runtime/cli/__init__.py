"""The parts of ``runtime.track``: options, first boxes, outputs, progress."""

from runtime.libraries import require

require(("cv2",))
