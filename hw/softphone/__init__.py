"""`minisipphone`: a telephone in the terminal."""
