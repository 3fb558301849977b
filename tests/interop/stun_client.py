"""Asks a STUN server for our own address by PJSIP, and prints what it says; run as a program."""

import sys

import pjsua2


class Asking(pjsua2.Endpoint):  # type: ignore[misc]
    """PJSIP, with what it has been told."""

    told = ""

    def onNatCheckStunServersComplete(  # noqa: N802 - PJSIP's name
        self, result: pjsua2.OnNatCheckStunServersCompleteParam
    ) -> None:
        """Keep the result (PJSIP calls this)."""
        self.told = f"status {result.status}"


def main(server: str) -> None:
    """Print what PJSIP makes of `server` (host and port): its log, and status 0 for an answer."""
    endpoint = Asking()
    endpoint.libCreate()
    config = pjsua2.EpConfig()
    config.logConfig.consoleLevel = 5
    endpoint.libInit(config)
    servers = pjsua2.StringVector()
    servers.append(server)
    endpoint.natCheckStunServers(servers, True, None)
    endpoint.libDestroy()
    print(endpoint.told, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
