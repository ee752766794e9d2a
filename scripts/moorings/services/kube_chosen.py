"""The cluster of a deployment: named, else where it was deployed last, else current, else own."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from moorings import lifecycle, packages
from moorings.layout import Layout
from moorings.runner import Runner
from moorings.services import kube_context, kube_own
from moorings.services.kube_context import Context
from moorings.services.kubectl import Kubectl
from moorings.target import Need

#: The context of a cluster of moor's own, which comes and goes.
OWN = "moorings"


@dataclass
class Chosen:
    """Finds it, and sees that it may be changed."""

    layout: Layout
    runner: Runner
    namespace: str
    named: str
    """Its context by the settings; empty: they name none."""
    note: Path
    """Where the context is written down that it was deployed to."""
    agreed: bool = False
    """Whether the operator has said of a cluster elsewhere that it is meant."""

    @property
    def cluster(self) -> Context | None:
        """Its context; None where there is none."""
        return self._found[1]

    @property
    def kubectl(self) -> Kubectl:
        """It, in the namespace of the deployment."""
        return self._found[0]

    def forget(self) -> None:
        """Look anew at the next question."""
        self.__dict__.pop("_found", None)

    @cached_property
    def _found(self) -> tuple[Kubectl, Context | None]:
        theirs, *own = self._clients()
        for name in self._wanted:
            for client in (theirs, *own):
                found = kube_context.current(client, name)
                if found is not None:
                    return replace(client, context=found.name), found
        return theirs, None

    def _clients(self) -> Iterator[Kubectl]:
        """Return the operator's own client, and that of moor's own cluster, if one runs."""
        environ = _anywhere(os.environ)
        for one in kube_own.running(self.layout, self.runner):
            # It may be the operator's current one.
            environ = one.unproxied(environ)
        yield Kubectl(self.runner, environ, "", self.namespace)
        own = kube_own.nearest(self.layout, self.runner)
        if own is not None:
            environ = {**environ, "KUBECONFIG": str(own.kubeconfig)}
            yield Kubectl(self.runner, environ, "", self.namespace, own.programs.kubectl)

    @property
    def _wanted(self) -> tuple[str, ...]:
        """The contexts to look for by name; empty: the current one."""
        if self._known:
            return (self._known,)
        return (OWN, "") if self._noted else ("",)

    @property
    def _known(self) -> str:
        """The context that is meant and no other one; empty: there is none such."""
        return self.named or (self._noted if self._noted != OWN else "")

    @property
    def _noted(self) -> str:
        return self.note.read_text() if self.note.exists() else ""

    def remember(self) -> None:
        """Write down where it is."""
        if self.cluster is not None:
            self.note.write_text(self.cluster.name)

    @property
    def none_at_all(self) -> bool:
        """Whether there is no cluster and none is named, so that one may be started."""
        return self.cluster is None and not self._known

    def lacks(self, context: str) -> bool:
        """Tell whether there is no cluster, and no other context than this one is meant."""
        return self.cluster is None and self._known in ("", context)

    def need(self) -> Need:
        """Want one that may be touched."""
        if self.cluster is not None or self.none_at_all or not packages.find("kubectl"):
            return kube_context.need(self.cluster, bool(self.named) or self.agreed)
        how = "kubectl config get-contexts lists those that there are"
        if not self.named:
            how += f"; ./moor down k8s gives up what was deployed to {self._known}"
        return Need(f"kubectl has no context {self._known}", False, how)

    def there(self) -> bool:
        """Tell whether there is one to ask.

        :raises NeedError: where one is known that cannot be asked; one that was deployed to, and
            whose context is gone by now, is no longer known.
        """
        blind = bool(self._known) and not packages.find("kubectl")
        if self.cluster is None and (self.named or blind):
            lifecycle.require([self.need()])
        return self.cluster is not None

    def require(self) -> None:
        """See that it may be changed: asked on a terminal where it is elsewhere and not named.

        :raises NeedError: where it may not, or does not answer, or refuses the credentials.
        """
        need = self.need()
        if self.cluster is not None and not need.there:
            self.agreed = kube_context.agreed(need.what)
        lifecycle.require([self.need()])
        lifecycle.require([self.answers()])

    def answers(self) -> Need:
        """Want an API that answers, to somebody whom it knows."""
        return kube_context.answers(self.kubectl, self.kubectl.context)


def _anywhere(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that names the same files of kubectl in every folder."""
    files = environ.get("KUBECONFIG", "").split(os.pathsep)
    whole = os.pathsep.join(str(Path(file).absolute()) for file in files if file)
    return {**environ, **({"KUBECONFIG": whole} if whole else {})}
