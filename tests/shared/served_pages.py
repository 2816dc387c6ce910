"""A server of runs as a test's browser meets it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading

from fer_jax.serving.server import Server
from fer_jax.serving.site import Site


@contextlib.contextmanager
def served(*places, **options):
    """A server of `places` on a free port, with pages that are waited for."""
    server = Server(Site(places, patience=60.0), **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(server, address, method="GET", body=None, **headers):
    """The status, the headers and the body that an address is answered with."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, address, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def told(server, address):
    status, _, body = ask(server, address)
    assert status == 200, body
    return json.loads(body)


def save(server, address, document, **headers):
    """Sends notes as a page does, but for what `headers` say."""
    origin = f"http://127.0.0.1:{server.port}"
    sent = {"Content_Type": "application/json", "Origin": origin, "Sec_Fetch_Site": "same-origin"} | headers
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return ask(server, address, "POST", body, **{name: value for name, value in sent.items() if value is not None})


def form(html):
    """What the page has of its notes: token, version, text."""
    found = re.search(
        r'<form id="notes-form" data-token="(.*?)" data-version="(.*?)">\s*<textarea.*?>\n(.*?)<', html, re.S
    )
    return dict(zip(("token", "version", "text"), found.groups(), strict=True))
