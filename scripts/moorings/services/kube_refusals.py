"""What a cluster refuses, in words of moor: the fact, and the next step."""


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
