"""Training: one command, one thread, a few minutes, the same weights each time on the same machine."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ingest.ocr.network import CLASSES, LAYERS
from ingest.ocr.training.glyphs import any_face
from ingest.ocr.training.lines import IGNORED, any_sample

SEED = 20261122
FACES = 420
STEPS = 2000
BATCH = 48
WIDTHS = (112, 160, 224)
RATE = 3e-3
SMOOTHING = 0.01


class Trainee(nn.Module):
    """The network with batch normalisation after each convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(
                layer.inputs,
                layer.outputs,
                layer.kernel,
                padding=(layer.kernel[0] // 2 if layer.same_rows else 0, layer.kernel[1] // 2),
                bias=not layer.rectified,
            )
            for layer in LAYERS
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(layer.outputs) for layer in LAYERS if layer.rectified)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(n, class, columns)`` of pictures ``(n, 1, 16, width)``, 0 to 1."""
        for k, layer in enumerate(LAYERS):
            x = self.convolutions[k](x)
            if layer.pool != (1, 1):
                x = nn.functional.max_pool2d(x, layer.pool)
            if layer.rectified:
                x = torch.relu(self.norms[k](x))
        return x[:, :, 0]


def train(
    report: Callable[[str], None],
    steps: int = STEPS,
    faces: int = FACES,
    batch: int = BATCH,
    seed: int = SEED,
) -> dict[str, np.ndarray]:
    """Train from nothing and return the weights that `ingest.ocr.network.Network` takes, float16."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    styles = [any_face(rng) for _ in range(faces)]
    model = Trainee()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps)
    loss_of = nn.CrossEntropyLoss(ignore_index=IGNORED, label_smoothing=SMOOTHING)
    running = 0.0
    for step in range(steps):
        width = int(rng.choice(WIDTHS))
        samples = [any_sample(rng, styles[int(rng.integers(faces))], width) for _ in range(batch)]
        pictures = torch.from_numpy(np.stack([s.picture for s in samples]))[:, None].float() / 255.0
        targets = torch.from_numpy(np.stack([s.target for s in samples]))
        loss = loss_of(model(pictures), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        running = 0.98 * running + 0.02 * loss.item() if step else loss.item()
        if step % 100 == 99:
            report(f"step {step + 1} of {steps}: loss {running:.4f}")
    return folded(model)


def folded(model: Trainee) -> dict[str, np.ndarray]:
    """Weights with the normalisation taken into the kernels, rounded to float16."""
    model.eval()
    weights: dict[str, np.ndarray] = {}
    for k, layer in enumerate(LAYERS):
        convolution = model.convolutions[k]
        assert isinstance(convolution, nn.Conv2d)
        kernel = convolution.weight.detach().double().numpy()
        if layer.rectified:
            norm = model.norms[k]
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_var is not None
            assert norm.running_mean is not None
            scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach().double().numpy()
            offset = norm.bias.detach().double().numpy() - norm.running_mean.double().numpy() * scale
            kernel = kernel * scale[:, None, None, None]
        else:
            assert convolution.bias is not None
            offset = convolution.bias.detach().double().numpy()
        weights[f"kernel{k}"] = kernel.astype(np.float16)
        weights[f"offset{k}"] = offset.astype(np.float16)
    return weights


def save(weights: dict[str, np.ndarray], path: Path) -> None:
    """Write the weights file."""
    assert set(weights) == {f"{name}{k}" for name in ("kernel", "offset") for k in range(len(LAYERS))}
    assert weights[f"offset{len(LAYERS) - 1}"].size == len(CLASSES)
    np.savez(path, allow_pickle=False, **weights)
