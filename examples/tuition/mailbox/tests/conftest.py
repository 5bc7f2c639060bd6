from __future__ import annotations

import sys
from pathlib import Path

from skerry.data.fixtures import fresh_database

APP = Path(__file__).parents[1]
sys.path.insert(0, str(APP))

database = fresh_database("mailbox", APP / "mailbox" / "migrations")
