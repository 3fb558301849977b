from tests.api.conftest import exchange, folder, port, server

__all__ = ["exchange", "folder", "port", "server"]
