from alembic import context
from compliance.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="compliance")
