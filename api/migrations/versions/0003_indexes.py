"""Indexes for what lists ask: two figures of some lessons, lessons with a run in some state."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The index of two columns takes the place of that of one."""
    op.create_index("ix_figure_lesson_name", "figure", ["lesson_id", "name"])
    op.drop_index("ix_figure_lesson_id", "figure")
    op.create_index("ix_run_state_lesson", "run", ["state", "lesson_id"])
    op.drop_index("ix_run_state", "run")


def downgrade() -> None:
    """As it was."""
    op.create_index("ix_run_state", "run", ["state"])
    op.drop_index("ix_run_state_lesson", "run")
    op.create_index("ix_figure_lesson_id", "figure", ["lesson_id"])
    op.drop_index("ix_figure_lesson_name", "figure")
