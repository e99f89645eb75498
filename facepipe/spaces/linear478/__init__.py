"""The motion space `linear478`: coefficients of facepipe's own linear face model over the 478-point mesh."""

from facepipe.spaces.space import MotionSpace

SPACE = MotionSpace(
    name="linear478",
    about="coefficients of facepipe's own face model, fitted to 478 landmarks",
    aliases=("facepipe",),
    arrays={
        "identity": (80,),
        "expression": (None, 64),
        "angles": (None, 3),
        "translation": (None, 3),
        "valid": (None,),
        "residual": (None,),
        "shot": (None,),
    },
    # Lips are faster than heads: over a longer window the mouth opens less.
    smoothing_seconds={"expression": 0.2, "angles": 0.28, "translation": 0.28},
    coefficients="facepipe.spaces.coefficients:Coefficients",
    stage="facepipe.stages.coefficients:STAGE",
    retargeting="facepipe.spaces.linear478.motion:retarget",
    containing="facepipe.spaces.linear478.motion:contain",
    editing="facepipe.spaces.linear478.motion:edit",
    from_coefficients="facepipe.spaces.linear478.motion:from_coefficients",
)
