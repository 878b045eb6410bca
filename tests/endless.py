"""A service whose answers never end, plain or compressed; it counts what it could send."""

from __future__ import annotations

import threading
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 16


@contextmanager
def endless(*, compressed=False, begin=b"["):
    """Yield the URL of a service, and a list with the bytes that it sent to each request."""
    sent = []

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            place = len(sent)
            sent.append(0)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            if compressed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            packer = zlib.compressobj(9, wbits=31)
            content, blank = begin, b" " * PIECE
            try:
                while True:
                    body = content
                    if compressed:
                        body = packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH)
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
                    sent[place] += len(body)
                    content = blank
            except OSError:  # hung up
                self.close_connection = True

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_given):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
