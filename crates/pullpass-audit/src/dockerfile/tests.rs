//! What builds pull, as statements.

use super::testing::{effects_of, stories_of, tree};
use super::*;
use crate::text::HoleKind;

fn built(files: &[(&str, &str)], change: impl Fn(&mut Build)) -> Vec<String> {
    effects_of(&tree(files), |run, span| {
        let mut asked = Build::of(span, ".".into());
        change(&mut asked);
        build(run, &asked);
    })
}

fn images(dockerfile: &str, change: impl Fn(&mut Build)) -> Vec<String> {
    built(&[("Dockerfile", dockerfile)], change)
        .iter()
        .map(|line| {
            line.split(" @")
                .next()
                .unwrap_or("")
                .trim_start_matches("pull ")
                .to_owned()
        })
        .collect()
}

fn plain(_: &mut Build) {}

#[test]
fn a_build_pulls_its_base_and_provides_its_tags() {
    assert_eq!(
        built(&[("Dockerfile", "FROM alpine:3.20\nRUN x\n")], |b| b.tags =
            vec!["app:1".into(), "app:2".into()]),
        [
            "pull alpine:3.20 @Dockerfile:1:6",
            "provide app:1",
            "provide app:2"
        ]
    );
    assert_eq!(
        images("FROM alpine", |b| {
            b.tags = vec!["app".into()];
            b.load = false;
        }),
        ["alpine"]
    );
}

const STAGES: &str = "\
FROM golang:1 AS build
FROM node:20 AS Web
FROM build AS test
COPY --from=redis:7 / /
FROM scratch
COPY --from=build / /
COPY --from=WEB / /
RUN --mount=from=busybox:1,target=/x true
";

#[test]
fn a_stage_that_the_target_does_not_need_is_not_pulled() {
    assert_eq!(images(STAGES, plain), ["golang:1", "node:20", "busybox:1"]);
    for (target, expected) in [
        ("test", vec!["golang:1", "redis:7"]),
        ("BUILD", vec!["golang:1"]),
        ("1", vec!["node:20"]),
        ("", vec!["golang:1", "node:20", "busybox:1"]),
        ("none", vec!["opaque Dockerfile: it has no stage `none`"]),
    ] {
        assert_eq!(
            images(STAGES, |b| b.target = Some(target.into())),
            expected,
            "{target}"
        );
    }
}

#[test]
fn with_an_unknown_target_every_stage_may_be_pulled() {
    let lines = effects_of(
        &tree(&[("Dockerfile", "FROM a AS x\nFROM b AS y\n")]),
        |run, span| {
            let mut asked = Build::of(span, ".".into());
            asked.target = Some(run.cx.holes.of("$T", HoleKind::Variable));
            build(run, &asked);
        },
    );
    assert_eq!(
        lines,
        [
            "pull a @Dockerfile:1:6 [if target $T needs it]",
            "pull b @Dockerfile:2:6 [if target $T needs it]"
        ]
    );
}

#[test]
fn what_is_known_of_a_target_says_which_stages_it_may_be() {
    let stages = "FROM a AS base\nFROM base AS web-dev\nFROM b AS web-prod\nFROM c AS other\n";
    let lines = effects_of(&tree(&[("Dockerfile", stages)]), |run, span| {
        let mut asked = Build::of(span, ".".into());
        let hole = run.cx.holes.of("$T", HoleKind::Variable);
        asked.target = Some(Text::new(format!("Web-{}", hole.as_str())));
        build(run, &asked);
    });
    assert_eq!(
        lines,
        [
            "pull a @Dockerfile:1:6 [if target Web-$T needs it]",
            "pull b @Dockerfile:3:6 [if target Web-$T needs it]"
        ]
    );
}

#[test]
fn names_numbers_and_scratch_are_no_images() {
    for (text, expected) in [
        ("FROM a AS b\nFROM B", vec!["a"]),
        ("FROM a\nFROM c\nCOPY --from=0 / /", vec!["a", "c"]),
        ("FROM a\nCOPY --from=7 / /", vec!["a"]),
        ("FROM scratch", vec![]),
        // A stage does not see itself, nor in `FROM` those after it.
        ("FROM alpine AS alpine\nFROM alpine", vec!["alpine"]),
        ("FROM b\nFROM a AS b\nCOPY --from=0 / /", vec!["b", "a"]),
        (
            "FROM a AS b\nONBUILD COPY --from=c / /\nFROM b",
            vec!["a", "c"],
        ),
        ("FROM a AS x\nCOPY --from=x / /", vec!["a"]),
        (
            "FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nCOPY --from=x / /",
            vec!["a", "b"],
        ),
    ] {
        assert_eq!(images(text, plain), expected, "{text}");
    }
}

#[test]
fn arguments_before_the_first_stage_are_resolved() {
    for (text, expected) in [
        ("ARG V=3.20\nFROM alpine:$V", "alpine:3.20"),
        ("ARG V=3\nARG I=alpine:${V}\nFROM ${I}", "alpine:3"),
        ("ARG A=\"x\" B='y'\nFROM $A/$B", "x/y"),
        ("ARG V\nFROM alpine:${V:-edge}", "alpine:edge"),
        ("ARG V\nFROM alpine:${V}", "alpine:$V"),
        ("ARG S\nFROM alpine${S}", "alpine"),
        ("FROM a AS x\nARG V=1\nFROM alpine:$V", "alpine:$V"),
        ("FROM app-$TARGETARCH", "app-$TARGETARCH"),
        ("ARG TARGETARCH\nFROM app-${TARGETARCH}", "app-$TARGETARCH"),
        (
            "ARG P=me/\nFROM ${P}app:${TARGETARCH}",
            "me/app:$TARGETARCH",
        ),
        ("ARG I\nFROM $I", "$I"),
    ] {
        assert_eq!(images(text, plain), [expected], "{text}");
    }
}

#[test]
fn build_arguments_win_over_defaults() {
    let text = "ARG V=1\nFROM alpine:$V";
    assert_eq!(
        images(text, |b| b.args = vec![("V".into(), Some("2".into()))]),
        ["alpine:2"]
    );
    assert_eq!(
        images(text, |b| b.args = vec![("V".into(), None)]),
        ["alpine:$V"]
    );
    assert_eq!(
        images("FROM alpine", |b| b.args =
            vec![("BUILDKIT_SYNTAX".into(), Some("me/fe:1".into()))]),
        ["me/fe:1", "alpine"]
    );
    let lines = effects_of(&tree(&[("Dockerfile", text)]), |run, span| {
        run.env.insert("V".into(), "9".into());
        let mut asked = Build::of(span, ".".into());
        asked.args = vec![("V".into(), None)];
        build(run, &asked);
    });
    assert_eq!(lines, ["pull alpine:9 @Dockerfile:2:6"]);
}

#[test]
fn the_story_says_where_a_variable_got_its_value() {
    let files = tree(&[("Dockerfile", "ARG V=1\nFROM alpine:$V\n")]);
    let story = stories_of(&files, |run, span| build(run, &Build::of(span, ".".into())));
    assert_eq!(
        story,
        [[
            "builds `Dockerfile` @ci.yml:1:1",
            "`ARG V` has this default @Dockerfile:1:7"
        ]]
    );
}

#[test]
fn the_frontend_is_pulled_before_everything_else() {
    assert_eq!(
        built(
            &[("Dockerfile", "# syntax=docker/dockerfile:1\nFROM a\n")],
            plain
        ),
        [
            "pull docker/dockerfile:1 @Dockerfile:1:10",
            "pull a @Dockerfile:2:6"
        ]
    );
}

#[test]
fn named_contexts_stand_in_for_images_and_stages() {
    let text = "FROM alpine AS base\nFROM base\nCOPY --from=tools / /";
    for (contexts, expected) in [
        (
            vec![("alpine:latest", "docker-image://busybox")],
            vec!["busybox", "tools"],
        ),
        (vec![("base", "docker-image://b")], vec!["b", "tools"]),
        (
            vec![
                ("tools", "./tools"),
                ("docker.io/library/alpine", "target:other"),
            ],
            vec![],
        ),
        (
            vec![("tools", "https://github.com/x/y.git")],
            vec!["alpine"],
        ),
    ] {
        let given: Vec<(String, Text)> = contexts
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).into()))
            .collect();
        assert_eq!(
            images(text, |b| b.contexts = given.clone()),
            expected,
            "{contexts:?}"
        );
    }
}

#[test]
fn a_container_builder_and_pull_ask_always() {
    assert_eq!(
        images("FROM a", |b| b.pull = true),
        ["pull always a".trim_start_matches("pull ")]
    );
    assert_eq!(
        images("FROM a", |b| b.container_builder = true),
        ["always a"]
    );
}

#[test]
fn the_dockerfile_is_found_as_docker_finds_it() {
    let files = [
        ("Dockerfile", "FROM root"),
        ("app/Dockerfile", "FROM app"),
        ("app/Dockerfile.dev", "FROM dev"),
        ("low/dockerfile", "FROM low"),
        ("pod/Containerfile", "FROM pod"),
    ];
    for (context, dockerfile, expected) in [
        (".", None, "pull root @Dockerfile:1:6"),
        ("./app/", None, "pull app @app/Dockerfile:1:6"),
        ("low", None, "pull low @low/dockerfile:1:6"),
        ("pod", None, "pull pod @pod/Containerfile:1:6"),
        ("app", Some("Dockerfile"), "pull root @Dockerfile:1:6"),
        (
            "x",
            Some("app/Dockerfile.dev"),
            "pull dev @app/Dockerfile.dev:1:6",
        ),
        (
            "none",
            None,
            "opaque build of `none`: `none/Dockerfile` is not in this repository; it may be made while the job runs",
        ),
        (
            "../x",
            None,
            "opaque build of `../x`: its context, `../x`, is not in this repository",
        ),
        (
            "https://github.com/a/b.git#main",
            None,
            "opaque build of `https://github.com/a/b.git#main`: its context is remote, so its Dockerfile is not in this repository",
        ),
        (
            "-",
            None,
            "opaque build of `-`: its context comes from standard input",
        ),
        (
            ".",
            Some("-"),
            "opaque build of `.`: its Dockerfile comes from standard input",
        ),
    ] {
        let lines = built(&files, |b| {
            b.context = context.into();
            b.dockerfile = dockerfile.map(Text::from);
        });
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn a_dockerfile_written_in_place_keeps_its_places() {
    let lines = effects_of(
        &tree(&[("c.yml", "x: |\n  FROM alpine\n  FROM node:20\n")]),
        |run, span| {
            let doc = run.cx.yaml(&RepoPath::new("c.yml").unwrap()).unwrap();
            let mut asked = Build::of(span, ".".into());
            asked.inline = doc.root().unwrap().get("x").unwrap().mapped();
            build(run, &asked);
        },
    );
    assert_eq!(lines, ["pull node:20 @c.yml:3:8"]);
}

#[test]
fn what_docker_would_refuse_is_noted_and_the_rest_is_listed() {
    assert_eq!(
        built(&[("Dockerfile", "FROM a\nINSTALL x\n")], plain),
        [
            "pull a @Dockerfile:1:6",
            "unread Dockerfile:2: `INSTALL` is no Dockerfile instruction; docker refuses the file"
        ]
    );
    assert_eq!(
        built(&[("Dockerfile", "")], plain),
        ["opaque Dockerfile: there is no `FROM` in it"]
    );
    let lines = built(&[("Dockerfile", "FROM {{ base }}\n")], plain);
    assert!(
        lines[0].starts_with("opaque {{: the Dockerfile looks like a template"),
        "{lines:?}"
    );
}

#[test]
fn a_base_that_is_known_in_part_may_be_a_stage() {
    let text = "FROM a/a AS base-amd64\nFROM b/b AS base-arm64\nFROM c/c AS other\nFROM base-$TARGETARCH\nFROM none-$TARGETARCH\n";
    assert_eq!(
        images(text, |b| b.target = Some("3".into())),
        ["a/a", "b/b"]
    );
    assert_eq!(images(text, plain), ["none-$TARGETARCH"]);
    let text = "FROM a/a AS base-linux\nFROM b/b AS base-darwin\nFROM base-$TARGETOS\n";
    assert_eq!(images(text, plain), ["a/a"]);
}
