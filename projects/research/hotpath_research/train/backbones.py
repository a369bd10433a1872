"""Backbones of timm: any of its models that gives feature maps, up to its level of stride 16.

timm knows the forms in which MobileOne, RepVGG, RepViT and FastViT train, and folds them.
"""

import difflib
from typing import Any

from hotpath.calib.errors import TrainingStopped
from hotpath_research.pytorch import nn, timm_library, torch
from hotpath_research.train.geometry import CELLS, EXEMPLAR, EXEMPLAR_CELLS, SEARCH

PREFIX = "timm:"  # of a --shape
RELU6 = ":relu6"  # the end of one whose activations are limited to 6
PRETRAINED = "pretrained"  # weights that timm fetches
STRIDE = SEARCH // CELLS
WAYS = ("fuse", "reparameterize", "switch_to_deploy")  # in which layers fold themselves
BOUND = 1e-3  # most that folding may change an output, as a share of the largest one
ROUNDING = 10
FEWEST = 16  # inputs of a strided 1x1 convolution that PyTorch can train in channels_last


class Level(nn.Module):
    """Images -> the features of stride 16 of a model of timm.

    Args:
        shape: ``timm:NAME``, or ``timm:NAME:relu6`` with ReLU6 in place of each ReLU.
        weights: ``PRETRAINED``, the path of a file in timm's form, or "" for random weights.

    Attributes:
        width: channels of the features.

    Raises:
        TrainingStopped: there is no such model, or no such level, or the weights can't be had.
    """

    def __init__(self, shape: str, weights: str = "") -> None:
        super().__init__()
        name = shape.removeprefix(PREFIX).removesuffix(RELU6)
        available = timm_library().list_models()
        if name.split(".")[0] not in available:
            near = (
                ", ".join(difflib.get_close_matches(name, available, 5))
                or "those of timm.list_models()"
            )
            raise TrainingStopped(f"timm has no model {name}; there are {near}")
        try:
            strides = _made(name).feature_info.reduction()
            last = len(strides) - 1 - strides[::-1].index(STRIDE)
            self.model = _made(name, out_indices=(last,))
            self.width = self.model.feature_info.channels()[-1]
            self.model.eval()  # so that the batch norms do not learn from these zeros
            sides = [self(torch.zeros(1, 3, s, s)).shape[2:] for s in (EXEMPLAR, SEARCH)]
            self.model.train()
            if sides != [(EXEMPLAR_CELLS,) * 2, (CELLS,) * 2]:
                raise ValueError(f"its maps are {sides}")
        except (AttributeError, AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise TrainingStopped(
                f"timm's {name} gives no features of stride {STRIDE} for crops of {EXEMPLAR} and "
                f"{SEARCH} pixels ({error}); name another model with --shape"
            ) from None
        if weights:
            self.model = _filled(name, weights, last)
        if shape.endswith(RELU6) and not _limit(self.model):
            raise TrainingStopped(f"timm's {name} has no ReLU; name the --shape without {RELU6}")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model(images.contiguous())[-1]
        return features


def _limit(model: nn.Module) -> bool:
    """Replace each ReLU by a ReLU6, whose range INT8 covers better; whether there was one."""
    places = [
        (parent, name)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.ReLU)
    ]
    for parent, name in places:
        setattr(parent, name, nn.ReLU6())
    return bool(places)


def _made(name: str, **more: Any) -> Any:
    """A model of timm without the layers behind its last level."""
    return timm_library().create_model(name, features_only=True, feature_cls="getter", **more)


def _filled(name: str, weights: str, level: int) -> Any:
    """The model with timm's weights or with those of a file.

    Raises:
        TrainingStopped: they can't be had, or do not fill the model.
    """
    own = {} if weights == PRETRAINED else {"pretrained_cfg_overlay": {"file": weights}}
    try:
        first, second = (
            _made(name, out_indices=(level,), pretrained=True, **own) for _ in range(2)
        )
    except Exception as error:  # of the library that fetches: of many classes
        where = f"the weights of timm's {name}" if weights == PRETRAINED else weights
        raise TrainingStopped(
            f"{where} can't be read ({type(error).__name__}: {str(error).splitlines()[0]}); name a "
            "file with --start, or begin with random weights: --no-pretrained"
        ) from None
    # what a file does not give is drawn by chance
    for (key, first_values), two in zip(first.named_parameters(), second.parameters()):
        if not torch.equal(first_values, two):
            raise TrainingStopped(f"{weights} has no weights for {key} of timm's {name}")
    return first


def layout_of(module: nn.Module) -> torch.memory_format:
    """The layout in which a network trains: channels last where PyTorch can.

    In channels last, PyTorch 2.13 on a processor writes beyond its memory in the gradient of a
    strided 1x1 convolution of a few channels, such as the one in MobileOne's stem.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels < FEWEST:
            if layer.kernel_size == (1, 1) and max(layer.stride) > 1:
                return torch.contiguous_format
    return torch.channels_last


@torch.no_grad()
def folded(module: nn.Module, *inputs: torch.Tensor) -> Any:
    """A copy in which the branches of re-parameterised layers are one convolution each.

    Layers with one of the methods ``WAYS`` are folded by it. The batch norms behind convolutions
    follow when the module is written as ONNX. A module without such layers stays as it is.

    Args:
        module: of timm, or of the authors of re-parameterised layers.
        inputs: examples, on which both forms are compared; see ``checked``.
    """
    if not any(hasattr(layer, way) for layer in module.modules() for way in WAYS):
        return module.eval()
    merged = timm_library().models.reparameterize_model(nn.Sequential(module.eval()))[0]
    checked(module, merged, *inputs)
    return merged


@torch.no_grad()
def checked(module: Any, merged: Any, *inputs: torch.Tensor) -> float:
    """The largest difference of the outputs of two forms, as a share of the largest output.

    Raises:
        TrainingStopped: it is no number, or more than ``BOUND`` and more than ``ROUNDING`` times
            what a change in the inputs' last bits does. That is large in a network that has
            hardly been trained.
    """
    outputs = _tensors(module(*inputs))
    error = _difference(outputs, _tensors(merged(*inputs)))
    if error <= BOUND:
        return error
    random = torch.Generator().manual_seed(0)
    ends = [torch.inf * (torch.rand(x.shape, generator=random) - 0.5) for x in inputs]
    nudged = [torch.nextafter(x, end.to(x)) for x, end in zip(inputs, ends)]
    if not error <= ROUNDING * _difference(outputs, _tensors(module(*nudged))):
        raise TrainingStopped(
            f"the folded form differs by {error:.2g} of the largest output, more than {BOUND:g}; "
            "nothing was written: the layers' own way to fold them is wrong"
        )
    return error


def _difference(outputs: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    """The largest one, as a share of the largest output."""
    pairs = zip(outputs, others)
    return max(float((a - b).abs().max() / a.abs().max().clamp(min=1e-6)) for a, b in pairs)


def _tensors(output: Any) -> list[torch.Tensor]:
    return [output] if torch.is_tensor(output) else list(output)
