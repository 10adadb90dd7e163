use super::super::Runner::Table;
use super::super::testing::{environment, runs, written};
use super::Tables;

#[test]
fn tasks_of_a_table_are_followed_to_what_they_need() {
    let mise = "[tasks.db]\nrun = \"docker run -d postgres:17\"\n[tasks.up]\ndepends = [\"db\"]\nrun = [\"docker pull a/b:{{arg(name='v')}}\", \"./x.sh\"]\ndir = \"svc\"\nenv = { A = \"b\" }\n[tasks]\none = \"docker pull c\"\nloop = { depends = ['loop', 'one'] }\n";
    let cargo = "[tasks.a]\ncommand = \"docker\"\nargs = [\"pull\", \"x y\"]\ndependencies = [\"b\"]\n[tasks.b]\nscript = [\"docker pull b\", \"true\"]\n[tasks.c]\nrun_task = { name = [\"b\"] }\n";
    let python = "[tool.poe.tasks]\ndb = \"docker run db\"\nall = [\"db\", \"lint\"]\nlint.shell = \"ruff\"\nup = { sequence = [\"db\", { cmd = \"docker pull z\" }] }\n[tool.pdm.scripts]\ndb = { cmd = [\"docker\", \"run\", \"db\"] }\nall = { composite = [\"db\", \"ruff .\"] }\n[tool.hatch.envs.default.scripts]\ndb = \"docker run db\"\nall = [\"db\", \"ruff\"]\n[tool.hatch.envs.e.scripts]\nx = \"docker pull x\"\n[tool.pixi.tasks]\ndb = { cmd = \"docker run db\", depends-on = [\"x\"] }\nx = \"docker pull x\"\n[tool.rye.scripts]\ndb = \"docker run db\"\n";
    let composer = r#"{"scripts": {"db": "docker run db", "all": ["@db", "@composer x", "Acme\\A::b", "ls"]}}"#;
    let deno =
        r#"{"tasks": {"db": "docker run db", "all": {"command": "ls", "dependencies": ["db"]}}}"#;
    let devbox = r#"{"shell": {"scripts": {"db": ["docker run db"]}}}"#;
    let files = [
        ("mise.toml", mise),
        (".mise/tasks/far/up", "#!/bin/sh\ndocker pull far\n"),
        ("Makefile.toml", cargo),
        ("pyproject.toml", python),
        ("composer.json", composer),
        ("deno.json", deno),
        ("devbox.json", devbox),
        ("Pipfile", "[scripts]\ndb = \"docker run db\"\n"),
        ("sub/x", ""),
    ];
    for (kind, words, expected) in [
        (Tables::Mise, "db", "docker run -d postgres:17"),
        (Tables::Mise, "db -- -x", "docker run -d postgres:17 -x"),
        (Tables::Mise, "-C sub db", "docker run -d postgres:17"),
        (
            Tables::Mise,
            "up",
            "docker run -d postgres:17\nsvc$ docker pull a/b:{{arg(name='v')}}\nsvc$ ./x.sh",
        ),
        (Tables::Mise, "one", "docker pull c"),
        (Tables::Mise, "loop", "docker pull c"),
        (Tables::Mise, "far:up", "./.mise/tasks/far/up"),
        (Tables::Mise, "none", "!name no task `none`"),
        (
            Tables::Mise,
            "$X",
            "! which task `$X` means is known only when the build runs",
        ),
        (
            Tables::CargoMake,
            "a",
            "docker pull b\ntrue\ndocker pull 'x y'",
        ),
        (Tables::CargoMake, "c", "docker pull b\ntrue"),
        (Tables::Poe, "all", "docker run db\nruff"),
        (Tables::Poe, "up", "docker run db\ndocker pull z"),
        (Tables::Pdm, "db", "docker run db"),
        (Tables::Pdm, "all", "docker run db\nruff ."),
        (Tables::Hatch, "all", "docker run db\nruff"),
        (Tables::Hatch, "e:x", "docker pull x"),
        (Tables::Hatch, "x", "!name no task `x`"),
        (Tables::Pixi, "db", "docker pull x\ndocker run db"),
        (Tables::Rye, "db", "docker run db"),
        (Tables::Pipenv, "db", "docker run db"),
        (Tables::Composer, "all", "docker run db\ncomposer x\nls"),
        (Tables::Deno, "all", "docker run db\nls"),
        (Tables::Devbox, "db", "docker run db"),
    ] {
        assert_eq!(
            runs(&files, Table(kind), words),
            expected,
            "{kind:?} {words}"
        );
    }
    assert_eq!(environment(&files, Table(Tables::Mise), "up"), ["A=b"]);
    let place = written(&files, Table(Tables::Mise), "db", "postgres:17");
    assert_eq!(place, "mise.toml:2: postgres:17");
    let place = written(&files, Table(Tables::Composer), "db", "db");
    assert_eq!(place, "composer.json:1: db");
}

#[test]
fn a_table_that_is_none_has_no_tasks() {
    for text in [
        "",
        "tasks",
        "[tasks\n",
        "tasks = 1\n",
        "tasks = [\"a\"]\n",
        "[tasks]\na = 1\n",
    ] {
        let out = runs(&[("mise.toml", text)], Table(Tables::Mise), "a");
        assert!(out.is_empty() || out.starts_with("!name"), "{text}: {out}");
    }
    let mut deep = String::from("[tasks]\n");
    for number in 0..5_000 {
        deep.push_str(&format!(
            "t{number} = {{ depends = ['t{}', 't{}'] }}\n",
            number + 1,
            number + 2
        ));
    }
    assert_eq!(runs(&[("mise.toml", &deep)], Table(Tables::Mise), "t0"), "");
}
