"""The papers that go with an image: list of parts with licences, sums, what Imager reads, notes."""

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

# Raspberry Pi Imager's names of boards.
_DEVICES = ["pi5-64bit", "pi4-64bit", "pi3-64bit"]

# In DEP-5 papers a licence's name stands behind this; in others nothing does.
_LICENCE = re.compile(r"(?m)^License:[ \t]*(\S[^\n]*)$")


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


def write_sum(made: Made) -> None:
    """Write what ``sha256sum --check`` reads, beside the image."""
    target = made.path.with_name(made.path.name + ".sha256")
    target.write_text(f"{sha256(made.path)}  {made.path.name}\n")


def write_manifest(made: Made) -> None:
    """Write the list that Raspberry Pi Imager reads with ``--repo``; the image lies beside it."""
    entry = {
        "name": f"miniSIPServer {made.version}",
        "description": "A telephone exchange: flash, power on, phones ring",
        "icon": "",
        "url": made.path.resolve().as_uri(),
        "release_date": made.day,
        "extract_size": made.raw_size,
        "extract_sha256": made.raw_sum,
        "image_download_size": made.path.stat().st_size,
        "image_download_sha256": sha256(made.path),
        "init_format": "cloudinit",
        "devices": _DEVICES,
    }
    text = json.dumps({"os_list": [entry]}, indent=2)
    _beside(made, ".imager.json").write_text(text + "\n")


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
    parts = []
    for line in sorted(listed.splitlines()):
        name, version, architecture, source = line.split("\t")
        purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=trixie"
        part: dict[str, Any] = {
            "type": "library",
            "name": name,
            "version": version,
            "purl": purl,
        }
        paper = root / "usr/share/doc" / name / "copyright"
        part |= {"group": source, "licenses": _named(_licences(paper))}
        parts.append(part)
    return parts


def _licences(paper: Path) -> list[str]:
    try:
        text = paper.read_text("utf-8", "replace")
    except OSError:
        return []
    return sorted({name.strip() for name in _LICENCE.findall(text)})


def _named(names: list[str]) -> list[dict[str, Any]]:
    return [{"license": {"name": name}} for name in names or ["see /usr/share/doc"]]


def python_parts(root: Path) -> list[dict[str, Any]]:
    """Return the Python packages of /opt/sipserver in `root` as components."""
    parts = []
    for metadata in sorted(
        root.glob("opt/sipserver/venv/lib/python*/site-packages/*.dist-info/METADATA")
    ):
        head = metadata.read_text("utf-8").partition("\n\n")[0]
        fields = dict(re.findall(r"(?m)^(Name|Version|License-Expression|License): (.+)$", head))
        classifiers = re.findall(r"(?m)^Classifier: License :: (?:OSI Approved :: )?(.+)$", head)
        licence = (
            fields.get("License-Expression") or fields.get("License") or ", ".join(classifiers)
        )
        name, version = fields["Name"], fields["Version"]
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
        part = {"type": "library", "name": name, "version": version, "purl": purl}
        parts.append(part | {"licenses": _named([licence] if licence else [])})
    return parts
