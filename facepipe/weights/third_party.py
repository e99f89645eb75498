"""Third-party weights that users download themselves. facepipe neither ships nor fetches them.

`facepipe weights add` registers such a file with its digest, by which it is verified from then on. Their publishers
do not state full digests; torchvision states prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass

from facepipe.errors import UsageError


@dataclass(frozen=True)
class ThirdPartyWeight:
    """A third-party weight that a user can add."""

    file: str
    """The name of the published file, or of the folder if there are several."""
    url: str
    """The URL of the file, or of a page that describes how to get it."""
    about: str
    kind: str = ""
    """The KIND argument of `facepipe weights add`; empty if it is the name in the registry."""
    licence: str = "unknown"
    space: str = ""
    scripted: bool = False
    """True for a TorchScript, which includes its layers and is stored unchanged; tensors of others are converted."""
    sha256_start: str = ""
    """The first hex digits of the file's sha256, if its publisher states them."""

    def remedy(self, name: str) -> str:
        """Return instructions to download and add the weight."""
        add = f"facepipe weights add {self.kind or name} {self.file}"
        bring = f"download {self.file} from {self.url} ({self.about})" if self.url else f"export {self.about}"
        return f"{bring}, then: {add}"


_FAN = "https://www.adrianbulat.com/downloads/python-fan"
_DEEP3D = "https://github.com/sicxu/Deep3DFaceRecon_pytorch"
#: Third-party weights by their name in the registry.
THIRD_PARTY = {
    "fan-3d": ThirdPartyWeight(
        "3DFAN4-7835d9f11d.pth.tar",
        f"{_FAN}/3DFAN4-7835d9f11d.pth.tar",
        "68 landmarks, from face-alignment",
    ),
    "fan-depth": ThirdPartyWeight(
        "depth-2a464da4ea.pth.tar",
        f"{_FAN}/depth-2a464da4ea.pth.tar",
        "depth of the 68 landmarks, from face-alignment",
    ),
    "deep3d": ThirdPartyWeight("epoch_20.pth", _DEEP3D, "the coefficient network of Deep3DFaceRecon", space="bfm"),
    "pirender-official": ThirdPartyWeight(
        "epoch_00190_iteration_000400000_checkpoint.pt",
        "https://github.com/RenYurui/PIRender",
        "the published PIRenderer, in folder result/face of face.zip",
        kind="pirender",
        licence="CC-BY-NC-4.0",
        space="bfm",
    ),
    "bilayer-official": ThirdPartyWeight(
        "runs",
        "https://github.com/saic-violet/bilayer-model",
        "the published bi-layer avatars: the folders vc2-hq_adrianb_paper_main and vc2-hq_adrianb_paper_enhancer of "
        "the drive folder linked from the README",
        kind="bilayer",
        space="keypoints68",
    ),
    "bfm": ThirdPartyWeight(
        "BFM_model_front.mat",
        _DEEP3D,
        "the Basel Face Model; the page describes how to get a licence",
        licence="BFM 2009",
        space="bfm",
    ),
    "alexnet": ThirdPartyWeight(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "the backbone of LPIPS, from torchvision",
        sha256_start="7be5be79",
    ),
    "lpips": ThirdPartyWeight(
        "alex.pth",
        "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
        "LPIPS 0.1 for AlexNet",
    ),
    "inception": ThirdPartyWeight(
        "inception-2015-12-05.pt",
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        "the feature network of FID",
        scripted=True,
    ),
    "vgg19": ThirdPartyWeight(
        "vgg19-dcbb9e9d.pth",
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        "the network of PIRenderer's perceptual losses, from torchvision",
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
    """Return the registry name of a kind. Raises UsageError, listing all kinds, if it is unknown."""
    for name, foreign in THIRD_PARTY.items():
        if (foreign.kind or name) == kind:
            return name
    known = ", ".join(foreign.kind or name for name, foreign in THIRD_PARTY.items())
    raise UsageError(f"unknown kind of weight {kind!r}, expected one of {known} before FILE")
