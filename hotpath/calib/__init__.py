"""INT8 calibration from annotated clips, off the board. Python 3.10+."""

import os

if "." not in __name__:  # by the link at the root of a clone
    from hotpath.base.root_links import share_package_modules

    share_package_modules(__name__)


os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # OpenCV reads it when it is imported
