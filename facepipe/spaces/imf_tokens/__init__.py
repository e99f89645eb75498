"""The motion space `imf_tokens`: that of `linear478`, and the tokens of an implicit motion function (IMF)."""

from facepipe.spaces.space import MotionSpace

SPACE = MotionSpace(
    name="imf_tokens",
    about="tokens of 32 numbers, estimated from the pixels by the network that renders them",
    extends="linear478",
    arrays={
        "identity": (80,),
        "expression": (None, 64),
        "angles": (None, 3),
        "translation": (None, 3),
        "tokens": (None, 32),
        "edits": (None, 70),
        "valid": (None,),
        "residual": (None,),
        "shot": (None,),
    },
    header=("network", "editable"),
    # Tokens contain the lips, which are the fastest part of a face.
    smoothing_seconds={"expression": 0.2, "angles": 0.28, "translation": 0.28, "tokens": 0.2, "edits": 0.2},
    coefficients="facepipe.spaces.imf_tokens.coefficients:TokenCoefficients",
    stage="facepipe.stages.coefficients:TOKENS_STAGE",
    network="imf-compact",
    retargeting="facepipe.spaces.imf_tokens.motion:retarget",
    containing="facepipe.spaces.imf_tokens.motion:contain",
    editing="facepipe.spaces.imf_tokens.motion:edit",
    from_coefficients="facepipe.spaces.imf_tokens.motion:from_coefficients",
    # The size of the crops that the networks see.
    crop_pixels=256,
)
