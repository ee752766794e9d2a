"""One line for each event on stdout: JSON for machines, text on a terminal, traces' ids in both."""

import contextlib
import json
import logging
import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace

from runtime.settings import Settings

# A URL's password and an Authorization header's value, wherever a message quotes them.
_SECRET = re.compile(r"(://[^\s:/@]*:)[^\s@/]+(?=@)|(\b(?:Bearer|Basic)\s+)[\w.~+/=-]+", re.I)
_QUIET_SECONDS = 60.0
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}


class Lines:
    """The stream: shared by all processes of a server, so each line is one write."""

    def __init__(self, settings: Settings, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._text = _is_text(settings.log_format, descriptor)
        self._release = settings.release
        self.level = logging.getLevelNamesMapping()[settings.log_level.upper()]

    def write(self, seconds: float, level: str, fields: dict[str, Any]) -> None:
        """Write one event; `seconds` since the epoch, fields that are empty are left out."""
        context = trace.get_current_span().get_span_context()
        if context.is_valid and "trace_id" not in fields:
            fields["trace_id"] = trace.format_trace_id(context.trace_id)
            fields["span_id"] = trace.format_span_id(context.span_id)
        moment = datetime.fromtimestamp(seconds, UTC)
        line = _text(moment, level, fields) if self._text else self._json(moment, level, fields)
        # There is nobody to tell that the reader of the log has gone.
        with contextlib.suppress(OSError):
            os.write(self._descriptor, line.encode())

    def _json(self, moment: datetime, level: str, fields: dict[str, Any]) -> str:
        stamp = moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
        line = {"time": stamp, "level": level, **fields}
        line |= {"release": self._release, "pid": os.getpid()}
        return json.dumps({key: value for key, value in line.items() if value != ""}) + "\n"


class Handler(logging.Handler):
    """Python's own logging, on the same stream; a traceback is a field of its line."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = {"logger": record.name, "message": redact(record.getMessage())}
        except (TypeError, ValueError) as error:
            # A call such as info("%d", "x") must not end the request that made it.
            fields = {"logger": record.name, "message": f"{record.msg} ({error})"}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = redact(_FORMATTER.formatException(record.exc_info))
        self._lines.write(record.created, record.levelname.lower(), fields)


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
_last: dict[tuple[str, str], float] = {}


def configure(settings: Settings) -> Lines:
    """Send everything that is logged in this process to stdout; returns the stream."""
    lines = Lines(settings)
    logging.root.handlers[:] = [handler(lines)]
    logging.root.setLevel(lines.level)
    logging.captureWarnings(True)
    return lines


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
    line = f"{stamp} {name}{fields['message']}{more}{trail}\n"
    return line + (f"{fields['exception']}\n" if fields.get("exception") else "")
