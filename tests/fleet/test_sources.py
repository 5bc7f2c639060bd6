"""Apps from git, against a bare repository on this disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from skerry.fleet.sources import SourceError, fetch, moved
from skerry.spec import AppSpec, source_folder

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git: apt-get install git")


class Repository:
    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.bare = folder / "origin.git"
        self.work.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("1")
        self.git("tag", "v1.2")
        self.commit("2")
        self.git("tag", "-a", "release/2.0", "-m", "annotated")
        self.git("clone", "-q", "--bare", str(self.work), str(self.bare))
        self.git("remote", "add", "origin", str(self.bare))

    def git(self, *argv: str) -> None:
        who = {
            f"GIT_{role}_{part}": "x@example.test"
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        subprocess.run(["git", *argv], cwd=self.work, env={**os.environ, **who}, check=True)

    def commit(self, text: str) -> None:
        (self.work / "app.py").write_text(f"app = {text}\n")
        self.git("add", ".")
        self.git("commit", "-qm", text)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "there").mkdir()
    return Repository(tmp_path / "there")


def app(root: Path, git: object, tag: str) -> AppSpec:
    return AppSpec("quotes", source_folder(root, "quotes", tag), git=str(git), tag=tag)


def test_fetches_the_tag_once(repository: Repository, tmp_path: Path) -> None:
    spec = app(tmp_path, repository.bare, "v1.2")
    folder = fetch(spec, tmp_path)
    assert folder == spec.path
    assert (folder / "app.py").read_text() == "app = 1\n"
    shutil.rmtree(repository.bare)
    assert fetch(spec, tmp_path) == folder  # needs nobody any more


def test_a_path_begins_at_the_fleet_and_a_tag_may_have_a_slash(
    repository: Repository, tmp_path: Path
) -> None:
    folder = fetch(app(tmp_path, "there/origin.git", "release/2.0"), tmp_path)
    assert folder.name == "release%2F2.0"
    assert (folder / "app.py").read_text() == "app = 2\n"


def test_a_fetch_that_was_killed_is_begun_again(repository: Repository, tmp_path: Path) -> None:
    half = tmp_path / ".skerry/sources/quotes/v1.2.new"
    half.mkdir(parents=True)
    (half / "app.py").write_text("half")
    folder = fetch(app(tmp_path, repository.bare, "v1.2"), tmp_path)
    assert (folder / "app.py").read_text() == "app = 1\n"
    assert not half.exists()


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("v1.3", r'has no tag v1\.3 \(did you mean "v1\.2"\?\)'),
        ("main", r"main is a branch of .*, not a tag"),
    ],
)
def test_no_such_tag(repository: Repository, tmp_path: Path, tag: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        fetch(app(tmp_path, repository.bare, tag), tmp_path)
    assert list((tmp_path / ".skerry/sources/quotes").iterdir()) == []


@pytest.mark.parametrize(
    ("git", "message"),
    [
        ("nowhere/x.git", "there is no git repository at nowhere/x.git"),
        ("http://127.0.0.1:1/x.git", "cannot be reached: .*"),
    ],
)
def test_no_such_repository(tmp_path: Path, git: str, message: str) -> None:
    with pytest.raises(SourceError, match=f"^quotes: .*{message}"):
        fetch(app(tmp_path, git, "v1"), tmp_path)


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"git is not installed .*apt-get install git"):
        fetch(app(tmp_path, "x", "v1"), tmp_path)


@pytest.mark.parametrize("tag", ["v1.2", "release/2.0"])
def test_a_tag_that_moved_is_told_and_not_followed(
    repository: Repository, tmp_path: Path, tag: str
) -> None:
    spec = app(tmp_path, repository.bare, tag)
    before = (fetch(spec, tmp_path) / "app.py").read_text()
    assert moved(spec, tmp_path) is None
    repository.commit("3")
    repository.git("tag", "-f", tag)
    repository.git("push", "-qf", "origin", tag)
    assert f"{tag} has moved from" in (moved(spec, tmp_path) or "")
    assert (fetch(spec, tmp_path) / "app.py").read_text() == before
    repository.git("push", "-q", "--delete", "origin", f"refs/tags/{tag}")
    assert f"has no tag {tag} any more" in (moved(spec, tmp_path) or "")
