"""Boots the card image in QEMU and uses it as a household would; `image/README.md` says how."""
