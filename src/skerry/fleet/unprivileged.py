"""Run a command as a user who may do little: ``python -m skerry.fleet.unprivileged USER CMD…``.

PostgreSQL refuses to run as root, and in a container everybody is root. Dropping privileges
clears the wish to die with one's parent (prctl(2), PR_SET_PDEATHSIG), so it is made again here,
between the drop and the command.
"""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

from .reaping import die_with_parent


def user_for(server: str) -> pwd.struct_passwd | None:
    """Whom to run ``server`` as: its own user, or nobody. None unless this process is root."""
    if os.geteuid() != 0:
        return None
    for name in (server, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def as_user(user: pwd.struct_passwd | None, *argv: str) -> tuple[str, ...]:
    """The command line that runs ``argv`` as ``user``; for None ``argv`` itself."""
    if user is None:
        return argv
    return (sys.executable, "-P", "-m", "skerry.fleet.unprivileged", user.pw_name, *argv)


def reachable(folder: Path, user: pwd.struct_passwd) -> bool:
    """Whether ``user`` may pass through ``folder`` and everything above it."""
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    for place in (folder, *folder.parents):
        state = place.stat()
        shift = 6 if state.st_uid == user.pw_uid else 3 if state.st_gid in groups else 0
        if not state.st_mode >> shift & 1:
            return False
    return True


def main(name: str, argv: list[str]) -> None:
    parent = os.getppid()
    user = pwd.getpwnam(name)
    os.initgroups(name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    die_with_parent(parent)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
