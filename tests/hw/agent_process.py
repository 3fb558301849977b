"""The agent as a process, on a board whose files are in a folder: FOLDER SOCKET."""

import asyncio
import logging
import sys
from pathlib import Path

from hw.agent import Agent
from hw.board import Board
from hw.settings import Settings

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    board, socket = map(Path, sys.argv[1:])
    asyncio.run(Agent(Settings(led_pins=(), button_pin=0), lambda: socket, Board(board)).run())
