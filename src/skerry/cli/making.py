"""Verbs that write files: init, new fleet, new app."""

from __future__ import annotations

from pathlib import Path

from .output import fail, note
from .place import fleet_file


def init(folder: str, overwrite: bool) -> int:
    from skerry.fleet.importer import write_fleet

    place = Path(folder)
    if not place.is_dir():
        fail(f"{folder}: there is no such folder")
    imported = write_fleet(place, overwrite)
    print(f"wrote {place / 'fleet.toml'} from {imported.source}")
    for line in imported.notes:
        note(f"note: {line}")
    print("`skerry up` runs it")
    return 0


def new_fleet(name: str) -> int:
    from skerry.fleet.scaffold import new_fleet as make

    file = make(Path(name))
    print(f"wrote {file}\nnext: cd {name} && skerry new app NAME")
    return 0


def new_app(file: str, name: str) -> int:
    from skerry.fleet.scaffold import new_app as make

    folder = make(fleet_file(file).parent, name)
    print(f"wrote {folder}, and added {name} to the fleet\nnext: skerry up")
    return 0
