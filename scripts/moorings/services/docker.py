"""The Docker engine, as far as a service in a container needs it."""

import shutil
from collections.abc import Mapping, Sequence

from moorings import ui
from moorings.errors import CommandError, NeedError
from moorings.runner import Result, Runner

#: Seconds that a pull may take where there is nothing else to take.
PULL = 300.0

#: Seconds that a question to the engine may take; one that hangs counts as none.
ASK = 15.0


def answers(runner: Runner) -> bool:
    """Tell whether an engine answers, and not only its client."""
    if shutil.which("docker") is None or runner.dry:
        return False
    return _ask(runner, "version", "--format", "{{.Server.Version}}").status == 0


def has_image(runner: Runner, image: str, patience: float = PULL) -> bool:
    """Tell whether an engine answers and has an image, or can pull it within `patience` seconds."""
    if not answers(runner):
        return False
    if _ask(runner, "image", "inspect", image).status == 0:
        return True
    with ui.working(f"Asking for the image {image}"):
        return _ask(runner, "pull", "--quiet", image, timeout=patience).status == 0


def run_argv(
    name: str,
    image: str,
    *,
    user: str,
    command: Sequence[str],
    env: Mapping[str, str],
    ports: Mapping[str, int],
    mounts: Mapping[str, str],
    volumes: Mapping[str, str],
) -> list[str]:
    """Return the command that starts a container: loopback ports, no rights, little to write.

    :param mounts: folders that it reads, to where it sees them.
    :param volumes: folders that it writes, to where it sees them.
    """
    argv = ["docker", "run", "--detach", "--name", name, "--label", "moorings=service",
            "--user", user, "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]  # fmt: skip
    for what, port in ports.items():
        udp = "/udp" if what == "thrift_compact" else ""
        argv += ["--publish", f"127.0.0.1:{port}:{port}{udp}"]
    for variable, value in env.items():
        argv += ["--env", f"{variable}={value}"]
    for folder, inside in mounts.items():
        argv += ["--mount", f"type=bind,source={folder},target={inside},readonly"]
    for folder, inside in volumes.items():
        argv += ["--mount", f"type=bind,source={folder},target={inside}"]
    return [*argv, image, *command]


def is_running(runner: Runner, name: str) -> bool:
    """Tell whether a container of this name runs."""
    said = _ask(runner, "inspect", "--format", "{{.State.Running}}", name)
    return said.status == 0 and said.output.strip() == "true"


def remove(runner: Runner, name: str, grace: float) -> None:
    """Stop a container within `grace` seconds and remove it; fine where there is none."""
    if _ask(runner, "inspect", "--format", "{{.Id}}", name).status != 0:
        return
    _ask(runner, "stop", "--time", f"{grace:.0f}", name, timeout=grace + ASK)
    _ask(runner, "rm", "--force", "--volumes", name, timeout=30)


def logs(runner: Runner, name: str, lines: int) -> str:
    """Return the newest log lines of a container."""
    return _ask(runner, "logs", "--tail", str(lines), name).output


def _ask(runner: Runner, *words: str, timeout: float = ASK) -> Result:
    """Run a command of the client; an engine that is not there is a status, not an error."""
    try:
        return runner.run(["docker", *words], timeout=timeout, quiet=True, check=False)
    except (CommandError, NeedError) as problem:
        return Result(1, problem.fact)
