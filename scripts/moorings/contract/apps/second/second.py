"""The other release of the load checks: other code, and a dependency set of its own."""

import flask

app = flask.Flask(__name__)


@app.get("/")
def home() -> str:
    """Answer something."""
    return "second\n"
