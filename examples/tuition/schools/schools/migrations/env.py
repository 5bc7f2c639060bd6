from alembic import context
from schools.models import Base

from skerry.data.migrations import run

run(context, Base.metadata, app="schools")
