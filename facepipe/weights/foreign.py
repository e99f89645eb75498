"""Weights of others' making that facepipe knows of but neither ships nor fetches: their digests are not on record here.

The user downloads such a file and adds it by its name; from then on it is as good as any: registered by the digest of
what was added, and verified.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Foreign:
    """A weight that a user may bring."""

    file: str
    """What the file is called where it comes from."""
    url: str
    about: str

    def remedy(self, name: str) -> str:
        """Say how the weight gets here."""
        return f"download {self.url} ({self.about}), then: facepipe weights add {self.file} --name {name}"


_FAN = "https://www.adrianbulat.com/downloads/python-fan"
FOREIGN = {
    "fan-3d": Foreign("3DFAN4-7835d9f11d.pth.tar", f"{_FAN}/3DFAN4-7835d9f11d.pth.tar", "68 points, of face-alignment"),
    "fan-depth": Foreign("depth-2a464da4ea.pth.tar", f"{_FAN}/depth-2a464da4ea.pth.tar", "their depth"),
}
