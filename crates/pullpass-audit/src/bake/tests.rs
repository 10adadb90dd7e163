//! What bakes pull, as statements.

use super::*;
use crate::dockerfile::testing::{effects_of, stories_of, tree};

fn of(span: Span) -> Bake {
    Bake {
        span,
        files: Vec::new(),
        targets: Vec::new(),
        set: Vec::new(),
        pull: false,
        load: false,
        container_builder: false,
        push: false,
        sbom: None,
    }
}

/// The effects, without places.
fn baked(files: &[(&str, &str)], change: impl Fn(&mut Bake)) -> Vec<String> {
    with_env(files, &[], change)
}

fn with_env(
    files: &[(&str, &str)],
    env: &[(&str, &str)],
    change: impl Fn(&mut Bake),
) -> Vec<String> {
    // A block of several attributes needs a line for each; `;` saves the tests that height.
    let broken: Vec<(&str, String)> = files
        .iter()
        .map(|(path, text)| (*path, text.replace(';', "\n")))
        .collect();
    let files: Vec<(&str, &str)> = broken
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let lines = effects_of(&tree(&files), |run, span| {
        for (name, value) in env {
            run.env.insert((*name).to_owned(), (*value).into());
        }
        let mut asked = of(span);
        change(&mut asked);
        bake(run, &asked);
    });
    lines
        .into_iter()
        .map(|line| line.split(" @").next().unwrap_or("").to_owned())
        .collect()
}

const DOCKERFILE: &str = "ARG V=1\nFROM alpine:$V AS a\nFROM node:$V AS b\n";

fn hcl(text: &str, change: impl Fn(&mut Bake)) -> Vec<String> {
    baked(
        &[("docker-bake.hcl", text), ("Dockerfile", DOCKERFILE)],
        change,
    )
}

#[test]
fn a_target_is_built_with_its_arguments_and_provides_its_tags() {
    assert_eq!(
        hcl(
            "target \"default\" {\n  args = { V = 2 }\n  target = \"a\"\n  tags = [\"app:1\"]\n}\n",
            |_| {}
        ),
        ["pull alpine:2", "provide app:1"]
    );
}

#[test]
fn groups_and_inheritance_are_followed() {
    let text = r#"
        group "default" { targets = ["two", "inner"] }
        group "inner" { targets = ["one", "default"] }
        target "base" {; args = { V = "7" }; target = "a"; }
        target "one" {; inherits = ["base"]; target = "b"; }
        target "two" {; inherits = ["base", "one"]; args = { V = "8" }; }
        target "loop" {; inherits = ["loop"]; target = "a"; }
        target "lost" { inherits = ["nowhere"] }
    "#;
    assert_eq!(hcl(text, |_| {}), ["pull node:8", "pull node:7"]);
    assert_eq!(
        hcl(text, |b| b.targets = vec!["loop".into()]),
        ["pull alpine:1"]
    );
    assert_eq!(
        hcl(text, |b| b.targets = vec!["lost".into()]),
        ["opaque target `lost`: target `nowhere` is not defined"]
    );
    assert_eq!(
        hcl(text, |b| b.targets = vec!["x".into()]),
        ["opaque docker buildx bake: its files define no target or group `x`"]
    );
}

#[test]
fn a_variable_has_its_default_unless_the_environment_says_otherwise() {
    let text = r#"
        variable "TAG" { default = "3" }
        variable "FULL" { default = "${TAG}.1" }
        variable "NONE" {}
        variable "NULL" { default = null }
        variable "A" { default = B }
        variable "B" { default = A }
        target "default" {; args = { V = FULL }; target = "a"; }
        target "none" {; args = { V = "${NONE}-x" }; target = "a"; }
        target "null" {; args = { V = "${NULL}" }; target = "a"; }
        target "circle" {; args = { V = A }; target = "a"; }
    "#;
    let files = [("docker-bake.hcl", text), ("Dockerfile", DOCKERFILE)];
    assert_eq!(with_env(&files, &[], |_| {}), ["pull alpine:3.1"]);
    assert_eq!(
        with_env(&files, &[("TAG", "4")], |_| {}),
        ["pull alpine:4.1"]
    );
    for (target, expected) in [
        ("none", "pull alpine:$NONE-x"),
        ("null", "pull alpine:1"),
        ("circle", "pull alpine:$A"),
    ] {
        assert_eq!(
            with_env(&files, &[], |b| b.targets = vec![target.into()]),
            [expected]
        );
    }
}

#[test]
fn a_matrix_is_expanded() {
    let text = r#"
        target "app" {
          name = "app-${v}-${t}"
          matrix = { v = ["1", "2"], t = ["a", "b"] }
          args = { V = v }
          target = t
          tags = ["app:${v}${t}"]
        }
    "#;
    assert_eq!(
        hcl(text, |b| b.targets = vec!["app-2-b".into()]),
        ["pull node:2", "provide app:2b"]
    );
    let all = hcl(text, |b| b.targets = vec!["app".into()]);
    assert_eq!(
        all.iter().filter(|line| line.starts_with("pull")).count(),
        4
    );
    let wide: Vec<String> = (0..100).map(|n| format!("\"{n}\"")).collect();
    let text = format!(
        "target \"app\" {{; name = \"x-${{v}}\"; matrix = {{ v = [{}] }}; target = \"a\"; }}",
        wide.join(",")
    );
    let all = hcl(&text, |b| b.targets = vec!["app".into()]);
    assert_eq!(all.len(), 65);
    assert_eq!(
        all[0],
        "opaque docker buildx bake: only 64 combinations of the matrix of `app` are listed"
    );
}

#[test]
fn set_overrides_what_the_file_says() {
    let text = "target \"default\" {; target = \"a\"; tags = [\"x\"]; }";
    for (set, expected) in [
        ("default.args.V=9", vec!["pull alpine:9", "provide x"]),
        ("*.target=b", vec!["pull node:1", "provide x"]),
        ("d?fault.tags=y", vec!["pull alpine:1", "provide y"]),
        ("*.tags+=y", vec!["pull alpine:1", "provide x", "provide y"]),
        ("other.target=b", vec!["pull alpine:1", "provide x"]),
        (
            "*.output=type=registry",
            vec!["Push { image: \"x\" }", "pull alpine:1"],
        ),
        ("*.pull=true", vec!["pull always alpine:1", "provide x"]),
        ("nonsense", vec!["pull alpine:1", "provide x"]),
    ] {
        assert_eq!(hcl(text, |b| b.set = vec![set.into()]), expected, "{set}");
    }
}

#[test]
fn named_contexts_pull_images_and_wait_for_other_targets() {
    let files = [
        (
            "docker-bake.hcl",
            r#"
            target "default" {; contexts = { base = "target:base", tools = "docker-image://busybox" } ; context = "app"; tags = ["app"]; }
            target "base" {; contexts = { x = "target:default" }; target = "a"; tags = ["base"]; }
        "#,
        ),
        ("Dockerfile", DOCKERFILE),
        ("app/Dockerfile", "FROM base\nCOPY --from=tools / /\n"),
    ];
    assert_eq!(
        baked(&files, |_| {}),
        ["pull alpine:1", "pull busybox", "provide app"]
    );
}

#[test]
fn the_dockerfile_is_relative_to_the_context() {
    let files = [
        (
            "docker-bake.hcl",
            "target \"default\" {\n context = \"app\"\n dockerfile = \"dev.Dockerfile\"\n}\ntarget \"inline\" {\n dockerfile-inline = <<EOT\nFROM redis:7\nEOT\n}\n",
        ),
        ("app/dev.Dockerfile", "FROM dev"),
    ];
    assert_eq!(baked(&files, |_| {}), ["pull dev"]);
    let lines = effects_of(&tree(&files), |run, span| {
        bake(
            run,
            &Bake {
                targets: vec!["inline".into()],
                ..of(span)
            },
        );
    });
    assert_eq!(lines, ["pull redis:7 @docker-bake.hcl:7:6"]);
}

#[test]
fn json_and_compose_are_bake_files_too() {
    let json = "{\n\t\"variable\": {\"T\": {\"default\": \"a\"}},\n\t\"group\": {\"default\": {\"targets\": [\"x\"]}},\n\t\"target\": {\"x\": {\"target\": \"${T}\", \"args\": {\"V\": \"5\"}}}\n}\n";
    assert_eq!(
        baked(
            &[("docker-bake.json", json), ("Dockerfile", DOCKERFILE)],
            |_| {}
        ),
        ["pull alpine:5"]
    );
    let compose = "\
services:
  web:
    image: me/web:${TAG:-dev}
    build:
      context: .
      args: [V=6]
      target: b
  db: {image: postgres}
  inline:
    build:
      dockerfile_inline: |
        FROM busybox:$$X
";
    let lines = effects_of(
        &tree(&[("compose.yaml", compose), ("Dockerfile", DOCKERFILE)]),
        |run, span| bake(run, &of(span)),
    );
    assert_eq!(
        lines,
        [
            "pull node:6 @Dockerfile:3:6",
            "provide me/web:dev",
            "pull busybox:$X @compose.yaml:12:9"
        ]
    );
}

#[test]
fn later_files_go_over_earlier_ones() {
    let files = [
        (
            "docker-bake.hcl",
            "target \"default\" {; target = \"a\"; args = { V = \"1\" }; }",
        ),
        (
            "docker-bake.override.hcl",
            "target \"default\" { args = { V = \"2\" } }",
        ),
        ("x.hcl", "target \"default\" { target = \"b\" }"),
        ("Dockerfile", DOCKERFILE),
    ];
    assert_eq!(baked(&files, |_| {}), ["pull alpine:2"]);
    assert_eq!(
        baked(&files, |b| b.files =
            vec!["docker-bake.hcl".into(), "./x.hcl".into()]),
        ["pull node:1"]
    );
}

#[test]
fn functions_conditions_and_loops_are_worked_out_or_left_unknown() {
    for (expression, expected) in [
        ("\"x\" == \"x\" ? \"1\" : \"2\"", "1"),
        ("notequal(\"\", \"a\") ? \"1\" : \"2\"", "1"),
        ("join(\"-\", [\"a\", \"b\"])", "a-b"),
        ("lower(\"ABC\")", "abc"),
        ("split(\",\", \"a,b\")[1]", "b"),
        (
            "join(\".\", [for x in [\"1\", \"2\"] : \"v${x}\" if x != \"1\"])",
            "v2",
        ),
        ("own(\"q\")", "own-q"),
        ("format(\"%s-%s\", \"a\", \"b\")", "a-b"),
        ("{a = \"b\"}.a", "b"),
        ("timestamp()", "${timestamp()}"),
        (
            "SECRET == \"x\" ? \"1\" : \"2\"",
            "${SECRET == \"x\" ? \"1\" : \"2\"}",
        ),
        ("\"%{ if true }y%{ endif }\"", "y"),
        ("1 + 1", "${1 + 1}"),
        ("target.x.tags[0]", "${target.x.tags[0]}"),
        ("own(own(\"q\"))", "own-own-q"),
        ("deep(\"q\")", "…"),
    ] {
        let text = format!(
            "variable \"SECRET\" {{}}\nfunction \"own\" {{\n params = [p]\n result = \"own-${{p}}\"\n}}\nfunction \"deep\" {{\n params = [p]\n result = deep(p)\n}}\ntarget \"default\" {{\n target = \"a\"\n args = {{ V = {expression} }}\n}}\n"
        );
        assert_eq!(
            hcl(&text, |_| {}),
            [format!("pull alpine:{expected}")],
            "{expression}"
        );
    }
}

#[test]
fn tags_that_are_not_known_still_are_of_a_repository() {
    let text = "variable \"R\" {}\nfunction \"repository\" {\n params = [name, tags]\n result = [for t in tags : \"${name}:${t}\"]\n}\nfunction \"tags\" {\n params = []\n result = R == \"\" ? [\"a\"] : [\"b\"]\n}\ntarget \"default\" {\n target = \"a\"\n tags = repository(\"acme/app\", tags())\n}\n";
    assert_eq!(
        hcl(text, |b| b.load = true),
        [
            "pull alpine:1",
            "provide acme/app:${R == \"\" ? [\"a\"] : [\"b\"]}"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_said_to_be() {
    assert_eq!(
        baked(&[], |_| {}),
        [
            "opaque docker buildx bake: there is no bake file here; it may be made while the job runs"
        ]
    );
    assert_eq!(
        baked(&[], |b| b.files = vec!["a.hcl".into()]),
        [
            "opaque docker buildx bake: `a.hcl` is not in this repository; it may be made while the job runs"
        ]
    );
    assert_eq!(
        baked(&[], |b| b.files = vec!["../a.hcl".into()]),
        ["opaque docker buildx bake: its file, `../a.hcl`, is not in this repository"]
    );
    assert_eq!(
        baked(&[], |b| b.targets =
            vec!["https://github.com/a/b.git".into()]),
        [
            "opaque docker buildx bake: its files are in another repository, `https://github.com/a/b.git`"
        ]
    );
    let lines = hcl("target {{{", |_| {});
    assert!(
        lines[0]
            .starts_with("opaque docker buildx bake: `docker-bake.hcl` could not be read as HCL"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("unread docker-bake.hcl:1: not HCL"),
        "{lines:?}"
    );
}

#[test]
fn hostile_files_end() {
    let attribute = |value: &str| {
        format!("target \"default\" {{; args = {{ V = {value} }}; target = \"a\"; }}\n")
    };
    let doubling: String = (1..60)
        .map(|n| format!("v{n} = \"${{v{p}}}${{v{p}}}\"\n", p = n - 1))
        .collect();
    let listing: String = (1..60)
        .map(|n| format!("v{n} = concat(v{p}, v{p})\n", p = n - 1))
        .collect();
    let wide: String = (0..8_000).map(|n| format!("k{n} = 1\n")).collect();
    let diamond: String = (1..30)
        .map(|n| {
            format!(
                "target \"t{n}\" {{; inherits = [{}\"t{p}\"]; }};",
                format!("\"t{p}\", ", p = n - 1).repeat(20),
                p = n - 1
            )
        })
        .collect();
    let args: String = (0..900).map(|n| format!("a{n} = 1, ")).collect();
    let items = "\"xxxxxxxxxxxxxxxx\", ".repeat(900);
    for text in [
        format!(
            "target \"t0\" {{; args = {{ {args} }}; }};{diamond}group \"default\" {{; targets = [\"t29\"]; }}\n"
        ),
        format!(
            "big = [{items}]\n{}",
            attribute("[for x in big : [for y in big : [for z in big : big]]]")
        ),
        format!(
            "big = [{items}]\n{}",
            attribute("join(\"\", [for x in big : join(\"\", [for y in big : y])])")
        ),
        attribute(&"(".repeat(50_000)),
        attribute(&format!("{}1{}", "(".repeat(60), ")".repeat(60))),
        attribute(&format!("{}1{}", "[".repeat(60), "]".repeat(60))),
        attribute(&format!("{}1{}", "{a=".repeat(60), "}".repeat(60))),
        attribute(&format!("{}1", "!".repeat(50_000))),
        attribute(&format!("{}x{}", "\"${".repeat(60), "}\"".repeat(60))),
        attribute(&format!("1{}", " + 1".repeat(20_000))),
        attribute(&format!("a{}", "[0]".repeat(20_000))),
        attribute(&"true ? ".repeat(10_000)),
        format!("v0 = \"x\"\n{doubling}{}", attribute("v59")),
        format!("v0 = [\"x\"]\n{listing}{}", attribute("join(\"\", v59)")),
        format!("{wide}{}", attribute("1")),
        attribute(&format!("{{\n{wide}}}")),
        "a {\n".repeat(20_000),
        "x = <<E\n".repeat(10_000),
        "/*".repeat(60_000),
    ] {
        let _ = hcl(&text, |_| {});
        let _ = baked(&[("docker-bake.json", text.as_str())], |_| {});
    }
}

#[test]
fn the_story_names_the_target() {
    let files = tree(&[
        ("docker-bake.hcl", "target \"app\" {}\n"),
        ("Dockerfile", "FROM a"),
    ]);
    let story = stories_of(&files, |run, span| {
        bake(
            run,
            &Bake {
                targets: vec!["app".into()],
                ..of(span)
            },
        )
    });
    assert_eq!(
        story,
        [[
            "`bake` builds target `app` @ci.yml:1:1",
            "builds `Dockerfile` @docker-bake.hcl:1:8"
        ]]
    );
}

#[test]
fn a_file_that_is_not_known_hides_no_other() {
    let text = "target \"default\" {\n inherits = [\"docker-metadata-action\"]\n dockerfile-inline = \"FROM alpine:3\"\n}\n";
    let files = [("docker-bake.hcl", text)];
    let with = |other: &str, target: &str| {
        effects_of(&tree(&files), |run, span| {
            let other = run.cx.holes.of(other, crate::text::HoleKind::Expression);
            let asked = Bake {
                files: vec!["docker-bake.hcl".into(), other],
                targets: vec![target.into()],
                ..of(span)
            };
            bake(run, &asked);
        })
        .into_iter()
        .map(|line| line.split(" @").next().unwrap_or("").to_owned())
        .collect::<Vec<_>>()
    };
    let tags = "${{ steps.meta.outputs.bake-file }}";
    assert_eq!(with(tags, "default")[0], "pull alpine:3");
    assert!(
        !with(tags, "default")
            .iter()
            .any(|line| line.contains("opaque"))
    );
    assert_eq!(
        with("$OTHER", "x"),
        ["opaque docker buildx bake: its file, `$OTHER`, is known only when the build runs"]
    );
    assert_eq!(with("$OTHER", "default").len(), 2);
}

#[test]
fn an_output_names_what_is_made() {
    let text = "target \"t\" {\n dockerfile-inline = \"FROM alpine:3\"\n}\n";
    let lines = baked(&[("docker-bake.hcl", text)], |bake| {
        bake.targets = vec!["t".into()];
        bake.set = vec!["*.output=type=docker,name=mine".into()];
        bake.container_builder = true;
    });
    assert_eq!(lines, ["pull always alpine:3", "provide mine"]);
}

#[test]
fn a_bill_of_materials_is_made_by_an_image() {
    let hcl = |attest: &str| {
        format!("target \"default\" {{\n dockerfile-inline = \"FROM alpine:3\"\n {attest}\n}}\n")
    };
    let scanned = "pull docker/buildkit-syft-scanner:stable-1";
    for (attest, expected) in [
        ("", None),
        ("attest = [\"type=provenance,mode=max\"]", None),
        ("attest = [\"type=sbom\"]", Some(scanned)),
        (
            "attest = [{type = \"provenance\"}, {type = \"sbom\"}]",
            Some(scanned),
        ),
        ("attest = [\"type=sbom,disabled=true\"]", None),
        (
            "attest = [{type = \"sbom\", generator = \"a/scanner:1\"}]",
            Some("pull a/scanner:1"),
        ),
    ] {
        let text = hcl(attest);
        let files = [("docker-bake.hcl", &*text)];
        let mut all = vec!["pull alpine:3"];
        all.extend(expected);
        assert_eq!(baked(&files, |_| {}), all, "{attest}");
    }
    let text = hcl("attest = [\"type=sbom\"]");
    let files = [("docker-bake.hcl", &*text)];
    let without = |bake: &mut Bake| bake.sbom = Some("false".into());
    assert_eq!(baked(&files, without), ["pull alpine:3"]);
    let text = hcl("");
    let files = [("docker-bake.hcl", &*text)];
    let by_flag = |bake: &mut Bake| bake.sbom = Some("true".into());
    assert_eq!(baked(&files, by_flag), ["pull alpine:3", scanned]);
    let by_set = |bake: &mut Bake| bake.set = vec!["*.attest=type=sbom".into()];
    assert_eq!(baked(&files, by_set), ["pull alpine:3", scanned]);
}
