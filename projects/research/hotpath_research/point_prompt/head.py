"""The head: what it looks like, what it is trained for, and its ONNX file."""

import io
from typing import Any

import numpy as np

from hotpath_research.pytorch import functional, nn, torch

HINTS = 6  # channels that ``hotpath.runtime.tracker.point_prompt.inputs`` adds


def block(inputs: int, outputs: int, size: int, stride: int = 1) -> list[Any]:
    """Layers of a convolution with its batch norm and activation."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


class Residual(nn.Module):
    """A convolution that adds to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*block(width, width, 3))

    def forward(self, x: Any) -> Any:
        return x + self.body(x)


class Head(nn.Module):
    """Score and box of the object in a window's middle, or in a drawn box.

    Args:
        channels: of the network's features.
        width, depth: channels and number of the residual convolutions.
        flat: channels of the cells that the last layers see.
        hidden: width of the last layers.
        drop: share of the values that are dropped before these while it learns.
    """

    def __init__(
        self,
        channels: int,
        width: int = 64,
        depth: int = 4,
        flat: int = 24,
        hidden: int = 96,
        drop: float = 0.2,
        cells: int = 16,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels + HINTS, 1, 1))
        self.register_buffer("factor", torch.ones(1, channels + HINTS, 1, 1))
        self.body = nn.Sequential(
            *block(channels + HINTS, width, 1),
            nn.Dropout2d(drop * 0.4),
            *[Residual(width) for _ in range(depth)],
            *block(width, width, 3, 2),
            *block(width, flat, 1),
            nn.Flatten(),
            nn.Dropout(drop),
            nn.Linear(flat * ((cells + 1) // 2) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 5),
        )
        nn.init.normal_(self.body[-1].weight, std=0.01)
        nn.init.zeros_(self.body[-1].bias)

    def forward(self, x: Any) -> Any:
        """Compute (n, 5) of (n, channels + HINTS, side, side); see ``point_prompt.decode``."""
        return self.body((x - self.mean) * self.factor)

    def standardise(self, features: np.ndarray) -> None:
        """Set the mean and the spread of each channel of the features, (n, channels, ...)."""
        count = features.shape[1]
        values = torch.from_numpy(features.astype(np.float32).reshape(len(features), count, -1))
        self.mean[0, :count, 0, 0] = values.mean((0, 2))
        self.factor[0, :count, 0, 0] = 1 / (values.std((0, 2)) + 1e-4)


def boxes_of(values: Any) -> Any:
    """(n, 4) boxes (cx, cy, w, h) of the head's output, as ``point_prompt.decode`` in PyTorch."""
    sizes = 0.25 * torch.exp(values[:, 3:].clamp(-4, 2.5))
    return torch.cat([values[:, 1:3] * 0.1, sizes], 1)


def overlap(predicted: Any, true: Any) -> tuple[Any, Any]:
    """Intersection over union, and the generalised one, of boxes (n, 4) of (cx, cy, w, h)."""
    low = [boxes[:, :2] - boxes[:, 2:] / 2 for boxes in (predicted, true)]
    high = [boxes[:, :2] + boxes[:, 2:] / 2 for boxes in (predicted, true)]
    common = (torch.minimum(*high) - torch.maximum(*low)).clamp(min=0).prod(1)
    union = predicted[:, 2:].prod(1) + true[:, 2:].prod(1) - common
    hull = (torch.maximum(*high) - torch.minimum(*low)).prod(1)
    iou = common / union.clamp(min=1e-9)
    return iou, iou - (hull - union) / hull.clamp(min=1e-9)


def loss_of(values: Any, true: Any) -> Any:
    """The loss: of the boxes where there is an object, and of the score everywhere.

    Args:
        values: (n, 5), the head's output.
        true: (n, 4), zeros for background. The score learns the overlap of the head's own box.
    """
    there = true[:, 2] > 0
    boxes = boxes_of(values)
    safe = torch.where(there[:, None], true, torch.full_like(true, 0.25))
    iou, generalised = overlap(boxes, safe)
    sizes = safe[:, 2:]
    fits = (there & (sizes.prod(1).sqrt() > 0.06) & (sizes.prod(1).sqrt() < 0.9)).float()
    offsets = functional.smooth_l1_loss(
        torch.cat([boxes[:, :2] / sizes, boxes[:, 2:].log()], 1),
        torch.cat([safe[:, :2] / sizes, sizes.log()], 1),
        reduction="none",
        beta=0.1,
    ).sum(1)
    wanted = torch.where(there, iou.detach(), torch.zeros_like(iou))
    scores = functional.binary_cross_entropy_with_logits(values[:, 0], wanted)
    return (((1 - generalised) + 0.5 * offsets) * fits).mean() + 0.5 * scores


def to_onnx(head: Head, side: int = 16) -> bytes:
    """Export a trained head with its batch norms and standardisation folded into convolutions."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    head = head.eval()
    layers: list[Any] = []
    for layer in head.body:
        if isinstance(layer, Residual):
            layer.body = nn.Sequential(
                fuse_conv_bn_eval(layer.body[0], layer.body[1]), layer.body[2]
            )
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        elif not isinstance(layer, (nn.Dropout, nn.Dropout2d)):
            layers.append(layer)
    first = layers[0]  # a 1x1 convolution, so that the standardisation has no border
    with torch.no_grad():
        shift = (head.mean * head.factor)[0, :, 0, 0]
        first.bias -= first.weight[:, :, 0, 0] @ shift
        first.weight *= head.factor
    plain = nn.Sequential(*layers).eval()
    example = torch.zeros(1, head.mean.shape[1], side, side)
    file = io.BytesIO()
    torch.onnx.export(
        plain,
        (example,),
        file,
        input_names=["features"],
        output_names=["object"],
        dynamic_axes={"features": {0: "windows"}, "object": {0: "windows"}},
        opset_version=11,
        dynamo=False,
    )
    return file.getvalue()
