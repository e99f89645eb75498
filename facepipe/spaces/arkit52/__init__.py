"""The motion space `arkit52`: that of `linear478`, the weights of 52 face units, and the directions of the eyes."""

from facepipe.spaces.space import MotionSpace

SPACE = MotionSpace(
    name="arkit52",
    about="weights of ARKit's 52 face units, and the directions of the eyes",
    extends="linear478",
    arrays={
        "identity": (80,),
        "expression": (None, 64),
        "angles": (None, 3),
        "translation": (None, 3),
        "weights": (None, 52),
        "gaze": (None, 2, 2),
        "valid": (None,),
        "residual": (None,),
        "shot": (None,),
    },
    smoothing_seconds={"expression": 0.2, "angles": 0.28, "translation": 0.28, "weights": 0.2, "gaze": 0.2},
    coefficients="facepipe.spaces.arkit52.coefficients:UnitCoefficients",
    stage="facepipe.stages.coefficients:UNITS_STAGE",
    retargeting="facepipe.spaces.arkit52.motion:retarget",
    containing="facepipe.spaces.linear478.motion:contain",
    editing="facepipe.spaces.arkit52.motion:edit",
    from_coefficients="facepipe.spaces.arkit52.motion:from_coefficients",
)
