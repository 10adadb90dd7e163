//! Before and after, form by form. What a reviewer would have written is the expectation.

mod called;
mod conditions;
mod form;
mod images;
mod oidc;
mod wrong;

use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::source::{MemoryTree, RepoPath};

use crate::{FixOptions, Identity, Plan, Safety, Scope, fix};

const PATH: &str = ".github/workflows/ci.yml";
const CALLED: &str = ".github/workflows/called.yml";
const ACTION: &str = ".github/actions/run/action.yml";

fn wishes() -> FixOptions {
    FixOptions::default()
}

fn review() -> FixOptions {
    FixOptions {
        review: true,
        ..wishes()
    }
}

fn oidc() -> FixOptions {
    FixOptions {
        identity: Identity::Oidc,
        ..wishes()
    }
}

type Tree<'t> = [(&'t str, &'t str)];

fn tree(files: &Tree<'_>) -> MemoryTree {
    files.iter().fold(MemoryTree::new(), |tree, (path, text)| {
        tree.with(path, *text)
    })
}

fn plan_of(files: &Tree<'_>, wishes: &FixOptions) -> Plan {
    fix(
        &tree(files),
        Scope::Repository,
        &Options::default(),
        &Policy::default(),
        wishes,
    )
}

fn plan(text: &str, wishes: &FixOptions) -> Plan {
    plan_of(&[(PATH, text)], wishes)
}

/// Asserts what every file becomes; a file that is not named in `expected` must stay.
fn edited_files(before: &Tree<'_>, expected: &Tree<'_>, wishes: &FixOptions) {
    let plan = plan_of(before, wishes);
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    for (path, text) in before {
        let found = plan
            .files
            .iter()
            .find(|f| f.path.as_str() == *path)
            .map_or(*text, |f| f.after.as_str());
        let wanted = expected
            .iter()
            .find(|(p, _)| p == path)
            .map_or(*text, |(_, t)| *t);
        assert!(
            found == wanted,
            "{path}\n--- found\n{found}\n--- expected\n{wanted}\n{plan:#?}"
        );
    }
}

fn edited(before: &str, expected: &str, wishes: &FixOptions) {
    edited_files(&[(PATH, before)], &[(PATH, expected)], wishes);
}

/// A workflow with one job `j`, given what starts it, its other keys and its steps.
fn job(on: &str, keys: &str, steps: &str) -> String {
    format!(
        "name: CI\non: {on}\n\njobs:\n  j:\n    runs-on: ubuntu-latest\n{keys}    steps:\n{steps}"
    )
}

const CHECKOUT: &str = "      - uses: actions/checkout@v4\n";
const PULL: &str = "      - run: docker run --rm alpine:3.20 true\n";
const LOGIN: &str = "      - uses: docker/login-action@v4\n        with:\n          username: ${{ secrets.DOCKER_USER }}\n          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
const GUARDED: &str = "      - uses: docker/login-action@v4\n        if: env.DOCKERHUB_LOGIN == 'true'\n        with:\n          username: ${{ secrets.DOCKER_USER }}\n          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
const ENV: &str = "    env:\n      DOCKERHUB_LOGIN: ${{ secrets.DOCKER_ACCESS_TOKEN != '' }}\n";
const CREDENTIALS: &str = "credentials:\n          username: ${{ secrets.DOCKER_USER }}\n          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";

#[test]
fn a_login_is_put_right_before_the_first_step_that_pulls() {
    edited(
        &job(
            "push",
            "",
            &format!("{CHECKOUT}      # what the tests need\n{PULL}{PULL}"),
        ),
        &job(
            "push",
            "",
            &format!("{CHECKOUT}{LOGIN}      # what the tests need\n{PULL}{PULL}"),
        ),
        &wishes(),
    );
}

#[test]
fn a_job_that_does_not_pull_gets_none() {
    let text = job(
        "push",
        "",
        "      - run: docker version\n      - run: docker run ghcr.io/me/app:1\n",
    );
    edited(&text, &text, &wishes());
}

#[test]
fn a_file_that_pins_by_commit_gets_a_commit_with_its_version() {
    let steps = |login: &str| {
        format!(
            "      - uses: actions/checkout@0123456789012345678901234567890123456789  # v4.1.0\n{login}{PULL}"
        )
    };
    let login = LOGIN.replace("@v4", "@371161bbe7024a29a25c5e19bfcbc0804fe9ad2c  # v4.5.2");
    edited(
        &job("push", "", &steps("")),
        &job("push", "", &steps(&login)),
        &wishes(),
    );
}

#[test]
fn the_repositorys_own_names_registry_title_and_pin_are_used() {
    let other = "on: push\njobs:\n  release:\n    runs-on: ubuntu-latest\n    steps:\n      - name: Docker Hub\n        uses: docker/login-action@v2 # keep\n        with:\n          registry: docker.io\n          username: ${{ vars.HUB_NAME }}\n          password: ${{ secrets.HUB_PASSWORD }}\n      - name: Push\n        run: docker push me/app\n";
    let steps =
        |login: &str| format!("      - name: Test\n        run: docker pull alpine\n{login}");
    let before = job("push", "", &steps(""));
    let login = "      - name: Docker Hub\n        uses: docker/login-action@v2 # keep\n        with:\n          registry: docker.io\n          username: ${{ vars.HUB_NAME }}\n          password: ${{ secrets.HUB_PASSWORD }}\n";
    let expected = job("push", "", &format!("{login}{}", steps("")));
    let release = ".github/workflows/release.yml";
    edited_files(
        &[(PATH, &before), (release, other)],
        &[(PATH, &expected)],
        &wishes(),
    );
    let plan = plan_of(&[(PATH, &before), (release, other)], &wishes());
    let needs: Vec<_> = plan
        .needs
        .iter()
        .map(|n| (n.name.as_str(), n.known, n.variable))
        .collect();
    assert_eq!(
        needs,
        [("HUB_NAME", true, true), ("HUB_PASSWORD", true, false)]
    );
    let named = FixOptions {
        user_var: Some("U".into()),
        token_var: Some("T".into()),
        ..wishes()
    };
    edited_files(
        &[(PATH, &before), (release, other)],
        &[(
            PATH,
            &expected
                .replace("vars.HUB_NAME", "vars.U")
                .replace("secrets.HUB_PASSWORD", "secrets.T"),
        )],
        &named,
    );
}

#[test]
fn a_login_that_no_run_makes_lends_its_names_too() {
    let login = "      - name: Login to Docker Hub\n        uses: docker/login-action@v3\n        with:\n          username: ${{ vars.HUB_NAME }}\n          password: ${{ secrets.HUB_TOKEN }}\n";
    for (env, condition) in [("env: {P: false}\n", "env.P == 'true'"), ("", "false")] {
        let never = login.replace(
            "        uses:",
            &format!("        if: {condition}\n        uses:"),
        );
        let file = |first: &str| {
            format!(
                "{env}{}",
                job(
                    "push",
                    "",
                    &format!("{first}      - name: Test\n        run: docker pull alpine\n{never}")
                )
            )
        };
        edited(&file(""), &file(login), &wishes());
    }
}

#[test]
fn the_title_of_a_login_with_a_purpose_of_its_own_is_not_taken() {
    let login = |title: &str| {
        format!(
            "      - name: {title}\n        uses: docker/login-action@v3\n        with:\n          username: ${{{{ secrets.U }}}}\n          password: ${{{{ secrets.T }}}}\n"
        )
    };
    let push = "      - name: Push\n        run: docker push me/app\n";
    let scout = login("DockerHub Login for Docker Scout");
    let others = job(
        "push",
        "",
        &format!(
            "{scout}{push}{scout}{push}{}{push}",
            login("DockerHub Login")
        ),
    );
    let steps = "      - name: Test\n        run: docker pull alpine\n";
    edited_files(
        &[
            (PATH, &job("push", "", steps)),
            (".github/workflows/push.yml", &others),
        ],
        &[(
            PATH,
            &job("push", "", &format!("{}{steps}", login("DockerHub Login"))),
        )],
        &wishes(),
    );
}

#[test]
fn a_script_that_signs_in_is_the_repositorys_own_way() {
    let file = |login: &str| {
        format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo \"${{{{ secrets.P }}}}\" | docker login -u \"${{{{ secrets.U }}}}\" --password-stdin\n      - run: docker push me/app\n  b:\n    runs-on: ubuntu-latest\n    steps:\n{login}      - run: docker pull alpine\n"
        )
    };
    edited(
        &file(""),
        &file(
            "      - run: echo \"${{ secrets.P }}\" | docker login -u \"${{ secrets.U }}\" --password-stdin\n",
        ),
        &wishes(),
    );
}

#[test]
fn a_script_of_the_repository_is_called_only_where_it_is_and_has_its_variables() {
    let script = "#!/bin/sh\nset -eu\necho \"${HUB_PASS}\" | docker login --username \"${HUB_USER}\" --password-stdin\n";
    let given = "HUB_USER: '${{ secrets.HUB_USER }}', HUB_PASS: '${{ secrets.HUB_PASS }}'";
    let workflow = |head: &str, job: &str, step: &str, other: &str| {
        format!(
            "on: push\n{head}jobs:\n  a:\n    runs-on: ubuntu-latest\n{job}    steps:\n{CHECKOUT}      - run: ./setup.sh\n{step}{PULL}  b:\n    runs-on: ubuntu-latest\n    steps:\n{other}{PULL}"
        )
    };
    let of_job = format!("    env: {{{given}}}\n");
    let of_step = format!("        env: {{{given}}}\n");
    let of_file = format!("env: {{{given}}}\n");
    for (head, job, step, other, script, is_called) in [
        ("", "", &*of_step, CHECKOUT, script, true),
        (&*of_file, "", "", CHECKOUT, script, true),
        // Not there.
        ("", "", &*of_step, "", script, false),
        (
            "",
            "",
            &*of_step,
            "      - uses: actions/checkout@v4\n        with: {repository: x/y}\n",
            script,
            false,
        ),
        // There, without what it signs in with.
        ("", &*of_job, "", CHECKOUT, script, false),
        ("", &*of_job, "", "", script, false),
        // It does more, and reads more.
        (
            "",
            "",
            &*of_step,
            CHECKOUT,
            &*format!("{script}apt-get install -y jq\n"),
            false,
        ),
        (
            "",
            "",
            &*of_step,
            CHECKOUT,
            &*format!("{script}echo \"$LEVEL\"\n"),
            false,
        ),
    ] {
        let text = workflow(head, job, step, other);
        let plan = plan_of(&[(PATH, &text), ("setup.sh", script)], &wishes());
        assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
        let after = plan.files.first().map_or("", |f| f.after.as_str());
        assert_eq!(
            after.matches("./setup.sh").count(),
            1 + usize::from(is_called),
            "{text}{after}"
        );
        assert_eq!(after.contains("docker/login-action"), !is_called, "{after}");
    }
    // Where the script would stand before the checkout, it is not moved.
    let late = job(
        "push",
        "",
        &format!("{PULL}{CHECKOUT}      - run: ./setup.sh\n{of_step}"),
    );
    let plan = plan_of(&[(PATH, &late), ("setup.sh", script)], &review());
    let after = plan.files.first().map_or("", |f| f.after.as_str());
    assert!(after.contains("docker/login-action"), "{after}");
}

#[test]
fn what_is_silenced_is_left_alone() {
    let text = job(
        "push",
        "",
        "      # pullpass: ignore[anonymous-pull] rehearsed\n      - run: docker pull alpine\n",
    );
    edited(&text, &text, &wishes());
}

#[test]
fn what_a_step_wrote_itself_is_mended_by_the_login_before_it() {
    let text = job(
        "push",
        "",
        "      - run: |\n          cat > compose.yml <<X\n          services:\n            a: {image: 'redis:7'}\n          X\n          docker compose up -d\n",
    );
    let plan = plan(&text, &wishes());
    assert!(plan.left.is_empty(), "{:#?}", plan.left);
    let pulls = plan.done.iter().flat_map(|done| &done.pulls);
    let images: Vec<_> = pulls.map(|pull| pull.image.as_str()).collect();
    assert_eq!(images, ["redis:7"]);
}
