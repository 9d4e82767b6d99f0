"""Attacks on the framing, slow clients, many routes, and being killed."""

import re
import signal
import socket

import pytest

from fakes import Answer, ask, connect, raw, read_all, wait_for

# The 13 framing cases that every front door must refuse, and the target each is sent to.
ATTACKS = {
    "both lengths": "POST {t} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "POST {t} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "unknown coding": "POST {t} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "plus": "POST {t} HTTP/1.1\r\nHost: {h}\r\nContent-Length: +5\r\n\r\nabcde",
    "space before colon": "GET {t} HTTP/1.1\r\nHost : {h}\r\n\r\n",
    "bare CR": "GET {t} HTTP/1.1\r\nHost: {h}\rX: y\r\n\r\n",
    "bare LF": "GET {t} HTTP/1.1\nHost: {h}\n\n",
    "obs-fold": "GET {t} HTTP/1.1\r\nHost: {h}\r\nX: a\r\n b\r\n\r\n",
    "0.9 line": "GET {t}\r\n\r\n",
    "no host": "GET {t} HTTP/1.1\r\nX: y\r\n\r\n",
    "two hosts": "GET {t} HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n\r\n",
    "chunk size overflow": "POST {t} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk extension with LF": "POST {t} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n3;x\nabc\r\n0\r\n\r\n",
}
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def heads(data):
    return len(re.findall(rb"HTTP/1\.1 \d\d\d ", data))


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("target", ["/healthz", "/api/v1/x"])
def test_framing(gateway, name, target):
    text = ATTACKS[name].format(t=target, h="localhost")
    data = raw(gateway, (text + SMUGGLED).encode())
    assert Answer(data).status == 400, data
    assert heads(data) == 1  # nothing after it was looked at, and it was closed


@pytest.mark.parametrize("name", ATTACKS)
def test_framing_to_a_notebook(plain, berthd, task, name):
    berthd.allowed = {("bt_x", "a123456789")}
    berthd.put_route("a123456789", task.target)
    good = [("Authorization", "Bearer bt_x")]
    host = "a123456789.localhost"
    wait_for("the route", lambda: ask(plain, host, "/", headers=good).status == 200)
    text = ATTACKS[name].format(t="/upload", h=host + "\r\nAuthorization: Bearer bt_x")
    data = raw(plain, (text + SMUGGLED).encode())
    assert Answer(data).status == 400, data
    assert heads(data) == 1
    assert not any(path == "/smuggled" for _, path, _ in task.seen)


def test_oversized(gateway):
    many = "".join(f"X-{i}: y\r\n" for i in range(100))
    for text, status in ((f"GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n", 431),
                         (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
                         (f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'a' * 20000}\r\n\r\n", 431)):
        assert Answer(raw(gateway, text.encode())).status == status


def test_slow_clients_do_not_hold_others_up(plain):
    slow = []
    for _ in range(200):
        s = connect(plain)
        s.sendall(b"GET / HTTP/1.1\r\nHost: lo")
        slow.append(s)
    assert ask(plain, "localhost", "/healthz").status == 200
    ended = Answer(read_all(slow[0]))  # after the head's time limit
    assert ended.status == 408
    for s in slow:
        s.close()


@pytest.mark.parametrize("gateway", ["tls"], indirect=True)
def test_wrong_protocol_on_tls(gateway):
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" not in read_all(s)
    assert ask(gateway, "localhost", "/healthz").status == 200


def routes_of(gateway):
    text = ask(gateway, "localhost", "/metrics/gateway").body.decode()
    return int(next(line for line in text.splitlines()
                    if line.startswith("berth_gateway_routes ")).split()[1])


def test_ten_thousand_routes(plain, berthd, task):
    ids = [f"a{i:09}" for i in range(10000)]
    for route in ids:
        berthd.routes[route] = task.target
    berthd.allowed = {("bt_x", ids[0]), ("bt_x", ids[-1])}
    berthd.send_all(*[berthd.route_message(i) for i in ids])
    wait_for("all routes", lambda: routes_of(plain) == 10000)
    for route in (ids[0], ids[-1]):
        assert ask(plain, f"{route}.localhost", "/", headers=[("Authorization", "Bearer bt_x")]).status == 200
    berthd.stop()
    berthd.routes = {ids[5]: task.target}
    berthd.start()
    wait_for("a new list", lambda: routes_of(plain) == 1)


def test_killed_and_started_again(plain, berthd):
    plain.process.send_signal(signal.SIGKILL)
    plain.process.wait()
    plain.start()
    wait_for("the API", lambda: ask(plain, "localhost", "/api/v1/x").status == 200)


def test_bad_messages_of_berthd_do_no_harm(plain, berthd):
    hellos = lambda: len([m for m in berthd.heard if m["t"] == "hello"])
    for message in ({"t": "route", "route": "a123456789", "target": "nonsense"},
                    {"t": "route", "route": "a123456789", "target": "h:1", "inject": "A: b\r\nC: d"},
                    {"t": "hello", "version": 1}, {"t": "unknown"}):
        before = hellos()
        berthd.send_all(message)
        wait_for("a new connection", lambda: hellos() > before)
    assert routes_of(plain) == 0


def test_many_connections_come_and_go(plain):
    for _ in range(20):
        sockets = [connect(plain) for _ in range(50)]
        for s in sockets[::2]:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for s in sockets:
            s.close()
    assert ask(plain, "localhost", "/healthz").status == 200
