"""The declaration of a motion space. It imports neither NumPy nor torch, so that the command line can read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facepipe.face.model import FaceModel
    from facepipe.spaces.coefficients import Coefficients, Floats
    from facepipe.spaces.retargeting import Retargeting


@dataclass(frozen=True, kw_only=True)
class MotionSpace:
    """A representation of motion: the arrays of a motion file, their estimation, and the operations on them.

    Code is named as "module:attribute" and imported when it is first used.
    """

    name: str
    about: str
    """One line for help texts."""
    aliases: tuple[str, ...] = ()
    """Names of this space in files of earlier versions."""
    extends: str = ""
    """Name of the space whose arrays are also those of this one, with the same meaning; empty if there is none."""
    arrays: Mapping[str, tuple[int | None, ...]]
    """Shape of each array of a motion file; None stands for the number of frames T."""
    header: tuple[str, ...] = ()
    """Names of further texts and flags of the class of coefficients, which a motion file keeps in its header."""
    smoothing_seconds: Mapping[str, float]
    """Length of the smoothing window of each array that holds motion; identity and the like are not smoothed."""
    coefficients: str
    """The class that holds the arrays, a `facepipe.spaces.coefficients.Coefficients`."""
    stage: str
    """The `facepipe.engine.Stage` that estimates this motion from a track; with an input `media`, also from pixels."""
    network: str = ""
    """Registry name of the network by which the stage estimates this motion if the job's renderer has no other; the
    stage calls it `network`. Empty if the stage names all its weights."""
    retargeting: str
    """A function with the parameters of `retarget`."""
    containing: str = ""
    """A function with the parameters of `contain`; empty if nothing keeps the head in the picture."""
    editing: str = ""
    """A function with the parameters of `edit`; empty if sliders cannot move this space."""
    from_coefficients: str = ""
    """A function with the parameters of `follow`; empty if linear478 does not describe this motion. Voice and face
    sliders need it."""
    official: Mapping[str, str] = field(default_factory=dict)
    """By registry name: the function that reads a weight of this space in the form in which its authors publish it."""
    crop_pixels: int = 0
    """The one size of crop that the motion refers to; 0 if it does not depend on the size."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Values of the settings "motion.motion" and "motion.smoothing" in this space where the user gives none."""

    @property
    def motion(self) -> tuple[str, ...]:
        """The names of the arrays that hold motion."""
        return tuple(self.smoothing_seconds)

    @property
    def per_frame(self) -> tuple[str, ...]:
        """The names of the arrays with one row a frame."""
        return tuple(name for name, shape in self.arrays.items() if shape[0] is None)

    @property
    def is_linear(self) -> bool:
        """Whether identity, expression, angles and translation are those of the space `linear478`."""
        return "linear478" in (self.name, self.extends)

    def takes(self, other: MotionSpace, *, as_driver: bool = False) -> bool:
        """Return whether motion in another space can be used as motion in this one: it has the same arrays.

        `as_driver`: the arrays in which this space extends another one are not needed.
        """
        theirs = (other.name, other.extends)
        return self.name in theirs or (as_driver and bool(self.extends) and self.extends in theirs)

    @property
    def has_controls(self) -> bool:
        """Whether the face model's named sliders apply."""
        return bool(self.from_coefficients)

    def coefficients_class(self) -> type[Coefficients]:
        """Import the class of this space's coefficients."""
        found: type[Coefficients] = resolve_name(self.coefficients)
        return found

    def estimation(self) -> Any:
        """Import the stage that estimates this motion."""
        return resolve_name(self.stage)

    def retarget(
        self,
        source: Coefficients,
        driving: Coefficients,
        how: Retargeting,
        model: FaceModel,
        *,
        no_face: str = "hold",
    ) -> Coefficients:
        """Return the source (its first frame) with the driver's motion, one row for each driving frame.

        Relative motion has a reference frame in each shot. Driving frames without a face keep their rows, which pass
        from face to face (`no_face` "hold"), show the source's own state ("source"), or are left out ("cut"). Raises
        UsageError for a reference frame beyond the end.
        """
        function: Callable[..., Coefficients] = resolve_name(self.retargeting)
        return function(source, driving, how, model, no_face=no_face)

    def contain(
        self, made: Coefficients, source: Coefficients, how: Retargeting, model: FaceModel
    ) -> tuple[Coefficients, float]:
        """Return retargeted motion whose head stays in the picture, and the share of its travel that was taken back.

        What the source (its first frame) shows of its own face is the least that the result shows of it.
        """
        if not self.containing:
            return made, 0.0
        function: Callable[..., tuple[Coefficients, float]] = resolve_name(self.containing)
        return function(made, source, how, model)

    def follow(self, made: Coefficients, source: Coefficients, model: FaceModel) -> Coefficients:
        """Return coefficients whose linear478 arrays were changed with all arrays of this space after that change.

        `source` is the same face before the change, in this space; its first row counts.
        """
        function: Callable[..., Coefficients] = resolve_name(self.from_coefficients)
        return function(made, source, model)

    def edit(self, coefficients: Coefficients, values: Mapping[str, Floats], model: FaceModel) -> Coefficients:
        """Return coefficients of T frames with sliders applied; `values` holds (T,) by slider name."""
        function: Callable[..., Coefficients] = resolve_name(self.editing)
        return function(coefficients, values, model)
