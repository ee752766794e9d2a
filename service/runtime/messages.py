"""`python -m runtime.messages PROGRAM ...`: be PROGRAM, with its stderr as lines of the service.

It begins with empty sums: what an earlier one in the same container has counted is no part of them.

For servers whose own messages are plain text. The service's lines on stdout are not touched, so
nothing of them waits or is lost; uWSGI's own encoder drops lines when there are many of them.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from runtime import metrics
from runtime.boot import errors_in_one_line


def encoded(line: bytes, name: str, release: str) -> bytes:
    """Return a message as one line of JSON."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    message = line.decode(errors="replace").strip()
    fields = {"time": now, "level": "info", "logger": name, "message": message, "release": release}
    return json.dumps(fields).encode() + b"\n"


def pass_on(lines: Iterable[bytes], name: str, release: str) -> None:
    """Write every message that is not empty to stdout, each by one write."""
    for line in lines:
        if line.strip():
            os.write(1, encoded(line, name, release))


def _divert(name: str) -> None:
    """Put a process between stderr and the log; it ends when the last writer has gone."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        # Twice, so that it is no child of the program, which would take it for a worker.
        if os.fork() == 0:
            os.close(writer)
            # A stop is for the program: its last words must still be written.
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            with open(reader, "rb") as lines:
                pass_on(lines, name, os.environ.get("RELEASE", ""))
        os._exit(0)
    os.wait()
    os.close(reader)
    os.dup2(writer, 2)
    os.close(writer)


def main() -> None:
    if folder := os.environ.get("METRICS_DIR"):
        with errors_in_one_line():
            metrics.prepare(Path(folder))
    if os.environ.get("LOG_FORMAT") == "json":
        _divert(os.path.basename(sys.argv[1]))
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
