"""A client of berth-runner for tests: blocking, one request at a time or many at once."""
import json
import random
import socket
import struct
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id():
    """A valid id: ten characters of Crockford's base32, the first a letter."""
    return random.choice("abcdefghjkmnpqrstvwxyz") + "".join(
        random.choice(ALPHABET) for _ in range(9))


class RunnerError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('text')} [{error.get('field')}]")
        self.code = error.get("code")
        self.text = error.get("text")
        self.field = error.get("field")


class Client:
    def __init__(self, path, hello=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.buffer = b""
        self.next = 0
        self.replies = {}
        self.events = []
        if hello:
            self.welcome = self.ask("hello", version=1, program="test")

    def close(self):
        self.socket.close()

    def send(self, verb, **args):
        self.next += 1
        text = json.dumps({"id": self.next, "verb": verb, "args": args}).encode()
        self.socket.sendall(struct.pack("<I", len(text)) + text)
        return self.next

    def receive(self, deadline):
        """Takes one message in; False when the time ran out."""
        while True:
            if len(self.buffer) >= 4:
                size = struct.unpack("<I", self.buffer[:4])[0]
                if len(self.buffer) >= 4 + size:
                    message = json.loads(self.buffer[4:4 + size])
                    self.buffer = self.buffer[4 + size:]
                    if "event" in message:
                        self.events.append(message)
                    else:
                        self.replies[message["id"]] = message
                    return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                chunk = self.socket.recv(65536)
            except socket.timeout:
                return False
            if not chunk:
                raise ConnectionError("the runner closed the connection")
            self.buffer += chunk

    def wait(self, number, timeout=60):
        deadline = time.monotonic() + timeout
        while number not in self.replies:
            if not self.receive(deadline):
                raise TimeoutError(f"no answer to request {number}")
        message = self.replies.pop(number)
        if "error" in message:
            raise RunnerError(message["error"])
        return message["result"]

    def ask(self, verb, timeout=60, **args):
        return self.wait(self.send(verb, **args), timeout)

    def wait_event(self, kind, key=None, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event["event"] == kind and (key is None or event["task"]["key"] == key):
                    return event
            if not self.receive(deadline):
                raise TimeoutError(f"no event {kind}; seen: {self.events}")

    def list(self):
        tasks, after = [], None
        while True:
            page = self.ask("list", **({"after": after} if after else {}))
            tasks += page["tasks"]
            if not page["more"]:
                return tasks
            after = key_text(tasks[-1]["key"])


def key_text(key):
    return f"{key['workload']}.{key['number']}.{key['fence']}.{key['index']}"
