"""Alembic's entry point: migrate over the connection that engine.py passes in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
