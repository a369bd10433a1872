"""PyTorch for the commands of research: without it they end with a sentence. Import it first."""

import sys

from hotpath.kernels.commands import needs

try:
    import torch as torch
    from torch import nn as nn
    from torch.nn import functional as functional
except ImportError as error:
    print(needs("hotpath.calib.research", "torch", error, "train"), file=sys.stderr)
    raise SystemExit(2) from None
