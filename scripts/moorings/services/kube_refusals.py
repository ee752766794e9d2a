"""What a cluster refuses, in words of moor: the fact, and the next step."""

from moorings.errors import CommandError
from moorings.services import refusals
from moorings.services.refusals import Refusal

#: Characters of a fact.
LONGEST = 400

_OBJECT = r"typed patch object \((?:[^/;)]+/)?(?P<name>[^;)]+); [^,]+, Kind=(?P<kind>\w+)\)"
_MEND = "mend it in deploy/k8s, and deploy again"
_ASK = "ask who looks after the cluster: its rules are not moor's"

#: What refuses a pod, whoever wants to make it.
OF_PODS = (
    Refusal(
        r"exceeded quota: (?P<name>\S+), requested: (?P<asked>\S+), used: (?P<used>\S+), "
        r"limited: (?P<limit>[^\s\"]+)",
        "the quota {name} has no room: requested {asked}, used {used}, limited {limit}",
        "kubectl --namespace {namespace} describe quota; a deploy needs room for one pod more",
    ),
    Refusal(
        r"failed quota: (?P<name>\S+): must specify (?P<what>[^\n]+)",
        "the quota {name} takes only pods that specify {what}",
        "name them in the resources of deploy/k8s",
    ),
    Refusal(
        r"is forbidden: \[?(?P<why>(?:maximum|minimum) \S+ usage per [^\n]+)",
        "a LimitRange refuses a pod: {why}",
        "kubectl --namespace {namespace} describe limitrange; fit the resources of deploy/k8s",
    ),
    Refusal(
        r'violates PodSecurity "(?P<policy>[^"]+)": (?P<why>[^\n]+)',
        "the namespace takes no such pod (Pod Security {policy}): {why}",
        _MEND,
    ),
    Refusal(
        r'admission webhook "(?P<name>[^"]+)" denied the request:? ?(?P<why>[^\n]*)',
        "the admission webhook {name} refuses it: {why}",
        _ASK,
    ),
    Refusal(
        r"ValidatingAdmissionPolicy '(?P<name>[^']+)' [^\n]*denied request: (?P<why>[^\n]+)",
        "the admission policy {name} refuses it: {why}",
        _ASK,
    ),
    Refusal(
        r'failed calling webhook "(?P<name>[^"]+)"',
        "the admission webhook {name} does not answer, and nothing passes without it",
        _ASK,
    ),
)

#: What refuses anything that is applied.
OF_ALL = (
    *OF_PODS,
    Refusal(
        _OBJECT + r": (?P<why>(?:errors:\s+)?[^\n]+)",
        "{kind} {name} cannot be used: {why}",
        _MEND,
    ),
    Refusal(
        r'The (?P<kind>\w+) "(?P<name>[^"]+)" is invalid: (?P<why>\s*[^\n]+)',
        "{kind} {name} cannot be used: {why}",
        _MEND,
    ),
    Refusal(
        r"ValidationError\((?P<place>[^)]+)\): (?P<why>[^;\n]+)",
        "the manifests cannot be used: {place}: {why}",
        _MEND,
    ),
    Refusal(
        r'no matches for kind "(?P<kind>\w+)" in version "(?P<version>[^"]+)"',
        "the cluster knows no {kind} of {version}",
        "install what brings it, or leave it out of deploy/k8s",
    ),
    Refusal(
        r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<what>[^"]+)"',
        "{user} may not {verb} {what} here",
        "deploy/k8s/deployer has what a deploy needs",
    ),
)


def of_pod(said: str, namespace: str) -> tuple[str, str] | None:
    """Return the fact and the next step where something refuses a pod; None: nothing known."""
    return _filled(refusals.of(said, OF_PODS), namespace)


def explained(problem: CommandError, namespace: str) -> CommandError:
    """Return why something was not applied in words of moor, or else in the cluster's own."""
    known = _filled(refusals.of(problem.log, OF_ALL), namespace)
    if known is not None:
        return CommandError(known[0], hint=known[1], log=problem.log)
    last = (problem.log.strip().splitlines() or [problem.fact])[-1]
    return CommandError(f"the cluster refuses it: {last}", hint=problem.hint, log=problem.log)


def _filled(known: tuple[str, str] | None, namespace: str) -> tuple[str, str] | None:
    if known is None:
        return None
    fact, hint = known
    return " ".join(fact.split())[:LONGEST], hint.format(namespace=namespace)


def silent(said: str, context: str) -> tuple[str, str]:
    """Tell why the API does not answer, and the next step, from what kubectl says.

    :param context: its name; empty: the current one.
    """
    words, where = said.lower(), f"context {context}" if context else "the current context"
    if "is not installed" in words:
        return NO_KUBECTL
    if "unauthorized" in words or "must be logged in" in words or "expired" in words:
        return f"the credentials of {where} are refused", "log in to it anew"
    if "forbidden" in words:
        how = "ask who looks after it; deploy/k8s/deployer has what a deploy needs"
        return f"{where} may not ask its cluster", how
    last = (said.strip().splitlines() or ["no answer"])[-1]
    how = "start it, or see why: kubectl get --raw /readyz"
    return f"the cluster of {where} does not answer: {last[:200]}", how


NO_KUBECTL = (
    "kubectl is not installed",
    "see https://kubernetes.io/docs/tasks/tools/; ./moor cluster up brings one too",
)
