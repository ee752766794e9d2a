"""All that moor says to a person: one look, one place to silence.

Colours appear on a terminal only, and never where NO_COLOR is set (https://no-color.org).
"""

import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.text import Text

from moorings.errors import MoorError

#: A non-terminal sees a sign of life at least this often, in seconds.
HEARTBEAT = 10.0

# A file or a pipe has no width of its own: 80 columns would cut what a search looks for.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def show(what: RenderableType) -> None:
    """Print a tree or a table, each line cut at the width of the terminal."""
    out.print(what, soft_wrap=False)


def say(text: str = "", style: str = "") -> None:
    """Print one line. Markup in it means nothing, so paths and logs are safe."""
    out.print(Text(text, style=style))


def good(text: str) -> None:
    """Print a step that succeeded."""
    out.print(Text.assemble(("✓ ", "green"), text))


def warn(text: str) -> None:
    """Print what the operator should know, without failing."""
    err.print(Text.assemble(("! ", "yellow"), text))


def command(argv: Sequence[str]) -> None:
    """Echo a command so that the operator can repeat it by hand."""
    out.print(Text(f"$ {shlex.join(argv)}", style="dim"))


def error(problem: MoorError) -> None:
    """Show an error: its log lines, the fact, the next step."""
    if problem.log:
        err.print(Text(problem.log.rstrip(), style="dim"))
    err.print(Text.assemble(("Error: ", "bold red"), problem.fact))
    if problem.hint:
        err.print(Text.assemble(("Next:  ", "bold"), problem.hint))


@contextmanager
def working(title: str, detail: Callable[[], str] = str) -> Iterator[None]:
    """Show that something goes on: a spinner with the seconds, or a line every `HEARTBEAT`.

    :param detail: asked for each update; what the work is at just now.
    """
    done = threading.Event()
    started = time.monotonic()

    def text() -> str:
        return f"{title} ({time.monotonic() - started:.0f} s) {detail()}".rstrip()

    if not out.is_terminal:
        say(f"… {title}")
        beat = threading.Thread(target=_beat, args=(done, text), daemon=True)
        beat.start()
        try:
            yield
        finally:
            done.set()
            beat.join()
        return
    with out.status(Text(title)) as status:
        spin = threading.Thread(target=_spin, args=(done, status.update, text), daemon=True)
        spin.start()
        try:
            yield
        finally:
            done.set()
            spin.join()


def _beat(done: threading.Event, text: Callable[[], str]) -> None:
    while not done.wait(HEARTBEAT):
        say(f"… {text()}")


def _spin(done: threading.Event, update: Callable[[Text], None], text: Callable[[], str]) -> None:
    while not done.wait(0.5):
        update(Text(text()))
