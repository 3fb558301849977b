"""Makes the card image; `image/README.md` says how."""
