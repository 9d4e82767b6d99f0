"""The generator reads our tables, in every form in which they are written."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import generate  # noqa: E402

HEADER = """
#define A_LIST(X)                                       \\
    X(ONE, "one", 400, 2, false) /* bad, it says (so) */ \\
    X(TWO,  "t,wo", 1,  3, true)                        \\
    X(XRAY, "x", 2, 4, true) /* X stands for X */
enum a { A };
#define B_LIST(X) X(RUN, "run") X(STOP, "stop")
"""


def test_x_lists():
    assert generate.x_list(HEADER, "A_LIST") == [
        ("ONE", "one", "400", "2", "false", "bad, it says (so)"),
        ("TWO", "t,wo", "1", "3", "true", ""),
        ("XRAY", "x", "2", "4", "true", "X stands for X"),
    ]
    assert generate.x_list(HEADER, "B_LIST") == [("RUN", "run", ""), ("STOP", "stop", "")]
    with pytest.raises(ValueError):
        generate.x_list(HEADER, "C_LIST")


def test_lifecycle_rows():
    text = '#define ROW(f, e, t, w) {f, e, t, w}\nROW(QUEUED, PLACE, PREPARING, "got "\n  "room"),\nROW(A, B, C, "d (e)"),'
    assert generate.lifecycle_rows(text) == [("QUEUED", "PLACE", "PREPARING", "got room"), ("A", "B", "C", "d (e)")]
    with pytest.raises(ValueError):
        generate.lifecycle_rows("/* another form */")


def test_limits():
    text = "/* http */\n#define LIMIT_HEAD_BYTES (16 * 1024)\n#define LIMIT_UP_BYTES (16ull << 30)   /* streamed */\n"
    page = generate.limits(lambda path: text)
    assert "## http\n" in page
    assert "| `head_bytes` | 16 * 1024 |  |" in page and "| `up_bytes` | 16 << 30 | streamed |" in page


def test_pages_of_this_repository(tmp_path, monkeypatch, capsys):
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setattr(generate, "OUT", tmp_path)
    monkeypatch.chdir(root)
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "errors.md").write_text("edited")
    assert generate.main(["--check"]) == 1
    assert "errors.md" in capsys.readouterr().out
