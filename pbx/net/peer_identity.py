"""Who a TLS peer that we connect to is (RFC 5922 §7), and whom we trust to say so."""

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pbx.errors import PeerError
from pbx.locale import say
from pbx.net.certificate import CertificateError, Pair
from pbx.sip.uri import SipUri, parse_uri


def peer_context(authorities: Path | None, own: Pair | None) -> ssl.SSLContext:
    """Return what we connect to TLS peers with: TLS 1.2 and later, and a chain that is verified.

    The name is for `check_identity`: OpenSSL knows nothing of SIP's rules.

    Args:
        authorities: a PEM file of those who are trusted; None for whom the system trusts.
        own: what we show to a peer that asks; None for nothing.

    Raises:
        CertificateError: a file can't be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    # A telephone's own certificate, without an authority, may be trusted by itself.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    try:
        if authorities is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(authorities)
        if own is not None:
            context.load_cert_chain(own.certificate, own.key, password=lambda: "")
    except ssl.SSLError as error:
        path, why = authorities or (own and own.certificate), say("certificate-none")
        raise CertificateError(say("certificate-unusable", path=path, why=why)) from error
    except OSError as error:
        path, why = authorities or (own and own.certificate), error.strerror or str(error)
        raise CertificateError(say("certificate-unusable", path=path, why=why)) from error
    return context


def check_identity(certificate: Mapping[str, Any] | None, name: str) -> None:
    """Check that a verified certificate is good for whom we meant to reach.

    Args:
        certificate: as `ssl.SSLObject.getpeercert` returns it.
        name: the domain of the URI that we follow, never of an SRV record (§4); or an address.

    Raises:
        PeerError: it is another's.
    """
    wanted = name.lower().removesuffix(".")
    # §7.2: compared whole, in any case; "*" stands for nothing but itself
    if wanted not in (found := set(identities(certificate or {}))):
        good_for = ascii(", ".join(sorted(found)))[1:-1][:120]
        raise PeerError(403, f"its certificate is good for {good_for or 'nobody'}, not for {name}")


def identities(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield the domains, and addresses, that a certificate is good for in SIP (§7.1).

    SIP URIs without a user part; DNS names where there are none; the common name only where there
    are no alternative names at all.
    """
    names: list[tuple[str, str]] = list(certificate.get("subjectAltName", ()))
    domains = [domain for kind, text in names if kind == "URI" and (domain := _domain(text))]
    domains = domains or [text.lower() for kind, text in names if kind == "DNS"]
    yield from domains
    for kind, text in names:
        if kind == "IP Address":
            # Python says "<invalid>" of one that has neither 4 nor 16 octets.
            with suppress(ValueError):
                yield str(ipaddress.ip_address(text))
    if not names:
        for part in certificate.get("subject", ()):
            for key, text in part:
                if key == "commonName":
                    yield text.lower()


def _domain(text: str) -> str:
    """The domain of a URI that names one; §7.1 takes the scheme ``sip`` alone, and no user."""
    try:
        uri = parse_uri(text)
    except PeerError:
        return ""
    named = isinstance(uri, SipUri) and uri.scheme == "sip" and uri.user is None
    return uri.host.lower() if named and isinstance(uri, SipUri) else ""
