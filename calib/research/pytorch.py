"""PyTorch for the commands of research: without it they end with a sentence. Import it first."""

import sys

from kernels.commands import make

try:
    import torch as torch
    from torch import nn as nn
    from torch.nn import functional as functional
except ImportError as error:
    print(
        f"calib.research: PyTorch is needed ({error}); run `{make('setup', ALSO='train')}`",
        file=sys.stderr,
    )
    raise SystemExit(2) from None
