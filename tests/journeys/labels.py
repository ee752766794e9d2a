"""The labels of what kustomize makes of deploy/k8s, by which people and programs find it."""

from collections.abc import Iterator
from typing import Any

COMMON = "app.kubernetes.io/"

#: The role of each part; a namespace, an account, a policy or a setting of all has none.
COMPONENTS = {
    "app": "web", "gateway": "proxy", "postgres": "database", "jaeger": "tracing",
    "migration": "migration",
}  # fmt: skip

#: Pods that would be made anew for another label, at a cost for clients or traces; a Job takes no
#: other pod, and a StatefulSet no other claim.
FIXED = ("postgres", "jaeger", "migration", "orders")


def common(labels: Any) -> dict[str, str]:
    """Return those labels that all programs know, without what they begin with."""
    found = {name.removeprefix(COMMON): one for name, one in labels.items() if COMMON in name}
    return {name: str(one) for name, one in found.items()}


def unlabelled(found: list[Any]) -> list[str]:
    """Return the objects that do not say their name, their part, or what they belong to."""
    return [f"{one['kind']} {one['metadata']['name']}: {said}" for one in found
            if not _says(said := common(one["metadata"].get("labels", {})))]  # fmt: skip


def _says(said: dict[str, str]) -> bool:
    role = COMPONENTS.get(said.get("name", ""))
    return bool(said.get("name")) and (said.get("part-of"), said.get("component")) == (
        "moorings",
        role,
    )


def templates(found: list[Any]) -> dict[str, dict[str, str]]:
    """Return the labels of the pods of each workload, and of the volumes that it claims."""
    whole = [one for one in found if "template" in one.get("spec", {})]
    claims = {claim["metadata"]["name"]: claim for one in whole
              for claim in one["spec"].get("volumeClaimTemplates", ())}  # fmt: skip
    pods = {one["metadata"]["name"]: one["spec"]["template"] for one in whole}
    return {name: one["metadata"]["labels"] for name, one in {**pods, **claims}.items()}


def changed(templates: dict[str, dict[str, str]]) -> list[str]:
    """Return which of those that must stay as they are have other labels than they had."""
    had = {f"{COMMON}name", f"{COMMON}part-of"}
    return [name for name in FIXED if name in templates and set(templates[name]) != had]


def selectors(raw: Any) -> Iterator[str]:
    """Yield each label by which something chooses pods."""
    if isinstance(raw, list):
        for one in raw:
            yield from selectors(one)
    elif isinstance(raw, dict):
        for name, one in raw.items():
            if name == "matchLabels" or (name == "selector" and "match" not in str(one)):
                yield from one
            else:
                yield from selectors(one)
