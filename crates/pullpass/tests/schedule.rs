//! `pullpass schedule` and `pullpass terraform export` as programs: what they print is read by others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use support::{Repository, pullpass};

const FLEET: &str = r#"
[hub]
organization = "acme"
team = "ci-pullers"

[defaults]
store = "aws"

[[project]]
name = "shop"
repository = "github.com/acme/shop"
targets = ["circleci", "github", "github:environment:live:eu"]

[[project]]
name = "2fa.x"
repository = "github.com/acme/x"
targets = ["github"]
token_var = "HUB_TOKEN"
"#;

fn fleet(text: &str) -> Repository {
    Repository::empty().with("pullpass.toml", text)
}

fn printed(repository: &Repository, arguments: &[&str]) -> String {
    let output = pullpass()
        .args(arguments)
        .current_dir(repository.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Only projects on CircleCI, kept in a file.
fn small() -> String {
    FLEET
        .replace("\"aws\"", "\"file\"")
        .replace(", \"github\", \"github:environment:live:eu\"", "")
        .split("[[project]]\nname = \"2fa")
        .next()
        .unwrap()
        .to_owned()
}

mod schedule {
    use super::*;

    #[test]
    fn a_workflow_is_read_without_complaint_and_has_no_right_too_many() {
        for store in ["aws", "vault"] {
            let repository = fleet(&FLEET.replace("\"aws\"", &format!("\"{store}\"")));
            let text = printed(&repository, &["schedule", "github"]);
            let repository = repository.with(".github/workflows/pullpass.yml", &text);
            let audit = repository.audit();
            assert_eq!(audit.unread(".github/workflows/pullpass.yml"), []);
            assert_eq!(audit.document["summary"]["files"], 1);
            assert_eq!(audit.code, 0);
            let on_aws = store == "aws";
            assert_eq!(text.contains("id-token: write"), on_aws);
            assert_eq!(text.contains("VAULT_TOKEN"), !on_aws);
            assert!(text.contains("permissions:\n  contents: read\n"), "{text}");
            assert!(text.contains("cancel-in-progress: false"), "{text}");
            let used = text.lines().filter_map(|line| line.split_once("uses: "));
            for (_, action) in used {
                let commit = action.split_once('@').unwrap().1.split(' ').next().unwrap();
                assert_eq!(commit.len(), 40, "{action}");
            }
            for (at, command) in [("17 4 * * *", "apply --yes"), ("cron", "verify")] {
                assert!(text.contains(at) && text.contains(&format!("run: pullpass {command}")));
            }
        }
    }

    #[test]
    fn a_workflow_names_every_secret_that_it_uses_and_uses_every_one_that_it_names() {
        let text = printed(&fleet(FLEET), &["schedule", "github", "--every", "6h"]);
        let word = |text: &str| -> String {
            let fine = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
            text.chars().take_while(fine).collect()
        };
        let used: BTreeSet<String> = ["secrets.", "vars."]
            .iter()
            .flat_map(|prefix| text.split(prefix).skip(1).map(word))
            .collect();
        let named: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#   "))
            .map(word)
            .collect();
        assert_eq!(used, named);
        assert!(text.contains("cron: \"17 */6 * * *\""), "{text}");
    }

    #[test]
    fn a_configuration_of_circleci_pulls_with_its_own_pass() {
        let repository = fleet(FLEET);
        let text = printed(&repository, &["schedule", "circleci", "--every", "1w"]);
        let repository = repository.with(".circleci/config.yml", &text);
        let audit = repository.audit();
        assert_eq!(audit.unread(".circleci/config.yml"), []);
        assert_eq!(audit.auth("cimg/rust:1.95"), "authenticated");
        assert_eq!(audit.code, 0, "{}", audit.document);
        assert!(text.contains("cron: \"17 4 * * 1\""), "{text}");
    }

    #[test]
    fn secrets_in_a_file_are_not_left_to_a_runner() {
        let repository = fleet(&small());
        for place in ["github", "circleci"] {
            pullpass()
                .args(["schedule", place])
                .current_dir(repository.path())
                .assert()
                .code(2)
                .stdout("")
                .stderr(contains("gone with the runner"))
                .stderr(contains("pullpass schedule systemd"));
        }
    }

    #[test]
    fn a_machine_gets_the_secrets_of_its_fleet_and_no_others() {
        let repository = fleet(&small());
        for place in ["systemd", "cron"] {
            let text = printed(&repository, &["schedule", place]);
            for name in [
                "PULLPASS_HUB_USER",
                "CIRCLECI_TOKEN",
                "PULLPASS_STORE_IDENTITY",
            ] {
                assert!(text.contains(&format!("#   {name}=…")), "{text}");
            }
            for name in ["GH_TOKEN", "AWS", "VAULT"] {
                assert!(!text.contains(name), "{text}");
            }
        }
    }

    #[test]
    fn units_of_systemd_have_their_sections_in_order() {
        let text = printed(&fleet(&small()), &["schedule", "systemd", "--every", "12h"]);
        let sections: Vec<&str> = text.lines().filter(|l| l.starts_with('[')).collect();
        let service = ["[Unit]", "[Service]", "[Unit]", "[Timer]", "[Install]"];
        assert_eq!(sections, service);
        for line in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with(['#', '[']))
        {
            assert!(
                line.split_once('=').is_some_and(|(k, _)| !k.contains(' ')),
                "{line}"
            );
        }
        assert!(text.contains("OnCalendar=*-*-* 00/12:17:00"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn the_line_of_a_crontab_runs_both_commands_in_a_folder_of_any_name() {
        let repository = Repository::empty()
            .with("it's 100% mine/pullpass.toml", small())
            .with(
                "home/.config/pullpass/environment",
                "GREETING='hello there'\n",
            );
        let folder = repository.at("it's 100% mine/pullpass.toml");
        let text = printed(
            &repository,
            &["schedule", "cron", "--config", folder.to_str().unwrap()],
        );
        let line = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let command = line.strip_prefix("17 4 * * * ").unwrap();
        // What cron hands to the shell: an escaped percent sign is one, any other ends the line.
        assert!(!command.replace("\\%", "").contains('%'), "{command}");
        let command = command.replace("\\%", "%").replace(
            &format!("'{}'", env!("CARGO_BIN_EXE_pullpass")),
            "echo \"$GREETING in $PWD:\"",
        );
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("HOME", repository.at("home").to_str().unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said} {output:?}", output = output.stderr);
        assert!(
            lines[0].starts_with("hello there in ")
                && lines[0].ends_with("it's 100% mine: apply -q --yes"),
            "{said}"
        );
        assert!(lines[1].ends_with("verify"), "{said}");
    }

    #[test]
    fn a_time_that_no_clock_repeats_evenly_is_refused() {
        pullpass()
            .args(["schedule", "cron", "--every", "5h"])
            .assert()
            .code(2)
            .stderr(contains("1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d, 1w"));
    }
}

mod terraform {
    use super::FLEET as DIRECT;
    use super::*;

    /// The same fleet, with what Terraform carries.
    const DELIVERY: &str = "delivery = \"terraform\"\npipeline = \"gh/acme/infrastructure\"\n";

    fn carried() -> String {
        DIRECT.replace("[defaults]\n", &format!("[defaults]\n{DELIVERY}"))
    }

    /// Checked by Terraform itself, where it is installed.
    #[allow(clippy::print_stdout, reason = "what a test skips is said")]
    fn is_formatted(text: &str) {
        let spawned = Command::new("terraform")
            .args(["fmt", "-check", "-diff", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            println!("skipped: terraform is not installed");
            return;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn a_module_is_as_terraform_formats_it() {
        for arguments in [
            &["terraform", "export"][..],
            &["terraform", "export", "--import"],
            &["terraform", "export", "--ci", "circleci"],
        ] {
            is_formatted(&printed(&fleet(&carried()), arguments));
        }
    }

    #[test]
    fn each_project_has_two_seeded_secrets_that_feed_every_target() {
        let text = printed(&fleet(&carried()), &["terraform", "export"]);
        let count = |what: &str| text.matches(what).count();
        assert_eq!(count("resource \"aws_secretsmanager_secret\" "), 4);
        assert_eq!(count("secret_string = \"default\""), 4);
        assert_eq!(count("ignore_changes = [secret_string]"), 4);
        assert_eq!(
            count("resource \"circleci_project_environment_variable\" "),
            2
        );
        assert_eq!(count("resource \"github_actions_secret\" "), 4);
        assert_eq!(count("resource \"github_actions_environment_secret\" "), 2);
        insta::assert_snapshot!(
            text.split("\n\n").filter(|block| block.contains("\"shop_token\"")).collect::<Vec<_>>().join("\n\n"),
            @r#"
        resource "aws_secretsmanager_secret" "shop_token" {
          name        = "shop-dockerhub_token"
          description = "The token that shop pulls with."
        }

        resource "aws_secretsmanager_secret_version" "shop_token" {
          secret_id     = aws_secretsmanager_secret.shop_token.id
          secret_string = "default"

        data "aws_secretsmanager_secret_version" "shop_token" {
          secret_id = aws_secretsmanager_secret_version.shop_token.secret_id
        }

        resource "circleci_project_environment_variable" "shop_token" {
          project_slug = "gh/acme/shop"
          name         = "DOCKER_ACCESS_TOKEN"
          value        = data.aws_secretsmanager_secret_version.shop_token.secret_string
        }

        resource "github_actions_secret" "shop_token" {
          repository  = "shop"
          secret_name = "DOCKER_ACCESS_TOKEN"
          value       = data.aws_secretsmanager_secret_version.shop_token.secret_string
        }
        "#
        );
    }

    #[test]
    fn what_exists_is_imported_by_the_ids_that_the_providers_take() {
        let text = printed(
            &fleet(&carried()),
            &["terraform", "export", "--import", "shop"],
        );
        for id in [
            "data.aws_secretsmanager_secret.shop_user.arn",
            "\"gh/acme/shop/DOCKER_USER\"",
            "\"shop:DOCKER_ACCESS_TOKEN\"",
            "\"shop:live??eu:DOCKER_ACCESS_TOKEN\"",
        ] {
            assert!(text.contains(&format!("  id = {id}\n")), "{id}: {text}");
        }
        assert!(!text.contains("2fa"), "{text}");
        let plain = printed(&fleet(&carried()), &["terraform", "export", "shop"]);
        assert!(!plain.contains("import"), "{plain}");
    }

    #[test]
    fn one_ci_system_alone_needs_one_provider_alone() {
        let text = printed(
            &fleet(&carried()),
            &["terraform", "export", "--ci", "circleci"],
        );
        assert!(text.contains("CircleCI-Public/circleci"));
        assert!(!text.contains("github_") && !text.contains("integrations/github"));
        let text = printed(
            &fleet(&carried()),
            &["terraform", "export", "--ci", "github"],
        );
        assert!(!text.contains("circleci_") && !text.contains("CircleCI-Public"));
    }

    #[test]
    fn repositories_of_two_owners_have_a_provider_each() {
        let two = carried().replace("github.com/acme/x", "github.com/other-owner/x");
        let text = printed(&fleet(&two), &["terraform", "export"]);
        assert!(
            text.contains("alias = \"other_owner\"\n  owner = \"other-owner\""),
            "{text}"
        );
        assert!(text.contains("= github.other_owner\n"), "{text}");
        is_formatted(&text);
    }

    /// A module for what is not in AWS would write its seed over variables that work.
    #[test]
    fn what_is_kept_elsewhere_or_delivered_by_pullpass_is_left_out() {
        for text in [DIRECT.to_owned(), DIRECT.replace("\"aws\"", "\"file\"")] {
            pullpass()
                .args(["terraform", "export"])
                .current_dir(fleet(&text).path())
                .assert()
                .code(2)
                .stdout("")
                .stderr(contains("none of the projects has a credential"));
        }
        let mixed = DIRECT.replace(
            "name = \"2fa.x\"\n",
            &format!("name = \"2fa.x\"\n{DELIVERY}"),
        );
        pullpass()
            .args(["terraform", "export"])
            .current_dir(fleet(&mixed).path())
            .assert()
            .code(0)
            .stdout(contains("shop").not())
            .stderr(contains(
                "left out: shop. pullpass itself writes the variables",
            ));
    }

    #[test]
    fn where_there_is_nothing_to_carry_that_is_said() {
        let oidc = "[hub]\norganization = \"acme\"\n[[project]]\nname = \"p\"\nidentity = \"oidc\"\n\
                    connection = \"c\"\nrepository = \"github.com/acme/p\"\ntargets = [\"github\"]\n";
        pullpass()
            .args(["terraform", "export"])
            .current_dir(fleet(oidc).path())
            .assert()
            .code(2)
            .stderr(contains("has a credential that Terraform could carry"));
    }
}
