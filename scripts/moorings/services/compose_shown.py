"""What a Compose project lets others reach and read."""

import gzip
import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from moorings.services.compose import COLOURS, Project
from moorings.services.engine import Engine

#: Seconds to write an image of a few hundred megabytes to a file.
SAVE = 120.0

#: The newest lines of a log that are read.
LINES = "10000"

GZIP = b"\x1f\x8b"


def published(project: Project) -> list[tuple[str, str]]:
    """Return each service that is published, and where this host has it."""
    return [(one.service, place) for one in project.containers() for place in one.all_published()]


def secrets(project: Project) -> Mapping[str, str]:
    """Return the secrets that `make secrets` has made for it, by the names of their files."""
    return {file.name: file.read_text() for file in sorted((project.home / "secrets").iterdir())}


def told(project: Project) -> Iterator[tuple[str, bytes]]:
    """Yield what the engine tells of each container, its log, its image; and the app's layers."""
    found = project.containers()
    for one in found:
        yield f"docker inspect of {one.service}", json.dumps(one.raw).encode()
        said = project.engine.ask("logs", "--tail", LINES, one.id, both=True)
        yield f"docker logs of {one.service}", said.output.encode()
    for image in dict.fromkeys(one.image for one in found):
        for words in (("history", "--no-trunc", image), ("image", "inspect", image)):
            yield f"docker {' '.join(words)}", project.engine.ask(*words).output.encode()
    for image in dict.fromkeys(one.image for one in found if one.service in COLOURS):
        yield from layers(project.engine, image)


def layers(engine: Engine, image: str) -> Iterator[tuple[str, bytes]]:
    """Yield all that is in the archive of an image; what a later layer removes is there too."""
    with tempfile.TemporaryDirectory(prefix="moorings-layers-") as folder:
        file = Path(folder, "image.tar")
        engine.do("save", "--output", str(file), image, timeout=SAVE)
        with tarfile.open(file) as archive:
            for member in archive:
                part = archive.extractfile(member) if member.isfile() else None
                content = part.read() if part is not None else b""
                packed = content.startswith(GZIP)
                yield f"{member.name} of {image}", gzip.decompress(content) if packed else content
