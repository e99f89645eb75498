"""Motion spaces: what motion is written in. One folder each.

This package and the folders' own `__init__` import no NumPy: the command line reads names and help texts from here.
"""

from collections.abc import Mapping

from facepipe.spaces import arkit52, bfm, imf_tokens, keypoints68, linear478
from facepipe.spaces.space import MotionSpace

SPACES: Mapping[str, MotionSpace] = {
    space.name: space for space in (linear478.SPACE, keypoints68.SPACE, arkit52.SPACE, imf_tokens.SPACE, bfm.SPACE)
}


def find_space(name: str) -> MotionSpace | None:
    """Return the motion space of a name, or of the name it had in files of earlier versions; None if there is none."""
    return next((space for space in SPACES.values() if name in (space.name, *space.aliases)), None)


__all__ = ["SPACES", "MotionSpace", "find_space"]
