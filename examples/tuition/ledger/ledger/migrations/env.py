from alembic import context
from ledger.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="ledger")
