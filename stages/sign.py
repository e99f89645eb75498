"""Stage `sign`: put a signed C2PA manifest into a finished result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facepipe import __version__
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.signing import Credentials, sign_file


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    claims: Mapping[str, str] = field(default_factory=dict)
    """By role, the digests of what the result was made of, which the manifest tells."""
    program: str = f"facepipe {__version__}"
    """Named in the manifest."""


def sign(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the result, signed. Each signature is another, so that this stage alone never gives the same bytes."""
    result = run.input("result")
    target = run.output / f"signed{result.suffix.lower()}"
    sign_file(result, target, Credentials(run.input("certificate"), run.input("key")), run.params.claims)
    return {"bytes_added": target.stat().st_size - result.stat().st_size}


# Of the key no more than its digest is remembered.
STAGE = Stage(
    name="sign",
    version=1,
    inputs=("result", "certificate", "key"),
    outputs=("signed.mp4?", "signed.png?", "signed.jpg?", "signed.webp?"),
    params=Params,
    function=sign,
)
