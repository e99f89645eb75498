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

    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
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
        """Say nothing."""


class Truncating(Server):
    """Breaks off after 40,000 bytes, each time."""

    def send(self, body: bytes) -> None:
        super().send(body[:40_000])


class Silent(Server):
    """Promises everything and sends nothing."""

    def send(self, body: bytes) -> None:
        """Send nothing."""


class IgnoringRange(Server):
    """Always answers with the whole file."""

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.send(CONTENT)


class Wrong(IgnoringRange):
    """Sends another file of the same length."""

    def send(self, body: bytes) -> None:
        super().send(body[::-1])


class Endless(Server):
    """Goes on for as long as it is listened to."""

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range"))
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(CONTENT)
        except OSError:
            return


class Absent(Server):
    """Has no such file."""

    def do_GET(self) -> None:
        self.asked.append(None)
        self.send_error(404)


class Shorter(Server):
    """Holds less than what is already here."""

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Range"))
        self.send_error(416)


@contextmanager
def serving(kind: type[Server]) -> Iterator[tuple[str, list[str | None]]]:
    """Run a server; yield its URL and the list of the ranges requested so far."""
    asked: list[str | None] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (kind,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/toy.bin", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
