"""Fitting of a table to the tokens of many clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from facepipe.codec.distribution import REACH, costs
from facepipe.codec.table import CLASS_COUNT, STEPS, TokenTable
from facepipe.codec.tokens import MAX_RELATIVE, RELATIVE, WINDOW

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]
SPAN_FRAMES = 100
"""Frames that one key frame of the fit serves, 4 s at 25 frames/s."""
UNITS = 25.0
"""Root mean square of differences in units, where no metric defines a unit."""
# Shares of the numbers in the classes, from calm to lively. Many are calm at coarse scales and share one activity.
CLASS_SHARES = (0.2, 0.4, 0.6, 0.8, 0.95)


def spans_of(clips: Sequence[Floats]) -> Iterator[tuple[Floats, Floats]]:
    """Yield the (D,) tokens of each key frame, and the (T, D) differences of its frames to it.

    Every clip is divided twice, the second time with the middle frame of each span as its key frame.
    """
    for clip in clips:
        for first in range(0, len(clip), SPAN_FRAMES):
            rows = np.asarray(clip[first : first + SPAN_FRAMES], np.float64)
            for key in {0, len(rows) // 2}:
                yield rows[key], np.delete(rows, key, 0) - rows[key]


def fit_table(kind: str, clips: Sequence[Floats], components: int, metric: Floats | None = None) -> TokenTable:
    """Fit a table to clips of (T, D) tokens.

    Args:
        kind: Kind of the tokens.
        clips: Clips without cuts, at 25 frames/s.
        components: K.
        metric: (D, D) positive matrix G. Its form d G d of a difference d is the square of the number of units that d
            measures. Without it, all numbers of a token count alike.
    """
    keys, spans = zip(*spans_of(clips), strict=True)
    differences = np.concatenate(spans)
    mean = _stored(np.mean(keys, axis=0))
    if metric is None:
        metric = np.eye(len(mean)) * UNITS**2 / np.mean((differences**2).sum(1))
    analysis, synthesis = transform_of(differences, metric, components)
    parts = differences @ analysis
    key_parts = (np.stack(keys) - mean) @ analysis
    repeated = np.repeat(key_parts, [len(span) for span in spans], axis=0)
    slopes = (repeated * parts).sum(0) / np.maximum((repeated**2).sum(0), 1e-12)
    prediction = np.clip(np.rint(256 * slopes), -512, 512).astype(np.int64)
    statistics = [scale_statistics(parts, repeated, key_parts, prediction, step) for step in STEPS]
    typical, edges, models, reference_models = (np.stack(arrays) for arrays in zip(*statistics, strict=True))
    return TokenTable(kind, mean, analysis, synthesis, prediction, typical, edges, models, reference_models)


def transform_of(
    differences: Floats, metric: Floats, components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (D, K) and (K, D) matrices of the Karhunen-Loeve transform in a metric, largest variances first.

    They are rounded to float32, as they are stored.
    """
    root = np.linalg.cholesky(metric + 1e-9 * np.trace(metric) / len(metric) * np.eye(len(metric)))
    rows = differences @ root
    _, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    whole = root @ directions[:, ::-1]
    # The sign of an eigenvector is arbitrary.
    whole *= np.sign(whole[np.abs(whole).argmax(0), np.arange(len(metric))])
    inverse = np.linalg.inv(whole)
    return _stored(whole[:, :components]), _stored(inverse[:components])


def _stored(matrix: Floats) -> NDArray[np.float64]:
    return matrix.astype(np.float32).astype(np.float64)


def scale_statistics(
    parts: Floats, repeated: Floats, key_parts: Floats, prediction: Integers, step: float
) -> tuple[Integers, Integers, Integers, Integers]:
    """Return typical sizes (K,), edges (K, 5) and models (K, 6) of (N, K) components, and (K,) models of key frames.

    `repeated` is (N, K), the components of each row's key frame.
    """
    numbers, key_numbers = np.rint(parts / step).astype(np.int64), np.rint(repeated / step).astype(np.int64)
    residuals = np.clip(numbers - ((prediction * key_numbers + 128) >> 8), -REACH, REACH)
    typical = np.maximum(np.rint(16 * np.abs(residuals).mean(0)), 1).astype(np.int64)
    relative = np.minimum(RELATIVE * np.abs(residuals) // typical, MAX_RELATIVE)
    count = parts.shape[1]
    edges = np.zeros((count, CLASS_COUNT - 1), np.int64)
    models = np.zeros((count, CLASS_COUNT), np.int64)
    for place in range(count):
        before = relative[:, max(place - WINDOW, 0) : place]
        activity = before.sum(1) // max(before.shape[1], 1)
        edges[place] = np.quantile(activity, CLASS_SHARES).astype(np.int64) + 1
        classes = (activity[:, None] >= edges[place]).sum(1)
        models[place] = [best_model(residuals[classes == each, place]) for each in range(CLASS_COUNT)]
        _fill_empty(models[place], np.bincount(classes, minlength=CLASS_COUNT))
    keys = np.clip(np.rint(key_parts / step), -REACH, REACH).astype(np.int64)
    return typical, edges, models, np.array([best_model(column) for column in keys.T])


def best_model(numbers: Integers) -> int:
    """Return the distribution that codes the numbers with the fewest bits; 0 if there are none."""
    symbols, counts = np.unique(numbers + REACH, return_counts=True)
    return int((costs()[:, symbols] @ counts).argmin())


def _fill_empty(models: Integers, counts: Integers) -> None:
    """Give a class without numbers the distribution of the nearest class with some."""
    there = np.flatnonzero(counts)
    for each in np.flatnonzero(counts == 0):
        models[each] = models[there[np.abs(there - each).argmin()]]
