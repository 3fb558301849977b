"""`minisip update`: another version of the program, and the way back to the last one."""
