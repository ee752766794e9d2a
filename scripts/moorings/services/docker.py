"""The Docker engine, as far as a service in a container needs it."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from moorings import ui
from moorings.runner import Runner

#: Seconds that a pull may take.
PULL = 300.0


def answers(runner: Runner) -> bool:
    """Tell whether an engine answers, and not only its client."""
    if shutil.which("docker") is None or runner.dry:
        return False
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    return runner.run(asked, timeout=15, quiet=True, check=False).status == 0


def has_image(runner: Runner, image: str) -> bool:
    """Tell whether an engine answers and has an image, or can pull it."""
    if not answers(runner):
        return False
    if runner.run(["docker", "image", "inspect", image], timeout=15, quiet=True,
                  check=False).status == 0:  # fmt: skip
        return True
    with ui.working(f"Asking for the image {image}"):
        pulled = runner.run(["docker", "pull", "--quiet", image], timeout=PULL, check=False)
    return pulled.status == 0


def run_argv(
    name: str,
    image: str,
    command: Sequence[str],
    env: Mapping[str, str],
    ports: Mapping[str, int],
    mounts: Mapping[Path, str],
) -> list[str]:
    """Return the command that starts a container: loopback ports, no rights, nothing to write."""
    argv = ["docker", "run", "--detach", "--name", name, "--label", "moorings=service",
            "--user", "10001:10001", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]  # fmt: skip
    for protocol_name, port in ports.items():
        udp = "/udp" if protocol_name == "thrift_compact" else ""
        argv += ["--publish", f"127.0.0.1:{port}:{port}{udp}"]
    for variable, value in env.items():
        argv += ["--env", f"{variable}={value}"]
    for folder, inside in mounts.items():
        argv += ["--mount", f"type=bind,source={folder},target={inside},readonly"]
    return [*argv, image, *command]


def is_running(runner: Runner, name: str) -> bool:
    """Tell whether a container of this name runs."""
    asked = ["docker", "inspect", "--format", "{{.State.Running}}", name]
    said = runner.run(asked, timeout=15, quiet=True, check=False)
    return said.status == 0 and said.output.strip() == "true"


def remove(runner: Runner, name: str, grace: float) -> None:
    """Stop a container within `grace` seconds and remove it; fine where there is none."""
    runner.run(["docker", "stop", "--time", f"{grace:.0f}", name], timeout=grace + 30, check=False)
    runner.run(["docker", "rm", "--force", name], timeout=30, check=False, quiet=True)


def logs(runner: Runner, name: str, lines: int) -> str:
    """Return the newest log lines of a container."""
    asked = ["docker", "logs", "--tail", str(lines), name]
    return runner.run(asked, timeout=15, quiet=True, check=False).output
