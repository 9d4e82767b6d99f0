"""Who reaches whom."""
import socket
import threading

import pytest
import wire

SERVE = "while :; do echo hello-$HOSTNAME | nc -l -p 7000; done"


def serve(runner, client, address, **other):
    order = runner.order(SERVE, address=address, **other)
    client.ask("task-create", **order)
    client.ask("task-start", key=order["key"])
    return order


def ask(runner, client, order, address, port=7000):
    return client.ask("exec", key=order["key"], timeout_ms=10000, env={"PATH": "/bin"},
                      command=["/bin/sh", "-c", f"nc -w 2 {address} {port} </dev/null"])


def reaches(runner, client, order, address, port=7000, tries=40):
    for _ in range(tries):  # the server may just be between two connections
        result = ask(runner, client, order, address, port)
        if "hello" in result["output"]:
            return True
    return False


def test_tasks_of_a_project_reach_each_other(runner, client):
    net = runner.net(client)
    base = net["network"].rsplit(".", 1)[0]
    hosts = {"worker-0": f"{base}.2", "worker-1": f"{base}.3"}
    one = serve(runner, client, f"{base}.2", hosts=hosts)
    serve(runner, client, f"{base}.3", hosts=hosts, hostname="worker-1")
    assert reaches(runner, client, one, "worker-1")
    # the host, which is where the gateway is, reaches tasks
    for _ in range(40):
        try:
            with socket.create_connection((f"{base}.3", 7000), timeout=2) as s:
                if s.recv(100) == b"hello-worker-1\n":
                    break
        except OSError:
            pass
    else:
        pytest.fail("the host does not reach a task")


def test_projects_do_not_reach_each_other_nor_the_host(runner, client):
    net = runner.net(client)
    base = net["network"].rsplit(".", 1)[0]
    one = serve(runner, client, f"{base}.2")
    other = wire.new_id()
    net2 = runner.net(client, project=other)
    base2 = net2["network"].rsplit(".", 1)[0]
    assert base != base2
    serve(runner, client, f"{base2}.2", project=other)
    serve(runner, client, f"{base}.3")
    listener = socket.create_server(("0.0.0.0", 0))
    port = listener.getsockname()[1]

    def greet():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.sendall(b"hello from the host")
            peer.close()
    threading.Thread(target=greet, daemon=True).start()
    try:
        assert reaches(runner, client, one, f"{base}.3")  # the means work
        assert not reaches(runner, client, one, f"{base2}.2", tries=2)
        own = socket.gethostbyname(socket.gethostname())
        for address in {net["gateway"], net2["gateway"], own, "192.0.2.2", "169.254.169.254"}:
            assert not reaches(runner, client, one, address, port, tries=1), address
    finally:
        listener.close()


def test_spoofed_source_is_not_heard(runner, client):
    """A task that takes an address of another project gains nothing."""
    net = runner.net(client)
    base = net["network"].rsplit(".", 1)[0]
    other = wire.new_id()
    base2 = runner.net(client, project=other)["network"].rsplit(".", 1)[0]
    serve(runner, client, f"{base2}.2", project=other)
    one = serve(runner, client, f"{base}.2")
    result = client.ask("exec", key=one["key"], as_root=True, timeout_ms=10000, env={"PATH": "/bin"},
                        command=["/bin/sh", "-c", f"ip addr add {base2}.9/22 dev eth0"])
    assert result["exit_code"] != 0  # no such right inside


def test_address_must_be_the_projects(runner, client):
    for address in ["10.0.0.1", "192.0.2.2"]:
        with pytest.raises(wire.RunnerError) as caught:
            client.ask("task-create", **runner.order("true", address=address))
        assert caught.value.code == "conflict"
    net = runner.net(client)
    with pytest.raises(wire.RunnerError):
        client.ask("task-create", **runner.order("true", address=net["gateway"]))
    assert client.list() == []


def test_slots_run_out_and_come_back(runner, client):
    projects = [wire.new_id() for _ in range(63)]
    slots = {runner.net(client, project=p)["slot"] for p in projects}
    assert len(slots) == 63
    order = runner.order("sleep 1000")
    client.ask("task-create", **order)
    extra = wire.new_id()  # takes the place of a project that has no task
    runner.net(client, project=extra)
    assert runner.net(client)["slot"] == 0
    for project in projects + [extra]:
        client.ask("net-project", project=project, remove=True)
    with pytest.raises(wire.RunnerError) as caught:
        client.ask("net-project", project=runner.project, remove=True)
    assert caught.value.code == "busy"


def test_without_an_address_there_is_only_loopback(runner, client):
    order = runner.order("ip -o link | wc -l; ip -o addr show lo | grep -c 127.0.0.1")
    runner.run(client, order)
    assert runner.output(order["key"]).split() == ["1", "1"]


def test_an_address_taken_over_is_reached_at_once(runner, client):
    """Neighbours remember hardware addresses; neither a new owner nor a new port changes them."""
    base = runner.net(client)["network"].rsplit(".", 1)[0]
    one = serve(runner, client, f"{base}.2")

    def hardware(order, name):
        result = client.ask("exec", key=order["key"], timeout_ms=10000, env={"PATH": "/bin"},
                            command=["/bin/sh", "-c", f"cat /sys/class/net/{name}/address"])
        return result["output"]

    def neighbour():
        result = client.ask("exec", key=one["key"], timeout_ms=10000, env={"PATH": "/bin"},
                            command=["/bin/sh", "-c", "cat /proc/net/arp"])
        return [line.split()[3] for line in result["output"].splitlines()
                if line.startswith(f"{base}.1 ")]

    bridge = open(f"/sys/class/net/b{runner.tag}0/address").read()
    first = serve(runner, client, f"{base}.3")
    assert reaches(runner, client, one, f"{base}.3")
    before = hardware(first, "eth0")
    client.ask("task-delete", key=first["key"])
    again = serve(runner, client, f"{base}.3")
    assert hardware(again, "eth0") == before
    assert reaches(runner, client, one, f"{base}.3")
    assert open(f"/sys/class/net/b{runner.tag}0/address").read() == bridge
    assert neighbour() in ([], [bridge.strip()])
