"""What a softphone fetches to set itself up: Linphone's remote provisioning, one user a document.

The XML holds a password in clear, so its address has a token in it that nobody can guess, and
lives only as long as the user still has the password of the first start.
"""

import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

SIP_PORT = 5060
"""RFC 3261 §19.1.2: the port that a SIP URI without one means."""

REGISTER_EVERY_S = 600

_HOST = re.compile(r"(?P<name>[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(:\d{1,5})?")
_BRACKETED = re.compile(r"\[(?P<address>[0-9A-Fa-f:.]{2,45})\](:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class SipAccount:
    """What a phone needs to register as a user.

    Args:
        number: the user's number, which is also the user name of authentication.
        display_name: what called parties see; may be empty.
        password: in clear.
        realm: the realm of digest authentication.
        sip_port: the exchange's UDP port.
    """

    number: str
    display_name: str
    password: str
    realm: str
    sip_port: int


class Tokens:
    """The secret name of each user's document: random, for one run of the exchange.

    Another password makes another one: who knew the old one is not to learn the new one by it.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._passwords: dict[str, str] = {}

    def of(self, number: str, password: str) -> str:
        """Return the token of user `number` with this password: 128 bits."""
        if self._passwords.get(number) != password:
            self._passwords[number] = password
            self._tokens[number] = secrets.token_hex(16)
        return self._tokens[number]

    def number(self, token: str) -> str | None:
        """Return the user whose token this is, in a time that does not tell how much is right."""
        given = token.encode("utf-8", "surrogatepass")
        found = None
        for number, known in self._tokens.items():
            if hmac.compare_digest(known.encode(), given):
                found = number
        return found


def host_of(header: str, local_address: str) -> str:
    """Return where the phone reaches us, as it stands in a URI: the host that it asked for.

    That is right behind a mapped port and for a name too. A Host header that is no host
    (RFC 9110 §7.2) gives way to `local_address`, our end of the phone's connection.
    """
    if match := _BRACKETED.fullmatch(header):
        try:
            return f"[{ipaddress.IPv6Address(match['address'])}]"
        except ValueError:
            return uri_host(local_address)
    match = _HOST.fullmatch(header)
    return match["name"] if match else uri_host(local_address)


def uri_host(address: str) -> str:
    """Return an IP address or name as it stands in a URI (RFC 3986 §3.2.2).

    An IPv4 address that a dual-stack socket shows as ``::ffff:192.0.2.1`` becomes plain again.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped) if ip.ipv4_mapped else f"[{ip}]"


def linphone_xml(account: SipAccount, host: str) -> bytes:
    """Return Linphone's remote provisioning document for `account`.

    Args:
        account: whom the phone registers as.
        host: where it reaches the exchange, as in a URI.
    """
    where = host if account.sip_port == SIP_PORT else f"{host}:{account.sip_port}"
    identity = f"<sip:{account.number}@{where}>"
    if account.display_name:
        name = account.display_name.replace("\\", "\\\\").replace('"', '\\"')
        identity = f'"{name}" {identity}'
    sections = {
        "proxy_0": {
            "reg_proxy": f"<sip:{where};transport=udp>",
            "reg_identity": identity,
            "reg_expires": str(REGISTER_EVERY_S),
            "reg_sendregister": "1",
            "publish": "0",
            "realm": account.realm,
        },
        "auth_info_0": {
            "username": account.number,
            "userid": account.number,
            "passwd": account.password,
            "realm": account.realm,
            "domain": host,
        },
        "sip": {"default_proxy": "0"},
        # The document is gone after a restart; a phone that asked again would report an error.
        "misc": {"transient_provisioning": "1"},
    }
    return _document(sections).encode()


def _document(sections: dict[str, dict[str, str]]) -> str:
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">',
    ]
    for section, entries in sections.items():
        lines.append(f"  <section name={quoteattr(section)}>")
        lines.extend(
            f'    <entry name={quoteattr(name)} overwrite="true">{escape(value)}</entry>'
            for name, value in entries.items()
        )
        lines.append("  </section>")
    return "\n".join([*lines, "</config>", ""])
