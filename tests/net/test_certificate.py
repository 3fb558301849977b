"""The exchange's certificate: made once, read from files, and what is said of bad ones."""

import datetime
import errno
import ipaddress
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pbx.config.data_folder import DataFolder
from pbx.config.settings import TlsSettings
from pbx.locale import choose
from pbx.net.certificate import CertificateError, Identity, own_identity

ADDRESSES = ["192.0.2.7", "2001:db8::7", "127.0.0.1"]


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    choose("en")
    return DataFolder(tmp_path)


def made(folder: DataFolder, **settings: str) -> Identity:
    return own_identity(TlsSettings(**settings), folder, ADDRESSES)


def refused(folder: DataFolder, **settings: str) -> str:
    with pytest.raises(CertificateError) as caught:
        made(folder, **settings)
    return caught.value.sentence


def files(folder: DataFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.tls.iterdir() if path.is_file()}


class TestMade:
    """On the first start."""

    def test_what_it_says(self, folder: DataFolder) -> None:
        made(folder)
        found = x509.load_pem_x509_certificate(files(folder)["certificate.pem"])
        key = found.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
        # A board without a clock starts somewhere in the past.
        assert found.not_valid_before_utc.year == 2020
        now = datetime.datetime.now(datetime.UTC)
        assert found.not_valid_after_utc - now > datetime.timedelta(days=19 * 365)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        host = socket.gethostname()
        assert names.get_values_for_type(x509.DNSName) == [
            host,
            f"{host.partition('.')[0]}.local",
            *ADDRESSES,
        ]
        addresses = [ipaddress.ip_address(one) for one in ADDRESSES]
        assert names.get_values_for_type(x509.IPAddress) == addresses

    def test_key_is_for_the_owner_only(self, folder: DataFolder) -> None:
        made(folder)
        assert stat.S_IMODE((folder.tls / "key.pem").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.tls.stat().st_mode) == 0o700
        assert sorted(files(folder)) == ["certificate.pem", "key.pem"]

    def test_fingerprint_is_what_others_say(self, folder: DataFolder) -> None:
        fingerprint = made(folder).fingerprint
        told = subprocess.run(
            ["openssl", "x509", "-noout", "-fingerprint", "-sha256"],
            input=files(folder)["certificate.pem"],
            capture_output=True,
            check=True,
        ).stdout.decode()
        assert told.strip().partition("=")[2] == fingerprint

    def test_only_once(self, folder: DataFolder) -> None:
        first, before = made(folder), files(folder)
        assert made(folder).fingerprint == first.fingerprint
        assert files(folder) == before


class TestPowerCut:
    """Whenever the power goes, the next start has a whole pair."""

    def test_between_key_and_certificate(self, folder: DataFolder) -> None:
        made(folder)
        key = files(folder)["key.pem"]
        (folder.tls / "certificate.pem").unlink()
        made(folder)
        assert files(folder)["key.pem"] == key

    @pytest.mark.parametrize("name", ["key.pem", "certificate.pem"])
    def test_in_a_file(self, folder: DataFolder, name: str) -> None:
        made(folder)
        # What a cut leaves behind: a draft, and not yet a file.
        for gone in ("certificate.pem", name):
            (folder.tls / gone).unlink(missing_ok=True)
        (folder.tls / f".{name}.new").write_bytes(b"-----BEGIN")
        made(folder)
        assert sorted(files(folder)) == ["certificate.pem", "key.pem"]

    @pytest.mark.parametrize("failing", [1, 3])
    def test_disk_that_is_full(
        self, folder: DataFolder, monkeypatch: pytest.MonkeyPatch, failing: int
    ) -> None:
        """The first file's contents, or the second's, don't get to the disk."""
        syncs: list[int] = []

        def full(descriptor: int) -> None:
            syncs.append(descriptor)
            if len(syncs) == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            assert "No space left" in refused(folder)
        assert list(files(folder)) == (["key.pem"] if failing == 3 else [])
        made(folder)


class TestBad:
    """A sentence names the file, and no file is touched."""

    @pytest.mark.parametrize(
        ("name", "text", "why"),
        [
            ("certificate.pem", b"", "there is no certificate in PEM in it"),
            ("certificate.pem", b"\xff\x00garbage", "there is no certificate in PEM in it"),
            (
                "certificate.pem",
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "is broken or has a password",
            ),
            (
                "certificate.pem",
                b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n",
                "is broken or has a password",
            ),
            ("key.pem", b"", "is broken or has a password"),
            ("key.pem", b"-----BEGIN PRIVATE KEY-----\n", "is broken or has a password"),
        ],
    )
    def test_broken(self, folder: DataFolder, name: str, text: bytes, why: str) -> None:
        made(folder)
        (folder.tls / name).write_bytes(text)
        before = files(folder)
        told = refused(folder)
        assert why in told
        assert str(folder.tls / name) in told
        assert files(folder) == before

    def test_key_of_another_certificate(self, folder: DataFolder) -> None:
        made(folder)
        (folder.tls / "certificate.pem").rename(folder.path / "one.pem")
        (folder.tls / "key.pem").unlink()
        made(folder)
        (folder.path / "one.pem").rename(folder.tls / "certificate.pem")
        before = files(folder)
        assert "does not belong to the key" in refused(folder)
        assert files(folder) == before

    def test_key_with_a_password(self, folder: DataFolder) -> None:
        made(folder)
        key = serialization.load_pem_private_key(files(folder)["key.pem"], None)
        locked = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        (folder.tls / "key.pem").write_bytes(locked)
        assert "has a password" in refused(folder)
        (folder.tls / "certificate.pem").unlink()
        assert "has a password" in refused(folder)
        assert files(folder) == {"key.pem": locked}

    def test_certificate_without_its_key(self, folder: DataFolder) -> None:
        made(folder)
        (folder.tls / "key.pem").unlink()
        assert refused(folder) == (
            f"There is no TLS, for {folder.tls / 'key.pem'} cannot be used: "
            "No such file or directory."
        )
        assert sorted(files(folder)) == ["certificate.pem"]

    def test_no_key_at_all_but_a_key_file(self, folder: DataFolder) -> None:
        folder.tls.mkdir()
        (folder.tls / "key.pem").write_bytes(b"no key")
        assert "it is no EC or RSA key" in refused(folder)
        assert files(folder) == {"key.pem": b"no key"}

    def test_no_place_for_it(self, folder: DataFolder) -> None:
        folder.tls.write_bytes(b"a file of the folder's name")
        assert str(folder.tls) in refused(folder)


class TestSettings:
    """A person's own files, by paths from the data folder."""

    def test_own_files(self, folder: DataFolder) -> None:
        own = made(folder).fingerprint
        folder.tls.rename(folder.path / "mine")
        names = {"certificate": "mine/certificate.pem", "key": str(folder.path / "mine/key.pem")}
        assert made(folder, **names).fingerprint == own
        assert not folder.tls.exists()

    def test_chain_gives_the_first_ones_fingerprint(self, folder: DataFolder) -> None:
        own = made(folder).fingerprint
        other = DataFolder(folder.path / "other")
        made(other)
        chain = files(folder)["certificate.pem"] + files(other)["certificate.pem"]
        (folder.tls / "certificate.pem").write_bytes(b"my chain\n" + chain)
        assert made(folder).fingerprint == own

    def test_files_that_are_not_there_are_not_made(self, folder: DataFolder) -> None:
        told = refused(folder, certificate="c.pem", key="k.pem")
        assert str(folder.path / "c.pem") in told
        assert list(folder.path.iterdir()) == []
