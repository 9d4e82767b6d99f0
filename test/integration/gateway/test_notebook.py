"""A notebook's origin: who gets in, what is handed on, and how tunnels live and end."""

import contextlib
import hashlib
import json
import os
import socket
import threading
import urllib.parse

import pytest

from fakes import Answer, ask, connect, read_all, wait_for

ID, OTHER = "a123456789", "b123456789"
HOST = f"{ID}.localhost"
TOKEN = "bt_good"
BEARER = ("Authorization", f"Bearer {TOKEN}")
HTML = ("Accept", "text/html,*/*;q=0.8")


def cookie(gateway, token=TOKEN):
    name = "__Host-berth-open" if gateway.tls else "berth-open"
    return ("Cookie", f"a=1; {name}={token}; b=2")


def origin(gateway, host=HOST):
    return f"{'https' if gateway.tls else 'http'}://{host}"


@pytest.fixture
def notebook(gateway, berthd, task):
    berthd.allowed = {(TOKEN, ID)}
    berthd.put_route(ID, task.target)
    wait_for("the route", lambda: ask(gateway, HOST, "/", headers=[BEARER]).status == 200)
    task.seen.clear()
    return gateway


def upgrade(gateway, headers=(), early=b"", host=HOST):
    s = connect(gateway)
    text = f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    text += "".join(f"{n}: {v}\r\n" for n, v in headers)
    s.sendall(text.encode() + b"\r\n" + early)
    return s


def read_until(s, part):
    data = b""
    while part not in data:
        piece = s.recv(65536)
        assert piece, data
        data += piece
    return data


def tunnel(gateway, headers=(), early=b""):
    s = upgrade(gateway, list(headers) or [cookie(gateway)], early)
    data = read_until(s, b"hello " + early)
    assert data.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), data
    assert b"X-From-Task: yes" in data
    return s


def echo(s, text):
    s.sendall(text)
    read_until(s, text)


# ---- who gets in ----


def test_without_login(notebook):
    a = ask(notebook, HOST, "/lab?x=1&y=2")
    assert a.status == 401 and a.json()["code"] == "unauthenticated"
    a = ask(notebook, f"{HOST}:77", "/lab?x=1&y=2", headers=[HTML])
    assert a.status == 303
    url = urllib.parse.urlsplit(a.get("location"))
    assert (url.netloc, url.path) == ("localhost:77", f"/open/{ID}")
    assert urllib.parse.parse_qs(url.query) == {"next": ["/lab?x=1&y=2"]}
    assert ask(notebook, HOST, "/lab", method="POST", headers=[HTML]).status == 401
    assert Answer(read_all_of(upgrade(notebook))).status == 401


def read_all_of(s):
    with s:
        s.settimeout(10)
        data = read_until(s, b"\r\n\r\n")
        return data


def test_wrong_token(notebook, task):
    bad = ("Authorization", "Bearer bt_bad")
    assert ask(notebook, HOST, "/", headers=[bad]).status == 401
    assert ask(notebook, HOST, "/", headers=[("Authorization", "Bearer other")]).status == 401
    assert ask(notebook, HOST, "/", headers=[bad, HTML]).status == 303
    assert Answer(read_all_of(upgrade(notebook, [bad]))).status == 401
    assert task.seen == []


def test_somebody_elses_notebook_looks_like_none(notebook, berthd, task):
    berthd.put_route(OTHER, task.target)
    there = ask(notebook, f"{OTHER}.localhost", "/", headers=[BEARER])
    nowhere = ask(notebook, "c123456789.localhost", "/", headers=[BEARER])
    assert there.status == nowhere.status == 404
    assert there.json()["detail"] == nowhere.json()["detail"]
    assert task.seen == []


def test_cookie_of_the_other_scheme_does_not_count(notebook):
    name = "berth-open" if notebook.tls else "__Host-berth-open"
    assert ask(notebook, HOST, "/", headers=[("Cookie", f"{name}={TOKEN}")]).status == 401


def test_one_question_for_many_requests(notebook, berthd):
    asked = berthd.asked
    for _ in range(20):
        assert ask(notebook, HOST, "/", headers=[cookie(notebook)]).status == 200
    assert berthd.asked == asked


def test_verdict_runs_out(notebook, berthd):
    berthd.until_ms = 1
    berthd.send_all({"t": "revoke"})
    wait_for("two questions", lambda: ask(notebook, HOST, "/", headers=[BEARER]).status == 200
             and berthd.asked >= 3)


def test_revoked_token(notebook, berthd):
    assert ask(notebook, HOST, "/", headers=[BEARER]).status == 200
    berthd.revoke(TOKEN)
    wait_for("the refusal", lambda: ask(notebook, HOST, "/", headers=[BEARER]).status == 401)


@pytest.mark.parametrize("gateway", ["plain"], indirect=True)
def test_silent_berthd(notebook, berthd):
    berthd.silent = True
    a = ask(notebook, HOST, "/", headers=[("Authorization", "Bearer bt_new")])
    assert a.status == 503 and a.get("retry-after")


def test_enter(notebook, berthd, task):
    a = ask(notebook, f"{HOST}:5", "/.berth/enter?ticket=t1&next=%2Flab", headers=[HTML])
    assert a.status == 303 and a.get("location") == "/lab"
    assert a.get("set-cookie").startswith("berth-open=")
    told = a.json()
    assert told["path"] == f"/api/v1/origin/{ID}/enter?ticket=t1&next=%2Flab"
    assert ask(notebook, HOST, "/.berth/style.css").status == 200
    assert ask(notebook, HOST, "/.berth/other").status == 404
    assert ask(notebook, HOST, "/.berth/enter?ticket=x", method="POST").status == 404
    assert task.seen == []


# ---- where from ----


@pytest.mark.parametrize("method,headers,status", [
    ("GET", [], 200),
    ("POST", [], 200),
    ("POST", ["own"], 200),
    ("POST", ["evil"], 403),
    ("DELETE", ["null"], 403),
    ("POST", ["console"], 403),
    ("GET", ["evil"], 200),
    ("POST", ["own", ("Sec-Fetch-Site", "same-origin")], 200),
    ("GET", [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")], 200),
    ("GET", [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"),
             ("Sec-Fetch-Dest", "document")], 200),
    ("GET", [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "navigate")], 200),
    ("POST", [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")], 403),
    ("GET", [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")], 403),
    ("GET", [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"),
             ("Sec-Fetch-Dest", "iframe")], 403),
    ("GET", [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")], 403),
])
def test_origins(notebook, method, headers, status):
    places = {"own": origin(notebook), "evil": "http://evil.example", "null": "null",
              "console": origin(notebook, "localhost")}
    lines = [("Origin", places[h]) if isinstance(h, str) else h for h in headers]
    assert ask(notebook, HOST, "/", method, [cookie(notebook), *lines]).status == status


def test_origin_of_upgrades(notebook, task):
    tunnel(notebook, [cookie(notebook), ("Origin", origin(notebook))]).close()
    seen = len(task.seen)
    for evil in ("http://evil.example", origin(notebook, f"{OTHER}.localhost"), "null",
                 origin(notebook) + ".evil"):
        s = upgrade(notebook, [cookie(notebook), ("Origin", evil)])
        assert Answer(read_all_of(s)).status == 403
    s = upgrade(notebook, [cookie(notebook), ("Sec-Fetch-Site", "cross-site")])
    assert Answer(read_all_of(s)).status == 403
    assert len(task.seen) == seen


# ---- what is handed on ----


def test_headers_to_the_task(notebook):
    sent = [cookie(notebook), BEARER, ("X-Berth-User", "root"), ("X-Forwarded-For", "1.2.3.4"),
            ("Cookie", "berth=console-token; c=3"), ("X-Custom", "kept"),
            ("Accept-Encoding", "br")]
    told = ask(notebook, HOST, "/anything//odd/%2e%2e?%zz", headers=sent)
    assert told.status == 200
    got = [(n.lower(), v) for n, v in told.json()]
    text = json.dumps(got)
    assert "bt_good" not in text and "console-token" not in text and "root" not in text
    assert [v for n, v in got if n == "authorization"] == ["token s3cret"]
    assert [v for n, v in got if n == "cookie"] == ["a=1; b=2", "c=3"]
    assert [v for n, v in got if n == "x-forwarded-for"] == ["127.0.0.1"]
    assert ("host", HOST) in got and ("x-custom", "kept") in got


def test_paths_go_as_they_came(notebook, task):
    for path in ("/a//b", "/x/../y", "/%E2%82%AC?a=b&a=c&%zz", "/;p", "/a/%2F/b"):
        assert ask(notebook, HOST, path, headers=[BEARER]).status == 200
        assert task.seen[-1][1] == path


def test_bodies_both_ways(notebook):
    size = 5_000_000
    assert len(ask(notebook, HOST, f"/big?{size}", headers=[BEARER]).body) == size
    body = os.urandom(3_000_000)
    told = ask(notebook, HOST, "/upload", "POST", [BEARER], body).json()
    assert told == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert ask(notebook, HOST, "/chunked", headers=[BEARER]).body == b"one" + b"two" * 10000 + b"three"
    assert ask(notebook, HOST, "/close", headers=[BEARER]).body == b"until the end"


def test_chunked_upload(notebook):
    with connect(notebook) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n"
                  f"Connection: close\r\n{BEARER[0]}: {BEARER[1]}\r\n\r\n".encode())
        for _ in range(50):
            s.sendall(b"2710\r\n" + b"y" * 10000 + b"\r\n")
        s.sendall(b"0\r\n\r\n")
        assert Answer(read_all(s)).json()["length"] == 500000


def test_expect_continue(notebook):
    with connect(notebook) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n"
                  f"Expect: 100-continue\r\n{BEARER[0]}: {BEARER[1]}\r\n\r\n".encode())
        assert read_until(s, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        s.sendall(b"abc")
        assert b'"length": 3' in read_until(s, b"}")


def test_head(notebook):
    a = ask(notebook, HOST, "/big?1000", "HEAD", [BEARER])
    assert a.status == 200 and a.body == b"" and a.get("content-length") == "1000"


def test_broken_answers(notebook):
    with connect(notebook) as s:
        s.sendall(f"GET /broken HTTP/1.1\r\nHost: {HOST}\r\n{BEARER[0]}: {BEARER[1]}\r\n\r\n".encode())
        data = read_all(s)  # the connection ends early: the client notices
    assert b"only this" in data and b"Content-Length: 100" in data
    assert ask(notebook, HOST, "/nonsense", headers=[BEARER]).status == 502


def test_berths_cookies_are_not_the_tasks_to_set(notebook):
    assert ask(notebook, HOST, "/cookies", headers=[BEARER]).all("set-cookie") == ["mine=1; Path=/"]


def test_nobody_answers(notebook, berthd):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        berthd.put_route(ID, f"127.0.0.1:{s.getsockname()[1]}")
        wait_for("a bad gateway", lambda: ask(notebook, HOST, "/", headers=[BEARER]).status == 502)
        a = ask(notebook, HOST, "/", headers=[BEARER, HTML])
        assert a.status == 502 and b"does not answer" in a.body
        assert a.get("content-security-policy")


def test_route_that_is_gone(notebook, berthd):
    berthd.remove_route(ID)
    wait_for("not found", lambda: ask(notebook, HOST, "/", headers=[BEARER]).status == 404)


def test_connections_to_the_task_are_kept(notebook, task):
    for _ in range(5):
        assert ask(notebook, HOST, "/", headers=[BEARER]).status == 200
    assert len(task.seen) == 5


# ---- tunnels ----


def test_tunnel(notebook):
    with tunnel(notebook) as s:
        echo(s, b"ping")
        blob = os.urandom(2_000_000)
        threading.Thread(target=s.sendall, args=(blob,)).start()
        got = b""
        while len(got) < len(blob):
            got += s.recv(65536)
        assert got == blob


def test_early_bytes_of_a_tunnel(notebook):
    with tunnel(notebook, early=b"early") as s:
        echo(s, b"later")


@pytest.mark.parametrize("gateway", ["plain"], indirect=True)
def test_tunnels_of_one_notebook_are_bounded(notebook):
    with contextlib.ExitStack() as stack:
        for _ in range(1024):
            stack.enter_context(tunnel(notebook))
        assert Answer(read_all_of(upgrade(notebook, [cookie(notebook)]))).status == 429
        assert ask(notebook, HOST, "/", headers=[BEARER]).status == 200
    wait_for("no tunnel", lambda: "berth_gateway_tunnels 0" in
             ask(notebook, "localhost", "/metrics/gateway").body.decode())
    tunnel(notebook).close()


def test_revocation_closes_a_tunnel(notebook, berthd):
    with tunnel(notebook) as s, tunnel(notebook) as t:
        echo(s, b"open")
        berthd.revoke(TOKEN)
        s.settimeout(10)
        t.settimeout(10)
        assert read_all(s) == b"" and read_all(t) == b""


def test_lost_right_closes_a_tunnel(notebook, berthd):
    with tunnel(notebook) as s:
        echo(s, b"open")
        berthd.allowed = set()
        berthd.send_all({"t": "revoke"})
        s.settimeout(10)
        assert read_all(s) == b""


def test_gone_route_closes_a_tunnel(notebook, berthd):
    with tunnel(notebook) as s:
        echo(s, b"open")
        berthd.remove_route(ID)
        s.settimeout(10)
        assert read_all(s) == b""


def test_tunnel_lives_while_berthd_is_away(notebook, berthd):
    with tunnel(notebook) as s:
        berthd.stop()
        echo(s, b"still here")
        berthd.start()
        wait_for("the link", lambda: len([m for m in berthd.heard if m["t"] == "hello"]) > 1)
        echo(s, b"and still")
        assert ask(notebook, HOST, "/", headers=[BEARER]).status == 200


@pytest.mark.parametrize("gateway", ["plain"], indirect=True)
def test_cached_verdicts_hold_while_berthd_is_away(notebook, berthd):
    berthd.stop()
    assert ask(notebook, HOST, "/", headers=[BEARER]).status == 200
    tunnel(notebook).close()
    a = ask(notebook, HOST, "/", headers=[("Authorization", "Bearer bt_new")])
    assert a.status == 503 and a.get("retry-after")


def test_revoked_while_nobody_listened(notebook, berthd):
    with tunnel(notebook) as s:
        berthd.stop()
        berthd.allowed = set()
        berthd.start()
        s.settimeout(10)
        assert read_all(s) == b""


def test_route_gone_while_nobody_listened(notebook, berthd):
    with tunnel(notebook) as s:
        berthd.stop()
        berthd.routes = {}
        berthd.start()
        s.settimeout(10)
        assert read_all(s) == b""


def test_refused_upgrade_is_an_answer(notebook):
    s = upgrade(notebook, [cookie(notebook)])
    s.close()
    with connect(notebook) as s:
        s.sendall(f"GET /plain HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade, close\r\n"
                  f"Upgrade: h2c\r\n{BEARER[0]}: {BEARER[1]}\r\n\r\n".encode())
        assert Answer(read_all(s)).status == 200


@pytest.mark.parametrize("gateway", ["plain"], indirect=True)
def test_activity_is_told(notebook, berthd):
    with tunnel(notebook) as s:
        echo(s, b"x")
        told = wait_for("activity", lambda: [m for m in berthd.heard
                                             if m["t"] == "activity" and m.get("open")])
        assert told[0]["route"] == ID and told[0]["open"] == 1 and told[0]["time_ms"] > 0
    wait_for("none open", lambda: [m for m in berthd.heard
                                   if m["t"] == "activity" and not m.get("open")])


def test_client_gone_ends_the_tasks_side(notebook, task):
    s = tunnel(notebook)
    with contextlib.closing(s):
        echo(s, b"x")
    wait_for("no tunnel", lambda: "berth_gateway_tunnels 0" in
             ask(notebook, "localhost", "/metrics/gateway").body.decode())
