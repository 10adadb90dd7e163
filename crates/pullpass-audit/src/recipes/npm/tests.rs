use super::super::Runner::{Node, Npm};
use super::super::testing::{environment, runs, written};

const SHOP: &str = r#"{
	"name": "shop",
	"version": "1.2.0",
	"config": {"port": 8080},
	"scripts": {
		"pretest": "docker compose up -d",
		"test": "jest --runInBand",
		"posttest": "docker compose down",
		"e2e": "docker run --rm \"cypress/included:13\" && echo \"done\"",
		"bad": 1
	}
}
"#;

#[test]
fn a_script_runs_between_its_hooks() {
    let files = [("package.json", SHOP)];
    for (words, expected) in [
        (
            "test",
            "docker compose up -d\njest --runInBand\ndocker compose down",
        ),
        (
            "e2e",
            r#"docker run --rm "cypress/included:13" && echo "done""#,
        ),
        // A hook can be asked for by its own name.
        ("pretest", "docker compose up -d"),
        ("", ""),
        ("bad", "!name no script `bad` in `package.json`"),
        ("eslint", "!name no script `eslint` in `package.json`"),
        (
            "$WHICH",
            "! which script `$WHICH` means is known only when the build runs",
        ),
    ] {
        assert_eq!(runs(&files, Npm, words), expected, "{words}");
    }
}

#[test]
fn node_runs_a_script_without_its_hooks() {
    let files = [("package.json", SHOP)];
    assert_eq!(runs(&files, Node, "test"), "jest --runInBand");
    assert_eq!(runs(&files, Node, "test -- -x"), "jest --runInBand -x");
}

#[test]
fn yarn_from_its_second_version_runs_no_hooks() {
    for (manager, hooks) in [
        ("yarn@1.22.19", true),
        ("npm@10.0.0", true),
        ("pnpm@9.1.0", true),
        ("yarn@4.1.0", false),
        ("yarn@3.2.1+sha224.00", false),
    ] {
        let text = SHOP.replacen('{', &format!("{{\"packageManager\": \"{manager}\","), 1);
        let out = runs(&[("package.json", &text)], Npm, "test");
        assert_eq!(out.contains("compose"), hooks, "{manager}");
    }
    let files = [
        ("package.json", SHOP),
        (".yarnrc.yml", "nodeLinker: node-modules\n"),
    ];
    assert_eq!(runs(&files, Npm, "test"), "jest --runInBand");
}

#[test]
fn further_arguments_go_to_the_script_alone() {
    let files = [("package.json", SHOP)];
    assert_eq!(
        runs(&files, Npm, "test -- --ci it's --tag=$TAG"),
        "docker compose up -d\njest --runInBand --ci 'it'\\''s' --tag=$TAG\ndocker compose down"
    );
}

#[test]
fn the_package_is_looked_for_upwards_and_the_script_runs_in_its_folder() {
    let files = [("web/package.json", SHOP), ("web/src/x/y.js", "")];
    assert!(runs(&files, Npm, "-C web/src/x e2e").starts_with("web$ docker run"));
    assert_eq!(
        runs(&files, Npm, "e2e"),
        "! no package.json in the repository's root"
    );
    assert_eq!(
        runs(&files, Npm, "-C $DIR e2e"),
        "! the folder `$DIR` is not in this repository, or not known before the build runs"
    );
}

#[test]
fn a_script_is_pointed_at_in_the_json() {
    let files = [("package.json", SHOP)];
    assert_eq!(
        written(&files, Npm, "e2e", "cypress/included:13"),
        "package.json:9: cypress/included:13"
    );
    assert_eq!(
        written(&files, Npm, "e2e", "docker"),
        "package.json:9: docker"
    );
    assert_eq!(written(&files, Npm, "test", "jest"), "package.json:7: jest");
}

#[test]
fn scripts_see_what_the_package_says_of_itself() {
    assert_eq!(
        environment(&[("package.json", SHOP)], Npm, "e2e"),
        [
            "npm_lifecycle_event=e2e",
            "npm_package_config_port=8080",
            "npm_package_name=shop",
            "npm_package_version=1.2.0",
        ]
    );
}

#[test]
fn a_pattern_means_every_script_that_fits() {
    let text = r#"{"scripts": {"test": "t", "test:a": "ta", "test:b": "tb", "test:b:c": "tbc", "prebuild": "p", "pretest:a": "pta"}}"#;
    let files = [("package.json", text)];
    for (words, expected) in [
        ("test:*", "pta\nta\ntb"),
        ("test:**", "pta\nta\ntb\ntbc"),
        ("/^test:.+$/", "pta\nta\ntb\ntbc"),
        ("/^(test|prebuild)$/", "t\np"),
        ("/b:/", "tbc"),
        ("/(x/", "!name no script `/(x/` in `package.json`"),
        ("//", "!name no script `//` in `package.json`"),
        ("none:*", "!name no script `none:*` in `package.json`"),
    ] {
        assert_eq!(runs(&files, Npm, words), expected, "{words}");
    }
}

fn workspace(root: &str, pnpm: &str, words: &str) -> String {
    let files = [
        ("package.json", root),
        ("pnpm-workspace.yaml", pnpm),
        (
            "packages/api/package.json",
            r#"{"name": "@acme/api", "scripts": {"up": "api"}}"#,
        ),
        (
            "packages/web/package.json",
            r#"{"name": "@acme/web", "scripts": {"up": "web"}}"#,
        ),
        (
            "packages/old/package.json",
            r#"{"name": "@acme/old", "scripts": {"up": "old"}}"#,
        ),
        (
            "tools/a/b/cli/package.json",
            r#"{"name": "cli", "scripts": {"up": "cli"}}"#,
        ),
        (
            "tools/a/node_modules/x/package.json",
            r#"{"name": "x", "scripts": {"up": "x"}}"#,
        ),
        ("packages/none/readme", ""),
    ];
    runs(&files, Npm, words)
}

#[test]
fn a_package_of_the_workspace_is_found_by_name_or_folder() {
    let pnpm = "packages:\n  - packages/*\n  - '!packages/old'\n  - tools/**\n";
    let npm = r#"{"workspaces": ["packages/*", "tools/**", "!packages/old"]}"#;
    let yarn = r#"{"workspaces": {"packages": ["packages/*", "tools/**", "!packages/old"]}}"#;
    for (root, pnpm) in [("{}", pnpm), (npm, ""), (yarn, "")] {
        for (words, expected) in [
            ("-w @acme/api up", "packages/api$ api"),
            ("-w web up", "packages/web$ web"),
            ("-w packages/web up", "packages/web$ web"),
            ("-w ./packages/web up", "packages/web$ web"),
            ("-w web... up", "packages/web$ web"),
            ("-w {packages/web} up", "packages/web$ web"),
            ("-w @acme/* up", "packages/api$ api\npackages/web$ web"),
            (
                "-w * up",
                "packages/api$ api\npackages/web$ web\ntools/a/b/cli$ cli",
            ),
            ("-C packages/api -w web up", "packages/web$ web"),
            (
                "-w old up",
                "! no package `old` in the workspace of the repository's root",
            ),
            (
                "-w x up",
                "! no package `x` in the workspace of the repository's root",
            ),
            (
                "-w web down",
                "!name no script `down` in `packages/web/package.json`",
            ),
            ("-w * down", "!name no script `down` in these packages"),
            (
                "-w $P up",
                "! which package `$P` means is known only when the build runs",
            ),
        ] {
            assert_eq!(workspace(root, pnpm, words), expected, "{words}");
        }
    }
    assert_eq!(
        workspace("{}", "", "-w web up"),
        "! `web` names a package of a workspace, and no workspace is described in the repository's root or a folder above it"
    );
}

#[test]
fn nonsense_is_survived() {
    for text in [
        "",
        "[]",
        "{",
        "null",
        "{\"scripts\": []}",
        "{\"scripts\": {\"x\": {}}}",
        "\u{0}",
        "{\"workspaces\": {\"packages\": {}}}",
    ] {
        let files = [("package.json", text)];
        assert!(runs(&files, Npm, "x").starts_with('!'), "{text}");
        assert!(runs(&files, Npm, "-w a x").starts_with('!'), "{text}");
    }
}

#[test]
fn patterns_that_fan_out_end() {
    let pattern = "**/".repeat(50);
    let root = format!("{{\"workspaces\": [\"{pattern}*\", \"../..\", \"/etc\"]}}");
    let mut files = vec![("package.json".to_owned(), root)];
    for a in 0..40 {
        for b in 0..40 {
            files.push((format!("p{a}/q{b}/r/s/t/package.json"), "{}".to_owned()));
        }
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(p, t)| (p.as_str(), t.as_str()))
        .collect();
    assert!(runs(&files, Npm, "-w nope x").starts_with('!'));
}
