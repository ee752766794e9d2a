"""What a started Jaeger is, in a file that outlives moor."""

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from moorings import ports, ui
from moorings.services.jaeger_source import Kind
from moorings.settings import Jaeger as Settings

HOST = "127.0.0.1"

#: Its settings that are ports; each is also a variable of jaeger.yaml.
PORTS = ("query", "query_grpc", "otlp_http", "otlp_grpc", "thrift_compact", "thrift_http",
         "health", "metrics")  # fmt: skip


@dataclass(frozen=True)
class State:
    """A Jaeger that was planned, or started as a process or a container."""

    kind: Kind
    what: str
    storage: str
    ports: Mapping[str, int]
    pid: int = 0
    started: float = 0.0
    """When the kernel says that the process began; with the pid it is never another one."""
    container: str = ""

    def process(self) -> psutil.Process | None:
        """Return its process, if it runs."""
        try:
            process = psutil.Process(self.pid) if self.pid else None
            if process is None or abs(process.create_time() - self.started) > 0.05:
                return None
            return process if process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class StateFile:
    """The file of one deployment's Jaeger."""

    def __init__(self, file: Path) -> None:
        """Keep the state in `file`."""
        self.file = file

    def read(self) -> State | None:
        """Return what is known; one that cannot be read is said and forgotten."""
        try:
            return _state(json.loads(self.file.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):
            ui.warn(f"{self.file} is not readable and is started anew; nothing in it is trusted")
            self.file.unlink()
            return None

    def write(self, state: State) -> None:
        """Replace it at once, so that a reader never sees half of it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps({**asdict(state), "kind": state.kind.value}, indent=2) + "\n")
        fresh.replace(self.file)

    def forget(self) -> None:
        """Remove it; fine where there is none."""
        self.file.unlink(missing_ok=True)


def _state(raw: dict[str, Any]) -> State:
    """Take nothing on trust: a person may have edited it, a full disk may have cut it off."""
    known = {name: int(raw["ports"][name]) for name in PORTS}
    texts = {name: str(raw[name]) for name in ("what", "storage", "container")}
    return State(
        kind=Kind(raw["kind"]), ports=known, pid=int(raw["pid"]), started=float(raw["started"]),
        **texts,
    )  # fmt: skip


def choose_ports(settings: Settings, before: State | None) -> dict[str, int]:
    """Return its ports: those of before, else those of the settings; free ones for taken ones."""
    wanted = before.ports if before else {n: getattr(settings, f"{n}_port") for n in PORTS}
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        chosen[name] = _free(name, port, set(chosen.values()) | set(wanted.values()) - {port})
    return chosen


def _free(name: str, port: int, others: set[int]) -> int:
    kind = socket.SOCK_DGRAM if name == "thrift_compact" else socket.SOCK_STREAM
    if port not in others and ports.is_free(HOST, port, kind):
        return port
    found = ports.free(HOST, kind)
    while found in others:
        found = ports.free(HOST, kind)
    return found
