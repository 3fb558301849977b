"""Kamailio as an edge proxy between phones and the exchange, over each transport.

Phones speak to `outside`. By UDP, requests to the exchange come from `sender`, which takes no requests
itself; what Record-Route and Path name is `inside`: who answers the packets' source gets no answer.
"""

from pathlib import Path

from pbx.config.data_folder import DataFolder
from tests.interop.exchange import Exchange
from tests.interop.kamailio import Kamailio, head
from tests.interop.ports import Ports

_MODULES = "tm sl rr pv textops siputils"

_BY_UDP = """\
request_route {{
    if ($Ri == "{sender_host}") exit;
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) t_relay();
        exit;
    }}
    if ($sp == {exchange_port}) {{
        loose_route();
        record_route_preset("{inside}");
        t_relay();
        exit;
    }}
    if (is_method("REGISTER")) insert_hf("Path: <sip:{inside};lr>\\r\\n", "Call-ID");
    else record_route_preset("{inside}");
    $du = "sip:127.0.0.1:{exchange_port}";
    $fs = "udp:{sender}";
    t_relay();
}}
"""

# A phone can't be connected to: Path, as RFC 5626 has it, and Contact say which connection is its own
_BY_STREAM = """\
modparam("path", "use_received", 1)
modparam("rr", "enable_full_lr", 1)
{more}
request_route {{
    force_rport();
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            handle_ruri_alias();
            if ($rc == 2) add_contact_alias();
            else t_on_reply("PHONE");
            t_relay();
        }} else if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if ($hdr(Route) =~ "{inside_host}") {{
        record_route();
        loose_route();
        t_on_reply("PHONE");
        t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        insert_hf("Path: <sip:{inside};transport={kind};lr;ob;received=sip:$si:$sp%3Btransport%3D{proto}>\\r\\n", "Call-ID");
    }} else {{
        record_route();
        add_contact_alias();
    }}
    remove_hf("Route");
    $du = "sip:{server};transport={kind}";
    t_relay();
}}
onreply_route[PHONE] {{
    add_contact_alias();
}}
"""

_WEBSOCKET = """\
tcp_accept_no_cl=yes
event_route[xhttp:request] {
    if ($hdr(Upgrade) =~ "websocket") ws_handle_handshake();
    else xhttp_reply("404", "Not Found", "", "");
}
"""

_TLS = """\
[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {folder}/key.pem
certificate = {folder}/certificate.pem
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
ca_list = {trusts}
"""


class EdgeProxy:
    """One Kamailio between phones and the exchange.

    Args:
        folder: for its files.
        ports: where its ports come from.
        exchange: its exchange.
        transport: ``udp``, ``tcp``, ``tls`` on both sides, or ``ws`` to phones and TCP to the exchange.
        identity: for ``tls``, the folder with what it shows as 127.0.0.4; the exchange has to trust it.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        exchange: Exchange,
        transport: str = "udp",
        identity: DataFolder | None = None,
    ) -> None:
        port = ports.block(6)
        if transport == "udp":
            self.outside, self.inside = f"127.0.0.4:{port}", f"127.0.0.6:{port + 2}"
            sender = f"127.0.0.5:{port + 4}"
            listen = [f"udp:{one}" for one in (self.outside, self.inside, sender)]
            config = head(listen, _MODULES) + _BY_UDP.format(
                inside=self.inside,
                sender=sender,
                sender_host="127.0.0.5",
                exchange_port=exchange.port,
            )
            self._kamailio = Kamailio(folder, config, port)
            return
        kind = "tcp" if transport == "ws" else transport
        self.outside = f"127.0.0.4:{port}"
        self.inside = f"127.0.0.4:{port + 2}" if transport == "ws" else self.outside
        names = sorted({self.outside, self.inside})
        modules, more = f"{_MODULES} path nathelper", ""
        if transport == "ws":
            modules, more = f"{modules} xhttp websocket", _WEBSOCKET
        if transport == "tls":
            modules = f"tls {modules}"
            more = f'modparam("tls", "config", "{folder}/tls.cfg")\n'
            assert identity is not None
            folder.mkdir(parents=True)
            (folder / "tls.cfg").write_text(
                _TLS.format(folder=identity.tls, trusts=exchange.certificate)
            )
        config = head([f"{kind}:{name}" for name in names], modules) + _BY_STREAM.format(
            inside=self.inside,
            inside_host=self.inside.partition(":")[0],
            kind=kind,
            proto=transport,
            server=exchange.secure_host if transport == "tls" else exchange.host,
            more=more,
        )
        self._kamailio = Kamailio(folder, config, port, "tcp")

    def close(self) -> None:
        """End the program."""
        self._kamailio.close()
