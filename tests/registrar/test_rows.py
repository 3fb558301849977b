"""Bindings over a restart."""

from dataclasses import replace

from pbx.registrar.binding import Binding
from pbx.registrar.rows import binding_of, row_of
from pbx.sip.flow import Address, Flow

TCP = Flow("tcp", Address("192.0.2.1", 5060), Address("192.0.2.7", 40000), connection=7)
BINDING = Binding(
    "100", "sip:100@192.0.2.7", TCP, "c", 3, 500.0, ("<sip:edge;lr>",), "Phone/1", "0.5"
)


def test_a_binding_is_kept_on_the_wall_clock_and_without_its_connection() -> None:
    row = row_of(BINDING, offset_s=1_000_000.0)
    assert row.expires_wall_s == 1_000_500.0
    again = binding_of(row, offset_s=1_000_400.0)
    assert again == replace(BINDING, flow=replace(TCP, connection=0), expires=100.0)
