"""The first thirteen convolutions of VGG-19 (Simonyan and Zisserman 2015). Parameter names are torchvision's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Channels of the convolutions of each level; 2x2 max pooling between levels.
LEVELS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
# relu1_1, relu2_1, relu3_1, relu4_1, relu5_1.
LAYERS = (1, 6, 11, 20, 29)


class Vgg19Features(nn.Module):
    """Returns the feature maps after the first ReLU of each of the five levels."""

    def __init__(self, levels: tuple[tuple[int, ...], ...] = LEVELS, *, average: bool = False) -> None:
        """Take the channels of each level, and whether 2x2 averages replace the maxima between levels."""
        super().__init__()
        layers: list[nn.Module] = []
        self.taken, inputs = [], 3
        for number, level in enumerate(levels):
            if number:
                layers.append(nn.AvgPool2d(2) if average else nn.MaxPool2d(2, 2))
            self.taken.append(len(layers) + 1)
            for outputs in level:
                layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU()]
                inputs = outputs
        # Only the first convolution of the last level is needed.
        self.features = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) pictures with ImageNet normalisation to five feature maps."""
        maps, x = [], pictures
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taken:
                maps.append(x)
        return maps


def vgg19_of(state: dict[str, Tensor], *, average: bool = False) -> Vgg19Features:
    """Return the frozen network with torchvision's state. Raises RuntimeError or KeyError if the state does not fit."""
    net = Vgg19Features(average=average)
    with torch.no_grad():
        net.load_state_dict({name: state[name] for name in net.state_dict()})
    return net.eval().requires_grad_(False)
