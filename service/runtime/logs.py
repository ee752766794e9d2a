"""One line for each event on stdout: JSON for machines, text on a terminal, traces' ids in both."""

import atexit
import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from opentelemetry import trace

from runtime.settings import Settings
from runtime.writer import Writer

# A URL's password and an Authorization header's value, wherever a message quotes them.
_SECRET = re.compile(r"(://[^\s:/@]*:)[^\s@/]+(?=@)|(\b(?:Bearer|Basic)\s+)[\w.~+/=-]+", re.I)
# What moves a terminal's cursor, or begins a line that nobody wrote.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_QUIET_SECONDS = 60.0
# What says that something is wrong is not kept back: it may be a process's last word.
_PATIENT = ("debug", "info")
_quoted = json.encoder.encode_basestring_ascii
# A bool is neither of them, and no duration is infinite.
_ENCODERS: dict[type, Callable[[Any], str]] = {str: _quoted, int: repr, float: repr}
#: The logger that lines of requests name.
ACCESS = "runtime.access"
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}


class Answered(Protocol):
    """What a line says of a request."""

    trace_id: str
    span_id: str
    method: str
    path: str
    route: str
    address: str
    status: int
    bytes: int


class Lines:
    """The stream: shared by all processes of a server, so no write ends within a line."""

    def __init__(self, settings: Settings, descriptor: int = 1, at_once: bool = True) -> None:
        self._writer = Writer(descriptor)
        self._at_once = at_once
        self.is_text = _is_text(settings.log_format, descriptor)
        self._release = _quoted(settings.release)
        self._second = ("", 0)
        self.level = logging.getLevelNamesMapping()[settings.log_level.upper()]

    def write(self, seconds: float, level: str, fields: dict[str, Any]) -> None:
        """Write one event; `seconds` since the epoch, fields that are empty are left out."""
        if "trace_id" not in fields:
            fields |= _ids()
        if self.is_text:
            moment = datetime.fromtimestamp(seconds, UTC)
            self._writer.now(_text(moment, level, fields).encode(errors="backslashreplace"))
        elif self._at_once or level not in _PATIENT:
            self._writer.now(self._json(seconds, level, fields))
        else:
            self._writer.later(self._json(seconds, level, fields))

    def write_plain(self, request: Answered, seconds: float) -> None:
        """Write the line of a request as most are: what `write` makes of it, in one go."""
        path = _quoted(request.path)
        route = f'"route": {_quoted(request.route)}, ' if request.route else ""
        client = f'"client": {_quoted(request.address)}, ' if request.address else ""
        ids = (
            f'"trace_id": "{request.trace_id}", "span_id": "{request.span_id}", '
            if request.trace_id
            else ""
        )
        line = (
            f'{{"time": "{self._stamp(time.time())}", "level": "info", "logger": "{ACCESS}", '
            f'"message": "{request.method} {path[1:-1]} {request.status}", '
            f'"method": "{request.method}", "path": {path}, {route}"status": {request.status}, '
            f'"duration_ms": {round(seconds * 1000, 3)!r}, "bytes": {request.bytes}, {client}{ids}'
            f'"release": {self._release}, "pid": {os.getpid()}}}\n'
        ).encode()
        if self._at_once:
            self._writer.now(line)
        else:
            self._writer.later(line)

    def _json(self, seconds: float, level: str, fields: dict[str, Any]) -> bytes:
        """Put a line together, which json.dumps does at three times the cost."""
        parts = [f'{{"time": "{self._stamp(seconds)}", "level": {_quoted(level)}']
        for key, value in fields.items():
            if value == "":
                continue
            encode = _ENCODERS.get(type(value), json.dumps)
            parts.append(f'"{key}": {encode(value)}')
        parts.append(f'"release": {self._release}, "pid": {os.getpid()}}}\n')
        return ", ".join(parts).encode()

    def _stamp(self, seconds: float) -> str:
        whole = int(seconds)
        text, second = self._second
        if second != whole:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            self._second = (text, whole)
        return f"{text}.{int(seconds % 1 * 1000):03}Z"

    def close(self) -> None:
        """Write what waits; from now on nothing does."""
        self._writer.close()


def _ids() -> dict[str, str]:
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


class Handler(logging.Handler):
    """Python's own logging, on the same stream; a traceback is a field of its line."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        # As in Python's own handlers, no call may end the request that made it.
        try:
            self._emit(record)
        except Exception:
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        fields = {"logger": record.name, "message": redact(_message(record))}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = redact(_FORMATTER.formatException(record.exc_info))
        self._lines.write(record.created, record.levelname.lower(), fields)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:
        # A call such as info("%d", "x"), or an argument that cannot be shown.
        why = "".join(traceback.format_exception_only(error)).strip()
        shown = record.msg if isinstance(record.msg, str) else type(record.msg).__qualname__
        return f"{shown} ({why})"


class Quiet(logging.Filter):
    """Each kind of message of `name` once a minute: a collector that is down is said once."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not super().filter(record):
            return True
        now = time.monotonic()
        key = (record.name, str(record.msg))
        if now - _last.get(key, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        _last[key] = now
        return True


_FORMATTER = logging.Formatter()
_open: list[Lines] = []
_last: dict[tuple[str, str], float] = {}


def configure(settings: Settings) -> Lines:
    """Send everything that is logged in this process to stdout; returns the stream."""
    lines = Lines(settings, at_once=False)
    atexit.register(lines.close)
    _open.append(lines)
    logging.root.handlers[:] = [handler(lines)]
    logging.root.setLevel(lines.level)
    logging.captureWarnings(True)
    return lines


def flush() -> None:
    """Write the lines that wait, as the process ends."""
    for lines in _open:
        lines.close()


def handler(lines: Lines) -> Handler:
    """Return the handler for loggers that do not pass their records on to the root."""
    made = Handler(lines)
    made.addFilter(Quiet("opentelemetry"))
    return made


def redact(text: str) -> str:
    """Blank the passwords in URLs and the credentials of Authorization headers."""
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}***", text)


def _is_text(log_format: str, descriptor: int) -> bool:
    return log_format == "text" or (log_format == "auto" and os.isatty(descriptor))


def _text(moment: datetime, level: str, fields: dict[str, Any]) -> str:
    colour, end = (_COLOURS.get(level, ""), "\x1b[0m") if sys.stdout.isatty() else ("", "")
    trail = f"  trace={fields['trace_id']}" if fields.get("trace_id") else ""
    more = f" {fields['duration_ms']} ms" if "duration_ms" in fields else ""
    stamp = moment.astimezone().strftime("%H:%M:%S.%f")[:-3]
    name = f"{colour}{level.upper():8}{end if colour else ''}"
    line = f"{stamp} {name}{_escaped(fields['message'])}{more}{trail}\n"
    if not fields.get("exception"):
        return line
    # A traceback has lines of its own, which nobody takes for an event's.
    return line + "".join(f"  {_escaped(one)}\n" for one in fields["exception"].split("\n"))


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
