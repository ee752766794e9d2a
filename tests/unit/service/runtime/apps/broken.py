"""An app that fails while it is imported."""

raise RuntimeError("no such flavour")
