"""What stands around a gateway in these tests: a berthd that speaks the control protocol and answers
the API with what it received, and a task with HTTP and WebSocket-like tunnels. Threads, standard
library only."""

import contextlib
import hashlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import threading
import time
import urllib.parse

DEADLINE_S = 15


def wait_for(what, question):
    """Polls an observable state until it holds; the answer of the last question."""
    end = time.monotonic() + DEADLINE_S
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.005)


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


# ---- a task ----


class TaskHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while True:
                size = int(self.rfile.readline(), 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return body
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def tunnel(self):
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "Upgrade")
        self.send_header("X-From-Task", "yes")
        self.end_headers()
        self.close_connection = True
        self.connection.sendall(b"hello ")
        while True:
            data = self.connection.recv(65536)
            if not data:
                return
            self.connection.sendall(data)

    def handle_any(self):
        self.server.seen.append((self.command, self.path, list(self.headers.items())))
        url = urllib.parse.urlsplit(self.path)
        if self.headers.get("Upgrade") and url.path == "/ws":
            self.tunnel()
        elif url.path == "/big":
            self.answer(200, b"x" * int(url.query), "text/plain")
        elif url.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"two" * 10000, b"three"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif url.path == "/close":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
            self.close_connection = True
        elif url.path == "/broken":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            self.close_connection = True
        elif url.path == "/nonsense":
            self.wfile.write(b"HTTP/1.1 200 OK\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
            self.close_connection = True
        elif url.path == "/upload":
            body = self.read_body()
            told = {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
            self.answer(200, json.dumps(told).encode())
        elif url.path == "/cookies":
            self.answer(200, b"{}", headers=[("Set-Cookie", "berth=evil; Path=/"),
                                             ("Set-Cookie", "mine=1; Path=/")])
        else:
            self.read_body()
            self.answer(200, json.dumps(self.headers.items()).encode())

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class Task:
    def __init__(self):
        self.server = Server(("127.0.0.1", 0), TaskHandler)
        self.server.seen = []
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    @property
    def seen(self):
        return self.server.seen

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# ---- berthd ----


class ApiHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def setup(self):
        self.server.connections.append(self.request)
        super().setup()

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told = {"method": self.command, "path": self.path, "headers": self.headers.items(),
                "body": body.decode()}
        status, extra = 200, []
        if "/enter?" in self.path:
            status = 303
            extra = [("Location", "/lab"), ("Set-Cookie", "berth-open=bt_entered; Path=/")]
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        for name, value in extra:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class Berthd:
    """routes: id → target; allowed: set of (token, id). Everything the gateway says is in `heard`."""

    def __init__(self, data):
        self.data = data
        self.routes, self.allowed, self.heard = {}, set(), []
        self.inject = "Authorization: token s3cret"
        self.asked = 0
        self.silent = False
        self.until_ms = 600000
        self.lock = threading.Lock()
        self.up = False

    def start(self):
        for name in ("berthd.sock", "control.sock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.data}/run/{name}")
        self.api = UnixServer(f"{self.data}/run/berthd.sock", ApiHandler)
        self.api.connections = []
        os.chmod(f"{self.data}/run/berthd.sock", 0o666)
        threading.Thread(target=self.api.serve_forever, args=(0.05,), daemon=True).start()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.data}/run/control.sock")
        os.chmod(f"{self.data}/run/control.sock", 0o666)
        self.listener.listen()
        self.peers = []
        self.up = True
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        self.up = False
        self.api.shutdown()
        self.api.server_close()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for peer in self.peers + self.api.connections:
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
        for name in ("berthd.sock", "control.sock"):
            os.unlink(f"{self.data}/run/{name}")

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with contextlib.suppress(OSError, ValueError), peer, peer.makefile("rb") as lines:
            for line in lines:
                m = json.loads(line)
                if m["t"] == "hello":
                    with self.lock:
                        out = [{"t": "full"}]
                        out += [self.route_message(i) for i in self.routes]
                        out += [{"t": "full-end"}]
                        self.send(peer, *out)
                        self.peers.append(peer)
                elif m["t"] == "ask":
                    self.answer(peer, m)
                self.heard.append(m)
            with self.lock:
                self.peers = [p for p in self.peers if p is not peer]

    def answer(self, peer, m):
        self.asked += 1
        if self.silent:
            return
        allow = any(digest(token) == m["digest"] and route == m["route"]
                    for token, route in self.allowed)
        now = int(time.time() * 1000)
        verdict = {"t": "verdict", "question": m["question"], "allow": allow, "user": "ada",
                   "until_ms": now + (self.until_ms if allow else 1000)}
        if not allow:
            known = any(digest(token) == m["digest"] for token, _ in self.allowed)
            verdict |= {"code": "not-found" if known else "unauthenticated", "text": "no"}
        self.send(peer, verdict)

    def send(self, peer, *messages):
        with contextlib.suppress(OSError):
            peer.sendall("".join(json.dumps(m) + "\n" for m in messages).encode())

    def send_all(self, *messages):
        with self.lock:
            for peer in self.peers:
                self.send(peer, *messages)

    def route_message(self, route):
        return {"t": "route", "route": route, "target": self.routes[route], "title": "a notebook",
                "inject": self.inject}

    def put_route(self, route, target):
        self.routes[route] = target
        self.send_all(self.route_message(route))

    def remove_route(self, route):
        del self.routes[route]
        self.send_all({"t": "route-gone", "route": route})

    def revoke(self, token):
        self.allowed = {(t, r) for t, r in self.allowed if t != token}
        self.send_all({"t": "revoke", "digest": digest(token)})


# ---- a client ----


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0] else 0
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        if self.get("transfer-encoding") == "chunked":
            self.body = unchunk(self.body)

    def get(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)


def unchunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        if n == 0:
            return out
        out, data = out + data[:n], data[n + 2:]
    raise AssertionError("the last chunk is missing")


def connect(gateway):
    s = socket.create_connection(("127.0.0.1", gateway.port), DEADLINE_S)
    if not gateway.tls:
        return s
    context = ssl.create_default_context(cafile=gateway.ca)
    return context.wrap_socket(s, server_hostname="localhost")


def read_all(s):
    data = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece


def raw(gateway, data):
    """Sends bytes, reads to the end of the connection."""
    with connect(gateway) as s:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(data)
        return read_all(s)


def ask(gateway, host, path, method="GET", headers=(), body=b""):
    text = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    text += "".join(f"{n}: {v}\r\n" for n, v in headers)
    if body:
        text += f"Content-Length: {len(body)}\r\n"
    return Answer(raw(gateway, text.encode() + b"\r\n" + body))
