"""The conformance grid: the committed reports as a page and as a table."""
