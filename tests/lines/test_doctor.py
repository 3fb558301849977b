"""The line doctor on a fake clock: what it says of each carrier, in both languages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pbx.config.line import Line
from pbx.lines import doctor as doctor_module
from pbx.lines.doctor import Doctor
from pbx.lines.finding import STEPS, Finding, Mark
from pbx.lines.server import Server
from pbx.lines.state import LineState
from pbx.locale import catalogue, choose
from pbx.media.protocol import Counts
from pbx.sip.endpoint import Endpoint
from pbx.sip.flow import Address
from pbx.sip.message import Request, Response, response_to
from tests.lines.call_messages import CARRIER, answer, request, stream
from tests.lines.carrier import (
    LINE,
    TRUNK,
    Carrier,
    Does,
    Machine,
    granted,
    registrar,
    silent,
    strict,
    tells,
)


@dataclass
class Trial:
    """A test call that does as it is told."""

    call_id: str = "trial"
    answered: bool = False
    ended: bool = False
    ports: tuple[int, int] = (20000, 0)
    hung_up: int = 0

    def hang_up(self, now: float) -> None:
        self.hung_up += 1
        self.ended = True


@dataclass
class Ward:
    """A `Practice` around a `Machine`."""

    machine: Machine
    trial: Trial | None = None
    news: int = 0
    called: list[tuple[str, str]] = field(default_factory=list)

    @property
    def endpoint(self) -> Endpoint:
        return self.machine.endpoint

    def token(self) -> str:
        tokens: Callable[[], str] = self.machine.tokens
        return tokens()

    def server(self, line: Line) -> Server:
        return Server(line, self.machine.endpoint, self.machine.local_for)

    def state(self, name: str) -> LineState:
        return self.machine.lines.state(name)

    def renew(self, name: str, now: float) -> None:
        self.machine.lines.renew(name, now)

    def call(self, line: Line, number: str, now: float) -> Trial | None:
        self.called.append((line.name, number))
        if self.trial is not None:
            # As a call's INVITE does, this leaves before the call is known
            invite = request(call_id=self.trial.call_id)
            self.machine.endpoint.trace.message_sent(invite.encode(), CARRIER)
        return self.trial

    def told(self) -> None:
        self.news += 1


def changed(**options: Any) -> Line:
    return msgspec.structs.replace(LINE, **options)


def examine(machine: Machine, line: Line = LINE, number: str = "", seconds: float = 60.0) -> Doctor:
    """Let the doctor look at a line, however long it takes."""
    ward = Ward(machine)
    doctor = machine.doctor = Doctor(line, number, ward, ward.told, machine.now)
    machine.pump()
    for _ in range(round(seconds / 0.5)):
        if doctor.done:
            break
        machine.advance(0.5)
    assert doctor.done
    assert ward.news > 0
    assert machine.endpoint.trace.watcher is None
    return doctor


def of(doctor: Doctor, step: str) -> Finding:
    """What it says of a step; the first, where it says more."""
    return next(one for one in doctor.findings if one.step == step)


def slugs(doctor: Doctor) -> list[str]:
    return [one.slug for one in doctor.findings]


def to_register(does: Does, otherwise: Does | None = None) -> Does:
    """A carrier that answers REGISTER and OPTIONS each in its way."""

    def answer(carrier: Carrier, request: Request) -> Response | None:
        chosen = does if request.method == "REGISTER" else otherwise or tells(200)
        return chosen(carrier, request)

    return answer


def office(does: Does, line: Line = LINE, otherwise: Does | None = None) -> tuple[Machine, Carrier]:
    machine = Machine(line)
    carrier = machine.carrier(to_register(does, otherwise))
    machine.begin()
    return machine, carrier


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    choose("en")
    yield
    choose("")


class TestAGoodLine:
    def test_each_step_has_its_mark(self) -> None:
        doctor = examine(office(strict())[0])
        marks = {one.step: one.mark for one in doctor.findings}
        assert list(dict.fromkeys(one.step for one in doctor.findings)) == list(STEPS)
        assert [marks[step] for step in STEPS[:5]] == [Mark.GOOD] * 5
        assert [marks[step] for step in STEPS[5:]] == [Mark.SKIPPED] * 3

    def test_its_sentences(self) -> None:
        doctor = examine(office(strict())[0])
        assert [one.sentence for one in doctor.findings][:6] == [
            "udp 198.51.100.1:5060 is an address: DNS is not needed.",
            "udp 198.51.100.1:5060 answers within 0 ms (200).",
            "udp 198.51.100.1:5060 has taken the registration.",
            "Proven as 100 in the realm telco.example (MD5).",
            "Calls go out as 100@198.51.100.1.",
            "No test call was asked for. Give a number to call, best the line's own "
            "(minisip doctor telco --call NUMBER).",
        ]

    def test_in_chinese_too(self) -> None:
        doctor = examine(office(strict())[0])
        choose("zh")
        assert of(doctor, "register").sentence == "udp 198.51.100.1:5060 接受了注册。"
        assert all(any(c >= "\u4e00" for c in one.sentence) for one in doctor.findings)

    def test_the_line_is_as_it_was(self) -> None:
        machine, carrier = office(strict())
        carrier.all()
        examine(machine)
        assert machine.state().usable
        assert [one.method for one in carrier.all()] == ["OPTIONS", "REGISTER", "REGISTER"]

    def test_the_carriers_own_name_for_it_is_told(self) -> None:
        told = ("P-Associated-URI", "<sip:+8675512345678@ims.example>, <tel:+8675512345678>")
        found = of(examine(office(registrar(told))[0]), "identity")
        assert (found.mark, found.slug) == (Mark.GOOD, "identity-told")
        assert "+8675512345678@ims.example" in found.sentence

    def test_without_a_password(self) -> None:
        found = of(examine(office(registrar())[0]), "authentication")
        assert (found.mark, found.slug) == (Mark.GOOD, "authentication-none")

    def test_the_last_incoming_call_is_told(self) -> None:
        machine, _ = office(strict())
        machine.lines.called("telco", machine.now)
        machine.advance(600)
        found = of(examine(machine), "incoming")
        assert found.sentence == "The last call came in 10 minutes ago."

    @pytest.mark.parametrize(
        ("contact_address", "mark", "says"),
        [
            ("", Mark.NOTE, "If no call comes in, set contact_address=learned"),
            ("learned", Mark.NOTE, "Contact says 203.0.113.7:40000"),
            ("203.0.113.7:5060", Mark.NOTE, "Contact says 203.0.113.7:5060"),
            ("office.example", Mark.NOTE, "Contact says office.example"),
            ("203.0.113.8", Mark.BAD, "but contact_address says 203.0.113.8"),
        ],
    )
    def test_behind_a_nat(self, contact_address: str, mark: Mark, says: str) -> None:
        def translated(carrier: Carrier, request: Request) -> Response:
            response = granted(request)
            via = request.via.with_params(received="203.0.113.7", rport="40000")
            response.remove("Via")
            response.prepend("Via", str(via))
            return response

        one = changed(contact_address=contact_address)
        machine = Machine(one, home="192.168.1.5")
        machine.carrier(to_register(translated))
        machine.begin()
        doctor = examine(machine, one)
        found = doctor.findings[5]
        assert (found.step, found.mark) == ("identity", mark)
        assert "at 203.0.113.7:40000" in found.sentence
        assert says in found.sentence


class TestDns:
    def test_a_name_with_two_addresses(self) -> None:
        line = changed(server="telco.example")
        machine = Machine(line)
        machine.knows("telco.example", "198.51.100.1", "198.51.100.9")
        machine.carrier(to_register(strict()))
        machine.begin()
        doctor = examine(machine, line)
        found = of(doctor, "dns")
        assert (found.mark, found.slug) == (Mark.GOOD, "dns-found")
        assert "198.51.100.1" in found.sentence
        assert "198.51.100.9" in found.sentence
        reached = of(doctor, "reach")
        assert (reached.mark, reached.slug) == (Mark.NOTE, "reach-some")
        assert "nothing comes from udp 198.51.100.9:5060" in reached.sentence
        assert of(doctor, "register").mark is Mark.GOOD

    @pytest.mark.parametrize(
        ("line", "slug"),
        [
            ({"server": "gd.ctcims.cn"}, "dns-logical"),
            ({"server": "gd.ctcims.cn", "proxy": "sbc.example"}, "dns-none"),
            ({"server": "telco.example", "kind": "sip-trunk"}, "dns-none"),
        ],
    )
    def test_a_name_that_nobody_knows(self, line: dict[str, str], slug: str) -> None:
        other = changed(**line)
        machine = Machine(other)
        machine.begin()
        doctor = examine(machine, other)
        found = of(doctor, "dns")
        assert (found.mark, found.slug) == (Mark.BAD, slug)
        assert [one.slug for one in doctor.findings[1:]] == ["skipped"] * 7

    def test_dns_that_does_not_answer(self) -> None:
        line = changed(server="telco.example")
        machine = Machine(line)
        machine.dns_answers = False
        machine.begin()
        doctor = examine(machine, line)
        assert of(doctor, "dns").mark is Mark.BAD

    def test_no_way_there(self) -> None:
        line = changed(server="[2001:db8::9]")
        machine = Machine(line)
        machine.homes = ["192.0.2.1"]
        machine.begin()
        assert of(examine(machine, line), "dns").slug == "dns-no-way"


class TestReach:
    def test_a_trunk_that_answers(self) -> None:
        machine = Machine(TRUNK)
        machine.carrier(tells(404), "198.51.100.2")
        machine.begin()
        doctor = examine(machine, TRUNK)
        assert slugs(doctor)[:4] == [
            "dns-address",
            "reach-good",
            "register-trunk",
            "authentication-trunk",
        ]
        assert "(404)" in of(doctor, "reach").sentence

    def test_a_trunk_that_is_silent(self) -> None:
        machine = Machine(TRUNK)
        machine.carrier(silent, "198.51.100.2")
        machine.begin()
        found = of(examine(machine, TRUNK), "reach")
        assert (found.mark, found.slug) == (Mark.BAD, "reach-silent")

    def test_a_trunk_to_ourselves(self) -> None:
        machine = Machine(TRUNK)
        here = msgspec.structs.replace(TRUNK, server=machine.homes[0])
        doctor = examine(machine, here)
        assert (of(doctor, "reach").mark, of(doctor, "reach").slug) == (Mark.BAD, "reach-self")
        assert of(doctor, "identity").mark is Mark.SKIPPED

    def test_a_port_where_nobody_listens(self) -> None:
        machine = Machine(LINE)
        machine.unreachable.add(Address("198.51.100.1", 5060))
        machine.begin()
        doctor = examine(machine)
        for step in ("reach", "register"):
            found = of(doctor, step)
            assert (found.mark, found.slug) == (Mark.BAD, "reach-refused")
            assert "Connection refused" in found.sentence

    def test_a_certificate_that_is_not_trusted(self) -> None:
        machine = Machine(LINE)
        machine.unreachable.add(Address("198.51.100.1", 5060))
        machine.why_unreachable = "no TLS with it: certificate has expired"
        machine.begin()
        doctor = examine(machine)
        for step in ("reach", "register"):
            found = of(doctor, step)
            assert (found.mark, found.slug) == (Mark.BAD, "reach-no-tls")
            assert "198.51.100.1:5060: certificate has expired." in found.sentence

    def test_a_carrier_that_ignores_options(self) -> None:
        doctor = examine(office(strict(), otherwise=silent)[0])
        assert (of(doctor, "reach").mark, of(doctor, "reach").slug) == (
            Mark.NOTE,
            "reach-silent-line",
        )
        assert of(doctor, "register").mark is Mark.GOOD


class TestRegister:
    @pytest.mark.parametrize(
        ("does", "register", "authentication"),
        [
            (tells(403), "register-forbidden", "authentication-unreached"),
            (tells(404), "register-unknown", "authentication-unreached"),
            (tells(503), "register-unwell", "authentication-unreached"),
            (tells(606), "register-refused", "authentication-unreached"),
            (strict(password="another"), "register-unproven", "authentication-wrong"),
            (strict(user="200"), "register-unproven", "authentication-wrong"),
        ],
    )
    def test_a_refusal(self, does: Does, register: str, authentication: str) -> None:
        doctor = examine(office(does)[0])
        assert (of(doctor, "register").mark, of(doctor, "register").slug) == (Mark.BAD, register)
        assert of(doctor, "authentication").slug == authentication
        assert of(doctor, "identity").slug == "identity-unknown"

    def test_no_password_where_one_is_wanted(self) -> None:
        line = changed(password="")
        found = of(examine(office(strict(), line)[0], line), "authentication")
        assert (found.mark, found.slug) == (Mark.BAD, "authentication-empty")

    def test_403_after_the_password_asks_for_the_whole_address(self) -> None:
        found = of(examine(office(after_the_password(403))[0]), "authentication")
        assert (found.mark, found.slug) == (Mark.BAD, "authentication-whole")
        assert "auth_name=100@198.51.100.1" in found.sentence

    def test_403_after_the_whole_address(self) -> None:
        line = changed(auth_name="100@ims.example")
        does = after_the_password(403)
        found = of(examine(office(does, line)[0], line), "authentication")
        assert (found.mark, found.slug) == (Mark.BAD, "authentication-refused")

    def test_an_algorithm_that_nobody_has(self) -> None:
        asks = ("WWW-Authenticate", 'Digest realm="x", nonce="y", algorithm=AKAv1-MD5')
        found = of(examine(office(tells(401, asks))[0]), "authentication")
        assert (found.mark, found.slug) == (Mark.BAD, "authentication-algorithm")
        assert "AKAv1-MD5" in found.sentence

    def test_a_register_that_is_never_answered(self) -> None:
        doctor = examine(office(silent, otherwise=silent)[0])
        found = of(doctor, "register")
        assert (found.mark, found.slug) == (Mark.BAD, "register-silent")
        assert "was sent to udp 198.51.100.1:5060" in found.sentence
        assert int(found.values["times"]) >= 4

    def test_a_register_that_is_dropped_though_the_server_is_there(self) -> None:
        found = of(examine(office(silent)[0]), "register")
        assert (found.mark, found.slug) == (Mark.BAD, "register-ignored")
        assert "the account 100@198.51.100.1" in found.sentence

    def test_answers_that_a_router_has_mangled(self) -> None:
        def mangled(carrier: Carrier, request: Request) -> Response:
            response = granted(request)
            response.remove("Via")
            response.prepend("Via", str(msgspec.structs.replace(request.via, host="203.0.113.7")))
            return response

        found = of(examine(office(mangled)[0]), "register")
        assert (found.mark, found.slug) == (Mark.BAD, "register-mangled")

    def test_an_answer_from_another_address(self) -> None:
        machine, carrier = office(strict())
        carrier.answers_from = Address("198.51.100.77", 5060)
        found = of(examine(machine), "register")
        assert (found.mark, found.slug) == (Mark.NOTE, "register-elsewhere")
        assert "came from udp 198.51.100.77:5060" in found.sentence

    def test_an_answer_after_the_password_that_says_neither(self) -> None:
        doctor = examine(office(after_the_password(503))[0])
        assert of(doctor, "register").slug == "register-unwell"
        assert of(doctor, "authentication").slug == "authentication-unsaid"

    def test_a_register_that_never_leaves(self) -> None:
        machine, _ = office(strict())
        machine.lines.renew = lambda name, now: None  # type: ignore[method-assign]
        assert of(examine(machine), "register").slug == "register-not-sent"

    def test_one_that_only_tries(self) -> None:
        found = of(examine(office(tells(100))[0]), "register")
        assert (found.mark, found.slug) == (Mark.BAD, "register-trying")

    def test_a_line_that_is_off(self) -> None:
        line = changed(enabled=False)
        machine, _ = office(strict(), line)
        doctor = examine(machine, line)
        assert of(doctor, "reach").mark is Mark.GOOD
        assert of(doctor, "register").slug == "register-off"
        assert "minisip line enable telco" in of(doctor, "register").sentence


def after_the_password(status: int) -> Does:
    """A carrier that challenges, and then says something else."""
    challenges = strict()

    def answer(carrier: Carrier, request: Request) -> Response | None:
        if request.get("Authorization"):
            return response_to(request, status, to_tag="theirs")
        return challenges(carrier, request)

    return answer


class TestIdentity:
    @pytest.mark.parametrize(
        ("options", "slug"),
        [
            ({"from_user": "number"}, "identity-callers"),
            ({"from_user": "number", "caller_number": "+8610"}, "identity-own"),
            ({"from_user": "desk", "from_domain": "office.example"}, "identity-own"),
            ({"identity": "ppi", "caller_number": "+8610"}, "identity-both"),
        ],
    )
    def test_who_calls_show(self, options: dict[str, str], slug: str) -> None:
        line = changed(**options)
        found = of(examine(office(registrar(), line)[0], line), "identity")
        assert found.slug == slug

    @pytest.mark.parametrize(
        ("user", "slug"), [("+8610", "identity-own"), ("100", "identity-another")]
    )
    def test_whether_the_carrier_knows_it(self, user: str, slug: str) -> None:
        told = ("P-Associated-URI", "<sip:+8610@ims.example;user=phone>, <tel:+8611>")
        line = changed(user=user)
        doctor = examine(office(registrar(told), line)[0], line)
        found = [one.slug for one in doctor.findings if one.step == "identity"]
        assert found == ["identity-told", slug]


class TestSentences:
    def test_each_is_somebodys_and_each_slug_has_one(self) -> None:
        folder = Path(doctor_module.__file__).parent
        code = "".join(one.read_text("utf-8") for one in folder.glob("*.py"))
        sentences = {
            key.removeprefix("doctor-") for key in catalogue("en") if key.startswith("doctor-")
        }
        used = {slug for slug in sentences if f'"{slug}"' in code}
        assert used == sentences
        pattern = rf'"((?:{"|".join(STEPS)})-[a-z-]+)"'
        assert set(re.findall(pattern, code)) <= sentences


class TestCalling:
    """The test call's stages; what its messages tell is `test_call_diagnosis`'s matter."""

    def begin(self, trial: Trial | None, number: str = "075512345678") -> tuple[Ward, Doctor]:
        machine, _ = office(strict())
        ward = Ward(machine, trial)
        doctor = machine.doctor = Doctor(LINE, number, ward, ward.told, machine.now)
        machine.pump()
        machine.advance(1)
        assert ward.called == [("telco", number)]
        if trial is not None:
            assert not doctor.done
            invite = request(call_id=trial.call_id)
            watcher = machine.endpoint.trace.watcher
            assert watcher is not None
            watcher.heard(answer(invite, 180), CARRIER)
            if trial.answered:
                watcher.heard(answer(invite, 200), CARRIER)
        return ward, doctor

    def test_it_is_answered_and_listened_to(self) -> None:
        trial = Trial(answered=True)
        ward, doctor = self.begin(trial)
        ward.machine.advance(5)
        assert doctor.counting
        doctor.counted(Counts([stream(20000, 190)]), ward.machine.now)
        assert doctor.done
        assert trial.hung_up == 1
        assert [one.slug for one in doctor.findings[-3:]] == [
            "outgoing-answered",
            "incoming-elsewhere",
            "sound-heard",
        ]

    def test_an_engine_that_does_not_count(self) -> None:
        ward, doctor = self.begin(Trial(answered=True))
        ward.machine.advance(8)
        assert doctor.done
        assert doctor.findings[-1].slug == "sound-uncounted"

    def test_it_ends_while_it_is_listened_to(self) -> None:
        trial = Trial(answered=True)
        ward, doctor = self.begin(trial)
        ward.machine.advance(1)
        trial.ended = True
        ward.machine.advance(0.2)
        assert doctor.counting
        doctor.stop(ward.machine.now)
        assert trial.hung_up == 1

    def test_nobody_answers(self) -> None:
        trial = Trial()
        ward, doctor = self.begin(trial)
        ward.machine.advance(31)
        assert doctor.done
        assert trial.hung_up == 1
        assert [one.slug for one in doctor.findings[-3:]] == [
            "outgoing-rang",
            "incoming-none",
            "skipped",
        ]

    def test_it_fails(self) -> None:
        trial = Trial()
        ward, doctor = self.begin(trial)
        trial.ended = True
        ward.machine.advance(0.2)
        assert doctor.done

    def test_there_is_no_way_out(self) -> None:
        ward, doctor = self.begin(None)
        assert doctor.done
        assert of(doctor, "outgoing").slug == "outgoing-unsent"
        assert of(doctor, "sound").slug == "skipped"

    def test_a_line_that_is_not_in_use_is_not_called(self) -> None:
        doctor = examine(office(tells(403))[0], number="110")
        assert [of(doctor, step).slug for step in STEPS[5:]] == ["skipped"] * 3


class TestStopping:
    def test_it_can_be_stopped_at_any_time(self) -> None:
        machine, _ = office(silent)
        ward = Ward(machine)
        doctor = machine.doctor = Doctor(LINE, "", ward, ward.told, machine.now)
        machine.pump()
        doctor.stop(machine.now)
        assert doctor.done
        assert doctor.next_timer() is None
        assert machine.endpoint.trace.watcher is None
        machine.advance(40)
