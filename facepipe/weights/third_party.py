"""Weights of third parties, which facepipe neither ships nor fetches; users download and add them.

An added weight is registered by the sha256 of what was added, and verified like any other. Full digests are not
published; torchvision publishes prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass

from facepipe.errors import UsageError


@dataclass(frozen=True)
class ThirdPartyWeight:
    """A weight that a user can add."""

    file: str
    """The name of the file at its source."""
    url: str
    """URL of the file, or of the page that explains how to get it; empty for one that is exported."""
    about: str
    kind: str = ""
    """What `facepipe weights add` is told that the file is; empty where that is the name that the registry gives it."""
    licence: str = "unknown"
    space: str = ""
    scripted: bool = False
    """True for a TorchScript, which is kept as it is; the tensors of other files are converted."""
    sha256_start: str = ""
    """The published first digits of the sha256 of the file; empty if none are published."""

    def remedy(self, name: str) -> str:
        """Return how to get the weight and how to add it."""
        add = f"facepipe weights add {self.kind or name} {self.file}"
        bring = f"get {self.file} from {self.url} ({self.about})" if self.url else f"export {self.about}"
        return f"{bring}, then: {add}"


_FAN = "https://www.adrianbulat.com/downloads/python-fan"
_DEEP3D = "https://github.com/sicxu/Deep3DFaceRecon_pytorch"
#: By registry name.
THIRD_PARTY = {
    "fan-3d": ThirdPartyWeight(
        "3DFAN4-7835d9f11d.pth.tar",
        f"{_FAN}/3DFAN4-7835d9f11d.pth.tar",
        "68 points, of face-alignment",
    ),
    "fan-depth": ThirdPartyWeight("depth-2a464da4ea.pth.tar", f"{_FAN}/depth-2a464da4ea.pth.tar", "their depth"),
    "deep3d": ThirdPartyWeight("epoch_20.pth", _DEEP3D, "the coefficient network of Deep3DFaceRecon", space="bfm"),
    "pirender-official": ThirdPartyWeight(
        "epoch_00190_iteration_000400000_checkpoint.pt",
        "https://github.com/RenYurui/PIRender",
        "the published PIRenderer: folder result/face of its face.zip",
        kind="pirender",
        licence="CC-BY-NC-4.0",
        space="bfm",
    ),
    "bfm": ThirdPartyWeight(
        "BFM_model_front.mat",
        _DEEP3D,
        "the Basel Face Model, of which its page says how one is licensed to use it",
        licence="BFM 2009",
        space="bfm",
    ),
    "alexnet": ThirdPartyWeight(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "the trunk of LPIPS, of torchvision",
        sha256_start="7be5be79",
    ),
    "lpips": ThirdPartyWeight(
        "alex.pth",
        "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
        "LPIPS 0.1 over AlexNet",
    ),
    "inception": ThirdPartyWeight(
        "inception-2015-12-05.pt",
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        "the features of FID",
        scripted=True,
    ),
    "vgg19": ThirdPartyWeight(
        "vgg19-dcbb9e9d.pth",
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        "the network of PIRenderer's own losses, of torchvision",
        sha256_start="dcbb9e9d",
    ),
    "recognition": ThirdPartyWeight(
        "recognition.pt",
        "",
        "a face recognition network as TorchScript, (B, 3, 112, 112) RGB in [-1, 1] to (B, D)",
        scripted=True,
    ),
}


def name_of(kind: str) -> str:
    """Return the registry name of a kind. Raises UsageError that lists the kinds."""
    for name, weight in THIRD_PARTY.items():
        if (weight.kind or name) == kind:
            return name
    known = ", ".join(weight.kind or name for name, weight in THIRD_PARTY.items())
    raise UsageError(f"{kind!r} is no kind of weight, expected one of {known} before the FILE")
