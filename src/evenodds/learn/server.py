"""The page's own server: its files and one POST, on 127.0.0.1 only.

Another page in the same browser can reach this port, so three things are checked: Host (a name that was pointed at
127.0.0.1 is refused), Origin (another page is refused) and a token that only the address knows that the terminal shows.
"""

import http.server
import json
import secrets
import socket
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .engine import Session

WEB = Path(__file__).parent / "web"
TYPES = {".html": "text/html", ".mjs": "text/javascript", ".css": "text/css"}
FILES = {f"/{path.name}": path for path in sorted(WEB.iterdir()) if path.suffix in TYPES}
MOST_BYTES = 4_000_000
SESSIONS = 8
_POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"


def pack(reply: dict[str, Any]) -> bytes:
    """Write a reply: the length of a JSON head in 8 bytes, the head, and the bytes of its arrays.

    In the head an array is {"at", "shape", "type"}, of float64 or uint8; numbers that are not finite are allowed in
    arrays only, and become null elsewhere.
    """
    head: dict[str, Any] = {}
    blobs, at = [], 0
    for key, value in reply.items():
        if not isinstance(value, np.ndarray):
            head[key] = {"value": plain(value)}
            continue
        array = np.ascontiguousarray(value, value.dtype if value.dtype == np.uint8 else np.float64)
        head[key] = {"at": at, "shape": array.shape, "type": str(array.dtype)}
        blob = array.tobytes()
        blobs.append(blob + b"\0" * (-len(blob) % 8))
        at += len(blobs[-1])
    text = json.dumps(head, allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(blobs)


def plain(value: object) -> Any:
    """Return a value as JSON has it: no arrays' numbers, and null for what is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


METHODS: dict[str, Callable[..., dict[str, Any]]] = {
    name: getattr(Session, name)
    for name in (
        *("hello", "set_points", "csv", "begin", "more", "paint", "by_hand", "guess", "values", "surface", "trace"),
        *("culprit", "measure", "compare"),
    )
}


class Server(http.server.ThreadingHTTPServer):
    """The server of one command: a token, and a session for each page that is open."""

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        self.lock = threading.Lock()
        self.sessions: OrderedDict[str, Session] = OrderedDict()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def origin(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def call(self, page: str, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer one call; calls run one after the other."""
        with self.lock:
            session = self.sessions.setdefault(page, Session())
            self.sessions.move_to_end(page)
            while len(self.sessions) > SESSIONS:
                self.sessions.popitem(last=False)
            return METHODS[method](session, **arguments)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Say nothing of a browser that went away."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 600

    def do_GET(self) -> None:
        """Serve a file of the page, by its name in a list: there is no path that leads elsewhere."""
        if not self._host_is_ours():
            return
        path = self.path.split("?")[0]
        file = FILES.get("/index.html" if path == "/" else path)
        if file is None:
            self._send(404, b"There is no such file.", "text/plain")
        else:
            self._send(200, file.read_bytes(), f"{TYPES[file.suffix]}; charset=utf-8")

    def do_POST(self) -> None:
        """Answer a call of the page."""
        if not self._host_is_ours():
            return
        if self.headers.get("Origin") != self.server.origin:
            return self._refuse(403, "This server answers its own page only.")
        if not secrets.compare_digest(self.headers.get("X-Token", "").encode(), self.server.token.encode()):
            return self._refuse(403, "Open the address that the terminal shows: it holds the key of this run.")
        if self.path != "/call":
            return self._refuse(404, "There is no such call.")
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return self._refuse(413, f"A request has at most {MOST_BYTES // 1_000_000} MB.")
        try:
            asked = json.loads(self.rfile.read(int(length)))
            page, method, arguments = str(asked["page"]), asked["method"], dict(asked["arguments"])
            if method not in METHODS:
                return self._refuse(404, "There is no such call.")
            try:
                reply = self.server.call(page, method, arguments)
            except ValueError as refused:  # of the page's wishes or by scratch.py itself: an answer like any other
                reply = {"refused": str(refused)}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return self._refuse(400, str(error) or type(error).__name__)
        self._send(200, pack(reply), "application/octet-stream")

    def _host_is_ours(self) -> bool:
        port = self.server.server_address[1]
        if self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return True
        self._refuse(403, "This server answers at 127.0.0.1 only.")
        return False

    def _refuse(self, status: int, why: str) -> None:
        self.close_connection = True  # what was not read of the request must not be read as the next one
        self._send(status, json.dumps({"error": why}).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the terminal shows the address and errors."""


def open_port(port: int) -> Server:
    """Bind the port; 0 takes a free one.

    Raises
    ------
    OSError
        If another program has it.
    """
    try:
        return Server(port)
    except OSError as error:
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        why = "another program has it; leave --port out for a free one" if taken else error.strerror
        raise OSError(f"port {port} cannot be used: {why}") from None
