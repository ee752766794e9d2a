"""What ran when, and by whom: the record of releases, and an audit line per change."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from moorings import ui, users
from moorings.errors import MoorError, NotReadyError
from moorings.target import Release

#: Releases that stay on disk, the live one among them.
KEEP = 5

#: Parts of a deploy that are waiting on purpose, so that its speed is told without them.
WAITS = ("window", "drain")


@dataclass(frozen=True)
class Entry:
    """A release of the record, the one that served last first."""

    version: str
    commit: str
    at: str
    """When it last took over, or failed to: UTC, ISO 8601."""
    by: str
    failed: bool = False
    before: str = ""
    """The version that served when it took over: where a rollback goes."""

    @property
    def release(self) -> Release:
        """The release, without the settings that it runs in."""
        return Release(self.version, self.commit)


@dataclass
class Change:
    """One change while it goes on: how long its parts take, and what it came to."""

    verb: str
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    took_over: bool = False
    """Whether clients reach the new release, so that there is nothing to undo."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time a part of it; one that comes twice adds up."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0) + time.monotonic() - began

    def end(self) -> None:
        """Take the time of the whole."""
        self.seconds["total"] = time.monotonic() - self.began

    @property
    def work(self) -> float:
        """Seconds of the whole without those that are waited on purpose."""
        return self.seconds["total"] - sum(self.seconds.get(name, 0) for name in WAITS)


@dataclass(frozen=True)
class History:
    """Two files of a deployment: `releases.json`, and `audit.jsonl` which outlives them all."""

    home: Path
    dry: bool = False
    on: str = ""
    """The target that changes are made on."""

    @property
    def record(self) -> Path:
        """Where the releases are written down."""
        return self.home / "releases.json"

    @property
    def audit(self) -> Path:
        """Where each change has its line."""
        return self.home / "audit.jsonl"

    def entries(self) -> list[Entry]:
        """Return the releases, newest first; a record that cannot be read is started anew."""
        try:
            return [_entry(raw) for raw in json.loads(self.record.read_text())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError):
            ui.warn(f"{self.record} is not readable and is started anew")
            self.record.unlink()
            return []

    def versions(self) -> set[str]:
        """Return those to keep: each has served."""
        return {one.version for one in self.entries() if not one.failed}

    def served(self, release: Release, old: Release | None, back: bool = False) -> None:
        """Write down that a release has taken over from another.

        :param back: it is one that served earlier, and stays after what it came after.
        """
        known = {one.version: one for one in self.entries()}
        before = old.version if old is not None else ""
        if old is not None and before not in known:
            # The record was lost; what has served until now can be gone back to all the same.
            known = {before: Entry(before, old.commit, at="", by=""), **known}
        if release.version in known and (back or before == release.version):
            # A rollback goes further back, and from the same code under other settings where
            # it went.
            before = known[release.version].before
        self._write(_now(release, before=before), known)

    def failed(self, release: Release) -> None:
        """Write down that a release did not come to serve."""
        known = {one.version: one for one in self.entries()}
        if release.version not in known or known[release.version].failed:
            self._write(_now(release, failed=True), known)

    def _write(self, entry: Entry, known: dict[str, Entry]) -> None:
        if self.dry:
            return
        known.pop(entry.version, None)
        entries = [entry, *known.values()]
        good = [one for one in entries if not one.failed][:KEEP]
        kept = [one for one in entries if one in good or one in _failed(entries)]
        with self._writing(self.record):
            self.home.mkdir(parents=True, exist_ok=True)
            fresh = self.record.with_suffix(".new")
            fresh.write_text(json.dumps([asdict(one) for one in kept], indent=2) + "\n")
            fresh.replace(self.record)

    @contextmanager
    def change(self, verb: str, old: Release | None, new: Release | None) -> Iterator[Change]:
        """Time a change for the length of a block, and write its audit line however it ends."""
        change, outcome = Change(verb), "done"
        try:
            yield change
        except MoorError as problem:
            outcome = f"failed: {problem.fact}"
            raise
        except Exception as problem:
            outcome = f"failed: {problem}"
            raise
        except BaseException:
            outcome = "done, stopped in the drain" if change.took_over else "stopped"
            raise
        finally:
            change.end()
            self._note(change, old, new, outcome)

    def _note(self, change: Change, old: Release | None, new: Release | None, outcome: str) -> None:
        if self.dry:
            return
        line = {
            "time": _utc(),
            "verb": change.verb,
            "target": self.on,
            "by": users.operator_and_host(),
            "from": old.version if old else "",
            "to": new.version if new else "",
            "outcome": outcome,
            "seconds": {name: round(one, 2) for name, one in change.seconds.items()},
        }
        with self._writing(self.audit):
            self.home.mkdir(parents=True, exist_ok=True)
            with self.audit.open("a") as stream:
                stream.write(json.dumps(line) + "\n")

    @contextmanager
    def _writing(self, file: Path) -> Iterator[None]:
        """A disk that is full fails no change that has been made already."""
        try:
            yield
        except OSError as problem:
            ui.warn(f"{file} could not be written: {problem.strerror}")

    def last(self) -> dict[str, str]:
        """Return the newest audit line that is whole; empty where there is none."""
        try:
            lines = self.audit.read_text().splitlines()
        except FileNotFoundError:
            return {}
        for line in reversed(lines):
            try:
                found = json.loads(line)
                return {name: str(found[name]) for name in ("time", "verb", "by", "outcome")}
            except (ValueError, TypeError, KeyError):
                continue
        return {}


def _failed(entries: list[Entry]) -> list[Entry]:
    return [one for one in entries if one.failed][:KEEP]


def _now(release: Release, failed: bool = False, before: str = "") -> Entry:
    by = users.operator_and_host()
    return Entry(release.version, release.commit, _utc(), by, failed, before)


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _entry(raw: object) -> Entry:
    """Take nothing on trust: a version names a folder that is removed."""
    if not isinstance(raw, dict) or raw.keys() != Entry.__dataclass_fields__.keys():
        raise TypeError("an entry has the fields of a release")
    for name, value in raw.items():
        if type(value) is not (bool if name == "failed" else str):
            raise TypeError(f"{name} is of another kind")
    if raw["version"] in ("", ".", "..") or "/" in raw["version"]:
        raise ValueError("a version is the name of a folder")
    return Entry(**raw)


def choose(kept: list[Entry], live: Release | None, wanted: str) -> Entry:
    """Return the release that a rollback means.

    :param kept: those that can be started, the live one among them.
    :param wanted: its version or how that begins; empty: what served before the live one.
    :raises MoorError: naming those that there are.
    """
    hint = _those(one for one in kept if live is None or one.version != live.version)
    if wanted:
        return _named(kept, wanted, hint)
    if live is None:
        raise NotReadyError("nothing runs, so there is none to go back from", hint=hint)
    before = next((one.before for one in kept if one.version == live.version), "")
    for one in kept:
        if one.version == before:
            return one
    if not before:
        raise MoorError(f"nothing is known to have served before {live.version}", hint=hint)
    raise MoorError(f"{before}, which served before {live.version}, is not kept", hint=hint)


def _named(kept: list[Entry], wanted: str, hint: str) -> Entry:
    exact = [one for one in kept if one.version == wanted]
    found = exact or [one for one in kept if one.version.startswith(wanted)]
    if len(found) > 1:
        raise MoorError(f"{len(found)} releases begin with {wanted}", hint=_those(found))
    if not found:
        raise MoorError(f"no release {wanted} is kept", hint=hint)
    return found[0]


def _those(entries: Iterable[Entry]) -> str:
    there = ", ".join(one.version for one in entries)
    return (
        f"kept are {there}: ./moor releases"
        if there
        else "no other is kept: ./moor deploy brings the working tree"
    )
