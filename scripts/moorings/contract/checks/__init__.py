"""The checks, one module per group; each function tries to refute one claim."""
