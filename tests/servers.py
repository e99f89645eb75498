"""HTTP servers on 127.0.0.1 that serve one small file, well or badly."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT as it should; each subclass misbehaves in one way."""

    ranges: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.send(CONTENT[start:])

    def send(self, body: bytes) -> None:
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


class Truncating(Server):
    """Closes each connection after 40,000 bytes."""

    def send(self, body: bytes) -> None:
        super().send(body[:40_000])


class Silent(Server):
    """Sends headers for the whole file, but no data."""

    def send(self, body: bytes) -> None:
        """Send nothing."""


class IgnoringRange(Server):
    """Ignores Range headers and always sends the whole file."""

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("Range"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.send(CONTENT)


class Wrong(IgnoringRange):
    """Sends another file of the same size."""

    def send(self, body: bytes) -> None:
        super().send(body[::-1])


class Endless(Server):
    """Sends data until the client closes the connection."""

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("Range"))
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(CONTENT)
        except OSError:
            return


class Absent(Server):
    """Responds 404."""

    def do_GET(self) -> None:
        self.ranges.append(None)
        self.send_error(404)


class Shorter(Server):
    """Has a file shorter than the partial download, so that the requested range does not exist."""

    def do_GET(self) -> None:
        self.ranges.append(self.headers.get("Range"))
        self.send_error(416)


@contextmanager
def serving(kind: type[Server]) -> Iterator[tuple[str, list[str | None]]]:
    """Run a server; yield its URL and the list of the ranges requested so far."""
    ranges: list[str | None] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (kind,), {"ranges": ranges}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/toy.bin", ranges
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
