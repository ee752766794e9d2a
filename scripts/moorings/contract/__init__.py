"""The proof: one set of checks that every deployment must pass, and bad ones that they catch."""
