//! Scripts of the repository, where they run and what they are given.

use super::{effects, effects_in, pulls, tree};
use crate::context::{Context, Options};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::Mapped;

/// <https://bats-core.readthedocs.io/en/stable/writing-tests.html>
#[test]
fn tests_of_bats_are_scripts() {
    let tests = "#!/usr/bin/env bats\nload helper\nload 'lib/more'\n\nsetup() {\n  docker pull a/setup\n}\n\n@test \"it’s up\" {\n  run -1 docker run a/run\n  run ! start c\n  [ \"$status\" -eq 0 ]\n  docker run a/plain\n}\n\nfunction teardown_file {\n  docker run a/down\n}\nno() {\n  docker run a/no\n}\n";
    let files = [
        ("test/a.bats", tests),
        ("test/helper.bash", "start() { docker run \"a/$1\"; }\n"),
        ("test/lib/more.bash", "docker pull a/more\n"),
        ("test/deep/b.bats", "@test x {\n  docker pull a/deep\n}\n"),
    ];
    let of_one = [
        "a/more always",
        "a/setup always",
        "a/run",
        "a/c",
        "a/plain",
        "a/down",
    ];
    let pulls_of = |script: &str| -> Vec<String> {
        let lines = effects_in(&files, script).into_iter();
        lines
            .filter_map(|line| line.strip_prefix("pull ").map(str::to_owned))
            .collect()
    };
    for script in [
        "bats test/a.bats",
        "bats --tap -j 4 test",
        "cd test && bats .",
        "cd test && npx bats a.bats",
    ] {
        assert_eq!(pulls_of(script), of_one, "{script}");
    }
    let all: Vec<&str> = of_one.into_iter().chain(["a/deep always"]).collect();
    assert_eq!(pulls_of("bats -r test"), all);
    assert_eq!(pulls_of("bats none.bats --help"), [""; 0]);
}

#[test]
fn a_file_that_is_written_piece_by_piece_is_read_as_a_whole() {
    let script = "I=kindest/node:v1.33.4\ncat > kind.yaml <<END\nnodes:\n- role: control-plane\n  image: $I\nEND\nfor i in 1 2; do\ncat >> kind.yaml <<END\n- role: worker\n  image: $I\nEND\ndone\ncat >> kind.yaml <<END\n- |-\n  x = y\nEND\nkind create cluster --config kind.yaml";
    let lines = effects(script);
    assert!(!lines.is_empty());
    assert!(
        lines.iter().all(|l| l == "pull kindest/node:v1.33.4"),
        "{lines:?}"
    );
    let script = "echo 'docker pull a' > x.sh; echo 'docker pull b' >> x.sh; bash x.sh";
    assert_eq!(effects(script), ["pull a always", "pull b always"]);
    let files = [("x.sh", "docker pull c\n")];
    let script = "echo 'docker pull a' >> x.sh; bash x.sh";
    assert_eq!(effects_in(&files, script), ["pull c always"]);
}

#[test]
fn a_script_of_agentic_workflows_pulls_what_it_is_given() {
    for script in [
        "bash /opt/gh-aw/actions/download_docker_images.sh ghcr.io/a/b:1 a/c",
        "bash \"${RUNNER_TEMP}/gh-aw/actions/download_docker_images.sh\" ghcr.io/a/b:1 a/c",
        "/tmp/gh-aw/actions/download_docker_images.sh ghcr.io/a/b:1 a/c",
    ] {
        let expected = ["pull ghcr.io/a/b:1 always", "pull a/c always"];
        assert_eq!(effects(script), expected, "{script}");
    }
    let script = "export GH_AW_DOCKER_IMAGE_PULL_POLICY=never\nbash /opt/gh-aw/actions/download_docker_images.sh a/c";
    assert_eq!(effects(script), [""; 0]);
}

#[test]
fn a_folder_that_is_not_there_is_not_gone_into_again() {
    let files = [("sub/compose.yml", "services:\n  a:\n    image: a/b\n")];
    let script = "for n in a b; do cd sub || true; docker compose -f compose.yml pull; done";
    let lines = effects_in(&files, script);
    assert!(
        lines.iter().all(|line| line.starts_with("pull a/b")),
        "{lines:?}"
    );
}

#[test]
fn a_folder_that_is_circlecis_working_directory_is_the_repository() {
    let files = [("ci/lib.sh", "pull_it() { docker pull \"$1\"; }\n")];
    for script in [
        ". \"$CIRCLE_WORKING_DIRECTORY/ci/lib.sh\"; pull_it a",
        ". \"${CIRCLE_WORKING_DIRECTORY:-/workspace}/ci/lib.sh\"; pull_it a",
        "export D=${WORK:-${CIRCLE_WORKING_DIRECTORY:-\"${HOME}/work\"}}\nsource \"${D}/ci/lib.sh\"; pull_it a",
        "D=${CIRCLE_WORKING_DIRECTORY/#\\~/$HOME}\n. \"$D/ci/lib.sh\"; pull_it a",
        "D=\"${CIRCLE_WORKING_DIRECTORY/\\~/$HOME}\"\n. \"$D/ci/lib.sh\"; pull_it a",
        ". ${GITHUB_WORKSPACE:-$PWD}/ci/lib.sh; pull_it a",
    ] {
        assert_eq!(effects_in(&files, script), ["pull a always"], "{script}");
    }
}

#[test]
fn a_function_of_a_file_that_may_have_been_read_is_unknown_once() {
    let lib = "say() { echo; }\npull_it() { docker pull \"$1\"; }\nall() { pull_it a; }\n";
    let files = [("ci/lib.sh", lib), ("ci/plain.sh", "pull_it() { true; }\n")];
    let why = "it is defined in a file of this repository that `$LIB/ci/lib.sh` may be; which file that is, is known only when the job runs";
    for (script, expected) in [
        ("say; pull_it a; pull_it b", &["pull_it"][..]),
        ("all", &["all"]),
        ("say; other", &[]),
        ("pull_it() { docker pull b; }", &[]),
    ] {
        let script = format!("source \"$LIB/ci/lib.sh\"\n{script}");
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("opaque the function `{name}`: {why}"))
            .collect();
        assert_eq!(effects_in(&files, &script), expected, "{script}");
    }
    for script in [
        "source \"$LIB/ci/plain.sh\"; pull_it",
        ". $LIB/none.sh; pull_it",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn scripts_of_the_repository_are_followed_and_nothing_else() {
    let files = [
        (
            "ci/a.sh",
            "#!/bin/bash\ncd \"$(dirname \"$0\")\"\n. ./lib.sh\npull_it \"$1\"\n",
        ),
        ("ci/lib.sh", "pull_it() { docker pull \"$1\"; }\n"),
        (
            "ci/tool",
            "#!/usr/bin/env python3\nprint('docker pull no')\n",
        ),
        ("b.sh", "docker pull from/b\nexit 1\ndocker pull never\n"),
    ];
    for (script, expected) in [
        ("./ci/a.sh me/app", &["pull me/app always"][..]),
        ("bash -x ci/a.sh me/app", &["pull me/app always"]),
        ("cd ci; ./a.sh me/app", &["pull me/app always"]),
        ("sudo ./ci/a.sh me/app", &["pull me/app always"]),
        ("$PWD/ci/a.sh me/app", &["pull me/app always"]),
        ("./ci/tool", &[]),
        (
            "sh b.sh && docker pull c/c",
            &["pull from/b always", "pull c/c always"],
        ),
        ("source ci/lib.sh\npull_it d/d", &["pull d/d always"]),
        ("bash ../../etc/passwd", &[]),
        ("/etc/init.d/docker start", &[]),
        ("curl https://x -o get-docker.sh; sh ./get-docker.sh", &[]),
        (
            "bash scripts/docker-up.sh",
            &[
                "opaque the script `scripts/docker-up.sh`: it is not in this repository; it may be made while the job runs",
            ],
        ),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_script_that_is_open_is_not_followed_again() {
    let all = |files: &[(&str, &str)], script: &str| -> Vec<String> {
        let pulled = |line: &String| line.strip_prefix("pull ").map(str::to_owned);
        effects_in(files, script)
            .iter()
            .filter_map(pulled)
            .collect()
    };
    for (files, script) in [
        (vec![("a.sh", "docker pull a/a\n./a.sh\n")], "./a.sh"),
        (vec![("a.sh", "docker pull a/a\n. ./a.sh\n")], ". ./a.sh"),
        (vec![], "f() { docker pull a/a; g; f; }; g() { f; g; }; f"),
        (
            vec![
                ("a.sh", "docker pull a/a\nbash b.sh\nbash b.sh\n"),
                ("b.sh", "bash a.sh # docker\nmake a\n"),
                ("Makefile", "a:\n\t./a.sh # docker\n\t$(MAKE) a\n"),
            ],
            "./a.sh",
        ),
        (
            vec![(
                "package.json",
                r#"{"scripts": {"a": "docker pull a/a && npm run b", "b": "npm run a; yarn a"}}"#,
            )],
            "npm run a",
        ),
    ] {
        let script = format!("{script}\ndocker pull z");
        assert_eq!(all(&files, &script), ["a/a always", "z always"], "{script}");
    }
}

#[test]
fn a_folder_that_is_not_there_may_be_left_alone() {
    let files = [
        ("Makefile", "up:\n\tdocker pull root\n"),
        ("sub/Makefile", "up:\n\tdocker pull sub\n"),
    ];
    for (script, expected) in [
        (
            "for n in a b; do cd sub || true; make up; done",
            &["pull sub always", "pull sub always"][..],
        ),
        ("cd nothere || true; make up", &["pull root always"]),
        (
            "cd nothere 2>/dev/null || :\nmake up",
            &["pull root always"],
        ),
        ("cd nothere || cd sub; make up", &["pull sub always"]),
        ("cd sub || cd nothere; make up", &["pull sub always"]),
        // It may be made while the job runs.
        ("cd nothere || exit 1; make up", &[]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_script_that_calls_itself_otherwise_is_followed() {
    let files = [
        (
            "ci.sh",
            "case $1 in all) ./ci.sh one; $0 two;; *) docker pull a/$1;; esac\n",
        ),
        (
            "in.sh",
            "if [ \"$IN\" = yes ]; then docker pull in; else IN=yes exec ./in.sh; fi\n",
        ),
        (
            "Makefile",
            "all:\n\tdocker pull all\n\t$(MAKE) -C sub all\n",
        ),
        ("sub/Makefile", "include ../Makefile\n"),
        ("deeper.sh", "docker pull deeper/$1\n./deeper.sh x$1\n"),
    ];
    assert_eq!(
        effects_in(&files, "./ci.sh all"),
        ["pull a/one always", "pull a/two always"]
    );
    assert_eq!(effects_in(&files, "IN=no ./in.sh"), ["pull in always"]);
    assert_eq!(effects_in(&files, "make all").len(), 2);
    assert_eq!(effects_in(&files, "./deeper.sh y").len(), 4);
}

#[test]
fn options_of_a_script_are_read_from_its_arguments() {
    let script = "#!/bin/bash\nlocal=N\nwhile getopts \":hlt:d:\" opt; do\n  case $opt in\n\
                  h) echo help; exit 0 ;;\n  l) local=Y ;;\n  t) tag=$OPTARG ;;\n  d) dir=$OPTARG ;;\n  esac\ndone\n\
                  shift $((OPTIND - 1))\n\
                  if [ \"$local\" = Y ]; then docker pull $1:$tag; else docker pull other/$1; fi\n";
    let files = [("run.sh", script)];
    for call in [
        "./run.sh -l -t 1 -d x a/b",
        "bash run.sh -lt1 a/b",
        "./run.sh -t 1 -l -- a/b",
    ] {
        let pulled: Vec<String> = effects_in(&files, call)
            .into_iter()
            .filter(|line| line.starts_with("pull "))
            .collect();
        assert_eq!(pulled, ["pull a/b:1 always"], "{call}");
    }
    assert_eq!(
        effects_in(&files, "./run.sh a/b"),
        ["pull other/a/b always"]
    );
    assert_eq!(effects_in(&files, "./run.sh -h a/b"), [""; 0]);
    let script = "while getopts v: o; do case $o in v) V=$OPTARG ;; esac; done\n\
                  if [ -v V ]; then docker pull a/b:$V; else docker pull a/b; fi\n";
    let versions = [("run.sh", script)];
    assert_eq!(
        effects_in(&versions, "./run.sh -v 1"),
        ["pull a/b:1 always"]
    );
    assert_eq!(effects_in(&versions, "./run.sh").len(), 2);
    // Which options there are is not known, and both ways are open.
    assert_eq!(effects_in(&files, "./run.sh $FLAGS a/b").len(), 2);
}

#[test]
fn what_a_script_is_handed_is_found_where_it_is_written() {
    let retry = "#!/bin/sh\nwhile true; do\n  if \"$@\"; then exit 0; fi\ndone\n";
    let function = "fetch() { docker pull \"$2\"; }\n";
    let script = format!("{function}./retry.sh docker pull a/b\nfetch x c/d\n");
    let tree = tree(&[("retry.sh", retry), ("ci.txt", &script)]);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    crate::shell::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    let written: Vec<String> = run
        .finish()
        .iter()
        .map(|effect| {
            let file = cx.sources.get(effect.span.file);
            format!(
                "{} {}",
                file.path,
                file.slice(effect.span.start, effect.span.end)
            )
        })
        .collect();
    assert_eq!(written, ["ci.txt a/b", "ci.txt c/d"]);
}

#[test]
fn a_file_that_is_copied_is_read_where_it_is_put() {
    let files = [
        (
            "ci/compose.yml",
            "services:\n  db: {image: \"postgres:$V\"}\n",
        ),
        ("ci/Dockerfile", "FROM debian\n"),
        ("ci/example.env", "V=16\n"),
        ("app/main.c", ""),
    ];
    let pulls_of = |script: &str| -> Vec<String> {
        let all = effects_in(&files, script);
        all.iter()
            .filter_map(|line| line.strip_prefix("pull ").map(str::to_owned))
            .collect()
    };
    assert_eq!(
        pulls_of(
            "cp ci/compose.yml docker-compose.yml\ncp -f ci/example.env ./.env\ndocker-compose up -d"
        ),
        ["postgres:16"]
    );
    assert_eq!(
        pulls_of(
            "cp ci/compose.yml ci/Dockerfile app/\ncd app && mv compose.yml compose.yaml\ndocker build . && docker compose up"
        ),
        ["debian", "postgres:$V"]
    );
    assert_eq!(
        pulls_of("ln -s ci/Dockerfile .\ndocker build ."),
        ["debian"]
    );
    // A link elsewhere points from there.
    assert!(pulls_of("ln -s ci/Dockerfile app/\ndocker build app").is_empty());
}

#[test]
fn a_word_that_sed_replaces_is_replaced_in_an_image() {
    let files = [(
        "compose.yml",
        "services:\n  app: {image: 'me/app:VERSION'}\n  db: {image: postgres}\n",
    )];
    let pulls_of = |script: &str| effects_in(&files, &format!("{script}\ndocker compose up"));
    for script in [
        "sed -i s/VERSION/$TAG/g compose.yml",
        "sed -i -e \"s|VERSION|$TAG|\" ./compose.yml",
        "sed -i '' \"s/VERSION/$TAG/\" compose.yml",
    ] {
        assert_eq!(
            pulls_of(script),
            ["pull me/app:$TAG", "pull postgres"],
            "{script}"
        );
    }
    for script in [
        "sed s/VERSION/$TAG/ compose.yml",
        "sed -i s/V.*N/$TAG/ compose.yml",
        "sed -i s/VERSION/$TAG/ other.yml",
    ] {
        assert_eq!(
            pulls_of(script),
            ["pull me/app:VERSION", "pull postgres"],
            "{script}"
        );
    }
}

#[test]
fn git_says_where_the_repository_begins() {
    let files = [
        ("app/Dockerfile", "FROM alpine:3.20\n"),
        ("compose.yml", "services: {r: {image: 'redis:7'}}\n"),
        (
            "app/bin/shell",
            "#!/bin/bash\nTOP=$(git rev-parse --show-toplevel)\ndocker build -f \"${TOP}/app/Dockerfile\" \"${TOP}/app\"\n",
        ),
        (
            "app/bin/up",
            "#!/bin/bash\nTOP=$(cd \"$(dirname \"$0\")/../..\" && pwd)\ndocker build \"$TOP/app\"\n",
        ),
    ];
    for (script, expected) in [
        ("./app/bin/shell", "pull alpine:3.20"),
        ("app/bin/up", "pull alpine:3.20"),
        (
            "docker build \"$(git rev-parse --show-toplevel)/app\"",
            "pull alpine:3.20",
        ),
        (
            "R=$(git rev-parse --show-toplevel || pwd)\ncd app/bin; cd \"$R/app\"; docker build .",
            "pull alpine:3.20",
        ),
        (
            "cd app/bin; cd \"$(git rev-parse --show-cdup)app\"; docker build .",
            "pull alpine:3.20",
        ),
        (
            "cd \"$(git -C app rev-parse --show-toplevel)\"; docker compose up -d",
            "pull redis:7",
        ),
    ] {
        let seen = effects_in(&files, script);
        assert!(
            seen.iter().any(|line| line.starts_with(expected)),
            "{script}: {seen:?}"
        );
    }
    assert_eq!(
        pulls("docker pull a/b:$(git rev-parse HEAD)"),
        ["a/b:$(git rev-parse HEAD) always"]
    );
}

#[test]
fn options_that_getopt_arranges_are_known_as_far_as_the_arguments_are() {
    let loops = "while true; do\ncase \"$1\" in\n-v|--version) V=$2; shift 2;;\n-q) shift;;\n--) shift; break;;\nesac\ndone\ncase \"$1\" in create) docker pull a/b:$V;; other) docker pull other;; esac\n";
    for asked in [
        "P=$(getopt -o v:q --long version: -n x -- \"$@\") || exit 1\neval set -- \"$P\"",
        "P=$(getopt v:q \"$@\")\nset -- $P",
        "if ! getopt -T >/dev/null; then P=$(getopt -o v:q -l version: -- \"$@\"); else P=$(getopt x \"$@\"); fi\neval \"set -- $P\"",
    ] {
        let run = format!("#!/bin/bash\n{asked}\n{loops}");
        for call in [
            "./run.sh -q -v 3 create",
            "./run.sh create -v3",
            "./run.sh -qv 3 -- create",
        ] {
            let seen = effects_in(&[("run.sh", &run)], call);
            assert_eq!(seen, ["pull a/b:3 always"], "{asked} / {call}");
        }
    }
    let long = "#!/bin/bash\neval set -- \"$(getopt -o '' --long version:,all -- \"$@\")\"\ndocker pull a/b:$2\n";
    for call in ["./run.sh --version=1 x", "./run.sh x --ver 1"] {
        assert_eq!(
            effects_in(&[("run.sh", long)], call),
            ["pull a/b:1 always"],
            "{call}"
        );
    }
}

#[test]
fn arguments_that_eval_sets_to_what_is_not_known_may_be_any() {
    let script = "set -- a\nP=$(options)\neval \"set -- $P\"\nshift\ncase \"$1\" in create) docker pull a/b;; esac";
    assert_eq!(
        effects(script),
        ["pull a/b always [if case \"$1\" in create)]"]
    );
}

#[test]
fn a_loop_that_shifts_goes_through_all_arguments() {
    let script = "set -- a b\nwhile [ $# -gt 0 ]; do docker pull $1; shift; done";
    assert_eq!(pulls(script), ["a always", "b always"]);
}

#[test]
fn a_folder_that_is_known_in_part_is_left_again() {
    let files = [
        ("Makefile", "up:\n\tdocker run alpine:1\n"),
        ("tests/a/up.sh", "docker compose up\n"),
        ("tests/a/compose.yml", "services: {s: {image: alpine:2}}\n"),
        ("tests/b/up.sh", "echo docker\n"),
        ("tests/lint.sh", "docker version\n"),
        ("quiet/a/up.sh", "docker version\n"),
        (
            "web/app/package.json",
            r#"{"scripts": {"up": "docker run alpine:3", "lint": "eslint"}}"#,
        ),
        ("nested/x/bin/go.sh", "docker build .\n"),
        ("nested/x/Dockerfile", "FROM scratch\n"),
    ];
    let which = |script: &str| {
        format!("opaque the script `{script}`: which one it is, is known only when the job runs")
    };
    let runs = |what: &str, folder: &str| {
        format!(
            "opaque {what}: it runs in `{folder}`, and which folder that is, is known only when the job runs"
        )
    };
    for (script, expected) in [
        ("cd tests/$D; ./up.sh", vec![which("tests/$D/up.sh")]),
        ("bash tests/$D/up.sh", vec![which("tests/$D/up.sh")]),
        ("\"$PWD/tests/$D/up.sh\"", vec![which("tests/$D/up.sh")]),
        ("cd tests && sh ./$NAME.sh", vec![]),
        ("cd tests/$D; ../lint.sh; ../$E/up.sh", vec![which("tests/$E/up.sh")]),
        ("cd quiet/$D; ./up.sh; cd ../../tests/a; ./up.sh", vec!["pull alpine:2".to_owned()]),
        ("cd tests/$D; cd ../..; make up", vec!["pull alpine:1".to_owned()]),
        ("pushd tests/$D; popd; make up", vec!["pull alpine:1".to_owned()]),
        ("cd web/$D && npm run lint && npm run up", vec![runs("npm run up", "web/$D")]),
        ("cd web/$D && npm run lint", vec![]),
        ("cd \"$D\" && make up", vec![runs("make up", "$D")]),
        ("cd \"$D\" && make install", vec![]),
        ("cd \"$D\"; cd ..; make up", vec![]),
        ("cd \"$(mktemp -d)\"; make up", vec![]),
        ("cd \"$HOME/$D\"; make up", vec![]),
        ("cd /srv/$D; make up", vec![]),
        // Its folder is where the script's parent is, and nothing is pulled there.
        ("cd nested/$D; bin/go.sh", vec![]),
        (
            "cd tests/$D; docker build .",
            vec!["opaque build of `.`: its context, `.`, is relative to `tests/$D`, which is known only when the build runs".to_owned()],
        ),
        ("cd tests/$D; docker compose up", vec![runs("docker compose up", "tests/$D")]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_file_for_later_steps_may_be_read_at_once() {
    for source in [
        "source $BASH_ENV",
        ". \"$BASH_ENV\"",
        "source \"${BASH_ENV}\"",
    ] {
        let script = format!(
            "echo 'export IMG=acme/web:1' >> $BASH_ENV\necho 'get() {{ docker pull $1; }}' >> $BASH_ENV\n{source}\ndocker pull $IMG\nget acme/db:2"
        );
        assert_eq!(
            pulls(&script),
            ["acme/web:1 always", "acme/db:2 always"],
            "{source}"
        );
    }
}

#[test]
fn a_function_that_calls_itself_and_pulls_nothing_is_not_spoken_of() {
    let unread = |script: &str| {
        let tree = tree(&[("ci.txt", script)]);
        let options = Options::default();
        let cx = Context::new(&tree, &options);
        let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
        let mut run = JobRun::new(&cx);
        super::super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
        drop(run);
        cx.take_notes().0.len()
    };
    let resolve =
        "resolve() { x=$(readlink \"$1\") && resolve \"$(joined \"$1\" \"$x\")\" \"$@\"; }\n";
    for (joined, said) in [("echo \"$1/$2\"", 0), ("docker pull a; echo $1/$2", 1)] {
        let script = format!("{resolve}joined() {{ {joined}; }}\nresolve a\ndocker pull b");
        assert_eq!(unread(&script), said, "{script}");
    }
}

#[test]
fn a_script_of_images_may_stand_in_a_folder_that_the_job_fetched() {
    let opaque = |path: &str| {
        format!(
            "opaque the script `{path}`: it is not in this repository; it may be made while the job runs"
        )
    };
    let files = [("ci/x.sh", "echo\n")];
    for (script, path) in [
        (
            "git clone https://example.org/tool.git\n./tool/build-images.sh",
            "tool/build-images.sh",
        ),
        (
            "git clone https://example.org/tool.git\ncd tool && ./containers/up",
            "tool/containers/up",
        ),
    ] {
        let provided = "provide ?".to_owned();
        assert_eq!(
            effects_in(&files, script),
            [opaque(path), provided],
            "{script}"
        );
    }
    for script in [
        "git clone https://example.org/tool.git\n./tool/setup.sh",
        "./tool/install-docker.sh",
        "./ci/images.sh",
        "./images.sh",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}
