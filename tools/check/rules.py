"""The rules that look at one file, or at a folder's meson.build. Each yields findings."""

import re

from .finding import Finding
from .source import line_of

# From top to bottom, as in ARCHITECTURE.md: a folder may use only those above it.
LAYERS = (
    "base js types wire sched os ship ev http proxy store blob engine framework auth control session image "
    "volume registry serve pipeline data billing metrics api"
).split()
# Programs use what their job needs and never each other; privilege and size follow from this.
PROGRAMS = {
    "berthd": set(LAYERS),
    "gateway": {"base", "js", "types", "wire", "os", "ev", "http", "proxy"},
    "runner": {"base", "js", "wire", "os"},
    "cli": {"base", "js", "types", "os", "ship", "ev", "http"},
    "sim": {"base", "js", "types", "sched", "os"},
    "init": {"base", "js", "os"},
    "unpack": {"base", "os"},
}
# Layers that a small program links, and that must not bring it more.
NARROW = {"wire": {"base", "js"}}

FILE_LINES, FILE_AIM = 800, 400
HEADER_LINES = 250
FUNCTION_LINES, FUNCTION_AIM = 100, 60
README_LINES = 40

_ALLOC = "base/alloc.h has mem_alloc and friends, so that tests can make each allocation fail"
_CLOCK = "time comes in as a parameter or from os/, so that tests have virtual time"
# Calls and where they may stand (path prefixes); the last word says what to do instead.
BANNED = [
    ("strcpy strcat stpcpy sprintf vsprintf gets strtok strncpy strncat alloca", (),
     "it has no idea of the room there is: struct buf, str_copy or snprintf"),
    ("system popen", (), "no shells: os/ starts programs from an argument vector"),
    ("atoi atol atoll atof", (), "it can't tell an error: base/units.h or strtoll"),
]
BANNED_IN_SRC = [
    ("malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf",
     ("src/base/alloc.c",), _ALLOC),
    ("time clock_gettime gettimeofday", ("src/os/", "src/base/log.c"), _CLOCK),
    ("rand srand random srandom drand48", ("src/os/",),
     "base/rand.h has seeded randomness, os/ has entropy"),
    ("assert", (), "check() of base/check.h stays on in release builds"),
    # os/ may have to ask the kernel again where it gives no event.
    ("sleep usleep", ("src/os/",), "wait for an event or a timer"),
]

_SQL = re.compile(
    r"\s*(SELECT\s|INSERT\s+(OR\s+\w+\s+)?INTO\b|REPLACE\s+INTO\b|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\b"
    r"|CREATE\s+(TABLE|INDEX|UNIQUE|VIEW|TRIGGER)\b|ALTER\s+TABLE\b|DROP\s+(TABLE|INDEX)\b"
    r"|PRAGMA\s|BEGIN\s+(IMMEDIATE|EXCLUSIVE)\b)"
)
_MESON_USES = re.compile(r"(?:dependencies:|'deps':|link_with:)\s*\[([^\]]*)\]")


def folder_of(path):
    """src/http/x/y.c → http; None outside src/ or directly in it."""
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def may_use(user, used):
    if user == used:
        return True
    if user in PROGRAMS or user in NARROW:
        return used in (PROGRAMS.get(user) or NARROW[user])
    if user in LAYERS and used in LAYERS:
        return LAYERS.index(used) < LAYERS.index(user)
    return False


def _layer_finding(path, line, user, used):
    if used in PROGRAMS:
        why = "nothing may use a program"
    elif user in PROGRAMS or user in NARROW:
        why = f"{user} may use only {' '.join(sorted(PROGRAMS.get(user) or NARROW[user]))}"
    else:
        why = f"{used} lies below {user} in the list of layers"
    return Finding("layers", path, line, used, f"{user} uses {used}, but {why}")


def layers(source):
    """Includes go upward only. Drivers, in subfolders, are seen from their own folder alone, but for
    the programs, which choose them."""
    user = folder_of(source.path)
    if user is None:
        return
    if user not in LAYERS and user not in PROGRAMS:
        yield Finding("layers", source.path, 1, user, f"src/{user} is no layer of ARCHITECTURE.md")
        return
    for line, include in source.includes:
        used, slash, _ = include.partition("/")
        if not slash:
            yield Finding("layers", source.path, line, include,
                          f'write "{user}/{include}": includes are relative to src/')
        elif used in LAYERS or used in PROGRAMS:
            if not may_use(user, used):
                yield _layer_finding(source.path, line, user, used)
        elif used == "test":
            yield Finding("layers", source.path, line, used, "src/ includes nothing from test/")


def meson_layers(source):
    """What a folder links follows the same order as what it includes."""
    user = folder_of(source.path)
    if user not in LAYERS and user not in PROGRAMS:
        return
    for match in _MESON_USES.finditer(re.sub(r"#[^\n]*", "", source.text)):
        for used in re.findall(r"\w+", match.group(1)):
            if used in LAYERS and not may_use(user, used):
                yield _layer_finding(source.path, line_of(source.text, match.start()), user, used)


def sizes(source):
    count = len(source.lines)
    if source.path.endswith(".h"):
        if count > HEADER_LINES:
            yield Finding("sizes", source.path, 1, "header",
                          f"{count} lines; a header has at most {HEADER_LINES}")
    elif count > FILE_LINES:
        yield Finding("sizes", source.path, 1, "file",
                      f"{count} lines; a file has at most {FILE_LINES}: split it by verb")
    elif count > FILE_AIM and source.path.startswith("src/"):
        yield Finding("sizes", source.path, 1, "file", f"{count} lines; the aim is {FILE_AIM}", True)
    for function in source.functions:
        if function.body_lines > FUNCTION_LINES:
            yield Finding("sizes", source.path, function.line, function.name,
                          f"{function.name} has {function.body_lines} lines; at most {FUNCTION_LINES}")
        elif function.body_lines > FUNCTION_AIM:
            yield Finding("sizes", source.path, function.line, function.name,
                          f"{function.name} has {function.body_lines} lines; the aim is 40", True)


def _compile_calls(table):
    return [
        (re.compile(r"(?<![\w.>])(" + "|".join(names.split()) + r")\s*\("), allowed, hint)
        for names, allowed, hint in table
    ]


_CALLS = _compile_calls(BANNED)
_CALLS_IN_SRC = _compile_calls(BANNED_IN_SRC)


def calls(source):
    tables = _CALLS + (_CALLS_IN_SRC if source.path.startswith("src/") else [])
    for pattern, allowed, hint in tables:
        if source.path.startswith(tuple(allowed)) and allowed:
            continue
        for match in pattern.finditer(source.code):
            if re.search(rf"\(\*{match.group(1)}\)\s*\(", source.code):
                continue  # a function that was passed in under that name
            yield Finding("calls", source.path, line_of(source.code, match.start()),
                          match.group(1), f"{match.group(1)}() is not used here: {hint}")


def sql(source):
    if not source.path.startswith("src/") or source.path.startswith("src/store/"):
        return
    for line, literal in source.string_literals:
        if _SQL.match(literal):
            word = literal.split()[0]
            yield Finding("sql", source.path, line, word,
                          "SQL stands only in src/store; add a function named by intent to store.h")


def opening(source):
    """A reader learns from the first lines what a file is for. Headers must, the rest should."""
    if source.text.lstrip().startswith("/*") or not source.path.startswith("src/"):
        return
    is_header = source.path.endswith(".h")
    yield Finding("opening", source.path, 1, "comment",
                  "opens with a comment: what it does, who owns what, which threads" if is_header
                  else "should open with a comment that says why the file exists", not is_header)


_TYPEDEF = re.compile(r"\btypedef\b[^;]*;")


def typedefs(source):
    """Structs and enums are named by tag, so that a reader sees what they are."""
    for match in _TYPEDEF.finditer(source.code):
        if "(" not in match.group():
            yield Finding("typedef", source.path, line_of(source.code, match.start()), "typedef",
                          "typedefs are for function types only; name the struct or enum by its tag")


FILE_RULES = (layers, sizes, calls, sql, opening, typedefs)


def built(paths, read_text):
    """A .c that no meson.build of its folder or above names is dead; read_text(path) reads one."""
    for path in sorted(paths):
        if not path.endswith(".c") or not path.startswith(("src/", "test/")):
            continue
        folder, _, name = path.rpartition("/")
        # Tests are often listed by what they test: 'x' for test_x.c.
        short = re.sub(r"^(test|fuzz|conform|sim)_", "", name[:-2])
        wanted = re.compile(rf"(?<!\w)({re.escape(name[:-2])}|{re.escape(short)})(?!\w)")
        while folder:
            meson = f"{folder}/meson.build"
            if meson in paths and wanted.search(re.sub("#.*", "", read_text(meson))):
                break
            folder = folder.rpartition("/")[0]
        else:
            yield Finding("built", path, 1, name, "no meson.build names it, so it is dead: add or delete it")


def readmes(paths, line_count):
    """Every folder of src/ that has code has a short README.md; line_count(path) counts lines."""
    folders = {folder_of(p) for p in paths if p.endswith((".c", ".h"))} - {None}
    for folder in sorted(folders):
        path = f"src/{folder}/README.md"
        if path not in paths:
            yield Finding("readme", path, 1, folder,
                          "missing: what lives here, what it may use, where to start reading")
        elif line_count(path) > README_LINES:
            yield Finding("readme", path, 1, folder, f"more than {README_LINES} lines")


def parse_forbidden(text):
    """Lines `REGEX -- why`. Blanks in the regex are dropped, so that the list does not itself contain
    what it forbids."""
    rules = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            pattern, _, why = line.partition(" -- ")
            rules.append((re.compile(pattern.replace(" ", "")), why.strip()))
    return rules


def forbidden(path, text, rules):
    for pattern, why in rules:
        for match in pattern.finditer(text):
            yield Finding("text", path, line_of(text, match.start()), match.group().strip().replace(" ", "_"), why)
