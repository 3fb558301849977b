"""The exchange's own certificate (RFC 5280): read from files, and made where there are none yet."""

import datetime
import hashlib
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.locale import say

VALID_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
"""A Raspberry Pi has no clock of its own: its first start may lie in the past."""

VALID_UNTIL = datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC)

_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class CertificateError(Exception):
    """There is no usable certificate; the sentence is for people, in their language."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate, in PEM, and of its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Identity:
    """What the exchange proves with who it is.

    Args:
        context: for TLS servers; TLS 1.2 and later (RFC 8996).
        fingerprint: the certificate's SHA-256, as ``AB:CD:...``.
    """

    context: ssl.SSLContext
    fingerprint: str


def own_identity(settings: TlsSettings, folder: DataFolder, addresses: Iterable[str]) -> Identity:
    """Return what the settings name, or else what the data folder has, made now if need be.

    Args:
        settings: paths in them are seen from the data folder.
        folder: the data folder.
        addresses: of this machine; a certificate that is made now is good for them.

    Raises:
        CertificateError: with what is wrong with which file.
    """
    if settings.certificate:
        return read_identity(Pair(folder.path / settings.certificate, folder.path / settings.key))
    pair = Pair(folder.tls / "certificate.pem", folder.tls / "key.pem")
    make_identity(pair, addresses)
    return read_identity(pair)


def read_identity(pair: Pair) -> Identity:
    """Return what the two files hold.

    Raises:
        CertificateError: naming the file that can't be read or used.
    """
    text = _read(pair.certificate)
    _read(pair.key)
    found = _PEM_CERTIFICATE.search(text)
    if found is None:
        raise _unusable(pair.certificate, say("certificate-none"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        der = ssl.PEM_cert_to_DER_cert(found[0])
        # Without this OpenSSL would ask the terminal for an encrypted key's password.
        context.load_cert_chain(pair.certificate, pair.key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            sentence = say("certificate-mismatch", certificate=pair.certificate, key_file=pair.key)
            raise CertificateError(sentence) from error
        raise _unusable(pair.certificate, say("certificate-broken", key_file=pair.key)) from error
    digest = hashlib.sha256(der).digest()
    return Identity(context, digest.hex(":").upper())


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _unusable(path: Path, why: object) -> CertificateError:
    return CertificateError(say("certificate-unusable", path=path, why=why))


def make_identity(pair: Pair, addresses: Iterable[str]) -> None:
    """Make what is missing of the pair: a P-256 key, and a self-signed certificate for it.

    A key without certificate, put there by a person or left by a power cut between the two, is
    kept. Nothing that is there is overwritten, and no file is ever there by half.

    Args:
        pair: where to.
        addresses: numeric ones of this machine, which the certificate shall be good for.

    Raises:
        CertificateError: they can't be made.
    """
    if os.path.lexists(pair.certificate):
        return
    try:
        pair.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.lexists(pair.key):
            _write(pair.key, _new_key(), 0o600)
        made = _self_signed(pair.key.read_bytes(), _host_names(), addresses)
        _write(pair.certificate, made, 0o644)
    except OSError as error:
        raise _unusable(Path(error.filename or pair.key), error.strerror or error) from error
    except (ValueError, TypeError) as error:
        # The latter: the key has a password.
        raise _unusable(pair.key, say("certificate-bad-key")) from error


def _host_names() -> list[str]:
    """What the machine is called in its network, and by multicast DNS (RFC 6762)."""
    host = socket.gethostname()
    found = [host, f"{host.partition('.')[0]}.local"] if host and host.isascii() else []
    return found or ["minisip.local"]


# cryptography is imported where it is needed, which is on one start only: it takes memory.


def _new_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _self_signed(key_pem: bytes, names: list[str], addresses: Iterable[str]) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError("neither an EC nor an RSA key")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    hosts = [ipaddress.ip_address(each) for each in addresses]
    # The addresses as names, too: phones with mbedTLS before 3.5, Linphone, look for them there.
    good_for: list[x509.GeneralName] = [x509.DNSName(each) for each in (*names, *map(str, hosts))]
    good_for += [x509.IPAddress(each) for each in hosts]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.SubjectAlternativeName(good_for), critical=False)
        # No authority: whoever trusts this certificate trusts this one machine.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all, whenever the power goes.

    Raises:
        OSError: it can't be written.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
