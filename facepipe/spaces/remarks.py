"""Remarks about motion: cuts, gaps, travel, and drivers that never rest."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.gaps import held_shot

# Times that a remark lists.
MAX_TIMES = 5
# A driver never rests in a shot if its head is always turned further from the source's pose, or its mouth always wider
# open than both a closed one and the source's, in outer-eye distances.
RESTLESS_TURN_RADIANS, RESTLESS_OPENING = np.radians(20), 0.1
# Share of frames in which the face may leave the picture without a remark.
LEAVING_SHARE = 0.05
HELD = {
    "hold": "the last face of the shot, or its first one, is held, or passes evenly to the next (--no-face hold)",
    "source": "the source is shown as it is (--no-face source)",
    "cut": "they are left out (--no-face cut)",
}


def cuts_of(shot: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the first frames of all shots but the first."""
    return np.flatnonzero(np.diff(shot)) + 1


def cut_remarks(shot: NDArray[np.int32], fps: Fraction) -> list[Remark]:
    """Return the remark about the cuts of a clip, if it has any."""
    cuts = cuts_of(shot)
    if not len(cuts):
        return []
    times = ", ".join(f"{float(cut / fps):.2f}" for cut in cuts[:MAX_TIMES]) + (", …" if len(cuts) > MAX_TIMES else "")
    what = "1 cut" if len(cuts) == 1 else f"{len(cuts)} cuts"
    return [Remark("cuts", f"{what}, at {times} s; each shot is smoothed and compared with the source by itself")]


def held_remarks(valid: NDArray[np.bool_], fps: Fraction, no_face: str) -> list[Remark]:
    """Return the remark about frames without a face, if there are any."""
    missing = np.flatnonzero(~valid)
    if not len(missing):
        return []
    begins = missing[np.flatnonzero(np.diff(missing, prepend=-2) > 1)]
    times = ", ".join(f"{float(frame / fps):.2f}" for frame in begins[:MAX_TIMES])
    more = ", …" if len(begins) > MAX_TIMES else ""
    return [Remark("held", f"in {len(missing)} frames without a face, from {times}{more} s on, {HELD[no_face]}")]


def travel_remarks(taken_back: float) -> list[Remark]:
    """Return the remark about a head that travels out of the picture, if any of its travel was taken back."""
    if not taken_back:
        return []
    text = (
        f"the head travels farther than the picture has room; {taken_back:.0%} of the way is taken back, so that "
        "the face stays inside"
    )
    return [Remark("travel", text)]


def leaving_remarks(outside: NDArray[np.bool_]) -> list[Remark]:
    """Return the remark about a result whose face leaves the picture, from `LEAVING_SHARE` of its frames on."""
    share = float(outside.mean()) if len(outside) else 0.0
    if share <= LEAVING_SHARE:
        return []
    where = f"in {int(outside.sum())} of {len(outside)} frames " if len(outside) > 1 else ""
    text = f"{where}part of the face is outside of the picture"
    return [Remark("leaves-picture", text)]


def rest_remarks(source: Coefficients, driving: Coefficients, openings: tuple[float, Floats] | None) -> list[Remark]:
    """Return the remark about a driver that has no frame near the source's pose and a closed mouth in some shot.

    `openings` are the source's mouth opening and the driver's (T,), in outer-eye distances; None if not known.
    """
    shot = held_shot(driving)
    worst_turn = worst_opening = 0.0
    for number in np.unique(shot[driving.valid]):
        seen = driving.valid & (shot == number)
        turned = np.linalg.norm(driving.angles[seen] - source.angles[0], axis=1)
        worst_turn = max(worst_turn, float(turned.min()))
        if openings is not None:
            wider = openings[1][seen] - max(openings[0], 0.0)
            worst_opening = max(worst_opening, float(wider.min()))
    found = []
    if worst_turn > RESTLESS_TURN_RADIANS:
        found.append(f"its head stays {np.degrees(worst_turn):.0f} degrees or more from the source's pose")
    if worst_opening > RESTLESS_OPENING:
        found.append(f"its mouth stays open by {worst_opening:.2f} eye distances or more")
    if not found:
        return []
    advice = "relative motion takes the nearest frame for the source's own state; --motion absolute follows the driver"
    return [Remark("never-rests", f"the driver never rests: {' and '.join(found)}; {advice}")]
