"""Every header compiles alone, and twice: it includes what it needs and has a guard.

Results are kept by content: a header is compiled again only when it or one of the files that it
includes has changed.
"""

import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .finding import Finding

_FLAGS = ("-std=gnu17 -D_GNU_SOURCE -Isrc -Itest/lib -isystem /usr/include/libnl3 -Wall -Wextra -Wno-unused-parameter "
          "-Wno-missing-field-initializers -Wno-unused-function -Werror -fsyntax-only -x c -").split()


def _digest(root, path):
    try:
        return hashlib.sha256((Path(root) / path).read_bytes()).hexdigest()
    except OSError:
        return ""


def _compile(root, header, compiler):
    """(error text or "", files of the repository that it read)."""
    include = header[len("src/"):]
    code = f'#include "{include}"\n#include "{include}"\n'
    done = subprocess.run([compiler, "-H", *_FLAGS], cwd=root, input=code, text=True,
                          capture_output=True, check=False)
    read = re.findall(r"^\.+ (\S+)$", done.stderr, re.M)
    own = sorted({os.path.normpath(f) for f in read if not f.startswith("/")} | {header})
    errors = [l for l in done.stderr.splitlines() if "error:" in l]
    return ("" if done.returncode == 0 else (errors or ["does not compile"])[0]), own


def check(root, headers, cache_path, compiler="gcc"):
    cache_path = Path(cache_path)
    try:
        cache = json.loads(cache_path.read_text())
    except (OSError, ValueError):
        cache = {}
    digests = {}

    def digest(path):
        if path not in digests:
            digests[path] = _digest(root, path)
        return digests[path]

    def is_fresh(header):
        return header in cache and all(digest(p) == d for p, d in cache[header].items())

    stale = [h for h in headers if not is_fresh(h)]
    good = {h: cache[h] for h in headers if h not in stale}
    findings = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, (error, read) in zip(stale, pool.map(lambda h: _compile(root, h, compiler), stale)):
            if error:
                findings.append(Finding("header", header, 1, "alone",
                                        f"does not compile alone: {error}"))
            else:
                good[header] = {p: digest(p) for p in read}
    cache_path.parent.mkdir(parents=True, exist_ok=True)
    cache_path.write_text(json.dumps(good, indent=0, sort_keys=True))
    return findings
