"""The pages over HTTP: what is answered, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import socket
import threading

import pytest
from reported_runs import run_directory
from served_pages import ask, form, save, served, told

from fer_jax.errors import RunError
from fer_jax.reports import explore_data, run_report
from fer_jax.results import rankings
from fer_jax.serving import server as serving
from fer_jax.serving.site import Site
from fer_jax.store import RunDirectory, bounds

PLAIN = (("pending",) * 4, False)  # of a run that is quick to draw


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs, one of them below another folder, what is no run, and links to a third one."""
    place = tmp_path_factory.mktemp("served")
    folder = place / "runs"
    run_directory(folder / "first", ("pending", "running", "diverged", "pending"), curves=False)
    run_directory(folder / "study" / "a <b>name</b>", ("done", "done", "done", "pending"))
    run_directory(place / "outside")
    (folder / "linked").symlink_to(place / "outside", target_is_directory=True)
    (folder / "other").mkdir()
    (folder / "other" / "config.json").write_text('{"secret": 1}')
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with served(folder) as running:
        yield running


def test_a_folder_is_a_list_of_its_runs(server):
    status, headers, body = ask(server, "/")
    html = body.decode()
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r'<tr data-key="(.*?)">', html) == ["first", "study-a-b-name-b"]
    assert "a &lt;b&gt;name&lt;/b&gt;" in html and "<b>name" not in html
    rows = told(server, "/state.json")["runs"]
    assert rows["first"]["trials"] == "1 of 4" and rows["first"]["state"] == "interrupted"
    assert rows["study-a-b-name-b"]["result"].startswith("0.820")


def test_a_page_is_the_report_and_writes_nothing(server, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    status, _, body = ask(server, "/run/study-a-b-name-b/")
    assert status == 200 and b'id="best-points"' in body and b'id="notes-form"' in body
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_runs_are_compared(server):
    status, _, body = ask(server, "/compare?run=first&run=study-a-b-name-b")
    assert status == 200 and b"2 runs side by side" in body
    # As the list calls them, and with the way back to it.
    assert b"study/a &lt;b&gt;name" in body and b'<a class="home" href=".">' in body
    for query in ("", "run=first", "run=first&run=first", "run=first&run=../outside", "run=%00&run=first", "&" * 300):
        assert ask(server, f"/compare?{query}")[0] == 400


@pytest.mark.parametrize(
    "address",
    [
        "/run/first/config.json", "/run/first/trials.csv", "/run/first/notes.md", "/run/first/.lock", "/config.json",
        "/run/first/../", "/run/../outside/", "/run/%2e%2e/outside/", "/run/first/../../outside/",
        "/run/first%2fconfig.json",
        "/run//etc/passwd",
        "//etc/passwd", "/etc/passwd", "/run/linked/", "/run/other/", "/run/outside/",
        "http://127.0.0.1/run/first/", "*", "/run/first/%E4", "/\\..\\", "/run/first;/", "/run/first/index.html",
    ],
)  # fmt: skip
def test_nothing_else_is_served(server, address):
    status, _, body = ask(server, address)
    assert status == 404 and b"secret" not in body and b"root:" not in body


def test_an_address_without_its_last_slash_leads_to_the_run(server):
    status, headers, _ = ask(server, "/run/first")
    assert (status, headers["Location"]) == (302, "first/")
    assert ask(server, "/run/second")[0] == 404


def test_heads_and_methods_that_nothing_here_has(server):
    for address in ("/", "/run/first/state.json"):
        status, headers, body = ask(server, address, "HEAD")
        assert (status, body) == (200, b"") and int(headers["Content-Length"]) > 100
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, body = ask(server, "/run/first/", method)
        assert (status, body, headers["Allow"]) == (405, b"Method Not Allowed\n", "GET, HEAD, POST")


def test_a_page_that_is_being_drawn_says_which_step_and_makes_its_data_once(tmp_path, monkeypatch):
    run = run_directory(tmp_path / "run", *PLAIN)
    site, begun, go_on, drawn, made = Site([run], patience=0.05), threading.Event(), threading.Event(), [], []
    draw, document = run_report.draw, explore_data.document

    def slowly(*given, tell, **named):
        drawn.append(given)
        tell("figure 2 of 9: ROC curves")
        begun.set()
        assert go_on.wait(60)
        return draw(*given, tell=tell, **named)

    monkeypatch.setattr(run_report, "draw", slowly)
    monkeypatch.setattr(explore_data, "document", lambda *given: made.append(given) or document(*given))
    assert site.get("/").status == 202 and begun.wait(60)
    answer = site.get("/")
    assert answer.status == 202 and b"figure 2 of 9: ROC curves" in answer.body
    go_on.set()
    while (answer := site.get("/")).status == 202:
        pass
    assert answer.status == 200 and site.get("/data.json").status == 200
    assert len(drawn) == len(made) == 1


def test_a_run_in_parts_shows_the_first_in_the_list_and_numbers_stay_whole(tmp_path, monkeypatch):
    run_directory(tmp_path / "run", ("done", "done", "done", "pending"))
    parts = rankings.parts
    monkeypatch.setattr(rankings, "parts", lambda run: parts(run) * 3)
    monkeypatch.setattr("fer_jax.serving.site.part_names", lambda parts: ["one", "two", "three"])
    row = json.loads(Site([tmp_path]).get("/state.json").body)["runs"]["run"]
    assert row["best"] == "one: learning rate 1e-\u20602, kernels a layer 32-64-64; and 2 more"
    assert "two: " in row["bests"] and "three: " in row["bests"] and "\u2060" not in row["bests"]


@pytest.mark.parametrize("alone", [True, False])
def test_a_run_that_goes_while_its_page_is_open_is_said_to_be_gone(tmp_path, alone):
    run = run_directory(tmp_path / "run", *PLAIN)
    base = "" if alone else "/run/run"
    with served(run if alone else tmp_path) as running:
        found = form(ask(running, f"{base}/")[2].decode())
        run.rename(tmp_path / "renamed")
        gone = b"This run is no longer in the folder: it was deleted or renamed."
        for name in ("", "state.json", "notes.json"):
            status, _, body = ask(running, f"{base}/{name}")
            assert status == 404 and gone in body
        status, _, body = save(running, f"{base}/notes", found | {"text": "lost?"})
        assert status == 404 and b"Not saved. " + gone in body
    assert not run.exists()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[evil]", "localhost.evil"]
)
def test_another_name_gets_nothing(server, host):
    for address in ("/", "/run/first/", "/state.json"):
        status, _, body = ask(server, address, Host=host)
        assert status == 403 and b"first" not in body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:9000", "[::1]:8765", "known.example:1"])
def test_own_names_by_whatever_port_are_answered(folder, host):
    # ssh may carry the pages to another port of another machine.
    with served(folder, names=["known.example"]) as running:
        assert ask(running, "/state.json", Host=host)[0] == 200


def test_pages_may_run_their_own_scripts_and_nothing_else(server):
    _, headers, body = ask(server, "/run/first/", Accept_Encoding="gzip")
    html = gzip.decompress(body).decode()
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'" and "unsafe" not in policy["script-src"]
    assert not re.search(r"\son[a-z]+=\"", re.sub(r"<(script|style).*?</\1>", "", html, flags=re.S))


def test_notes_are_saved_and_never_over_newer_ones(tmp_path):
    run = run_directory(tmp_path / "run", *PLAIN)
    with served(run) as running:
        found = form(ask(running, "/")[2].decode())
        assert found["text"] == ""
        text = "</textarea><script>alert(1)</script>\nÄ 笑 & more"
        status, _, body = save(running, "/notes", found | {"text": text})
        assert status == 200 and (run / "notes.md").read_text(encoding="utf-8") == text
        version = json.loads(body)["version"]
        assert told(running, "/notes.json") == {"text": text, "version": version}
        page = ask(running, "/")[2].decode()
        assert "<script>alert" not in page and form(page)["version"] == version

        # Whoever has the page of before is told, and sees what is there.
        status, _, body = save(running, "/notes", found | {"text": "mine"})
        assert status == 409 and json.loads(body)["text"] == text and (run / "notes.md").read_text() == text
        (run / "notes.md").write_text("by an editor")
        assert save(running, "/notes", found | {"version": version, "text": "mine"})[0] == 409
        newest = told(running, "/notes.json")["version"]
        assert save(running, "/notes", found | {"version": newest, "text": "mine"})[0] == 200
    assert RunDirectory(run).read_notes() == "mine"
    assert sorted(path.name for path in run.iterdir()) == [".sealed", "config.json", "notes.md", "trials.csv"]


def test_other_sites_save_nothing(folder, server):
    found = form(ask(server, "/run/first/")[2].decode()) | {"text": "theirs"}
    port = server.port
    for headers in (
        {"Origin": "http://evil.example"}, {"Origin": None}, {"Origin": "null"}, {"Origin": f"http://localhost:{port}"},
        {"Content_Type": "text/plain"}, {"Content_Type": "application/x-www-form-urlencoded"},
        {"Sec_Fetch_Site": "cross-site"}, {"Host": "evil.example", "Origin": "http://evil.example"},
    ):  # fmt: skip
        assert save(server, "/run/first/notes", found, **headers)[0] == 403, headers
    assert save(server, "/run/first/notes", found | {"token": "x"})[0] == 403
    for wrong in (b"[]", b"{", b"\xff", b"[" * 100_000, b'{"token": 1}', b"{}"):
        assert save(server, "/run/first/notes", wrong)[0] == 400
    for address in ("/run/linked/notes", "/notes", "/run/first/config.json", "/run/first/", "/run/../outside/notes"):
        assert save(server, address, found)[0] == 404, address
    assert not (folder / "first" / "notes.md").exists()


def test_notes_that_are_too_long_or_too_large_are_refused(folder, server):
    found = form(ask(server, "/run/first/")[2].decode())
    status, _, body = save(server, "/run/first/notes", found | {"text": "x" * bounds.MOST_NOTES_BYTES})
    assert status == 413 and b"at most" in body
    # Refused before a byte of it is read.
    for length, wanted in (("9" * 12, 413), ("-1", 411), ("x", 411), (None, 411), ("\u0662", 411)):
        with socket.create_connection(("127.0.0.1", server.port), 30) as connection:
            host = f"127.0.0.1:{server.port}"
            lines = ["POST /run/first/notes HTTP/1.1", f"Host: {host}", f"Origin: http://{host}"]
            lines += ["Content-Type: application/json", *([f"Content-Length: {length}"] if length else []), "", ""]
            connection.sendall("\r\n".join(lines).encode())
            assert connection.recv(100).split()[1] == str(wanted).encode()
    assert not (folder / "first" / "notes.md").exists()


def test_slow_and_many_clients_do_not_stop_the_others(folder, monkeypatch):
    monkeypatch.setattr(serving, "_SECONDS", 0.3)
    monkeypatch.setattr(serving, "_AT_ONCE", 4)
    with served(folder) as running, contextlib.ExitStack() as open_ones:
        slow = [open_ones.enter_context(socket.create_connection(("127.0.0.1", running.port), 30)) for _ in range(8)]
        for one in slow:
            with contextlib.suppress(OSError):
                one.sendall(b"GET / HTTP/1.1\r\nHost:")
        for one in slow:
            with contextlib.suppress(ConnectionError):
                assert one.recv(10) in (b"", b"HTTP/1.0 4")  # hung up
        assert ask(running, "/state.json")[0] == 200


def test_a_file_that_cannot_be_read_is_a_line(tmp_path):
    runs = tmp_path / "runs"
    run_directory(runs / "good", *PLAIN)
    (run_directory(runs / "bad", *PLAIN) / "config.json").write_text("{")
    os.symlink("/etc/passwd", run_directory(runs / "noted", *PLAIN) / "notes.md")
    with served(runs) as running:
        rows = told(running, "/state.json")["runs"]
        assert [rows[key]["state"] for key in ("bad", "good", "noted")] == ["unreadable", "interrupted", "unreadable"]
        for key in ("bad", "noted"):
            status, _, body = ask(running, f"/run/{key}/")
            assert status == 500 and b"Traceback" not in body and b"root:" not in body
            assert str(tmp_path).encode() not in body and str(tmp_path) not in rows[key]["best"]


def test_a_run_that_is_there_later_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("fer_jax.serving.runs._EVERY", 0.0)
    with served(tmp_path) as running:
        assert b"No run is there yet" in ask(running, "/")[2]
        run_directory(tmp_path / "new", *PLAIN)
        assert list(told(running, "/state.json")["runs"]) == ["new"]


def test_places_and_ports(tmp_path):
    with pytest.raises(RunError, match="no run at"):
        serving.serve([tmp_path / "none"])
    with served(run_directory(tmp_path / "run", *PLAIN)) as running, pytest.raises(RunError, match="cannot listen"):
        serving.serve([tmp_path / "run"], port=running.port)
    with pytest.raises(RunError, match="cannot listen"):
        serving.serve([tmp_path / "run"], host="no.such.host.example.invalid")
