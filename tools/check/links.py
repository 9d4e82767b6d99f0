"""Programs link only the libraries that their job needs.

    /usr/bin/python3 -m tools.check.links BUILD-FOLDER

The layers keep what is included apart; this looks at what ended up in the programs. Root, and the front
door, stay small: a library that isn't there can't be attacked.
"""

import re
import subprocess
import sys
from pathlib import Path

_SYSTEM = "libc libm libdl libpthread ld-linux-x86-64 ld-linux-aarch64 libgcc_s"
_DOCUMENTS = "libyyjson libyaml-0"
_HTTP = "libuv libllhttp libssl libcrypto"
MAY_LINK = {
    "berth-init": "",  # static
    "berth-runner": f"{_SYSTEM} {_DOCUMENTS} libnl-3 libnl-route-3 libnftables libcap libseccomp libcrypto",
    "berth-gateway": f"{_SYSTEM} {_DOCUMENTS} {_HTTP}",
    "berth": f"{_SYSTEM} {_DOCUMENTS} {_HTTP} libarchive libz",
    "berth-sim": f"{_SYSTEM} {_DOCUMENTS} libcrypto",
}


def stem(library):
    """libnl-3.so.200 → libnl-3"""
    return library.split(".so")[0]


def needed(readelf_output):
    return [stem(name) for name in re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf_output)]


def wrong(program, libraries):
    return sorted(set(libraries) - set(MAY_LINK[program].split()))


def main(folder):
    status = 0
    for program in MAY_LINK:
        path = Path(folder) / program
        if path.exists():
            done = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True)
            for library in wrong(program, needed(done.stdout)):
                print(f"{path}: links {library}, which {program} has no use for (tools/check/links.py)")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
