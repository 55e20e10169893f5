"""${message}."""

import sqlalchemy as sa

from alembic import op

import api.columns

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Make the tables those of this version."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Make the tables those of the version before."""
    ${downgrades if downgrades else "pass"}
