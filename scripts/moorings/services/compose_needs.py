"""What the settings of a Compose project name: that it is there is seen before any work."""

import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from moorings.services.compose import LAYERS, Project
from moorings.services.engine import Engine
from moorings.target import Need


def named(
    engine: Engine, host: str, layers: Sequence[Path], network: str, data: str
) -> Iterator[Need]:
    """Yield what is not as Compose and the engine want it: they say so after the build alone.

    :param layers: files of Compose.
    :param data: the folder for PostgreSQL's data; empty: none.
    """
    if host and not _is_address(host):
        fact = f"Compose publishes at an IP address, and server.host is {host}"
        yield Need(fact, False, "set server.host to one of this machine, as 127.0.0.1")
    for file in layers:
        if not file.is_file():
            how = "docker.layers names files of the checkout, with : between them"
            yield Need(f"there is no file {file}", False, how)
    if network and engine.ask("network", "inspect", network).status != 0:
        how = "docker network ls lists those that there are; docker.network names one"
        yield Need(f"there is no network {network}", False, how)
    if data and not _is_folder(Path(data)):
        how = "make it, empty, or name another by its whole path: docker.data"
        yield Need(f"{data} is no folder that PostgreSQL's data can be in", False, how)


def taken(project: Project, layers: Sequence[Path]) -> Iterator[Need]:
    """Yield what Compose has against files of the operator's; those of the checkout are tested.

    :param layers: the operator's own, all there.
    """
    if layers and (why := project.refused()):
        named = " and ".join(map(str, layers))
        yield Need(f"Compose refuses {named}: {why.splitlines()[-1]}", False, LAYERS)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    try:
        return path.is_absolute() and path.is_dir()
    except PermissionError:
        # The engine sees more than its user does.
        return True
