"""Parts of ``hotpath track``: options, first boxes, outputs, progress."""

from hotpath.base.libraries import require

require(("numpy", "cv2"))
