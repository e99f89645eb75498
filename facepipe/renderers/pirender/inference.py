"""Faster inference: what depends only on the source, or only on the motion, is computed once.

Results equal those of `net.Pirender` up to rounding; `Pirender.forward` is the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepipe.device import compute_dtype
from facepipe.models.normalisation import EPSILON, AdaIN, LayerNorm
from facepipe.renderers.pirender.config import SLOPE
from facepipe.renderers.pirender.cpu import CpuEditing
from facepipe.renderers.pirender.net import Pirender, Rendering
from facepipe.renderers.pirender.warping import warped


class SourceFeatures(NamedTuple):
    """Tensors that are computed once per source. The stage `prepare` stores them under these names."""

    picture: Tensor
    """(1, 3, H, W) float32"""
    features: Tensor
    """(1, C, H, W), the first layer of the warping network."""
    normalised: Tensor
    """(1, C, H, W), `features` after instance norm."""
    editing: Tensor
    """(1, C, H, W), the source's contribution to the first convolution of the editing network."""


class Modulation(NamedTuple):
    """Modulation of all AdaIN layers for T frames."""

    parameters: dict[AdaIN, tuple[Tensor, Tensor]]
    """Scale and shift, each (T, C), by layer."""

    def rows(self, first: int, end: int) -> Modulation:
        """Return the modulation of the frames `first` to `end` - 1."""
        return Modulation(
            {norm: (scale[first:end], shift[first:end]) for norm, (scale, shift) in self.parameters.items()}
        )


class FastPirender:
    """Renders frames. The network is changed in place and cannot be trained afterwards."""

    def __init__(self, net: Pirender, *, dtype: torch.dtype | None = None, threads: int = 0) -> None:
        """Run on the network's device, in `dtype`; by default in half precision where that is faster, else float32.

        On a CPU in full precision, `threads` share the editing network, which changes no result; 0 is torch's number.
        """
        self.net, self.config = without_spectral_norm(net).eval().requires_grad_(False), net.config
        self.device = next(net.parameters()).device
        self.dtype = dtype or compute_dtype(device=self.device)
        # Half-precision convolutions are fastest in channels-last format.
        self.layout = torch.channels_last if self.dtype == torch.bfloat16 else torch.contiguous_format
        for part in (net.warpping_net, net.editing_net):
            _cast(part, self.dtype, self.layout)
        norms = {name: module for name, module in net.named_modules() if isinstance(module, AdaIN)}
        self.norms = [norm for name, norm in norms.items() if not name.endswith(".norm1")]
        channels, conv = self.config.image_channels, net.editing_net.encoder.first.conv
        # Channels last in both cases: the fused kernels on the CPU read that format too.
        self.first_source = conv.weight[:, :channels].contiguous(memory_format=torch.channels_last)
        self.first_warped = conv.weight[:, channels:].contiguous(memory_format=torch.channels_last)
        in_full = self.device.type == "cpu" and self.dtype in (torch.float32, torch.float64)
        self.cpu_editing = CpuEditing(net.editing_net, threads=threads or torch.get_num_threads()) if in_full else None

    @torch.inference_mode()
    def prepare(self, picture: Tensor) -> SourceFeatures:
        """Compute the features of a (1, 3, H, W) picture in [-1, 1], float32, or float64 for a float64 network."""
        picture = picture.to(self.device)
        cast = picture.to(self.dtype, memory_format=self.layout)
        features = self.net.warpping_net.hourglass.encoder.input_layer(cast)
        channels_last = cast.contiguous(memory_format=torch.channels_last)
        editing = F.conv2d(channels_last, self.first_source, self.net.editing_net.encoder.first.conv.bias, padding=3)
        return SourceFeatures(picture, features, F.instance_norm(features, eps=EPSILON), editing)

    def restored(self, tensors: Mapping[str, Tensor]) -> SourceFeatures:
        """Return stored features, on this network's device and in its dtype and memory format."""
        picture, features, normalised, editing = (tensors[name].to(self.device) for name in SourceFeatures._fields)
        return SourceFeatures(
            picture.contiguous(memory_format=torch.channels_last),
            features.to(self.dtype, memory_format=self.layout),
            normalised.to(self.dtype),
            editing.to(self.dtype, memory_format=torch.channels_last),
        )

    @torch.inference_mode()
    def modulate(self, windows: Tensor) -> Modulation:
        """Compute the modulation of T frames from their (T, 73, 27) windows of motion."""
        z = self.net.mapping_net(windows.to(self.device))
        parameters = {norm: norm.modulation(z) for norm in self.norms}
        return Modulation(
            {norm: (scale.to(self.dtype), shift.to(self.dtype)) for norm, (scale, shift) in parameters.items()}
        )

    @torch.inference_mode()
    def render(self, features: SourceFeatures, modulation: Modulation) -> Rendering:
        """Render the frames of a modulation as one batch."""
        flow_field = self._flow(features, modulation).to(features.picture.dtype)
        picture = features.picture.expand(len(flow_field), -1, -1, -1)
        warp_image = warped(picture, flow_field)
        fake_image = self._edit(features, warp_image.to(self.dtype, memory_format=self.layout), modulation).to(
            features.picture.dtype
        )
        return Rendering(flow_field, warp_image, fake_image)

    def _flow(self, features: SourceFeatures, modulation: Modulation) -> Tensor:
        net, levels = self.net.warpping_net, [features.features]
        for block in net.hourglass.encoder.blocks:
            if len(levels) == 1:
                x = _affine(features.normalised, *modulation.parameters[block.norm_0])
            else:
                x = _normed(levels[-1], *modulation.parameters[block.norm_0])
            x = block.conv_0(_leaky(x))
            levels.append(block.conv_1(_leaky(_normed(x, *modulation.parameters[block.norm_1]))))
        x = levels[-1]
        for level, ascent in net.hourglass.decoder.blocks:
            inner = ascent.conv_0(_leaky(_normed(x, *modulation.parameters[ascent.norm_0])))
            main = ascent.conv_1(_leaky(_normed(inner, *modulation.parameters[ascent.norm_1])))
            main += ascent.conv_s(_leaky(_normed(x, *modulation.parameters[ascent.norm_s])))
            x = torch.cat([main, levels[level].expand(len(main), -1, -1, -1)], dim=1)
        norm, _, conv = net.flow_out
        return conv(_leaky(norm(x)))  # type: ignore[no-any-return]

    def _edit(self, features: SourceFeatures, warp_image: Tensor, modulation: Modulation) -> Tensor:
        first = F.conv2d(warp_image, self.first_warped, padding=3).add_(features.editing)
        if self.cpu_editing and self.cpu_editing.supports(first):
            frames = [
                self.cpu_editing(first[frame : frame + 1], modulation.rows(frame, frame + 1).parameters)
                for frame in range(len(first))
            ]
            return torch.cat(frames)
        return self._edit_batch(first, modulation)

    def _edit_batch(self, first: Tensor, modulation: Modulation) -> Tensor:
        encoder, decoder = self.net.editing_net.encoder, self.net.editing_net.decoder
        features = [encoder.first.finish(first)]
        for unit in encoder.units:
            features.append(F.avg_pool2d(unit.finish(unit.conv(features[-1])), 2))
        x = features[-1]
        for step in decoder.steps:
            for block in step.residual.blocks:
                x = x + _normed(block.conv2(x), *modulation.parameters[block.norm2])
            x = step.up.finish(step.up.conv(F.interpolate(x, scale_factor=2.0, mode="nearest")))
            x += step.jump.finish(step.jump.conv(features[step.level]))
        return torch.tanh(decoder.final.conv(x))


def _cast(part: nn.Module, dtype: torch.dtype, layout: torch.memory_format) -> None:
    """Cast the layers that process pictures. The modulation is computed in float32, which is cheap, and cast then."""
    for module in part.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(dtype).to(memory_format=layout)  # type: ignore[call-overload]
        elif isinstance(module, LayerNorm):
            module.to(dtype)


def _normed(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    if len(x) == 1:  # One pass over the features instead of three.
        return F.group_norm(x, x.shape[1], scale[0], shift[0], EPSILON)
    return _affine(F.instance_norm(x, eps=EPSILON), scale, shift)


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift[..., None, None], x, scale[..., None, None])


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)


def without_spectral_norm(net: Pirender) -> Pirender:
    """Fold the spectral norm of every convolution into its weights, in place."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and hasattr(module, "weight_orig"):
            nn.utils.remove_spectral_norm(module)
    return net
