"""Reference pages that follow from tables in the source, so that they can't be wrong.

    /usr/bin/python3 tools/docs/generate.py           writes docs/reference/*.md
    /usr/bin/python3 tools/docs/generate.py --check   tells which are out of date (part of make check)
"""

import re
import sys
from pathlib import Path

OUT = Path("docs/reference")
NOTE = "<!-- made by tools/docs/generate.py from {}; don't edit -->\n"
_COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
_STRING_OR_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|([^,\s][^,]*)')


def x_list(text, name):
    """The rows of an X-macro list: tuples of the arguments, then the comment beside the row or ""."""
    start = re.search(rf"#define {name}\(X\)", text)
    if not start:
        raise ValueError(f"no list {name}")
    lines = []
    for line in text[start.end():].split("\n"):
        lines.append(line.rstrip("\\ "))
        if not line.endswith("\\"):
            break
    rows = []
    for row in re.finditer(r"X\(((?:[^()\"]|\"(?:\\.|[^\"\\])*\")*)\)([^X]*?(?:/\*.*?\*/)?)(?=\s*(?:X\(|$))",
                           " ".join(lines)):
        arguments = tuple(a or b.strip() for a, b in _STRING_OR_WORD.findall(row.group(1)))
        comment = _COMMENT.search(row.group(2))
        rows.append(arguments + (" ".join(comment.group(1).split()) if comment else "",))
    return rows


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def errors(read):
    rows = x_list(read("src/base/err.h"), "BERR_LIST")
    return NOTE.format("src/base/err.h") + """# Errors

Each error has a stable code. Over REST it is the `code` of an `application/problem+json` answer; the command
line ends with the exit code, 0 when all is well. A command that runs something (`berth run`, `berth job wait`)
ends with that thing's own exit code.

""" + table(
        ("code", "HTTP status", "exit code", "may trying again help", ""),
        [(f"`{name}`", http, exit_code, "yes" if retry == "true" else "no", words)
         for _, name, http, exit_code, retry, words in rows])


def _names(text, list_name):
    return {row[0]: row[1] for row in x_list(text, list_name)}


def lifecycle_rows(text):
    """(from, event, to, why) of every ROW of lifecycle_rows[], as symbols without prefix."""
    pattern = r'\bROW\(\s*([A-Z_]+),\s*([A-Z_]+),\s*([A-Z_]+),\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)'
    rows = [(m[0], m[1], m[2], "".join(re.findall(r'"((?:\\.|[^"\\])*)"', m[3])))
            for m in re.findall(pattern, text)]
    if not rows:
        raise ValueError("no lifecycle row found")
    return rows


def states(read):
    header = read("src/types/workload.h")
    rows = lifecycle_rows(read("src/types/lifecycle.c"))
    state_names = _names(header, "WORKLOAD_STATE_LIST")
    events = _names(header, "LIFE_EVENT_LIST")
    finals = {row[0] for row in x_list(header, "WORKLOAD_STATE_LIST") if row[2] == "true"}
    page = NOTE.format("src/types/workload.h and lifecycle.c") + "# States of a workload\n\n" + table(
        ("state", "final", ""),
        [(f"`{name}`", "yes" if final == "true" else "", words)
         for _, name, final, words in x_list(header, "WORKLOAD_STATE_LIST")])
    page += "\n## Transitions\nThis table is the only thing that changes a state.\n\n" + table(
        ("from", "event", "to", "why"),
        [(f"`{state_names[a]}`", events[e], f"`{state_names[b]}`", why) for a, e, b, why in rows])
    page += "\n```mermaid\nstateDiagram-v2\n    [*] --> QUEUED\n"
    page += "".join(f"    {state_names[a]} --> {state_names[b]}: {events[e]}\n" for a, e, b, _ in rows)
    page += "".join(f"    {state_names[s]} --> [*]\n" for s in state_names if s in finals) + "```\n"
    page += "\n## Why an attempt ended\nExactly one reason an attempt.\n\n" + table(
        ("reason", "tried again by default", "the attempt …"),
        [(f"`{name}`", "yes" if retry == "true" else "no", words)
         for symbol, name, retry, words, _ in x_list(header, "END_REASON_LIST") if symbol != "NONE"])
    return page


def limits(read):
    page = NOTE.format("src/base/limits.h") + "# Limits\n\nThe maximum of everything; units are in the names.\n"
    rows = []

    def flush():
        nonlocal page, rows
        if rows:
            page += table(("limit", "value", ""), rows)
        rows = []

    for line in read("src/base/limits.h").splitlines():
        define = re.match(r"#define LIMIT_(\w+) +(.+?)(?: */\* *(.*?) *\*/)?$", line)
        section = re.match(r"/\* ([a-z][a-z ]*) \*/$", line)
        if section:
            flush()
            page += f"\n## {section.group(1)}\n"
        elif define:
            value = re.sub(r"(?<=\d)(?:ull|ul|u)\b", "", define.group(2)).strip("()")
            rows.append((f"`{define.group(1).lower()}`", value, define.group(3) or ""))
    flush()
    return page


PAGES = {"errors.md": errors, "states.md": states, "limits.md": limits}


def main(arguments):
    old = []
    for name, make in PAGES.items():
        page = make(lambda path: Path(path).read_text(encoding="utf-8"))
        path = OUT / name
        if path.exists() and path.read_text(encoding="utf-8") == page:
            continue
        old.append(str(path))
        if "--check" not in arguments:
            OUT.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
    if "--check" in arguments and old:
        print(f"out of date: {' '.join(old)}; run make docs")
        return 1
    for path in old:
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
