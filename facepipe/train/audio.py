"""Training of the audio model, which generates face motion from sound.

facepipe train audio --data DATA --labels LABELS --cache CACHE --out RUN

Three steps: drop clips whose lips and voice do not belong together, and shift the sound of clips that are out of sync;
train the encoders on the remaining clips; fit the linear prediction and train the flow on the motion that the encoders
do not explain. A stopped run resumes where it stopped. `facepipe train release audio RUN/model.pt` makes the weight.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from torch import Tensor

from facepipe.dataset.split import split_items
from facepipe.face.expression_probes import ExpressionProbes, probes_of
from facepipe.face.measures import measure_rows
from facepipe.face.model import FaceModel, load_face_model
from facepipe.motion.audio_model import AudioToMotion, AudioToMotionConfig
from facepipe.motion.correlation import best_lag
from facepipe.train.command import parser_of
from facepipe.train.directions import choose_directions
from facepipe.train.encoders import EncoderClip, Objective, folds_of, held_out_means, train_encoder
from facepipe.train.flow import FlowRecipe, train_flow
from facepipe.train.loop import save_checkpoint
from facepipe.train.speakers import Speaker, read_speakers
from facepipe.train.synchrony import Synchrony, synchrony_of
from facepipe.weights import find

Floats = NDArray[np.floating]

MOUTH_MEASURES = ("mouth_open", "jaw_open", "pucker", "stretch", "lower_lip_drop", "upper_lip_raise", "smile")
# Sound is shifted only if the test is this certain and the lag at least this long: lips lead or lag by a frame or two
# in recordings that are in sync, too.
SURE_CHANCE, MIN_SHIFT_FRAMES = 0.05, 3
RIDGE = 10.0
# Amplitude of the part of facial motion that the sound does not determine. Head motion is not damped.
DAMPING = 0.15


def even_amplitudes(speakers: list[Speaker], probes: ExpressionProbes) -> list[Speaker]:
    """Scale expressions so that the amplitude of mouth openings differs less between people."""
    sizes = np.array([(one.delta[:, :64] @ probes.mouth).std() for one in speakers])
    factors = 1 / (0.8 * sizes / np.median(sizes) + 0.2)
    size = np.r_[np.zeros(64), np.ones(6)]
    return [
        replace(one, delta=one.delta * np.where(size > 0, 1, factor))
        for one, factor in zip(speakers, factors, strict=True)
    ]


class Material:
    """Clips as tensors for the networks."""

    def __init__(self, speakers: list[Speaker], speech: AudioToMotion, folds: NDArray[np.intp]) -> None:
        self.speakers = speakers
        self.columns = [speech.columns(one.features) for one in speakers]
        self.motion = [speech.standardised(torch.tensor(one.delta, dtype=torch.float32)) for one in speakers]
        directions = speech.config.directions
        self.encoder_clips = [
            EncoderClip(columns, motion[:, :directions], int(fold))
            for columns, motion, fold in zip(self.columns, self.motion, folds, strict=True)
        ]
        self.means: list[Tensor] = []


def initial_speech(
    speakers: list[Speaker], model: FaceModel, config: AudioToMotionConfig
) -> tuple[AudioToMotion, Tensor]:
    """Return an untrained model with directions and normalisation set, and the sign of each direction in a mirror."""
    torch.manual_seed(0)
    speech = AudioToMotion(config)
    encode, decode, signs = choose_directions(speakers, model, config.directions)
    raw = np.concatenate([np.c_[one.features.log_mel, one.features.voicing] for one in speakers])
    deltas = np.concatenate([np.c_[one.delta[:, :64] @ encode, one.delta[:, 64:]] for one in speakers])
    for name, value in {
        "column_mean": raw.mean(0),
        "column_deviation": raw.std(0),
        "encode": encode,
        "decode": decode,
        "deviation": deltas.std(0),
    }.items():
        getattr(speech, name).copy_(torch.tensor(value))
    # In training mode, encoders would apply dropout and normalise by the statistics of each clip.
    return speech.eval(), torch.tensor(signs, dtype=torch.float32)


def objective_of(speech: AudioToMotion, model: FaceModel, signs: Tensor) -> Objective:
    """Return the objective of the encoders: directions weighted by how far they move the face, and mouth measures."""
    deviation = speech.deviation[: speech.config.directions]
    chosen = measure_rows(MOUTH_MEASURES)
    rows = torch.tensor(model.expression.reshape(64, -1) @ chosen.T, dtype=torch.float32)
    measures = deviation[:, None] * (speech.decode @ rows)
    return Objective(measures / measures.norm(dim=0), deviation.pow(2) / deviation.pow(2).sum(), signs)


def mouth_correlation(material: Material, probes: ExpressionProbes, speech: AudioToMotion) -> float:
    """Return the mean correlation, at the best lag, of mouth openings with those that held-out encoders predict."""
    row = speech.decode.numpy() @ probes.mouth * speech.deviation[: speech.config.directions].numpy()
    scores = [
        best_lag(mean.numpy() @ row, one.delta[:, :64] @ probes.mouth)[0]
        for mean, one in zip(material.means, material.speakers, strict=True)
    ]
    return round(float(np.mean(scores)), 4)


def synchronised(speakers: Sequence[Speaker], found: Sequence[Synchrony]) -> list[Speaker]:
    """Drop clips whose lips and voice do not belong together, and shift late or early sound to the lips."""
    kept = [(one, test) for one, test in zip(speakers, found, strict=True) if test.together]
    return [
        one.shifted(test.lag_frames) if test.chance <= SURE_CHANCE and abs(test.lag_frames) >= MIN_SHIFT_FRAMES else one
        for one, test in kept
    ]


def fit_prediction(speech: AudioToMotion, remainders: Sequence[Tensor]) -> None:
    """Fit the linear prediction of remainders (T, C) from their last k frames by ridge regression."""
    k = speech.config.memory
    before = torch.cat([one[:-1].unfold(0, k, 1).transpose(1, 2).flatten(1) for one in remainders]).double()
    after = torch.cat([one[k:] for one in remainders]).double()
    left = before.T @ before + RIDGE * torch.eye(before.shape[1])
    prediction = torch.linalg.solve(left, before.T @ after)
    speech.prediction.copy_(prediction)
    speech.innovation.copy_((after - before @ prediction).std(0))


def train(
    data: Path, labels: Path, cache: Path, out: Path, config: AudioToMotionConfig, recipe: FlowRecipe
) -> AudioToMotion:
    """Run all steps, resuming an earlier run in `out`; return the model, which is also written to `out/model.pt`."""
    out.mkdir(parents=True, exist_ok=True)
    model = load_face_model(find("face-model").path)
    probes = probes_of(model)
    everyone = read_speakers(split_items(data)[0], labels, cache, model, probes)
    found = [synchrony_of(one, everyone, probes) for one in everyone]
    speakers = even_amplitudes(synchronised(everyone, found), probes)
    report: dict[str, Any] = {"clips": len(everyone), "kept": len(speakers)}
    if not (out / "encoders.pt").exists():
        speech, material = _trained_encoders(speakers, model, config, recipe)
        print(f"encoders: mouth {mouth_correlation(material, probes, speech):.3f}", flush=True)
        save_checkpoint(out / "encoders.pt", {"speech": speech.state_dict()})
    state = torch.load(out / "encoders.pt", weights_only=True)
    speech, _ = initial_speech(speakers, model, config)
    speech.load_state_dict(state["speech"])
    material = _material(speakers, speech, config)
    report |= {"mouth_correlation": mouth_correlation(material, probes, speech)}
    remainders = [speech.remainder(motion, mean) for motion, mean in zip(material.motion, material.means, strict=True)]
    fit_prediction(speech, remainders)
    set_emphasis(speech, material, probes)
    clips = list(zip(material.motion, material.means, material.columns, strict=True))
    report |= train_flow(speech, clips, [one.identity for one in speakers], out, recipe)
    save_checkpoint(out / "model.pt", {"config": asdict(config), "speech": speech.state_dict()})
    print(json.dumps(report), flush=True)
    return speech


def _material(speakers: list[Speaker], speech: AudioToMotion, config: AudioToMotionConfig) -> Material:
    material = Material(speakers, speech, folds_of([one.identity for one in speakers], config.encoders))
    material.means = held_out_means(list(speech.encoders), material.encoder_clips)  # type: ignore[arg-type]
    return material


def _trained_encoders(
    speakers: list[Speaker], model: FaceModel, config: AudioToMotionConfig, recipe: FlowRecipe
) -> tuple[AudioToMotion, Material]:
    """Train the encoders; return the model that contains them, and the clips with held-out means."""
    speech, signs = initial_speech(speakers, model, config)
    material = Material(speakers, speech, folds_of([one.identity for one in speakers], config.encoders))
    objective = objective_of(speech, model, signs)
    one = delayed(train_encoder)
    trained = Parallel(n_jobs=-1, inner_max_num_threads=1)(
        one(
            material.encoder_clips,
            objective,
            config,
            left_out=fold,
            epochs=recipe.encoder_epochs,
            seed=recipe.seed + fold,
        )
        for fold in range(config.encoders)
    )
    for encoder, state in zip(speech.encoders, trained, strict=True):
        encoder.load_state_dict(state)
    speech.encoders.eval()
    material.means = held_out_means(list(speech.encoders), material.encoder_clips)  # type: ignore[arg-type]
    return speech, material


def set_emphasis(speech: AudioToMotion, material: Material, probes: ExpressionProbes) -> None:
    """Amplify the mean that the sound determines so that, with the rest damped, mouths open as wide as in the data."""
    directions = speech.config.directions
    row = torch.tensor(probes.mouth, dtype=torch.float32)
    row = speech.deviation[:directions] * (speech.decode @ row)
    true, explained, left = (
        float(np.mean([float((one @ row).std()) for one in lines]))
        for lines in (
            [motion[:, :directions] for motion in material.motion],
            material.means,
            [motion[:, :directions] - mean for motion, mean in zip(material.motion, material.means, strict=True)],
        )
    )
    gain = max(true**2 - (DAMPING * left) ** 2, 0.0) ** 0.5 / explained
    speech.emphasis.copy_(torch.tensor([gain, DAMPING]))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("audio", __doc__, "data", "labels", "cache", "out")
    parser.add_argument("--steps", type=int, default=FlowRecipe.steps, help="Maximum number of steps of the flow.")
    parser.add_argument("--hidden", type=int, default=AudioToMotionConfig.hidden, help="Width of the flow's LSTMs.")
    parser.add_argument(
        "--directions", type=int, default=AudioToMotionConfig.directions, help="Directions of expression, at most 64."
    )
    args = parser.parse_args(argv)
    config = AudioToMotionConfig(hidden=args.hidden, directions=args.directions)
    train(args.data, args.labels, args.cache, args.out, config, FlowRecipe(steps=args.steps))


if __name__ == "__main__":
    main()
