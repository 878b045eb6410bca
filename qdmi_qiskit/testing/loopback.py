"""A port on loopback whose connections can be cut at once, for simulated services."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LoopbackServer(ThreadingHTTPServer):
    """The socket, and a thread for each connection; none outlives the process."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        """Bind to a port of 127.0.0.1; 0: the system chooses."""
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), handler)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the resolver for the name of the host.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread."""
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error of the service."""

    def hang_up(self) -> None:
        """Cut every open connection."""
        with self._guard:
            left = tuple(self._connections)
        for connection in left:
            cut(connection)


def cut(connection: socket.socket) -> None:
    """Close both directions, so that the peer notices at once."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
