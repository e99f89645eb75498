"""The paper's losses: VGG-19 maps over a pyramid of the pictures, and their Gram matrices (sections 3.1 and 3.2)."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.models.vgg import Vgg19Features, vgg19_of

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALES = 4
WARP_WEIGHT, PICTURE_WEIGHT, STYLE_WEIGHT = 2.5, 4.0, 250.0


def open_vgg19(*, average: bool = False) -> Vgg19Features:
    """Return the registered VGG-19. Raises WeightsError with instructions if there is none.

    `average` is that of `Vgg19Features`.
    """
    if "vgg19" not in weights.registered():
        raise WeightsError(f"The paper's losses need VGG-19: {weights.THIRD_PARTY['vgg19'].remedy('vgg19')}.")
    file = weights.find("vgg19")
    try:
        return vgg19_of(load_file(file.path), average=average)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"{file.path} is not VGG-19 ({str(error).splitlines()[0]}): add the right file.") from error


class VggLoss(nn.Module):
    """Content and style distances of (B, 3, H, W) pictures in [-1, 1]."""

    def __init__(self, vgg: Vgg19Features) -> None:
        super().__init__()
        self.vgg = vgg
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1))

    def normalised(self, pictures: Tensor) -> Tensor:
        """Convert pictures from [-1, 1] to ImageNet's mean and standard deviation."""
        return ((pictures + 1) / 2 - self.mean) / self.deviation  # type: ignore[operator]

    def content(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return the sum over four scales and five layers of the mean absolute difference."""
        made, truth = self.normalised(made), self.normalised(truth)
        total = torch.zeros((), device=made.device)
        for scale in range(SCALES):
            if scale:
                made, truth = (
                    functional.interpolate(part, scale_factor=0.5, mode="bilinear", align_corners=False)
                    for part in (made, truth)
                )
            with torch.no_grad():
                wanted = self.vgg(truth)
            gaps = [(one - other).abs().mean() for one, other in zip(self.vgg(made), wanted, strict=True)]
            total = total + torch.stack(gaps).sum()
        return total

    def style(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return the sum over five layers of the mean absolute difference of the Gram matrices."""
        with torch.no_grad():
            wanted = [gram(part) for part in self.vgg(self.normalised(truth))]
        found = [gram(part) for part in self.vgg(self.normalised(made))]
        return torch.stack([(one - other).abs().mean() for one, other in zip(found, wanted, strict=True)]).sum()


def gram(maps: Tensor) -> Tensor:
    """Return (B, C, C) Gram matrices: products of the channels of (B, C, H, W), divided by C H W."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / (maps.shape[1] * maps.shape[2] * maps.shape[3])


def paper_losses(loss: VggLoss, warp: Tensor, picture: Tensor | None, truth: Tensor) -> dict[str, Tensor]:
    """Return the weighted losses of a step; `picture` is None in the first stage."""
    losses = {"warp": WARP_WEIGHT * loss.content(warp, truth)}
    if picture is not None:
        losses["content"] = PICTURE_WEIGHT * loss.content(picture, truth)
        losses["style"] = PICTURE_WEIGHT * STYLE_WEIGHT * loss.style(picture, truth)
    return losses
