from __future__ import annotations

import sys
from pathlib import Path

from skerry.data.fixtures import fresh_database

APP = Path(__file__).parents[1]
sys.path[:0] = [str(APP), str(APP / "tests")]

database = fresh_database("compliance", APP / "compliance" / "migrations")
