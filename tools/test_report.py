"""The report counts what ran, and is red when it should be."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import report  # noqa: E402

CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] a
[       OK ] a
[ RUN      ] b
[  SKIPPED ] b
[ RUN      ] c
[  ERROR   ] --- 0x1 != 0x2
[  FAILED  ] c
[==========] 3 test(s) run.
[  PASSED  ] 1 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] b

 1 SKIPPED TEST(S)
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] c

 1 FAILED TEST(S)
"""


def meson(result, stderr="", name="berth:unit / http/parse"):
    return json.dumps({"name": name, "result": result, "stdout": "", "stderr": stderr}) + "\n"


def counts(result):
    return (result.passed, result.failed, result.skipped)


def test_cmocka_cases_are_counted_one_by_one():
    result = report.read_meson(meson("FAIL", CMOCKA), "native")
    assert counts(result) == (1, 1, 1)
    assert result.skips == ["native:http/parse::b"]
    assert result.failures[0][0] == "native:http/parse (fail)"


def test_several_groups_in_one_program_add_up():
    result = report.read_meson(meson("OK", 2 * CMOCKA.split("[  FAILED  ] 1")[0]), "native")
    assert counts(result) == (2, 0, 2)


def test_a_program_of_another_kind_is_one_test():
    text = meson("OK") + meson("FAIL") + meson("TIMEOUT") + meson("SKIP")
    result = report.read_meson(text, "native")
    assert counts(result) == (1, 2, 1)
    assert result.skips == ["native:http/parse"]


def test_a_crash_after_good_cases_is_a_failure():
    text = meson("ERROR", "[==========] 2 test(s) run.\n[  PASSED  ] 2 test(s).\n")
    assert counts(report.read_meson(text, "asan")) == (2, 1, 0)


def test_junit():
    text = """<testsuites><testsuite name="pytest">
      <testcase classname="test.e2e.test_demo" name="test_a" />
      <testcase classname="test.e2e.test_demo" name="test_b"><failure message="no">x</failure></testcase>
      <testcase classname="test.e2e.test_demo" name="test_c"><error message="no">x</error></testcase>
      <testcase classname="test.e2e.test_demo" name="test_d"><skipped message="no slurm" /></testcase>
    </testsuite></testsuites>"""
    result = report.read_junit(text, "e2e")
    assert counts(result) == (1, 2, 1)
    assert result.skips == ["e2e:test/e2e/test_demo::test_d"]


def run(folder, capsys, is_ci=False, patterns="", **levels):
    for name, text in levels.items():
        (folder / f"{name}.json").write_text(text)
        report.level(folder, name, 1, False)
    status = report.total(folder, levels, is_ci, patterns)
    return status, capsys.readouterr().out.splitlines()


def test_total_sums_levels_and_ends_with_the_line(tmp_path, capsys):
    status, lines = run(tmp_path, capsys, native=meson("OK"), asan=meson("OK") + meson("SKIP"))
    assert status == 0 and lines[-1] == "2 passed, 0 failed, 1 skipped"


def test_total_is_red_when_one_failed(tmp_path, capsys):
    status, lines = run(tmp_path, capsys, native=meson("OK") + meson("FAIL", CMOCKA))
    assert status == 1 and lines[-1] == "2 passed, 1 failed, 1 skipped"
    assert "FAILED native:http/parse (fail)" in lines


def test_total_is_red_when_nothing_ran(tmp_path, capsys):
    status, lines = run(tmp_path, capsys)
    assert status == 1 and lines[-1] == "0 passed, 0 failed, 0 skipped"


def test_total_is_red_when_a_level_broke(tmp_path, capsys):
    assert report.level(tmp_path, "asan", 1, True) == 1
    assert report.total(tmp_path, ["asan"], False, "") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_total_is_red_when_a_level_left_nothing(tmp_path, capsys):
    report.level(tmp_path, "asan", 1, False)
    (tmp_path / "native.json").write_text(meson("OK"))
    report.level(tmp_path, "native", 1, False)
    assert report.total(tmp_path, ["asan", "native", "tools"], False, "") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


def test_skips_matter_in_ci_alone(tmp_path, capsys):
    text = meson("OK") + meson("SKIP")
    assert run(tmp_path, capsys, False, "native:*", native=text)[0] == 0
    assert run(tmp_path, capsys, True, "e2e:*\n", native=text)[0] == 0
    assert run(tmp_path, capsys, True, "# c\nnative:*\n", native=text)[0] == 1
    assert run(tmp_path, capsys, True, "native:*\n!native:http/*\n", native=text)[0] == 0
    assert run(tmp_path, capsys, True, "native:*\n!native:store/*\n", native=text)[0] == 1


def test_the_tail_drops_fine_cases():
    assert report.tail(CMOCKA, 100)[:2] == ["[==========] Running 3 test(s).", "[  SKIPPED ] b"]
    assert report.tail("a\nb\nc", 2) == ["… 1 lines more in the log", "b", "c"]
