"""A notebook on real Jupyter: opened by its owner alone, alive through restarts of berth."""

import base64
import json
import os
import socket
import ssl
import struct
import time

import pytest

from berth import User, wait_for

PACKAGES = ["python3-numpy", "python3-sklearn", "jupyter-notebook"]


class WebSocket:
    """RFC 6455, as much as a kernel's channel needs."""

    def __init__(self, berth, host, path, headers):
        raw = socket.create_connection(("127.0.0.1", berth.port), 30)
        context = ssl.create_default_context(cafile=str(berth.ca))
        self.s = context.wrap_socket(raw, server_hostname=host)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{berth.port}", "Upgrade: websocket",
                 "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
        lines += [f"{k}: {v}" for k, v in headers.items()]
        self.s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            piece = self.s.recv(4096)
            if not piece:
                break
            self.data += piece
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        self.status = int(head.split()[1]) if head else 0

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = b"\x81" + (bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size))
        self.s.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def need(self, n):
        while len(self.data) < n:
            piece = self.s.recv(65536)
            if not piece:
                raise EOFError
            self.data += piece
        piece, self.data = self.data[:n], self.data[n:]
        return piece

    def receive(self):
        first, size = self.need(2)
        size &= 0x7f
        if size == 126:
            size = struct.unpack(">H", self.need(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.need(8))[0]
        body = self.need(size)
        if first & 0xf == 8:
            raise EOFError
        return body.decode(errors="replace")


def run_cell(channel, code):
    """Executes code on the channel and gives what it printed."""
    ident = base64.b16encode(os.urandom(8)).decode()
    channel.send(json.dumps({
        "header": {"msg_id": ident, "username": "t", "session": "t", "msg_type": "execute_request",
                   "version": "5.3"},
        "parent_header": {}, "metadata": {}, "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": False, "user_expressions": {},
                    "allow_stdin": False}}))
    printed, end = "", time.monotonic() + 60
    while time.monotonic() < end:
        message = json.loads(channel.receive())
        if message.get("parent_header", {}).get("msg_id") != ident:
            continue
        if message["msg_type"] == "stream":
            printed += message["content"]["text"]
        if message["msg_type"] == "execute_reply":
            assert message["content"]["status"] == "ok", message["content"]
            return printed
    raise AssertionError("no answer from the kernel")


@pytest.fixture(scope="module")
def notebook(berth, ada):
    berth.image("ml", PACKAGES)
    said = ada.cli("notebook", "start", "--image", "ml", "-o", "json", timeout=300)
    ident = json.loads(said.stdout)["id"]
    yield ident
    ada.api("POST", f"/api/v1/notebooks/{ident}/stop?grace=0s")


def visit(berth, notebook, path="/api/status", **headers):
    return berth.request("GET", path, headers=headers, host=f"{notebook}.localhost")


def test_answers_its_owner_and_nobody_else(berth, ada, bob, notebook):
    host = {"Authorization": f"Bearer {ada.token}"}
    wait_for("the notebook answers", lambda: visit(berth, notebook, **host).status == 200, 60)
    assert visit(berth, notebook).status == 401
    assert visit(berth, notebook, Authorization=f"Bearer {bob.token}").status in (403, 404)
    assert visit(berth, notebook, Authorization="Bearer bt_wrong").status == 401


def test_browser_is_led_through_the_login(berth, ada, notebook):
    page = {"Accept": "text/html"}
    away = visit(berth, notebook, "/tree", **page)
    assert away.status == 303 and f"/open/{notebook}" in away.headers["Location"]
    login = berth.request("POST", "/api/v1/login", json.dumps(
        {"name": "ada", "password": ada.password, "session": True}),
        {"Content-Type": "application/json", "Origin": berth.url})
    assert login.status == 201 and "token" not in login.json
    cookie = login.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "Secure" in cookie and cookie.startswith("__Host-berth=")
    opened = berth.request("GET", f"/open/{notebook}?next=/tree",
                           headers={"Cookie": cookie.split(";")[0]})
    assert opened.status == 303
    entry = opened.headers["Location"].split(f"localhost:{berth.port}", 1)[1]
    entered = visit(berth, notebook, entry)
    assert entered.status == 303 and entered.headers["Location"] == "/tree"
    own = entered.headers["Set-Cookie"].split(";")[0]
    assert visit(berth, notebook, "/tree", Cookie=own).status == 200
    assert visit(berth, notebook, entry).status in (401, 403, 404), "a ticket is good once"
    # The notebook's cookie opens nothing else.
    assert berth.request("GET", "/api/v1/me", headers={
        "Cookie": own.replace("berth-open", "berth")}).status == 403


def test_kernel_lives_through_restarts_of_berthd(berth, ada, notebook):
    auth = {"Authorization": f"Bearer {ada.token}"}
    made = berth.request("POST", "/api/kernels", "{}", auth, host=f"{notebook}.localhost")
    assert made.status == 201, made.body
    kernel = made.json["id"]
    channel = WebSocket(berth, f"{notebook}.localhost", f"/api/kernels/{kernel}/channels", auth)
    assert channel.status == 101
    assert run_cell(channel, "x = 20 + 1; print(x)") == "21\n"
    berth.kill("berthd")
    assert run_cell(channel, "print(x * 2)") == "42\n"
    berth.up()
    assert run_cell(channel, "print(x * 3)") == "63\n"
    berth.kill("berth-runner")
    berth.up()
    assert run_cell(channel, "print(x * 4)") == "84\n"


def test_cross_site_websocket_is_refused(berth, ada, notebook):
    auth = {"Authorization": f"Bearer {ada.token}", "Origin": "https://evil.example"}
    made = berth.request("POST", "/api/kernels", "{}", {"Authorization": auth["Authorization"]},
                         host=f"{notebook}.localhost")
    path = f"/api/kernels/{made.json['id']}/channels"
    assert WebSocket(berth, f"{notebook}.localhost", path, auth).status == 403
    none = WebSocket(berth, f"{notebook}.localhost", path, {})
    assert none.status == 401


def test_revoked_token_closes_the_channel(berth, ada, notebook):
    made = ada.api("POST", "/api/v1/tokens", {"label": "ws"}).json
    user = User(berth, "ada", made["token"])
    auth = {"Authorization": f"Bearer {user.token}"}
    kernel = berth.request("POST", "/api/kernels", "{}", auth, host=f"{notebook}.localhost").json
    channel = WebSocket(berth, f"{notebook}.localhost",
                        f"/api/kernels/{kernel['id']}/channels", auth)
    assert channel.status == 101
    assert ada.api("DELETE", f"/api/v1/tokens/{made['id']}").status == 204
    channel.s.settimeout(5)
    with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
        while True:
            channel.receive()
    assert visit(berth, notebook, **auth).status == 401


def test_sudo_and_home_inside(ada, notebook):
    done = ada.wait(ada.submit(image="ml", command=["sh", "-c", "sudo -n id -u; touch ~/x; id -un"]))
    assert ada.log(done["id"]) == "0\nada\n"
