"""Which base images: the public ones where a registry answers, else those of Debian's packages."""

import re
from pathlib import Path

from moorings import ui
from moorings.services.engine import Engine

#: The values of docker.images.
AUTO, DEBIAN, PUBLIC = "auto", "debian", "public"

#: Seconds that the public base may take to come. Where no registry answers, the engine says so
#: within a few: only a slow line takes this long.
PATIENCE = 120.0


def of_debian(engine: Engine, wanted: str, public: str) -> bool:
    """Tell whether they are made from Debian's packages.

    A choice stays, as the engine then has what was chosen: another one would make PostgreSQL anew.

    :param wanted: the setting.
    :param public: the public image that the engine is asked to pull.
    """
    if wanted != AUTO:
        return wanted == DEBIAN
    if engine.ask("image", "ls", "--quiet", "moorings/debian").output.strip():
        return True
    if engine.ask("image", "inspect", "--format", "{{.Id}}", public).status == 0:
        return False
    with ui.working(f"Asking for the image {public}"):
        pulled = engine.ask("pull", "--quiet", public, timeout=PATIENCE)
    if pulled.status != 0:
        ui.say("No image registry answers: base images are made from Debian's packages")
    return pulled.status != 0


def python_image(dockerfile: Path) -> str:
    """Return the public image that the Dockerfile begins with."""
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile.read_text(), re.MULTILINE)
    assert found is not None, "the Dockerfile names no PYTHON_IMAGE"
    return found[1]
