"""The app that the tests serve: what a team brings, knowing nothing of the runtime."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, Response, request
from sqlalchemy import create_engine, text

app = Flask(__name__)
engine = create_engine("sqlite://")


@app.get("/items/<int:number>")
def item(number: int) -> dict[str, int]:
    with engine.connect() as connection:
        connection.execute(text("select :number"), {"number": number})
    logging.getLogger("shop").info("item %s", number)
    return {"number": number}


@app.post("/upload")
def upload() -> dict[str, int]:
    return {"length": len(request.get_data())}


@app.get("/cut")
def cut() -> Response:
    def pieces() -> Iterator[str]:
        yield "begun\n"
        raise RuntimeError("failed in the middle")

    return Response(pieces())


@app.get("/slow/<int:milliseconds>")
def slow(milliseconds: int) -> str:
    time.sleep(milliseconds / 1000)
    return "done"


@app.get("/held")
def held() -> str:
    """Answer once a file is there; it is a test's, which has a deadline of its own."""
    deadline = time.monotonic() + 60
    while not Path(request.args["until"]).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return "done"


@app.get("/spin")
def spin() -> str:
    while True:
        pass


@app.get("/stubborn")
def stubborn() -> str:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


def create(name: str = "made") -> Flask:
    return Flask(name)


def ready() -> None:
    with engine.connect() as connection:
        connection.execute(text("select 1"))


def nothing() -> None:
    return None


number = 3
