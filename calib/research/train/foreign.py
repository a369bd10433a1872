"""Opens backbones that are not ours: of timm or a user, cut at a stride and folded.

A backbone is a ``torch.nn.Module`` from a picture, float32 (N, 3, side, side), to one map, float32
(N, channels, side / stride, side / stride).
"""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx.experimental import optimization

from calib.errors import BadRun, Missing
from calib.research.train.geometry import MEAN, SCALE

FOLDED = 1e-4  # greatest difference of a folded backbone's map, as a share of its greatest value


class Cut(nn.Module):
    """A network with several maps, as timm makes it, that gives one of them."""

    def __init__(self, network: nn.Module, index: int) -> None:
        super().__init__()
        self.network, self.index = network, index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)[self.index]


def load(name: str, stride: int = 16, seed: int = 0, pretrained: bool = False) -> nn.Module:
    """Open a backbone.

    Args:
        name: a model of timm (``mobileone_s0`` or ``timm:mobileone_s0``), or ``FILE.py:CLASS``, a
            class that is called without arguments.
        stride: pixels a cell of the map; the last map of that stride is taken.
        seed: of random weights.
        pretrained: take timm's published weights, which are downloaded.

    Returns:
        ``torch.nn.Module`` in evaluation mode.
    """
    torch.manual_seed(seed)
    if ":" in name and not name.startswith("timm:"):
        file, _, of = name.rpartition(":")
        made = _class(file, of)
    else:
        made = _timm(name.replace("timm:", "", 1), stride, pretrained)
    return checked(made.eval(), name, stride)


def checked(made: nn.Module, name: str, stride: int) -> nn.Module:
    """The backbone, if it gives one map of that stride."""
    found = _stride(made, name)
    if found != stride:
        raise BadRun(f"{name} has a stride of {found}, not {stride}; name it with --stride")
    return made


def _class(file: str, name: str) -> nn.Module:
    """A module of the user's own; his file runs as any program of his does."""
    path = Path(file)
    if not path.is_file():
        raise BadRun(f"{file} is not there; name a backbone as FILE.py:CLASS")
    spec: Any = importlib.util.spec_from_file_location(path.stem, str(path))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's code may raise anything
        raise BadRun(f"{file} can't be imported: {type(error).__name__}: {error}") from None
    finally:
        sys.path.remove(str(path.parent))
    made = getattr(module, name, None)
    if made is None:
        raise BadRun(f"{file} has no class {name}")
    try:
        made = made()
    except TypeError as error:
        raise BadRun(f"{name} of {file} must be called without arguments: {error}") from None
    if not isinstance(made, nn.Module):
        raise BadRun(f"{name} of {file} is no torch.nn.Module")
    return made


def timm_library() -> Any:
    """The module timm.

    PyPI's torchvision is built for CUDA. Beside a torch for the processor its operators are
    missing, and it stops on import. No backbone uses them, so they are only declared.
    """
    declared = torch.library.Library("torchvision", "FRAGMENT")
    _DECLARED.append(declared)
    while True:
        try:
            return importlib.import_module("timm")
        except ImportError:
            raise Missing("timm is not installed; run `make setup ALSO=backbones`") from None
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


def _timm(name: str, stride: int, pretrained: bool) -> nn.Module:
    timm = timm_library()
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:8])
        hint = f"near it: {near}" if near else "timm.list_models() lists them"
        raise BadRun(f"timm {timm.__version__} has no model {name}; {hint}")
    try:
        made = timm.create_model(name, features_only=True, pretrained=pretrained)
    except Exception as error:  # its class differs from model to model
        raise BadRun(f"timm gives no maps of {name}: {str(error).splitlines()[0]}") from None
    strides = made.feature_info.reduction()
    if stride not in strides:
        there = ", ".join(map(str, strides))
        raise BadRun(f"{name} has no map of stride {stride}; its strides: {there}")
    index = max(i for i, each in enumerate(strides) if each == stride)
    # what lies behind the map is not made at all
    return Cut(
        timm.create_model(name, features_only=True, pretrained=pretrained, out_indices=(index,)), 0
    )


def _stride(made: nn.Module, name: str) -> int:
    side = 256
    try:
        with torch.no_grad():
            out = made(torch.zeros(1, 3, side, side))
    except Exception as error:
        raise BadRun(f"{name} does not take a picture (1, 3, {side}, {side}): {error}") from None
    if not isinstance(out, torch.Tensor) or out.dim() != 4:
        raise BadRun(f"{name} must give one map (N, channels, height, width)")
    return int(round(side / out.shape[-1]))


def folded(backbone: nn.Module, side: int = 127) -> tuple[nn.Module, float]:
    """Fold branches and batch norms into the convolutions, and check that the map stays.

    Returns:
        (module, greatest difference of the map as a share of its greatest value).
    """
    picture = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = backbone(picture)
        if hasattr(backbone, "folded"):
            after = backbone.folded()
        else:
            after = _fused(_reparameterised(backbone))
        after = after.eval()
        differs = float((after(picture) - before).abs().max() / before.abs().max().clamp_min(1e-12))
    if differs > FOLDED:
        raise BadRun(f"the folded backbone's map differs by {differs:.1e} of its greatest value")
    return after, differs


def settle(backbone: nn.Module, side: int = 127) -> None:
    """Give the batch norms of an untrained backbone the statistics of a few pictures.

    With those of a new module, folding them changes nothing, and an error there would not show.
    """
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    if any(float(norm.running_var.sub(1).abs().max()) > 1e-6 for norm in norms):
        return  # they are trained
    backbone.train()
    with torch.no_grad():
        for _ in range(3):
            backbone((torch.rand(2, 3, side, side) * 255 - MEAN) * SCALE)
    backbone.eval()


def _reparameterised(backbone: nn.Module) -> nn.Module:
    if "timm" not in sys.modules:
        return backbone
    return importlib.import_module("timm.utils.model").reparameterize_model(backbone)


def _fused(backbone: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it, where the trace shows that it can be."""
    try:
        traced = optimization.fuse(backbone)
    except Exception:  # a forward with branches on data; the ONNX exporter folds then
        return backbone
    for node in list(traced.graph.nodes):
        if node.target is torch._assert:  # of shapes, which the trace has fixed
            traced.graph.erase_node(node)
    traced.graph.eliminate_dead_code()  # some models of timm compute more than the map
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced
