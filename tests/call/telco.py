"""A carrier, or a trunk's peer: it takes every REGISTER, answers every OPTIONS, and else says what a
test tells it."""

from pbx.config.dial_plan import DialPlan, PlanBasics
from pbx.config.line import Line
from pbx.sip import digest
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, parse_message, response_to
from tests.call.office import HOME, Office
from tests.call.phone import Invite, Phone

PLAN = DialPlan(basics=PlanBasics(unknown_outside=True))
HOST = "198.51.100.1"
LINE = Line(
    name="telco",
    kind="external-line",
    server=HOST,
    user="4930100",
    password="secret",
    keep_alive="none",
)
TRUNK = Line(name="peer", kind="sip-trunk", server="198.51.100.2", keep_alive="none")
OTHER = Line(name="second", kind="sip-trunk", server="198.51.100.3", keep_alive="none")


class Telco(Phone):
    """The server at a line's address; calls that it makes come from `sender`.

    It sees who registers at `outside`, where there is a router between.
    """

    outside: Address | None = None
    registered: tuple[str, ...] = ()
    """The Contacts that have been registered, one after the other."""

    def deliver(self, data: bytes, flow: Flow) -> None:
        message = parse_message(data) if data.strip() else None
        if not isinstance(message, Request) or message.method not in ("REGISTER", "OPTIONS"):
            if message is not None:
                self.inbox.append(message)
            return
        response = response_to(message, 200, to_tag="registrar")
        if message.method == "REGISTER":
            self.registered += tuple(message.all("Contact"))
            response.extend(
                ("Contact", f"{contact};expires=600") for contact in message.all("Contact")
            )
        if self.outside is not None:
            host, port = self.outside.host, str(self.outside.port)
            response.replace_top_via(message.via.with_params(received=host, rport=port))
        self.office.hear(response.encode(), self.flow)

    def calls(
        self,
        dialed: str,
        caller: str = "sip:+8613901088888@telco.example",
        *,
        to: str | None = None,
        headers: str = "",
        call_id: str = "in-1",
        body: bytes | None = None,
        max_forwards: int = 70,
    ) -> Invite:
        """Call in; `dialed` is the Request-URI, or a number at our address."""
        uri = dialed if ":" in dialed else f"sip:{dialed}@{HOME.host}"
        self.sender = caller
        offer = self.sdp() if body is None else body
        branch = self.request(
            "INVITE",
            uri,
            call_id=call_id,
            cseq=2,
            to=to,
            body=offer,
            headers=headers,
            max_forwards=max_forwards,
        )
        return Invite(self, uri, call_id, branch)

    def challenge(
        self, request: Request, status: int = 407, realm: str = "telco", nonce: str = "n1"
    ) -> None:
        """Want credentials for a request."""
        name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
        value = digest.challenge(realm, nonce, "MD5")
        self.respond(request, status, headers=f"{name}: {value}")
        if request.method == "INVITE":
            self.hears("ACK")

    def proves(self, request: Request, user: str = "4930100", password: str = "secret") -> None:
        """The request's credentials are right for its method and its Request-URI."""
        (value,) = (*request.all("Proxy-Authorization"), *request.all("Authorization"))
        given = digest.parse_credentials(value)
        right = digest.response(
            digest.ha1(user, given.realm, password, "MD5"),
            request.method,
            request.uri,
            given.nonce,
            given.nc,
            given.cnonce,
            given.qop,
            "MD5",
        )
        assert (given.username, given.uri, given.response) == (user, request.uri, right)


def telco(office: Office, line: Line = LINE, *, others: tuple[Line, ...] = ()) -> Telco:
    """Give the office a line, beside `others`, and its peer; return the peer."""
    address = Address(line.server, 5060)
    peer = Telco(office, line.name, address)
    office.phones[address] = peer
    office.configure(line, *others, plan=PLAN)
    return peer
