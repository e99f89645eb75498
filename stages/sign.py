"""Stage `sign`: add a signed C2PA manifest to a finished result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facepipe import __version__
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.signing import Credentials, sign_file


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    claims: Mapping[str, str] = field(default_factory=dict)
    """Digests of the inputs by role, which are stated in the manifest."""
    program: str = f"facepipe {__version__}"
    """Program name in the manifest."""


def sign(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the signed result. Each signature differs, so this is the only stage without reproducible bytes."""
    result = run.input("result")
    target = run.output / f"signed{result.suffix.lower()}"
    sign_file(result, target, Credentials(run.input("certificate"), run.input("key")), run.params.claims)
    return {"bytes_added": target.stat().st_size - result.stat().st_size}


# Only the digest of the key is recorded.
STAGE = Stage(
    name="sign",
    version=2,
    inputs=("result", "certificate", "key"),
    outputs=("signed.mp4?", "signed.png?", "signed.jpg?", "signed.webp?"),
    params=Params,
    function=sign,
)
