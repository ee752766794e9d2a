"""Run `moor` as ``python -m moorings``."""

import sys

try:
    from moorings.cli import main

    main()
except KeyboardInterrupt:
    # Pressed while the modules were still being read: nothing had been begun.
    sys.exit(130)
