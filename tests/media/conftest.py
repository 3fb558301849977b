"""A real engine, connections to it, and phones."""

from collections.abc import Iterator

import pytest

from tests.media.engine_process import (
    EngineProcess,
    Link,
    Phone,
    running,
)


@pytest.fixture(scope="package")
def engine() -> Iterator[EngineProcess]:
    with running("--verbose") as process:
        process.connect()
        yield process


@pytest.fixture
def link(engine: EngineProcess) -> Iterator[Link]:
    """A greeted connection to an engine without streams."""
    made = engine.connect()
    assert made.ready.streams == []
    yield made
    left = engine.connect()
    left.release(*left.ready.streams)
    engine.close_links(but=left)


@pytest.fixture
def phones() -> Iterator[list[Phone]]:
    made = [Phone() for _ in range(4)]
    yield made
    for phone in made:
        phone.close()
