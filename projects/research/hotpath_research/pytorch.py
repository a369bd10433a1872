"""PyTorch and timm for the commands of research: without them they end with a sentence."""

import importlib
import re
import sys
from typing import Any

from hotpath.calib.errors import Missing
from hotpath.kernels.commands import needs

try:
    import torch as torch
    from torch import nn as nn
    from torch.nn import functional as functional
except ImportError as error:
    print(needs("hotpath_research", "torch", error, "research"), file=sys.stderr)
    raise SystemExit(2) from None


def timm_library() -> Any:
    """The module timm.

    PyPI's torchvision is built for CUDA. Beside a torch for the processor its operators are
    missing, and it stops on import. No tracker here uses them, so they are only declared: where
    both come from one index nothing is. STARK imports torch's downloads by their older name.
    """
    declared = torch.library.Library("torchvision", "FRAGMENT")
    _DECLARED.append(declared)
    while True:
        try:
            timm = importlib.import_module("timm")
            sys.modules.setdefault("torchvision.models.utils", torch.hub)
            return timm
        except ImportError as error:
            raise Missing(needs("this network", "timm", error, "research")) from None
        except RuntimeError as error:
            lacking = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if lacking is None:
                raise
            declared.define(lacking.group(1) + "(Tensor value) -> Tensor")
            for module in [
                key for key in sys.modules if key.split(".")[0] in ("timm", "torchvision")
            ]:
                del sys.modules[module]


_DECLARED: list[Any] = []  # torch forgets what it declares when the object is deleted
