"""Pages over HTTP, for browsers of this machine and those that reach it by ssh.

What is asked is read within a few seconds and a few thousand bytes. A name in the Host header that
is not this machine's, as when another site's name was made to point here, gets nothing.
"""

from __future__ import annotations

import base64
import errno
import functools
import getpass
import gzip
import hashlib
import ipaddress
import json
import re
import socket
import socketserver
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from fer_jax.base import console
from fer_jax.base.text import counted
from fer_jax.errors import RunError
from fer_jax.reports import notes
from fer_jax.serving.site import TEXT, Answer, Site

FIRST_PORT, PORTS = 8765, 100
_SECONDS, _SECONDS_TO_SEND = 15.0, 300.0  # for all that a browser sends, and is sent
_MOST_BODY = 1 << 20
_AT_ONCE = 32
_LEAST_PACKED = 2_000  # bytes


class Server(ThreadingHTTPServer):
    """Answers with the pages of a site.

    Args:
        site: what is served.
        host: the address to listen on.
        port: 0 takes any that is free.
        names: more names by which browsers may ask for it.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, site: Site, host: str = "127.0.0.1", port: int = 0, names: Sequence[str] = ()):
        self.site = site
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        own = {host, "localhost", *names} | (set() if _is_loopback(host) else {socket.gethostname(), socket.getfqdn()})
        self.names = {name.lower() for name in own}
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Binds without asking the network for this machine's name, as HTTPServer does."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a question, or hangs up where there are too many already."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers a question, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of browsers that hang up."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def knows(self, host: str | None) -> bool:
        """Returns whether a Host header names this machine: a number always does."""
        name = (host or "").strip().lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        if name in self.names:
            return True
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "fer_jax"
    sys_version = ""
    timeout = _SECONDS

    def setup(self) -> None:
        super().setup()
        # The socket's own time is that of a few bytes; this is that of all of them.
        self._limit = threading.Timer(_SECONDS, self._hang_up)
        self._limit.daemon = True
        self._limit.start()

    def finish(self) -> None:
        self._limit.cancel()
        super().finish()

    def _hang_up(self) -> None:
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def do_GET(self) -> None:
        """Answers with a page or data."""
        self._limit.cancel()
        if not self.server.knows(self.headers.get("Host")):
            return self._refuse(HTTPStatus.FORBIDDEN, "this name is not served; see report --help on --names")
        self._answer(lambda: self.server.site.get(self.path))

    def do_HEAD(self) -> None:
        """Answers as to GET, without the content."""
        self.do_GET()

    def do_POST(self) -> None:
        """Saves notes that a page of ours sends."""
        if not self._is_our_page():
            return self._refuse(HTTPStatus.FORBIDDEN, "notes are saved from the page of their run only")
        length = self.headers.get("Content-Length") or ""
        if not (length.isascii() and length.isdigit()):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "notes come with their length")
        if int(length) > _MOST_BODY:
            most = f"Not saved: notes have at most {notes.MOST_CHARACTERS:,} characters."
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, most)
        try:
            document = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            document = None
        self._limit.cancel()
        if not isinstance(document, dict):
            return self._refuse(HTTPStatus.BAD_REQUEST, "notes come as JSON")
        self._answer(lambda: self.server.site.post(self.path, document))

    def _is_our_page(self) -> bool:
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        return (
            self.server.knows(host)
            and origin in (f"http://{host}", f"https://{host}")
            and self.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
            and self.headers.get_content_type() == "application/json"
        )

    def _answer(self, make: Callable[[], Answer]) -> None:
        try:
            answer = make()
        except Exception:  # a page that fails must not end the others
            traceback.print_exc()
            return self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "this page failed; the terminal says how")
        self._send(answer)

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        self._send(Answer(status, "application/json", json.dumps({"error": words}).encode()))

    def _send(self, answer: Answer) -> None:
        body = answer.body
        self.send_response(answer.status)
        if answer.place:
            self.send_header("Location", answer.place)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD, POST")
        if len(body) >= _LEAST_PACKED and "gzip" in self.headers.get("Accept-Encoding", ""):
            # Over ssh a page comes three times as fast.
            body = gzip.compress(body, 3)
            self.send_header("Content-Encoding", "gzip")
        for name, value in {**_SAFETY, "Content-Security-Policy": _policy(), "Content-Type": answer.kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # The time of a socket is that of a whole answer, which a slow line may need.
        self.connection.settimeout(_SECONDS_TO_SEND)
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuses in a plain line what is no question of a browser, such as PUT."""
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(Answer(status, TEXT, f"{status.phrase}\n".encode()))

    def log_message(self, format: str, *_args: Any) -> None:
        """Says nothing: a page asks every few seconds."""


_SAFETY = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@functools.cache
def _policy() -> str:
    """Returns what a page of ours may do: run our own scripts, and ask us."""
    web = list(resources.files("fer_jax.reports").joinpath("web").iterdir())
    # `page.html` puts a line's end between the element and a script's file.
    texts = [b"\n" + one.read_bytes() for one in web if one.name.endswith(".js")]
    for one in web:
        if one.name.endswith(".html"):
            texts += [
                found for found in re.findall(rb"<script>(.*?)</script>", one.read_bytes(), re.S) if b"{{" not in found
            ]
    scripts = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in texts)
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def serve(
    places: Sequence[str | Path],
    host: str = "127.0.0.1",
    port: int | None = None,
    names: Sequence[str] = (),
    show_images: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Serves the pages of runs until the process is interrupted.

    Args:
        places: run directories, and folders in which runs lie or will lie.
        host: the address to listen on; any but this machine's own is warned of.
        port: None takes the first that is free from 8765 on.
        names: more names by which browsers may ask.
        show_images: shows pictures of the data set, as `report.show_images` does.
        say: told, a line each, where the pages are.

    Raises:
        RunError: no such place, or the address or port cannot be had.
    """
    paths = [Path(place) for place in places]
    if missing := next((path for path in paths if not path.is_dir()), None):
        raise RunError(f"no run at {missing}: name a run directory, or a folder with runs")
    site = Site(paths, show_images)
    with _listening(site, host, port, names) as server, console.each_once():
        for line in _lines(server, host, len(site.runs.all())):
            say(line)
        server.serve_forever()


def _listening(site: Site, host: str, port: int | None, names: Sequence[str]) -> Server:
    tried = range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else [port]
    for number in tried:
        try:
            return Server(site, host, number, names)
        except OSError as error:
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            reason = error.strerror or str(error)
        except OverflowError as error:
            reason = str(error)
        raise RunError(f"cannot listen on {host} port {number}: {reason}; choose another --port or --host") from None
    raise RunError(f"no port is free from {tried[0]} to {tried[-1]}: name one with --port")


def _lines(server: Server, host: str, found: int) -> list[str]:
    shown = f"[{host}]" if ":" in host else host
    several = counted(found, "run") if found else "no run yet"
    what = "its report" if server.site.single else several
    address = socket.gethostname() if host in ("0.0.0.0", "::") else shown
    lines = [f"http://{address}:{server.port}/  ({what}; Ctrl-C stops)"]
    if _is_loopback(host):
        lines.append(f"from another machine first: ssh -L {server.port}:{shown}:{server.port} {_login()}")
    else:
        lines.append(
            f"warning: whoever reaches this machine over the network can read these runs and change their notes "
            f"(--host={host}); without --host only this machine can"
        )
    return lines


def _login() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name, as in containers
        return socket.gethostname()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
