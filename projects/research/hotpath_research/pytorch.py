"""PyTorch and timm for the commands of research: without them they end with a sentence."""

import importlib
import sys
from typing import Any

from hotpath.base.messages import missing_package_text
from hotpath.calib.errors import MissingLibrary

try:
    import torch as torch
    from torch import nn as nn
    from torch.nn import functional as functional
except ImportError as error:
    print(missing_package_text("hotpath_research", "torch", error, "research"), file=sys.stderr)
    raise SystemExit(2) from None


def timm_library() -> Any:
    """Import timm. STARK imports torch's downloads by the module's older name.

    Raises:
        Missing: timm is not installed, or its torchvision was built for another torch.
    """
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise MissingLibrary(
            missing_package_text("this network", "timm", error, "research")
        ) from None
    except RuntimeError as error:  # torchvision's operators are not of this torch
        raise MissingLibrary(
            f"timm can't be imported ({error}): torch and torchvision must be of one index and "
            "fit each other; run `make setup ALSO=research`"
        ) from None
    sys.modules.setdefault("torchvision.models.utils", torch.hub)
    return timm
