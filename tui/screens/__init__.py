"""The console's screens, one a file, and its dialogs."""
