use super::super::Runner::Task;
use super::super::testing::{environment, runs, shown, tree, with, written};
use crate::run::{Cwd, JobRun};
use crate::source::{MemoryTree, RepoPath};

fn task(text: &str, words: &str) -> String {
    runs(&[("Taskfile.yml", text)], Task, words)
}

/// What a command of a task comes to: the command, with some variables around it.
fn command(text: &str) -> String {
    let file = format!(
        "version: '3'\nvars:\n  A: one\n  B: two\n  E: ''\n  N: 3\n  NO: false\n  YES: true\n  V: 3.10\n  \
         L: [x, y, z]\n  M: {{map: {{k: v, a: b}}}}\n  G: {{sh: git tag}}\ntasks:\n  t:\n    cmds:\n      - |-\n        {}\n",
        text.replace('\n', "\n        ")
    );
    let set = |run: &mut JobRun<'_>| {
        run.env.insert("SET".into(), "value".into());
    };
    with(
        &tree(&[("Taskfile.yml", &file)]),
        Task,
        "t",
        set,
        |run, found| shown(run, &found),
    )
}

const SHOP: &str = r#"# A shop.
version: '3'
vars:
  IMAGE: acme/shop
  TAG: {sh: git describe}
tasks:
  default: task --list
  build:
    aliases: [b]
    deps: [login]
    cmds:
      - docker build -t {{.IMAGE}}:{{.TAG}} .
      - cmd: docker push {{.IMAGE}}:{{.TAG}}
        silent: true
  login: docker login
  test:
    - task: build
    - |
      docker run {{.IMAGE}}:{{.TAG}} \
        pytest {{.CLI_ARGS}}
  hidden: {internal: true, cmd: docker pull a}
"#;

#[test]
fn a_task_runs_after_what_it_needs() {
    assert_eq!(
        task(SHOP, "test -- -k it's"),
        "docker login\n\
         docker build -t acme/shop:$(git describe) .\n\
         docker push acme/shop:$(git describe)\n\
         docker run acme/shop:$(git describe) \\\n  pytest -k 'it'\\''s'"
    );
}

#[test]
fn the_words_of_a_command_are_tasks_and_variables() {
    for (words, expected) in [
        ("", "task --list"),
        ("login login", "docker login\ndocker login"),
        (
            "IMAGE=x TAG=$TAG b",
            "docker login\ndocker build -t x:$TAG .\ndocker push x:$TAG",
        ),
        ("nope", "!name no task `nope` in `Taskfile.yml`"),
        (
            "hidden",
            "!name the task `hidden` of `Taskfile.yml` is internal: only other tasks may call it",
        ),
        (
            "$WHICH",
            "! which task `task $WHICH` means is known only when the build runs",
        ),
        (
            "log$WHICH",
            "[if `task log$WHICH` is `task login`] docker login",
        ),
    ] {
        assert_eq!(task(SHOP, words), expected, "{words}");
    }
    assert_eq!(
        task("version: '3'\ntasks: {a: b}\n", ""),
        "!name no task `default` in `Taskfile.yml`"
    );
}

#[test]
fn a_taskfile_is_looked_for_here_and_above() {
    let text =
        |name: &str| format!("version: '3'\ntasks:\n  t: echo {name} {{{{.USER_WORKING_DIR}}}}\n");
    let find = |names: &[&str], words: &str| {
        let texts: Vec<String> = names.iter().map(|name| text(name)).collect();
        let files: Vec<(&str, &str)> = names
            .iter()
            .copied()
            .zip(texts.iter().map(String::as_str))
            .chain([("a/b/README.md", "")])
            .collect();
        let inside = |run: &mut JobRun<'_>| {
            run.cwd = Cwd::Inside(RepoPath::new("a/b").unwrap());
        };
        with(&tree(&files), Task, words, inside, |run, found| {
            shown(run, &found)
        })
    };
    for (names, words, expected) in [
        (
            &["taskfile.dist.yaml"] as &[_],
            "t",
            "echo taskfile.dist.yaml a/b",
        ),
        (
            &["Taskfile.yaml", "taskfile.yml", "Taskfile.dist.yml"],
            "t",
            "echo taskfile.yml a/b",
        ),
        (
            &["Taskfile.yml", "a/Taskfile.yml"],
            "t",
            "a$ echo a/Taskfile.yml b",
        ),
        (
            &["x/Taskfile.yml"],
            "-C ../../x t",
            "x$ echo x/Taskfile.yml ../a/b",
        ),
        (
            &["x/own.yml"],
            "-f ../../x/own.yml t",
            "x$ echo x/own.yml ../a/b",
        ),
        (
            &["x/Taskfile.yml"],
            "-f ../../x t",
            "x$ echo x/Taskfile.yml ../a/b",
        ),
        (
            &["x/own.yml"],
            "-C ../y -f ../../x/own.yml t",
            "a/y$ echo x/own.yml ../b",
        ),
        (
            &["justfile"],
            "t",
            "! no Taskfile in `a/b` or a folder above it",
        ),
        (
            &["x"],
            "-f nope.yml t",
            "! `nope.yml` is not in this repository, or not known before the build runs",
        ),
    ] {
        assert_eq!(find(names, words), expected, "{names:?} {words}");
    }
    assert_eq!(
        runs(&[], Task, "-f https://host/Taskfile.yml t"),
        "! the Taskfile `https://host/Taskfile.yml` is not in this repository"
    );
}

#[test]
fn a_task_has_many_forms() {
    for (form, expected) in [
        ("docker pull a", "docker pull a"),
        (
            "[docker pull a, {cmd: docker pull b}]",
            "docker pull a\ndocker pull b",
        ),
        ("{cmd: docker pull a}", "docker pull a"),
        (
            "{cmds: [docker pull a, {task: other}]}",
            "docker pull a\necho other",
        ),
        (
            "{deps: [other, {task: said, vars: {W: hi}}]}",
            "echo other\necho hi",
        ),
        ("{deps: other}", "echo other"),
        (
            "[{defer: echo last}, {defer: {task: said, vars: {W: then}}}, echo first]",
            "echo first\necho then\necho last",
        ),
        ("{dir: sub/x, cmds: [make]}", "sub/x$ make"),
        (
            "{dir: '{{.ROOT_DIR}}/{{.W}}', vars: {W: y}, cmds: [make]}",
            "y$ make",
        ),
        ("{platforms: [windows, darwin/arm64], cmds: [echo a]}", ""),
        (
            "{platforms: [linux/amd64, windows], cmds: [echo a]}",
            "echo a",
        ),
        ("{platforms: [amd64], cmds: [echo a]}", "echo a"),
        (
            "[{cmd: echo a, platforms: [windows]}, {cmd: echo b, platforms: [linux]}]",
            "echo b",
        ),
        (
            "{cmds: [echo a], status: [false], sources: ['*'], generates: [x], preconditions: [false], run: once, method: none, silent: true}",
            "echo a",
        ),
        (
            "{if: '[ \"$A\" = b ]', cmd: echo a}",
            "if [ \"$A\" = b ]\nthen\necho a\nfi",
        ),
        (
            "[{cmd: echo a, if: test -f x}, {task: other, if: 'false'}]",
            "if test -f x\nthen\necho a\nfi\nif false\nthen\necho other\nfi",
        ),
        (
            "{requires: {vars: [X, {name: Y, enum: [a]}]}, cmd: 'echo {{.X}} {{.Y}} {{.Z}}'}",
            "echo $X $Y",
        ),
        (
            "{vars: {X: a}, requires: {vars: [X]}, cmd: 'echo {{.X}}'}",
            "echo a",
        ),
        (
            "{cmds: [{task: below, vars: {D: deep}}]}",
            "deep$ echo below",
        ),
        ("{cmds: [{task: nope}]}", ""),
        ("null", ""),
    ] {
        let text = format!(
            "version: '3'\ntasks:\n  t: {form}\n  other: echo other\n  said: 'echo {{{{.W}}}}'\n  \
             below: {{dir: '{{{{.D}}}}', cmd: echo below}}\n"
        );
        assert_eq!(task(&text, "t"), expected, "{form}");
    }
}

#[test]
fn a_condition_of_another_folder_is_a_guard() {
    let text =
        "version: '3'\ntasks:\n  t: [{task: sub, if: test -f x}]\n  sub: {dir: sub, cmd: echo a}\n";
    assert_eq!(task(text, "t"), "sub$ [if test -f x] echo a");
}

#[test]
fn a_loop_goes_round_for_each_item() {
    let head = "version: '3'\nvars:\n  WORDS: a b\n  CSV: a,b\n  LIST: [x, y]\n  MAP: {map: {k: v}}\n  OUT: {sh: ls}\n";
    for (form, expected) in [
        ("{for: [a, b], cmd: 'echo {{.ITEM}}'}", "echo a\necho b"),
        (
            "{for: {var: WORDS}, cmd: 'echo {{.ITEM}}'}",
            "echo a\necho b",
        ),
        (
            "{for: {var: CSV, split: ','}, cmd: 'echo {{.ITEM}}'}",
            "echo a\necho b",
        ),
        (
            "{for: {var: LIST, as: X}, cmd: 'echo {{.X}}{{.ITEM}}'}",
            "echo x\necho y",
        ),
        (
            "{for: {var: MAP}, cmd: 'echo {{.KEY}} {{.ITEM}}'}",
            "echo k v",
        ),
        ("{for: {var: OUT}, cmd: 'echo {{.ITEM}}'}", "echo {{.ITEM}}"),
        ("{for: sources, cmd: 'echo {{.ITEM}}'}", "echo {{.ITEM}}"),
        (
            "{for: {matrix: {OS: [l, w], N: {ref: .LIST}}}, cmd: 'echo {{.ITEM.OS}}{{.ITEM.N}}'}",
            "echo lx\necho ly\necho wx\necho wy",
        ),
        (
            "{for: [a, b], task: '{{.ITEM}}'}",
            "echo task a\necho task b",
        ),
        (
            "{for: [a, b], task: said, vars: {W: '{{.ITEM}}'}}",
            "echo a\necho b",
        ),
    ] {
        let text = format!(
            "{head}tasks:\n  t: [{form}]\n  a: echo task a\n  b: echo task b\n  said: 'echo {{{{.W}}}}'\n"
        );
        assert_eq!(task(&text, "t"), expected, "{form}");
    }
    let text = "version: '3'\ntasks:\n  t: {deps: [{for: [a, b], task: '{{.ITEM}}'}], cmd: echo t}\n  a: echo a\n  b: echo b\n";
    assert_eq!(task(text, "t"), "echo a\necho b\necho t");
}

#[test]
fn variables_have_the_precedence_that_task_documents() {
    let text = "version: '3'\nenv: {E: global}\nvars:\n  A: global\n  B: '{{.A}}!'\n  LATE: '{{.AFTER}}'\n  AFTER: x\n  \
                SET: '{{.SET}}ter'\ntasks:\n  t:\n    vars: {A: own, D: '{{.D | default \"d\"}}', L: [q], R: {ref: 'index .L 0'}}\n    \
                cmds:\n      - echo {{.A}} {{.B}} {{.LATE}}. {{.D}} {{.SET}} {{.E}} {{.R}}.\n      - task: called\n        vars: {A: given}\n  \
                called: echo {{.A}} {{.B}}\n";
    let set = |run: &mut JobRun<'_>| {
        run.env.insert("SET".into(), "bet".into());
    };
    let found = |words: &str| {
        with(
            &tree(&[("Taskfile.yml", text)]),
            Task,
            words,
            set,
            |run, found| shown(run, &found),
        )
    };
    assert_eq!(
        found("t"),
        "echo own global! . d better global q.\necho given global!"
    );
    assert_eq!(
        found("t A=cli D=e"),
        "echo own cli! . e better global q.\necho given cli!"
    );
    assert_eq!(found("called A=cli"), "echo cli cli!");
}

#[test]
fn templates_come_to_what_go_makes_of_them() {
    for (text, expected) in [
        ("{{.A}}-{{ .B }}", "one-two"),
        ("{{.UNSET}}x", "x"),
        ("{{.SET}}", "value"),
        ("{{.GITHUB_SHA}}", "$GITHUB_SHA"),
        ("{{.N}} {{.NO}} {{.YES}} {{.V}}", "3 false true 3.1"),
        ("{{.L}} {{.M}} {{.M.k}}", "[x y z] map[a:b k:v] v"),
        ("{{/* nothing */}}a {{- /* nor this */ -}} b", "ab"),
        ("a {{- .A -}} b", "aoneb"),
        ("{{OS}} {{exeExt}}", "linux"),
        ("{{ARCH}}", "{{ARCH}}"),
        ("{{.G}}", "$(git tag)"),
        ("{{.G | upper}}", "{{.G | upper}}"),
        (
            "{{default \"x\" .E}}{{.UNSET | default .A}}{{.A | default \"x\"}}{{.G | default \"x\"}}",
            "xoneone$(git tag)",
        ),
        ("{{if .A}}a{{else}}b{{end}}", "a"),
        (
            "{{if .NO}}a{{else if .E}}b{{else if eq .A \"one\" }}c{{else}}d{{end}}",
            "c",
        ),
        (
            "{{if and .A (not .E)}}a{{end}}{{if or .NO .E}}b{{end}}",
            "a",
        ),
        ("{{if ne .A \"one\"}}a{{end}}.", "."),
        ("x {{if .G}}a{{end}} y", "x {{if .G}}a{{end}} y"),
        ("x {{if .G}}-v {{.A}}{{end}} y", "x -v one y"),
        ("x {{if .G}}--a{{else}}--b{{end}} y", "x --a y"),
        ("x \\\n{{if .G}}a{{end}}\ny", "x \\\n{{if .G}}a{{end}}\ny"),
        (
            "x\n{{if eq .G \"v1\"}}\na {{.A}}\n{{else if .NO}}\nb\n{{else if .G}}\nc\n{{else}}\nd\n{{end}}\ny",
            "x\n\nif [ \"{{eq .G \"v1\"}}\" ]\nthen :\n\na one\n\nelif [ \"{{.NO}}\" ]\nthen :\n\nb\n\nelif [ \"{{.G}}\" ]\nthen :\n\nc\n\nelse :\n\nd\n\nfi\n\ny",
        ),
        (
            "{{with .A}}{{.}}{{end}}{{with .E}}x{{else}}y{{end}}",
            "oney",
        ),
        ("{{range .L}}<{{.}}>{{end}}", "<x><y><z>"),
        (
            "{{range $i, $e := .L}}{{if $i}},{{end}}{{$e}}{{$.A}}{{end}}",
            "xone,yone,zone",
        ),
        ("{{range $k, $v := .M}}{{$k}}={{$v}};{{end}}", "a=b;k=v;"),
        ("{{range .UNSET}}a{{else}}b{{end}}", "b"),
        (
            "{{range splitList \",\" \"p,q\"}}-v {{.}} {{end}}",
            "-v p -v q",
        ),
        ("{{$x := .A}}{{$x}}{{$x = .B}}{{$x}}", "onetwo"),
        ("{{printf \"%s:%v-%d%%\" .A .B .N}}", "one:two-3%"),
        ("{{printf \"%05.2f\" .N}}", "{{printf \"%05.2f\" .N}}"),
        (
            "{{trimPrefix \"o\" .A}}{{trimSuffix \"o\" .B}}{{trim \" a \"}}{{trimAll \"x\" \"xax\"}}",
            "netwaa",
        ),
        (
            "{{replace \"o\" \"0\" .B}}{{upper .A}}{{lower \"X\"}}",
            "tw0ONEx",
        ),
        (
            "{{join \",\" .L}} {{.L | join \" \"}} {{index .L 1}} {{first .L}}{{last .L}}",
            "x,y,z x y z y xz",
        ),
        ("{{index .M \"k\"}} {{index . \"A\"}} {{len .L}}", "v one 3"),
        (
            "{{quote .A}} {{shellQuote \"a b\"}} {{q \"it's\"}}",
            "\"one\" 'a b' 'it'\\''s'",
        ),
        ("{{env \"SET\"}} {{env \"OTHER\"}}", "value $OTHER"),
        ("{{ternary \"a\" \"b\" .YES}}{{coalesce .E .B}}", "atwo"),
        ("{{contains \"n\" .A}} {{hasPrefix \"o\" .A}}", "true true"),
        (
            "{{splitList \"/\" \"a/b/c\" | last}}{{(split \"$\" \"a$b\")._1}}",
            "cb",
        ),
        (
            "{{joinPath .A \"..\" \"x\"}} {{base \"a/b.c\"}} {{dir \"a/b\"}}",
            "x b.c a",
        ),
        ("{{add .N 1}}{{sub 5 .N}}{{if gt .N 2}}!{{end}}", "42!"),
        ("{{\"a\\\"b\"}}{{`c\\d`}}", "a\"bc\\d"),
        ("{{\"}}\"}}", "}}"),
        (
            "{{now | date \"2006\"}} {{.A}}",
            "{{now | date \"2006\"}} one",
        ),
        ("{{unheard .A}} {{.A", "{{unheard .A}} {{.A"),
        ("{{if .A}}open {{.A}}", "{{if .A}}open {{.A}}"),
        ("{{end}}{{.A}}", "{{end}}{{.A}}"),
        ("{{define \"x\"}}a{{end}}b", "{{define \"x\"}}a{{end}}b"),
        (
            "{{.A.b}} {{.}} {{$y}} {{..}}",
            "{{.A.b}} {{.}} {{$y}} {{..}}",
        ),
        (
            "{{.TASK}} {{.ROOT_DIR}} {{.TASKFILE}} {{.ROOT_TASKFILE}}",
            "t . Taskfile.yml Taskfile.yml",
        ),
        ("${VAR} {{.A}} $(cmd)", "${VAR} one $(cmd)"),
    ] {
        assert_eq!(command(text), expected, "{text}");
    }
}

#[test]
fn folders_are_written_as_from_the_folder_that_a_command_runs_in() {
    let files = [
        (
            "Taskfile.yml",
            "version: '3'\nvars: {OUT: '{{.ROOT_DIR}}/out/x'}\nincludes:\n  s: {taskfile: svc/api, dir: svc}\ntasks:\n  \
             t: {dir: a/b, cmds: ['{{.ROOT_DIR}} {{.TASKFILE_DIR}}/x {{.TASK_DIR}} {{.OUT}}', {task: u, vars: {P: '{{.TASK_DIR}}/q'}}]}\n  \
             u: 'echo {{.P}}'\n",
        ),
        (
            "svc/api/Taskfile.yml",
            "version: '3'\ntasks:\n  t: {dir: '{{.TASKFILE_DIR}}', cmd: 'echo {{.ROOT_DIR}} {{absPath \"y\"}}'}\n  u: 'echo {{.TASKFILE_DIR}}'\n",
        ),
    ];
    assert_eq!(
        runs(&files, Task, "t s:t s:u"),
        "a/b$ ../.. ../../x . ../../out/x\necho a/b/q\nsvc/api$ echo ../.. ../../y\nsvc$ echo api"
    );
}

#[test]
fn a_task_with_stars_is_many_tasks() {
    let text = "version: '3'\ntasks:\n  build:*: 'echo {{index .MATCH 0}}'\n  a:*:*: 'echo {{index .MATCH 0}}/{{index .MATCH 1}}'\n  \
                build:own: echo own\n  t: [{task: 'build:x-{{.Y}}'}]\n";
    for (words, expected) in [
        ("build:web", "echo web"),
        ("build:own", "echo own"),
        ("a:b:c:d", "echo b:c/d"),
        ("t Y=y", "echo x-y"),
        ("b$X", "[if `task b$X` is `task build:own`] echo own"),
        ("a:y:$X", "echo y/$X"),
        ("build", "!name no task `build` in `Taskfile.yml`"),
    ] {
        assert_eq!(task(text, words), expected, "{words}");
    }
}

#[test]
fn variables_reach_the_environment_as_task_sets_it() {
    let files = [
        (
            "Taskfile.yml",
            "version: '3'\ndotenv: [.env, '{{.N}}.env', none]\nvars: {N: more}\nenv: {A: global, SET: no, G: '{{.N}}', C: {sh: ls}}\n\
             tasks:\n  t:\n    dotenv: [own.env]\n    dir: sub\n    vars: {NOT: exported}\n    env: {A: own, P: '{{.ROOT_DIR}}/x', L: [a]}\n    \
             cmd: 'echo {{.D}}{{.M}}{{.O}}'\n",
        ),
        (".env", "D=1\nA=env\n"),
        ("more.env", "D=2\nM=3\n"),
        ("sub/own.env", "O=4\nA=file\n"),
    ];
    assert_eq!(
        environment(&files, Task, "t"),
        [
            "A=own", "C=$(ls)", "D=1", "G=more", "M=3", "O=4", "P=../x", "SET=no"
        ]
    );
    assert_eq!(runs(&files, Task, "t"), "sub$ echo 13");
    let set = |run: &mut JobRun<'_>| {
        run.env.insert("SET".into(), "outside".into());
    };
    let has = with(&tree(&files), Task, "t", set, |_, found| {
        found.unwrap()[0].env.iter().any(|(name, _)| name == "SET")
    });
    assert!(!has, "what the system sets is stronger");
}

const APP: [(&str, &str); 5] = [
    (
        "Taskfile.yml",
        "version: '3'\nincludes:\n  api: svc/api\n  web:\n    taskfile: svc/web/Taskfile.yml\n    dir: svc/web\n    aliases: [w]\n    \
         excludes: [out]\n    vars: {NAME: given}\n  lib: {taskfile: lib.yml, flatten: true}\n  own: {taskfile: lib.yml, internal: true}\n  \
         gone: {taskfile: gone.yml, optional: true}\ntasks:\n  all: [{task: api}, {task: 'web:build'}, {task: 'own:lib'}]\n  up: echo root {{.X}}\n",
    ),
    (
        "svc/api/Taskfile.yml",
        "version: '3'\nvars: {X: api}\ntasks:\n  default: [echo api, {task: ':up'}, {task: up}]\n  up: echo api up\n",
    ),
    (
        "svc/web/Taskfile.yml",
        "version: '3'\nincludes:\n  deep: {taskfile: deep.yml}\nvars: {NAME: '{{.NAME | default \"none\"}}'}\ntasks:\n  \
         build: {aliases: [b], deps: [out2], cmd: 'echo {{.NAME}} {{.TASK}}'}\n  out: echo out\n  out2: {dir: d, cmd: echo out2}\n",
    ),
    (
        "svc/web/deep.yml",
        "version: '3'\ntasks:\n  default: [echo deep, {task: ':build'}, {task: '::up'}]\n",
    ),
    (
        "lib.yml",
        "version: '3'\ntasks:\n  lib: [{task: more}]\n  more: echo lib\n",
    ),
];

#[test]
fn included_taskfiles_bring_their_tasks_under_their_name() {
    for (words, expected) in [
        ("api", "echo api\necho root api\necho api up"),
        ("api:default", "echo api\necho root api\necho api up"),
        ("api:up", "echo api up"),
        (
            "web:build",
            "svc/web/d$ echo out2\nsvc/web$ echo given web:build",
        ),
        ("w:b", "svc/web/d$ echo out2\nsvc/web$ echo given web:build"),
        ("web:out", "!name no task `web:out` in `Taskfile.yml`"),
        (
            "w:deep:default",
            "svc/web$ echo deep\nsvc/web/d$ echo out2\nsvc/web$ echo given web:build\necho root api",
        ),
        (
            "web:deep",
            "svc/web$ echo deep\nsvc/web/d$ echo out2\nsvc/web$ echo given web:build\necho root api",
        ),
        ("lib", "echo lib"),
        ("gone:x", "!name no task `gone:x` in `Taskfile.yml`"),
        (
            "own:lib",
            "!name the task `own:lib` of `Taskfile.yml` is internal: only other tasks may call it",
        ),
        (
            "all",
            "echo api\necho root api\necho api up\nsvc/web/d$ echo out2\nsvc/web$ echo given web:build\necho lib",
        ),
    ] {
        assert_eq!(runs(&APP, Task, words), expected, "{words}");
    }
}

#[test]
fn names_of_a_taskfile_that_is_not_seen_are_unknown() {
    let text = "version: '3'\nincludes:\n  far: https://example.com/Taskfile.yml\n  near: {taskfile: ./gone}\n  \
                os: './{{OS}}.yml'\n  var: './{{.G}}.yml'\nvars: {G: {sh: ls}}\ntasks:\n  t: [echo a, {task: 'far:up'}]\n";
    let files = [
        ("Taskfile.yml", text),
        ("linux.yml", "version: '3'\ntasks: {t: echo linux}\n"),
    ];
    for (words, expected) in [
        ("t", "echo a\ntask -t Taskfile.yml far:up"),
        (
            "far:up",
            "! no task `far:up` in `Taskfile.yml`: its Taskfile `https://example.com/Taskfile.yml` is not in this repository",
        ),
        (
            "near",
            "! no task `near` in `Taskfile.yml`: its Taskfile `./gone` is not in this repository",
        ),
        ("os:t", "echo linux"),
        (
            "var:t",
            "! no task `var:t` in `Taskfile.yml`: which Taskfile `./{{.G}}.yml` means is known only when the build runs",
        ),
        ("nope", "!name no task `nope` in `Taskfile.yml`"),
    ] {
        assert_eq!(runs(&files, Task, words), expected, "{words}");
    }
}

#[test]
fn a_variable_that_a_container_prints_runs_it() {
    let text = "version: '3'\nvars:\n  V: {sh: docker run acme/version}\n  W: {sh: git tag}\n  U: {sh: docker run acme/unused}\n\
                tasks:\n  t: ['echo {{.V}} {{.W}}', {task: u}]\n  u: {dir: s, cmd: 'echo {{.V}}'}\n";
    assert_eq!(
        task(text, "t"),
        "docker run acme/version\necho $(docker run acme/version) $(git tag)\ns$ echo $(docker run acme/version)"
    );
}

#[test]
fn each_word_is_found_where_it_is_written() {
    let files = [
        ("Taskfile.yml", SHOP),
        ("x/Taskfile.yml", "version: '3'\nincludes: {i: i.yml}\n"),
        (
            "x/i.yml",
            "version: '3'\ntasks:\n  t:\n    if: 'true'\n    cmds:\n      - |\n        {{if true}}\n        docker pull a/b\n        {{end}}\n",
        ),
    ];
    assert_eq!(
        written(&files, Task, "test", "pytest"),
        "Taskfile.yml:20: pytest"
    );
    assert_eq!(
        written(&files, Task, "test", "push"),
        "Taskfile.yml:13: push"
    );
    assert_eq!(written(&files, Task, "-C x i:t", "a/b"), "x/i.yml:8: a/b");
}

#[test]
fn a_task_for_another_system_runs_there() {
    let text = "version: '3'\ntasks:\n  t:\n    - {cmd: echo mac, platforms: [darwin]}\n    - {cmd: echo linux, platforms: [linux]}\n    - echo {{OS}}/{{ARCH}}\n";
    let set = |run: &mut JobRun<'_>| {
        run.env.insert("RUNNER_OS".into(), "macOS".into());
        run.env.insert("RUNNER_ARCH".into(), "ARM64".into());
    };
    let found = with(
        &tree(&[("Taskfile.yml", text)]),
        Task,
        "t",
        set,
        |run, found| shown(run, &found),
    );
    assert_eq!(found, "echo mac\necho darwin/arm64");
    assert_eq!(task(text, "t"), "echo linux\necho linux/{{ARCH}}");
}

#[test]
fn taskfiles_that_never_end_do() {
    let size = |files: MemoryTree, words: &str| {
        with(
            &files,
            Task,
            words,
            |_| {},
            |_, found| {
                found.map_or(0, |found| {
                    found.iter().map(|r| r.script.text.len()).sum::<usize>()
                })
            },
        )
    };
    let one = |text: String| MemoryTree::new().with("Taskfile.yml", text);
    let v = "version: '3'\n";
    // Tasks that call themselves, each other, and ever more.
    assert_eq!(
        task(
            &format!("{v}tasks: {{a: [{{task: b}}, echo a], b: {{deps: [a], cmd: echo b}}}}\n"),
            "a"
        ),
        "echo b\necho a"
    );
    size(
        one(format!(
            "{v}tasks: {{a: [{{task: a, vars: {{X: '{{{{.X}}}}x'}}}}, {{task: a, vars: {{X: '{{{{.X}}}}y'}}}}, echo]}}\n"
        )),
        "a",
    );
    let mut text = format!("{v}tasks:\n  t0: echo docker\n");
    for i in 1..60 {
        text.push_str(&format!(
            "  t{i}: [{{task: t{0}}}, {{task: t{0}}}, {{task: t{0}}}]\n",
            i - 1
        ));
    }
    size(one(text), "t59");
    // Files that include each other and themselves.
    let circle = MemoryTree::new()
        .with(
            "Taskfile.yml",
            format!("{v}includes: {{a: a.yml, b: Taskfile.yml}}\ntasks: {{t: echo}}\n"),
        )
        .with(
            "a.yml",
            format!("{v}includes: {{c: Taskfile.yml, d: a.yml}}\ntasks: {{t: echo}}\n"),
        );
    assert!(size(circle, "a:t") > 0);
    let mut wide = MemoryTree::new().with("f20.yml", format!("{v}tasks: {{t: echo}}\n"));
    for i in 0..20 {
        let text = format!(
            "{v}includes: {{a: {{taskfile: f{0}.yml}}, b: {{taskfile: f{0}.yml}}, c: {{taskfile: f{0}.yml}}}}\ntasks: {{t: echo}}\n",
            i + 1
        );
        wide = wide.with(&format!("f{i}.yml"), text.clone());
        if i == 0 {
            wide = wide.with("Taskfile.yml", text);
        }
    }
    assert!(size(wide, "t") > 0);
    let mut empty = MemoryTree::new();
    let names: Vec<String> = (0..150).map(|i| format!("n{i}")).collect();
    for i in 0..12 {
        let includes: Vec<String> = names
            .iter()
            .map(|n| format!("{n}: {{taskfile: 'g{}.yml', vars: {{A: x}}}}", i + 1))
            .collect();
        let vars: Vec<String> = names.iter().map(|n| format!("{n}: x")).collect();
        let text = format!(
            "{v}includes: {{{}}}\nvars: {{{}}}\n",
            includes.join(", "),
            vars.join(", ")
        );
        empty = empty.with(
            if i == 0 {
                "Taskfile.yml".to_owned()
            } else {
                format!("g{i}.yml")
            }
            .as_str(),
            text,
        );
    }
    size(empty, "t");
    // Loops, lists and values that double.
    let row = "[1,2,3,4,5,6,7,8,9,0]";
    let matrix: Vec<String> = (0..40).map(|i| format!("A{i}: {row}")).collect();
    size(
        one(format!(
            "{v}tasks: {{t: [{{for: {{matrix: {{{}}}}}, cmd: 'echo {{{{.ITEM}}}}'}}]}}\n",
            matrix.join(", ")
        )),
        "t",
    );
    let mut text = format!("{v}vars:\n  A0: xxxxxxxxxxxxxxxx\n");
    for i in 1..400 {
        text.push_str(&format!("  A{i}: '{{{{.A{0}}}}}{{{{.A{0}}}}}'\n", i - 1));
    }
    text.push_str("tasks: {t: 'docker pull {{.A399}}'}\n");
    assert!(size(one(text), "t") < 4 * 1024 * 1024);
    let mut text = format!("{v}vars:\n  A0: [a, b]\n");
    for i in 1..60 {
        text.push_str(&format!("  A{i}: {{ref: 'concat .A{0} .A{0}'}}\n", i - 1));
    }
    text.push_str("tasks: {t: [{for: {var: A59}, cmd: 'echo {{.ITEM}}{{range .A58}}{{range $.A57}}{{.}}{{end}}{{end}}'}]}\n");
    size(one(text), "t");
    let mut text = format!("{v}vars:\n  A0: &a0 [a, b]\n");
    for i in 1..60 {
        text.push_str(&format!("  A{i}: &a{i} [*a{0}, *a{0}, *a{0}]\n", i - 1));
    }
    text.push_str("tasks: {t: 'echo {{.A59}}'}\n");
    size(one(text), "t");
    // Templates that are deep, open, or none.
    for text in [
        "{{".repeat(20_000),
        "{{if .A}}".repeat(5_000),
        format!("{{{{{}}}}}", "(".repeat(20_000)),
        format!("{{{{.A{}}}}}", ".b".repeat(20_000)),
        format!(
            "{{{{repeat 999999999 \"x\"}}}}{{{{{}}}}}",
            "not ".repeat(9_000)
        ),
        "{{range until 1000}}{{range until 1000}}{{range until 1000}}x{{end}}{{end}}{{end}}"
            .to_owned(),
        "{{- -}}{{-}}{{/*}}{{\"}}{{'}}{{`}}".to_owned(),
        "{{$x := 1}}{{$x}}{{$}}{{.}}{{index . 1}}{{substr 9 1 \"a\"}}{{index .MATCH 99}}"
            .to_owned(),
    ] {
        let block = format!("{v}tasks:\n  t:\n    - |\n      {text}\n");
        size(one(block), "t");
    }
    // Names with many stars.
    size(
        one(format!("{v}tasks: {{'{}b': echo}}\n", "*a".repeat(60))),
        &"a".repeat(500),
    );
    // No Taskfile at all.
    for text in [
        "",
        "- a",
        "tasks: 3",
        "tasks: {t: 3}",
        "tasks: {t: {cmds: {a: b}, deps: {c: d}, vars: [1]}}",
        "\t{",
        "includes: [a]\ntasks: [b]",
    ] {
        size(one(text.to_owned()), "t");
    }
}
