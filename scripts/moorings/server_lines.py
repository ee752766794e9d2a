"""What nginx and Apache write about themselves, in the form that all other lines have."""

import json
import re
from datetime import UTC, datetime, tzinfo

#: https://nginx.org/en/docs/ngx_core_module.html#error_log
_NGINX = re.compile(r"([\d/]{10} [\d:]{8}) \[(\w+)\] (?:[\d#]+: )?(.*)")

#: https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat: the default one.
_APACHE = re.compile(r"\[\w{3} (\w{3} \d\d [\d:.]+ \d{4})\] \[\w*:(\w+)\] \[pid [^]]+\] (.*)")

#: Their levels in the words of the service's lines.
LEVELS = {"notice": "info", "warn": "warning", "crit": "critical", "alert": "critical",
          "emerg": "critical"}  # fmt: skip


def of_nginx(line: str, zone: tzinfo | None = None) -> str:
    """Return a line of nginx as JSON; one of a request is that already.

    :param zone: in which nginx writes its times; by default this machine's.
    """
    return _as_json("nginx", _NGINX, "%Y/%m/%d %H:%M:%S", line, zone)


def of_apache(line: str) -> str:
    """Return a line of Apache on this machine as JSON."""
    return _as_json("httpd", _APACHE, "%b %d %H:%M:%S.%f %Y", line, None)


def _as_json(name: str, form: re.Pattern[str], clock: str, line: str, zone: tzinfo | None) -> str:
    if line.startswith("{"):
        return line
    found = form.fullmatch(line)
    said = {"time": "", "level": "error", "logger": name, "message": line}
    if found:
        local = datetime.strptime(found[1], clock).replace(tzinfo=zone)
        when = local.astimezone(UTC).isoformat(timespec="milliseconds")
        said |= {"time": when.removesuffix("+00:00") + "Z",
                 "level": LEVELS.get(found[2], found[2]), "message": found[3]}  # fmt: skip
    return json.dumps(said)
