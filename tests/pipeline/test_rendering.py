"""What renderers are given: the rows around a segment, and weights that suit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from facepipe import weights
from facepipe.engine import Job, Pending
from facepipe.errors import FacepipeError, UsageError
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import Fitted
from facepipe.pipeline.precheck import Medium
from facepipe.pipeline.rendering import Scene, render_segments, renderer_weights
from facepipe.spaces.bfm.descriptor import windows
from facepipe.stages import motion, prepare, render
from facepipe.weights import WeightFile

FRAMES = 60
OFFICIAL = Options(renderer="pirender", space="bfm", segment_frames=17)


@dataclass
class Recorder:
    """A job that only takes down what it is asked to run."""

    params: list[Any] = field(default_factory=list)

    def run(self, _stage: object, _inputs: object, params: object, **_more: object) -> Pending:
        self.params.append(params)
        return Pending("")


def segments_of(options: Options) -> list[tuple[motion.Params, render.Params]]:
    file = WeightFile("any", Path("any"), "")
    scene = Scene(
        source=Medium(Path("source.png"), "image", 1),
        fitted=Fitted(Pending(""), Pending("")),
        driver=None,
        tracked=None,
        options=options,
        weights={"face-model": file, "network": file},
    )
    job = Recorder()
    render_segments(cast("Job", job), scene, {}, motion.Params(), FRAMES)
    params = [one for one in job.params if not isinstance(one, prepare.Params)]
    return list(zip(params[::2], params[1::2], strict=True))


def test_segments_see_what_lies_around_them() -> None:
    """So the windows of their frames are those of the whole clip."""
    clip = np.random.default_rng(0).normal(size=(FRAMES, 73))
    pieces = []
    for motion_params, render_params in segments_of(OFFICIAL):
        first, end = (
            motion_params.first_frame - motion_params.context_frames,
            motion_params.first_frame + motion_params.frame_count,
        )
        rows = clip[max(0, first) : end + motion_params.context_frames]
        pieces.append(windows(rows, render_params.lead_frames, render_params.lead_frames + render_params.frame_count))
    assert [len(piece) for piece in pieces] == [17, 17, 17, 9]
    assert np.array_equal(np.concatenate(pieces), windows(clip))


def test_a_renderer_that_looks_at_one_frame_is_given_no_more() -> None:
    for motion_params, render_params in segments_of(replace(OFFICIAL, renderer="mesh", space="linear478")):
        assert motion_params.context_frames == render_params.lead_frames == render_params.frame_count == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(renderer="pirender"), "pirender needs the motion space bfm, but this job .* linear478; .* mesh"),
        (Options(renderer="mesh", space="bfm"), "mesh needs the motion space linear478, .* for that: pirender"),
        (
            Options(renderer="mesh", weights="detector"),
            "--weights is detector, but the renderer mesh has no network",
        ),
        (replace(OFFICIAL, weights="landmarker"), "the weight landmarker needs the motion space linear478"),
        (replace(OFFICIAL, size_pixels=300), "--size is 300"),
    ],
)
def test_what_does_not_go_together_is_told(options: Options, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        renderer_weights(options)


def test_a_network_that_is_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    with pytest.raises(FacepipeError, match="facepipe weights add pirender epoch_00190"):
        renderer_weights(OFFICIAL)
    assert renderer_weights(Options(renderer="mesh")) == {"face-model": weights.find("face-model")}
