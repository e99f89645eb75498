"""Make docs/example.webp, the animated picture of the README: the example portrait beside its reenactment.

python tools/make_readme_strip.py OUT.webp
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from skimage import data

import facepipe

MOTION = Path(__file__).parents[1] / "examples" / "motion.npz"
PANEL_PIXELS, FRAME_STEP, FPS, QUALITY = 240, 2, 25, 60


def main(out: Path) -> None:
    """Render the frames and write an animated WebP, every second frame."""
    portrait = np.ascontiguousarray(data.astronaut()[:300, 60:380])  # type: ignore[no-untyped-call]
    with TemporaryDirectory(prefix="facepipe-strip-") as work:
        frames = list(facepipe.frames(portrait, MOTION, grid=True, reference="first", work=work))[::FRAME_STEP]
    height, width = frames[0].shape[:2]
    size = (PANEL_PIXELS * width // height, PANEL_PIXELS)
    pictures = [Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS) for frame in frames]
    duration_milliseconds = 1000 * FRAME_STEP // FPS
    pictures[0].save(
        out,
        save_all=True,
        append_images=pictures[1:],
        duration=duration_milliseconds,
        loop=0,
        quality=QUALITY,
        method=6,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
