"""The smallest view that is worth measuring: 1 KiB of JSON, and no database."""

from flask import Flask

app = Flask("bench")
_ITEMS = [{"number": number, "name": f"thing {number}", "price": 1.25} for number in range(21)]


@app.get("/items/<int:shelf>")
def items(shelf: int) -> dict[str, object]:
    """Return 1 KiB."""
    return {"shelf": shelf, "items": _ITEMS}
