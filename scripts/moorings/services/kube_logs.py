"""What pods have logged."""

from collections.abc import Sequence
from datetime import UTC

from moorings import server_lines
from moorings.services import kube_pods
from moorings.services.kubectl import Kubectl, Raw


def of(kubectl: Kubectl, pods: Sequence[Raw], lines: int) -> str:
    """Return the newest lines of each of some pods."""
    return "\n".join(text for one in pods if (text := _of_pod(kubectl, one, lines)))


def of_deployment(kubectl: Kubectl, pods: Sequence[Raw], lines: int) -> str:
    """Return the newest lines of the app, then those of the gateway."""
    app = [_of_pod(kubectl, one, lines) for one in pods if kube_pods.role(one) == "app"]
    before = [_of_pod(kubectl, one, lines) for one in pods if kube_pods.role(one) == "gateway"]
    # What nginx says of itself is no JSON.
    turned = [
        server_lines.of_nginx(line, UTC)
        for text in before for line in text.splitlines()
    ]  # fmt: skip
    return "\n".join(text.rstrip() for text in (*app, *turned) if text)


def _of_pod(kubectl: Kubectl, pod: Raw, lines: int) -> str:
    """Return the newest lines of a pod; of the start before, where it has just been started."""
    words = ("logs", kube_pods.name(pod), "--tail", str(lines))
    said = kubectl.ask(*words)
    if said.status == 0 and said.output.strip():
        return said.output
    before = kubectl.ask(*words, "--previous")
    return before.output if before.status == 0 else ""
