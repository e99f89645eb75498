"""Content credentials (C2PA): a signed manifest in a result that names the program that made it and its inputs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from facepipe.errors import InputError, ToolError
from facepipe.media.files import check_input
from facepipe.media.origin import origin_metadata

if TYPE_CHECKING:
    import c2pa

# C2PA's signature algorithm for each curve. RSA keys sign with PS256.
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_KINDS = {".mp4": "video/mp4", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
INPUTS_LABEL = "org.facepipe.inputs"


@dataclass(frozen=True)
class Credentials:
    """A certificate chain, the signer's own first, and its private key, both PEM files."""

    certificate: Path
    key: Path


def check_credentials(credentials: Credentials) -> None:
    """Sign a one-pixel image. Raises ToolError without c2pa-python, InputError if the credentials do not work."""
    if find_spec("c2pa") is None:
        raise ToolError(
            "signing needs the package c2pa-python, which is not installed; pip install 'facepipe[c2pa]', or omit "
            "--certificate and --key"
        )
    with io.BytesIO() as picture, io.BytesIO() as signed:
        Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(picture, "PNG")
        _sign(picture, signed, "image/png", credentials, {})


def sign_file(source: Path, target: Path, credentials: Credentials, claims: Mapping[str, str]) -> None:
    """Copy `source` (mp4, png, jpg or webp) to `target` and add a signed manifest; the content is unchanged.

    `claims` maps the role of each input to its sha256. Neither clock nor network is used, so the manifest has no time
    stamp and is valid as long as the certificate is. Raises InputError if signing fails.
    """
    with source.open("rb") as given, target.open("w+b") as signed:
        _sign(given, signed, _KINDS[source.suffix.lower()], credentials, claims)


def _sign(given: BinaryIO, signed: BinaryIO, kind: str, credentials: Credentials, claims: Mapping[str, str]) -> None:
    # Imported here because it is an optional dependency.
    import c2pa  # noqa: PLC0415

    # By default stills get a thumbnail of 1024x1024, larger than the result itself.
    settings = c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}})
    try:
        with c2pa.Context(settings) as context, c2pa.Builder(json.dumps(_manifest(claims)), context=context) as builder:
            builder.sign(_signer(credentials), kind, given, signed)
    except c2pa.C2paError as error:
        raise InputError(
            f"cannot sign with {credentials.certificate} and {credentials.key} ({error}); give a certificate "
            "chain for signing (PEM, your own first; not self-signed) and its private key"
        ) from error


def _signer(credentials: Credentials) -> c2pa.Signer:
    import c2pa  # noqa: PLC0415

    for path in (credentials.certificate, credentials.key):
        check_input(path)
    key = credentials.key.read_bytes()
    info = c2pa.C2paSignerInfo(_algorithm(key, credentials.key), credentials.certificate.read_bytes(), key, None)
    return c2pa.Signer.from_info(info)


def _algorithm(key: bytes, path: Path) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - comes with c2pa-python
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        found = load_pem_private_key(key, None)
    except (TypeError, ValueError) as error:
        fault = "is encrypted" if b"ENCRYPTED" in key else "is not a private key in PEM format"
        remedy = f"convert it: openssl pkcs8 -topk8 -nocrypt -in {path} -out KEY.pem"
        raise InputError(f"{path} {fault}; {remedy}") from error
    if isinstance(found, ec.EllipticCurvePrivateKey) and found.curve.name in _CURVES:
        return _CURVES[found.curve.name].encode()
    if isinstance(found, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    raise InputError(f"{path}: C2PA cannot sign with a key of this type; expected P-256, P-384, P-521, Ed25519 or RSA")


def _manifest(claims: Mapping[str, str]) -> dict[str, Any]:
    origin = origin_metadata()
    name, _, version = origin["software"].partition(" ")
    agent = {"name": name, "version": version}
    action = {
        "action": "c2pa.created", "digitalSourceType": origin["digitalSourceType"], "softwareAgent": agent,
    }  # fmt: skip
    assertions: list[dict[str, Any]] = [{"label": "c2pa.actions", "data": {"actions": [action]}}]
    if claims:
        assertions.append({"label": INPUTS_LABEL, "data": {f"{role}_sha256": sha for role, sha in claims.items()}})
    return {"claim_generator_info": [agent], "assertions": assertions}
