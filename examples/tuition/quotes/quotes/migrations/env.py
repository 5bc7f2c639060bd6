from alembic import context
from quotes.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="quotes")
