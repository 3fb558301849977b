"""Bindings as they are kept over a restart: on the wall clock, and without connections."""

from pbx.registrar.binding import Binding
from pbx.sip.flow import Address, Flow
from pbx.store.snapshot import BindingRow


def row_of(binding: Binding, offset_s: float) -> BindingRow:
    """Return how a binding is kept.

    Args:
        offset_s: what the wall clock, in seconds since 1970, is ahead of the binding's clock.
    """
    flow = binding.flow
    return BindingRow(
        number=binding.number,
        contact=binding.uri,
        call_id=binding.call_id,
        cseq=binding.cseq,
        transport=flow.transport,
        source_host=flow.remote.host,
        source_port=flow.remote.port,
        local_host=flow.local.host,
        local_port=flow.local.port,
        expires_wall_s=binding.expires + offset_s,
        connection=flow.connection,
        path=binding.path,
        user_agent=binding.user_agent,
        q=binding.q,
        instance=binding.instance,
        reg_id=binding.reg_id,
        behind_nat=binding.behind_nat,
        features=binding.features,
    )


def binding_of(row: BindingRow, offset_s: float) -> Binding:
    """Return the binding that was kept; `offset_s` as for `row_of`."""
    return Binding(
        row.number,
        row.contact,
        # Connections ended with the process that had them.
        Flow(
            row.transport,
            Address(row.local_host, row.local_port),
            Address(row.source_host, row.source_port),
        ),
        row.call_id,
        row.cseq,
        row.expires_wall_s - offset_s,
        row.path,
        row.user_agent,
        row.q,
        row.instance,
        row.reg_id,
        row.behind_nat,
        row.features,
    )
