"""The declaration of an asset: one option of one discrete type of the avatar vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facepipe.avatar.mesh import Part

if TYPE_CHECKING:
    from facepipe.avatar.shaped_head import ShapedHead
    from facepipe.avatar.vector import AvatarVector


@dataclass(frozen=True)
class Asset:
    """One option of a type, as a pure function of the head and the vector."""

    type: str
    name: str
    build: Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]
    """Returns no part, or several of names in PARTS. Topology does not depend on the arguments."""


def nothing(_head: ShapedHead, _vector: AvatarVector) -> tuple[Part, ...]:
    """Build no part: the option "none"."""
    return ()


def table(*assets: Asset) -> dict[str, Asset]:
    """Return the assets of one type by name, in order. Raises ValueError if a name is there twice."""
    named = {asset.name: asset for asset in assets}
    if len(named) < len(assets):
        raise ValueError(f"two assets of one name among {[asset.name for asset in assets]}")
    return named
