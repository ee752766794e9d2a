"""Make the README's picture from a real run: `make picture` writes docs/deploy-local.svg.

A pseudo-terminal makes the command believe in a person; what it printed becomes an SVG.
"""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "deploy-local.svg"
COLUMNS = 100


def main() -> None:
    """Run the command and draw what it printed."""
    printed = _run([str(ROOT / "moor"), "deploy", "--local"])
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print("$ make deploy-local", style="bold")
    for line in printed.split("\n"):
        text = Text.from_ansi(_last_drawn(line))
        if not _is_spinner(text.plain):
            console.print(text, overflow="ellipsis", no_wrap=True)
    PICTURE.write_text(_without_fonts(console.export_svg(title="moorings")))
    print(f"wrote {PICTURE.relative_to(ROOT)}")


def _run(argv: list[str]) -> str:
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    with subprocess.Popen(argv, stdout=theirs, stderr=theirs, env=env, cwd=ROOT) as process:
        os.close(theirs)
        seen = b"".join(iter(lambda: _read(ours), b""))
    if process.returncode != 0:
        sys.exit(seen.decode(errors="replace"))
    return seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux answers EIO where the other side is closed
        return b""


def _last_drawn(line: str) -> str:
    """Return what was drawn after the last erasure of the line."""
    return line.rpartition("\x1b[2K")[2].strip("\r")


def _is_spinner(text: str) -> bool:
    """Tell whether a line was drawn over again and again; its first sign is a Braille pattern."""
    return "\u2800" <= text.strip()[:1] <= "\u28ff"


def _without_fonts(svg: str) -> str:
    """Use the reader's own font: the picture asks no other host for one."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    main()
