"""Policies that ask about the rows a statement reads. Those of 0002 listed whatever a person may
see, for every statement anew: 8 ms for somebody who sees two thousand lessons.

They say the same. PostgreSQL puts the policy of a table also on a policy's own look at it, so who
looks for a share finds one that reaches them; and a list is made only where the conditions before
it in an OR do not hold.
"""

from importlib import import_module

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

before = import_module("api.migrations.versions.0002_row_security")
ME, ADMINISTRATOR, MINE = before.ME, before.ADMINISTRATOR, before.MINE

MY_LESSON = f"l.teacher_id = {ME} OR l.uploader_id = {ME}"
OWNED = f"EXISTS (SELECT 1 FROM lesson l WHERE l.id = {{table}}.lesson_id AND ({MY_LESSON}))"
SHARED = "EXISTS (SELECT 1 FROM share s WHERE s.lesson_id = {table}.lesson_id)"
POLICIES = {
    "school": (
        f"{ADMINISTRATOR} OR district_id IN (SELECT observer_home_districts())"
        " OR id IN (SELECT observer_seen_schools())",
        ADMINISTRATOR,
    ),
    "person": (
        f"id = {ME} OR {ADMINISTRATOR}"
        " OR EXISTS (SELECT 1 FROM membership m WHERE m.user_id = person.id)"
        " OR id IN (SELECT observer_known_people())",
        f"id = {ME} OR {ADMINISTRATOR}",
    ),
    "recording": (f"{OWNED} OR {SHARED}", OWNED),
    "run": (f"{OWNED} OR {SHARED}", OWNED),
    "figure": (f"{OWNED} OR {SHARED}", OWNED),
    "step": (
        "EXISTS (SELECT 1 FROM run r WHERE r.id = {table}.run_id)",
        "EXISTS (SELECT 1 FROM run r JOIN lesson l ON l.id = r.lesson_id"
        f" WHERE r.id = {{table}}.run_id AND ({MY_LESSON}))",
    ),
    # What one owns comes from a function: the policy of lesson looks at shares.
    "share": (
        f"{MINE} OR school_id IN (SELECT observer_my_schools())"
        f" OR district_id IN (SELECT observer_reached_districts()) OR {before.OWNED}",
        before.POLICIES["share"][1],
    ),
}
"""Who sees a row, who may write one; the other tables stay as they are."""
NEEDLESS = ("owned_runs", "seen_runs")
"""Functions that no policy asks any more."""


def upgrade() -> None:
    """Other policies for these tables."""
    if op.get_bind().dialect.name == "sqlite":
        return
    _replace(POLICIES)
    for name in NEEDLESS:
        op.execute(f"DROP FUNCTION observer_{name}()")


def downgrade() -> None:
    """As it was."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for name in NEEDLESS:
        before.add_list(name, before.LISTS[name])
    _replace({table: before.POLICIES[table] for table in POLICIES})


def _replace(policies: dict[str, tuple[str, str]]) -> None:
    for table, (sees, writes) in policies.items():
        for name in ("sees", "adds", "changes", "removes"):
            op.execute(f"DROP POLICY {name} ON {table}")
        before.add_policies(table, sees.format(table=table), writes.format(table=table))
