"""What a result tells of where it comes from: whose consent there is, and who signs for it."""

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
from stages import sign

Made = Artefact | Pending


@dataclass(frozen=True)
class Provenance:
    """What the user gives to vouch for a result."""

    certificate: Path | None = None
    key: Path | None = None
    consent: Path | None = None
    """The file in which the person shown agrees, whatever its form."""
    require_consent: bool = False

    @property
    def credentials(self) -> Credentials | None:
        """Return what to sign with; None where nothing is to be signed."""
        return Credentials(self.certificate, self.key) if self.certificate and self.key else None

    def check(self) -> None:
        """Raise UsageError where something is missing, InputError or ToolError where it cannot be used."""
        if self.require_consent and not self.consent:
            raise UsageError(
                "consent is required here (--require-consent), and none is given; name the file that holds that of the "
                "person shown, with --consent FILE"
            )
        if self.consent:
            check_input(self.consent)
        if bool(self.certificate) != bool(self.key):
            given, missing = ("certificate", "key") if self.certificate else ("key", "certificate")
            raise UsageError(f"--{given} is given without --{missing}; signing needs both")
        if self.credentials:
            check_credentials(self.credentials)

    def paths(self) -> list[Path]:
        """Return the files that no result may replace."""
        return [path for path in (self.certificate, self.key, self.consent) if path]

    def about(self, digests: DigestCache) -> Mapping[str, Any]:
        """Return what a sidecar says."""
        if not self.consent:
            return {}
        return {"consent": {"path": str(self.consent), "sha256": digests.digest(self.consent)}}


def signed(job: Job, result: Made, provenance: Provenance, made_of: Mapping[str, Path], label: str = "sign") -> Made:
    """Return the result with a signed manifest that tells the digests of what it was made of; or as it is."""
    credentials = provenance.credentials
    if credentials is None:
        return result
    roles = {**made_of, **({"consent": provenance.consent} if provenance.consent else {})}
    claims = {role: job.workspace.digests.digest(path) for role, path in roles.items()}
    inputs = {"result": result, "certificate": credentials.certificate, "key": credentials.key}
    return job.run(sign.STAGE, inputs, sign.Params(claims), label=label)
