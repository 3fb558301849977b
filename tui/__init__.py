"""The console and the `minisip` commands: clients of the control API."""
