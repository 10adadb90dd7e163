//! Before and after, form by form. What a reviewer would have written is the expectation.

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
fn steps_with_names_and_blank_lines_between_them_get_one_like_them() {
    let steps = |login: &str| {
        format!(
            "      - name: Check out\n        uses: actions/checkout@v4\n\n{login}      - name: Test\n        run: docker compose run -T x || docker run alpine:3.20\n"
        )
    };
    let login = LOGIN.replace("- uses:", "- name: Log in to Docker Hub\n        uses:") + "\n";
    edited(
        &job("push", "", &steps("")),
        &job("push", "", &steps(&login)),
        &wishes(),
    );
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
fn a_run_without_secrets_skips_the_login() {
    let before = job("[push, pull_request]", "", &format!("{CHECKOUT}{PULL}"));
    edited(
        &before,
        &job(
            "[push, pull_request]",
            ENV,
            &format!("{CHECKOUT}{GUARDED}{PULL}"),
        ),
        &wishes(),
    );
    let note = &plan(&before, &wishes()).done[0].note;
    assert!(
        note.starts_with("a fork's pull request gets no secrets"),
        "{note}"
    );
}

#[test]
fn a_job_that_a_fork_does_not_reach_asks_nothing() {
    let keys = "    if: github.event.pull_request.head.repo.full_name == github.repository\n";
    edited(
        &job("pull_request", keys, PULL),
        &job("pull_request", keys, &format!("{LOGIN}{PULL}")),
        &wishes(),
    );
}

#[test]
fn dependabot_gets_no_secrets_either() {
    let dependabot = (".github/dependabot.yml", "version: 2\nupdates: []\n");
    for (on, asks) in [
        ("push", true),
        ("{push: {branches: [main]}}", false),
        ("{push: {branches: ['**']}}", true),
        ("{push: {tags: ['v*']}}", false),
        ("schedule", false),
    ] {
        let expected = if asks {
            job(on, ENV, &format!("{GUARDED}{PULL}"))
        } else {
            job(on, "", &format!("{LOGIN}{PULL}"))
        };
        edited_files(
            &[(PATH, &job(on, "", PULL)), dependabot],
            &[(PATH, &expected)],
            &wishes(),
        );
    }
}

#[test]
fn variables_that_are_there_are_asked_and_joined() {
    for (keys, after, asked) in [
        (
            "    env:\n      A: b # why\n",
            "    env:\n      A: b # why\n      DOCKERHUB_LOGIN: ${{ secrets.DOCKER_ACCESS_TOKEN != '' }}\n",
            "env.DOCKERHUB_LOGIN == 'true'",
        ),
        (
            "    env: {A: b}\n",
            "    env: {A: b, DOCKERHUB_LOGIN: \"${{ secrets.DOCKER_ACCESS_TOKEN != '' }}\"}\n",
            "env.DOCKERHUB_LOGIN == 'true'",
        ),
        (
            "    env:\n      TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n",
            "    env:\n      TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n",
            "env.TOKEN != ''",
        ),
        (
            "    env:\n      THERE: ${{ secrets.DOCKER_ACCESS_TOKEN != '' }}\n",
            "    env:\n      THERE: ${{ secrets.DOCKER_ACCESS_TOKEN != '' }}\n",
            "env.THERE == 'true'",
        ),
        (
            "    env:\n      DOCKERHUB_LOGIN: me\n",
            "    env:\n      DOCKERHUB_LOGIN: me\n      DOCKERHUB_LOGIN_POSSIBLE: ${{ secrets.DOCKER_ACCESS_TOKEN != '' }}\n",
            "env.DOCKERHUB_LOGIN_POSSIBLE == 'true'",
        ),
    ] {
        let login = GUARDED.replace("env.DOCKERHUB_LOGIN == 'true'", asked);
        edited(
            &job("pull_request", keys, PULL),
            &job("pull_request", after, &format!("{login}{PULL}")),
            &wishes(),
        );
    }
}

#[test]
fn a_login_has_the_condition_that_all_pulls_have() {
    let pull =
        "      - run: docker pull alpine\n        if: matrix.os == 'ubuntu-latest' || matrix.all\n";
    let login =
        |condition: &str| LOGIN.replace("@v4\n", &format!("@v4\n        if: {condition}\n"));
    let keys =
        "    strategy: {matrix: {os: [ubuntu-latest, macos-latest], all: ['${{ vars.X }}']}}\n";
    edited(
        &job("push", keys, pull),
        &job(
            "push",
            keys,
            &format!(
                "{}{pull}",
                login("matrix.os == 'ubuntu-latest' || matrix.all")
            ),
        ),
        &wishes(),
    );
    edited(
        &job("pull_request", keys, pull),
        &job(
            "pull_request",
            &format!("{keys}{ENV}"),
            &format!(
                "{}{pull}",
                login(
                    "(matrix.os == 'ubuntu-latest' || matrix.all) && env.DOCKERHUB_LOGIN == 'true'"
                )
            ),
        ),
        &wishes(),
    );
}

#[test]
fn what_only_forks_pull_is_left() {
    let text = job(
        "pull_request",
        "",
        "      - run: docker pull alpine\n        if: github.event.pull_request.head.repo.fork\n",
    );
    let plan = plan(&text, &wishes());
    assert!(plan.files.is_empty());
    assert!(plan.left[0].reason.contains("forks only"), "{plan:?}");
}

#[test]
fn a_dash_on_a_line_of_its_own_stays_there() {
    let steps = |login: &str| {
        format!(
            "      -\n        name: Check out\n        uses: actions/checkout@v4\n{login}      -\n        name: Test\n        run: docker pull alpine\n"
        )
    };
    let login = LOGIN.replace(
        "- uses:",
        "-\n        name: Log in to Docker Hub\n        uses:",
    );
    edited(
        &job("push", "", &steps("")),
        &job("push", "", &steps(&login)),
        &wishes(),
    );
}

#[test]
fn conditions_in_braces_stay_in_braces() {
    let pull = "      - run: docker pull alpine\n        if: ${{ matrix.x }}\n";
    let keys = "    strategy:\n      matrix: ${{ fromJSON(vars.M) }}\n";
    let login = GUARDED.replace(
        "env.DOCKERHUB_LOGIN == 'true'",
        "${{ matrix.x && env.DOCKERHUB_LOGIN == 'true' }}",
    );
    edited(
        &job("pull_request", keys, pull),
        &job(
            "pull_request",
            &format!("{keys}{ENV}"),
            &format!("{login}{pull}"),
        ),
        &wishes(),
    );
}

#[test]
fn where_docker_may_not_be_there_a_person_looks() {
    let text = job(
        "push",
        "",
        "      - run: |\n          if command -v docker; then docker pull alpine; fi\n",
    );
    assert_eq!(plan(&text, &wishes()).done.len(), 1);
    // A login that has the condition of all that pulls happens only where `docker` is needed anyway.
    let matrix = |condition: &str, run: &str| {
        job(
            "push",
            "    strategy: {matrix: {os: [ubuntu-latest, windows-latest]}}\n",
            &format!("      - if: {condition}\n        run: {run}\n"),
        )
        .replace("runs-on: ubuntu-latest", "runs-on: ${{ matrix.os }}")
    };
    for condition in [
        "runner.os == 'Linux'",
        "matrix.os == 'ubuntu-latest'",
        "vars.X == 'y'",
    ] {
        let plan = plan(&matrix(condition, "docker run alpine:3 true"), &wishes());
        assert_eq!((plan.done.len(), plan.withheld.len()), (1, 0), "{plan:#?}");
        assert!(
            plan.files[0]
                .after
                .contains(&format!("if: {condition}\n        with:"))
        );
    }
    let asks = matrix(
        "vars.X == 'y'",
        "if command -v docker; then docker pull alpine; fi",
    );
    assert_eq!(plan(&asks, &wishes()).withheld.len(), 1);
    let elsewhere = text.replace("ubuntu-latest", "macos-latest");
    assert_eq!(plan(&elsewhere, &wishes()).withheld.len(), 1);
    let own = job("push", "", PULL).replace("ubuntu-latest", "[self-hosted, linux]");
    let withheld = plan(&own, &wishes()).withheld;
    assert!(
        withheld[0].why.contains("machine of your own"),
        "{withheld:?}"
    );
}

#[test]
fn a_login_that_comes_too_late_moves_up() {
    let setup = "      - uses: docker/setup-buildx-action@v3\n";
    let login = "      # for the push\n      - name: Log in\n        uses: docker/login-action@v3\n        with:\n          username: me\n          password: ${{ secrets.P }}\n";
    let build =
        "      - uses: docker/build-push-action@v6\n        with: {push: true, tags: me/app}\n";
    for last in ["", build] {
        edited(
            &job("push", "", &format!("{CHECKOUT}{setup}{login}{last}")),
            &job("push", "", &format!("{CHECKOUT}{login}{setup}{last}")),
            &wishes(),
        );
    }
    let apart = |steps: &[&str]| steps.join("\n");
    edited(
        &job("push", "", &apart(&[CHECKOUT, setup, login, build])),
        &job("push", "", &apart(&[CHECKOUT, login, setup, build])),
        &wishes(),
    );
    // Without a newline at the end of the file.
    edited(
        job("push", "", &format!("{CHECKOUT}{setup}{login}")).trim_end(),
        job("push", "", &format!("{CHECKOUT}{login}{setup}")).trim_end(),
        &wishes(),
    );
}

#[test]
fn a_login_under_the_wrong_condition_asks_for_secrets_only() {
    let file = |keys: &str, condition: &str| {
        job(
            "[push, pull_request]",
            keys,
            &format!(
                "      - name: Log in\n{condition}        uses: docker/login-action@v3\n        with:\n          username: ${{{{ secrets.U }}}}\n          password: ${{{{ secrets.P }}}}\n      - uses: docker/setup-qemu-action@v3\n"
            ),
        )
    };
    let env = "    env:\n      DOCKERHUB_LOGIN: ${{ secrets.P != '' }}\n";
    edited(
        &file("", "        if: github.event_name != 'pull_request'\n"),
        &file(env, "        if: env.DOCKERHUB_LOGIN == 'true'\n"),
        &wishes(),
    );
    // Nobody without secrets gets here, so there is nothing to ask.
    let push = |text: String| text.replace("[push, pull_request]", "push");
    edited(
        &push(file("", "        if: github.ref == 'refs/heads/main'\n")),
        &push(file("", "")),
        &wishes(),
    );
    let by_input = file("", "        if: vars.PUSH == 'yes'\n");
    let withheld = plan(&by_input, &wishes()).withheld;
    assert!(withheld[0].why.contains("vars.PUSH"), "{withheld:?}");
    // A condition on secrets is the right one.
    let fine = file(
        "",
        "        if: github.event.pull_request.head.repo.fork != true\n",
    );
    edited(&fine, &fine, &wishes());
}

#[test]
fn a_login_that_is_late_and_conditional_is_both_moved_and_freed() {
    let login = |condition: &str| {
        format!(
            "      - if: {condition}\n        uses: docker/login-action@v3\n        with: {{username: me, password: '${{{{ secrets.P }}}}'}}\n"
        )
    };
    let setup = "      - uses: docker/setup-buildx-action@v3\n";
    let env = "    env:\n      DOCKERHUB_LOGIN: \"${{ secrets.P != '' }}\"\n";
    let build = "      - uses: docker/build-push-action@v6\n        with: {push: true}\n";
    edited(
        &job(
            "[push, pull_request]",
            "",
            &format!(
                "{setup}{}{build}",
                login("github.event_name != 'pull_request'")
            ),
        ),
        &job(
            "[push, pull_request]",
            env,
            &format!("{}{setup}{build}", login("env.DOCKERHUB_LOGIN == 'true'")),
        ),
        &wishes(),
    );
}

#[test]
fn a_client_whose_folder_is_another_is_left_and_why() {
    let text = job(
        "push",
        "    env:\n      DOCKER_CONFIG: /tmp/d\n",
        "      - run: docker pull alpine\n",
    );
    let plan = plan_of(&[(PATH, &text)], &wishes());
    assert!(plan.done.is_empty(), "{plan:?}");
    assert!(plan.left[0].reason.contains("`DOCKER_CONFIG`"), "{plan:?}");
}

#[test]
fn a_login_to_another_registry_is_no_login() {
    let other = "      - uses: docker/login-action@v3\n        with: {registry: ghcr.io, username: me, password: '${{ secrets.GITHUB_TOKEN }}'}\n";
    let login = LOGIN
        .replace("@v4", "@v3")
        .replace("${{ secrets.DOCKER_USER }}", "'${{ secrets.DOCKER_USER }}'")
        .replace(
            "${{ secrets.DOCKER_ACCESS_TOKEN }}",
            "'${{ secrets.DOCKER_ACCESS_TOKEN }}'",
        );
    edited(
        &job("push", "", &format!("{other}{PULL}")),
        &job("push", "", &format!("{other}{login}{PULL}")),
        &wishes(),
    );
}

#[test]
fn a_login_without_a_password_is_completed_when_that_was_asked_for() {
    let file = |password: &str| {
        job(
            "push",
            "",
            &format!(
                "      - uses: docker/login-action@v3\n        with:\n          username: ${{{{ secrets.DOCKER_USER }}}}\n{password}{PULL}"
            ),
        )
    };
    edited(
        &file(""),
        &file("          password: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n"),
        &review(),
    );
    assert_eq!(plan(&file(""), &wishes()).withheld.len(), 1);
}

#[test]
fn a_login_without_a_password_is_left_where_it_would_not_happen_before_every_pull() {
    for condition in [
        "github.ref == 'refs/heads/main'",
        // Nobody can tell what this one means.
        "github.ref == 'refs",
    ] {
        let steps = |of_pull: &str| {
            format!(
                "      - uses: docker/login-action@v3\n        if: {condition}\n      - run: docker pull alpine\n{of_pull}"
            )
        };
        let plan = plan(&job("push", "", &steps("")), &review());
        assert!(
            plan.files.is_empty() && plan.refused.is_empty(),
            "{plan:#?}"
        );
        let reason = &plan.left.first().unwrap().reason;
        assert_eq!(
            *reason,
            format!("a login stands before it and cannot work, and is for `{condition}` only")
        );
        let mended = self::plan(
            &job("push", "", &steps(&format!("        if: {condition}\n"))),
            &review(),
        );
        assert_eq!(mended.files.len(), 1, "{mended:#?}");
    }
}

#[test]
fn a_login_that_comes_too_late_and_cannot_work_is_left() {
    let text = job(
        "push",
        "",
        &format!("{PULL}      - uses: docker/login-action@v3\n"),
    );
    let plan = plan(&text, &review());
    assert!(
        plan.files.is_empty() && plan.refused.is_empty(),
        "{plan:#?}"
    );
    let reason = &plan.left.first().unwrap().reason;
    assert!(
        reason.starts_with("a login stands only after it and cannot work: no password"),
        "{reason}"
    );
}

#[test]
fn images_that_the_runner_pulls_get_credentials_in_the_files_own_style() {
    let c = CREDENTIALS;
    for (before, expected) in [
        (
            "    container: node:20 # the LTS\n",
            format!("    container:\n      image: node:20 # the LTS\n      {}", c.replace("          ", "        ")),
        ),
        (
            "    container:\n      image: \"node:20\"\n      options: --cpus 1\n",
            format!("    container:\n      image: \"node:20\"\n      {}      options: --cpus 1\n", c.replace("          ", "        ")),
        ),
        (
            "    services:\n      db:\n        image: postgres:16\n        env:\n          A: b\n      cache: {image: redis:7}\n      own:\n        image: ghcr.io/me/app:1\n",
            format!("    services:\n      db:\n        image: postgres:16\n        {c}        env:\n          A: b\n      cache: {{image: redis:7, credentials: {{username: '${{{{ secrets.DOCKER_USER }}}}', password: '${{{{ secrets.DOCKER_ACCESS_TOKEN }}}}'}}}}\n      own:\n        image: ghcr.io/me/app:1\n"),
        ),
        (
            "    services: {db: redis:7}\n",
            "    services: {db: {image: redis:7, credentials: {username: '${{ secrets.DOCKER_USER }}', password: '${{ secrets.DOCKER_ACCESS_TOKEN }}'}}}\n".to_owned(),
        ),
    ] {
        edited(
            &job("push", before, CHECKOUT),
            &job("push", &expected, CHECKOUT),
            &wishes(),
        );
    }
}

#[test]
fn an_image_by_matrix_gets_credentials_when_all_its_values_are_on_docker_hub() {
    let file = |values: &str, container: &str| {
        job(
            "push",
            &format!("    strategy:\n      matrix:\n        image: {values}\n{container}"),
            CHECKOUT,
        )
    };
    let before = "    container: ${{ matrix.image }}\n";
    let after = format!(
        "    container:\n      image: ${{{{ matrix.image }}}}\n      {}",
        CREDENTIALS.replace("          ", "        ")
    );
    edited(
        &file("['node:20', 'node:22']", before),
        &file("['node:20', 'node:22']", &after),
        &wishes(),
    );
    let nested = |container: &str| {
        file(
            "[{tag: {name: 'node:20'}}, {tag: {name: 'node:22'}}]",
            container,
        )
        .replace("matrix.image", "matrix.image.tag.name")
    };
    edited(&nested(before), &nested(&after), &wishes());
    let mixed = plan(&file("['node:20', 'ghcr.io/me/app:1']", before), &wishes());
    assert!(mixed.files.is_empty());
    assert!(
        mixed.left[0].reason.contains("ghcr.io/me/app:1"),
        "{mixed:?}"
    );
    let whole = plan(&file("[{image: 'node:20'}]", before), &wishes());
    assert!(whole.refused.is_empty() && whole.files.is_empty());
    assert!(
        whole.left[0].reason.contains("whole container"),
        "{whole:?}"
    );
    let sometimes = plan(&file("['node:20', '']", before), &wishes());
    assert_eq!(sometimes.withheld.len(), 1);
}

#[test]
fn credentials_that_a_fork_does_not_have_are_for_a_person_to_decide() {
    let text = job("pull_request", "    container: node:20\n", CHECKOUT);
    let plan = plan(&text, &wishes());
    assert!(plan.files.is_empty());
    assert_eq!(plan.withheld[0].safety, Safety::Review);
    assert!(plan.withheld[0].why.contains("fails before its first step"));
}

#[test]
fn what_has_no_place_for_a_credential_is_said() {
    let text = job(
        "push",
        "",
        "      - uses: docker://alpine:3.20\n      - run: docker pull busybox\n",
    );
    let plan = plan(&text, &wishes());
    assert_eq!(plan.done.len(), 1);
    assert!(plan.left[0].reason.contains("docker://"), "{:?}", plan.left);
}

#[test]
fn a_called_workflow_declares_the_secrets_and_its_callers_pass_them() {
    let called = |secrets: &str, keys: &str, login: &str| {
        format!(
            "on:\n  workflow_call:\n{secrets}jobs:\n  t:\n    runs-on: ubuntu-latest\n{keys}    steps:\n{login}{PULL}"
        )
    };
    let caller = |secrets: &str| {
        format!(
            "on: push\njobs:\n  call:\n    uses: ./{CALLED}\n{secrets}  other:\n    uses: ./{CALLED}\n    secrets: inherit\n"
        )
    };
    let declared = "    secrets:\n      DOCKER_USER:\n        required: false\n      DOCKER_ACCESS_TOKEN:\n        required: false\n";
    let passed = "    secrets:\n      DOCKER_USER: ${{ secrets.DOCKER_USER }}\n      DOCKER_ACCESS_TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    edited_files(
        &[(CALLED, &called("", "", "")), (PATH, &caller(""))],
        &[
            (CALLED, &called(declared, ENV, GUARDED)),
            (PATH, &caller(passed)),
        ],
        &wishes(),
    );
    // When all who call it inherit, there is nothing to pass.
    let inherits =
        format!("on: push\njobs:\n  call:\n    uses: ./{CALLED}\n    secrets: inherit\n");
    edited_files(
        &[(CALLED, &called("", "", "")), (PATH, &inherits)],
        &[(CALLED, &called("", ENV, GUARDED))],
        &wishes(),
    );
    // Nobody here calls it: whoever does must pass them.
    let alone = plan_of(&[(CALLED, &called("", "", ""))], &wishes());
    assert!(
        alone.withheld[0].why.contains("other repositories"),
        "{alone:?}"
    );
}

#[test]
fn a_workflow_that_is_called_at_a_version_cannot_be_given_more_secrets() {
    let called =
        format!("on: workflow_call\njobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n{PULL}");
    let plan = |secrets: &str| {
        let caller =
            format!("on: push\njobs:\n  call:\n    uses: acme/shop/{CALLED}@v1\n{secrets}");
        let tree = MemoryTree::new()
            .named("acme/shop")
            .with(CALLED, called.as_str())
            .with(PATH, caller.as_str());
        let (options, policy) = (Options::default(), Policy::default());
        fix(&tree, Scope::Repository, &options, &policy, &wishes())
    };
    let left = plan("");
    assert!(left.done.is_empty() && left.refused.is_empty(), "{left:?}");
    assert!(left.left[0].reason.contains("as `acme/shop/"), "{left:?}");
    let inherits = plan("    secrets: inherit\n");
    assert!(
        inherits.left.is_empty() && inherits.refused.is_empty(),
        "{inherits:?}"
    );
    // It is this repository that passes them.
    let (files, withheld) = (inherits.files.len(), inherits.withheld.len());
    assert_eq!((files, withheld), (1, 0), "{inherits:?}");
}

#[test]
fn what_stands_in_another_repository_is_not_edited() {
    let theirs = "_actions/acme/ci/.github/workflows/build.yml";
    let called =
        format!("on: workflow_call\njobs:\n  t:\n    runs-on: ubuntu-latest\n    steps:\n{PULL}");
    let caller = format!(
        "on: push\njobs:\n  call:\n    uses: acme/ci/.github/workflows/build.yml@v1\n    secrets: inherit\n  own:\n    runs-on: ubuntu-latest\n    steps:\n{PULL}"
    );
    let plan = plan_of(&[(theirs, &called), (PATH, &caller)], &wishes());
    let edited: Vec<&str> = plan.files.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(edited, [PATH], "{plan:?}");
    assert!(
        plan.refused.is_empty() && plan.withheld.is_empty(),
        "{plan:?}"
    );
    assert!(plan.left[0].reason.contains("`acme/ci`"), "{plan:?}");
}

#[test]
fn a_called_workflow_declares_the_secrets_however_it_says_that_it_can_be_called() {
    let called = |on: &str, keys: &str, login: &str| {
        format!("on:{on}\njobs:\n  t:\n    runs-on: ubuntu-latest\n{keys}    steps:\n{login}{PULL}")
    };
    let caller = |secrets: &str| format!("on: push\njobs:\n  c:\n    uses: ./{CALLED}\n{secrets}");
    let passed = "    secrets:\n      DOCKER_USER: ${{ secrets.DOCKER_USER }}\n      DOCKER_ACCESS_TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let block = "\n  push:\n  workflow_call:\n    secrets:\n      DOCKER_USER:\n        required: false\n      DOCKER_ACCESS_TOKEN:\n        required: false";
    let flow = "secrets: {DOCKER_USER: {required: false}, DOCKER_ACCESS_TOKEN: {required: false}}";
    let call = format!("workflow_call: {{{flow}}}");
    for (before, after) in [
        (" [push, workflow_call]", block.to_owned()),
        ("\n  - push\n  - workflow_call", block.to_owned()),
        (
            " {workflow_call, push: {branches: [main]}}",
            format!(" {{{call}, push: {{branches: [main]}}}}"),
        ),
        (
            " {workflow_call: , workflow_dispatch: }",
            format!(" {{{call}, workflow_dispatch: }}"),
        ),
        (" {push: , workflow_call}", format!(" {{push: , {call}}}")),
        (
            " {push: , workflow_call: {}}",
            format!(" {{push: , {call}}}"),
        ),
        (
            " {workflow_call: ~, push: null}",
            format!(" {{{call}, push: null}}"),
        ),
        ("\n  push:\n  workflow_call: {}", block.to_owned()),
        ("\n  push:\n  workflow_call: ~", block.to_owned()),
        (
            "\n  push:\n  workflow_call: { } # by ours",
            block.replace("workflow_call:", "workflow_call: # by ours"),
        ),
        (
            "\n  push:\n  workflow_call: # by ours",
            block.replace("workflow_call:", "workflow_call: # by ours"),
        ),
    ] {
        edited_files(
            &[(CALLED, &called(before, "", "")), (PATH, &caller(""))],
            &[
                (CALLED, &called(&after, ENV, GUARDED)),
                (PATH, &caller(passed)),
            ],
            &wishes(),
        );
    }
}

#[test]
fn a_caller_whose_run_pulls_nothing_passes_no_secrets() {
    let called = "on:\n  workflow_call:\n    inputs:\n      file: {type: string, required: true}\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: docker build -f ${{ inputs.file }} .\n";
    let caller = "on: push\njobs:\n  hub:\n    uses: ./.github/workflows/called.yml\n    with: {file: Dockerfile.hub}\n  other:\n    uses: ./.github/workflows/called.yml\n    with: {file: Dockerfile.ghcr}\n";
    let passed = "    secrets:\n      DOCKER_USER: ${{ secrets.DOCKER_USER }}\n      DOCKER_ACCESS_TOKEN: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let files = [
        (PATH, caller),
        (CALLED, called),
        ("Dockerfile.hub", "FROM alpine:3\n"),
        ("Dockerfile.ghcr", "FROM ghcr.io/x/y:1\n"),
    ];
    let plan = plan_of(&files, &wishes());
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    let after = plan.files.iter().find(|f| f.path.as_str() == PATH);
    let hub = "    with: {file: Dockerfile.hub}\n";
    let expected = caller.replace(hub, &format!("{hub}{passed}"));
    assert_eq!(
        after.map(|f| f.after.as_str()),
        Some(expected.as_str()),
        "{plan:#?}"
    );
}

#[test]
fn secrets_go_through_workflows_that_call_each_other() {
    let middle = ".github/workflows/middle.yml";
    let inner = format!(
        "on:\n  workflow_call:\n    inputs:\n      a: {{type: string}}\njobs:\n  t:\n    runs-on: ubuntu-latest\n    container: node:20\n    steps:\n{CHECKOUT}"
    );
    let outer = format!("on: [workflow_call]\njobs:\n  m:\n    uses: ./{CALLED}\n");
    let top = format!("on: push\njobs:\n  c:\n    uses: ./{middle}\n    with: {{}}\n");
    let plan = plan_of(
        &[(CALLED, &inner), (middle, &outer), (PATH, &top)],
        &review(),
    );
    // A list of events has no place for secrets.
    let after = plan.files.iter().find(|f| f.path.as_str() == middle);
    let declared =
        "on:\n  workflow_call:\n    secrets:\n      DOCKER_USER:\n        required: false\n";
    assert!(
        after.is_some_and(|f| f.after.starts_with(declared)),
        "{plan:#?}"
    );
    assert_eq!(plan.files.len(), 3, "{plan:#?}");
}

#[test]
fn a_local_action_signs_in_through_its_inputs() {
    let action = |inputs: &str, login: &str| {
        format!(
            "name: Run\ndescription: Runs it\n{inputs}runs:\n  using: composite\n  steps:\n{login}    - run: docker run alpine:3.20 true\n      shell: bash\n"
        )
    };
    let inputs = "inputs:\n  dockerhub-username:\n    description: User name for Docker Hub (without one images are pulled anonymously)\n    required: false\n  dockerhub-token:\n    description: Access token for Docker Hub\n    required: false\n";
    let login = "    - uses: docker/login-action@v4\n      if: inputs.dockerhub-token != ''\n      with:\n        username: ${{ inputs.dockerhub-username }}\n        password: ${{ inputs.dockerhub-token }}\n";
    let call = "      - uses: ./.github/actions/run\n";
    let with = "        with:\n          dockerhub-username: ${{ secrets.DOCKER_USER }}\n          dockerhub-token: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let before = job("pull_request", "", &format!("{CHECKOUT}{call}"));
    let after = job("pull_request", "", &format!("{CHECKOUT}{call}{with}"));
    edited_files(
        &[(PATH, &before), (ACTION, &action("", ""))],
        &[(PATH, &after), (ACTION, &action(inputs, login))],
        &wishes(),
    );
    // It takes the credential already: it only has to be given.
    edited_files(
        &[(PATH, &before), (ACTION, &action(inputs, login))],
        &[(PATH, &after)],
        &wishes(),
    );
    // One that pulls in some places only runs what it is told to: the job signs in.
    let other = (
        ".github/workflows/other.yml",
        "on: push\njobs:\n  o:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: ./.github/actions/run\n        with: {pull: false}\n",
    );
    let sometimes = action("inputs:\n  pull: {default: true}\n", "").replace(
        "      shell: bash",
        "      if: inputs.pull == 'true'\n      shell: bash",
    );
    edited_files(
        &[(PATH, &before), (ACTION, &sometimes), other],
        &[(
            PATH,
            &job("pull_request", ENV, &format!("{CHECKOUT}{GUARDED}{call}")),
        )],
        &wishes(),
    );
    // A job that pulls beside it signs in for both.
    let both = job("push", "", &format!("{CHECKOUT}{PULL}{call}"));
    edited_files(
        &[(PATH, &both), (ACTION, &action("", ""))],
        &[(
            PATH,
            &job("push", "", &format!("{CHECKOUT}{LOGIN}{PULL}{call}")),
        )],
        &wishes(),
    );
}

/// To GitHub the names of inputs and of secrets are the same in capitals and in small letters.
#[test]
fn what_differs_in_case_only_is_not_declared_a_second_time() {
    let action = |login: &str| {
        format!(
            "inputs:\n  HUB_USER: {{required: true}}\n  HUB_PASS: {{required: true}}\n  DOCKERHUB_username: {{required: false}}\nruns:\n  using: composite\n  steps:\n{login}    - run: docker run alpine:3.20 true\n      shell: bash\n"
        )
    };
    let login = |user: &str, token: &str| {
        format!(
            "    - uses: docker/login-action@v4\n      if: inputs.{token} != ''\n      with:\n        username: ${{{{ inputs.{user} }}}}\n        password: ${{{{ inputs.{token} }}}}\n"
        )
    };
    // Every caller hands the credential over, under other names.
    let call = "      - uses: ./.github/actions/run\n        with:\n          HUB_USER: ${{ secrets.DOCKER_USER }}\n          HUB_PASS: \"${{secrets.DOCKER_ACCESS_TOKEN}}\"\n";
    let text = job("push", "", &format!("{CHECKOUT}{call}"));
    edited_files(
        &[(PATH, &text), (ACTION, &action(""))],
        &[(ACTION, &action(&login("HUB_USER", "HUB_PASS")))],
        &wishes(),
    );
    // Something else is handed over.
    let text = text.replace("DOCKER_ACCESS_TOKEN", "OTHER");
    let plan = plan_of(&[(PATH, &text), (ACTION, &action(""))], &wishes());
    let after = |path: &str| {
        let file = plan.files.iter().find(|f| f.path.as_str() == path);
        file.map_or_else(String::new, |f| f.after.clone())
    };
    assert!(after(ACTION).contains(&login("docker_username", "docker_token")));
    let given = after(PATH);
    assert!(given.contains("docker_token:") && given.contains("secrets.DOCKER_ACCESS_TOKEN"));
    // A called workflow that declares the secret already.
    let called = (
        ".github/workflows/called.yml",
        "on:\n  workflow_call:\n    secrets:\n      docker_user: {required: false}\n      docker_access_token: {required: false}\njobs:\n  c:\n    runs-on: ubuntu-latest\n    steps:\n      - run: docker run alpine:3.20 true\n",
    );
    let caller = "on: push\njobs:\n  b:\n    uses: ./.github/workflows/called.yml\n    secrets:\n      docker_user: ${{ secrets.DOCKER_USER }}\n      docker_access_token: ${{ secrets.DOCKER_ACCESS_TOKEN }}\n";
    let plan = plan_of(&[(PATH, caller), called], &wishes());
    assert_eq!(plan.files.len(), 1, "{plan:#?}");
    assert!(
        !plan.files[0].after.contains("      DOCKER_USER:"),
        "{}",
        plan.files[0].after
    );
}

#[test]
fn an_edit_of_one_file_stays_in_it() {
    let action = "runs:\n  using: composite\n  steps:\n    - run: docker run alpine:3.20 true\n      shell: bash\n";
    let text = job(
        "push",
        "",
        &format!("{CHECKOUT}      - uses: ./.github/actions/run\n"),
    );
    let files: &Tree<'_> = &[(PATH, &text), (ACTION, action)];
    let path = RepoPath::new(PATH).unwrap();
    let plan = fix(
        &tree(files),
        Scope::File(&path),
        &Options::default(),
        &Policy::default(),
        &wishes(),
    );
    assert!(plan.files.is_empty());
    assert!(plan.left[0].reason.contains(ACTION), "{:?}", plan.left);
}

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
fn secrets_of_an_environment_are_not_everybodys() {
    let file = |environment: &str| {
        format!(
            "on: push\njobs:\n  release:\n    runs-on: ubuntu-latest\n    environment: production\n    steps:\n      - uses: docker/login-action@v3\n        with:\n          username: ${{{{ secrets.U }}}}\n          password: ${{{{ secrets.P }}}}\n      - run: docker push me/app\n  t:\n    runs-on: ubuntu-latest\n{environment}    steps:\n{PULL}"
        )
    };
    let withheld = plan(&file(""), &wishes()).withheld;
    assert!(withheld[0].why.contains("`production`"), "{withheld:?}");
    assert_eq!(
        plan(&file("    environment: production\n"), &wishes())
            .done
            .len(),
        1
    );
}

#[test]
fn line_endings_byte_order_mark_tabs_and_a_missing_last_newline_stay() {
    let crlf = |text: String| format!("\u{FEFF}{}", text.trim_end().replace('\n', "\r\n"));
    let script = "      - run: |\n          \techo tab\n          docker pull alpine\n";
    edited(
        &crlf(job("push", "    container: node:20\n", script)),
        &crlf(job(
            "push",
            &format!(
                "    container:\n      image: node:20\n      {}",
                CREDENTIALS.replace("          ", "        ")
            ),
            &format!("{LOGIN}{script}"),
        )),
        &review(),
    );
}

#[test]
fn an_aliased_list_of_steps_gets_one_login_for_all_its_jobs() {
    let file = |login: &str| {
        format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: &steps\n{login}{PULL}  b:\n    runs-on: ubuntu-latest\n    steps: *steps\n"
        )
    };
    edited(&file(""), &file(LOGIN), &wishes());
}

#[test]
fn steps_in_flow_style_stay_in_flow_style() {
    let text = |login: &str| {
        format!(
            "on: push\njobs: {{j: {{runs-on: ubuntu-latest, steps: [{login}{{run: docker pull alpine}}]}}}}\n"
        )
    };
    edited(
        &text(""),
        &text(
            "{uses: docker/login-action@v4, with: {username: '${{ secrets.DOCKER_USER }}', password: '${{ secrets.DOCKER_ACCESS_TOKEN }}'}}, ",
        ),
        &wishes(),
    );
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
fn a_password_that_was_forgotten_is_added_when_it_is_known_whose() {
    let before = |user: &str| {
        format!(
            "on: push
jobs:
  a:
    runs-on: ubuntu-latest
    services:
      db:
        image: postgres:16
        credentials:
          username: ${{{{ secrets.{user} }}}}
        ports: ['5432:5432']
    steps:
      - uses: docker/login-action@v3
        with:
          username: ${{{{ secrets.HUB_USER }}}}
          password: ${{{{ secrets.HUB_TOKEN }}}}
      - run: docker run alpine
"
        )
    };
    let text = before("HUB_USER");
    let line = "          username: ${{ secrets.HUB_USER }}\n        ports";
    let both = "          username: ${{ secrets.HUB_USER }}\n          password: ${{ secrets.HUB_TOKEN }}\n        ports";
    edited_files(
        &[(PATH, &text)],
        &[(PATH, &text.replace(line, both))],
        &review(),
    );
    // Whose password that would be, nobody can know.
    let other = plan(&before("OTHER_USER"), &review());
    assert!(other.files.is_empty());
    assert!(
        other.left[0].reason.contains("no password"),
        "{:?}",
        other.left
    );
}

#[test]
fn a_file_that_quotes_everything_goes_on_doing_so() {
    let before = "'on':
  'push': {}
'jobs':
  'a':
    'runs-on': 'ubuntu-latest'
    'container': 'node:22'
    'steps':
    - 'uses': 'actions/checkout@v4'
    - 'run': 'docker run alpine'
";
    let after = "'on':
  'push': {}
'jobs':
  'a':
    'runs-on': 'ubuntu-latest'
    'container':
      'image': 'node:22'
      'credentials':
        'username': '${{ secrets.DOCKER_USER }}'
        'password': '${{ secrets.DOCKER_ACCESS_TOKEN }}'
    'steps':
    - 'uses': 'actions/checkout@v4'
    - 'uses': 'docker/login-action@v4'
      'with':
        'username': '${{ secrets.DOCKER_USER }}'
        'password': '${{ secrets.DOCKER_ACCESS_TOKEN }}'
    - 'run': 'docker run alpine'
";
    edited_files(&[(PATH, before)], &[(PATH, after)], &review());
}

#[test]
fn a_docker_action_in_a_local_action_is_pulled_beside_the_jobs_container() {
    let action = (
        ".github/actions/run/action.yml",
        "name: r\ndescription: r\nruns:\n  using: composite\n  steps:\n    - uses: docker://alpine:3.20\n",
    );
    let text = |container: &str| {
        job(
            "push",
            container,
            &format!("{CHECKOUT}      - uses: ./.github/actions/run\n"),
        )
    };
    let inside = text("    container: ghcr.io/me/app:1\n");
    let plan = plan_of(&[(PATH, &inside), action], &review());
    assert!(
        plan.files.is_empty() && plan.refused.is_empty(),
        "{plan:#?}"
    );
    assert!(plan.left[0].reason.contains("on the host"), "{plan:#?}");
    // On the machine itself a login is seen.
    let plan = plan_of(&[(PATH, &text("")), action], &review());
    assert_eq!((plan.done.len(), plan.left.len()), (1, 0), "{plan:#?}");
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

#[test]
fn what_is_pulled_under_sudo_is_said_to_be() {
    let text = job("push", "", "      - run: sudo docker pull alpine:3.20\n");
    let plan = plan(&text, &wishes());
    let reason = &plan.left[0].reason;
    assert!(reason.starts_with("it is pulled under `sudo`"), "{reason}");
}

#[test]
fn a_login_by_another_name_of_docker_hub_is_no_login_for_plain_names() {
    for login in [
        "      - uses: docker/login-action@v3\n        with: {registry: registry.hub.docker.com, username: u, password: '${{ secrets.P }}'}\n",
        "      - run: echo \"${{ secrets.P }}\" | docker login -u u --password-stdin registry-1.docker.io\n",
    ] {
        let text = format!(
            "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{login}      - run: docker pull redis:2\n"
        );
        let plan = plan(&text, &wishes());
        assert_eq!((plan.done.len(), plan.left.len()), (1, 0), "{plan:#?}");
    }
}
