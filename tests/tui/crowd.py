"""The office on its busiest day, with names and addresses as long as they get; and with nobody in it."""

import msgspec

from pbx.config.line import Line
from tests.tui.office import SILENT, Office, call, contact

NAME = "第三营业部客户服务中心贵宾接待室"
SERVER = "sbc-north-1.ims.mnc000.mcc460.pub.3gppnetwork.org"


def crowd(office: Office) -> None:
    """Fill every list: sixty users with phones, forty calls, twenty lines, a hundred lines of log."""
    for number in range(1000, 1060):
        own = str(number)
        office.passwords[own] = office.initial[own] = f"secret-of-{own}"
        office.names[own] = f"{NAME}{number % 100}号"
        office.phones[own] = [
            contact(
                f"tls [2001:db8:1234:5678:9abc:def0:1234:{number}]:50611",
                "Yealink SIP-T58W Pro with camera 150.86.0.5",
                598.0,
            )
        ]
        office.states[own] = "talking"
    office.calls_now = [
        call(
            f"c{number}",
            f"+8613901088{number:03}",
            f"reception.of.the.third.department.{number}",
            "talking",
            "2026-11-25T11:00:00+08:00",
            3600.0,
        )
        for number in range(40)
    ]
    for number in range(20):
        line = Line(
            name=f"beijing-main-office-{number:02}",
            kind="external-line",
            server=SERVER,
            user=f"+8610123456{number:02}@ims.bj.chinamobile.example",
            description=f"{NAME}{NAME}总机",
        )
        office.configured.kept[line.name] = line
        office.configured.states[line.name] = msgspec.structs.replace(
            SILENT, values={"server": f"udp {SERVER}:5060"}
        )
    for number in range(100):
        office.say("warning", f"{number}: {NAME} {SERVER} " * 3)


def desert(office: Office) -> None:
    """Take everybody and everything away."""
    office.passwords.clear()
    office.initial.clear()
    office.calls_now.clear()
    office.configured.kept.clear()
    office.lines.clear()
