"""Starting: what is refused, with one clear line, and what certificates do."""

import json
import os
import socket
import ssl
import stat
import subprocess

import pytest

import fakes
from conftest import BUILD, Gateway, free_port


def refused(*options):
    done = subprocess.run([str(BUILD / "berth-gateway"), *options], capture_output=True, text=True,
                          timeout=fakes.DEADLINE_S, check=False)
    assert done.returncode != 0
    return json.loads(done.stderr.splitlines()[-1])["error"]


def handshake(gateway, name):
    context = ssl.create_default_context(cafile=gateway.ca)
    with socket.create_connection(("127.0.0.1", gateway.port), fakes.DEADLINE_S) as s:
        with context.wrap_socket(s, server_hostname=name) as t:
            return t.version()


def test_refusals(data):
    at = f"127.0.0.1:{free_port()}"
    assert "--data" in refused()
    assert "--bogus" in refused("--data", data, "--bogus")
    assert "loopback" in refused("--data", data, "--listen", "0.0.0.0:9", "--plain")
    assert "address and port" in refused("--data", data, "--listen", "nonsense")
    assert "belong together" in refused("--data", data, "--listen", at, "--cert", "x")
    assert "no file" in refused("--data", data, "--listen", at, "--cert", "no file", "--key", "x")
    assert "instance.json" in refused("--data", data)
    assert "domain" in refused("--data", data, "--listen", at, "--domain", "a b")
    if os.geteuid() == 0:
        assert "no-such" in refused("--data", data, "--listen", at, "--plain", "--user", "no-such")
        assert "root" in refused("--data", data, "--listen", at, "--plain", "--user", "root")


def test_port_taken(data):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        error = refused("--data", data, "--listen", f"127.0.0.1:{port}", "--plain")
        assert "taken" in error and str(port) in error


def test_instance_file(data, berthd):
    port = free_port()
    with open(f"{data}/instance.json", "w") as f:
        json.dump({"listen": f"127.0.0.1:{port}", "plain": True, "domain": "Hub.Example"}, f)
    with Gateway(data, False, port=port) as g:
        assert fakes.ask(g, "hub.example", "/healthz").status == 200
        assert fakes.ask(g, "a123456789.HUB.example", "/").status == 401


def test_certificate(data, berthd):
    with Gateway(data, True) as g:
        assert stat.S_IMODE(os.stat(f"{data}/tls/key.pem").st_mode) == 0o600
        for name in ("localhost", "a123456789.localhost", "127.0.0.1"):
            assert handshake(g, name) in ("TLSv1.2", "TLSv1.3")
        for name in ("evil.example", "x.localhost"):
            with pytest.raises(ssl.SSLCertVerificationError):
                handshake(g, name)
        first = open(g.ca).read()
    with Gateway(data, True) as g:
        assert open(g.ca).read() == first
    with Gateway(data, True, "--cert", f"{data}/tls/cert.pem", "--key", f"{data}/tls/key.pem") as g:
        assert fakes.ask(g, "localhost", "/login").get("strict-transport-security")


def test_privileges_are_dropped(plain):
    if os.geteuid() != 0:
        return
    status = open(f"/proc/{plain.process.pid}/status").read()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) != {"0"} and "0" not in fields["Uid"].split()
    assert int(fields["CapEff"], 16) == 0 and int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
