"""What lies beside the image: the list for Raspberry Pi Imager, and licences in the bill of materials."""

import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from builder.licences import licences, package_licences
from builder.papers import Made, sha256, web_folder, write_manifest

RAW = bytes(4096)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    path = tmp_path / "minisipserver-0.1.0-arm64.img.xz"
    path.write_bytes(lzma.compress(RAW))
    return Made(path, "0.1.0", len(RAW), hashlib.sha256(RAW).hexdigest(), 1_700_000_000)


def offered(made: Made, address: str | None) -> dict[str, Any]:
    """Return the one entry of the list that Imager opens by its name."""
    write_manifest(made, address)
    (path,) = made.path.parent.glob("*.rpi-imager-manifest")
    (entry,) = json.loads(path.read_text())["os_list"]
    return dict(entry)


class TestManifest:
    def test_for_this_machine_it_names_the_file(self, made: Made) -> None:
        entry = offered(made, None)
        assert entry["url"] == f"file://{made.path}"
        assert entry["image_download_sha256"] == sha256(made.path)
        assert entry["image_download_size"] == made.path.stat().st_size
        assert (entry["extract_size"], entry["extract_sha256"]) == (4096, made.raw_sum)
        assert entry["init_format"] == "cloudinit"

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_for_others_it_names_the_place_in_the_web(self, made: Made, slash: str) -> None:
        entry = offered(made, web_folder(f"https://example.org/releases/v1{slash}"))
        assert entry["url"] == f"https://example.org/releases/v1/{made.path.name}"

    @pytest.mark.parametrize(
        "address", ["", "releases/", "file:///srv", "https://", "ftp://x/", "https://x/?a=b"]
    )
    def test_what_nobody_can_fetch_from_is_refused(self, address: str) -> None:
        with pytest.raises(ValueError, match="is not the address of a folder in the web"):
            web_folder(address)


class TestLicences:
    def test_named_ones_are_taken_as_they_are_named(self) -> None:
        text = "Format: x\n\nFiles: *\nLicense: GPL-2+ and Expat\n\nLicense: Expat\n Permission is ...\n"
        assert licences(text) == ["Expat", "GPL-2+ and Expat"]

    def test_in_free_words_the_file_that_is_pointed_to(self) -> None:
        text = (
            "This program is free software under the GNU General Public License.\n"
            "see `/usr/share/common-licenses/GPL-2'. Documents: /usr/share/common-licenses/GFDL-1.3.\n"
        )
        assert licences(text) == ["GFDL-1.3", "GPL-2"]

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            ("Permission is hereby granted, free of charge, to any person\n * obtaining a copy", "MIT"),
            ("Permission to use, copy, modify, and/or distribute this\nsoftware for any purpose with or without fee", "ISC"),
            ("Permission to use, copy, modify, distribute, and sell this software and its\n documentation for any purpose", "HPND"),
            ("REDISTRIBUTION and use in source\n#\n# and binary forms", "BSD"),
            ("The timezone data is in the public\ndomain.", "public-domain"),
            ("the GNU Lesser General Public License", "LGPL"),
        ],
    )  # fmt: skip
    def test_in_free_words_what_only_that_licence_says(self, words: str, name: str) -> None:
        assert licences(f"Copyright 1999 X\n\n{words} ...\n") == [name]

    def test_nothing_is_made_up(self) -> None:
        assert licences("Copyright 1999 X. All rights reserved.\n") == []

    def test_packages_of_one_source_may_share_their_papers(self, tmp_path: Path) -> None:
        folder = tmp_path / "usr/share/doc/gcc-14-base"
        folder.mkdir(parents=True)
        (folder / "copyright").write_text("License: GPL-3+\n")
        assert package_licences(tmp_path, ["libgcc-s1", "cpp-14", "gcc-14-base"]) == ["GPL-3+"]
        assert package_licences(tmp_path, ["libfoo"]) == []
