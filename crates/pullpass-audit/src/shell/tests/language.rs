//! The shell's own language.

use super::{effects, effects_in, pulls};

#[test]
fn associative_arrays_give_what_stands_under_a_key() {
    let map = "declare -A M=([x]=a/b:1 [\"y\"]=\"c/d:2\")\n";
    for (script, expected) in [
        ("docker pull \"${M[x]}\"", &["a/b:1 always"][..]),
        ("k=y; docker pull ${M[$k]}", &["c/d:2 always"]),
        (
            "for k in \"${!M[@]}\"; do docker pull \"${M[$k]}\"; done",
            &["a/b:1 always", "c/d:2 always"],
        ),
        (
            "for i in \"${M[@]}\"; do docker pull \"$i\"; done",
            &["a/b:1 always", "c/d:2 always"],
        ),
        ("M[x]=e/f; docker pull ${M[x]}", &["e/f always"]),
        ("M+=([z]=e/f)\ndocker pull ${M[z]}", &["e/f always"]),
        (
            "if [ -n \"$Q\" ]; then M[x]=e/f; fi; docker pull ${M[x]}",
            &["${M[x]} always"],
        ),
        ("docker pull ${M[$K]}", &["${M[$K]} always"]),
    ] {
        assert_eq!(pulls(&format!("{map}{script}")), expected, "{script}");
    }
    for script in [
        "declare -A M\nM=([x]=a/b)\ndocker pull ${M[x]}",
        "f() { local -A M; M[x]=a/b; docker pull ${M[x]}; }; f",
        "declare -A M=( [x]=a/b # one\n [y]=\"two words\"\n)\ndocker pull ${M[x]}",
        "A=(a/b)\nfor i in \"${!A[@]}\"; do docker pull \"${A[$i]}\"; done",
    ] {
        assert_eq!(pulls(script), ["a/b always"], "{script}");
    }
}

#[test]
fn what_a_function_has_for_itself_ends_with_it() {
    for (body, own) in [
        ("local X=c", "c"),
        ("local X\nX=c", "c"),
        ("declare X=c", "c"),
        ("typeset -r X=$1", "c"),
        ("local X=d\nlocal X=c", "c"),
        ("local X=(c d)", "c"),
        ("local X=d\ng() { local X=e; }\ng\nX=c", "c"),
    ] {
        let script = format!("X=b\nf() {{\n{body}\ndocker pull a/$X\n}}\nf c\ndocker pull a/$X");
        let own = format!("a/{own} always");
        assert_eq!(pulls(&script), [&own, "a/b always"], "{body}");
    }
    // What it sets without that, its caller has.
    for body in ["X=c", "declare -g X=c", "export X=c", "readonly X=c"] {
        let script = format!("X=b\nf() {{ {body}; }}\nf\ndocker pull a/$X");
        assert_eq!(pulls(&script), ["a/c always"], "{body}");
    }
    for script in [
        "A=(b c)\nf() { local A=(d); A+=(e); }\nf\ndocker pull a/${A[1]}",
        "declare -A M=([x]=c)\nf() { local -A M; M[x]=d; }\nf\ndocker pull a/${M[x]}",
        "declare -A M=([x]=c)\nf() { local M=d; }\nf\ndocker pull a/${M[x]}",
    ] {
        assert_eq!(pulls(script), ["a/c always"], "{script}");
    }
}

#[test]
fn what_a_declaration_gives_is_one_value() {
    for script in [
        "retry() { local cmd=\"$*\"; until $cmd; do sleep 5; done; }\nretry docker pull a/b",
        "f() { local all=\"$@\"; docker pull $all; }; f --quiet a/b",
        "f() { local all=$*; for i in $all; do docker pull $i; done; }; f a/b",
        "f() { declare -r all=\"x $*\"; docker pull ${all#x }; }; f -q a/b",
        "f() { export OPTS+=\" $*\"; docker pull $OPTS; }; f -q a/b",
        "X='-q a/b'\ncommand readonly Y=$X\ndocker pull $Y",
    ] {
        assert_eq!(pulls(script), ["a/b always"], "{script}");
    }
}

#[test]
fn a_test_for_what_may_be_unset_leaves_both_ways_open() {
    for test in [
        "[ -z \"${TOKEN:-}\" ]",
        "[[ -z ${TOKEN-} ]]",
        "test ! \"${TOKEN:-}\"",
    ] {
        let script = format!("if {test}; then\n  exit 0\nfi\ndocker pull a/b");
        assert_eq!(pulls(&script).len(), 1, "{script}");
    }
    // What the script has set is known, and what is no question takes its default.
    let script = "TOKEN=\n[ -z \"${TOKEN:-}\" ] && exit 0\ndocker pull a/b";
    assert!(pulls(script).is_empty());
    assert_eq!(pulls("docker pull a/b${SUFFIX:-}"), ["a/b always"]);
}

#[test]
fn a_variable_is_taken_for_flags_by_whole_words_of_its_name() {
    for image in ["$TARGET_IMAGE", "$ENV_IMAGE", "$OPTIMISED", "$ENVIRONMENT"] {
        assert_eq!(
            pulls(&format!("docker pull {image}")),
            [format!("{image} always")]
        );
    }
    for flags in [
        "$BUILD_ARGS",
        "$DOCKER_OPTS",
        "$dockerflags",
        "$EXTRA",
        "\"${options[@]}\"",
    ] {
        let script = format!("docker pull {flags} a/b");
        let last = pulls(&script).pop();
        assert_eq!(last.as_deref(), Some("a/b always"), "{script}");
    }
    let script = "docker buildx imagetools create $(jq -cr '.tags | map(\"-t \" + .) | join(\" \")' <<< \"$META\") a/b";
    assert_eq!(pulls(script), ["a/b always"]);
}

#[test]
fn words_come_apart_at_the_scripts_own_separators() {
    let pulled = |script: &str| pulls(script).join(" ").replace(" always", "");
    for (script, expected) in [
        ("x=a-3; IFS=-; P=($x); docker pull ${P[0]}:${P[1]}", "a:3"),
        (
            "f() { local IFS=-; P=($1); }\nf a-3; X='-q b'; docker pull ${P[0]}:${P[1]}; docker pull $X",
            "a:3 b",
        ),
        (
            "f() { IFS='-'; declare -a part=($1); docker pull ${part[0]}:${part[1]}; }\nf a-3",
            "a:3",
        ),
        (
            "IFS=,; x=a:1,b:2; for i in $x; do docker pull $i; done",
            "a:1 b:2",
        ),
        (
            "IFS=,; for i in 'a b'; do docker pull \"${i% *}\"; done",
            "a",
        ),
        (
            "IFS=-; set -- $(echo a-3); unset IFS; docker pull $1:$2",
            "a:3",
        ),
        (
            "OLD=$IFS; IFS=-; x=a-3; P=($x); IFS=$OLD; X='-q b'; docker pull $X",
            "b",
        ),
        (
            "IFS=$'\\n'; for i in $(printf 'a\\nb\\n'); do docker pull $i; done",
            "a b",
        ),
        (
            "X='a b'; (IFS=,; true); for i in $X; do docker pull $i; done",
            "a b",
        ),
        (
            "IFS=,; bash -c 'X=\"a b\"; for i in $X; do docker pull $i; done'",
            "a b",
        ),
        (
            "A=(a b); X=$(IFS=/; echo \"${A[*]}\"); docker pull $X",
            "a/b",
        ),
        ("IFS=,; x=-q,a; docker pull $x", "a"),
    ] {
        assert_eq!(pulled(script), expected, "{script}");
    }
}

#[test]
fn lines_are_read_with_the_scripts_own_separators() {
    let pulled = |script: &str| pulls(script).join(" ").replace(" always", "");
    for (script, expected) in [
        ("IFS=- read -r n v <<< a-3; docker pull $n:$v", "a:3"),
        (
            "IFS=: read -r n v <<< \"$(echo a:3)\"; docker pull $n:$v",
            "a:3",
        ),
        (
            "IFS='|' read -r n v < <(echo 'a|3'); docker pull $n:$v",
            "a:3",
        ),
        ("echo a=3 | { IFS== read n v; docker pull $n:$v; }", "a:3"),
        (
            "while IFS=, read -r n v; do docker pull $n:$v; done <<< $'a,3\\nb,4'",
            "a:3 b:4",
        ),
        ("IFS=, read -r n _ v <<< a,,3; docker pull $n:$v", "a:3"),
        (
            "IFS=: read -ra P <<< a:3; docker pull ${P[0]}:${P[1]}",
            "a:3",
        ),
        ("read n v <<< 'a 3'; docker pull $n:$v", "a:3"),
        ("IFS= read -r n <<< a; docker pull $n", "a"),
        (
            "read -rd '' N <<E\na\nb\nE\nfor n in $N; do docker pull $n; done",
            "a b",
        ),
        (
            "IFS=$'\\n' read -r -d '' -a N <<E\na\nb\nE\ndocker pull ${N[1]}",
            "b",
        ),
        ("IFS=- read n v <<< $X; docker pull $n:$v", "$X:$v"),
        ("IFS=- read n v <<< a$X; docker pull $n:$v", "a$X:$v"),
        ("IFS=- read n v <<< a; docker pull $n$v", "a"),
    ] {
        assert_eq!(pulled(script), expected, "{script}");
    }
    // What a command prints inside of a text is in the text.
    assert_eq!(pulled("bash -c \"docker pull $(echo a:3)\""), "a:3");
    assert_eq!(pulled("bash <<E\ndocker pull $(echo a:3)\nE"), "a:3");
}

#[test]
fn a_list_is_read_into_an_array() {
    let script = "LIST='a/b c/d'\nIFS=' ' read -ra NAMES <<< \"$LIST\"\n\
                  for name in \"${NAMES[@]}\"; do docker pull \"$name:1\"; done";
    assert_eq!(pulls(script), ["a/b:1 always", "c/d:1 always"]);
    let script = "IFS=, read -r -a NAMES <<< \"a/b,c/d\"\ndocker pull \"${NAMES[1]}\"";
    assert_eq!(pulls(script), ["c/d always"]);
    let script = "IFS=, read -ra NAMES <<< \"$LIST\"\ndocker pull \"${NAMES[1]}\"";
    assert_eq!(pulls(script).len(), 1, "{:?}", pulls(script));
}

#[test]
fn what_is_set_only_where_nothing_else_sets_it_is_a_default() {
    for script in [
        "if [ -z \"$FROM\" ]; then FROM=a/b; fi\ndocker pull \"$FROM\"",
        "if [[ -z ${FROM:-} ]]; then\n  FROM=a/b\nfi\ndocker pull $FROM",
        "if test -z \"$FROM\"; then FROM=a/b; else echo $FROM; fi; docker pull \"$FROM\"",
        "[ -z \"$FROM\" ] && FROM=a/b\ndocker pull $FROM",
        "[[ -n $FROM ]] || FROM=a/b\ndocker pull $FROM",
        // Another CI sets it, and not those that are audited.
        "docker pull ${BUILD_FROM:-a/b}",
    ] {
        assert_eq!(pulls(script), ["a/b always"], "{script}");
    }
    let other = "if [ -z \"$OTHER\" ]; then FROM=a/b; fi\ndocker pull \"$FROM\"";
    assert_eq!(pulls(other), ["$FROM always"]);
    let set_by_ci = "if [ -z \"$CIRCLE_TAG\" ]; then CIRCLE_TAG=b; fi\ndocker pull a:$CIRCLE_TAG";
    assert_eq!(pulls(set_by_ci), ["a:$CIRCLE_TAG always"]);
}

#[test]
fn a_list_of_flags_hides_no_image() {
    for script in [
        "docker run \"${ARGS[@]}\" a/b x y",
        "docker run $@ a/b x",
        "ARGS=(--rm); if [ -t 0 ]; then ARGS+=(-it); fi; ARGS+=(-e A=b)\ndocker run \"${ARGS[@]}\" a/b x",
        "ARGS=(-q); [ -n \"$X\" ] && ARGS+=(-it); docker run \"${ARGS[@]}\" a/b x",
    ] {
        assert_eq!(pulls(script), ["a/b"], "{script}");
    }
    assert_eq!(pulls("docker run \"${IMAGES[@]}\""), ["${IMAGES[@]}"]);
    let script = "if [ -n \"$CI\" ]; then WHERE=--rm; else WHERE=\"\"; fi\ndocker run $WHERE a/b x";
    assert_eq!(pulls(script), ["a/b"]);
    let files = [("run.sh", "docker run \"$@\"\n")];
    assert_eq!(effects_in(&files, "./run.sh $X"), ["pull $X"]);
    assert_eq!(effects_in(&files, "./run.sh $FLAGS"), ["pull $@"]);
    let files = [("own/Dockerfile", "FROM a/b\n")];
    assert_eq!(
        effects_in(
            &files,
            "docker build -f own/Dockerfile -t \"${TAGS[@]}\" -t app ."
        ),
        ["pull a/b", "provide app"]
    );
    let script = "ARGS=(--pull -f own/Dockerfile)\nif [ -n \"$A\" ]; then ARGS+=(--label \"$A\"); fi\n\
                  ARGS+=(-t app)\ndocker build \"${ARGS[@]}\" .\n[ ${#ARGS[@]} = 5 ] && docker pull c/d";
    assert_eq!(
        effects_in(&files, script)[..2],
        ["pull a/b always", "provide app"]
    );
}

#[test]
fn an_argument_without_quotes_is_one_unless_it_may_be_flags() {
    let files = [(
        "ci/deploy.sh",
        "PART=${1:-all}\ncase \"$PART\" in\n  up) docker pull app:$2 ;;\n  *) docker pull other ;;\nesac\n",
    )];
    assert_eq!(
        effects_in(&files, "./ci/deploy.sh up $PR"),
        ["pull app:$PR always"]
    );
    let either = [
        "pull app:$2 always [if case \"$PART\" in up)]",
        "pull other always [if case \"$PART\" in *)]",
    ];
    for script in ["./ci/deploy.sh $FLAGS up", "./ci/deploy.sh $(next) up"] {
        assert_eq!(effects_in(&files, script), either, "{script}");
    }
    assert_eq!(effects_in(&files, "./ci/deploy.sh"), ["pull other always"]);
}

#[test]
fn what_is_set_before_a_break_is_set_behind_the_loop() {
    for ask in [
        "[ $READY -eq 1 ] || exit 1",
        "if [[ \"$READY\" -ne 1 ]]; then exit 1; fi",
    ] {
        for body in [
            "if curl x; then READY=1; break; fi; sleep 1",
            "curl x && { READY=1; break; }; sleep 1",
            "case $(state) in up) READY=1; break ;; esac; sleep 1",
        ] {
            for head in [
                "for i in 1 2 3; do",
                "for i in $(seq 9); do",
                "while true; do",
            ] {
                let script = format!("READY=0\n{head} {body}; done\n{ask}\ndocker pull a/b");
                assert_eq!(pulls(&script), ["a/b always"], "{script}");
            }
        }
    }
    let function = "UP=0\nup() { if curl x; then UP=1; return 0; fi; sleep 1; }\nup\n[ $UP -eq 1 ] || exit 1\ndocker pull a/b";
    assert_eq!(pulls(function), ["a/b always"]);
    // Nothing sets it, so nothing is pulled.
    let never =
        "READY=0\nfor i in 1 2; do curl x; done\n[ $READY -eq 1 ] || exit 1\ndocker pull a/b";
    assert_eq!(pulls(never), [""; 0]);
}

#[test]
fn a_loop_over_a_pattern_goes_through_the_files_there_are() {
    let files = [
        ("svc/a/Dockerfile", "FROM debian\n"),
        ("svc/b/Dockerfile", "FROM alpine\n"),
        ("svc/.hidden/Dockerfile", "FROM busybox\n"),
        ("svc/README", ""),
    ];
    let pulls_of = |script: &str| -> Vec<String> {
        let all = effects_in(&files, script);
        all.iter()
            .filter_map(|line| line.strip_prefix("pull ").map(str::to_owned))
            .collect()
    };
    for script in [
        "for d in svc/*/; do docker build $d; done",
        "for d in ./svc/?; do (cd $d && docker build .); done",
        "for f in svc/*/Dockerfile; do docker build -f $f .; done",
        "cd svc && for d in ../svc/*/; do docker build -t app-$(basename $d) $d; done",
    ] {
        assert_eq!(pulls_of(script), ["debian", "alpine"], "{script}");
    }
    assert!(pulls_of("for d in 'svc/*/'; do docker build \"$d\"; done").is_empty());
    assert!(pulls_of("for d in other/*/; do docker build $d; done").is_empty());
}

#[test]
fn a_loop_over_a_folder_knows_files_from_folders() {
    let files = [
        ("examples/BUILD", ""),
        ("examples/a/Dockerfile", "FROM debian:12\n"),
    ];
    let build = "docker build $d";
    for script in [
        format!("for d in examples/*; do if [[ ! -d \"$d\" ]]; then continue; fi; {build}; done"),
        format!("for d in examples/*; do [ -d $d ] || continue; {build}; done"),
        format!("for d in examples/*; do if test -f $d; then continue; fi; {build}; done"),
    ] {
        assert_eq!(effects_in(&files, &script), ["pull debian:12"], "{script}");
    }
    // What is not there may be made by the build.
    assert_eq!(
        effects_in(
            &files,
            "if [ -e examples ]; then if [ -d out ]; then docker pull a/b; fi; fi"
        ),
        ["pull a/b always [if [ -d out ]]"]
    );
}

#[test]
fn an_array_that_may_be_empty_stands_for_options() {
    let one = "while getopts 'c:d:lt:' opt; do\n\
                 case $opt in\n    c) NAME=$OPTARG;;\n    d) DIR=$OPTARG;;\n    l) LOCAL=1;;\n  esac\n\
               done\n\
               shift $((OPTIND - 1))\n\
               docker build -t $NAME $DIR\n";
    let files = [("one.sh", one), ("dir/Dockerfile", "FROM debian:12\n")];
    for before in [
        "x=(); [ \"$L\" ] && x=(-l)",
        "x=(-t); [ \"$L\" ] && x=(-l)",
        "f() { local x=(); g; }; g() { :; }; f; declare -a x=(); if [ $L = 1 ]; then x+=(-l); fi",
        "local x=()",
    ] {
        let script = format!("{before}\nbash one.sh \"${{x[@]}}\" -c q -d dir");
        let all = effects_in(&files, &script);
        assert_eq!(all, ["pull debian:12", "provide q"], "{script}");
    }
}

#[test]
fn a_loop_has_the_words_that_an_array_has_on_some_paths() {
    let loops = "for t in \"${T[@]}\"; do docker pull a:$t; done";
    for (before, expected) in [
        ("T=(b); if $X; then T+=(c); fi", "b ?c"),
        ("T=(b); if $X; then T+=(c d); fi; T+=(e)", "b ?c ?d e"),
        ("T=(); [ $X ] && T+=(c); [ $Y ] && T+=(d)", "?c ?d"),
        ("if $X; then T=(b c); else T=(b d e); fi", "b ?c ?d ?e"),
        ("case $X in a) T=(b) ;; *) T=(b c) ;; esac", "b ?c"),
        ("T=(b); if $X; then T+=(c); fi; T=(d)", "d"),
        (
            "T=(b); if $X; then T+=(c); fi; S=(\"${T[@]}\" d); T=(\"${S[@]}\")",
            "b ?c d",
        ),
    ] {
        let given = "[if for t in \"${T[@]}\"]";
        let expected: Vec<String> = expected
            .split(' ')
            .map(|tag| match tag.strip_prefix('?') {
                Some(tag) => format!("pull a:{tag} always {given}"),
                None => format!("pull a:{tag} always"),
            })
            .collect();
        assert_eq!(effects(&format!("{before}\n{loops}")), expected, "{before}");
    }
    // How many there are is not known.
    let script = format!("if $X; then T[$Y]=b; else T=(c); fi\n{loops}");
    assert!(effects(&script).iter().any(|line| line.contains('$')));
}

#[test]
fn of_an_array_what_both_branches_begin_and_end_with_stays() {
    for (branch, expected) in [
        ("A=(--x \"${A[@]}\")", "alpine:3"),
        ("A=(--init -v a:b \"${A[@]}\")", "alpine:3"),
        ("A+=(sh)", "alpine:3"),
        ("A=(--rm -it alpine:3)", "alpine:3"),
    ] {
        let script = format!(
            "A=(--rm alpine:3)\nif [ \"$X\" ]; then {branch}; fi\ndocker run \"${{A[@]}}\""
        );
        assert_eq!(pulls(&script), [expected], "{script}");
    }
    let separator = "local SEP=' '\ndocker pull a${SEP}b";
    assert_eq!(pulls(separator), ["a always", "b always"]);
}

#[test]
fn of_two_values_that_are_printed_one_is_there() {
    for (value, expected) in [
        ("case \"$1\" in a) echo x ;; *) echo y ;; esac", "t:$(f)"),
        ("if [ \"$1\" ]; then echo x; else echo y; fi", "t:$(f)"),
        ("if [ \"$1\" ]; then echo x; return; fi; echo y", "t:$(f)"),
        ("[ \"$1\" ] && echo x || echo y", "t:$(f)"),
        ("if [ \"$1\" ]; then echo x; else echo x; fi", "t:x"),
        ("if [ \"$1\" ]; then echo x; fi", "t:x"),
        ("[ \"$1\" ] && echo x || echo ''", "t:x"),
        (
            "case \"$1\" in a) echo x ;; *) echo wrong; exit 1 ;; esac",
            "t:x",
        ),
    ] {
        let script = format!("f() {{ {value}; }}\ng() {{ docker pull t:$(f); }}\ng \"$A\"");
        assert_eq!(
            pulls(&script.replace("$1", "$A")),
            [format!("{expected} always")],
            "{value}"
        );
    }
}

#[test]
fn arrays_are_filled_element_by_element() {
    for (script, expected) in [
        (
            "I=(); I[${#I[@]}]=\"alpine:$A\"; docker pull \"${I[@]}\"",
            "alpine:$A",
        ),
        (
            "I[0]=a; I[1]=b; for i in \"${I[@]}\"; do docker pull $i; done",
            "a b",
        ),
        (
            "n=0; I[n]=a; I[$((n+1))]=b; for i in \"${I[@]}\"; do docker pull $i; done",
            "a b",
        ),
        (
            "I=(a b); I[1]=c; docker pull ${I[0]}; docker pull ${I[1]}",
            "a c",
        ),
        ("I=(a b); I[1]+=:1; docker pull ${I[1]}", "b:1"),
        ("declare -a I; I[0]=a; docker pull $I", "a"),
        (
            "f() { local -a I; I+=(a); docker pull \"${I[@]}\"; }; f",
            "a",
        ),
        ("i=1; I=(a b); docker pull ${I[i]}", "b"),
        (
            "if x; then I[0]=a; else I[0]=a; fi; docker pull \"${I[@]}\"",
            "a",
        ),
    ] {
        let expected: Vec<String> = expected
            .split(' ')
            .map(|image| format!("pull {image} always"))
            .collect();
        assert_eq!(effects_in(&[], script), expected, "{script}");
    }
    // Which element it is, or how many there are, is not known.
    for script in [
        "I=(a b); I[$X]=c; docker pull ${I[0]}",
        "I[5]=a; docker pull ${I[0]}",
        "if x; then I[0]=a; fi; I[1]=b; docker pull ${I[0]}",
    ] {
        let lines = effects_in(&[], script);
        assert!(
            lines.iter().all(|line| line.contains("$")),
            "{script}: {lines:?}"
        );
    }
}

#[test]
fn a_function_that_is_exported_is_known_to_the_shells_below() {
    let files = [
        ("all.sh", "#!/bin/bash\nit a/b\n"),
        ("env.sh", "#!/usr/bin/env bash\nit a/b\n"),
        ("none.sh", "it a/b\n"),
        ("other.sh", "#!/bin/sh\nit a/b\n"),
        ("Makefile", "x:\n\tit a/b\n"),
    ];
    let it = "it() { docker pull \"$1\"; }; export -f it\n";
    for script in [
        "bash -c 'it a/b'",
        "timeout 60 bash -c 'it a/b'",
        "/bin/bash -ec 'it a/b'",
        "echo a/b | xargs -I{} bash -c 'it \"$@\"' _ {}",
        "find all.sh -exec bash -c 'it a/b' \\;",
        "bash <<< 'it a/b'",
        "bash all.sh",
        "./env.sh",
        "./none.sh",
        "bash -c 'bash all.sh'",
    ] {
        let lines = effects_in(&files, &format!("{it}{script}"));
        assert_eq!(lines, ["pull a/b always"], "{script}");
    }
    for script in ["./other.sh", "sh -c 'it a/b'", "make x"] {
        let lines = effects_in(&files, &format!("{it}{script}"));
        assert_eq!(lines, [""; 0], "{script}");
    }
    let it = "it() { docker pull $0; }\n";
    for (script, known) in [
        ("declare -fx it; bash -c it a/b", true),
        ("typeset -xf it; bash -c it a/b", true),
        ("bash -c \"$(declare -f it); it\" a/b", true),
        ("it a; bash -c it a/b", false),
        ("export -f it; export -nf it; bash -c it a/b", false),
        ("export -f it; unset it; bash -c it a/b", false),
    ] {
        let found = pulls(&format!("{it}{script}")).contains(&"a/b always".to_owned());
        assert_eq!(found, known, "{script}");
    }
}
