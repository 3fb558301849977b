"""Sends events as udev's daemon does, to all that listen in this network namespace.

Run as a program: each line of the standard input is the properties of an event, as JSON.
"""

import json
import socket
import struct
import sys

NETLINK_KOBJECT_UEVENT = 15
UDEV_GROUP = 2
MAGIC = 0xFEEDCAFE
HEADER_SIZE = 40


def murmur2(data: bytes) -> int:
    """Return MurmurHash2 with the seed 0: what a listener's kernel filter compares."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    value = len(data)
    while len(data) >= 4:
        part = int.from_bytes(data[:4], "little") * factor & mask
        part = (part ^ part >> 24) * factor & mask
        value = value * factor & mask ^ part
        data = data[4:]
    if data:
        value = (value ^ int.from_bytes(data, "little")) * factor & mask
    value = (value ^ value >> 13) * factor & mask
    return value ^ value >> 15


def message(properties: dict[str, str]) -> bytes:
    """Return an event as libudev reads it (systemd, `struct monitor_netlink_header`)."""
    body = b"".join(f"{name}={value}\0".encode() for name, value in properties.items())
    kind = properties.get("DEVTYPE", "")
    return (
        b"libudev\0"
        + struct.pack(">I", MAGIC)
        + struct.pack("=III", HEADER_SIZE, HEADER_SIZE, len(body))
        + struct.pack(
            ">IIII",
            murmur2(properties["SUBSYSTEM"].encode()),
            murmur2(kind.encode()) if kind else 0,
            0,
            0,
        )
        + body
    )


def main() -> None:
    """Send what comes in."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT) as sender:
        sender.bind((0, 0))
        for line in sys.stdin:
            sender.sendto(message(json.loads(line)), (0, UDEV_GROUP))


if __name__ == "__main__":
    main()
