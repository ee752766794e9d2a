"""Who runs what: as root, an unprivileged system user; else the operator."""

import getpass
import os
import pwd
import socket
from pathlib import Path

from moorings import machine
from moorings.runner import Runner, User

#: Made on first use when moor runs as root; `moor status` names it, `moor down --all` removes it.
SYSTEM_USER = "moorings"


def is_root() -> bool:
    """Tell whether this process may start others under another user."""
    return os.geteuid() == 0


def operator() -> str:
    """Name whoever runs moor; with sudo, the one who called it."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that no account has.
        return f"uid {os.getuid()}"


def operator_and_host() -> str:
    """Name whoever runs moor, and from where: `user@host`."""
    return f"{operator()}@{socket.gethostname()}"


def service_user(runner: Runner, state_root: Path, make: bool) -> User | None:
    """Return the user that app and services run as; None is the operator.

    :param make: as root, make the system user where there is none.
    """
    if not is_root():
        return None
    if make and _find(SYSTEM_USER) is None:
        _create(runner, state_root)
    # Where it was not made, by a dry run say, a number that owns nothing stands for it.
    return _find(SYSTEM_USER) or User(SYSTEM_USER, uid=65534, gid=65534)


def _create(runner: Runner, state_root: Path) -> None:
    runner.run(
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", SYSTEM_USER],
        timeout=30,
    )  # fmt: skip
    if not runner.dry:
        machine.remember(state_root, machine.Item("user", SYSTEM_USER, ["userdel", SYSTEM_USER]))


def _find(name: str) -> User | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def hand_over(path: Path, user: User | None) -> Path:
    """Make a folder that the service may write to, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    own(path, user)
    return path


def own(path: Path, user: User | None) -> None:
    """Give a file or folder to the service's user; where it is a link, that and not its goal."""
    if user is not None and path.lstat().st_uid != user.uid:
        os.chown(path, *user.owner, follow_symlinks=False)
