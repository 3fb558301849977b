"""The hardware agent: LEDs, button, relays and local sound, as a client of the control API."""
