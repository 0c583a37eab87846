"""The recogniser in PyTorch, with its normalisation folded in: what EasyOCR loads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ingest.ocr.network import LAYERS

PREFIX = "module."
"""EasyOCR strips the first seven characters of every key."""


class Model(nn.Module):
    """The layers of `ingest.ocr.network`; the arguments are those that EasyOCR gives to any network."""

    def __init__(self, num_class: int, **_unused: Any) -> None:
        super().__init__()
        if num_class != LAYERS[-1].outputs:
            raise ValueError(f"{num_class} classes asked, the recogniser has {LAYERS[-1].outputs}")
        self.convolutions = nn.ModuleList(
            nn.Conv2d(
                layer.inputs,
                layer.outputs,
                layer.kernel,
                padding=(layer.kernel[0] // 2 if layer.same_rows else 0, layer.kernel[1] // 2),
            )
            for layer in LAYERS
        )

    def forward(self, image: torch.Tensor, _text: torch.Tensor | None = None) -> torch.Tensor:
        """Logits ``(n, columns, class)`` of pictures ``(n, 1, 16, width)``, -1 to 1."""
        x = (image + 1.0) * 0.5
        for convolution, layer in zip(self.convolutions, LAYERS, strict=True):
            x = convolution(x)
            if layer.pool != (1, 1):
                x = nn.functional.max_pool2d(x, layer.pool)
            if layer.rectified:
                x = torch.relu(x)
        return x[:, :, 0].transpose(1, 2)


def state(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    """The shipped weights under the keys that EasyOCR's loader expects."""
    held = {}
    for k, layer in enumerate(LAYERS):
        kernel = weights[f"kernel{k}"].reshape(layer.outputs, layer.inputs, *layer.kernel)
        held[f"{PREFIX}convolutions.{k}.weight"] = torch.from_numpy(np.array(kernel))
        held[f"{PREFIX}convolutions.{k}.bias"] = torch.from_numpy(np.array(weights[f"offset{k}"]))
    return held
