"""Muon for the kernels of convolutions, AdamW for the rest, under one learning rate."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

MOMENTUM, DECAY = 0.95, 0.02  # of weights: AdamW's too


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Approximate the closest orthogonal matrix by Newton-Schulz steps (Jordan et al., 2024)."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-12)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum with an orthogonal update of the size of Adam's, so that both take the same rate."""

    def __init__(self, parameters: Iterable[Any], lr: float) -> None:
        super().__init__(parameters, dict(lr=lr))

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        state = self.state[parameter]
        mean = state.setdefault("mean", torch.zeros_like(gradient))
        mean.lerp_(gradient, 1 - MOMENTUM)
        update = gradient.lerp(mean, MOMENTUM).flatten(1)
        step = orthogonal(update).reshape(parameter.shape) * (0.2 * max(update.shape) ** 0.5)
        parameter.mul_(1 - group["lr"] * DECAY).add_(step, alpha=-group["lr"])


# a part of the network -> what the names of its parameters begin with
PARTS = {"backbone": "backbone.layers.", "project": "backbone.project.", "head": "head."}


def part_of(name: str) -> str:
    """The part of ``PARTS`` that a parameter belongs to, or ""."""
    return next((part for part, begin in PARTS.items() if name.startswith(begin)), "")


def optimisers(module: nn.Module, lr: float) -> list[Any]:
    """Make Muon for the kernels of convolutions of ``module``, AdamW for its other parameters.

    Each group has its ``part``, so that parts can have rates of their own.
    """
    groups: dict[tuple[str, str], list[Any]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            kind = "plain" if parameter.ndim < 2 else "other"
            if name.endswith("weight") and parameter.ndim == 4 and parameter.shape[0] > 4:
                kind = "kernel"
            groups.setdefault((kind, part_of(name)), []).append(parameter)
    kernels, remaining = [], []
    for (kind, part), parameters in groups.items():
        group = {"params": parameters, "part": part}
        if kind == "kernel":
            kernels.append(group)
        else:
            remaining.append({**group, "weight_decay": DECAY if kind == "other" else 0.0})
    chosen: list[Any] = [torch.optim.AdamW(remaining, lr, (0.9, 0.99))]
    return chosen + ([Muon(kernels, lr)] if kernels else [])
