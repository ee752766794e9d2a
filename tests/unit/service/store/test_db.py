import os

from sqlalchemy import text

from store.db import Database
from store.settings import Settings


def test_a_forked_child_does_not_use_its_parents_connections(settings: Settings) -> None:
    database = Database(settings.database_url)
    with database.engine().connect() as connection:
        inherited = connection.connection.dbapi_connection
    child = os.fork()
    if child == 0:
        status = 2
        try:
            with database.engine().connect() as connection:
                status = int(connection.connection.dbapi_connection is inherited)
        finally:
            os._exit(status)  # whatever happened: the child must not go on testing
    assert os.waitpid(child, 0)[1] == 0
    with database.engine().connect() as connection:
        assert connection.connection.dbapi_connection is inherited
    database.engine().dispose()


def test_a_reader_does_not_wait_for_a_writer(settings: Settings) -> None:
    database = Database(settings.database_url)
    writer = database.engine().connect().execution_options(write=True)
    with writer, writer.begin(), database.engine().connect() as reader:
        writer.execute(text("UPDATE products SET stock = 7 WHERE sku = 'eggs'"))
        assert reader.scalar(text("SELECT stock FROM products WHERE sku = 'eggs'")) == 250
    database.engine().dispose()
