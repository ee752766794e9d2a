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
    told = bool(settings.app.database_url or settings.app.database_url_file)
    if not told:
        out.add("DATABASE_URL")
    kept = {name: value for name, value in release.env.items() if name not in out and value}
    sample = service.is_sample(settings)
    more = {} if sample else {"READY": release.env.get("READY", "")}
    # The target's own files name one, and an app is told of one database.
    own = {"DATABASE_URL_FILE": ""} if told else {}
    return replace(release, env={**kept, **more, **own})


def of_migration(release: Release) -> dict[str, str]:
    """Return what a migration is told over the target's own: the database that the app has."""
    told = "DATABASE_URL" in release.env
    return {"DATABASE_URL_FILE": ""} if told else {}
