"""The folder of one run of nginx: the repository's own files, and what differs in local.conf."""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorings.errors import SettingsError
from moorings.settings import Server

#: Seconds that the app may be silent beyond its own deadline, and where it has none.
MARGIN, PATIENT = 5, 3600


@dataclass(frozen=True)
class Behind:
    """What a gateway stands before."""

    files: Path
    """Folder of nginx's configuration, in the release."""
    colours: tuple[str, str]
    """Where the app may listen, as `unix:/path`; the flag `green` chooses the second."""
    protocol: str
    """`http` or `uwsgi`."""
    public: Path
    """Folder that holds the release's `static` folder, as a link that each deploy moves."""
    flags: Path
    """Folder of the flags that outlive a run."""
    inside: str = "127.0.0.1"
    """Address of the door for operators: another one only where nobody else reaches it."""
    more: tuple[str, ...] = ()
    """Further lines."""


def digest(behind: Behind, server: Server, address: str) -> str:
    """Tell two configurations apart; the ports and folders of a run do not count."""
    total = hashlib.sha256()
    for file in sorted(behind.files.glob("*.conf")):
        total.update(file.name.encode() + file.read_bytes())
    total.update(local(behind, server, address, 0, Path()).encode())
    return total.hexdigest()[:12]


def write(
    folder: Path, behind: Behind, server: Server, address: str, inner: int, log: Path
) -> None:
    """Fill the folder of a run.

    :param address: the public one.
    :param inner: the port on loopback for operators.
    :raises SettingsError: for a path that nginx cannot be told.
    """
    for file in behind.files.glob("*.conf"):
        shutil.copyfile(file, folder / file.name)
    (folder / "access.log").symlink_to(log)
    (folder / "local.conf").write_text(local(behind, server, address, inner, folder / "drain"))


def local(behind: Behind, server: Server, address: str, inner: int, drain: Path) -> str:
    """Return the local.conf of a run."""
    silent = server.deadline + MARGIN if server.deadline else PATIENT
    variables: Mapping[str, object] = {
        "inner_port": inner,
        "blue": behind.colours[0],
        "green": behind.colours[1],
        "spare": "",
        "protocol": behind.protocol,
        "flags": behind.flags,
        "drain": drain,
        "public": behind.public,
        "hops": server.proxy_hops,
        "probe": int(server.probe),
    }
    lines = [
        f"listen {address} backlog=2048;",
        f"listen {behind.inside}:{inner};",
        *(f"set ${name} {_quoted(value)};" for name, value in variables.items()),
        f"keepalive_timeout {server.keep_alive}s;",
        f"client_max_body_size {server.max_body};",
        f"proxy_read_timeout {silent}s;",
        f"uwsgi_read_timeout {silent}s;",
        *behind.more,
    ]
    return "\n".join(["# Written by moor.", *lines, ""])


def _quoted(value: object) -> str:
    text = str(value)
    # Inside quotes nginx still reads variables, and knows no way to write the sign itself.
    if isinstance(value, Path) and "$" in text:
        hint = "set another folder: MOOR_DEPLOYMENT_STATE="
        raise SettingsError(f"nginx cannot be told a path with $ in it: {text}", hint=hint)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
