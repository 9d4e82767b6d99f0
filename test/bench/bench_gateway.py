"""The front door against nginx (one worker) and configurable-http-proxy, each alone on one core, the
load and the task on the other; 10,000 routes everywhere."""

import contextlib
import json
import os
import pathlib
import re
import socket
import sys
import threading
import time
import urllib.request

from measure import (BUILD, ROOT, NotMeasured, alternate, folder, median, need, need_root, program,
                     row, run, scaled, until, version)

sys.path.insert(0, str(ROOT / "test/integration/gateway"))
import fakes  # noqa: E402  pylint: disable=wrong-import-position

ROUTES = 10000
CONNECTIONS = 64
TUNNELS = scaled(2000, 200)
TOKEN = "bt_bench"
IDS = [f"a{i:09}" for i in range(ROUTES)]
ID = IDS[ROUTES // 2]
HOST = f"{ID}.localhost"
CACHE = pathlib.Path(os.environ.get("BERTH_CACHE", pathlib.Path.home() / ".cache/berth"))


def on_core(core, *command):
    core = min(core, os.cpu_count() - 1)
    return ["taskset", "-c", str(core), *map(str, command)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


# ---- both sides ----

NGINX = """
daemon off; pid {top}/{name}.pid; error_log {top}/{name}.err; worker_processes 1; user root;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; include /etc/nginx/mime.types; etag on; keepalive_requests 1000000000;
  client_body_temp_path {top}/{name}.body; proxy_temp_path {top}/{name}.proxy;
  fastcgi_temp_path {top}/{name}.f; uwsgi_temp_path {top}/{name}.u; scgi_temp_path {top}/{name}.s;
  {rest}
}}
"""
TASK = """server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain;
  return 200 "{body}"; }} }}"""
FRONT = """
  open_file_cache max=100; map_hash_max_size 65536; map_hash_bucket_size 128;
  map $http_upgrade $hop {{ default upgrade; '' ''; }}
  map $host $to {{ default nowhere; {routes} }}
  upstream task {{ server 127.0.0.1:{task}; keepalive 64; }}
  upstream nowhere {{ server 127.0.0.1:1; }}
  server {{ listen 127.0.0.1:{port} backlog=1024;
    location = /login {{ alias {top}/login.html; default_type text/html; }}
    location / {{ proxy_pass http://$to; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto http;
      proxy_read_timeout 3600; }} }}
"""


@contextlib.contextmanager
def nginx(top, name, core, rest):
    (top / f"{name}.conf").write_text(NGINX.format(top=top, name=name, rest=rest))
    with program(*on_core(core, "nginx", "-c", top / f"{name}.conf"), log=top / f"{name}.log") as p:
        yield p


@contextlib.contextmanager
def http_task(top):
    port = free_port()
    with nginx(top, "task", 1, TASK.format(port=port, body="x" * 100)):
        until("the task", lambda: listens(port))
        yield port


@contextlib.contextmanager
def gateway(top, task):
    data, port = top / "data", free_port()
    (data / "run").mkdir(parents=True)
    berthd = fakes.Berthd(str(data))
    berthd.routes = {i: f"127.0.0.1:{task}" for i in IDS}
    berthd.allowed = {(TOKEN, ID)}
    berthd.start()
    command = [BUILD / "berth-gateway", "--data", data, "--listen", f"127.0.0.1:{port}", "--plain",
               "--user", "nobody", "--log", "warn"]
    with program(*on_core(0, *command), log=top / "gateway.log") as process:
        until("the gateway", lambda: listens(port))
        until("its routes", lambda: b"berth_gateway_routes 10000\n" in
              urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics/gateway").read())
        try:
            yield port, process
        finally:
            berthd.stop()


@contextlib.contextmanager
def nginx_front(top, task):
    port = free_port()
    (top / "login.html").write_bytes((ROOT / "web/login.html").read_bytes())
    routes = "\n".join(f"{i}.localhost task;" for i in IDS)
    rest = FRONT.format(top=top, port=port, task=task, routes=routes)
    with nginx(top, "front", 0, rest) as process:
        until("nginx", lambda: listens(port))
        yield port, process


def rate(port, path, *headers):
    """Answers a second; an answer that is none of the wanted ones is a fault."""
    lines = [a for h in headers for a in ("-H", h)]
    seconds = max(1, round(scaled(4)))
    said = run(*on_core(1, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *lines,
                        f"http://127.0.0.1:{port}{path}")).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])


def warm(port, path, *headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}",
                                     headers=dict(h.split(": ", 1) for h in headers))
    urllib.request.urlopen(request, timeout=10).read()


NOTEBOOK = (f"Host: {HOST}", f"Authorization: Bearer {TOKEN}")


def gateway_nginx():
    """gateway-static and gateway-proxy."""
    need("nginx", "wrk", "taskset")
    need_root()
    with folder() as top, http_task(top) as task, gateway(top, task) as (ours, _), \
            nginx_front(top, task) as (theirs, _):
        for port in (ours, theirs):
            warm(port, "/x", *NOTEBOOK)
        peer = version("nginx", "-v")
        static = alternate(lambda: rate(ours, "/login"), lambda: rate(theirs, "/login"))
        passed = alternate(lambda: rate(ours, "/x", *NOTEBOOK),
                           lambda: rate(theirs, "/x", *NOTEBOOK))
    return [row("gateway-static", *map(median, static), "answers/s", peer),
            row("gateway-proxy", *map(median, passed), "answers/s", peer,
                note="with ours a token is checked")]


# ---- configurable-http-proxy ----


def chp_program():
    need("node", "npm")
    place = CACHE / "bench/chp"
    found = place / "node_modules/.bin/configurable-http-proxy"
    if not found.exists():
        place.mkdir(parents=True, exist_ok=True)
        done = run("npm", "install", "--prefix", place, "configurable-http-proxy", check=False)
        if done.returncode != 0 or not found.exists():
            raise NotMeasured("configurable-http-proxy could not be installed by npm")
    return found


@contextlib.contextmanager
def chp(top, task):
    port, api = free_port(), free_port()
    environment = dict(os.environ, CONFIGPROXY_AUTH_TOKEN="bench")
    command = [chp_program(), "--ip", "127.0.0.1", "--port", port, "--api-ip", "127.0.0.1",
               "--api-port", api, "--log-level", "error"]
    with program(*on_core(0, *command), log=top / "chp.log", env=environment):
        until("chp", lambda: listens(port) and listens(api))
        body = json.dumps({"target": f"http://127.0.0.1:{task}"}).encode()
        with socket.create_connection(("127.0.0.1", api)) as s, s.makefile("rb") as answers:
            for start in range(0, ROUTES, 100):
                s.sendall(b"".join(
                    f"POST /api/routes/user/{i} HTTP/1.1\r\nHost: x\r\nAuthorization: token bench\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode() + body
                    for i in IDS[start:start + 100]))
                for _ in range(100):
                    head = b"".join(iter(answers.readline, b"\r\n"))
                    if b" 201 " not in head:
                        raise RuntimeError(f"chp refused a route: {head[:100]}")
                    if b"chunked" in head:
                        while int(answers.readline(), 16):
                            answers.readline()
                        answers.readline()
        yield port


def gateway_chp():
    need("nginx", "wrk", "taskset")
    need_root()
    found = chp_program()
    with folder() as top, http_task(top) as task, gateway(top, task) as (ours, _), \
            chp(top, task) as theirs:
        warm(ours, "/x", *NOTEBOOK)
        warm(theirs, f"/user/{ID}/x")
        passed = alternate(lambda: rate(ours, "/x", *NOTEBOOK),
                           lambda: rate(theirs, f"/user/{ID}/x"))
        peer = "configurable-http-proxy " + version(found, "--version")
    return [row("gateway-proxy-chp", *map(median, passed), "answers/s", peer)]


# ---- idle tunnels ----


def upgrade_task():
    """Answers 101 and keeps the connection; returns its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    kept = []

    def serve():
        while True:
            s, _ = listener.accept()
            while b"\r\n\r\n" not in s.recv(65536):
                pass
            s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      b"Connection: Upgrade\r\n\r\n")
            kept.append(s)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def resident_kib(pid):
    """Of a process and its children: nginx's worker is one."""
    pids = [pid] + [int(p) for p in run("pgrep", "-P", pid, check=False).stdout.split()]
    total = 0
    for p in pids:
        for line in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                total += int(line.split()[1])
    return total


def kib_a_tunnel(port, pid):
    opened = []
    before = 0
    request = (f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n"
               "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n").encode()
    for i in range(TUNNELS + 50):
        if i == 50:  # what is only needed once does not count
            before = resident_kib(pid)
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(request)
        if b" 101 " not in s.recv(65536):
            raise RuntimeError("no tunnel")
        opened.append(s)
    after = resident_kib(pid)
    for s in opened:
        s.close()
    time.sleep(0.2)
    return (after - before) / TUNNELS


def gateway_ws_idle():
    need("nginx")
    need_root()
    task = upgrade_task()
    with folder() as top:
        with gateway(top, task) as (port, process):
            ours = kib_a_tunnel(port, process.pid)
        with nginx_front(top, task) as (port, process):
            theirs = kib_a_tunnel(port, process.pid)
    return [row("gateway-ws-idle", ours, theirs, "KiB/tunnel", version("nginx", "-v"),
                more_is_better=False, note=f"{TUNNELS} idle tunnels")]


BENCHES = {"gateway-nginx": gateway_nginx, "gateway-chp": gateway_chp,
           "gateway-ws": gateway_ws_idle}
