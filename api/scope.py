"""The hooks that hold a person's session to the rules of `api.rules`; they fail closed.

Each SELECT is narrowed to the rows that the person sees, each UPDATE and DELETE to those they may
write, and the rows of every flush are looked at in the database before and after they are
written. A session without a person, raw SQL, and a table that is used past its class are refused
with `ScopeError`. PostgreSQL says the same rules once more as row-level security
(`api/migrations`).
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    Alias,
    BindParameter,
    ColumnElement,
    Connection,
    SelectBase,
    Table,
    TextClause,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.orm import (
    ORMExecuteState,
    SessionTransaction,
    UOWTransaction,
    UserDefinedOption,
)
from sqlalchemy.orm import Session as AnySession
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.util import ClauseAdapter
from sqlalchemy.sql.visitors import replacement_traverse
from sqlmodel import Session, SQLModel

from api.access import FEW, Actor
from api.problems import NotAllowedError, not_found
from api.rules import IN_BULK, OWNERSHIP, RULES, Rule, at_home, nobody, shareable
from api.tables import AuditEntry, Lesson

ACTOR, REASON, REQUEST = "actor", "system", "request_id"
"""Keys of `Session.info`: who asks, or why nobody has to; and for which request."""


class ScopeError(RuntimeError):
    """A statement that cannot be narrowed to a person: a mistake in the program, never answered."""


class ScopedSession(Session):
    """A session that cannot do what goes past the flush, which is where rows are looked at."""

    def bulk_save_objects(self, *_: Any, **__: Any) -> None:
        """Refused: it goes past the scope."""
        raise ScopeError("bulk operations go past the scope; use add()")

    bulk_insert_mappings = bulk_update_mappings = bulk_save_objects


def _actor(session: AnySession) -> Actor | None:
    """Who asks; None in a system session. Raises ScopeError in a session of neither."""
    actor = session.info.get(ACTOR)
    if isinstance(actor, Actor):
        return actor
    if session.info.get(REASON):
        return None
    raise ScopeError("a session without an actor: use Database.session or Database.system")


class _Narrowed(LoaderCriteriaOption):
    """`with_loader_criteria` whose condition also fits an alias that is joined by hand.

    SQLAlchemy 2.1 adapts the condition to an alias in FROM and leaves it as it is in the ON of
    ``join(alias, condition)``, which would narrow the wrong table.
    """

    __slots__ = ()
    # The same key as the parent's: the adapted condition keeps the parent's parameters.
    _traverse_internals = LoaderCriteriaOption._traverse_internals

    def _resolve_where_criteria(self, ext_info: Any) -> ColumnElement[bool]:
        condition = replacement_traverse(super()._resolve_where_criteria(ext_info), {}, _as_it_was)
        if not ext_info.is_aliased_class:
            return condition
        adapted: ColumnElement[bool] = ClauseAdapter(ext_info.selectable).traverse(condition)
        return adapted


def _as_it_was(element: Any, **_: Any) -> Any:
    """A parameter without the mark of its condition. SQLAlchemy keeps parameters in dictionaries,
    where a marked one has the hash of its original and is told from it by building `a = b` as SQL:
    a quarter of what a statement cost."""
    marked = isinstance(element, BindParameter) and element._annotations
    return element._deannotate() if marked else None


class _Seen(UserDefinedOption):
    """Marks a narrowed statement: a bulk UPDATE has its rows fetched by a SELECT made of itself."""

    propagate_to_loaders = False


@event.listens_for(AnySession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    """Put the rules of every table in the statement on it."""
    actor = _actor(state.session)
    if actor is None or any(isinstance(o, _Seen) for o in state.user_defined_options):
        return
    if not state.is_orm_statement or state.is_insert:
        raise ScopeError("only ORM statements, and add() for new rows, in a person's session")
    writing = state.is_update or state.is_delete
    kinds = _kinds(state.statement)
    if writing:
        _may_change_in_bulk(actor, state)
    targets = _targets(state) if writing else set()
    few = state.execution_options.items() >= FEW.items()
    ordered: list[Any] = sorted(kinds, key=lambda kind: kind.__name__)
    state.statement = state.statement.options(
        _Seen(), *(_narrowed(actor, kind, writing=kind in targets, few=few) for kind in ordered)
    )


@lru_cache(maxsize=2048)
def _narrowed(actor: Actor, kind: type[Any], *, writing: bool, few: bool) -> _Narrowed:
    """The condition on `kind`. It says nothing but what `actor` does, so it is kept for the next
    request of the same actor: building it is dearer than the query itself."""
    rule = _rule(kind, writing=writing, few=few)
    return _Narrowed(kind, rule(actor, kind), include_aliases=True)


def _targets(state: ORMExecuteState) -> set[type[Any]]:
    return {mapper.class_ for mapper in state.all_mappers}


def _may_change_in_bulk(actor: Actor, state: ORMExecuteState) -> None:
    if "write" not in actor.scopes:
        raise _read_only()
    if state.is_update and not _targets(state) <= IN_BULK:
        raise ScopeError("load the rows and change them: their owners are checked at the flush")


def _rule(kind: type[Any], *, writing: bool, few: bool = False) -> Rule:
    rules = RULES.get(kind)
    if rules is None:
        return nobody
    if writing:
        return rules.writes
    return rules.sees_of_few or rules.sees if few else rules.sees


def _kinds(statement: Any) -> set[type[Any]]:
    """The table classes that a statement reads, subqueries included. Raises ScopeError."""
    kinds: set[type[Any]] = set()
    levels, known = [statement], {id(statement)}
    while levels:
        read, inner = _level(levels.pop())
        kinds |= read
        levels += [s for s in inner if id(s) not in known]
        known |= {id(s) for s in inner}
    return kinds


def _level(select: Any) -> tuple[set[type[Any]], list[Any]]:
    """The classes that one SELECT names itself, and the SELECTs within it.

    Raises ScopeError for raw SQL, and for a table that no element of this SELECT names by its
    class: SQLAlchemy would not narrow it.
    """
    kinds, named, bare, inner = set(), set(), set(), []
    waiting, known = list(select.get_children()), set()
    while waiting:
        element = waiting.pop()
        if id(element) in known:
            continue
        known.add(id(element))
        if isinstance(element, TextClause) or _is_raw(element):
            raise ScopeError("raw SQL cannot be narrowed: write it with the table classes")
        if isinstance(element, SelectBase):
            inner.append(element)
            continue
        source = element.table if isinstance(element, ColumnClause) else element
        entity = element._annotations.get("parententity")
        if entity is not None:
            kinds.add(entity.mapper.class_)
            named.add(source)
        elif _is_ours(source):
            bare.add(source)
        if source is not None and not _is_ours(source):
            waiting += [source, *source.get_children()]
    if bare - named:
        raise ScopeError(f"use the classes of {[str(b) for b in bare - named]}, not the tables")
    return kinds, inner


def _is_raw(element: Any) -> bool:
    """A literal column other than the star of count(*): it could hold a SELECT of its own."""
    return isinstance(element, ColumnClause) and element.is_literal and element.name != "*"


def _is_ours(source: Any) -> bool:
    """A table of the service, or an alias of one."""
    table = source.element if isinstance(source, Alias) else source
    return isinstance(table, Table) and table.metadata is SQLModel.metadata


@event.listens_for(AnySession, "before_flush")
def _before(session: AnySession, _context: UOWTransaction, _instances: Any) -> None:
    """What is changed or deleted must be the actor's to write as it stands in the database."""
    actor = _actor(session)
    if actor is None:
        return
    changed = [row for row in session.dirty if session.is_modified(row)]
    gone = list(session.deleted)
    written = [r for r in (*session.new, *changed, *gone) if not isinstance(r, AuditEntry)]
    if written and "write" not in actor.scopes:
        raise _read_only()
    connection = session.connection()
    take_the_pen(connection)
    _must_hold(connection, actor, [*changed, *gone], lambda kind: _rule(kind, writing=True))
    moved = [r for r in changed if isinstance(r, Lesson) and _changes(r) & set(OWNERSHIP)]
    _must_hold(connection, actor, moved, lambda _: shareable)
    session.info["_written"] = [*session.new, *changed]


@event.listens_for(AnySession, "after_flush")
def _after(session: AnySession, _context: UOWTransaction) -> None:
    """What was written must be the actor's to write as it stands now."""
    actor = _actor(session)
    if actor is None:
        return
    rows = session.info.pop("_written", [])
    _must_hold(session.connection(), actor, rows, lambda kind: _rule(kind, writing=True))
    placed = [
        r
        for r in rows
        if isinstance(r, Lesson) and (r in session.new or "school_id" in _changes(r))
    ]
    _must_hold(session.connection(), actor, placed, lambda _: at_home)


def _must_hold(
    connection: Connection,
    actor: Actor,
    rows: Iterable[Any],
    rule_of: Callable[[type[Any]], Rule],
) -> None:
    """Every row is in the database and satisfies its rule. Raises NotFoundError."""
    keys: dict[type[Any], set[Any]] = {}
    for row in rows:
        keys.setdefault(type(row), set()).add(_key(row))
    for kind, wanted in keys.items():
        table = SQLModel.metadata.tables[kind.__tablename__]
        primary = next(iter(table.primary_key))
        statement = select(func.count()).select_from(table)
        found = connection.scalar(
            statement.where(primary.in_(sorted(wanted)), rule_of(kind)(actor, table.c))
        )
        if found != len(wanted):
            raise not_found()


def _key(row: Any) -> Any:
    """The primary key as the database has it: a changed key would be looked for in vain."""
    state = inspect(row)
    return state.identity[0] if state.identity else state.mapper.primary_key_from_instance(row)[0]


def _changes(row: Any) -> set[str]:
    """Names of the columns that a row changes in this flush."""
    return {a.key for a in inspect(row).attrs if a.history.has_changes()}


def _read_only() -> NotAllowedError:
    return NotAllowedError(
        en="This token may only read. Make one with the scope “write”.",
        zh="此令牌只能读取。请创建带有“write”权限的令牌。",
    )


@event.listens_for(AnySession, "after_begin")
def _tell_postgres(
    session: AnySession, _transaction: SessionTransaction, connection: Connection
) -> None:
    """Row-level security reads these; they end with the transaction."""
    actor = _actor(session)
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(
                "SELECT set_config('observer.user', :who, true),"
                " set_config('observer.system', :system, true)"
            ),
            {"who": actor.user_id if actor else "", "system": "" if actor else "on"},
        )


def take_the_pen(connection: Connection) -> None:
    """Become SQLite's one writer now, so that nothing changes between a check and the write.

    Python's sqlite3 would begin the transaction with the first INSERT, after the checks.
    """
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite" and not raw.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
