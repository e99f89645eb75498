"""The request of `facepipe edit`: pose and expression of a portrait set by sliders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.errors import InputError, UsageError
from facepipe.motion.sliders import SLIDERS, Draw, Edit, check_edit, read_bounds
from facepipe.requests.backgrounds import video_suffix
from facepipe.requests.declaration import PORTRAYED, argument, option
from facepipe.requests.groups import (
    RESULT,
    Face,
    FromImage,
    Limits,
    Overwrite,
    PasteBack,
    Preset,
    Rendering,
    Sheet,
    Signing,
    SourceGrid,
)
from facepipe.requests.pictures import SourcePictures
from facepipe.requests.request import PORTRAIT, Prepared, Request, names
from facepipe.requests.resolution import options_for, settings_for
from facepipe.requests.sliders import Sliders
from facepipe.requests.sweeps import FPS, FRAMES, as_picture, as_video, edit_of

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings

FRAMES_PER_DRAW = 25
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, kw_only=True)
class EditRequest(
    Request,
    Rendering,
    SourceGrid,
    PasteBack,
    Sheet,
    Sliders,
    Preset,
    FromImage,
    Face,
    SourcePictures,
    Signing,
    Limits,
    Overwrite,
):
    """Set pose and expression of the face in SOURCE by sliders, from another picture, or at random.

    The result is a picture or a video. A video without --sweep moves from the unchanged SOURCE to the given pose and
    expression. Sliders override those of a --preset, and are added to --from-image and --random.
    """

    command: ClassVar[str] = "edit"
    panel: ClassVar[str] = RESULT

    source: Path = argument(PORTRAIT, accepts=PORTRAYED)
    out: Path | None = option(
        "Result file (default: SOURCE--edit.png, or .mp4 with --sweep).", default=None, short="-o", in_rows=False
    )
    sweep: tuple[str, ...] = option(
        "Move a slider through a video: NAME=FROM:TO. Repeatable.", default=(), metavar="SWEEP"
    )
    frames: int | None = option(
        f"Number of frames of a video (default: {FRAMES}).", default=None, minimum=2, maximum=100_000, exact=True
    )
    fps: str | None = option(f"Frames per second of a video (default: {FPS}).", default=None)
    save_preset: Path | None = option("Write sliders and sweeps to this preset (JSON).", default=None, in_rows=False)
    random: int | None = option(
        "Sample N expressions and poses: one picture each, or one video of all.",
        default=None,
        minimum=1,
        maximum=999,
        metavar="N",
        exact=True,
    )
    seed: int | None = option("Seed of --random (default: 0).", default=None, minimum=0, maximum=2**63 - 1)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file but the preset."""
        from facepipe.motion.presets import load_preset, save_preset
        from facepipe.pipeline.dependencies import of_reenactment
        from facepipe.pipeline.naming import told
        from facepipe.pipeline.reenact import is_picture
        from facepipe.pipeline.variation import make_edits, prepare_edits

        sliders = {name: value for name in SLIDERS if (value := getattr(self, name)) is not None}
        edit = edit_of(sliders, self.sweep, load_preset(self.preset) if self.preset else Edit())
        self._check_combination()
        suffix = video_suffix(settings_for(self, settings)) if edit.sweeps else ".png"
        outs = self._outs(suffix)
        still = is_picture(outs[0])
        options = options_for(self, settings, self._named(outs), edit=self._complete(edit, outs[0], still=still))

        def make(job: Job) -> list[Path]:
            if self.save_preset:
                self._check_saving(edit, self.save_preset)
                if not job.dry_run:
                    save_preset(edit, self.save_preset)
            if not self.out:
                told(job, outs[0], self._outs(suffix, free=False)[0])
            make_edits(job, prepare_edits(job, self.source, self.from_image, outs, options))
            return [*outs, *([self.sheet] if self.sheet else [])]

        identity = {"command": self.command, **names(source=self.source, out=outs[0])}
        files = (*outs, *(path for path in (self.sheet, self.save_preset) if path))
        return Prepared(options, identity, of_reenactment(options, still=still), make, files)

    def _check_combination(self) -> None:
        """Raise UsageError for options that need or exclude each other."""
        if self.from_image and self.random:
            raise UsageError("--from-image and --random both set the expression; give only one of them")
        if self.seed is not None and not self.random:
            raise UsageError("--seed needs --random N, the number of samples")
        for name in ("only", "strength", "driver_face"):
            if getattr(self, name) is not None and not self.from_image:
                raise UsageError(f"--{name.replace('_', '-')} needs --from-image FACE")

    def _outs(self, suffix: str, *, free: bool = True) -> list[Path]:
        """Return the result files: one, or one per random sample. `free`: default names replace no other result.

        `suffix` is that of one result without a name.
        """
        out, random = self.out, self.random
        if not random:
            return [out or self._default("--edit", suffix, free=free)]
        if out and out.suffix and (out.suffix.lower() not in PICTURES or random == 1):
            return [out]
        ending = f"--random-{self.seed or 0}"
        if out:
            return _samples(out if out.suffix else out / f"{self.source.stem}{ending}.png", random)
        return _samples(self._default(ending, ".png", free=free), random)

    def _default(self, ending: str, suffix: str, *, free: bool) -> Path:
        from facepipe.pipeline.naming import free_path

        if not free:
            return Path(f"{self.source.stem}{ending}{suffix}")
        random = self.random
        return free_path(
            self.command,
            [self.source],
            suffix,
            ending=ending,
            first=lambda out: _samples(out, random)[0] if random else out,
        )

    def _named(self, outs: list[Path]) -> Path:
        """Return the -o that gives these result files."""
        first = outs[0]
        return first if len(outs) == 1 else first.with_name(first.stem.rpartition("-")[0] + first.suffix)

    def _complete(self, edit: Edit, out: Path, *, still: bool) -> Edit:
        """Return the edit with its length and its random samples."""
        if still:
            edit = as_picture(edit, out, self.frames, self.fps)
        else:
            travels = self.random is not None or (self.from_image is not None and not edit.sweeps)
            frames = self.frames or (self.random and FRAMES_PER_DRAW * self.random)
            edit = replace(as_video(edit, frames, self.fps), travels=travels)
        if self.random:
            edit = replace(edit, draw=Draw(self.seed or 0, count=1 if still else self.random))
        return edit

    def _check_saving(self, edit: Edit, path: Path) -> None:
        """Raise UsageError for sliders out of bounds, or if the file exists and is not a preset."""
        from facepipe.motion.presets import load_preset
        from facepipe.weights import find

        check_edit(edit, read_bounds(find("face-model").path))
        if path.exists() and not self.overwrite:
            try:
                load_preset(path)
            except InputError:
                raise UsageError(
                    f"{path} exists and is not a preset; choose another name, or use --overwrite"
                ) from None


def _samples(base: Path, count: int) -> list[Path]:
    """Return the files of random samples: NAME-1.png, NAME-2.png and so on, with as many digits as the last."""
    digits = len(str(count))
    return [base.with_name(f"{base.stem}-{number:0{digits}}{base.suffix}") for number in range(1, count + 1)]
