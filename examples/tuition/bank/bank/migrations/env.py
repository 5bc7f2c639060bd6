from alembic import context
from bank.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="bank")
