"""The rules of `api.rules` once more, in PostgreSQL; and an audit that is append-only in both.

Policies read two settings that `api.scope` makes at the start of each transaction: observer.user
and, for the service itself, observer.system. Without either no row is seen. Every function below
looks at its tables as the service does, and hands back identifiers only: a policy that reads
another table's rows goes through that table's own policy, which must not come back to the first
(0006 lets some do so). The fence holds
against forgotten conditions, not against somebody who may run SQL of their own; and only for a
role that is no superuser, which `Database.ready` sees to. ``(SELECT f())`` asks a function once
for a statement, ``f()`` would ask it for each row.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ME = "(SELECT observer_user())"
LISTS = {
    "my_schools": f"""
        SELECT m.school_id FROM membership m
        WHERE m.user_id = {ME} AND m.school_id IS NOT NULL""",
    "staff_districts": f"""
        SELECT m.district_id FROM membership m
        WHERE m.user_id = {ME} AND m.district_id IS NOT NULL""",
    "home_districts": """
        SELECT observer_staff_districts()
        UNION SELECT s.district_id FROM school s WHERE s.id IN (SELECT observer_my_schools())""",
    "home_schools": """
        SELECT observer_my_schools()
        UNION SELECT s.id FROM school s
        WHERE s.district_id IN (SELECT observer_staff_districts())""",
    "reached_districts": f"""
        SELECT observer_staff_districts()
        UNION SELECT s.district_id FROM school s JOIN membership m ON m.school_id = s.id
        WHERE m.user_id = {ME} AND m.position IN ('leader', 'researcher')""",
    "owned_lessons": f"""
        SELECT l.id FROM lesson l
        WHERE l.teacher_id = {ME} OR l.uploader_id = {ME}""",
    "shareable_lessons": f"""
        SELECT l.id FROM lesson l WHERE coalesce(l.teacher_id, l.uploader_id) = {ME}""",
    "shared_lessons": f"""
        SELECT s.lesson_id FROM share s
        WHERE s.user_id = {ME} OR s.school_id IN (SELECT observer_my_schools())
        OR s.district_id IN (SELECT observer_reached_districts())""",
    "seen_lessons": """
        SELECT observer_owned_lessons() UNION SELECT observer_shared_lessons()""",
    "seen_runs": """
        SELECT r.id FROM run r WHERE r.lesson_id IN (SELECT observer_seen_lessons())""",
    "owned_runs": """
        SELECT r.id FROM run r WHERE r.lesson_id IN (SELECT observer_owned_lessons())""",
    "seen_schools": """
        SELECT s.id FROM school s WHERE s.district_id IN (SELECT observer_home_districts())
        UNION SELECT l.school_id FROM lesson l WHERE l.id IN (SELECT observer_seen_lessons())""",
    "known_people": """
        SELECT m.user_id FROM membership m
        WHERE m.school_id IN (SELECT observer_home_schools())
        OR m.district_id IN (SELECT observer_home_districts())
        UNION SELECT unnest(ARRAY[l.teacher_id, l.uploader_id]) FROM lesson l
        WHERE l.id IN (SELECT observer_seen_lessons())
        UNION SELECT s.user_id FROM share s WHERE s.lesson_id IN (SELECT observer_owned_lessons())
        """,
    "my_webhooks": f"""
        SELECT w.id FROM webhook w WHERE w.user_id = {ME}""",
}
"""In the order of their dependence."""

SEEN = "lesson_id IN (SELECT observer_seen_lessons())"
OWNED = "lesson_id IN (SELECT observer_owned_lessons())"
MINE = f"user_id = {ME}"
ADMINISTRATOR = "(SELECT observer_administrator())"
OWN_LESSON = f"teacher_id = {ME} OR uploader_id = {ME}"
HOME = "school_id IN (SELECT observer_home_schools())"
POLICIES = {
    "district": ("true", ADMINISTRATOR),
    "school": (f"{ADMINISTRATOR} OR id IN (SELECT observer_seen_schools())", ADMINISTRATOR),
    "person": (
        f"id = {ME} OR {ADMINISTRATOR} OR id IN (SELECT observer_known_people())",
        f"id = {ME} OR {ADMINISTRATOR}",
    ),
    "membership": (
        f"{MINE} OR {ADMINISTRATOR} OR {HOME} OR district_id IN (SELECT observer_home_districts())",
        ADMINISTRATOR,
    ),
    # PostgreSQL deletes only what may be seen, and an administrator signs others out.
    "signin": (f"{MINE} OR {ADMINISTRATOR}", f"{MINE} OR {ADMINISTRATOR}"),
    "apitoken": (f"{MINE} OR {ADMINISTRATOR}", f"{MINE} OR {ADMINISTRATOR}"),
    "invitation": (ADMINISTRATOR, ADMINISTRATOR),
    "failedsignin": ("false", "false"),
    "consent": (
        f"created_by = {ME} OR {HOME}",
        f"created_by = {ME} AND {HOME}",
    ),
    "lesson": (f"{OWN_LESSON} OR id IN (SELECT observer_shared_lessons())", OWN_LESSON),
    "recording": (SEEN, OWNED),
    "upload": (MINE, MINE),
    "batch": (MINE, MINE),
    "run": (SEEN, OWNED),
    "step": (
        "run_id IN (SELECT observer_seen_runs())",
        "run_id IN (SELECT observer_owned_runs())",
    ),
    "figure": (SEEN, OWNED),
    "worker": (ADMINISTRATOR, "false"),
    "share": (
        f"{OWNED} OR {MINE} OR school_id IN (SELECT observer_my_schools())"
        " OR district_id IN (SELECT observer_reached_districts())",
        "lesson_id IN (SELECT observer_shareable_lessons())",
    ),
    "webhook": (MINE, MINE),
    "delivery": ("webhook_id IN (SELECT observer_my_webhooks())", "false"),
    "idempotencykey": (MINE, MINE),
    "removal": ("true", "true"),
    "auditentry": (
        f"actor_id = {ME} OR {ADMINISTRATOR} OR {OWNED}",
        f"actor_id = {ME}",
    ),
}
"""Who sees a row of a table, who may write one; what the service itself may is added below."""

APPEND_ONLY_SQLITE = {
    "no_update": "BEFORE UPDATE ON auditentry",
    "no_delete": "BEFORE DELETE ON auditentry",
    # INSERT OR REPLACE deletes without telling the trigger above.
    "no_replace": "BEFORE INSERT ON auditentry"
    " WHEN EXISTS (SELECT 1 FROM auditentry WHERE id = NEW.id)",
}


def upgrade() -> None:
    """Policies and triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for name, when in APPEND_ONLY_SQLITE.items():
            op.execute(
                f"CREATE TRIGGER auditentry_{name} {when}"
                " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )
        return
    _functions()
    for table, (sees, writes) in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        add_policies(table, sees, writes)
    op.execute(
        "CREATE FUNCTION observer_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    for name, when in (("row", "UPDATE OR DELETE"), ("statement", "TRUNCATE")):
        op.execute(
            f"CREATE TRIGGER auditentry_no_{name} BEFORE {when} ON auditentry"
            f" FOR EACH {name} EXECUTE FUNCTION observer_append_only()"
        )


def add_policies(table: str, sees: str, writes: str) -> None:
    """Who sees a row of this table and who may write one, beside the service itself."""
    for name, command, rule in (
        ("sees", "SELECT USING", sees),
        ("adds", "INSERT WITH CHECK", writes),
        ("changes", "UPDATE USING", writes),
        ("removes", "DELETE USING", writes),
    ):
        op.execute(
            f"CREATE POLICY {name} ON {table} FOR {command}"
            f" ((SELECT observer_system()) OR ({rule}))"
        )


def _functions() -> None:
    op.execute(
        "CREATE FUNCTION observer_system() RETURNS boolean LANGUAGE sql STABLE AS"
        " $$ SELECT coalesce(current_setting('observer.system', true), '') = 'on' $$"
    )
    op.execute(
        "CREATE FUNCTION observer_user() RETURNS varchar LANGUAGE sql STABLE AS"
        " $$ SELECT nullif(current_setting('observer.user', true), '')::varchar $$"
    )
    for name, query in LISTS.items():
        add_list(name, query)
    _as_the_service(
        "administrator",
        "boolean",
        "found_one := EXISTS (SELECT 1 FROM membership m"
        " WHERE m.user_id = (SELECT observer_user()) AND m.position = 'administrator');",
        result="found_one",
    )


def add_list(name: str, query: str) -> None:
    """A function that lists identifiers."""
    _as_the_service(name, "SETOF varchar", f"RETURN QUERY {query};", rows="ROWS 100")


def _as_the_service(name: str, kind: str, work: str, *, result: str = "", rows: str = "") -> None:
    """A function that sees all rows while it works, and what it saw before when it is done."""
    op.execute(
        f"CREATE FUNCTION observer_{name}() RETURNS {kind} LANGUAGE plpgsql STABLE {rows}"
        " SET search_path FROM CURRENT AS $$"
        " DECLARE was text := coalesce(current_setting('observer.system', true), '');"
        " found_one boolean;"
        " BEGIN PERFORM set_config('observer.system', 'on', true);"
        f" {work} PERFORM set_config('observer.system', was, true); RETURN {result}; END $$"
    )


def downgrade() -> None:
    """Without policies and triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for name in APPEND_ONLY_SQLITE:
            op.execute(f"DROP TRIGGER auditentry_{name}")
        return
    for name in ("row", "statement"):
        op.execute(f"DROP TRIGGER auditentry_no_{name} ON auditentry")
    op.execute("DROP FUNCTION observer_append_only()")
    for table in POLICIES:
        for name in ("sees", "adds", "changes", "removes"):
            op.execute(f"DROP POLICY {name} ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for name in ("administrator", *reversed(LISTS), "user", "system"):
        op.execute(f"DROP FUNCTION observer_{name}()")
