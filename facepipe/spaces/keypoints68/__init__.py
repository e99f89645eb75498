"""The motion space `keypoints68`: that of `linear478`, and the 68 landmarks of the moved face."""

from facepipe.spaces.space import MotionSpace

SPACE = MotionSpace(
    name="keypoints68",
    about="68 landmarks, those of the source's face moved by facepipe's own face model",
    extends="linear478",
    arrays={
        "identity": (80,),
        "expression": (None, 64),
        "angles": (None, 3),
        "translation": (None, 3),
        "keypoints": (None, 68, 2),
        "valid": (None,),
        "residual": (None,),
        "shot": (None,),
    },
    # The landmarks contain the lips, which are the fastest part of a face.
    smoothing_seconds={"expression": 0.2, "angles": 0.28, "translation": 0.28, "keypoints": 0.2},
    coefficients="facepipe.spaces.keypoints68.coefficients:KeypointCoefficients",
    stage="facepipe.stages.coefficients:STAGE",
    retargeting="facepipe.spaces.keypoints68.motion:retarget",
    containing="facepipe.spaces.keypoints68.motion:contain",
    editing="facepipe.spaces.keypoints68.motion:edit",
    from_coefficients="facepipe.spaces.keypoints68.motion:from_coefficients",
)
