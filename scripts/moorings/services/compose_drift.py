"""What Compose would make anew of containers that no deploy replaces, and why, in words."""

from collections.abc import Mapping
from typing import Any

from moorings.services import containers
from moorings.services.compose import Project
from moorings.services.containers import FILES, Container

Wanted = Mapping[str, Any]

#: While they are made anew, clients get no answer.
COSTLY = ("postgres", "gateway")

#: Nobody waits for it; what it has in memory goes.
CHEAP = ("jaeger",)


def changes(project: Project) -> dict[str, list[str]]:
    """Return what has changed of each of them, by its service.

    Of one that does not run too: `up` would start it again as it was.
    """
    made = {one.service: one for one in project.containers()}
    asked = [name for name in (*COSTLY, *CHEAP) if name in made]
    wanted = project.wanted() if asked else {}
    found = {
        name: differences(made[name], wanted[name], _id(project, wanted[name]))
        for name in asked if name in wanted
    }  # fmt: skip
    return {name: why for name, why in found.items() if why}


def _id(project: Project, wanted: Wanted) -> str:
    """Return what the engine has under the name of an image now; empty: nothing yet."""
    argv = ("image", "inspect", "--format", "{{.Id}}", str(wanted["image"]))
    said = project.engine.ask(*argv)
    return said.output.strip() if said.status == 0 else ""


def differences(container: Container, wanted: Wanted, image_id: str = "") -> list[str]:
    """Return what of a container is not as it would be made now.

    :param image_id: the image that now has the name; empty: the name alone counts.
    """
    image = str(wanted["image"])
    other = [f"image {container.image} -> {image}"] if container.image != image else []
    if not other and image_id and container.image_id != image_id:
        other = [f"another image {image}"]
    pairs = {
        "command": (container.command, wanted.get("command") or container.command),
        "environment": (_env(wanted).items() - container.env.items(), set()),
        "memory": (container.memory, _memory(wanted) or container.memory),
        "mounted files": (container.binds, _binds(wanted)),
        "contents of its files": (container.files, (wanted.get("labels") or {}).get(FILES, "")),
    }
    other += _moved(set(container.all_published()), _ports(wanted))
    return [*other, *(name for name, (is_now, shall_be) in pairs.items() if is_now != shall_be)]


def _moved(now: set[str], shall: set[str]) -> list[str]:
    """Tell where it is published and where it is to be, of what is not the same."""
    old, new = (", ".join(sorted(one)) or "none" for one in (now - shall, shall - now))
    return [f"published ports {old} -> {new}"] if now != shall else []


def _env(wanted: Wanted) -> dict[str, str]:
    return {name: str(value) for name, value in (wanted.get("environment") or {}).items()}


def _ports(wanted: Wanted) -> set[str]:
    return {
        containers.place(
            one.get("host_ip", "0.0.0.0"), one["published"], one.get("protocol", "tcp")
        )
        for one in wanted.get("ports") or ()
    }


def _binds(wanted: Wanted) -> set[tuple[str, str]]:
    found = wanted.get("volumes") or ()
    return {(one["source"], one["target"]) for one in found if one["type"] == "bind"}


def _memory(wanted: Wanted) -> int:
    limits = ((wanted.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return int(limits.get("memory") or 0)
