"""Estimates of frames and disk space before a job has run, accurate to a factor of two."""

from __future__ import annotations

from facepipe.engine.events import Estimate
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium

# A track holds 478 points of three floats, coefficients and motion about 75 floats each.
BYTES_PER_DRIVER_FRAME = 478 * 12 + 2 * 300
# Measured on rendered portraits at quality 75; six steps of the encoder's rate factor double or halve the bits.
BITS_PER_PIXEL, QUALITY_STEPS_PER_DOUBLING = 0.13, 16
SOUND_BYTES_PER_SECOND = 20_000
PICTURE_BYTES_PER_PIXEL = 1.6


def estimate(source: Medium, driver: Medium | None, options: Options, *, frames: int, still: bool) -> Estimate:
    """Estimate the frames and bytes of a reenactment."""
    pixels = _pixels(source, driver, options)
    picture = options.size_pixels**2 * PICTURE_BYTES_PER_PIXEL
    if source.kind == "video":
        # Its track, and the chosen frame as a whole.
        picture += source.size[0] * source.size[1] * PICTURE_BYTES_PER_PIXEL
    driving = driver.frames * BYTES_PER_DRIVER_FRAME if driver else 0
    if still:
        result = pixels * PICTURE_BYTES_PER_PIXEL
        return _rounded(frames, driving + picture + result, result)
    bits = BITS_PER_PIXEL * 2 ** ((options.quality - 75) / QUALITY_STEPS_PER_DOUBLING)
    segments = pixels * frames * bits / 8
    sound = frames / float(driver.fps) * SOUND_BYTES_PER_SECOND if driver and driver.has_sound else 0
    return _rounded(frames, driving + picture + 2 * segments + sound, segments + sound)


def _pixels(source: Medium, driver: Medium | None, options: Options) -> float:
    """Return the number of pixels of one frame of the result."""
    side = options.size_pixels
    width, height = source.size if options.paste_back else (side, side)
    if options.grid:
        panels = 3 if driver and driver.kind != "motion" else 2
        return height * (width * 2 + (panels - 2) * height)
    return width * height


def _rounded(frames: int, work: float, result: float) -> Estimate:
    return Estimate(label="the result", frames=frames, work_bytes=round(work), result_bytes=round(result))
