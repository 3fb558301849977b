"""miniSIPServer for Raspberry Pi: a complete telephone exchange."""

__version__ = "0.1.0"
