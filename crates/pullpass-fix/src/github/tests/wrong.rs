//! Logins that are there and wrong.

use super::*;

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
