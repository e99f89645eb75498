"""The convolutions of AlexNet, as the measure LPIPS needs them. Tensors are named as in torchvision's checkpoint."""

from __future__ import annotations

from torch import Tensor, nn

# (channels out, kernel, stride, padding, whether a 3x3 maximum of stride 2 comes before it)
LAYERS = (
    (64, 11, 4, 2, False),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, True),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, False),
)


class AlexNetFeatures(nn.Module):
    """Five convolutions, each followed by a ReLU; the activations after each are what it returns."""

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
        """Return five maps, (B, C, h, w) each, of (B, 3, H, W) pictures of 64 pixels and more."""
        maps = []
        for part in self.features:
            pictures = part(pictures)
            if isinstance(part, nn.ReLU):
                maps.append(pictures)
        return maps
