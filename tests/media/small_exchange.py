"""An exchange that only keeps a media engine: to be killed by a test.

``python -m tests.media.small_exchange SOCKET FIRST LAST``. It says the engine's process id when
one stream has been set up in it.
"""

import asyncio
import sys
from pathlib import Path

from pbx.config.settings import MediaSettings
from pbx.media.protocol import Stream
from pbx.media.supervisor import Supervisor


async def main(path: Path, settings: MediaSettings) -> None:
    supervisor = Supervisor(
        path,
        settings,
        on_ready=lambda ready: None,
        on_report=lambda report: print(supervisor.pid, flush=True),
        on_lost=lambda: None,
    )
    await supervisor.start()
    port = settings.first_port
    supervisor.send([Stream(port, 0, "127.0.0.1", None, None, False, True, True, 0, 0)])
    await asyncio.Event().wait()


if __name__ == "__main__":
    ports = MediaSettings(first_port=int(sys.argv[2]), last_port=int(sys.argv[3]), grace_s=20)
    asyncio.run(main(Path(sys.argv[1]), ports))
