"""The motion space `bfm`: coefficients of the Basel Face Model, estimated from an aligned face by Deep3DFaceRecon."""

from facepipe.spaces.space import MotionSpace

SPACE = MotionSpace(
    name="bfm",
    about="coefficients of the Basel Face Model, estimated by Deep3DFaceRecon",
    arrays={
        "identity": (None, 80),
        "texture": (None, 80),
        "lighting": (None, 27),
        "crops": (None, 3),
        "expression": (None, 64),
        "angles": (None, 3),
        "translation": (None, 3),
        "valid": (None,),
        "residual": (None,),
        "shot": (None,),
    },
    smoothing_seconds={"expression": 0.2, "angles": 0.28, "translation": 0.28, "crops": 0.28},
    coefficients="facepipe.spaces.bfm.coefficients:BfmCoefficients",
    stage="facepipe.stages.coefficients:BFM_STAGE",
    retargeting="facepipe.spaces.bfm.motion:retarget",
    containing="facepipe.spaces.bfm.motion:contain",
    editing="facepipe.spaces.bfm.motion:edit",
    official={
        "deep3d": "facepipe.face.bfm.network:read_official",
        "bfm": "facepipe.face.bfm.network:read_official_model",
    },
    # `crops` holds pixels of a crop of this size.
    crop_pixels=256,
    # As the published program: the driver's own state, not smoothed.
    defaults={"motion.motion": "absolute", "motion.smoothing": "none"},
)
