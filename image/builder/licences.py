"""Which licences a package's papers name: Debian's ``copyright`` files, of either kind."""

import re
from pathlib import Path

# In DEP-5 papers a licence's name stands behind this; in others nothing does.
_NAMED = re.compile(r"(?m)^License:[ \t]*(\S[^\n]*)$")

# Where Debian's papers point instead of repeating a text that every system has.
_POINTED = re.compile(r"/usr/share/common-licenses/([A-Z][A-Za-z0-9.+-]*[A-Za-z0-9+])")

# What only that licence says, as SPDX calls it; any space stands for any white space or comment marks.
_SAID = {
    "MIT": "Permission is hereby granted, free of charge, to any person obtaining a copy",
    "ISC": "Permission to use, copy, modify, and(/or)? distribute this software for any purpose with or without fee",
    "HPND": "Permission to use, copy, modify, (and )?distribute(, and sell)? this software and its documentation for any purpose",
    "PSF-2.0": "Python Software Foundation License Version 2",
    "BSD": "Redistribution and use in source and binary forms",
    "Zlib": "Altered source versions must be plainly marked as such",
    "GPL": "GNU General Public License",
    "LGPL": "GNU (Lesser|Library) General Public License",
    "Apache-2.0": "Apache License,? Version 2[.]0",
    "public-domain": "(in|into|to) the public domain",
}
_SAID_BY = {
    name: re.compile(r"[\s#*]+".join(words.split(" ")), re.IGNORECASE)
    for name, words in _SAID.items()
}


def licences(text: str) -> list[str]:
    """Return the licences that a ``copyright`` file names, sorted; empty if it names none.

    Args:
        text: of the file; in the machine-readable form (DEP-5) each licence has its name, in the
            free form the licences are known by the files that it points to and by their words.
    """
    if named := {name.strip() for name in _NAMED.findall(text)}:
        return sorted(named)
    found = set(_POINTED.findall(text))
    for name, said in _SAID_BY.items():
        # A version is more than the bare name: GPL-2 says all that GPL says.
        if said.search(text) and not any(other.partition("-")[0] == name for other in found):
            found.add(name)
    return sorted(found)


def package_licences(root: Path, packages: list[str]) -> list[str]:
    """Return the licences that the papers of a Debian package in `root` name.

    Args:
        packages: its name, then those of others of the same source: they may share its papers by
            a link from folder to folder, and links are left out of the image.
    """
    for name in packages:
        try:
            text = (root / "usr/share/doc" / name / "copyright").read_text("utf-8", "replace")
        except OSError:
            continue
        return licences(text)
    return []
