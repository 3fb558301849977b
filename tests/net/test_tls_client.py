"""Connections that we make by TLS: whom we believe, and what becomes of messages (RFC 5922)."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pbx.errors import PeerError
from pbx.locale import choose
from pbx.net.certificate import CertificateError, Pair
from pbx.net.peer_identity import check_identity, identities, peer_context
from pbx.sip.flow import Address, Flow
from tests.net.office import Client, Listener, NewOffice, Office, options

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@dataclass
class Authority:
    """A certificate authority with its file, and what it signs."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.folder.name)])
        own = self._builder(self.name, self.key, NOW + DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = self.folder / "authority.pem"
        self._write(self.file, own.sign(self.key, hashes.SHA256()))

    def _builder(self, name: x509.Name, key: Any, until: datetime.datetime) -> Any:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 2 * DAY)
            .not_valid_after(until)
        )

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def pair(
        self,
        *names: x509.GeneralName,
        common_name: str = "peer",
        until: datetime.datetime = NOW + DAY,
    ) -> Pair:
        """Return a certificate that is good for `names`, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = self._builder(subject, key, until)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = Pair(self.folder / "peer.pem", self.folder / "peer.key")
        self._write(made.certificate, builder.sign(self.key, hashes.SHA256()))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that our exchange trusts."""
    return Authority(tmp_path / "trusted")


class Peer:
    """A TLS server that keeps its connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: asyncio.Queue[Client] = asyncio.Queue()

    async def client(self) -> Client:
        """Return the next connection whose handshake is through."""
        return await asyncio.wait_for(self.clients.get(), 10)


NewPeer = Callable[..., Any]


@pytest.fixture
async def new_peer() -> AsyncIterator[NewPeer]:
    """Return a function that starts a peer with a certificate."""
    async with AsyncExitStack() as stack:

        async def start(pair: Pair, *, asks: Path | None = None) -> Peer:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.key)
            if asks is not None:
                context.load_verify_locations(asks)
                context.verify_mode = ssl.CERT_REQUIRED
            peer = Peer(0)

            def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                client = Client(reader, writer)
                stack.callback(client.close)
                peer.clients.put_nowait(client)

            server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
            stack.callback(server.close)
            peer.port = server.sockets[0].getsockname()[1]
            return peer

        yield start


@pytest.fixture
async def office(new_office: NewOffice, authority: Authority) -> Office:
    """An office that trusts the authority."""
    office = new_office(tls=peer_context(authority.file, None))
    await office.transport.open(["127.0.0.1"])
    return office


def flow_to(office: Office, peer: Peer, name: str = "") -> Flow:
    local = Address("127.0.0.1", office.port)
    return Flow("tls", local, Address("127.0.0.1", peer.port), name=name)


def refusal(office: Office) -> str:
    ((_, why),) = office.failures
    return why


class TestRfc3261Section18_1_1:
    """Requests to a TLS peer take the connection that is there, or one made for them."""

    async def test_made_on_demand_and_kept(
        self, office: Office, authority: Authority, new_peer: NewPeer
    ) -> None:
        peer = await new_peer(authority.pair(LOOPBACK))
        flow = flow_to(office, peer)
        office.transport.send(b"1", flow)
        office.transport.send(b"2", flow)
        client = await peer.client()
        assert await client.read(2) == b"12"
        office.transport.send(b"3", flow)
        assert await client.read(1) == b"3"
        assert peer.clients.empty()
        client.write(options("answer"))
        assert await office.messages(1) == [options("answer")]
        _, came = office.received[0]
        assert (came.transport, came.remote, came.local.port) == ("tls", flow.remote, office.port)
        assert office.failures == []

    async def test_a_connection_for_one_domain_is_not_used_for_another(
        self, office: Office, authority: Authority, new_peer: NewPeer
    ) -> None:
        names = [x509.DNSName("a.example"), x509.DNSName("b.example")]
        peer = await new_peer(authority.pair(*names))
        for name in ("a.example", "b.example"):
            office.transport.send(name.encode(), flow_to(office, peer, name))
            assert await (await peer.client()).read(9) == name.encode()

    async def test_nobody_listens(self, office: Office) -> None:
        office.transport.send(b"x", flow_to(office, Peer(9)))
        _, why = await office.failure()
        assert "refused" in why.lower() or "failed" in why.lower()

    async def test_a_handshake_that_stalls(
        self, new_office: NewOffice, authority: Authority
    ) -> None:
        office = new_office(tls=peer_context(authority.file, None), connect_s=0.2)
        await office.transport.open(["127.0.0.1"])
        async with Listener() as silent:
            office.transport.send(b"x", flow_to(office, Peer(silent.port)))
            _, why = await office.failure()
        assert why == "it says nothing"

    async def test_what_is_no_tls(self, office: Office) -> None:
        async with Listener() as plain:
            office.transport.send(b"x", flow_to(office, Peer(plain.port)))
            (await plain.client()).write(b"SIP/2.0 400 Bad Request\r\n\r\n")
            _, why = await office.failure()
        assert why.startswith("no TLS with it: ")

    async def test_whoever_trusts_nobody_connects_to_nobody(self, new_office: NewOffice) -> None:
        office = new_office()
        await office.transport.open(["127.0.0.1"])
        office.transport.send(b"x", flow_to(office, Peer(9)))
        assert refusal(office) == "there is nobody whom we trust over TLS"


class TestChain:
    """The chain leads to somebody whom we trust, and holds today (RFC 5922 §7, RFC 5280 §6)."""

    async def refused(self, office: Office, new_peer: NewPeer, pair: Pair) -> str:
        peer = await new_peer(pair)
        office.transport.send(options("secret"), flow_to(office, peer))
        await office.failure()
        assert office.received == []
        return refusal(office)

    async def test_a_stranger(self, office: Office, tmp_path: Path, new_peer: NewPeer) -> None:
        stranger = Authority(tmp_path / "stranger")
        why = await self.refused(office, new_peer, stranger.pair(LOOPBACK))
        assert why == "no TLS with it: unable to get local issuer certificate"

    async def test_expired(self, office: Office, authority: Authority, new_peer: NewPeer) -> None:
        old = authority.pair(LOOPBACK, until=NOW - DAY)
        why = await self.refused(office, new_peer, old)
        assert why == "no TLS with it: certificate has expired"

    async def test_another_address(
        self, office: Office, authority: Authority, new_peer: NewPeer
    ) -> None:
        other = authority.pair(x509.IPAddress(ipaddress.ip_address("127.0.0.2")))
        why = await self.refused(office, new_peer, other)
        assert why == ("no TLS with it: its certificate is good for 127.0.0.2, not for 127.0.0.1")

    async def test_a_phones_own_certificate_may_be_trusted_by_itself(
        self, new_office: NewOffice, tmp_path: Path, new_peer: NewPeer
    ) -> None:
        pair = Authority(tmp_path / "phone").pair(LOOPBACK)
        office = new_office(tls=peer_context(pair.certificate, None))
        await office.transport.open(["127.0.0.1"])
        peer = await new_peer(pair)
        office.transport.send(b"x", flow_to(office, peer))
        assert await (await peer.client()).read(1) == b"x"

    async def test_we_show_ours_to_who_asks(
        self, new_office: NewOffice, authority: Authority, tmp_path: Path, new_peer: NewPeer
    ) -> None:
        ours = Authority(tmp_path / "ours")
        own = ours.pair(x509.DNSName("pbx.example"))
        office = new_office(tls=peer_context(authority.file, own))
        await office.transport.open(["127.0.0.1"])
        peer = await new_peer(authority.pair(LOOPBACK), asks=ours.file)
        office.transport.send(b"x", flow_to(office, peer))
        client = await peer.client()
        assert await client.read(1) == b"x"
        shown = client.writer.get_extra_info("peercert")
        assert shown["subjectAltName"] == (("DNS", "pbx.example"),)

    @pytest.mark.parametrize("text", [None, "no certificate"])
    def test_a_file_that_is_unusable(self, tmp_path: Path, text: str | None) -> None:
        choose("en")
        path = tmp_path / "authorities.pem"
        if text is not None:
            path.write_text(text)
        with pytest.raises(CertificateError) as caught:
            peer_context(path, None)
        assert str(path) in caught.value.sentence
        assert "None" not in caught.value.sentence

    def test_without_a_file_the_system_is_believed(self) -> None:
        assert peer_context(None, None).verify_mode is ssl.CERT_REQUIRED


def certificate(*names: tuple[str, str], common_name: str = "cn.example") -> dict[str, Any]:
    """Return a certificate as Python's ssl module tells of it."""
    told: dict[str, Any] = {"subject": ((("commonName", common_name),),)}
    return {**told, "subjectAltName": names} if names else told


class TestRfc5922Section7_1:
    """Which identities a certificate has."""

    @pytest.mark.parametrize(
        ("names", "found"),
        [
            ([("DNS", "A.example"), ("DNS", "b.example")], ["a.example", "b.example"]),
            ([("URI", "sip:a.example"), ("DNS", "b.example")], ["a.example"]),
            ([("URI", "SIP:A.Example")], ["a.example"]),
            ([("URI", "sips:a.example"), ("DNS", "b.example")], ["b.example"]),
            ([("URI", "sip:bob@a.example"), ("DNS", "b.example")], ["b.example"]),
            ([("URI", "https://a.example"), ("DNS", "b.example")], ["b.example"]),
            ([("URI", "sip:"), ("DNS", "b.example")], ["b.example"]),
            ([("IP Address", "192.0.2.1")], ["192.0.2.1"]),
            ([("IP Address", "<invalid>"), ("DNS", "a.example")], ["a.example"]),
            ([("IP Address", "2001:DB8:0:0:0:0:0:1")], ["2001:db8::1"]),
            ([("email", "bob@a.example")], []),
            ([], ["cn.example"]),
        ],
    )
    def test_found(self, names: Sequence[tuple[str, str]], found: list[str]) -> None:
        assert list(identities(certificate(*names))) == found


class TestRfc5922Section7_2:
    """They are compared whole."""

    @pytest.mark.parametrize("name", ["a.example", "A.EXAMPLE", "a.example."])
    def test_the_same(self, name: str) -> None:
        check_identity(certificate(("DNS", "a.Example")), name)

    @pytest.mark.parametrize(
        ("has", "name"),
        [
            ("a.example", "b.a.example"),
            ("b.a.example", "a.example"),
            ("*.a.example", "b.a.example"),
            ("a.example", "xa.example"),
        ],
    )
    def test_another(self, has: str, name: str) -> None:
        with pytest.raises(PeerError, match=f"not for {name}"):
            check_identity(certificate(("DNS", has)), name)

    def test_nobody(self) -> None:
        with pytest.raises(PeerError, match="good for nobody"):
            check_identity(None, "a.example")

    def test_what_is_told_is_printable(self) -> None:
        with pytest.raises(PeerError) as caught:
            check_identity(certificate(("DNS", "a\n\x1b[2Jé")), "a.example")
        assert caught.value.reason.isprintable()
