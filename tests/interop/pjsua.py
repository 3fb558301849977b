"""What the pjsua2 phones share: a process for each, since the library knows one phone a process."""

import json
import select
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.interop.program import Program
from tests.interop.wheels import needs_pjsua2


class PjsuaProcess:
    """One phone, as a test has it.

    Args:
        module: the program, in this folder; its `main` gets the configuration.
        folder: its own folder.
        config: ``number``, ``password``, ``server``, ``port``, ``transport`` as `phone` reads them, and more.
    """

    def __init__(self, module: str, folder: Path, config: dict[str, Any]) -> None:
        needs_pjsua2()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.number = config["number"]
        name = f"pjsua-{self.number}-{config['port']}"
        self._log = folder / f"{name}.log"
        words = json.dumps({**config, "folder": str(folder), "log": str(self._log)})
        self.program = Program(
            name,
            [sys.executable, "-m", f"tests.interop.{module}", words],
            folder,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=True,
        )

    def type(self, line: str) -> None:
        """Give it a line."""
        pipe = self.program.process.stdin
        assert pipe is not None
        pipe.write(line.encode() + b"\n")
        pipe.flush()

    def log(self) -> str:
        """Return what the library has logged, with all messages."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def close(self) -> None:
        """End the program."""
        self.program.end()


def open_endpoint(closing: ExitStack, config: dict[str, Any]) -> tuple[Any, Any]:
    """Start the library with a transport; return its endpoint and the account's configuration.

    Args:
        closing: ends the library.
        config: as for `PjsuaProcess`; ``trusts`` is a certificate to check the server's by, ``scheme``
            that of its addresses; ``console`` 4 has it print all messages at once: its file lags behind;
            ``domain`` and ``auth_name`` are those of the account where a carrier has others;
            ``proxy`` is the URI of the outbound proxy; who is a ``peer`` of the server's doesn't register.
    """
    import pjsua2 as pj  # it tells no types

    endpoint = pj.Endpoint()
    endpoint.libCreate()
    setting = pj.EpConfig()
    setting.uaConfig.threadCnt = 0
    setting.uaConfig.mainThreadOnly = True
    setting.logConfig.level = 4
    setting.logConfig.consoleLevel = config.get("console", 0)
    setting.logConfig.filename = config["log"]
    setting.medConfig.noVad = True
    setting.medConfig.ecTailLen = 0
    endpoint.libInit(setting)
    own = pj.TransportConfig()
    own.port = config["port"]
    own.boundAddress = "127.0.0.1"
    if config.get("trusts"):
        own.tlsConfig.CaListFile = config["trusts"]
        own.tlsConfig.verifyServer = True
    transport = config["transport"]
    endpoint.transportCreate(getattr(pj, f"PJSIP_TRANSPORT_{transport.upper()}"), own)
    endpoint.audDevManager().setNullDev()
    endpoint.libStart()
    closing.callback(endpoint.libDestroy)
    scheme, server = config.get("scheme", "sip"), config.get("domain") or config["server"]
    account = pj.AccountConfig()
    account.idUri = f"{scheme}:{config['number']}@{server}"
    way = "" if transport == "udp" or scheme == "sips" else f";transport={transport}"
    account.regConfig.registrarUri = "" if config.get("peer") else f"{scheme}:{server}{way}"
    name = config.get("auth_name") or config["number"]
    account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", name, 0, config["password"]))
    if config.get("proxy"):
        account.sipConfig.proxies.append(config["proxy"])
    account.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    return endpoint, account


def typed_lines(endpoint: Any) -> Iterator[str]:
    """Let the library work; yield each line that is typed, until the input ends."""
    while True:
        endpoint.libHandleEvents(10)
        if select.select([sys.stdin], [], [], 0)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            yield line.strip()
