"""Kamailio as a carrier's IMS: a proxy that subscribers see, and behind it a registrar that they don't.

The proxy (P-CSCF) is all that can be reached: the domain has no address. It puts itself on the Path
and demands the Service-Route on calls; the registrar (S-CSCF) asks for digest credentials whose name
is the whole address, takes no REGISTER without ``Supported: path``, tells the identities
(P-Associated-URI), and lets no call through that has another Request-URI than the network's, or than
its digest, no 100rel, or no session timer that's long enough. Calls to a subscriber come with
P-Asserted-Identity and P-Called-Party-ID.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.interop.kamailio import Kamailio, head
from tests.interop.ports import Ports
from tests.interop.waiting import until

PROXY, REGISTRAR = "127.0.0.21", "127.0.0.22"

_COMMON = """\
modparam("tm", "fr_timer", 5000)
"""

_PROXY = """\
modparam("path", "use_received", 1)
request_route {{
    xlog("L_ERR", "proxy: $rm $ru from $si\\n");
    if (is_method("OPTIONS") && $rU == $null) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    force_rport();
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) t_relay();
        else if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if ($si == "{registrar_host}") {{
        record_route();
        loose_route();
        t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        remove_hf("Route");
        add_path_received();
        $du = "sip:{registrar}";
        t_relay();
        exit;
    }}
    loose_route();
    if (!($du =~ "^sip:orig@{registrar}")) {{
        sl_send_reply("403", "No Service-Route");
        exit;
    }}
    remove_hf("P-Asserted-Identity");
    if ($hdr(P-Preferred-Identity) =~ "sip:({user_pattern}|{second_pattern})@{domain}")
        append_hf("P-Asserted-Identity: $hdr(P-Preferred-Identity)\\r\\n");
    else
        append_hf("P-Asserted-Identity: <sip:{user}@{domain}>\\r\\n");
    remove_hf("P-Preferred-Identity");
    record_route();
    t_relay();
}}
"""

_REGISTRAR = """\
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 2)
modparam("registrar", "path_use_received", 1)
modparam("registrar", "max_expires", {expires_s})
modparam("rr", "enable_full_lr", 1)
request_route {{
    xlog("L_ERR", "registrar: $rm $ru from $si, $fu to $tu, PAI $hdr(P-Asserted-Identity)\\n");
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) t_relay();
        else if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    if (is_method("REGISTER")) {{
        if ($rd != "{domain}" || $rU != $null) {{
            sl_send_reply("404", "Unknown domain");
            exit;
        }}
        if (!pv_www_authenticate("{domain}", "{password}", "0")) {{
            www_challenge("{domain}", "1");
            exit;
        }}
        if ($adu != $ru || $aU != "{auth_name}") {{
            sl_send_reply("403", "Forbidden");
            exit;
        }}
        append_to_reply("Service-Route: <sip:orig@{registrar};lr>\\r\\n");
        append_to_reply("P-Associated-URI: <sip:{user}@{domain}>, <sip:{second}@{domain}>, <tel:{user}>\\r\\n");
        if (save("location")) xlog("L_ERR", "registrar: has bound $tu\n");
        exit;
    }}
    if (!is_method("INVITE")) {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    if ($si == "{proxy_host}") route(OUT);
    else route(IN);
}}
route[OUT] {{
    loose_route();
{challenge}    if (!($ru =~ "^tel:" || $ru =~ "user=phone")) {{
        sl_send_reply("484", "Address Incomplete");
        exit;
    }}
    if (!($hdr(Supported) =~ "100rel" || $hdr(Require) =~ "100rel")) {{
        append_to_reply("Require: 100rel\\r\\n");
        sl_send_reply("421", "Extension Required");
        exit;
    }}
    if (!($hdr(Supported) =~ "timer")) {{
        append_to_reply("Require: timer\\r\\n");
        sl_send_reply("421", "Extension Required");
        exit;
    }}
    if ($hdr(Session-Expires) != $null && $(hdr(Session-Expires){{s.select,0,;}}{{s.int}}) < {min_se_s}) {{
        append_to_reply("Min-SE: {min_se_s}\\r\\n");
        sl_send_reply("422", "Session Interval Too Small");
        exit;
    }}
    if ($ru =~ "^tel:") $var(number) = $(ru{{s.substr,4,0}}{{s.select,0,;}});
    else $var(number) = $rU;
    if (!($var(number) =~ "^\\+[0-9]+$")) {{
        sl_send_reply("404", "Not Found");
        exit;
    }}
    record_route();
    $ru = "sip:" + $var(number) + "@{far}";
    $du = $null;
    t_relay();
}}
route[IN] {{
    $var(called) = $rU;
    if ($var(called) == "{second}") $rU = "{user}";
    remove_hf("P-Asserted-Identity");
    append_hf("P-Asserted-Identity: <sip:$fU@{domain};user=phone>\\r\\n");
    append_hf("P-Called-Party-ID: <sip:$var(called)@{domain};user=phone>\\r\\n");
    if (!lookup("location")) {{
        sl_send_reply("480", "Not registered");
        exit;
    }}
    record_route();
    t_relay();
}}
"""

_CHALLENGE = """\
    if (!pv_proxy_authenticate("{domain}", "{password}", "0")) {{
        proxy_challenge("{domain}", "1");
        exit;
    }}
    if ($adu != $ou) {{
        sl_send_reply("400", "Digest of another Request-URI");
        exit;
    }}
    consume_credentials();
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber of an IMS is told.

    Args:
        user: the number, which is the user part of the address.
        second: another number of the same line.
        domain: of the addresses; it doesn't resolve.
        password: of the account.
    """

    user: str = "+861055550001"
    second: str = "+861055550002"
    domain: str = "gd.ims.invalid"
    password: str = "secret"

    @property
    def auth_name(self) -> str:
        """The name in credentials: the whole address."""
        return f"{self.user}@{self.domain}"


class Ims:
    """Two Kamailios: a proxy and a registrar.

    Args:
        folder: for their files.
        ports: where their ports come from.
        subscription: whom they serve.
        far: address and port of the telephone network behind them, where called numbers are; empty: the
            subscriber's own numbers are all that there is.
        min_se_s: the shortest session that the registrar lets through (RFC 4028).
        expires_s: the longest registration.
        challenging: calls need credentials, too.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        subscription: Subscription,
        far: str,
        *,
        min_se_s: int = 1200,
        expires_s: int = 600,
        challenging: bool = True,
    ) -> None:
        port = ports.block(4)
        self.proxy, self.registrar = f"{PROXY}:{port}", f"{REGISTRAR}:{port + 2}"
        known: dict[str, str | int] = {
            "user_pattern": subscription.user.replace("+", "\\\\+"),
            "second_pattern": subscription.second.replace("+", "\\\\+"),
            "registrar": self.registrar,
            "registrar_host": REGISTRAR,
            "proxy_host": PROXY,
            "domain": subscription.domain,
            "user": subscription.user,
            "second": subscription.second,
            "password": subscription.password,
            "auth_name": subscription.auth_name,
            "far": far or self.registrar,
            "min_se_s": min_se_s,
            "expires_s": expires_s,
        }
        known["challenge"] = _CHALLENGE.format(**known) if challenging else ""
        outside = [f"udp:{self.proxy}", f"tcp:{self.proxy}"]
        edge = head(outside, "tm sl rr pv textops siputils path xlog") + _COMMON
        core = head(
            [f"udp:{self.registrar}"],
            "tm sl rr pv textops siputils path xlog auth usrloc registrar",
        )
        self._registrar = Kamailio(
            folder / "registrar", core + _COMMON + _REGISTRAR.format(**known), port + 2
        )
        try:
            self._proxy = Kamailio(folder / "proxy", edge + _PROXY.format(**known), port)
        except BaseException:
            self._registrar.close()
            raise

    def wait_registered(self) -> None:
        """Wait until the subscriber is."""
        until(
            "the IMS's subscriber is registered",
            lambda: "has bound" in self.said(),
            why_not=self.said,
        )

    def said(self) -> str:
        """Return what both have printed."""
        return self._proxy.program.said() + self._registrar.program.said()

    def close(self) -> None:
        """End both."""
        self._proxy.close()
        self._registrar.close()
