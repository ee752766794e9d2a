"""The checks, one module per group; each function tries to refute one claim."""

#: The modules, in the order in which their checks run and are shown.
GROUPS = (
    "serve", "edge", "drain", "lifecycle", "load", "crash", "observe", "measure", "export", "trust",
    "contained", "pods", "roles", "data", "renew",
)  # fmt: skip
