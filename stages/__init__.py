"""The stages of facepipe's jobs, one file each.

Stages never import each other: they meet on disk. A new stage is a file here, which holds its parameters, its function
and its declaration; CONTRIBUTING.md goes through it step by step.
"""

NAMES = (
    "crop",
    "coefficients",
    "features",
    "speech",
    "motion",
    "prepare",
    "render",
    "mux",
    "sign",
    "sheet",
    "report",
    "spans",
    "utterances",
    "clip",
)
"""In the order in which they run."""
