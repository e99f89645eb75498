"""How well generated motion follows the sound, on speakers whom no training saw.

python -m facepipe.evaluate.audio --data DATA --labels LABELS --cache CACHE

Each unseen clip's own first frame is the source, its own sound the voice, and the motion of its labels the truth; the
control is the same with the sound of another clip. Everything is what `facepipe audio` does with its defaults.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.dataset.split import split_items
from facepipe.face.expression_probes import ExpressionProbes, probes_of
from facepipe.face.model import FaceModel, load_face_model
from facepipe.motion.correlation import best_lag, correlation
from facepipe.motion.features import Features
from facepipe.motion.speech import ENCODER_RADIUS, FPS, Speech, padded
from facepipe.motion.speech_file import load_speech
from facepipe.motion.utterance import Delivery, utter
from facepipe.spaces.coefficients import Coefficients
from facepipe.train.speakers import Speaker, read_speakers
from facepipe.train.synchrony import synchrony_of

Floats = NDArray[np.floating]

SAMPLES = 5
# Speeds are taken over so many frames: from one to the next, landmarks tremble more than heads move.
SPEED_FRAMES = 5
# A blink is a time for which the lids are more than half shut, measured by how far open they mostly are.
SHUT_SHARE = 0.5


@dataclass(frozen=True)
class Bar:
    """A figure, and between what it should lie."""

    name: str
    value: float
    low: float = -np.inf
    high: float = np.inf

    @property
    def line(self) -> str:
        """The figure as a line of the table."""
        bounds = [f">= {self.low:g}" if self.low > -np.inf else "", f"<= {self.high:g}" if self.high < np.inf else ""]
        met = "yes" if self.low <= self.value <= self.high else "NO"
        return f"| {self.name} | {self.value:.3f} | {' and '.join(one for one in bounds if one) or '-'} | {met} |"


@dataclass(frozen=True)
class Trial:
    """What was drawn for one clip."""

    speaker: Speaker
    takes: list[Coefficients]
    control: list[Coefficients]
    """Drawn for another clip's sound."""
    seconds: float
    """That drawing the takes took."""


def try_out(
    speakers: Sequence[Speaker], model: FaceModel, speech: Speech, delivery: Delivery, samples: int = SAMPLES
) -> list[Trial]:
    """Draw takes for each clip, and as many for the sound of another."""
    trials = []
    for number, one in enumerate(speakers):
        began = time.perf_counter()
        takes = _takes(one.motion, one.features, model, speech, delivery, samples, number)
        spent = time.perf_counter() - began
        other = speakers[(number + len(speakers) // 2) % len(speakers)]
        control = _takes(one.motion, other.features, model, speech, delivery, samples, 1000 + number)
        trials.append(Trial(one, takes, control, spent))
    return trials


def bars(trials: Sequence[Trial], model: FaceModel) -> list[Bar]:
    """Return all figures of trials but the likelihoods."""
    probes = probes_of(model)
    mouth = [one.speaker.motion.expression @ probes.mouth for one in trials]
    lips = [[take.expression @ probes.mouth for take in one.takes] for one in trials]
    found = [best_lag(made, true) for each, true in zip(lips, mouth, strict=True) for made in each]
    control = [
        best_lag(take.expression @ probes.mouth, true)[0]
        for one, true in zip(trials, mouth, strict=True)
        for take in one.control
    ]
    takes, true = [one.takes for one in trials], [one.speaker.motion for one in trials]
    seconds = sum(len(take) for each in takes for take in each) / FPS
    differing = [np.abs(a.angles - b.angles).mean() for each in takes for a, b in pairwise(each)]
    deviation = np.mean([one.angles.std(0).mean() for one in true])
    agreeing = [correlation(a, b) for each in lips for a, b in pairwise(each)]
    own = [[_blinks(one, probes) for one in true], [_blinks(take, probes) for each in takes for take in each]]
    spent = sum(one.seconds for one in trials)
    return [
        Bar("mouth opening, correlation with the truth", float(np.mean([score for score, _ in found])), low=0.45),
        Bar("the same with another clip's sound", float(np.mean(control)), high=0.15),
        Bar("best lag, median, frames", float(np.median([lag for _, lag in found])), low=-1, high=1),
        Bar("mouth opening, amplitude over the true one", _ratio(_amplitude, lips, mouth), low=0.7, high=1.3),
        Bar("head, angular speed over the true one", _speed_ratio(takes, true), low=0.5, high=1.5),
        Bar("blinks a minute", sum(own[1]) / seconds * 60, low=8, high=30),
        Bar("blinks a minute of the true motion", sum(own[0]) / sum(len(one) for one in true) * FPS * 60),
        Bar("two takes' heads differ, over the true deviation", float(np.mean(differing) / deviation), low=0.5),
        Bar("two takes' mouths agree, correlation", float(np.mean(agreeing)), low=0.5),
        Bar("motion alone, times real time", seconds / spent, low=5),
    ]


def _takes(
    source: Coefficients,
    features: Features,
    model: FaceModel,
    speech: Speech,
    delivery: Delivery,
    samples: int,
    seed: int,
) -> list[Coefficients]:
    count, fps = min(len(source), len(features)), Fraction(FPS)
    # A portrait shows no blink.
    lids = source.expression @ probes_of(model).lids
    still = int(np.abs(lids - np.median(lids, axis=0)).sum(1).argmin())
    source = source.rows(still, still + 1)
    return [
        utter(model, speech, source, features, replace(delivery, seed=seed * 100 + take), fps=fps, count=count)
        for take in range(samples)
    ]


def _amplitude(line: Floats) -> float:
    return float(line.std())


def _ratio(rule: Callable[[Floats], float], made: Sequence[Sequence[Floats]], true: Sequence[Floats]) -> float:
    """Return the mean over clips of what a rule says of takes, over the same mean of the truth."""
    return float(np.mean([rule(take) for each in made for take in each]) / np.mean([rule(one) for one in true]))


def _speed(angles: Floats) -> float:
    return float(np.linalg.norm(angles[SPEED_FRAMES:] - angles[:-SPEED_FRAMES], axis=1).mean())


def _speed_ratio(takes: Sequence[Sequence[Coefficients]], true: Sequence[Coefficients]) -> float:
    made = [[take.angles for take in each] for each in takes]
    return _ratio(_speed, made, [one.angles for one in true])


def _blinks(motion: Coefficients, probes: ExpressionProbes) -> int:
    """Count the times for which the lids are more than half shut."""
    open_by = -probes.lids_down(motion.expression).mean(1)
    shut = open_by < SHUT_SHARE * np.median(open_by)
    return int((np.diff(shut.astype(int)) == 1).sum())


def likelihoods(speakers: Sequence[Speaker], seen: Sequence[Speaker], speech: Speech) -> list[Bar]:
    """Return the negative log-likelihoods of unseen motion in bits a frame: of the flow, and of two fits to `seen`."""
    k, tau = speech.config.memory, speech.config.lookahead
    known = [_motion(one, speech) for one in seen]
    everything = np.concatenate(known)
    gaussian = _Gaussian.of(everything)
    before, after = _lagged(known, k)
    left = before.T @ before + 10.0 * np.eye(before.shape[1])
    prediction = np.linalg.solve(left, before.T @ after)
    errors = _Gaussian.of(after - before @ prediction)
    bits: dict[str, list[Floats]] = {"Gaussian": [], "linear": [], "flow": []}
    lengths = []
    for one in speakers:
        motion = _motion(one, speech)
        end = len(motion) - tau
        before, after = _lagged([motion[:end]], k)
        bits["Gaussian"].append(gaussian.bits(motion[k:end]))
        bits["linear"].append(errors.bits(after - before @ prediction))
        columns = speech.columns(one.features)
        with torch.no_grad():
            mean = speech.mean(padded(columns, ENCODER_RADIUS, ENCODER_RADIUS))
            whole = speech.nll(torch.from_numpy(motion).float()[None], mean[None], columns[None])
        bits["flow"].append(whole.numpy())
        lengths.append(end - k)
    figures = {name: float(np.average([one.mean() for one in each], weights=lengths)) for name, each in bits.items()}
    return [
        Bar("bits a frame, flow", figures["flow"], high=min(figures["Gaussian"], figures["linear"])),
        Bar("bits a frame, linear prediction from the last frames", figures["linear"]),
        Bar("bits a frame, Gaussian", figures["Gaussian"]),
    ]


def _motion(speaker: Speaker, speech: Speech) -> Floats:
    return speech.standardised(torch.from_numpy(np.asarray(speaker.departure)).float()).double().numpy()


def _lagged(clips: Sequence[Floats], k: int) -> tuple[Floats, Floats]:
    """Return the last k frames (N, k C) before each frame, and the frames (N, C)."""
    before = [np.concatenate([clip[lag : len(clip) - k + lag] for lag in range(k)], axis=1) for clip in clips]
    return np.concatenate(before), np.concatenate([clip[k:] for clip in clips])


@dataclass(frozen=True)
class _Gaussian:
    """A normal distribution of rows."""

    mean: Floats
    inverse: Floats
    log_determinant: float

    @classmethod
    def of(cls, rows: Floats) -> _Gaussian:
        covariance = np.cov(rows.T) + 1e-6 * np.eye(rows.shape[1])
        return cls(rows.mean(0), np.linalg.inv(covariance), float(np.linalg.slogdet(covariance)[1]))

    def bits(self, rows: Floats) -> Floats:
        """Return the negative log-likelihood (N,) of rows in bits."""
        away = rows - self.mean
        square = np.einsum("nc,cd,nd->n", away, self.inverse, away)
        nats = 0.5 * (square + self.log_determinant + rows.shape[1] * np.log(2 * np.pi))
        return np.asarray(nats / np.log(2))


def evaluate(data: Path, labels: Path, cache: Path, weight: Path, face_model: Path) -> list[str]:
    """Return the lines of the tables: of all unseen clips with speech, and of those whose lips and voice agree.

    Which do is told by the test that chose the training's clips too, against the sounds of seen people.
    """
    model, speech = load_face_model(face_model), load_speech(weight)
    probes = probes_of(model)
    seen_items, unseen_items = split_items(data)
    seen, unseen = (read_speakers(items, labels, cache, model, probes) for items in (seen_items, unseen_items))
    kept = [synchrony_of(one, seen, probes).together for one in unseen]
    dropped = [one.name for one, kept_ in zip(unseen, kept, strict=True) if not kept_]
    lines = [f"clips of unseen speakers: {len(unseen)}; lips and voice disagree in {', '.join(dropped) or 'none'}"]
    trials = try_out(unseen, model, speech, Delivery())
    for name, chosen in (("lips and voice agree", kept), ("all", [True] * len(unseen))):
        mine = [one for one, wanted in zip(trials, chosen, strict=True) if wanted]
        lines += [
            "",
            f"| {name}: {len(mine)} clips, {SAMPLES} takes each | measured | bar | met |",
            "|---|---|---|---|",
        ]
        lines += [bar.line for bar in bars(mine, model)]
        lines += [bar.line for bar in likelihoods([one.speaker for one in mine], seen, speech)]
    return lines


def main() -> None:
    """Print the tables."""
    from facepipe.train.command import parser_of  # noqa: PLC0415
    from facepipe.weights import find  # noqa: PLC0415

    parser = parser_of("audio", __doc__, "data", "labels", "cache")
    parser.add_argument("--weight", type=Path, help="a speech model instead of the embedded one")
    asked = parser.parse_args()
    weight = asked.weight or find("audio").path
    print("\n".join(evaluate(asked.data, asked.labels, asked.cache, weight, find("face-model").path)))


if __name__ == "__main__":
    main()
