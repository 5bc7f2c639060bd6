from alembic import context
from payouts.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="payouts")
