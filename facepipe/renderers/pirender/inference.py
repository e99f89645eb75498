"""The same network, faster: what depends on the source or on the motion alone is computed once.

Equal to `net.Pirender` but for rounding; `Pirender.forward` stays the reference.
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
    """What is computed once for a source."""

    picture: Tensor
    """(1, 3, H, W) float32"""
    features: Tensor
    """(1, C, H, W), the first features of the warping network."""
    normalised: Tensor
    """(1, C, H, W), the same features, each channel normalised to mean 0 and deviation 1."""
    editing: Tensor
    """(1, C, H, W), the source's part of the editing network's first convolution."""


class Steering(NamedTuple):
    """Scale and shift of every AdaIN for T frames, (T, C) each."""

    of: dict[AdaIN, tuple[Tensor, Tensor]]

    def rows(self, first: int, end: int) -> Steering:
        """Return those of some frames."""
        return Steering({norm: (scale[first:end], shift[first:end]) for norm, (scale, shift) in self.of.items()})


class FastPirender:
    """Renders frames of one source after another. The network is taken over: do not train it on."""

    def __init__(self, net: Pirender, *, dtype: torch.dtype | None = None) -> None:
        """Compute where the network lies, in `dtype`, or in half precision where that is faster."""
        self.net, self.config = without_spectral_norm(net).eval().requires_grad_(False), net.config
        self.device = next(net.parameters()).device
        self.dtype = dtype or compute_dtype(device=self.device)
        # What multiplies matrices of half precision wants the channels side by side.
        self.layout = torch.channels_last if self.dtype == torch.bfloat16 else torch.contiguous_format
        for part in (net.warpping_net, net.editing_net):
            _lay_out(part, self.dtype, self.layout)
        norms = {name: module for name, module in net.named_modules() if isinstance(module, AdaIN)}
        self.norms = [norm for name, norm in norms.items() if not name.endswith(".norm1")]
        channels, conv = self.config.image_channels, net.editing_net.encoder.first.conv
        # Side by side in either case, for the loops on the CPU want them so too.
        self.first_source = conv.weight[:, :channels].contiguous(memory_format=torch.channels_last)
        self.first_warped = conv.weight[:, channels:].contiguous(memory_format=torch.channels_last)
        in_full = self.device.type == "cpu" and self.dtype in (torch.float32, torch.float64)
        self.cpu_editing = CpuEditing(net.editing_net, threads=torch.get_num_threads()) if in_full else None

    @torch.inference_mode()
    def prepare(self, picture: Tensor) -> SourceFeatures:
        """Take a (1, 3, H, W) picture in [-1, 1], float32 or, for a network that is, float64."""
        picture = picture.to(self.device)
        drawn = picture.to(self.dtype, memory_format=self.layout)
        features = self.net.warpping_net.hourglass.encoder.input_layer(drawn)
        side_by_side = drawn.contiguous(memory_format=torch.channels_last)
        editing = F.conv2d(side_by_side, self.first_source, self.net.editing_net.encoder.first.conv.bias, padding=3)
        return SourceFeatures(picture, features, F.instance_norm(features, eps=EPSILON), editing)

    def restored(self, tensors: Mapping[str, Tensor]) -> SourceFeatures:
        """Return features that were stored, on this network's device and in its precision and memory layout."""
        picture, features, normalised, editing = (tensors[name].to(self.device) for name in SourceFeatures._fields)
        return SourceFeatures(
            picture.contiguous(memory_format=torch.channels_last),
            features.to(self.dtype, memory_format=self.layout),
            normalised.to(self.dtype),
            editing.to(self.dtype, memory_format=torch.channels_last),
        )

    @torch.inference_mode()
    def steer(self, windows: Tensor) -> Steering:
        """Take the (T, 73, 27) windows of T frames."""
        z = self.net.mapping_net(windows.to(self.device))
        steering = {norm: norm.modulation(z) for norm in self.norms}
        return Steering(
            {norm: (scale.to(self.dtype), shift.to(self.dtype)) for norm, (scale, shift) in steering.items()}
        )

    @torch.inference_mode()
    def render(self, work: SourceFeatures, steering: Steering) -> Rendering:
        """Render the frames of the steering as one batch."""
        flow_field = self._flow(work, steering).to(work.picture.dtype)
        picture = work.picture.expand(len(flow_field), -1, -1, -1)
        warp_image = warped(picture, flow_field)
        fake_image = self._edited(work, warp_image.to(self.dtype, memory_format=self.layout), steering).to(
            work.picture.dtype
        )
        return Rendering(flow_field, warp_image, fake_image)

    def _flow(self, work: SourceFeatures, steering: Steering) -> Tensor:
        net, features = self.net.warpping_net, [work.features]
        for block in net.hourglass.encoder.blocks:
            if len(features) == 1:
                x = _affine(work.normalised, *steering.of[block.norm_0])
            else:
                x = _normed(features[-1], *steering.of[block.norm_0])
            x = block.conv_0(_leaky(x))
            features.append(block.conv_1(_leaky(_normed(x, *steering.of[block.norm_1]))))
        x = features[-1]
        for level, ascent in net.hourglass.decoder.blocks:
            inner = ascent.conv_0(_leaky(_normed(x, *steering.of[ascent.norm_0])))
            main = ascent.conv_1(_leaky(_normed(inner, *steering.of[ascent.norm_1])))
            main += ascent.conv_s(_leaky(_normed(x, *steering.of[ascent.norm_s])))
            x = torch.cat([main, features[level].expand(len(main), -1, -1, -1)], dim=1)
        norm, _, conv = net.flow_out
        return conv(_leaky(norm(x)))  # type: ignore[no-any-return]

    def _edited(self, work: SourceFeatures, warp_image: Tensor, steering: Steering) -> Tensor:
        first = F.conv2d(warp_image, self.first_warped, padding=3).add_(work.editing)
        if self.cpu_editing and self.cpu_editing.takes(first):
            one_by_one = [
                self.cpu_editing(first[frame : frame + 1], steering.rows(frame, frame + 1).of)
                for frame in range(len(first))
            ]
            return torch.cat(one_by_one)
        return self._edited_in_batch(first, steering)

    def _edited_in_batch(self, first: Tensor, steering: Steering) -> Tensor:
        encoder, decoder = self.net.editing_net.encoder, self.net.editing_net.decoder
        features = [encoder.first.finish(first)]
        for unit in encoder.units:
            features.append(F.avg_pool2d(unit.finish(unit.conv(features[-1])), 2))
        x = features[-1]
        for step in decoder.steps:
            for block in step.residual.blocks:
                x = x + _normed(block.conv2(x), *steering.of[block.norm2])
            x = step.up.finish(step.up.conv(F.interpolate(x, scale_factor=2.0, mode="nearest")))
            x += step.jump.finish(step.jump.conv(features[step.level]))
        return torch.tanh(decoder.final.conv(x))


def _lay_out(part: nn.Module, dtype: torch.dtype, layout: torch.memory_format) -> None:
    """Cast what works on pictures; motion is followed in float32 up to the scales and shifts, which are few."""
    for module in part.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(dtype).to(memory_format=layout)  # type: ignore[call-overload]
        elif isinstance(module, LayerNorm):
            module.to(dtype)


def _normed(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    if len(x) == 1:  # One pass over the features less than norm, product and sum.
        return F.group_norm(x, x.shape[1], scale[0], shift[0], EPSILON)
    return _affine(F.instance_norm(x, eps=EPSILON), scale, shift)


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift[..., None, None], x, scale[..., None, None])


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)


def without_spectral_norm(net: Pirender) -> Pirender:
    """Give every convolution the weights that it has been running with, for good."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and hasattr(module, "weight_orig"):
            nn.utils.remove_spectral_norm(module)
    return net
