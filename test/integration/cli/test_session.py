"""Logging in, who I am, and how mistakes look."""

import json
import pathlib
import stat


def test_login_by_password_is_remembered(berth, api):
    api.on("POST", "/api/v1/login", {"id": "a", "token": "bt_one", "label": "x"})
    api.on("GET", "/api/v1/me", {"id": "u", "name": "ada", "projects": []})
    done = berth("login", api.url, "--name", "ada", "--password-stdin", stdin="secret one\n")
    assert "as ada" in done.stderr and "bt_one" not in done.stdout + done.stderr
    sent = json.loads(api.requests("POST", "/api/v1/login")[0].body)
    assert sent["name"] == "ada" and sent["password"] == "secret one"
    assert api.requests("GET", "/api/v1/me")[0].headers["Authorization"] == "Bearer bt_one"
    config = berth.home / ".config/berth/config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert json.loads(config.read_text())["current"] == api.url
    assert "ada" in berth("whoami").stdout


def test_a_wrong_password_is_no_login(berth, api):
    api.on("POST", "/api/v1/login",
           lambda r: r.problem(401, "unauthenticated", "wrong name or password"))
    done = berth("login", api.url, "--name", "ada", "--password-stdin", stdin="x\n", code=4)
    assert done.stderr == "berth: wrong name or password\n"
    assert not (berth.home / ".config/berth/config.json").exists()


def test_login_by_token_and_logout(berth, api):
    api.on("GET", "/api/v1/me", {"id": "u", "name": "ada", "projects": []})
    api.on("POST", "/api/v1/logout", lambda r: r.empty())
    berth("login", api.url, "--token-stdin", stdin="bt_two\n")
    berth("logout")
    assert api.requests("POST", "/api/v1/logout")[0].headers["Authorization"] == "Bearer bt_two"
    done = berth("whoami", code=4)
    assert "no berth is known here" in done.stderr and "berth login" in done.stderr


def test_passwords_need_a_terminal_or_a_pipe_on_purpose(berth, api):
    done = berth("login", api.url, "--name", "ada", code=2)
    assert "password is needed" in done.stderr
    assert api.seen == []


def test_nobody_there(berth):
    done = berth("whoami", code=6, env={"BERTH_URL": "http://127.0.0.1:9", "BERTH_TOKEN": "x"})
    assert "no berth answers at http://127.0.0.1:9" in done.stderr and "hint: " in done.stderr


def test_problems_show_field_and_hint(known, api):
    api.on("POST", "/api/v1/users", lambda r: r.problem(
        400, "invalid", "expected a label, found \"A\x1b[31m\"", field="name", hint="lower case"))
    done = known("user", "add", "A", "--no-password", code=2)
    assert done.stderr == 'berth: name: expected a label, found "A [31m"\nhint: lower case\n'


def test_outputs(known, api):
    api.on("GET", "/api/v1/users", {"items": [{"name": "ada", "cluster_admin": True, "id": "u1"}]})
    assert known("user", "ls").stdout.split("\n")[1].split() == ["ada", "yes"]
    assert "u1" in known("user", "ls", "-o", "wide").stdout
    assert json.loads(known("user", "ls", "-o", "json").stdout)["items"][0]["name"] == "ada"
    assert "- name: ada\n" in known("user", "ls", "-o", "yaml").stdout
    api.on("GET", "/api/v1/users", {"items": []})
    done = known("user", "ls")
    assert done.stdout == "" and "nothing to show" in done.stderr


def test_secrets_of_users_go_by_standard_input(known, api):
    api.on("POST", "/api/v1/users", {"name": "bob"})
    api.on("PUT", "/api/v1/users/bob/password", {"name": "bob"})
    known("user", "add", "bob", "--admin", "--password-stdin", stdin="hunter22x\n")
    known("user", "passwd", "bob", "--password-stdin", stdin="hunter33x\n")
    assert json.loads(api.requests("POST", "/api/v1/users")[0].body) == {
        "name": "bob", "password": "hunter22x", "admin": True}
    assert json.loads(api.requests("PUT", "/api/v1/users/bob/password")[0].body) == {
        "password": "hunter33x"}


def test_names_are_escaped_in_paths(known, api):
    api.on("DELETE", "/api/v1/tokens/a%2F..%2Fb", lambda r: r.empty())
    known("token", "rm", "a/../b")
    assert api.requests("DELETE", "/api/v1/tokens/a%2F..%2Fb")


def test_help_and_mistakes(berth):
    assert "job submit FILE" in berth("help").stdout
    assert "--gpu" in berth("run", "--help").stdout
    assert "out-of-memory" in berth("help", "exit-codes").stdout
    done = berth("job", "sbumit", "x", code=2)
    assert "did you mean" in done.stderr and "job submit" in done.stderr or "berth help" in done.stderr
    assert "did you mean --gpu?" in berth("run", "--gpuu", "1", "x", code=2).stderr


def test_events_go_on_where_they_were(known, api):
    event = {"seq": 1, "time": "2026-11-25T01:28:00.000Z", "type": "workload.state", "text": "one",
             "actor": None}
    api.on("GET", "/api/v1/events",
           lambda r: r.events((7, None, event), end=False),
           lambda r: r.events((8, None, {**event, "text": "two"}),
                              (9, "error", {"code": "unauthenticated", "detail": "the login has ended"})))
    done = known("events", "-f", code=4)
    lines = done.stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two"]
    assert lines[0].startswith("2026-11-25 01:28:00  workload.state")
    first, second = api.requests("GET", "/api/v1/events")
    assert "Last-Event-ID" not in first.headers and second.headers["Last-Event-ID"] == "7"
    assert "the login has ended" in done.stderr


def test_the_reference_is_up_to_date(berth):
    page = pathlib.Path(__file__).parents[3] / "docs/cli/commands.md"
    assert page.read_text() == berth("help", "--markdown").stdout, \
        "run: build/berth help --markdown > docs/cli/commands.md"
