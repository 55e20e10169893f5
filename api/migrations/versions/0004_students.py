"""The class list of a lesson, by which names of students are masked."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lessons have none yet."""
    op.add_column(
        "lesson", sa.Column("students", sa.Text(), nullable=False, server_default=sa.text("''"))
    )


def downgrade() -> None:
    """As it was: the lists are lost."""
    with op.batch_alter_table("lesson") as batch_op:
        batch_op.drop_column("students")
