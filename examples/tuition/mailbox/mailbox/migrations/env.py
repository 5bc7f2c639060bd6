from mailbox.models import Base

from alembic import context

from skerry.data.migrations import run

run(context, Base.metadata, app="mailbox")
