"""Neutral avatars: avatars for pictures without expression, of which many differ a little."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from facepipe.avatar.groups import GROUPS, Body, Group, in_order
from facepipe.avatar.head import Head
from facepipe.avatar.mesh import Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.shaping import shaper_of
from facepipe.avatar.sliders import NAMES
from facepipe.avatar.vector import AvatarVector

Key = tuple[Any, ...]
KEPT_BODIES = 8
_OF_GROUPS = {name for group in GROUPS.values() for name in group.sliders}
OF_BODY = tuple(name for name in NAMES if name not in _OF_GROUPS)
"""The sliders that shape the head."""


@dataclass(frozen=True, eq=False)
class NeutralAvatar:
    """The parts of an avatar without what moves them. Vertices and colours are those of `build`."""

    head: ShapedHead
    parts: tuple[Part, ...]
    """In the order of PARTS."""


@dataclass(frozen=True, eq=False)
class _Kept:
    """A body, and the parts that have been made of it."""

    body: Body
    groups: dict[Key, tuple[Part, ...]] = field(default_factory=dict)


class NeutralBuilder:
    """Builds neutral avatars on a head, and keeps the parts of the latest bodies.

    Several threads may build at once; each part is a pure function of the vector, so that it does not matter which of
    them made it.
    """

    def __init__(self, head: Head) -> None:
        self._head, self._lock = head, Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def build(self, vector: AvatarVector) -> NeutralAvatar:
        """Return the neutral avatar of a vector."""
        kept = self._body(vector)
        parts: list[Part] = []
        for name, group in GROUPS.items():
            key = _key(name, group, vector)
            made = kept.groups.get(key)
            if made is None:
                made = kept.groups[key] = group.build(kept.body, vector)
            parts.extend(made)
        return NeutralAvatar(kept.body.shaped, in_order(parts))

    def _body(self, vector: AvatarVector) -> _Kept:
        key = tuple(vector.sliders[name] for name in OF_BODY)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        kept = _Kept(Body(self._head, *shaper_of(self._head).shape(vector, neutral=True)))
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > KEPT_BODIES:
                self._kept.popitem(last=False)
        return kept


def _key(name: str, group: Group, vector: AvatarVector) -> Key:
    values = [vector.sliders[slider] for slider in group.sliders]
    values += [value for colour in group.colours for value in vector.colours[colour]]
    return (name, *values, *(vector.choices[type_] for type_ in group.choices))
