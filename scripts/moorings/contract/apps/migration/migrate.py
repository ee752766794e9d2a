"""Broken: fails."""

raise SystemExit("the migration fails")
