"""Why pods do not come up, in one line: from their state, the events, and their last log lines."""

from collections.abc import Iterable, Iterator, Sequence

from moorings import logfile
from moorings.services.kubectl import Raw, at

#: What a container waits for that will not come by itself.
HOPELESS = (
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
)  # fmt: skip

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")

#: Starts of a container after which nobody hopes for the next one.
RESTARTS = 2

#: Characters of a reason.
LONGEST = 300


def of_pods(pods: Sequence[Raw], log: str = "") -> str:
    """Return why the first pod that has a reason does not come up; empty: none says.

    :param log: the newest lines of what they say themselves.
    """
    return next((why for pod in pods if (why := of_pod(pod, log))), "")


def of_pod(pod: Raw, log: str = "") -> str:
    """Return why a pod does not come up; empty: it does not say."""
    found = next(_reasons(pod, log), "")
    return " ".join(found.split())[:LONGEST]


def _reasons(pod: Raw, log: str) -> Iterator[str]:
    for status in at(pod, "status", "containerStatuses") or ():
        yield from _of_container(status, log)
    for condition in at(pod, "status", "conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"{condition.get('reason')}: {condition.get('message')}"
    if at(pod, "status", "phase") == "Failed" and at(pod, "status", "reason"):
        yield f"{at(pod, 'status', 'reason')}: {at(pod, 'status', 'message')}"


def _of_container(status: Raw, log: str) -> Iterator[str]:
    waiting = at(status, "state", "waiting") or {}
    if waiting.get("reason") in _IMAGE:
        said = waiting.get("message") or f"image {status.get('image')}"
        yield f"{waiting['reason']}: {said}"
    if waiting.get("reason") in HOPELESS:
        yield f"{waiting['reason']}: {waiting.get('message', '')}"
    for state in ("state", "lastState"):
        ended = at(status, state, "terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
            yield _ended(ended, log)


def _ended(ended: Raw, log: str) -> str:
    reason = ended.get("reason") or "Error"
    how = f"it ended with status {ended.get('exitCode')}"
    if reason == "OOMKilled":
        return "OOMKilled: it took more memory than its limit"
    said = str(ended.get("message") or "")
    return f"{how}: {why}" if (why := cause(log) or cause(said) or _last(said)) else how


def cause(text: str) -> str:
    """Return what the app says of it."""
    return logfile.cause(text)


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def hopeless(pods: Iterable[Raw]) -> bool:
    """Tell whether one of the pods will not come up, however long it is waited for."""
    return any(_hopeless(status) for pod in pods for status in _statuses(pod))


def _statuses(pod: Raw) -> list[Raw]:
    return at(pod, "status", "containerStatuses") or []


def _hopeless(status: Raw) -> bool:
    waits = at(status, "state", "waiting", "reason")
    # A pull that failed once may have met a bad moment.
    if waits == "ErrImagePull":
        return False
    return waits in HOPELESS or (not status.get("ready") and restarts(status) >= RESTARTS)


def restarts(status: Raw) -> int:
    """Return how often a container was started anew."""
    return int(status.get("restartCount", 0))


def of_events(events: Sequence[Raw]) -> str:
    """Return the newest warning among events, as a quota or an admission that refused a pod."""
    warnings = [one for one in events if one.get("type") == "Warning"]
    newest = max(warnings, key=_time, default=None)
    if newest is None:
        return ""
    return " ".join(f"{newest.get('reason')}: {newest.get('message')}".split())[:LONGEST]


def _time(event: Raw) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
