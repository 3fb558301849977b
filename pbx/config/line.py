"""A line to the telephone network: an external line, which registers, or a SIP trunk, which doesn't.

miniSIPServer's two kinds with one set of options: what one of them needs, some carrier wants of the
other.
"""

import msgspec

KINDS: tuple[str, ...] = ("external-line", "sip-trunk")
TRANSPORTS: tuple[str, ...] = ("", "udp", "tcp", "tls")
URI_FORMS: tuple[str, ...] = ("", "sip", "phone", "tel")
NUMBER_FORMATS: tuple[str, ...] = ("dialled", "+e164", "e164", "00", "national", "local")
IDENTITIES: tuple[str, ...] = ("none", "pai", "ppi", "rpid")
PRACK_CHOICES: tuple[str, ...] = ("off", "supported", "required")
TIMER_CHOICES: tuple[str, ...] = ("off", "accept", "ask")
PRECONDITION_CHOICES: tuple[str, ...] = ("answer", "refuse")
DTMF_CHOICES: tuple[str, ...] = ("auto", "rfc4733", "info", "inband")
KEEP_ALIVES: tuple[str, ...] = ("", "none", "crlf", "options")
SOURCES: tuple[str, ...] = (
    "request-uri",
    "to",
    "from",
    "p-called-party-id",
    "p-asserted-identity",
    "p-preferred-identity",
    "remote-party-id",
    "diversion",
    "history-info",
)
"""Where a number may be read from; ``header:NAME`` names any other header field."""

CODECS: tuple[str, ...] = (
    *("PCMU", "PCMA", "G722", "opus", "G729", "GSM", "G726-16", "G726-24", "G726-32", "G726-40"),
    *("AAL2-G726-16", "AAL2-G726-24", "AAL2-G726-32", "AAL2-G726-40", "G723", "G728", "L16"),
    *("AMR", "AMR-WB", "EVS", "iLBC", "speex", "SILK", "G7221", "G7291", "EVRC", "BV16", "BV32"),
    *("telephone-event", "CN", "red"),
)
"""Encoding names of audio (RFC 3551 §6 and the registry that it began) that telephones have; the last
three go along with any."""

UNLIMITED = -1

LEARNED = "learned"
"""An address that is what the server sees (RFC 3581)."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An external line or a SIP trunk.

    Args:
        name: what people, routes and records call it.
        kind: ``external-line``: registers with a carrier; ``sip-trunk``: a trusted peer.
        enabled: False: neither calls nor registers.
        profile: the provider profile that it was made from; empty for none.
        description: for people.
        server: the carrier's domain or the peer's address, perhaps with a port. Without a port it
            is looked up by NAPTR and SRV (RFC 3263).
        domain: of the account's address, where it isn't the server's name: the host of REGISTER's
            Request-URI, From and To.
        proxy: the outbound proxy that every request is sent to, ``host[:port]``; empty for none.
        transport: ``udp``, ``tcp``, ``tls``, or empty for what DNS says, else UDP; by TLS only
            where nothing else is there.
        peers: who else's requests are taken for the line's: addresses, networks or names.
        user: the account, which is the user part of its address.
        auth_name: the name in credentials where it isn't `user`; may be a whole URI.
        password: may be empty.
        contact_user: user part of the Contact; empty for `user`, or a trunk's name.
        contact_address: the address of ours in the Contact: `LEARNED`, a fixed ``host[:port]``
            that a router forwards to us, or empty for our own. Our own is what works with most
            carriers behind a NAT, too: a private Contact tells them that there is one, so they
            send requests, and often sound, to where ours comes from. A public one makes some of
            them believe that there is none.
        sdp_address: the address in our session descriptions, likewise; without a port.
        expires_s: how long a registration is to last.
        keep_alive: ``crlf``, ``options``, ``none``, or empty: ``crlf`` for a line, ``options`` for
            a trunk.
        keep_alive_s: how often.
        uri_form: of an INVITE's Request-URI: ``sip``, ``phone`` (``;user=phone``), ``tel``, or
            empty: ``phone`` for a line, ``sip`` for a trunk.
        uri_parameters: more parameters of the Request-URI, as ``user=phone;x=y``.
        from_user: user part of From: ``number`` for the caller's, else that text itself; empty for
            `user` on a line, the caller's number on a trunk.
        from_domain: host of From; empty for `domain`, else `server`.
        number_format: of called numbers: see `NUMBER_FORMATS`.
        caller_format: of caller numbers, likewise.
        country: calling code, such as 86; needed by all formats but ``dialled``.
        area: area code without trunk prefix, for the format ``local``.
        trunk_prefix: what stands before a national number, such as 0; may be empty.
        international_prefix: what stands before an international one, such as 00.
        caller_number: unified caller number: shown instead of every caller's own; empty for none.
        identity: the header field that names the caller beside From: see `IDENTITIES`.
        hide: what a caller who doesn't want to be shown gets: ``privacy`` (Privacy header beside an
            anonymous From), ``from`` (anonymous From alone) or ``prefix:DIGITS`` dialled first.
        did_from: where the called number of an incoming call is read from, the first that has one.
        caller_from: the same of the caller's number.
        prack: RFC 3262: ``off``, ``supported`` or ``required``.
        session_timer: RFC 4028: ``off``, ``accept`` (answered where asked), ``ask``.
        session_s, min_se_s: of the session timer.
        precondition: an INVITE that requires RFC 3312 is ``answer``-ed as met, or ``refuse``-d.
        update: UPDATE may be sent (RFC 3311).
        ptime_ms: asked for in SDP; 0 for the phones' own.
        codecs: names in order, as ``PCMA``; empty for the phones' own.
        dtmf: how keys are told of, both ways: see `DTMF_CHOICES`.
        most_incoming, most_outgoing, most: calls at once; -1 for no limit, 0 for none at all.
        no_answer_s: how long a called party may ring; 0 for the system's.
        max_duration_s: how long a call may last; 0 for the system's.
        time_condition: the time condition in which calls go out; empty for always.
        owner: the local user whose line it is; empty for everybody's.
        destination: the number that incoming calls go to; empty for the dial plan.
        diversion: Diversion and History-Info are told of forwarded calls.
        forwarding_news: a caller is told by 181 with Call-Info that the call is forwarded.
        record: which of its calls are recorded: see `pbx.config.recording.LINE_CHOICES`.
    """

    name: str
    kind: str
    enabled: bool = True
    profile: str = ""
    description: str = ""
    server: str
    domain: str = ""
    proxy: str = ""
    transport: str = ""
    peers: tuple[str, ...] = ()
    user: str = ""
    auth_name: str = ""
    password: str = ""
    contact_user: str = ""
    contact_address: str = ""
    sdp_address: str = ""
    expires_s: int = 600
    keep_alive: str = ""
    keep_alive_s: float = 30.0
    uri_form: str = ""
    uri_parameters: str = ""
    from_user: str = ""
    from_domain: str = ""
    number_format: str = "dialled"
    caller_format: str = "dialled"
    country: str = ""
    area: str = ""
    trunk_prefix: str = "0"
    international_prefix: str = "00"
    caller_number: str = ""
    identity: str = "none"
    hide: str = "privacy"
    did_from: tuple[str, ...] = ("request-uri", "to")
    caller_from: tuple[str, ...] = ("p-asserted-identity", "from")
    prack: str = "supported"
    session_timer: str = "ask"
    session_s: int = 1800
    min_se_s: int = 90
    precondition: str = "answer"
    update: bool = True
    ptime_ms: int = 0
    codecs: tuple[str, ...] = ()
    dtmf: str = "auto"
    most_incoming: int = UNLIMITED
    most_outgoing: int = UNLIMITED
    most: int = UNLIMITED
    no_answer_s: float = 0.0
    max_duration_s: float = 0.0
    time_condition: str = ""
    owner: str = ""
    destination: str = ""
    diversion: bool = True
    forwarding_news: bool = True
    record: str = "off"

    def __repr__(self) -> str:
        # The password is nobody's business, not even a log's.
        return f"Line({self.name!r}, {self.kind!r}, {self.server!r})"

    @property
    def registers(self) -> bool:
        """Whether it is an external line."""
        return self.kind == KINDS[0]

    @property
    def account_domain(self) -> str:
        """The host of the account's address (without port)."""
        return self.domain or host_part(self.server)

    @property
    def credentials_name(self) -> str:
        """The user name in credentials."""
        return self.auth_name or self.user

    @property
    def form(self) -> str:
        """``sip``, ``phone`` or ``tel``: of an INVITE's Request-URI."""
        return self.uri_form or ("phone" if self.registers else "sip")

    @property
    def kept_alive(self) -> str:
        """``crlf``, ``options`` or ``none``."""
        return self.keep_alive or ("crlf" if self.registers else "options")

    @property
    def own_user(self) -> str:
        """User part of our Contact."""
        return self.contact_user or self.user or self.name


def host_part(server: str) -> str:
    """Return ``host[:port]`` without the port; an IPv6 address keeps its brackets."""
    host, colon, port = server.rpartition(":")
    return (
        host if colon and port.isdigit() and (not host.count(":") or host.endswith("]")) else server
    )
