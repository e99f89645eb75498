"""Audio features for motion: one column of numbers per video frame. See docs/formats.md."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.media.channels import SILENT_SHARE
from facepipe.models.rows import row_product

FORMAT, VERSION = "facepipe-features", 1
ARRAYS = ("log_mel", "energy", "voicing")

SAMPLE_HERTZ = 16_000
WINDOW_SAMPLES = 1024
"""64 ms centred on the frame; doubled (repeatedly) below 20 frames/s, so that windows leave no gaps."""
OVERLAP = 1.25
BANDS, LOWEST_HERTZ, HIGHEST_HERTZ = 40, 60.0, 7600.0
MFCC_COUNT = 13
FLOOR = 1e-8
"""Lower bound of a band's power, 80 dB below a band that contains the whole power of full scale."""
PITCH_HERTZ = (70, 400)

# Loudness is the mean power of the windows that are loud enough to be speech: EBU R 128 gating without its filter.
SPEECH_LEVEL_DB, SILENCE_DB, GATE_DB, LARGEST_GAIN_DB = -23.0, -60.0, -10.0, 40.0

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Features:
    """Features of T frames. Frame i lasts from i / fps to (i + 1) / fps seconds; its window has the same centre."""

    log_mel: Floats
    """(T, 40) natural logarithm of the power in bands from 60 to 7600 Hz, with loudness normalised to -23 dB; at least
    log(1e-8)."""
    energy: Floats
    """(T,) power of the window in dB of full scale, after the same normalisation; at least -60."""
    voicing: Floats
    """(T,) 0 to 1: the highest normalised autocorrelation at the pitch periods of voices."""
    fps: Fraction
    level_db: float
    """Loudness of the input in dB, before normalisation."""
    mfcc: Floats | None = None
    """(T, 13) mel-frequency cepstral coefficients; None unless requested."""

    def __len__(self) -> int:
        return len(self.log_mel)

    @property
    def silent(self) -> bool:
        """Whether the whole sound is too quiet to be speech."""
        return self.level_db <= SILENCE_DB


def frames_of(seconds: float, fps: Fraction) -> int:
    """Return the number of frames that cover a sound, at least 1. The last frame may be covered partly."""
    return max(1, int(np.ceil(seconds * float(fps) - 1e-3)))


def features_of(blocks: Iterable[Floats], fps: Fraction, *, mfcc: bool = False) -> Features:
    """Return the features of 16 kHz sound, given as blocks (samples,) or (samples, channels), one in memory at a time.

    Power is the mean over the channels that are not silent, so that channels in opposite phase do not cancel.
    """
    # The gain is known only at the end, so powers are stored; each part is released once the gain is applied to it.
    powers, totals, voicings = (deque(part) for part in zip(*_columns(blocks, fps), strict=True))
    totals_by_channel = np.concatenate(totals)
    sounding = _sounding_channels(totals_by_channel)
    total = totals_by_channel.sum(1) / sounding
    level = _loudness_db(total)
    gain_db = min(SPEECH_LEVEL_DB - level, LARGEST_GAIN_DB) if level > SILENCE_DB else 0.0
    gain, done = 10 ** (gain_db / 10), 0
    log_mel = np.empty((len(total), BANDS), np.float32)
    cepstra = np.empty((len(total), MFCC_COUNT), np.float32) if mfcc else None
    while powers:
        part = np.log(np.maximum(powers.popleft() * (gain / sounding), FLOOR))
        here = slice(done, done := done + len(part))
        log_mel[here] = part
        if cepstra is not None:
            cepstra[here] = _mfcc(part)
    return Features(
        log_mel=log_mel,
        energy=np.maximum(10 * np.log10(total * gain + 1e-12), SILENCE_DB).astype(np.float32),
        voicing=np.concatenate(voicings).astype(np.float32),
        fps=fps,
        level_db=round(level, 2),
        mfcc=cepstra,
    )


def _sounding_channels(totals: Floats) -> int:
    """Return the number of channels that are not silent, at least 1, from their powers (T, channels)."""
    powers = totals.sum(0)
    return max(1, int((powers > powers.max() * SILENT_SHARE).sum()))


def _columns(blocks: Iterable[Floats], fps: Fraction) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yield what `_analyse` returns for the N columns that each block completes."""
    size = _window_samples(fps)
    filters, half = _filters(size), size // 2
    # Windows of the first columns may start before the sound.
    start, done, received = -half, 0, 0
    buffer: Floats = np.zeros((half, 1), np.float32)
    for block in blocks:
        wide = block.reshape(len(block), -1)
        if not received:
            buffer = np.zeros((half, wide.shape[1]), np.float32)
        buffer, received = np.concatenate([buffer, wide]), received + len(block)
        ready = _ready(done, received - half, fps)
        if ready > done:
            yield _analyse(buffer, _centres(done, ready, fps) - half - start, size, filters)
        done, consumed = ready, max(0, int(_centres(ready, ready + 1, fps)[0]) - half - start)
        buffer, start = buffer[consumed:], start + consumed
    count = frames_of(received / SAMPLE_HERTZ, fps)
    if count > done:
        starts = _centres(done, count, fps) - half - start
        missing = max(0, int(starts[-1]) + size - len(buffer))
        buffer = np.concatenate([buffer, np.zeros((missing, buffer.shape[1]), np.float32)])
        yield _analyse(buffer, starts, size, filters)


def _window_samples(fps: Fraction) -> int:
    size = WINDOW_SAMPLES
    while size < OVERLAP * SAMPLE_HERTZ / fps:
        size *= 2
    return size


def _centres(first: int, end: int, fps: Fraction) -> NDArray[np.int64]:
    """Return the indices of the middle samples of frames `first` (inclusive) to `end` (exclusive)."""
    return (2 * np.arange(first, end) + 1) * SAMPLE_HERTZ * fps.denominator // (2 * fps.numerator)


def _ready(done: int, latest: int, fps: Fraction) -> int:
    """Return the number of columns centred at or before sample `latest`, at least `done`."""
    count = max(done, int(Fraction(latest, SAMPLE_HERTZ) * fps))
    while _centres(count, count + 1, fps)[0] <= latest:
        count += 1
    return count if done < count else done


def _filters(size: int) -> Floats:
    # Imported here because librosa loads slowly, and a job whose results exist does not need it.
    import librosa  # noqa: PLC0415

    bands = librosa.filters.mel(
        sr=SAMPLE_HERTZ, n_fft=size, n_mels=BANDS, fmin=LOWEST_HERTZ, fmax=HIGHEST_HERTZ, norm=None
    )
    return np.asarray(bands, np.float64).T


def _analyse(buffer: Floats, starts: NDArray[np.int64], size: int, filters: Floats) -> tuple[Floats, Floats, Floats]:
    """Return band powers (N, 40), powers (N, channels) and voicing (N,) of the windows that start at `starts` (N,).

    Band powers and voicing are those of all channels together.
    """
    taper, places = np.hanning(size), starts[:, None] + np.arange(size)
    # Scaled so that the powers of all bins sum to the mean square of the sound.
    channels = [abs(np.fft.rfft(channel[places] * taper)) ** 2 * 2 / (size * (taper**2).sum()) for channel in buffer.T]
    power = sum(channels[1:], start=channels[0])
    return row_product(power, filters), np.stack([one.sum(1) for one in channels], 1), _voicing(power, taper)


def _voicing(power: Floats, taper: Floats) -> Floats:
    """Return the highest normalised autocorrelation (N,) of windows over the pitch periods of voices."""
    shortest, longest = (SAMPLE_HERTZ // hertz for hertz in PITCH_HERTZ[::-1])
    taper_correlation = np.fft.irfft(np.abs(np.fft.rfft(taper)) ** 2)[shortest:longest]
    # Dividing by the autocorrelation of the taper removes its decay.
    correlation = np.fft.irfft(power)[:, : longest + 1]
    normalised = correlation[:, shortest:longest] / np.maximum(correlation[:, :1], 1e-12)
    ratio = normalised / (taper_correlation / (taper**2).sum())
    return np.asarray(ratio.max(1).clip(0, 1))


def _loudness_db(total: Floats) -> float:
    """Return the gated mean power in dB: of windows at most 10 dB below the mean of the windows that are not silent."""
    audible = total[total > 10 ** (SILENCE_DB / 10)]
    if not len(audible):
        return SILENCE_DB
    gated = audible[audible >= audible.mean() * 10 ** (GATE_DB / 10)]
    return float(10 * np.log10(gated.mean()))


def _mfcc(log_mel: Floats) -> Floats:
    import librosa  # noqa: PLC0415

    # In dB, the convention for MFCCs.
    decibels = log_mel.T * (10 / np.log(10))
    return np.asarray(librosa.feature.mfcc(S=decibels, n_mfcc=MFCC_COUNT).T, np.float32)


def save_features(features: Features, path: Path) -> None:
    """Write a feature file: arrays without pickle, and a JSON header in UTF-8. Equal content gives equal bytes."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "fps": str(features.fps),
        "frame_count": len(features),
        "level_db": features.level_db,
    }
    arrays: dict[str, NDArray[Any]] = {name: np.asarray(getattr(features, name), np.float32) for name in ARRAYS}
    if features.mfcc is not None:
        arrays["mfcc"] = np.asarray(features.mfcc, np.float32)
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_features(path: Path) -> Features:
    """Read a feature file. Raises InputError for other files, damaged files and later versions."""
    try:
        with np.load(path, allow_pickle=False) as file:
            header: Any = json.loads(file["header"].tobytes())
            if header["format"] != FORMAT or header["version"] != VERSION:
                raise ValueError(f"format {header['format']!r}, version {header['version']}")
            arrays = {name: file[name] for name in (*ARRAYS, "mfcc") if name in file}
        features = Features(**arrays, fps=Fraction(header["fps"]), level_db=float(header["level_db"]))
        count = header["frame_count"]
        if features.log_mel.shape != (count, BANDS) or not all(len(one) == count for one in arrays.values()):
            raise ValueError("arrays of different lengths")
    except Exception as error:  # NumPy and its zip reader raise a dozen kinds on other or broken files
        raise InputError(
            f"{path} is not a feature file that this facepipe reads ({error}). `facepipe features` makes one."
        ) from error
    return features
