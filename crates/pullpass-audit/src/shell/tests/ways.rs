//! Variables that a script leaves different on different paths.

use super::*;

#[track_caller]
fn check(script: &str, expected: &[&str]) {
    let files = [
        ("compose.yml", "services: {a: {image: mysql:8}}\n"),
        ("ci/base.yml", "services: {b: {image: alpine:3}}\n"),
        ("ci/redis.yml", "services: {r: {image: redis:7}}\n"),
        ("Dockerfile", "ARG V=1\nFROM a/b:$V\n"),
        (
            "Makefile",
            "all:\n\tdocker pull make/all\nother:\n\tdocker pull make/other\n",
        ),
        ("ci.sh", "docker pull $1\ndocker pull x/y\n"),
        ("env.sh", "docker pull $I\n"),
    ];
    assert_eq!(effects_in(&files, script), expected, "{script}");
}

#[test]
fn each_path_pulls_its_own_image() {
    for (script, expected) in [
        (
            "if [ $X ]; then I=me/app:1; else I=me/other:1; fi; docker pull $I",
            &[
                "pull me/other:1 always [if not [ $X ]]",
                "pull me/app:1 always [if [ $X ]]",
            ][..],
        ),
        (
            "if [ $X ]; then I=a/b; elif [ $Y ]; then I=c/d; else I=e/f; fi; docker pull $I",
            &[
                "pull e/f always [if not [ $Y ]] [if not [ $X ]]",
                "pull c/d always [if [ $Y ]] [if not [ $X ]]",
                "pull a/b always [if [ $X ]]",
            ],
        ),
        (
            "case $X in 1) I=a/b;; 2) I=c/d;; *) exit 1;; esac; docker pull $I",
            &[
                "pull a/b always [if case $X in 1)] [if not case $X in 2)]",
                "pull c/d always [if case $X in 2)]",
            ],
        ),
        (
            "if [ $X ]; then I=a/b; else I=$J; fi; docker pull $I",
            &[
                "pull $J always [if not [ $X ]]",
                "pull a/b always [if [ $X ]]",
            ],
        ),
        // In a script, in a function, and by another variable.
        (
            "if [ $X ]; then I=a/b; else I=c/d; fi; export I; sh env.sh",
            &[
                "pull c/d always [if not [ $X ]]",
                "pull a/b always [if [ $X ]]",
            ],
        ),
        (
            "if [ $X ]; then I=a/b; else I=c/d; fi; f() { docker pull $1; docker pull z; }; f $I; docker pull $I",
            &[
                "pull c/d always [if not [ $X ]]",
                "pull z always",
                "pull a/b always [if [ $X ]]",
                "pull c/d always [if not [ $X ]]",
                "pull a/b always [if [ $X ]]",
            ],
        ),
        (
            "if [ $X ]; then I=a/b; else I=c/d; fi; C=\"docker run $I\"; $C; $C",
            &[
                "pull c/d [if not [ $X ]]",
                "pull a/b [if [ $X ]]",
                "pull c/d [if not [ $X ]]",
                "pull a/b [if [ $X ]]",
            ],
        ),
        (
            "if [ $X ]; then C='docker run a/b'; else C='docker run c/d'; fi; $C",
            &["pull c/d [if not [ $X ]]", "pull a/b [if [ $X ]]"],
        ),
        (
            "M=all; [ $X ] && M=other; make $M",
            &[
                "pull make/other always [if [ $X ]]",
                "pull make/all always [if not [ $X ]]",
            ],
        ),
        (
            "M='make all'; if x; then M='make other'; fi; $M",
            &[
                "pull make/all always [if not x]",
                "pull make/other always [if x]",
            ],
        ),
        // One path alone leads there.
        (
            "if [ $X ]; then I=a/b; else I=c/d; fi; if [ $X ]; then docker pull $I; fi",
            &["pull a/b always [if [ $X ]]"],
        ),
        (
            "I=a/b; if [ $X ]; then I=c/d; exit; fi; docker pull $I",
            &["pull a/b always [if not [ $X ]]"],
        ),
    ] {
        check(script, expected);
    }
}

#[test]
fn what_all_paths_do_is_under_no_condition() {
    for (script, expected) in [
        (
            "if [ $X ]; then I=a/b; else I=c/d; fi; sh ci.sh $I",
            &[
                "pull c/d always [if not [ $X ]]",
                "pull x/y always",
                "pull a/b always [if [ $X ]]",
            ][..],
        ),
        (
            "F=-it; if [ $X ]; then F=-i; fi; docker run $F alpine",
            &["pull alpine"],
        ),
        (
            "if [ $X ]; then RUN_ARGS='-v a:b'; else RUN_ARGS=$MORE; fi; docker run $RUN_ARGS alpine",
            &["pull alpine"],
        ),
        (
            "V=2; if [ $X ]; then V=3; fi; docker build --build-arg V=$V -t app . && docker run app",
            &[
                "pull a/b:2 [if not [ $X ]]",
                "provide app",
                "pull a/b:3 [if [ $X ]]",
                "pull app",
            ],
        ),
        (
            "T=1; [ $X ] && T=2; docker build -t app:$T .; docker run app:$T",
            &[
                "pull a/b:1",
                "provide app:2 [if [ $X ]]",
                "provide app:1 [if not [ $X ]]",
                "pull app:2 [if [ $X ]]",
                "pull app:1 [if not [ $X ]]",
            ],
        ),
        // Who signs in is for one login to say.
        (
            "U=me; [ $X ] && U=you; docker login -u $U -p x; docker pull a/b",
            &[
                "login [] $U (set by the script)/x by docker login",
                "pull a/b always",
            ],
        ),
        (
            "I=a/b; if [ $X ]; then I=c/d; docker login -u u -p x; fi; docker pull $I",
            &[
                "login [] u/x by docker login [if [ $X ]]",
                "pull a/b always [if not [ $X ]]",
                "pull c/d always [if [ $X ]]",
            ],
        ),
    ] {
        check(script, expected);
    }
}

#[test]
fn each_path_reads_its_own_files() {
    let two = ["pull mysql:8 [if not [ $M ]]", "pull redis:7 [if [ $M ]]"];
    let base_and_more = ["pull alpine:3", "pull redis:7 [if [ $M ]]"];
    for (script, expected) in [
        (
            "A=()\nif [ $M ]; then A+=(-f ci/redis.yml); fi\ndocker compose \"${A[@]}\" up -d",
            &two[..],
        ),
        (
            "F=compose.yml\nif [ $M ]; then F=ci/redis.yml; fi\ndocker compose -f $F up -d",
            &two,
        ),
        (
            "F=''\nif [ $M ]; then F='-f ci/redis.yml'; fi\ndocker compose $F up -d",
            &two,
        ),
        (
            "DC='docker compose'\nif [ $M ]; then DC=\"$DC -f ci/redis.yml\"; fi\n$DC up -d",
            &two,
        ),
        (
            "A=(-f ci/base.yml)\nif [ $M ]; then A+=(-f ci/redis.yml); fi\ndocker compose \"${A[@]}\" up -d",
            &base_and_more,
        ),
        (
            "A='-f ci/base.yml'\nif [ $M ]; then A=\"$A -f ci/redis.yml\"; fi\ndocker compose $A up -d",
            &base_and_more,
        ),
        (
            "A=()\n[ $M ] && A+=(-f ci/redis.yml)\n[ $N ] && A+=(-f ci/base.yml)\ndocker compose \"${A[@]}\" up -d",
            &[
                "pull redis:7 [if [ $M ]]",
                "pull alpine:3 [if [ $N ]]",
                "pull mysql:8 [if not [ $M ]] [if not [ $N ]]",
            ],
        ),
        (
            "A=()\ncase $M in\nr) A+=(-f ci/redis.yml);;\nb) A+=(-f ci/base.yml);;\nesac\ndocker compose \"${A[@]}\" up -d",
            &[
                "pull mysql:8 [if not case $M in r)] [if not case $M in b)]",
                "pull redis:7 [if case $M in r)] [if not case $M in b)]",
                "pull alpine:3 [if case $M in b)]",
            ],
        ),
        // A loop that ran, and one that did not.
        (
            "DC='docker compose'\nfor f in $P; do DC=\"$DC -f ci/$f.yml\"; done\n$DC up -d",
            &[
                "opaque docker compose up -f ci/$f.yml: which file this is cannot be known before the build runs",
                "pull mysql:8",
            ],
        ),
        (
            "A=()\nwhile read -r f; do A+=(-f \"$f\"); done < <(find . -name 'x*.yml')\ndocker compose \"${A[@]}\" up -d",
            &[
                "opaque docker compose up -f $f: which file this is cannot be known before the build runs",
                "pull mysql:8",
            ],
        ),
    ] {
        check(script, expected);
    }
}

#[test]
fn so_many_paths_are_not_told_from_each_other() {
    let choices: String = (0..12)
        .map(|n| format!("if [ $A{n} ]; then V{n}=a; else V{n}=b; fi\n"))
        .collect();
    let all: String = (0..12).map(|n| format!("$V{n}")).collect();
    let found = effects(&format!("{choices}docker pull x/{all}"));
    assert!((1..=8).contains(&found.len()), "{found:?}");
}

#[test]
fn a_path_that_ends_the_script_is_not_followed_further() {
    let function = "f() { case $1 in a/b) V=1; exit 0;; c/d) V=2;; esac; docker pull $1; };";
    let branch = "if [ $X ]; then I=a/b; else I=c/d; fi;";
    for (script, expected) in [
        (
            format!("{function} {branch} f $I; docker pull x/y:$V"),
            &[
                "pull c/d always [if not [ $X ]]",
                "pull x/y:2 always [if not [ $X ]]",
            ][..],
        ),
        // The other one first.
        (
            format!("{function} if [ $X ]; then I=c/d; else I=a/b; fi; f $I; docker pull x/y:$V"),
            &[
                "pull c/d always [if [ $X ]]",
                "pull x/y:2 always [if [ $X ]]",
            ],
        ),
        // A job that fails has no later pulls.
        (
            format!(
                "{} {branch} f $I; docker pull x/y:$V",
                function.replace("exit 0", "exit 1")
            ),
            &["pull c/d always [if not [ $X ]]", "pull x/y:2 always"],
        ),
        (
            format!(
                "{} {branch} f $I; docker pull x/y",
                function.replace("V=2", "exit 0")
            ),
            &[],
        ),
    ] {
        check(&script, expected);
    }
}

#[test]
fn a_default_is_the_value_however_it_is_asked_for() {
    for condition in [
        "[ -z \"$I\" ]",
        "[ -z \"${I:-}\" ]",
        "[ -z ${I+x} ]",
        "[ -z \"${I:+x}\" ]",
        "! [ -v I ]",
        "[[ ! -v I ]]",
    ] {
        let script = format!("if {condition}; then I=a/b:1; fi; docker pull $I");
        check(&script, &["pull a/b:1 always"]);
    }
}
