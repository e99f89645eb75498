"""Consent and signature of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.engine import Artefact, Job, Pending
from facepipe.engine.digest import DigestCache
from facepipe.errors import UsageError
from facepipe.media.files import check_input
from facepipe.media.signing import Credentials, check_credentials
from facepipe.stages import sign

Made = Artefact | Pending


@dataclass(frozen=True)
class Provenance:
    """The files for consent and signature."""

    certificate: Path | None = None
    key: Path | None = None
    consent: Path | None = None
    """The file with the consent of the depicted person, in any format."""
    require_consent: bool = False

    @property
    def credentials(self) -> Credentials | None:
        """The credentials for signing; None if results are not signed."""
        return Credentials(self.certificate, self.key) if self.certificate and self.key else None

    def check(self) -> None:
        """Raise UsageError if a file is not given, InputError or ToolError if it cannot be used."""
        if self.require_consent and not self.consent:
            raise UsageError(
                "--require-consent is set, but no consent is given; give the file with the consent of the depicted "
                "person with --consent FILE"
            )
        if self.consent:
            check_input(self.consent)
        if bool(self.certificate) != bool(self.key):
            given, missing = ("certificate", "key") if self.certificate else ("key", "certificate")
            raise UsageError(f"--{given} is given without --{missing}; signing needs both")
        if self.credentials:
            check_credentials(self.credentials)

    def paths(self) -> list[Path]:
        """Return the files, which no result may replace."""
        return [path for path in (self.certificate, self.key, self.consent) if path]

    def about(self, digests: DigestCache) -> Mapping[str, Any]:
        """Return the entry for the sidecar."""
        if not self.consent:
            return {}
        return {"consent": {"path": str(self.consent), "sha256": digests.digest(self.consent)}}


def signed(job: Job, result: Made, provenance: Provenance, made_of: Mapping[str, Path], label: str = "sign") -> Made:
    """Return the result with a signed manifest that lists the digests of its inputs; unchanged without credentials."""
    credentials = provenance.credentials
    if credentials is None:
        return result
    roles = {**made_of, **({"consent": provenance.consent} if provenance.consent else {})}
    claims = {role: job.workspace.digests.digest(path) for role, path in roles.items()}
    inputs = {"result": result, "certificate": credentials.certificate, "key": credentials.key}
    return job.run(sign.STAGE, inputs, sign.Params(claims), label=label)
