"""Weights of others' making that facepipe knows of but neither ships nor fetches.

The user downloads such a file and adds it by its name; from then on it is as good as any: registered by the digest of
what was added, and verified. Whole digests are on record nowhere; torchvision tells how its own begin.
"""

from __future__ import annotations

from dataclasses import dataclass

from facepipe.errors import UsageError


@dataclass(frozen=True)
class Foreign:
    """A weight that a user may bring."""

    file: str
    """What the file is called where it comes from."""
    url: str
    """The file, or the page that says how to get it."""
    about: str
    kind: str = ""
    """What `facepipe weights add` is told that the file is; empty where that is the name that the registry gives it."""
    licence: str = "unknown"
    space: str = ""
    scripted: bool = False
    """Whether it is a TorchScript, a network with its own layers, kept as it is; else its tensors are converted."""
    sha256_start: str = ""
    """How the sha256 of the file begins, where those who publish it tell."""

    def remedy(self, name: str) -> str:
        """Say how the weight gets here."""
        add = f"facepipe weights add {self.kind or name} {self.file}"
        bring = f"get {self.file} from {self.url} ({self.about})" if self.url else f"export {self.about}"
        return f"{bring}, then: {add}"


_FAN = "https://www.adrianbulat.com/downloads/python-fan"
_DEEP3D = "https://github.com/sicxu/Deep3DFaceRecon_pytorch"
#: By the name that the registry gives them.
FOREIGN = {
    "fan-3d": Foreign(
        "3DFAN4-7835d9f11d.pth.tar",
        f"{_FAN}/3DFAN4-7835d9f11d.pth.tar",
        "68 points, of face-alignment",
    ),
    "fan-depth": Foreign("depth-2a464da4ea.pth.tar", f"{_FAN}/depth-2a464da4ea.pth.tar", "their depth"),
    "deep3d": Foreign("epoch_20.pth", _DEEP3D, "the coefficient network of Deep3DFaceRecon", space="bfm"),
    "pirender-official": Foreign(
        "epoch_00190_iteration_000400000_checkpoint.pt",
        "https://github.com/RenYurui/PIRender",
        "the published PIRenderer: folder result/face of its face.zip",
        kind="pirender",
        licence="CC-BY-NC-4.0",
        space="bfm",
    ),
    "bfm": Foreign(
        "BFM_model_front.mat",
        _DEEP3D,
        "the Basel Face Model, of which its page says how one is licensed to use it",
        licence="BFM 2009",
        space="bfm",
    ),
    "alexnet": Foreign(
        "alexnet-owt-7be5be79.pth",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "the trunk of LPIPS, of torchvision",
        sha256_start="7be5be79",
    ),
    "lpips": Foreign(
        "alex.pth",
        "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
        "LPIPS 0.1 over AlexNet",
    ),
    "inception": Foreign(
        "inception-2015-12-05.pt",
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        "the features of FID",
        scripted=True,
    ),
    "vgg19": Foreign(
        "vgg19-dcbb9e9d.pth",
        "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        "the network of PIRenderer's own losses, of torchvision",
        sha256_start="dcbb9e9d",
    ),
    "recognition": Foreign(
        "recognition.pt",
        "",
        "a face recognition network as TorchScript, (B, 3, 112, 112) RGB in [-1, 1] to (B, D)",
        scripted=True,
    ),
}


def name_of(kind: str) -> str:
    """Return the registry's name of a kind. Raises UsageError naming those that there are."""
    for name, foreign in FOREIGN.items():
        if (foreign.kind or name) == kind:
            return name
    known = ", ".join(foreign.kind or name for name, foreign in FOREIGN.items())
    raise UsageError(f"{kind!r} is no kind of weight, expected one of {known} before the FILE")
