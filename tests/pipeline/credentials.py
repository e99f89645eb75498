"""Certificates for tests: an authority, and a signer that it vouches for."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def make_key(kind: str = "P-256") -> Key:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[kind])


def make_credentials(folder: Path, kind: str = "P-256") -> tuple[Path, Path]:
    """Write `chain.pem`, `key.pem` and the authority's `anchor.pem`; return the first two."""
    authority, key = make_key("P-256"), make_key(kind)
    root = _certificate("Test authority", "Test authority", authority, authority)
    own = _certificate("Test signer", "Test authority", key, authority)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "anchor.pem").write_bytes(_pem(root))
    (folder / "chain.pem").write_bytes(_pem(own) + _pem(root))
    (folder / "key.pem").write_bytes(pem_of(key))
    return folder / "chain.pem", folder / "key.pem"


def pem_of(key: Key, password: bytes = b"") -> bytes:
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(text: str) -> x509.Name:
    attributes = {NameOID.COMMON_NAME: text, NameOID.ORGANIZATION_NAME: "Test"}
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])


def _certificate(subject: str, issuer: str, key: Key, signer: Key) -> x509.Certificate:
    now, is_authority = datetime.datetime.now(datetime.timezone.utc), subject == issuer
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    public = key.public_key()
    builder = (
        x509.CertificateBuilder(_name(issuer), _name(subject), public, x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority, **usage
            ),
            critical=True,
        )
    )
    if not is_authority:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(signer, hashes.SHA256())
