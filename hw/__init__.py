"""The hardware agent: lamp, button and what is plugged in; a client of the control API."""
