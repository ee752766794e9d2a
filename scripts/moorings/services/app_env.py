"""What the service's environment is inside an image, which has its own paths."""

from dataclasses import replace

from moorings import service
from moorings.settings import Settings
from moorings.target import Release

#: What the image and the target's own files say, as paths differ inside.
INSIDE = frozenset({"BIND", "DATA_DIR", "SECRET_KEY_FILE"})


def inside(settings: Settings, release: Release) -> Release:
    """Leave out what is otherwise inside, and what the container finds out by itself."""
    out = set(INSIDE)
    if not settings.server.workers:
        out.add("WEB_CONCURRENCY")
    if not (settings.app.database_url or settings.app.database_url_file):
        out.add("DATABASE_URL")
    kept = {name: value for name, value in release.env.items() if name not in out and value}
    sample = service.is_sample(settings)
    more = {} if sample else {"READY": release.env.get("READY", "")}
    return replace(release, env={**kept, **more})
