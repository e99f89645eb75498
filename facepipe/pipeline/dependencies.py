"""The stages and weights that a command uses. Its results are made again if one of them has a new version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from facepipe.coding.models import KINDS, weight_names
from facepipe.engine import Stage
from facepipe.motion.drawing import WEIGHT as EXPRESSION_VAE
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import creation_weight_names, crop_weight_names, perception_weight_names
from facepipe.pipeline.rendering import renderer_weight_names
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import MATTING, SourceKind
from facepipe.spaces import SPACES, linear478
from facepipe.stages import (
    assemble,
    avatar,
    blendshapes,
    create,
    crop,
    decode,
    encode,
    features,
    matte,
    motion,
    mux,
    opus,
    person,
    portrait,
    prepare,
    render,
    report,
    selection,
    sheet,
    sign,
    speech,
    take,
)
from facepipe.weights import registered

AUDIO = "audio"
"""Registry name of the network that turns sound into motion."""


@dataclass(frozen=True)
class Dependencies:
    """Stages, and the registry names of weights."""

    stages: tuple[Stage[Any], ...] = ()
    weights: tuple[str, ...] = ()

    def signature(self) -> str:
        """Return a text that differs whenever the version of a stage or the registered digest of a weight differs."""
        known = registered()
        versions = sorted((stage.name, stage.params.__qualname__, stage.version) for stage in self.stages)
        digests = sorted((name, known[name].sha256 if name in known else "") for name in set(self.weights))
        return json.dumps([versions, digests])


def of_reenactment(options: Options, *, still: bool) -> Dependencies:
    """Return the dependencies of `reenact` and `edit`; `still` means that the result is a picture."""
    sampling = (EXPRESSION_VAE,) if options.edit.draw else ()
    spec = RENDERERS[options.renderer]
    drawn = (avatar.STAGE,) if spec.source == SourceKind.AVATAR else ()
    stages = (*drawn, crop.STAGE, SPACES[options.space].estimation(), motion.STAGE, render.STAGE)
    prepares = (*((matte.STAGE,) if spec.needs_matte else ()), *((prepare.STAGE,) if spec.prepare else ()))
    frames = (selection.STAGE,) if options.source_frames > 1 else ()
    pictures = (person.STAGE,) if options.source_picture else ()
    return Dependencies(
        (*stages, *frames, *pictures, *prepares, *(() if still else (mux.STAGE,)), *_extras(options)),
        (*perception_weight_names(options), *renderer_weight_names(options), *sampling),
    )


def of_audio(options: Options, *, reports: bool) -> Dependencies:
    """Return the dependencies of `audio`; `reports` means that --report is given."""
    reenactment = of_reenactment(options, still=False)
    audio_stages = (features.STAGE, speech.STAGE, *((report.STAGE,) if reports else ()))
    return Dependencies((*reenactment.stages, *audio_stages), (*reenactment.weights, AUDIO))


def of_crop(options: Options) -> Dependencies:
    """Return the dependencies of `crop`."""
    return Dependencies((crop.STAGE,), crop_weight_names(options.landmarker))


def of_matte(options: Options, *, cropped: bool) -> Dependencies:
    """Return the dependencies of `matte`; `cropped` means that --crop is given."""
    before = of_crop(options) if cropped else Dependencies()
    return Dependencies((*before.stages, matte.STAGE), (*before.weights, MATTING))


def of_coefficients(options: Options) -> Dependencies:
    """Return the dependencies of `coefficients`."""
    return Dependencies((crop.STAGE, SPACES[options.space].estimation()), perception_weight_names(options))


def of_blendshapes(options: Options, *, speaks: bool) -> Dependencies:
    """Return the dependencies of `blendshapes`; `speaks` means that sound is possible."""
    fitted = of_coefficients(options)
    audio_stages = (features.STAGE, speech.STAGE) if speaks else ()
    stages = (*fitted.stages, take.STAGE, *audio_stages, blendshapes.STAGE)
    return Dependencies(stages, (*fitted.weights, *((AUDIO,) if speaks else ())))


def of_creation(options: Options, *, code: bool) -> Dependencies:
    """Return the dependencies of `avatar create`; `code` means that a W+ code is given."""
    stages = (crop.STAGE, portrait.STAGE, SPACES[linear478.SPACE.name].estimation(), matte.STAGE, create.STAGE)
    return Dependencies(stages, creation_weight_names(options, code=code))


def of_features() -> Dependencies:
    """Return the dependencies of `features`."""
    return Dependencies((features.STAGE,))


def of_motion(options: Options, *, moves: bool, speaks: bool) -> Dependencies:
    """Return the dependencies of `motion`.

    `moves` means that drivers other than sound are possible, `speaks` that sound is.
    """
    fitted = of_coefficients(options)
    motion_stages = (motion.STAGE,) if moves else ()
    audio_stages = (features.STAGE, speech.STAGE) if speaks else ()
    return Dependencies(
        (*fitted.stages, *motion_stages, *audio_stages), (*fitted.weights, *((AUDIO,) if speaks else ()))
    )


def of_render(options: Options) -> Dependencies:
    """Return the dependencies of `render`."""
    return of_reenactment(options, still=False)


def of_mux(options: Options) -> Dependencies:
    """Return the dependencies of `mux`."""
    return Dependencies((mux.STAGE, *_extras(options)))


def of_encoding(tokens: str) -> Dependencies:
    """Return the dependencies of `encode`."""
    return Dependencies((encode.STAGE, opus.STAGE, assemble.STAGE), weight_names(KINDS[tokens]))


def of_decoding() -> Dependencies:
    """Return the dependencies of `decode`, for every kind of tokens."""
    names = dict.fromkeys(name for kind in KINDS.values() for name in weight_names(kind))
    return Dependencies((decode.STAGE,), tuple(names))


def _extras(options: Options) -> tuple[Stage[Any], ...]:
    signed = (sign.STAGE,) if options.provenance.credentials else ()
    return (*((sheet.STAGE,) if options.sheet else ()), *signed)
