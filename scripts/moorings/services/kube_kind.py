"""kind, whose nodes are containers: a cluster for a machine whose kubectl knows none."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from moorings import machine, packages, ui
from moorings.errors import CommandError, MoorError
from moorings.runner import LocalRunner, Result
from moorings.services.engine import Engine
from moorings.target import Need

#: Seconds that a question may take, the download of a node image with all that follows, and an end.
ASK, CREATE, DELETE = 15.0, 900.0, 60.0

#: How long kind waits for its node: it goes on after that, and says so.
WAIT = "120s"

#: Characters of a name: that of its node is a host name, and says `-control-plane` too.
LONGEST = 50

INSTEAD = "or take another cluster: ./moor cluster up, as root on Linux, or --set k8s.context=NAME"


@dataclass(frozen=True)
class Kind:
    """Makes the cluster of a deployment, or lets kubectl know the one that is there."""

    engine: Engine
    """In which its node runs."""

    @property
    def name(self) -> str:
        """Its cluster, one for each checkout as those of moor's own."""
        return self.engine.layout.name[:LONGEST].rstrip("-")

    @property
    def context(self) -> str:
        """What kubectl calls it."""
        return f"kind-{self.name}"

    def at_hand(self) -> bool:
        """Tell whether it can be used. In CI it is not: who wants it there makes it before."""
        programs = all(packages.find(program) for program in ("kind", "kubectl"))
        return programs and not packages.in_ci() and self._engine_answers()

    def _engine_answers(self) -> bool:
        return self.engine.ask("version", "--format", "{{.Server.Version}}").status == 0

    def there(self) -> bool:
        """Tell whether there is one of its name.

        :raises CommandError: where kind does not say: what fails to be made is taken away, and
            must not be one that was there.
        """
        said = self._ask("get", "clusters")
        if said.status != 0:
            fact = "kind does not say which clusters there are"
            raise CommandError(fact, log=said.output + said.errors, hint="kind get clusters -v 1")
        return self.name in said.output.splitlines()

    def need(self, missing: Need) -> Need:
        """Return the want of a cluster with what kind does about it."""
        there = self._seen()
        made = f"make the cluster {self.name} by kind (minutes; downloads a node image, once)"
        offer = f"let kubectl use the cluster {self.name} of kind" if there else made
        argv = self._export if there else self._create
        how = f"{shlex.join(argv)}, or {missing.how}"
        return replace(missing, how=how, offer=offer)

    def _seen(self) -> bool:
        try:
            return self.there()
        except CommandError:
            return False

    def use(self) -> None:
        """Make it kubectl's current context, as kind does; make it first where there is none.

        :raises CommandError: with what kind says, and the next step; nothing new is left then.
        """
        if self.there():
            hint = f"docker start {self.name}-control-plane, if it was stopped, {INSTEAD}"
            self._do(self._export, ASK, f"does not hand out its cluster {self.name}", hint)
        else:
            self._make()

    def _make(self) -> None:
        state = self.engine.layout.state
        if not self.engine.runner.dry:
            # Before the engine that it runs in.
            machine.remember(state, self._item, first=True)
        try:
            hint = f"mend that and deploy again, {INSTEAD}"
            with ui.working(f"Making the cluster {self.name}"):
                self._do(self._create, CREATE, f"did not make the cluster {self.name}", hint)
        except BaseException:
            self._clear()
            raise

    def _clear(self) -> None:
        """Leave nothing of one that was not made to its end: it would pass for a whole one."""
        with suppress(MoorError):
            self._run(self._delete, DELETE)
            machine.forget(self.engine.layout.state, [self._item])

    def _do(self, argv: Sequence[str], timeout: float, what: str, hint: str) -> None:
        try:
            self._run(argv, timeout)
        except CommandError as problem:
            fact = f"kind {what}: {_why(problem)}"
            raise CommandError(fact, log=problem.log, hint=hint) from None

    def _run(self, argv: Sequence[str], timeout: float) -> None:
        self.engine.runner.run(argv, timeout=timeout, env=self.engine.environment)

    def _ask(self, *words: str) -> Result:
        """Run a command that only looks; a failure is a status, not an error."""
        # It only looks, so a dry run asks too.
        runner = LocalRunner() if self.engine.runner.dry else self.engine.runner
        argv, env = ["kind", *words], self.engine.environment
        try:
            # That there is none it says on the second stream.
            return runner.run(argv, timeout=ASK, env=env, quiet=True, check=False, apart=True)
        except MoorError as problem:
            return Result(124, problem.fact)

    @property
    def _create(self) -> list[str]:
        return ["kind", "create", "cluster", "--name", self.name, "--wait", WAIT]

    @property
    def _export(self) -> list[str]:
        return ["kind", "export", "kubeconfig", "--name", self.name]

    @property
    def _delete(self) -> list[str]:
        return ["kind", "delete", "cluster", "--name", self.name]

    @property
    def _item(self) -> machine.Item:
        """Return how it is taken away, whatever engine and file of kubectl are meant by then."""
        env = self.engine.environment
        kept = [f"{name}={env[name]}" for name in ("DOCKER_HOST", "KUBECONFIG") if env.get(name)]
        undo = ["env", *kept, *self._delete] if kept else self._delete
        return machine.Item("kind cluster", self.name, undo)


def _why(problem: CommandError) -> str:
    """Return the line in which kind says what went wrong; more of it may follow."""
    said = (line.removeprefix("ERROR: ") for line in problem.log.splitlines()
            if line.startswith("ERROR: "))  # fmt: skip
    return next(said, problem.fact).removeprefix("failed to create cluster: ")
