"""The checker: what clang-format and the compiler can't see of how berth is built.

    /usr/bin/python3 -m tools.check            from the root of the repository
    /usr/bin/python3 -m tools.check --warnings also shows where an aim is missed

Exit status 1 when anything is wrong. tools/check/README.md lists the rules.
"""

import subprocess
import sys
import time
from pathlib import Path

from . import headers, rules
from .finding import apply_exceptions, parse_exceptions
from .source import read

HERE = "tools/check"
CACHE = "build-check/headers.json"
# Data in other people's words, and files that are no text.
NO_TEXT = (".png", ".ico", ".woff2", ".gz", ".der", ".bin")


def project_files(root):
    """Tracked and new files, not ignored ones, as sorted relative paths."""
    out = subprocess.run(["git", "ls-files", "-zco", "--exclude-standard"], cwd=root, check=True,
                         capture_output=True).stdout.decode()
    return sorted({p for p in out.split("\0") if p and (Path(root) / p).is_file()})


def run(root):
    paths = project_files(root)
    findings = []
    c_files = [p for p in paths if p.endswith((".c", ".h")) and p.startswith(("src/", "test/"))]
    for path in c_files:
        source = read(root, path)
        for rule in rules.FILE_RULES:
            findings += rule(source)
    for path in paths:
        if path.startswith("src/") and path.endswith("/meson.build"):
            findings += rules.meson_layers(read(root, path))
    findings += rules.readmes(set(paths), lambda p: len(read(root, p).lines))
    findings += rules.built(set(paths), lambda p: read(root, p).text)
    words = rules.parse_forbidden((Path(root) / HERE / "forbidden.txt").read_text())
    for path in paths:
        if not path.endswith(NO_TEXT) and not path.startswith("test/fuzz/corpus/"):
            findings += rules.forbidden(path, read(root, path).text, words)
    findings += headers.check(root, [p for p in c_files if p.startswith("src/") and p.endswith(".h")],
                              Path(root) / CACHE)
    exceptions_path = f"{HERE}/exceptions.txt"
    exceptions, bad = parse_exceptions((Path(root) / exceptions_path).read_text(), exceptions_path)
    return bad + apply_exceptions(findings, exceptions, exceptions_path), len(c_files)


def main(arguments):
    started = time.monotonic()
    findings, files = run(".")
    errors = [f for f in findings if not f.is_warning]
    warnings = [f for f in findings if f.is_warning]
    for finding in errors + (warnings if "--warnings" in arguments else []):
        print(finding)
    print(f"checker: {files} C files, {len(errors)} wrong, {len(warnings)} missed aims, "
          f"{time.monotonic() - started:.1f} s")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
