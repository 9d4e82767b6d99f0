"""A small API server that a test programs: what each request gets, and what came."""

import http.server
import json
import threading
import types


class FakeApi:
    """routes: (method, path) -> function(request) that answers through the request's helpers."""

    def __init__(self):
        self.routes, self.seen = {}, []
        self.lock = threading.Lock()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def any(self):
                self.path_only, _, self.query = self.path.partition("?")
                length = int(self.headers.get("Content-Length", 0))
                self.body = self.rfile.read(length)
                with api.lock:  # a copy: one handler serves all requests of its connection
                    api.seen.append(types.SimpleNamespace(
                        command=self.command, path=self.path, path_only=self.path_only,
                        query=self.query, headers=self.headers, body=self.body))
                route = api.routes.get((self.command, self.path_only))
                if route is None:
                    self.problem(404, "not-found", f"no route {self.command} {self.path_only}")
                else:
                    route(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = any

            def json(self, value, status=200, kind="application/json"):
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def empty(self, status=204):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def problem(self, status, code, detail, **more):
                self.json({"status": status, "code": code, "detail": detail, **more}, status,
                          "application/problem+json")

            def events(self, *events, end=True):
                """Each event: (id, type or None, value). Without end the connection breaks off."""
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for number, kind, value in events:
                    text = f"id: {number}\n" + (f"event: {kind}\n" if kind else "") + \
                        f"data: {json.dumps(value)}\n\n"
                    data = text.encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                if end:
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.drop()

            def drop(self):
                self.close_connection = True
                self.wfile.flush()
                self.connection.close()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # clients may go at any time
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def on(self, method, path, *answers):
        """Answers come one after the other, the last one again and again. A dict is JSON."""
        left = list(answers)

        def route(request):
            with self.lock:
                answer = left.pop(0) if len(left) > 1 else left[0]
            if callable(answer):
                answer(request)
            else:
                request.json(answer)

        self.routes[(method, path)] = route

    def requests(self, method, path):
        with self.lock:
            return [r for r in self.seen if (r.command, r.path_only) == (method, path)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
