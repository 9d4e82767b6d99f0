"""Tenants do not see, reach or touch each other."""


def test_another_users_job_looks_like_nothing(ada, bob):
    job = ada.submit(command=["true"])
    ada.wait(job)
    unknown = bob.api("GET", "/api/v1/workloads/zzzzzzzzzz")
    theirs = bob.api("GET", f"/api/v1/workloads/{job}")
    assert theirs.status == unknown.status == 404
    assert theirs.json["code"] == unknown.json["code"]
    assert bob.api("POST", f"/api/v1/workloads/{job}/stop").status == 404
    assert bob.api("GET", f"/api/v1/workloads/{job}/logs").status == 404
    assert job not in bob.api("GET", "/api/v1/workloads").body.decode()


def test_no_way_from_one_project_to_another(ada, bob):
    server = ada.submit(command=["python3", "-c",
                                 "import socket; s = socket.create_server(('', 5000)); "
                                 "print('up', flush=True)\nwhile 1: s.accept()[0].sendall(b'hello')"])
    shown = ada.wait(server, ["RUNNING"])
    address = shown["attempt"]["tasks"][0]["address"]
    reach = ("import socket,sys\n"
             "for i in range(50):\n"
             "    try: print(socket.create_connection((sys.argv[1], 5000), 0.2).recv(5)); break\n"
             "    except OSError as e: last = e\n"
             "else: print('no', last)\n")
    try:
        inside = ada.wait(ada.submit(command=["python3", "-c", reach, address]))
        assert "b'hello'" in ada.log(inside["id"])
        outside = bob.wait(bob.submit(command=["python3", "-c", reach, address]))
        assert "no " in bob.log(outside["id"])
    finally:
        ada.api("POST", f"/api/v1/workloads/{server}/stop?grace=0s")


def test_root_inside_is_nobody_outside(ada):
    done = ada.wait(ada.submit(command=["sh", "-c", "sudo id -u; sudo cat /proc/1/uid_map; "
                                        "sudo mount -t tmpfs x /mnt 2>&1; ls /dev/kmsg 2>&1"]))
    log = ada.log(done["id"])
    assert log.startswith("0\n")
    assert int(log.splitlines()[1].split()[1]) >= 65536
    assert "permission denied" in log.lower() or "not permitted" in log.lower()


def test_wrong_and_revoked_tokens(berth, ada):
    assert berth.request("GET", "/api/v1/me").status == 401
    assert berth.request("GET", "/api/v1/me", headers={"Authorization": "Bearer bt_x"}).status == 401
    made = ada.api("POST", "/api/v1/tokens", {"label": "short"}).json
    with_it = {"Authorization": f"Bearer {made['token']}"}
    assert berth.request("GET", "/api/v1/me", headers=with_it).status == 200
    assert ada.api("DELETE", f"/api/v1/tokens/{made['id']}").status == 204
    assert berth.request("GET", "/api/v1/me", headers=with_it).status == 401
