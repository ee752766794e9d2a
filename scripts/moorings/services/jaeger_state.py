"""What a started Jaeger is, in a file that outlives moor."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from moorings import ui


@dataclass(frozen=True)
class State:
    """A Jaeger that was planned, or started as a process or a container."""

    kind: str
    what: str
    storage: str
    ports: dict[str, int]
    pid: int = 0
    started: float = 0.0
    """When the kernel says that the process began; with the pid it is never another one."""
    container: str = ""

    def process(self) -> psutil.Process | None:
        """Return its process, if it runs."""
        try:
            process = psutil.Process(self.pid) if self.pid else None
        except psutil.NoSuchProcess:
            return None
        if process is None or abs(process.create_time() - self.started) > 0.05:
            return None
        return process if process.status() != psutil.STATUS_ZOMBIE else None

    def stopped(self) -> "State":
        """Return it as it is when nothing runs: its ports are kept."""
        return replace(self, pid=0, started=0.0, container="")


class StateFile:
    """The file of one deployment's Jaeger."""

    def __init__(self, file: Path) -> None:
        """Keep the state in `file`."""
        self.file = file

    def read(self) -> State | None:
        """Return what is known; one that cannot be read is said and forgotten."""
        try:
            return State(**json.loads(self.file.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            ui.warn(f"{self.file} is not readable and is started anew; nothing in it is trusted")
            self.file.unlink()
            return None

    def write(self, state: State) -> None:
        """Replace it at once, so that a reader never sees half of it."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state), indent=2) + "\n")
        fresh.replace(self.file)
