"""The code of apps that live in repositories of their own: a git URL and a tag.

A tag is a promise not to change, so what has been fetched once is never touched again: a start
without a network works, and what runs is what was tried. ``moved`` asks whether somebody broke
the promise; nothing acts on the answer but people.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
from pathlib import Path

from skerry.core.errors import Error
from skerry.spec import AppSpec, source_folder


class SourceError(Error):
    """The code of an app cannot be fetched; the message says why."""


def fetch(app: AppSpec, root: Path) -> Path:
    """The checkout of ``app``: fetched if it is not there yet. Blocks.

    Args:
        root: the fleet's folder; relative repository paths begin there.

    Raises:
        SourceError: no git, no such repository or tag, no network.
    """
    git, tag = _origin(app)
    folder = source_folder(root, app.name, tag)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)  # of a fetch that was killed
    options = ("--quiet", "--depth=1", "--single-branch", f"--branch={tag}")
    try:
        _run(app, root, "clone", *options, "--", git, str(fresh))
        if not _git(fresh, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}").stdout:
            raise SourceError(f"{app.name}: {tag} is a branch of {git}, not a tag: it would change")
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def moved(app: AppSpec, root: Path) -> str | None:
    """What to tell people when the tag means other code by now; None when all is as it was.

    Raises:
        SourceError: the repository cannot be asked.
    """
    git, tag = _origin(app)
    here = _git(source_folder(root, app.name, tag), "rev-parse", "HEAD").stdout.strip()
    # An annotated tag is an object of its own; ^{} is the commit it stands for.
    names = (f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}")
    listed = _run(app, root, "ls-remote", "--", git, *names).split()
    commits = dict(zip(listed[1::2], listed[::2], strict=True))
    there = commits.get(names[1]) or commits.get(names[0])
    if there == here:
        return None
    if there is None:
        return f"{app.name}: {git} has no tag {tag} any more; here it is {here[:12]}"
    return f"{app.name}: {tag} has moved from {here[:12]} to {there[:12]}; here it stays"


def _origin(app: AppSpec) -> tuple[str, str]:
    if app.git is None or app.tag is None:
        raise SourceError(f"{app.name}: it is not from a repository")
    return app.git, app.tag


def _run(app: AppSpec, root: Path, *argv: str) -> str:
    done = _git(root, *argv)
    if done.returncode:
        raise SourceError(f"{app.name}: {_reason(app, root, done.stderr)}")
    return done.stdout


def _git(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    own = {
        "GIT_TERMINAL_PROMPT": "0",  # nobody is there to answer
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        "LC_ALL": "C",
    }
    # Inside a git hook these point to the repository of the hook.
    inherited = {name: text for name, text in os.environ.items() if name not in _HOOK}
    try:
        return subprocess.run(
            ("git", "-c", "advice.detachedHead=false", *argv),
            cwd=folder,
            env={**inherited, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        hint = "Debian, Ubuntu: `apt-get install git`; macOS: `brew install git`"
        raise SourceError(f"git is not installed ({hint})") from None


_HOOK = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"})


def _reason(app: AppSpec, root: Path, said: str) -> str:
    git, tag = _origin(app)
    if "Remote branch" in said and "not found" in said:
        return f"{git} has no tag {tag}{_nearest_tag(root, git, tag)}"
    if "Could not resolve host" in said or "unable to access" in said:
        return f"{git} cannot be reached: {_last(said)}"
    if "does not exist" in said or "not appear to be a git repository" in said:
        return f"there is no git repository at {git}"
    if "terminal prompts disabled" in said or "Permission denied" in said:
        return f"{git} asks who you are: give git a credential helper or an SSH agent"
    return f"git could not fetch {git}: {_last(said)}"


def _nearest_tag(root: Path, git: str, tag: str) -> str:
    listed = _git(root, "ls-remote", "--tags", "--refs", "--", git).stdout.splitlines()
    tags = [line.partition("refs/tags/")[2] for line in listed]
    close = difflib.get_close_matches(tag, tags, n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1].removeprefix("fatal: ") if lines else "it does not say why"
