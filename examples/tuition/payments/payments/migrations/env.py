from alembic import context
from payments.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="payments")
