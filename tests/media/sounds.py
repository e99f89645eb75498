"""Sound files of every format, from a synthetic voice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from facepipe.media.ffmpeg import find_ffmpeg

HERTZ = 16_000


def voice(seconds: float, *, level: float = 0.2, seed: int = 1) -> NDArray[np.float32]:
    """Return four syllables per second of a buzzing voice with noise between them, mono float32 at 16 kHz."""
    time = np.arange(round(seconds * HERTZ)) / HERTZ
    buzz = sum(np.sin(2 * np.pi * 120 * n * time) / n for n in range(1, 25))
    syllables = np.clip(np.sin(2 * np.pi * 2 * time), 0, None) ** 0.5
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    return np.asarray((buzz * syllables * level / 2 + noise * level).clip(-1, 1), np.float32)


def write_voice(path: Path, seconds: float = 2.0, *args: str) -> Path:
    """Write a voice as WAV, or by ffmpeg with the given arguments in the format of the suffix."""
    plain = path.with_suffix(".plain.wav")
    wavfile.write(plain, HERTZ, voice(seconds))
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", "-i", str(plain), *args, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    plain.unlink()
    return path
