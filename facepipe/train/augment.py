"""Augmentation of training pictures: light, blur, noise, JPEG compression, occlusion."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def texture(size: int, random: np.random.Generator) -> Picture:
    """Make a picture without content: one colour, a gradient, or noise at a random scale, in random colours."""
    low, high = random.integers(0, 256, (2, 3)).astype(np.float32)
    cells = int(2 ** random.integers(0, 7))
    weight = cv2.resize(random.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_CUBIC).reshape(
        size, size, 1
    )
    return np.asarray(np.clip(low + (high - low) * weight, 0, 255), np.float32).astype(np.uint8)


def light(picture: Picture, random: np.random.Generator) -> Picture:
    """Change gain, gamma, colour balance and saturation; sometimes light the picture from one side or make it grey."""
    image = picture.astype(np.float32) / 255
    # One picture in five is dark, because cameras and data sets favour bright ones.
    gain = random.uniform(0.15, 0.6) if random.random() < 0.2 else random.uniform(0.6, 1.3)
    image = image ** random.uniform(0.6, 1.6) * gain
    image *= random.uniform(0.85, 1.15, 3).astype(np.float32)
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * (0 if random.random() < 0.08 else random.uniform(0.4, 1.5))
    if random.random() < 0.3:
        height, width = picture.shape[:2]
        angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0, 0.7)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        image *= (1 + strength * (np.cos(angle) * x + np.sin(angle) * y))[..., None]
    return np.asarray(np.clip(image + random.uniform(-0.1, 0.1), 0, 1) * 255).astype(np.uint8)


def blur(picture: Picture, random: np.random.Generator) -> Picture:
    """Remove detail by downscaling and upscaling, by defocus, or by motion blur."""
    height, width = picture.shape[:2]
    kind = random.integers(3)
    if kind == 0:
        small = random.uniform(0.2, 0.7)
        low = cv2.resize(
            picture, (max(8, int(width * small)), max(8, int(height * small))), interpolation=cv2.INTER_AREA
        )
        return cv2.resize(low, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
    if kind == 1:
        return cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 2.0))  # type: ignore[return-value]
    length, angle = int(random.integers(3, 9)), random.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    reach = (length - 1) / 2 * np.array([np.cos(angle), np.sin(angle)])
    start, end = (length - 1) / 2 - reach, (length - 1) / 2 + reach
    cv2.line(kernel, tuple(start.round().astype(int).tolist()), tuple(end.round().astype(int).tolist()), 1.0)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())  # type: ignore[return-value]


def compress(picture: Picture, random: np.random.Generator) -> Picture:
    """Compress as JPEG with a random quality, and decode."""
    _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(15, 90))])
    return cv2.imdecode(code, cv2.IMREAD_COLOR)  # type: ignore[return-value]


def noise(picture: Picture, random: np.random.Generator) -> Picture:
    """Add sensor noise."""
    grain = random.standard_normal(picture.shape, np.float32) * random.uniform(2, 14)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def occlude(picture: Picture, other: Picture, random: np.random.Generator) -> Picture:
    """Cover parts with one to three rectangles or ellipses, of one colour or cut from another picture."""
    size = picture.shape[0]
    result = picture.copy()
    for _ in range(random.integers(1, 4)):
        mask = np.zeros((size, size), np.uint8)
        center = tuple(random.integers(0, size, 2).tolist())
        axes = tuple(random.integers(size // 16, size // 4, 2).tolist())
        if random.random() < 0.5:
            cv2.ellipse(mask, center, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
        else:
            box = cv2.boxPoints((center, axes, float(random.uniform(0, 180)))).astype(np.int32)
            cv2.fillConvexPoly(mask, box, 1)
        cover = (
            random.integers(0, 256, 3).astype(np.uint8) if random.random() < 0.5 else cv2.resize(other, (size, size))
        )
        result = np.where(mask[..., None] > 0, cover, result).astype(np.uint8)
    return result


def weather(picture: Picture, other: Picture, random: np.random.Generator) -> Picture:
    """Apply each change with its own probability; `other` supplies the content of occlusions."""
    if random.random() < 0.25:
        picture = occlude(picture, other, random)
    if random.random() < 0.85:
        picture = light(picture, random)
    if random.random() < 0.35:
        picture = blur(picture, random)
    if random.random() < 0.25:
        picture = noise(picture, random)
    if random.random() < 0.4:
        picture = compress(picture, random)
    return picture
