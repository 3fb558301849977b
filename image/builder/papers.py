"""The papers that go with an image: list of parts with licences, sums, what Imager reads, notes."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from builder.licences import package_licences
from deb.build import wheels

# Raspberry Pi Imager's names of boards.
_DEVICES = ["pi5-64bit", "pi4-64bit", "pi3-64bit"]


@dataclass(frozen=True, slots=True)
class Made:
    """An image that was made.

    Args:
        path: of the compressed file.
        version: of our program.
        raw_size, raw_sum: of what is inside, in bytes and SHA-256.
        epoch: the time of everything in it, in seconds since 1970.
    """

    path: Path
    version: str
    raw_size: int
    raw_sum: str
    epoch: int

    @property
    def day(self) -> str:
        """The date, as Imager shows it."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%d")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def web_folder(address: str) -> str:
    """Return the address of a folder in the web, with a slash at its end.

    Raises:
        ValueError: no host can be asked for a file there.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{address!r} is not the address of a folder in the web (https://...)")
    return address.rstrip("/") + "/"


def write_sum(made: Made) -> None:
    """Write what ``sha256sum --check`` reads, beside the image."""
    target = made.path.with_name(made.path.name + ".sha256")
    target.write_text(f"{sha256(made.path)}  {made.path.name}\n")


def write_manifest(made: Made, address: str | None) -> None:
    """Write the list from which Raspberry Pi Imager (2.0 and later) offers the image.

    Args:
        address: of the folder in the web where the image will lie, as `web_folder` returns it;
            without one the list is good on this machine only, for Imager knows no relative address.
    """
    entry = {
        "name": f"miniSIPServer {made.version}",
        "description": "A telephone exchange: flash, power on, phones ring",
        "icon": "",
        "url": address + quote(made.path.name) if address else made.path.resolve().as_uri(),
        "release_date": made.day,
        "extract_size": made.raw_size,
        "extract_sha256": made.raw_sum,
        "image_download_size": made.path.stat().st_size,
        "image_download_sha256": sha256(made.path),
        "init_format": "cloudinit",
        "devices": _DEVICES,
    }
    text = json.dumps({"os_list": [entry]}, indent=2)
    # What ends so is opened by Imager.
    _beside(made, ".rpi-imager-manifest").write_text(text + "\n")


def _beside(made: Made, suffix: str) -> Path:
    return made.path.with_name(made.path.name.partition(".img")[0] + suffix)


def write_parts(made: Made, parts: list[dict[str, Any]]) -> None:
    """Write the bill of materials (CycloneDX 1.6) of `parts`."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{UUID(bytes=bytes.fromhex(made.raw_sum)[:16], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": f"{made.day}T00:00:00Z",
            "component": {
                "type": "operating-system",
                "name": "miniSIPServer card image",
                "version": made.version,
                "hashes": [{"alg": "SHA-256", "content": made.raw_sum}],
            },
        },
        "components": parts,
    }
    _beside(made, ".cdx.json").write_text(json.dumps(document, indent=1) + "\n")


def write_notes(made: Made, parts: list[dict[str, Any]], title: str) -> None:
    """Write the release notes: what is inside, in figures."""
    versions = {part["name"]: part["version"] for part in parts}
    shown = ["python3.13", "systemd", "mariadb-server", "raspi-firmware", "numba", "numpy"]
    kernel = next(
        (name for name in versions if name.startswith("linux-binary-")), "linux-image-arm64"
    )
    lines = [
        f"# {title} {made.version}, {made.day}",
        "",
        f"`{made.path.name}`: {made.path.stat().st_size / 1e6:.0f} MB, "
        f"{made.raw_size / 1e6:.0f} MB on the card; SHA-256 of the file beside it.",
        "",
        f"Raspberry Pi 3, Zero 2 W, 4, 400, CM4, 5. {len(parts)} parts; their licences are in "
        f"`{_beside(made, '.cdx.json').name}`.",
        "",
        *(f"- {name} {versions[name]}" for name in [kernel, *shown] if name in versions),
        "",
    ]
    _beside(made, ".notes.md").write_text("\n".join(lines))


def debian_parts(root: Path) -> list[dict[str, Any]]:
    """Return the Debian packages in `root` as components, with the licences that they name."""
    query = "${Package}\t${Version}\t${Architecture}\t${source:Package}\n"
    words = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", query]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    rows = [line.split("\t") for line in sorted(listed.splitlines())]
    of_source: dict[str, list[str]] = {}
    for name, _, _, source in rows:
        of_source.setdefault(source, []).append(name)
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=trixie",
            "group": source,
            "licenses": _named(package_licences(root, [name, *of_source[source]])),
        }
        for name, version, architecture, source in rows
    ]


def _named(names: list[str]) -> list[dict[str, Any]]:
    return [{"license": {"name": name}} for name in names]


def python_parts(root: Path) -> list[dict[str, Any]]:
    """Return the Python packages of /opt/sipserver in `root` as components."""
    (site,) = root.glob("opt/sipserver/venv/lib/python*/site-packages")
    return [
        {
            "type": "library",
            "name": wheel.name,
            "version": wheel.version,
            "purl": f"pkg:pypi/{wheel.name.lower().replace('_', '-')}@{wheel.version}",
            "licenses": _named([wheel.licence] if wheel.licence else []),
        }
        for wheel in wheels(site)
    ]
