"""The convolutions of AlexNet, for LPIPS. Parameter names are those of torchvision's checkpoint."""

from __future__ import annotations

from torch import Tensor, nn

# (output channels, kernel, stride, padding, True if preceded by 3x3 max pooling of stride 2)
LAYERS = (
    (64, 11, 4, 2, False),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, True),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, False),
)


class AlexNetFeatures(nn.Module):
    """Five convolutions, each followed by a ReLU. Returns the activations after each ReLU."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for out, kernel, stride, padding, pooled in LAYERS:
            parts += [nn.MaxPool2d(3, 2)] if pooled else []
            parts += [nn.Conv2d(channels, out, kernel, stride, padding), nn.ReLU()]
            channels = out
        self.features = nn.Sequential(*parts)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) pictures, H and W at least 64, to five feature maps (B, C, h, w)."""
        maps = []
        for part in self.features:
            pictures = part(pictures)
            if isinstance(part, nn.ReLU):
                maps.append(pictures)
        return maps
