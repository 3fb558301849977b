"""The media engine: the process that moves packets. See `__main__` and README.md."""

import os

# numpy's linear algebra, which is never used here, would start a thread per core at import: half
# as long a start again, and a crash of the engine must cost a call less than a second.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
