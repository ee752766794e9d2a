"""Apache's side: what the .wsgi files of deploy/apache load in each daemon process."""

import atexit
import os
import sys
from pathlib import Path

# Apache's error log, where mod_wsgi would send what is printed, is not made of JSON lines.
os.dup2(1, 2)
sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))

from runtime.wsgi import application  # noqa: E402 (what it prints goes there too)

__all__ = ["application"]

if folder := os.environ.get("READY_DIR"):
    # Nobody looks after these files but the process itself: one that is killed leaves its own.
    mine = Path(folder, str(os.getpid()))
    mine.touch()
    atexit.register(mine.unlink, missing_ok=True)
