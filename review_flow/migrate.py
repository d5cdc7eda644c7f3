"""Bring a database to the schema of this version.

Alembic is imported only where something is migrated: every command asks `is_current`, and Alembic takes half a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from review_flow.errors import Refusal
from review_flow.i18n import _

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

AUDIT, REVISION = "audit_event", "alembic_version"
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def config() -> Config:
    """Return Alembic's configuration; the migrations lie beside the packages."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate up to a revision."""
    from alembic import command

    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrate down to a revision ("base" removes every table)."""
    from alembic import command

    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.downgrade(made, revision)


def newest() -> str:
    """Return the newest revision: a migration's file is named by its number, and each follows the one before."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def is_current(engine: Engine) -> bool:
    """Whether the database stands at the newest revision."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return list(connection.scalars(text("SELECT version_num FROM alembic_version"))) == [newest()]


class NoSuchRole(Refusal):
    """An account of PostgreSQL that must be made first, by whoever rules it."""

    status, text = (
        404,
        _("数据库里没有账户“{role}”（只有 PostgreSQL 有账户）。请先建立：CREATE ROLE {role} LOGIN PASSWORD '…'"),
    )


class RoleTooMighty(Refusal):
    """Who owns the tables, or rules the server, can be held to nothing."""

    status, text = 409, _("账户“{role}”是表的所有者或超级用户，限制不了。请另建一个普通账户。")


class RoleStillMighty(Refusal):
    """Something else lets an account do what was just taken from it: the tables' owner can't change that."""

    status, text = (
        409,
        _("账户“{role}”仍能建表或改动审计记录，所以没有授权。请以数据库管理员身份运行 {remedy} 再运行一次 migrate。"),
    )


def grant(engine: Engine, *, role: str) -> None:
    """Let an account of PostgreSQL work on the rows, and on nothing else; what it might before is taken back.

    Of the audit trail it may read and add, never change or delete; it makes, alters and drops no table. For the
    owner's account, after every migration. What another grant leaves it with is looked at in the end.
    Raises NoSuchRole, RoleTooMighty, RoleStillMighty.
    """
    if engine.dialect.name != "postgresql":
        raise NoSuchRole(role=role)
    name = engine.dialect.identifier_preparer.quote(role)
    with engine.begin() as connection:
        known = connection.execute(text("SELECT oid, rolsuper FROM pg_roles WHERE rolname = :role"), {"role": role})
        found = known.one_or_none()
        if found is None:
            raise NoSuchRole(role=role)
        if found.rolsuper or _owns(connection, role):
            raise RoleTooMighty(role=role)
        schema = engine.dialect.identifier_preparer.quote(str(connection.scalar(text("SELECT current_schema()"))))
        for statement in (
            f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}",
            f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {name}",
            f"GRANT USAGE ON SCHEMA {schema} TO {name}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {name}",
            f"REVOKE UPDATE, DELETE ON {AUDIT} FROM {name}",
            f"REVOKE INSERT, UPDATE, DELETE ON {REVISION} FROM {name}",
            f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {AUDIT}, {REVISION} FROM PUBLIC",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {name}",
        ):
            connection.exec_driver_sql(statement)
        _require_held(connection, role, name=name, schema=schema)


def _require_held(connection: Connection, role: str, *, name: str, schema: str) -> None:
    """Raise RoleStillMighty where an account may, by whatever way, what `grant` promises that it may not.

    The schema may be another's (PostgreSQL before 15 lets everybody make tables in `public`), and who is a member of
    others may what they may.
    """
    mighty = text(
        "SELECT has_schema_privilege(:role, current_schema(), 'CREATE')"
        " OR has_table_privilege(:role, :audit, 'UPDATE, DELETE, TRUNCATE')"
        " OR has_table_privilege(:role, :revision, 'INSERT, UPDATE, DELETE, TRUNCATE')"
    )
    if not connection.scalar(mighty, {"role": role, "audit": AUDIT, "revision": REVISION}):
        return
    groups = connection.scalars(
        text("SELECT quote_ident(pg_get_userbyid(roleid)) FROM pg_auth_members WHERE pg_get_userbyid(member) = :role"),
        {"role": role},
    )
    remedies = [f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {name};"]
    remedies += [f"REVOKE {group} FROM {name};" for group in sorted(groups)]
    raise RoleStillMighty(role=role, remedy=" ".join(remedies))


def _owns(connection: Connection, role: str) -> bool:
    """Whether an account, by itself or as a member of others, is the owner of the audit trail."""
    owner = text("SELECT pg_has_role(:role, relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass(:audit)")
    return bool(connection.scalar(owner, {"role": role, "audit": AUDIT}))


def may_alter(engine: Engine) -> bool:
    """Whether our own account could change the audit trail's table: only the one that migrates needs to."""
    if engine.dialect.name != "postgresql":
        return False
    with engine.connect() as connection:
        return _owns(connection, str(connection.scalar(text("SELECT current_user"))))
