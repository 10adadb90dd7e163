//! Names of the repository's files, as patterns and commands that list files put them in.

use super::{effects_in, tree};
use crate::context::{Context, Options};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::Mapped;

const FILES: [(&str, &str); 5] = [
    ("cmd/a/Dockerfile", "FROM alpine:3.12\n"),
    ("cmd/b/Dockerfile", "FROM busybox:1.36\n"),
    ("cmd/README.md", ""),
    ("vendor/c/Dockerfile", "FROM debian:12\n"),
    (
        "sub/run.sh",
        "for f in \"$(dirname \"$0\")\"/../cmd/*/Dockerfile; do docker build -f $f .; done\n",
    ),
];

/// What is pulled of the two folders of `cmd`, or what is said instead.
fn lines(script: &str) -> Vec<String> {
    let lines = effects_in(&FILES, script).into_iter();
    lines.filter(|line| !line.starts_with("provide")).collect()
}

#[test]
fn a_compose_file_that_the_script_writes_is_read() {
    let written = |name: &str, image: &str| {
        format!("cat > {name} <<'X'\nservices:\n  b:\n    image: {image}\nX\n")
    };
    let up = "docker compose up -d\n";
    let files = [("compose.yml", "services: {a: {image: mysql:8}}\n")];
    for (script, expected) in [
        (
            format!("{}{up}", written("compose.override.yml", "redis:7")),
            &["pull mysql:8", "pull redis:7"][..],
        ),
        (
            format!("{}{up}", written("compose.yml", "redis:7")),
            &["pull redis:7"],
        ),
        (
            format!(
                "{}docker compose -f ci/docker-compose.ci.yaml up",
                written("ci/docker-compose.ci.yaml", "redis:7")
            ),
            &["pull redis:7"],
        ),
        // Which of them it is, or what stands in it, is not known.
        (
            format!(
                "if [ $X ]; then\n{}fi\n{up}",
                written("compose.yml", "redis:7")
            ),
            &["pull mysql:8"],
        ),
        (
            format!("envsubst < x > compose.yml\n{up}"),
            &["pull mysql:8"],
        ),
    ] {
        assert_eq!(effects_in(&files, &script), expected, "{script}");
    }
}

#[test]
fn a_pattern_is_unfolded_wherever_a_word_is() {
    for script in [
        "for f in cmd/*/Dockerfile; do docker build -f $f .; done",
        "files=(cmd/*/Dockerfile); for f in \"${files[@]}\"; do docker build -f \"$f\" .; done",
        "f() { local files=(cmd/*/Dockerfile); for f in \"${files[@]}\"; do docker build -f \"$f\" .; done; }; f",
        "F=cmd/*/Dockerfile; for f in $F; do docker build -f $f .; done",
        "F='cmd/*/Dockerfile'; for f in $F; do docker build -f $f .; done",
        "b() { for f in \"$@\"; do docker build -f \"$f\" .; done; }; b cmd/*/Dockerfile",
        "set -- cmd/*/Dockerfile; for f in \"$@\"; do docker build -f \"$f\" .; done",
        "set -- cmd/*/Dockerfile; for f; do docker build -f \"$f\" .; done",
        "for f in $(echo cmd/*/Dockerfile); do docker build -f $f .; done",
        "for f in \"$PWD\"/cmd/*/Dockerfile; do docker build -f $f .; done",
        "R=$(git rev-parse --show-toplevel); cd vendor; for f in $R/cmd/*/Dockerfile; do docker build -f $f .; done",
        "for d in cmd/*/; do docker build $d; done",
        "cd cmd; for d in ?; do docker build $d; done",
        "printf '%s\\n' cmd/*/Dockerfile | while read -r f; do docker build -f $f .; done",
        "printf '%s\\n' cmd/*/Dockerfile | xargs -n1 -I{} docker build -f {} .",
        "docker build -f cmd/a/Dock* .; docker build --file cmd/b/* .",
        "bash sub/run.sh",
        "shopt -s globstar; cd cmd; for f in **/Dockerfile; do docker build -f $f .; done",
        "shopt -s globstar; for f in cmd/**/a/Dockerfile cmd/b/**/Dock*; do docker build -f $f .; done",
    ] {
        let expected = [
            "pull docker.io/library/alpine:3.12",
            "pull docker.io/library/busybox:1.36",
        ];
        let lines = lines(script);
        let same = lines
            .iter()
            .zip(expected)
            .all(|(line, pull)| line.starts_with(&pull.replace("docker.io/library/", "")));
        assert!(lines.len() == 2 && same, "{script}: {lines:?}");
    }
}

#[test]
fn a_pattern_that_is_quoted_or_fits_nothing_stays() {
    for (script, expected) in [
        ("docker pull 'cmd/*'", "pull cmd/* always"),
        ("docker pull \"cmd/*\"", "pull cmd/* always"),
        ("F='cmd/*'; docker pull \"$F\"", "pull cmd/* always"),
        ("docker pull none/*", "pull none/* always"),
        ("F='a*'; docker pull c\"*\"$F", "pull c*a* always"),
    ] {
        assert_eq!(lines(script), [expected], "{script}");
    }
    // A test asks of the pattern.
    let script = "if [ \"$X\" = cmd/* ]; then docker pull a; fi";
    assert_eq!(lines(script), ["pull a always [if [ \"$X\" = cmd/* ]]"]);
}

#[test]
fn what_lists_files_prints_those_of_the_repository() {
    for script in [
        "for f in $(ls cmd/*/Dockerfile); do docker build -f $f .; done",
        "for f in `ls -1 cmd/*/Dockerfile`; do docker build -f $f .; done",
        "for d in $(ls -d cmd/*/); do docker build $d; done",
        "for d in $(ls cmd); do if [ -d cmd/$d ]; then docker build cmd/$d; fi; done",
        "cd cmd; for d in $(ls); do [ -d $d ] && docker build $d; done",
        "for f in $(find cmd -name Dockerfile); do docker build -f $f .; done",
        "for f in $(find . -path ./vendor -prune -o -name 'Dock*' -print); do docker build -f $f .; done",
        "for f in $(find . -type f \\( -name Dockerfile -o -name Containerfile \\) ! -path '*/vendor/*'); do docker build -f $f .; done",
        "find cmd -name Dockerfile -exec docker build -f {} . \\;",
        "find cmd -iname 'dockerFILE*' -exec docker build -f {} . \\;",
        "find cmd -name Dockerfile -execdir docker build . \\;",
        "find cmd -name Dockerfile | while read -r f; do docker build -f \"$f\" .; done",
        "find cmd -name Dockerfile | xargs -n1 dirname | xargs -n1 docker build",
        "find cmd -name Dockerfile -printf '%h\\n' | sort -u | xargs -I % docker build %",
        "while IFS= read -r -d '' f; do docker build -f \"$f\" .; done < <(find cmd -name Dockerfile -print0)",
        "mapfile -t all < <(find cmd -mindepth 2 -maxdepth 2 -type f); for f in \"${all[@]}\"; do docker build -f $f .; done",
        "find cmd -type f -name Dockerfile -exec sh -c 'docker build -f \"$1\" .' _ {} \\;",
        "find cmd -name Dockerfile -exec sh -c 'for f; do docker build -f \"$f\" .; done' _ {} +",
    ] {
        let lines = lines(script);
        let pulled = |image: &str| lines.iter().any(|line| line.starts_with(image));
        assert!(
            lines.len() == 2 && pulled("pull alpine:3.12") && pulled("pull busybox:1.36"),
            "{script}: {lines:?}"
        );
    }
}

#[test]
fn what_a_search_cannot_tell_is_unknown() {
    for script in [
        "find . -name Dockerfile -newer x -exec docker build -f {} . \\;",
        "find . -name none -exec docker build -f {} . \\;",
        "find none -exec docker build -f {} . \\;",
        "find $X -name Dockerfile -exec docker build -f {} . \\;",
        "for f in $(find . -name Dockerfile -mtime 1); do docker build -f $f .; done",
        "for f in $(ls -l cmd); do docker build -f $f .; done",
        "for f in $(ls none); do docker build -f $f .; done",
        "for f in $(ls cmd vendor); do docker build -f $f .; done",
        "find . -name Dockerfile -exec grep -q x {} \\; -exec docker build -f {} . \\;",
    ] {
        let lines = lines(script);
        let unknown = |line: &String| line.starts_with("opaque");
        assert!(
            lines.len() == 1 && lines.iter().all(unknown),
            "{script}: {lines:?}"
        );
    }
    assert_eq!(
        lines("find . -type f -exec chmod 644 {} \\;; docker pull a"),
        ["pull a always"]
    );
}

#[test]
fn a_search_is_bounded() {
    let names: Vec<String> = (0..3_000).map(|n| format!("d{n}/Dockerfile")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), "FROM a\n"))
        .collect();
    let tree = tree(&files).with(
        "ci.txt",
        "find . -name Dockerfile -exec docker build -f {} . \\;",
    );
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    super::super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    assert_eq!(run.finish().len(), 1);
}

#[test]
fn what_filters_print_of_files_is_known() {
    let files = [
        ("build.env", "# x\nBASE=debian:12\nOTHER=a/b\n"),
        (
            "v.json",
            r#"{"base": "debian:12", "all": ["debian:12"], "deep": {"a-b": {"x": "debian:12"}}}"#,
        ),
        (
            "v.yml",
            "base: debian:12\nall: [debian:12]\nmore: {a: debian:12}\n",
        ),
        ("list", "# nothing\n\ndebian:12\n"),
        ("Dockerfile", "FROM debian:12 AS base\nRUN true\n"),
        ("image.sh", "#!/bin/sh\nset -e\necho debian:12\n"),
        (
            "own.sh",
            "x=$1\nif [ -z \"$x\" ]; then x=debian; fi\necho \"$x:12\"\n",
        ),
    ];
    for value in [
        ". ./build.env; echo ${BASE}",
        "source build.env && echo $BASE",
        "bash -c '. ./build.env; echo $BASE'",
        "timeout 5 env X=1 sh -c 'echo debian:12'",
        "./image.sh",
        "bash ./image.sh",
        "sudo ./own.sh debian",
        "bash own.sh ''",
        "grep ^BASE= build.env | cut -d= -f2",
        "grep BASE build.env | cut -d '=' -f 2-",
        "cat build.env | grep BASE= | awk -F= '{print $2}'",
        "grep -oE 'debian:[0-9]+' build.env",
        "grep -oP '(?<=^FROM )\\S+' Dockerfile",
        "grep -Po 'FROM \\K[^ ]+(?= AS)' Dockerfile",
        "sed -n 's/^BASE=//p' build.env",
        "sed -n -e 's/^BASE=\\(.*\\)$/\\1/p' build.env",
        "sed -nE 's/^FROM ([^ ]+).*/\\1/p' Dockerfile",
        "awk -F = '/^BASE=/ {print $NF}' build.env",
        "awk '/^FROM/ {print $2; exit}' Dockerfile",
        "awk 'NR==1{print $2}' Dockerfile",
        "head -1 Dockerfile | awk '{print $2}'",
        "grep FROM Dockerfile | cut -d' ' -f2 | tr -d '\"'",
        "jq -r .base v.json",
        "cat v.json | jq -r '.deep[\"a-b\"].x'",
        "jq -r '.all[]' v.json",
        "jq .base v.json | tr -d '\"'",
        "yq .base v.yml",
        "yq e '.all[0]' v.yml",
        "yq -r '.more.a' v.yml",
        "grep -v '^#' list | sed '/^$/d'",
    ] {
        let script = format!("docker pull $({value})");
        assert_eq!(
            effects_in(&files, &script),
            ["pull debian:12 always"],
            "{script}"
        );
    }
    for script in [
        "export $(grep -v '^#' build.env | xargs); docker pull $BASE",
        "for i in $(grep -v '^#' list); do docker pull $i; done",
        "jq -r '.all[]' v.json | xargs -n1 docker pull",
        "while read -r i; do docker pull $i; done < <(yq '.all[]' v.yml)",
        "x=$(. ./build.env; echo $BASE); docker pull $x",
        "docker build --build-arg X=1 . ",
    ] {
        let lines = effects_in(&files, script);
        let pulls: Vec<&String> = lines.iter().filter(|l| l.starts_with("pull")).collect();
        assert_eq!(pulls.len(), 1, "{script}: {lines:?}");
        assert!(
            pulls[0].starts_with("pull debian:12"),
            "{script}: {lines:?}"
        );
    }
    // What is not understood, or not there, is not known.
    for value in [
        "grep -c BASE build.env",
        "awk '{gsub(/a/, \"b\"); print}' build.env",
        "awk 'BEGIN{print 1}' build.env",
        "sed 'y/a/b/' build.env",
        "jq -r '.all | add' v.json",
        "jq -r .base none.json",
        "jq -r .none v.json",
        "grep NONE build.env",
        "echo $X | cut -d: -f1",
        "bash none.sh",
        "timeout 5 unknown-program",
        "make image",
        ". ./none.env; echo debian:12",
    ] {
        let script = format!("docker pull \"$({value})\"");
        let shown = format!("pull $({value}) always");
        let lines = effects_in(&files, &script);
        assert!(lines.contains(&shown), "{script}: {lines:?}");
    }
}

#[test]
fn what_prints_nothing_leaves_the_output_of_a_function_known() {
    let files = [("versions", "docker/redis 7@sha256:1\ndocker/node 24\n")];
    for body in [
        "docker tag \"$name@x\" \"$name:3\"; echo $name:3",
        "docker image tag $name@x $name:4\necho $name:3",
        "if ! docker images | grep -q \"^$name:3$\"; then docker pull $name:3 > /dev/null || true; fi\necho $name:3",
        "docker images | awk '{ print $1 \":\" $2 }' | grep --quiet x || true\necho $name:3",
    ] {
        let script =
            format!("image_of() {{\n{body}\n}}\nimage=$(name=redis image_of)\ndocker run $image");
        let lines = effects_in(&files, &script);
        let is_known = |line: &String| line.starts_with("pull redis:3");
        assert!(lines.last().is_some_and(is_known), "{script}: {lines:?}");
    }
    let body = "local file=\"${FILE:=$(git rev-parse --show-toplevel)/versions}\"\nlocal version=latest\nif [ -f \"$file\" ]; then\nline=$(grep \"docker/${name} \" \"$file\" | sed 's/^#\\s*//; s/\\s*#.*$//' | grep \"${match:-\".*\"}\")\n\
                [ -n \"$line\" ] && version=$(echo \"$line\" | awk '{print $2}')\nfi\n\
                local tag=\"$(echo \"$version\" | sed 's/@.*$//')\"\nlocal digest=\"$(echo \"$version\" | sed 's/^.*@//')\"\n\
                if [ \"$digest\" != latest ]; then\ndocker pull \"$name@$digest\" > /dev/null\ndocker tag \"$name@$digest\" \"$name:$tag\"\n\
                else\ndocker pull $name:latest > /dev/null\nfi\necho \"$name:$version\"";
    let script =
        format!("image_of() {{\n{body}\n}}\nimage=$(name=redis image_of)\ndocker run $image");
    let expected = [
        "pull redis@sha256:1 always",
        "provide redis:7",
        "pull redis:7@sha256:1",
    ];
    assert_eq!(effects_in(&files, &script), expected);
}
