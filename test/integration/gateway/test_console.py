"""Our own pages and the API behind them."""

import gzip
import json

import pytest

from fakes import ask, raw, wait_for


def test_pages(gateway):
    for path, text in (("/", b"My workloads"), ("/login", b"<form"), ("/style.css", b":root"),
                       ("/app.js", b"use strict"), ("/login.js", b"use strict")):
        a = ask(gateway, "localhost", path)
        assert a.status == 200 and text in a.body, path
        assert "frame-ancestors 'none'" in a.get("content-security-policy")
        assert "default-src 'self'" in a.get("content-security-policy")
        assert a.all("x-content-type-options") == ["nosniff"]
        assert a.get("referrer-policy")
        assert a.get("strict-transport-security") is None  # the certificate is self-made
        again = ask(gateway, "localhost", path, headers=[("If-None-Match", a.get("etag"))])
        assert again.status == 304 and again.body == b""
    small = ask(gateway, "localhost", "/style.css", headers=[("Accept-Encoding", "gzip")])
    assert small.get("content-encoding") == "gzip"
    assert gzip.decompress(small.body).startswith(b":root")
    assert ask(gateway, "localhost", "/nothing").status == 404
    assert ask(gateway, "localhost", "/", method="POST").status == 404
    assert ask(gateway, "localhost", "/error.html").status == 404
    head = ask(gateway, "localhost", "/", method="HEAD")
    assert head.status == 200 and head.body == b"" and int(head.get("content-length")) > 0


def test_health_and_figures(gateway):
    assert ask(gateway, "localhost", "/healthz").json() == {"status": "ok"}
    text = ask(gateway, "localhost", "/metrics/gateway").body.decode()
    assert text.endswith("# EOF\n")
    assert "berth_gateway_link_up 1" in text


def test_unknown_hosts(gateway):
    for host in ("evil.example", "localhost.evil.example", "xlocalhost", "short.localhost",
                 "a.b123456789.localhost", "localhost."):
        assert ask(gateway, host, "/").status == 421, host
    for host in ("localhost", "LOCALHOST:9", "127.0.0.1:1", "[::1]"):
        assert ask(gateway, host, "/healthz").status == 200, host


def test_api_is_handed_on(gateway):
    a = ask(gateway, "localhost:1234", "/api/v1/x?y=%20z", method="POST", body=b'{"a":1}',
            headers=[("Cookie", "berth=bt_x"), ("Authorization", "Bearer bt_y"),
                     ("X-Custom", "kept"), ("Connection", "X-Gone"), ("X-Gone", "1")])
    told = a.json()
    headers = {n.lower(): v for n, v in told["headers"]}
    assert (told["method"], told["path"], told["body"]) == ("POST", "/api/v1/x?y=%20z", '{"a":1}')
    assert headers["cookie"] == "berth=bt_x"
    assert headers["authorization"] == "Bearer bt_y"
    assert headers["x-custom"] == "kept"
    assert "x-gone" not in headers
    scheme = "https" if gateway.tls else "http"
    assert headers["x-berth-origin"] == f"{scheme}://localhost:1234"
    assert headers["x-forwarded-proto"] == scheme
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-request-id"]


def test_identity_from_outside_is_dropped(gateway):
    spoofed = [("X-Berth-Origin", "http://evil"), ("x-berth-user", "root"),
               ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"),
               ("Forwarded", "for=1.2.3.4"), ("X-Request-Id", "mine"), ("X-Real-IP", "1.2.3.4")]
    told = ask(gateway, "localhost", "/api/v1/x", headers=spoofed).json()
    for _, value in told["headers"]:
        assert value not in ("http://evil", "root", "1.2.3.4", "for=1.2.3.4", "mine")
    names = [n.lower() for n, _ in told["headers"]]
    assert len(names) == len(set(names))


def test_notebook_way_in_is_not_on_the_console(gateway):
    assert ask(gateway, "localhost", "/api/v1/origin/a123456789/enter?ticket=x").status == 404


def test_berthd_away(gateway, berthd):
    assert ask(gateway, "localhost", "/api/v1/x").status == 200
    berthd.stop()
    a = ask(gateway, "localhost", "/api/v1/x")
    assert a.status == 503 and a.get("retry-after")
    assert a.get("content-type") == "application/problem+json"
    assert a.json()["code"] == "unavailable"
    assert ask(gateway, "localhost", "/login").status == 200
    berthd.start()
    wait_for("berthd again", lambda: ask(gateway, "localhost", "/api/v1/x").status == 200)


def test_keep_alive_and_pipelining(gateway):
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /api/v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    data = raw(gateway, one * 300 + last)
    assert data.count(b"HTTP/1.1 200 OK") == 301
    assert data.count(b'{"status":"ok"}') == 300


@pytest.mark.parametrize("target", ["/a//b", "/../x", "/%2e%2e/x", "/%zz", "/x%00", "*", "x"])
def test_bad_targets(gateway, target):
    assert ask(gateway, "localhost", target).status == 400


def test_request_ids_are_in_the_log(plain):
    told = ask(plain, "localhost", "/api/v1/x?secret=1").json()
    request = dict((n.lower(), v) for n, v in told["headers"])["x-request-id"]
    wait_for("the log line", lambda: request in plain.log_text())
    for line in plain.log_text().splitlines():
        json.loads(line)
    assert "secret" not in plain.log_text()
