"""Each rule of the checker, red on a bad sample and green on a good one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.check import headers, links, rules  # noqa: E402
from tools.check.finding import Finding, apply_exceptions, parse_exceptions  # noqa: E402
from tools.check.source import Source  # noqa: E402


def found(rule, path, text):
    """The (what, line) pairs that a file rule reports as wrong."""
    return [(f.what, f.line) for f in rule(Source(path, text)) if not f.is_warning]


def aims(rule, path, text):
    return [f.what for f in rule(Source(path, text)) if f.is_warning]


# --- reading C ---------------------------------------------------------------------------------


def test_code_has_no_comments_or_literals_and_keeps_its_lines():
    source = Source("src/os/x.c", 'int a; /* strcpy(\n */ char *s = "gets(\\"", c = \'"\';\nint b;\n')
    assert source.code.count("\n") == source.text.count("\n")
    assert "strcpy" not in source.code and "gets" not in source.code
    assert source.string_literals == [(2, 'gets(\\"')]


def test_functions_are_found_with_name_and_length():
    text = "static int f(int a,\n             int b)\n{\n    if (a) {\n    }\n    return b;\n}\n"
    (function,) = Source("src/os/x.c", text).functions
    assert (function.name, function.line, function.body_lines) == ("f", 3, 3)


# --- layers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path, include", [
    ("src/http/x.c", "base/err.h"),
    ("src/http/x.c", "http/server.h"),
    ("src/api/x.c", "store/store.h"),
    ("src/engine/local/x.c", "engine/local/net.h"),
    ("src/runner/main.c", "os/file.h"),
    ("src/runner/main.c", "wire/runner.h"),
    ("src/berthd/main.c", "api/api.h"),
    ("test/unit/base/test_x.c", "api/api.h"),
])
def test_include_upwards_is_fine(path, include):
    assert found(rules.layers, path, f'#include "{include}"\n') == []


@pytest.mark.parametrize("path, include, what", [
    ("src/base/x.c", "js/js.h", "js"),
    ("src/sched/x.c", "store/store.h", "store"),
    ("src/store/sqlite/x.c", "control/control.h", "control"),
    ("src/api/x.c", "berthd/wiring.h", "berthd"),
    ("src/runner/x.c", "types/spec.h", "types"),
    ("src/runner/x.c", "ev/loop.h", "ev"),
    ("src/cli/x.c", "store/store.h", "store"),
    ("src/wire/x.c", "types/spec.h", "types"),
    ("src/init/x.c", "http/server.h", "http"),
    ("src/gateway/x.c", "store/store.h", "store"),
    ("src/os/x.c", "file.h", "file.h"),
    ("src/nosuch/x.c", "base/err.h", "nosuch"),
    ("src/os/x.c", "test/lib/fake.h", "test"),
])
def test_include_downwards_is_wrong(path, include, what):
    text = f'/* why */\n#include "{include}"\n'
    assert [w for w, _ in found(rules.layers, path, text)] == [what]


def test_meson_links_follow_the_layers():
    good = "x = declare_dependency(link_with: x_lib, dependencies: [base, js, uv_dep])\n"
    bad = "x = declare_dependency(dependencies: [base,\n  http])\n"
    assert found(rules.meson_layers, "src/os/meson.build", good) == []
    assert found(rules.meson_layers, "src/os/meson.build", bad) == [("http", 1)]
    program = "programs += {'name': 'berth-runner', 'sources': files('main.c'), 'deps': [types]}\n"
    assert found(rules.meson_layers, "src/runner/meson.build", program) == [("types", 1)]
    assert found(rules.meson_layers, "src/cli/meson.build", program) == []


# --- sizes -------------------------------------------------------------------------------------


def test_file_sizes():
    assert found(rules.sizes, "src/os/x.c", "\n" * 800) == []
    assert found(rules.sizes, "src/os/x.c", "\n" * 801) == [("file", 1)]
    assert found(rules.sizes, "src/os/x.h", "\n" * 250) == []
    assert found(rules.sizes, "src/os/x.h", "\n" * 251) == [("header", 1)]
    assert aims(rules.sizes, "src/os/x.c", "\n" * 401) == ["file"]


def test_function_sizes():
    def function(lines):
        return "int f(void)\n{\n" + "    g();\n" * lines + "}\n"

    assert found(rules.sizes, "src/os/x.c", function(100)) == []
    assert found(rules.sizes, "src/os/x.c", function(101)) == [("f", 2)]
    assert aims(rules.sizes, "src/os/x.c", function(61)) == ["f"]


# --- calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", (
    "strcpy strcat sprintf vsprintf gets strtok system popen atoi atol alloca malloc calloc realloc "
    "free strdup time clock_gettime gettimeofday rand srand assert sleep usleep"
).split())
def test_banned_calls(call):
    assert found(rules.calls, "src/http/x.c", f"int a;\nint b = {call}(c);\n") == [(call, 2)]
    assert found(rules.calls, "src/http/x.c", f"int b = {call} (c);\n") == [(call, 1)]
    # not a call, another function, a member, a comment, a string
    for fine in (f"int {call};", f"mem_{call}(c);", f"ops->{call}(c);", f"ops.{call}(c);",
                 f"int f(int (*{call})(int))\n{{\n{call}(c);\n}}\n", f"/* {call}(c) */",
                 f'log("{call}(c)");'):
        assert found(rules.calls, "src/http/x.c", fine) == []


def test_calls_have_their_place():
    assert found(rules.calls, "src/base/alloc.c", "free(malloc(1));") == []
    assert found(rules.calls, "src/os/clock.c", "clock_gettime(a, b);") == []
    assert found(rules.calls, "src/base/log.c", "clock_gettime(a, b);") == []
    assert found(rules.calls, "src/base/id.c", "clock_gettime(a, b);") == [("clock_gettime", 1)]
    # Tests may allocate as they like, but not overflow.
    assert found(rules.calls, "test/unit/os/test_x.c", "free(p); strcpy(a, b);") == [("strcpy", 1)]


# --- sql ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "SELECT id FROM t", "INSERT INTO t VALUES(1)", "INSERT OR IGNORE INTO t", "UPDATE t SET a=1",
    "DELETE FROM t", "CREATE TABLE t(a)", "PRAGMA user_version", "BEGIN IMMEDIATE", "  SELECT 1",
])
def test_sql_outside_the_store(text):
    code = f'/* why */\nconst char *s = "{text}";\n'
    assert [line for _, line in found(rules.sql, "src/control/x.c", code)] == [2]
    assert found(rules.sql, "src/store/sqlite/x.c", code) == []
    assert found(rules.sql, "test/conform/x.c", code) == []


@pytest.mark.parametrize("text", ["DELETE", "UPDATE", "select a queue", "SELECTED", "INSERT"])
def test_words_that_are_no_sql(text):
    assert found(rules.sql, "src/api/x.c", f'const char *s = "{text}";\n') == []


# --- openings, readmes, text -------------------------------------------------------------------


def test_openings():
    assert found(rules.opening, "src/os/x.h", "/* x: does. */\n#ifndef X\n") == []
    assert found(rules.opening, "src/os/x.h", "#ifndef X\n") == [("comment", 1)]
    assert aims(rules.opening, "src/os/x.c", "#include <stdio.h>\n") == ["comment"]
    assert found(rules.opening, "test/lib/x.h", "#ifndef X\n") == []


def test_typedefs():
    assert found(rules.typedefs, "src/os/x.h", "typedef int (*os_fn)(void *ctx);\nstruct a {\n};\n") == []
    assert found(rules.typedefs, "src/os/x.h", "\ntypedef struct a a_t;\n") == [("typedef", 2)]
    assert found(rules.typedefs, "src/os/x.h", "typedef struct {\n    int b;\n} a_t;\n") == [("typedef", 1)]


def test_every_c_file_is_built():
    meson = {
        "src/os/meson.build": "files('file.c', 'sub/deep.c')",
        "test/unit/os/meson.build": "foreach t : ['file']\n  'test_' + t\nendforeach",
        "test/lib/meson.build": "# names: test_file",
    }

    def dead(*paths):
        return [f.what for f in rules.built({*paths, *meson}, meson.get)]

    assert dead("src/os/file.c", "src/os/sub/deep.c") == []
    assert dead("src/os/file.c", "src/os/old_file.c", "src/os/fil.c") == ["fil.c", "old_file.c"]
    assert dead("test/unit/os/test_file.c") == []
    assert dead("test/unit/os/test_old.c", "test/lib/test_file.c") == ["test_file.c", "test_old.c"]


def test_readmes():
    def check(paths, lines=10):
        return [f.text for f in rules.readmes(set(paths), lambda path: lines)]

    assert check(["src/os/x.c", "src/os/README.md"]) == []
    assert check(["src/os/x.c"])[0].startswith("missing")
    assert check(["src/os/x.c", "src/os/README.md"], 41) == ["more than 40 lines"]
    assert check(["src/os/meson.build"]) == []


def test_forbidden_text():
    words = rules.parse_forbidden((ROOT / "tools/check/forbidden.txt").read_text())

    def check(text):
        return [f.line for f in rules.forbidden("docs/x.md", text, words)]

    slash = "/"
    assert check("a\nURIs: http://deb.debian" + ".org/debian\n") == [2]
    assert check("--index-url https://pypi" + ".org/simple") == [1]
    assert check("in " + slash + "work/main") == [1]
    assert check("in " + slash + "root/x") == [1]
    assert check("see issue" + " #12") == [1]
    assert check("src" + slash + "work/x.c and /var/lib/berth, an issue\n") == []


# --- headers -----------------------------------------------------------------------------------


def test_headers_compile_alone_and_are_cached(tmp_path):
    folder = tmp_path / "src" / "os"
    folder.mkdir(parents=True)
    (folder / "good.h").write_text("#ifndef G\n#define G\n#include <stddef.h>\nsize_t g(void);\n#endif\n")
    (folder / "needs.h").write_text("#ifndef N\n#define N\nsize_t n(void);\n#endif\n")
    (folder / "unguarded.h").write_text("struct u {\n    int a;\n};\n")
    (folder / "user.h").write_text('#ifndef U\n#define U\n#include "os/good.h"\nsize_t u(void);\n#endif\n')
    cache = tmp_path / "cache" / "headers.json"
    names = [f"src/os/{n}.h" for n in ("good", "needs", "unguarded", "user")]

    def bad(compiler="gcc"):
        return [f.path for f in headers.check(tmp_path, names, cache, compiler)]

    assert bad() == ["src/os/needs.h", "src/os/unguarded.h"]
    # What was good is not compiled again (there is nothing to compile it with) …
    (folder / "needs.h").write_text((folder / "good.h").read_text())
    names.remove("src/os/unguarded.h")
    assert bad() == []
    assert bad("false") == []
    # … until something that it includes changes.
    (folder / "good.h").write_text("#ifndef G\n#define G\n#endif\n")
    assert bad() == ["src/os/user.h"]


# --- exceptions --------------------------------------------------------------------------------


def test_exceptions():
    finding = Finding("calls", "src/os/x.c", 3, "free", "…")
    exceptions, bad = parse_exceptions("# c\n\ncalls src/os/*.c free -- libc's own buffer\n", "e")
    assert bad == [] and apply_exceptions([finding], exceptions, "e") == []
    # An exception for something else doesn't help, and is told to be unused.
    exceptions, _ = parse_exceptions("calls src/os/x.c malloc -- libc's own buffer\n", "e")
    assert [f.rule for f in apply_exceptions([finding], exceptions, "e")] == ["calls", "exceptions"]


@pytest.mark.parametrize("line", ["calls src/os/x.c free", "calls src/os/x.c free -- short", "calls -- a long reason"])
def test_exceptions_need_form_and_reason(line):
    assert [f.what for f in parse_exceptions(line, "e")[1]] == ["form"]


# --- as a program ------------------------------------------------------------------------------


def test_program_exit_status(tmp_path):
    """A small repository, once clean and once with a wrong include."""
    (tmp_path / "src/os").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    os.symlink(ROOT / "tools/check", tmp_path / "tools/check")
    (tmp_path / ".gitignore").write_text("/tools/\n/build-*/\n")
    (tmp_path / "src/os/README.md").write_text("os\n")
    (tmp_path / "src/os/meson.build").write_text("files('x.c')\n")
    (tmp_path / "src/os/x.c").write_text('/* why */\n#include "base/err.h"\n')
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)

    def run():
        # An own exceptions list: that of the real repository knows other files.
        code = ("import sys; from tools.check import __main__ as m; import tools.check.rules;"
                "m.parse_exceptions = lambda text, path: ([], []); sys.exit(m.main([]))")
        return subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True,
                              check=False)

    clean = run()
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "1 C files, 0 wrong" in clean.stdout
    (tmp_path / "src/os/x.c").write_text('/* why */\n#include "http/server.h"\n')
    wrong = run()
    assert wrong.returncode == 1
    assert "src/os/x.c:2: os uses http" in wrong.stdout


# --- links -------------------------------------------------------------------------------------


def test_links():
    output = (" 0x1 (NEEDED)  Shared library: [libyyjson.so.0]\n 0x1 (NEEDED)  Shared library: [libnl-3.so.200]\n"
              " 0x1 (NEEDED)  Shared library: [libc.so.6]\n 0x1e (FLAGS)  BIND_NOW\n")
    libraries = links.needed(output)
    assert libraries == ["libyyjson", "libnl-3", "libc"]
    assert links.wrong("berth-runner", libraries) == []
    assert links.wrong("berth-gateway", libraries) == ["libnl-3"]
    assert links.wrong("berth-init", libraries) == ["libc", "libnl-3", "libyyjson"]


def test_links_of_real_programs(tmp_path, capsys):
    source = tmp_path / "main.c"
    source.write_text("int main(void)\n{\n    return 0;\n}\n")
    subprocess.run(["gcc", "-o", tmp_path / "berth-gateway", source], check=True)
    subprocess.run(["gcc", "-static", "-o", tmp_path / "berth-init", source], check=True)
    assert links.main(tmp_path) == 0
    subprocess.run(["gcc", "-o", tmp_path / "berth-init", source], check=True)
    assert links.main(tmp_path) == 1
    assert "links libc" in capsys.readouterr().out
