"""`python -m runtime.ready SECONDS`: ask READY in a process of its own, before anything starts.

Ends with 0 as soon as the app says that it is ready, else with 1 and its last word in one line. A
check may need some time; one whose error has a true `permanent` will not change its mind.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from runtime import loader, settings
from runtime.boot import errors_in_one_line
from runtime.logs import redact

PAUSE = 0.2


def ask(check: Callable[[], Any], seconds: float) -> str:
    """Return what keeps the app from being ready after at most `seconds`; empty: nothing."""
    until = time.monotonic() + seconds
    while True:
        refusal, permanent = _once(check)
        if not refusal or permanent or time.monotonic() > until:
            return refusal
        time.sleep(PAUSE)


def _once(check: Callable[[], Any]) -> tuple[str, bool]:
    try:
        return ("it returned False", False) if check() is False else ("", False)
    # Whatever the app's function raises means "not ready", as it does for /readyz.
    except Exception as error:
        return redact(str(error) or type(error).__name__), bool(getattr(error, "permanent", False))


def main() -> int:
    with errors_in_one_line():
        config = settings.read()
        if not config.ready:
            return 0
        # The check may be about what the app opens when it is made.
        loader.load_app(config.app)
        check = loader.load_check(config.ready)
    refusal = ask(check, float(sys.argv[1]))
    if refusal:
        print(" ".join(refusal.split()), file=sys.stderr)
    return 1 if refusal else 0


if __name__ == "__main__":
    sys.exit(main())
