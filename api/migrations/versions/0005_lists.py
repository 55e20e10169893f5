"""Indexes that answer by themselves: lessons shared with somebody, states of a lesson's runs."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = {
    "share": {
        "ix_share_user_lesson": ("ix_share_user_id", ["user_id", "lesson_id"]),
        "ix_share_school_lesson": ("ix_share_school_id", ["school_id", "lesson_id"]),
        "ix_share_district_lesson": ("ix_share_district_id", ["district_id", "lesson_id"]),
    },
    "run": {"ix_run_newest": ("ix_run_lesson_id", ["lesson_id", "created", "state"])},
}
"""Table → index → (that of its first column, whose place it takes; its columns)."""


def upgrade() -> None:
    """An index of several columns for each of one."""
    for table, indexes in TABLES.items():
        for name, (old, columns) in indexes.items():
            op.create_index(name, table, columns)
            op.drop_index(old, table)


def downgrade() -> None:
    """As it was."""
    for table, indexes in TABLES.items():
        for name, (old, columns) in indexes.items():
            op.create_index(old, table, columns[:1])
            op.drop_index(name, table)
