"""The stages of jobs, one module each.

A module contains the stage's parameters, its function and its declaration; see "Add a stage" in CONTRIBUTING.md. Stages
do not import each other; they exchange data by files.
"""

NAMES = (
    "crop",
    "avatar",
    "portrait",
    "matte",
    "selection",
    "coefficients",
    "create",
    "take",
    "person",
    "features",
    "speech",
    "motion",
    "blendshapes",
    "prepare",
    "render",
    "mux",
    "sign",
    "sheet",
    "report",
    "spans",
    "utterances",
    "clip",
    "encode",
    "opus",
    "assemble",
    "decode",
)
"""Names of all stages, in the order in which they run."""
