"""What a phone says and hears of texts, lamps and presence."""

from dataclasses import dataclass

from pbx.sip.message import Request, Response
from tests.call.office import HOME, Phone

PIDF = "application/pidf+xml"


def request(
    phone: Phone,
    method: str,
    number: str,
    body: bytes = b"",
    headers: str = "",
    *,
    call_id: str = "",
    tag: str = "ft",
    contact: bool = True,
) -> tuple[str, Response]:
    """Send a request and answer its challenge; return its Call-ID and the final response."""
    uri = f"sip:{number}@{HOME.host}" if number else f"sip:{HOME.host}"
    call_id = call_id or f"{method}-{next(phone.office.serial)}"
    phone.request(
        method, uri, call_id=call_id, cseq=1, body=body, headers=headers, from_tag=tag,
        contact=contact,
    )  # fmt: skip
    answer = final(phone)
    if answer.status not in (401, 407):
        return call_id, answer
    auth = phone.authorized(answer, method, uri)
    phone.request(
        method, uri, call_id=call_id, cseq=2, body=body, headers=f"{headers}\n{auth}".strip(),
        from_tag=tag, contact=contact,
    )  # fmt: skip
    return call_id, final(phone)


def final(phone: Phone) -> Response:
    """Take the one response that is there; the requests beside it stay."""
    (answer,) = [one for one in phone.inbox if isinstance(one, Response)]
    phone.inbox.remove(answer)
    return answer


def write(phone: Phone, number: str, text: str, headers: str = "") -> str:
    """Send a text, whose answer is left in the inbox; return its Call-ID."""
    uri = f"sip:{number}@{HOME.host}"
    call_id = f"text-{next(phone.office.serial)}"
    headers = f"Content-Type: text/plain\n{headers}".strip()
    body = text.encode()
    phone.request(
        "MESSAGE", uri, call_id=call_id, cseq=1, body=body, headers=headers, contact=False
    )
    auth = phone.authorized(phone.response(407), "MESSAGE", uri)
    headers = f"{headers}\n{auth}"
    phone.request(
        "MESSAGE", uri, call_id=call_id, cseq=2, body=body, headers=headers, contact=False
    )
    return call_id


def reads(phone: Phone, status: int = 200) -> str:
    """Take a text and answer it."""
    message = phone.hears("MESSAGE")
    phone.respond(message, status)
    return message.body.decode()


@dataclass
class Lamp:
    """A subscription of a phone."""

    phone: Phone
    number: str
    event: str
    call_id: str
    tag: str
    cseq: int
    to: str
    uri: str

    def notified(self, status: int = 200, headers: str = "") -> Request:
        """Take a NOTIFY and answer it."""
        notify = self.phone.hears("NOTIFY")
        assert notify.call_id == self.call_id
        self.phone.respond(notify, status, headers=headers)
        return notify

    def state(self) -> str:
        """Take a NOTIFY and return its Subscription-State."""
        return self.notified().get("Subscription-State") or ""

    def refresh(self, expires: int = 600, headers: str = "", cseq: int = 0) -> Response:
        """Send a SUBSCRIBE within the dialog; return the answer."""
        self.cseq = cseq or self.cseq + 1
        headers = f"Event: {self.event}\nExpires: {expires}\n{headers}".strip()
        self.phone.request(
            "SUBSCRIBE", self.uri, call_id=self.call_id, cseq=self.cseq, to=self.to,
            from_tag=self.tag, headers=headers,
        )  # fmt: skip
        return final(self.phone)


def watch(
    phone: Phone, number: str, event: str = "dialog", headers: str = "", expires: int = 600
) -> Lamp:
    """Subscribe; the first NOTIFY is left in the inbox."""
    tag = f"lamp{next(phone.office.serial)}"
    call_id, answer = request(
        phone, "SUBSCRIBE", number, headers=f"Event: {event}\nExpires: {expires}\n{headers}".strip(),
        tag=tag,
    )  # fmt: skip
    assert answer.status == 200, answer.start_line()
    contacts = answer.contacts
    assert isinstance(contacts, list)
    to = answer.get("To") or ""
    return Lamp(phone, number, event, call_id, tag, 2, to, str(contacts[0].uri))
