"""Databases as older versions have left them."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def migrations() -> Config:
    """Where the migrations are."""
    config = Config()
    config.set_main_option("script_location", "pbx.store:migrations")
    return config


def revisions() -> list[str]:
    """All revisions, the first one first."""
    found = ScriptDirectory.from_config(migrations()).walk_revisions()
    return [one.revision for one in found][::-1]


def bring_to(engine: Engine, revision: str) -> None:
    """Make an empty database what it was at a revision."""
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
