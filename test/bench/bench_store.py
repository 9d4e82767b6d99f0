"""The store alone, against SQLite used plainly: build/…/bench_store."""

import json
import subprocess

from measure import BUILD, NotMeasured, folder, run


def store():
    built = run("ninja", "-C", BUILD, "test/bench/bench_store", check=False)
    if built.returncode != 0:
        raise NotMeasured("bench_store does not build")
    with folder() as top:
        said = subprocess.run([BUILD / "test/bench/bench_store", top], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    rows = [json.loads(line) for line in said.splitlines()]
    for row in rows:
        if not row["peer"]:
            row.update(peer=None, ratio=None, peer_version="")
    return rows


BENCHES = {"store": store}
