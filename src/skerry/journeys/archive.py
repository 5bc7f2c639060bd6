"""The last runs of each journey, in a folder: a file each, with its screenshots beside it.

Files and not memory, so that they outlast a restart, and that whoever is not the one who runs
the journeys shows the same.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import IO

import msgspec

from .model import Mark, Result, Screenshot

log = logging.getLogger("skerry.journeys")

_decode = msgspec.json.Decoder(Result).decode


class Archive:
    """Results on disk.

    Args:
        folder: made when there is something to keep.
        keep: runs of each journey; then the oldest go.
    """

    def __init__(self, folder: Path, keep: int = 100) -> None:
        self.folder = folder
        self._keep = keep
        self._marks: dict[str, dict[str, Mark]] = {}

    def journeys(self) -> list[str]:
        """The names of those of which runs are kept."""
        try:
            folders = [one for one in self.folder.iterdir() if one.is_dir()]
        except OSError:
            return []
        return sorted(one.name for one in folders if self._ids(one.name))

    def shots(self, journey: str) -> Path:
        """Where the screenshots of a journey belong."""
        return self.folder / journey

    def add(self, result: Result) -> Result:
        """Keep a run; its screenshots are then named by their files, without the folder."""
        place = self.folder / result.journey
        place.mkdir(parents=True, exist_ok=True)
        result.screenshots = [
            Screenshot(shot.name, shot.step, Path(shot.file).name) for shot in result.screenshots
        ]
        half = place / f".{result.run}"
        half.write_bytes(msgspec.json.encode(result))
        half.replace(place / f"{result.run}.json")
        for run in self._ids(result.journey)[self._keep :]:
            for file in place.glob(f"{run}*"):
                file.unlink(missing_ok=True)
        return result

    def runs(self, journey: str, limit: int | None = None) -> list[Result]:
        """The runs of a journey, newest first."""
        found = (self.run(journey, id) for id in self._ids(journey)[:limit])
        return [result for result in found if result is not None]

    def marks(self, journey: str) -> list[Mark]:
        """All its runs in short, newest first; each file is read once only."""
        known = self._marks.get(journey, {})
        fresh = {}
        for id in self._ids(journey):
            mark = known.get(id) or _mark(self.run(journey, id))
            if mark is not None:
                fresh[id] = mark
        self._marks[journey] = fresh
        return list(fresh.values())

    def run(self, journey: str, id: str) -> Result | None:
        """One run; None if there is none, or what is there cannot be read."""
        file = self.folder / journey / f"{id}.json"
        if not id.isalnum():
            return None
        try:
            return _decode(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s is no run of a journey: %s", file, error)
            return None

    def screenshot(self, journey: str, run: str, name: str) -> bytes | None:
        """A PNG that a run names; None if it names no such file, or that is gone."""
        result = self.run(journey, run)
        if result is None or name not in [shot.file for shot in result.screenshots]:
            return None
        try:
            return (self.folder / journey / name).read_bytes()
        except OSError:
            return None

    def _ids(self, journey: str) -> list[str]:
        """Ids of runs, newest first: they are made of the time."""
        files = (self.folder / journey).glob("[!.]*.json")
        return sorted((file.stem for file in files), reverse=True)


def _mark(run: Result | None) -> Mark | None:
    return None if run is None else Mark(run.run, run.trace, run.started, run.duration, run.ok)


class Lead:
    """Who of several instances that share a folder runs the journeys: one, until it is gone.

    The lock is the kernel's, so it is free in the moment in which its holder dies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None

    def held(self) -> bool:
        """Whether it is this instance; tried again at each call until it is."""
        if self._file is not None:
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / ".lead").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        os.truncate(file.fileno(), 0)
        self._file = file
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
