"""The compiled part of the media engine; nothing in here holds the GIL while it runs."""
