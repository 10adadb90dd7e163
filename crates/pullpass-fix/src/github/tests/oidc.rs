//! Logins without a secret.

use super::*;

const BY_OIDC: &str = "      - uses: docker/login-action@v4\n        env:\n          DOCKERHUB_OIDC_CONNECTIONID: ${{ vars.DOCKERHUB_OIDC_CONNECTIONID }}\n        with:\n          username: ${{ vars.DOCKERHUB_ORGANIZATION }}\n";

#[test]
fn without_a_secret_a_job_keeps_every_permission_that_it_had() {
    let file = |of_file: &str, of_job: &str, login: &str| {
        format!(
            "{of_file}{}",
            job("push", of_job, &format!("{CHECKOUT}{login}{PULL}"))
        )
    };
    let block = |lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|l| format!("      {l}\n")).collect();
        format!("    permissions:\n{}", lines.concat())
    };
    for (of_file, of_job, after) in [
        // Nothing is said, and the job reads the repository at most.
        (
            "",
            String::new(),
            block(&["contents: read", "id-token: write"]),
        ),
        (
            "permissions:\n  contents: read\n  checks: write\n  id-token: none\n  issues: none\n",
            String::new(),
            block(&["contents: read", "checks: write", "id-token: write"]),
        ),
        (
            "permissions: {}\n",
            String::new(),
            block(&["id-token: write"]),
        ),
        ("permissions: write-all\n", String::new(), String::new()),
        (
            "permissions:\n  contents: write\n",
            block(&["packages: read"]),
            block(&["packages: read", "id-token: write"]),
        ),
        (
            "",
            "    permissions: {contents: read}\n".to_owned(),
            "    permissions: {contents: read, id-token: write}\n".to_owned(),
        ),
        ("", block(&["id-token: write"]), block(&["id-token: write"])),
    ] {
        edited(
            &file(of_file, &of_job, ""),
            &file(of_file, &after, BY_OIDC),
            &oidc(),
        );
    }
    let all = plan(&file("", "    permissions: read-all\n", ""), &oidc());
    let after = &all.files[0].after;
    assert!(after.contains("      security-events: read\n"), "{after}");
    assert!(after.contains("      id-token: write\n"), "{after}");
}

#[test]
fn what_a_job_may_do_is_not_guessed() {
    let text = job(
        "push",
        "",
        &format!("      - uses: someone/comments@v1\n{PULL}"),
    );
    let plan = plan(&text, &oidc());
    assert!(plan.withheld[0].why.contains("permissions"), "{plan:?}");
    let wishes = FixOptions {
        review: true,
        ..oidc()
    };
    let after = &self::plan(&text, &wishes).files[0].after;
    for part in [
        "      contents: write\n",
        "      issues: write\n",
        "      id-token: write\n",
    ] {
        assert!(after.contains(part), "{after}");
    }
}

#[test]
fn a_fork_cannot_sign_in_by_oidc_either() {
    let plan = plan(
        &job("pull_request", "", &format!("{CHECKOUT}{PULL}")),
        &oidc(),
    );
    let after = &plan.files[0].after;
    assert!(
        after.contains("if: github.event.pull_request.head.repo.fork != true\n"),
        "{after}"
    );
    assert!(!after.contains("secrets."), "{after}");
    let text = job("pull_request", "", &format!("{CHECKOUT}{PULL}"));
    let dependabot = (".github/dependabot.yml", "version: 2\n");
    let after = &plan_of(&[(PATH, &text), dependabot], &oidc()).files[0].after;
    let both = "if: github.event.pull_request.head.repo.fork != true && github.actor != 'dependabot[bot]'\n";
    assert!(after.contains(both), "{after}");
}

#[test]
fn what_oidc_cannot_cover_keeps_a_secret_or_is_said() {
    let text = job("push", "    container: node:20\n", CHECKOUT);
    let plan = plan(&text, &oidc());
    assert!(plan.files.is_empty());
    assert!(plan.left[0].reason.contains("OIDC"), "{plan:?}");
    let named = FixOptions {
        token_var: Some("T".into()),
        ..oidc()
    };
    let after = &self::plan(&text, &named).files[0].after;
    assert!(after.contains("password: ${{ secrets.T }}"), "{after}");
}

#[test]
fn what_runs_without_an_identity_lacks_no_secrets() {
    let note = |text: &str| {
        let plan = plan(text, &oidc());
        assert_eq!(plan.done.len(), 1, "{plan:#?}");
        plan.done[0].note.clone()
    };
    let note = note(&job("pull_request", "", PULL));
    assert!(
        note.contains("identity token") && !note.contains("secret"),
        "{note}"
    );
    let called = job("\n  workflow_call:", "", PULL);
    let caller = format!("on: push\njobs:\n  c:\n    uses: ./{CALLED}\n");
    let wishes = FixOptions {
        review: true,
        ..oidc()
    };
    for files in [
        &[(CALLED, called.as_str()), (PATH, caller.as_str())][..],
        &[(CALLED, called.as_str())],
    ] {
        let plan = plan_of(files, &wishes);
        assert_eq!(plan.done.len(), 1, "{plan:#?}");
        let said = format!("{} {}", plan.done[0].note, plan.done[0].why);
        assert!(!said.contains("secret"), "{said}");
    }
}
