"""The cluster, by kubectl alone: it looks in JSON, and each change is printed as it is typed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moorings import guarded, packages
from moorings.errors import CommandError, MoorError
from moorings.runner import LocalRunner, Result, Runner
from moorings.services import kube_refusals

#: Seconds that a question may take, and a change that waits for nothing.
ASK, CHANGE = 30.0, 60.0

#: Who has a field of an object that moor applies.
MANAGER = "moorings"

OWNER = ("--server-side", "--force-conflicts", "--field-manager", MANAGER)

Raw = dict[str, Any]


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl in one context and one namespace."""

    runner: Runner
    env: Mapping[str, str]
    context: str = ""
    """Empty: the current one."""
    namespace: str = ""
    program: str = "kubectl"

    def within(self, namespace: str) -> "Kubectl":
        """Return the same in a namespace."""
        return replace(self, namespace=namespace)

    def argv(self, *words: str) -> list[str]:
        """Return a command as it is typed."""
        context = ["--context", self.context] if self.context else []
        namespace = ["--namespace", self.namespace] if self.namespace else []
        return [self.program, *context, *namespace, *words]

    def ask(self, *words: str, timeout: float = ASK) -> Result:
        """Run a command that only looks; a failure is a status, not an error.

        Its warnings are no part of an answer; where it fails, what it says of that is.
        """
        if not packages.find(self.program):
            return Result(127, "kubectl is not installed")
        # It only looks, so a dry run asks too.
        runner = LocalRunner() if self.runner.dry else self.runner
        argv = self.argv(*words)
        try:
            said = runner.run(
                argv, timeout=timeout, env=self.env, quiet=True, check=False, apart=True
            )
        except MoorError as problem:
            return Result(124, problem.fact)
        return Result(said.status, said.output + (said.errors if said.status != 0 else ""))

    def do(self, *words: str, timeout: float = CHANGE) -> str:
        """Run a command, printed so that it can be repeated by hand; return its output.

        :raises CommandError: with its last lines.
        """
        return self.runner.run(self.argv(*words), timeout=timeout, env=self.env).output

    def may(self, verb: str, kind: str) -> bool:
        """Tell whether the cluster lets the operator do something to objects of a kind."""
        return self.ask("auth", "can-i", verb, kind).status == 0

    def every(self, *words: str) -> list[Raw]:
        """Return objects; none only where the cluster itself says that there is none.

        :raises CommandError: where it says nothing, or may not be asked.
        """
        said = self.ask("get", *words, "--output", "json", "--ignore-not-found")
        if said.status != 0:
            fact, hint = kube_refusals.silent(said.output, self.context)
            raise CommandError(fact, log=said.output.strip(), hint=hint)
        found = parsed(said.output)
        if said.output.strip() and not found:
            fact = f"what kubectl says of {words[0]} cannot be read"
            raise CommandError(fact, log=said.output.strip())
        return list(found["items"]) if "items" in found else [found] if found else []

    def require(self, kind: str, name: str) -> Raw | None:
        """Return one object; None only where the cluster itself says that there is none.

        :raises CommandError: where it says nothing, or may not be asked.
        """
        return next(iter(self.every(kind, name)), None)

    def get(self, *words: str) -> list[Raw]:
        """Return objects; none where there is none, or nobody answers: never to decide by."""
        try:
            return self.every(*words)
        except CommandError:
            return []

    def find(self, kind: str, name: str) -> Raw | None:
        """Return one object, where there is one and somebody answers."""
        return next(iter(self.get(kind, name)), None)

    def gone(self, *words: str) -> bool:
        """Tell whether the cluster itself says that there is none of some objects."""
        try:
            return not self.every(*words)
        except CommandError:
            return False

    def would(self, objects: Sequence[Raw], file: Path, *words: str) -> str:
        """Return what the cluster says that it would make of objects; change nothing.

        :param file: where they are written down, for this user alone.
        :param words: more of them, as for what is said.
        :raises CommandError: with what it would refuse.
        """
        guarded.leave(file, json.dumps(listed(objects), indent=1), None)
        words = (*OWNER, "--dry-run=server", "--filename", str(file), *words)
        said = self.ask("apply", *words, timeout=CHANGE)
        if said.status != 0:
            fact = f"kubectl apply --dry-run=server ended with status {said.status}"
            problem = CommandError(fact, log=said.output.strip())
            raise kube_refusals.explained(problem, self.namespace)
        return said.output

    def apply(self, objects: Sequence[Raw], file: Path) -> None:
        """Apply objects, as the owner of their fields; others keep what these do not say.

        :param file: where they are written down, for this user alone.
        :raises CommandError: with what the cluster refused.
        """
        if not objects:
            return
        if not self.runner.dry:
            guarded.leave(file, json.dumps(listed(objects), indent=1), None)
        try:
            self.do("apply", *OWNER, "--filename", str(file))
        except CommandError as problem:
            raise kube_refusals.explained(problem, self.namespace) from None


def listed(objects: Sequence[Raw]) -> Raw:
    """Return objects as one."""
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def parsed(output: str) -> Raw:
    """Return the object in what kubectl said; warnings may stand before and after it."""
    start = output.find("{")
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(output[start:])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def stream(output: str) -> list[Raw]:
    """Return the objects that kubectl said one after another."""
    found, decoder, start = [], json.JSONDecoder(), output.find("{")
    while start >= 0:
        one, end = decoder.raw_decode(output, start)
        found.append(one)
        start = output.find("{", end)
    return found


def at(raw: object, *path: str | int) -> Any:
    """Return what lies deep in an object; None where the way ends."""
    for step in path:
        if isinstance(raw, dict):
            raw = raw.get(step)
        elif isinstance(raw, list) and isinstance(step, int) and -len(raw) <= step < len(raw):
            raw = raw[step]
        else:
            return None
    return raw
