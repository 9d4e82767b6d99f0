"""How long a start takes: a container beside bare conmon and crun, a notebook beside Jupyter alone."""

import http.client
import json
import time

from berth import Berth
from local_runner import Bare, LocalRunner
from measure import (NotMeasured, alternate, folder, median, need, need_root, row, scaled,
                     until, version)

NOTEBOOK_PACKAGES = ["jupyter-notebook"]


def container_start():
    """From the order to the command's first words in the log, over the runner's socket: root of
    layers, writable disk with a limit, user namespace, our init. The peer is the same root and the
    same configuration by conmon, `crun create` and `crun start`, without what is ours. Both get an
    empty network namespace; ours with a network card in it is a row of its own."""
    need_root()
    need("crun", "conmon", "/bin/busybox")
    rounds = max(5, scaled(30))
    with folder() as top, LocalRunner(top) as runner:
        first = runner.order("echo hello; sleep 1")
        runner.start(first)
        config = json.loads((runner.bundle(first["key"]) / "config.json").read_text())
        runner.finish(first["key"])
        bare = Bare(top, config, config["linux"]["uidMappings"][0]["hostID"])
        used = iter(range(2, 250))

        def ours(address=None):
            order = runner.order("echo hello", address)
            took = runner.start(order)
            runner.finish(order["key"])
            return took * 1000

        def ours_with_network():
            return ours(f"{runner.addresses}.{next(used)}")

        def theirs():
            return bare.start("echo hello") * 1000

        ours(), theirs()
        mine, networked, peers = map(median, alternate(ours, ours_with_network, theirs,
                                                       rounds=rounds))
    peer = f"{version('conmon', '--version')}, {version('crun', '--version')}"
    return [row("container-start", mine, peers, "ms", peer, more_is_better=False),
            row("container-start-network", networked, peers, "ms", peer, more_is_better=False,
                note="ours with its network card, the peer without any")]


# Starts what a notebook runs, on a port of its own, and says how long it took until the first answer.
ALONE = """
import http.client, os, subprocess, sys, time
begin = time.monotonic()
server = subprocess.Popen(["sh", "-c", sys.argv[1]], env=dict(os.environ, JUPYTER_TOKEN="x"))
while True:
    try:
        c = http.client.HTTPConnection("127.0.0.1", 8888, timeout=5)
        c.request("GET", "/api/status?token=x")
        if c.getresponse().status == 200:
            break
    except OSError:
        pass
    time.sleep(0.005)
print("took", time.monotonic() - begin, flush=True)
server.terminate()
server.wait()
"""


def notebook_start():
    """From the click (POST) to the first answer of Jupyter through the gateway; the peer is the same
    command in the same image until its port answers from within. Ours is the difference."""
    need_root()
    need("crun", "conmon", "mmdebstrap")
    berth = Berth()
    try:
        berth.up()
        berth.image("nb", NOTEBOOK_PACKAGES)
        user = berth.user("ada")
        auth = {"Authorization": f"Bearer {user.token}"}

        def start():
            made = user.api("POST", "/api/v1/notebooks", {"image": "nb"})
            if made.status != 201:
                raise RuntimeError(f"no notebook: {made.body}")
            return made.json["id"]

        def stop(ident):
            user.api("POST", f"/api/v1/notebooks/{ident}/stop?grace=0s")
            user.wait(ident)

        def whole():
            begin = time.monotonic()
            ident = start()

            def answers():
                try:
                    return berth.request("GET", "/api/status", headers=auth,
                                         host=f"{ident}.localhost").status == 200
                except (OSError, http.client.HTTPException):
                    return False
            until("the notebook answers", answers, 120, 0.005)
            took = time.monotonic() - begin
            stop(ident)
            return took * 1000

        ident = start()
        command = user.show(ident)["spec"]["command"]
        if command[:2] != ["sh", "-c"]:
            raise NotMeasured(f"a notebook's command is {command}")
        stop(ident)

        def alone():
            job = user.submit(image="nb", command=["python3", "-c", ALONE, command[2]])
            done = user.wait(job, seconds=120)
            said = user.log(job)
            if "took " not in said:
                raise RuntimeError(f"Jupyter alone: {done['reason']}: {said[-300:]}")
            return float(said.split("took ")[1].split()[0]) * 1000

        def jupyter_version():
            job = user.submit(image="nb", command=["jupyter", "notebook", "--version"])
            user.wait(job)
            return user.log(job).strip()

        whole(), alone()  # files into the page cache
        whole_ms, alone_ms = map(median, alternate(whole, alone))
        name = f"Jupyter Notebook {jupyter_version()} alone"
    finally:
        berth.end()
    return [row("notebook-start", max(0.0, whole_ms - alone_ms), alone_ms, "ms", name,
                more_is_better=False, note=f"click to answer {whole_ms:.0f} ms in all")]


BENCHES = {"container-start": container_start, "notebook-start": notebook_start}
