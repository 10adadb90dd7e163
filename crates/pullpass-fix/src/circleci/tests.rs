//! Before and after, form by form. What a reviewer would have written is the expectation.

use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::source::MemoryTree;

use crate::{FixOptions, Login, Plan, Scope, fix};

const PATH: &str = ".circleci/config.yml";

fn wishes() -> FixOptions {
    FixOptions::default()
}

fn plan(text: &str, wishes: &FixOptions) -> Plan {
    let tree = MemoryTree::new().with(PATH, text);
    fix(
        &tree,
        Scope::Repository,
        &Options::default(),
        &Policy::default(),
        wishes,
    )
}

fn after(text: &str, wishes: &FixOptions) -> String {
    let plan = plan(text, wishes);
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    plan.files
        .first()
        .map_or_else(|| text.to_owned(), |f| f.after.clone())
}

/// Asserts the edit, with the lines that changed when it is another.
fn edited(before: &str, expected: &str, wishes: &FixOptions) {
    let found = after(before, wishes);
    assert!(
        found == expected,
        "--- found\n{found}\n--- expected\n{expected}\n{:#?}",
        plan(before, wishes)
    );
}

/// A job `j` that runs on these images, given the lines of its `docker` key.
fn job(docker: &str) -> String {
    format!(
        "version: 2.1\njobs:\n  j:\n{docker}    steps:\n      - checkout\nworkflows:\n  w:\n    jobs: [j]\n"
    )
}

#[test]
fn an_image_gets_its_auth_in_the_files_own_style() {
    for (before, expected) in [
        // A block list, with a comment and a service; other registries are left alone.
        (
            "    docker:\n      - image: cimg/go:1.22 # pinned\n        environment:\n          A: b\n      - image: postgres:16\n      - image: ghcr.io/me/app:1\n      - image: 1.dkr.ecr.eu-west-1.amazonaws.com/app:1\n        aws_auth:\n          aws_access_key_id: $A\n",
            "    docker:\n      - image: cimg/go:1.22 # pinned\n        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n        environment:\n          A: b\n      - image: postgres:16\n        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n      - image: ghcr.io/me/app:1\n      - image: 1.dkr.ecr.eu-west-1.amazonaws.com/app:1\n        aws_auth:\n          aws_access_key_id: $A\n",
        ),
        // The list not indented, the image not the first key.
        (
            "    docker:\n    - name: db\n      image: \"postgres:16\"\n",
            "    docker:\n    - name: db\n      image: \"postgres:16\"\n      auth:\n        username: $DOCKER_USER\n        password: $DOCKER_ACCESS_TOKEN\n",
        ),
        // Flow, with braces, padded, and without.
        (
            "    docker: [{image: cimg/go:1.22}]\n",
            "    docker: [{image: cimg/go:1.22, auth: {username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN}}]\n",
        ),
        (
            "    docker: [ { image: cimg/go:1.22, environment: { A: b } } ]\n",
            "    docker: [ { image: cimg/go:1.22, auth: { username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN }, environment: { A: b } } ]\n",
        ),
        (
            "    docker: [image: cimg/go:1.22, image: redis:7]\n",
            "    docker: [{image: cimg/go:1.22, auth: {username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN}}, {image: redis:7, auth: {username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN}}]\n",
        ),
        (
            "    docker:\n      - {\"image\": \"cimg/go:1.22\"}\n",
            "    docker:\n      - {\"image\": \"cimg/go:1.22\", \"auth\": {\"username\": \"$DOCKER_USER\", \"password\": \"$DOCKER_ACCESS_TOKEN\"}}\n",
        ),
    ] {
        edited(&job(before), &job(expected), &wishes());
    }
}

#[test]
fn four_columns_stay_four_columns() {
    edited(
        "version: 2.1\njobs:\n    build:\n        docker:\n            - image: cimg/go:1.22\n        steps:\n            - checkout\n",
        "version: 2.1\njobs:\n    build:\n        docker:\n            - image: cimg/go:1.22\n              auth:\n                  username: $DOCKER_USER\n                  password: $DOCKER_ACCESS_TOKEN\n        steps:\n            - checkout\n",
        &wishes(),
    );
}

#[test]
fn line_endings_byte_order_mark_and_a_missing_last_newline_stay() {
    let before = "\u{FEFF}version: 2.1\r\njobs:\r\n  build:\r\n    steps:\r\n      - run: |\r\n          \techo\r\n    docker:\r\n      - image: cimg/go:1.22";
    let expected = format!(
        "{before}\r\n        auth:\r\n          username: $DOCKER_USER\r\n          password: $DOCKER_ACCESS_TOKEN"
    );
    edited(before, &expected, &wishes());
}

#[test]
fn an_anchored_image_entry_is_edited_once_for_all_its_users() {
    edited(
        "version: 2.1\nx: &node\n  image: cimg/node:20.1\njobs:\n  a:\n    docker: [*node]\n    steps: [checkout]\n  b:\n    docker:\n      - *node\n      - image: redis:7\n    steps: [checkout]\nworkflows:\n  w:\n    jobs: [a, b]\n",
        "version: 2.1\nx: &node\n  image: cimg/node:20.1\n  auth:\n    username: $DOCKER_USER\n    password: $DOCKER_ACCESS_TOKEN\njobs:\n  a:\n    docker: [*node]\n    steps: [checkout]\n  b:\n    docker:\n      - *node\n      - image: redis:7\n        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n    steps: [checkout]\nworkflows:\n  w:\n    jobs: [a, b]\n",
        &wishes(),
    );
}

#[test]
fn an_aliased_list_is_edited_at_its_anchor() {
    edited(
        "version: 2.1\njobs:\n  a:\n    docker: &images\n      - image: cimg/node:20.1\n    steps: [checkout]\n  b:\n    docker: *images\n    steps: [checkout]\nworkflows:\n  w:\n    jobs: [a, b]\n",
        "version: 2.1\njobs:\n  a:\n    docker: &images\n      - image: cimg/node:20.1\n        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n    steps: [checkout]\n  b:\n    docker: *images\n    steps: [checkout]\nworkflows:\n  w:\n    jobs: [a, b]\n",
        &wishes(),
    );
}

#[test]
fn an_aliased_name_gets_its_auth_at_each_use() {
    edited(
        "version: 2.1\nx: &name cimg/node:20.1\njobs:\n  build:\n    docker:\n      - image: *name\n    steps: [checkout]\n",
        "version: 2.1\nx: &name cimg/node:20.1\njobs:\n  build:\n    docker:\n      - image: *name\n        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n    steps: [checkout]\n",
        &wishes(),
    );
}

#[test]
fn a_merged_image_gets_its_auth_where_it_is_written() {
    edited(
        "version: 2.1\nx: &base\n  image: cimg/node:20.1\njobs:\n  build:\n    docker:\n      - <<: *base\n        environment:\n          A: b\n    steps: [checkout]\n",
        "version: 2.1\nx: &base\n  image: cimg/node:20.1\n  auth:\n    username: $DOCKER_USER\n    password: $DOCKER_ACCESS_TOKEN\njobs:\n  build:\n    docker:\n      - <<: *base\n        environment:\n          A: b\n    steps: [checkout]\n",
        &wishes(),
    );
}

#[test]
fn an_executor_by_parameter_gets_its_auth_when_all_its_images_are_on_docker_hub() {
    let file = |image: &str, auth: &str| {
        format!(
            "version: 2.1\nexecutors:\n  e:\n    parameters:\n      image: {{type: string}}\n    docker:\n      - image: << parameters.image >>\n{auth}jobs:\n  a:\n    executor: {{name: e, image: 'cimg/go:1.22'}}\n    steps: [checkout]\n  b:\n    executor: {{name: e, image: '{image}'}}\n    steps: [checkout]\nworkflows:\n  w:\n    jobs: [a, b]\n"
        )
    };
    let auth = "        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n";
    edited(
        &file("cimg/node:20.1", ""),
        &file("cimg/node:20.1", auth),
        &wishes(),
    );
    let mixed = file("ghcr.io/me/app:1", "");
    let plan = plan(&mixed, &wishes());
    assert!(plan.files.is_empty());
    assert!(
        plan.left[0].reason.contains("ghcr.io/me/app:1"),
        "{:?}",
        plan.left
    );
}

#[test]
fn the_repositorys_own_names_are_used_and_can_be_overridden() {
    let docker = |user: &str, token: &str| {
        format!(
            "    docker:\n      - image: cimg/go:1.22\n        auth:\n          username: $DOCKERHUB_USERNAME\n          password: $DOCKERHUB_PASSWORD\n      - image: redis:7\n        auth:\n          username: ${user}\n          password: ${token}\n"
        )
    };
    let before = "    docker:\n      - image: cimg/go:1.22\n        auth:\n          username: $DOCKERHUB_USERNAME\n          password: $DOCKERHUB_PASSWORD\n      - image: redis:7\n";
    edited(
        &job(before),
        &job(&docker("DOCKERHUB_USERNAME", "DOCKERHUB_PASSWORD")),
        &wishes(),
    );
    let other = FixOptions {
        user_var: Some("U".into()),
        token_var: Some("T".into()),
        ..wishes()
    };
    edited(&job(before), &job(&docker("U", "T")), &other);
}

#[test]
fn contexts_are_named_where_the_job_is_called() {
    let wishes = FixOptions {
        contexts: vec!["docker-hub".into()],
        ..wishes()
    };
    for (before, expected) in [
        (
            "      - build\n",
            "      - build:\n          context: docker-hub\n",
        ),
        (
            "      - build: # first\n",
            "      - build: # first\n          context: docker-hub\n",
        ),
        (
            "      - build:\n          requires: [x]\n",
            "      - build:\n          context: docker-hub\n          requires: [x]\n",
        ),
        (
            "      - build:\n          context: org-global\n",
            "      - build:\n          context: [org-global, docker-hub]\n",
        ),
        (
            "      - build:\n          context:\n            - org-global\n",
            "      - build:\n          context:\n            - org-global\n            - docker-hub\n",
        ),
        (
            "      - build: {requires: [x]}\n",
            "      - build: {context: docker-hub, requires: [x]}\n",
        ),
        (
            "      - build:\n          context: docker-hub\n",
            "      - build:\n          context: docker-hub\n",
        ),
    ] {
        let file = |auth: &str, call: &str| {
            format!(
                "version: 2.1\njobs:\n  build:\n    docker:\n      - image: cimg/go:1.22\n{auth}    steps:\n      - checkout\nworkflows:\n  w:\n    jobs:\n{call}"
            )
        };
        let auth = "        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n";
        edited(&file("", before), &file(auth, expected), &wishes);
    }
}

#[test]
fn what_is_silenced_is_left_alone() {
    let text = job(
        "    docker:\n      # pullpass: ignore[platform-credential] the vendor's is enough\n      - image: cimg/go:1.22\n",
    );
    edited(&text, &text, &wishes());
}

/// A configuration with one job `j` on a machine; `head` goes after the version.
fn machine(head: &str, steps: &str) -> String {
    format!(
        "version: 2.1\n\n{head}jobs:\n  j:\n    machine:\n      image: ubuntu-2404:current\n    steps:\n{steps}\nworkflows:\n  w:\n    jobs: [j]\n"
    )
}

const IMPORT: &str = "orbs:\n  docker: circleci/docker@4.0.1\n\n";
const COMMAND: &str = "commands:\n  dockerhub_login:\n    steps:\n      - docker/install_docker_credential_helper\n      - docker/check:\n          docker_username: DOCKER_USER\n          docker_password: DOCKER_ACCESS_TOKEN\n\n";

fn run() -> FixOptions {
    FixOptions {
        login: Some(Login::Run),
        ..wishes()
    }
}

fn review() -> FixOptions {
    FixOptions {
        review: true,
        ..wishes()
    }
}

#[test]
fn a_login_is_put_right_before_the_first_pull() {
    edited(
        &machine(
            "",
            "      - checkout\n      # what the tests need\n      - run: docker pull alpine:3.20\n      - run: docker pull redis:7\n",
        ),
        &machine(
            &format!("{IMPORT}{COMMAND}"),
            "      - checkout\n      - dockerhub_login\n      # what the tests need\n      - run: docker pull alpine:3.20\n      - run: docker pull redis:7\n",
        ),
        &wishes(),
    );
}

#[test]
fn a_plain_step_signs_in_where_that_was_asked_for() {
    edited(
        &machine("", "      - run: docker pull alpine:3.20\n"),
        &machine(
            "",
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n      - run: docker pull alpine:3.20\n",
        ),
        &run(),
    );
}

#[test]
fn a_plain_step_that_many_jobs_need_is_a_command() {
    let file = |version: &str, commands: &str, step: &str| {
        let jobs: String = ["a", "b", "c"]
            .iter()
            .map(|name| {
                format!("  {name}:\n    machine: true\n    steps:\n{step}      - run: docker pull alpine:3.20\n")
            })
            .collect();
        format!(
            "version: {version}\n{commands}jobs:\n{jobs}workflows:\n  version: 2\n  w:\n    jobs: [a, b, c]\n"
        )
    };
    let command = format!("commands:\n  dockerhub_login:\n    steps:\n{}", SIGN_IN);
    edited(
        &file("2.1", "", ""),
        &file("2.1", &command, "      - dockerhub_login\n"),
        &run(),
    );
    edited(&file("2", "", ""), &file("2", "", SIGN_IN), &run());
}

#[test]
fn the_orbs_helper_is_for_circlecis_own_amd64_machines() {
    let bare = COMMAND.replace("      - docker/install_docker_credential_helper\n", "");
    for (class, command) in [
        ("large", COMMAND),
        ("arm.medium", bare.as_str()),
        ("acme/linux", bare.as_str()),
    ] {
        let file = |head: &str, step: &str| {
            let file = machine(
                head,
                &format!("{step}      - run: docker pull alpine:3.20\n"),
            );
            let image = "      image: ubuntu-2404:current\n";
            file.replace(image, &format!("{image}    resource_class: {class}\n"))
        };
        edited(
            &file("", ""),
            &file(&format!("{IMPORT}{command}"), "      - dockerhub_login\n"),
            &wishes(),
        );
    }
}

#[test]
fn a_job_whose_image_has_no_bash_signs_in_by_a_plain_step() {
    for (image, orb) in [
        ("docker:24-git", false),
        ("docker", false),
        ("ghcr.io/acme/alpine-ci:1", false),
        ("node:22-alpine", false),
        ("ghcr.io/acme/docker:1", false),
        ("acme/docker-tools:1", true),
        ("cimg/base:2024.01", true),
        ("circleci/node:8-alpine", true),
    ] {
        let job = format!(
            "version: 2.1\njobs:\n  j:\n    docker:\n      - image: {image}\n        auth: {{username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN}}\n    steps:\n      - setup_remote_docker\n      - run: docker pull alpine:3.20\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        let text = after(&job, &wishes());
        assert_eq!(text.contains("docker/check"), orb, "{image}: {text}");
        assert_eq!(text.contains("docker login"), !orb, "{image}: {text}");
    }
}

#[test]
fn version_2_0_knows_no_orbs_and_gets_a_plain_step() {
    let file = |step: &str| {
        format!(
            "version: 2\njobs:\n  build:\n    machine: true\n    steps:\n{step}      - run: docker pull alpine:3.20\n"
        )
    };
    edited(
        &file(""),
        &file(
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &wishes(),
    );
}

#[test]
fn an_orb_that_is_imported_is_used_at_its_version_and_spelling() {
    for (version, install, user, password) in [
        (
            "2.8.2",
            "install-docker-credential-helper",
            "docker-username",
            "docker-password",
        ),
        (
            "3.0.0",
            "install_docker_credential_helper",
            "docker_username",
            "docker_password",
        ),
    ] {
        let orbs = format!("orbs:\n  hub: circleci/docker@{version}\n\n");
        let command = format!(
            "commands:\n  dockerhub_login:\n    steps:\n      - hub/{install}\n      - hub/check:\n          {user}: DOCKER_USER\n          {password}: DOCKER_ACCESS_TOKEN\n\n"
        );
        edited(
            &machine(&orbs, "      - run: docker pull alpine:3.20\n"),
            &machine(
                &format!("{orbs}{command}"),
                "      - dockerhub_login\n      - run: docker pull alpine:3.20\n",
            ),
            &wishes(),
        );
    }
}

#[test]
fn names_that_are_taken_are_avoided() {
    edited(
        &machine(
            "orbs:\n  docker: me/docker@1.0.0\n\ncommands:\n  dockerhub_login:\n    steps:\n      - run: echo unrelated\n\n",
            "      - run: docker pull alpine:3.20\n",
        ),
        &machine(
            "orbs:\n  circleci-docker: circleci/docker@4.0.1\n  docker: me/docker@1.0.0\n\ncommands:\n  docker_hub_login:\n    steps:\n      - circleci-docker/install_docker_credential_helper\n      - circleci-docker/check:\n          docker_username: DOCKER_USER\n          docker_password: DOCKER_ACCESS_TOKEN\n  dockerhub_login:\n    steps:\n      - run: echo unrelated\n\n",
            "      - docker_hub_login\n      - run: docker pull alpine:3.20\n",
        ),
        &wishes(),
    );
}

#[test]
fn an_inline_orb_gets_what_it_needs_inside_of_itself() {
    edited(
        "version: 2.1\norbs:\n  mine:\n    jobs:\n      b:\n        machine: true\n        steps:\n          - checkout\n          - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [mine/b]\n",
        "version: 2.1\norbs:\n  mine:\n    orbs:\n      docker: circleci/docker@4.0.1\n    commands:\n      dockerhub_login:\n        steps:\n          - docker/install_docker_credential_helper\n          - docker/check:\n              docker_username: DOCKER_USER\n              docker_password: DOCKER_ACCESS_TOKEN\n    jobs:\n      b:\n        machine: true\n        steps:\n          - checkout\n          - dockerhub_login\n          - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [mine/b]\n",
        &wishes(),
    );
}

#[test]
fn the_repositorys_own_login_is_called_and_not_a_second_one_written() {
    let file = |step: &str| {
        format!(
            "version: 2.1\ncommands:\n  hub:\n    steps:\n      - run: echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin\njobs:\n  a:\n    machine: true\n    steps:\n      - hub\n      - run: docker pull alpine:3.20\n  b:\n    machine: true\n    steps:\n      - checkout\n{step}      - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [a, b]\n"
        )
    };
    edited(&file(""), &file("      - hub\n"), &wishes());
}

#[test]
fn a_login_command_that_looks_for_its_credential_is_called_too() {
    let file = |script: &str, step: &str| {
        let script = script.replace('\n', "\n            ");
        format!(
            "version: 2.1\ncommands:\n  hub:\n    steps:\n      - run:\n          name: Log in\n          command: |\n            {script}\njobs:\n  a:\n    machine: true\n    steps:\n      - hub\n      - run: docker pull alpine:3.20\n  b:\n    machine: true\n    steps:\n      - checkout\n{step}      - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [a, b]\n"
        )
    };
    let login = "echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin";
    let script = format!(
        "USER=\"$HUB_USER\"\nif [ -z \"$USER\" ] || [ \"$HUB_PASS\" == \"\" ]; then\n  echo none\nelse\n  {login}\nfi"
    );
    edited(
        &file(&script, ""),
        &file(&script, "      - hub\n"),
        &wishes(),
    );
    // One that does more is not.
    let more = format!("{script}\nmake tools");
    assert!(!after(&file(&more, ""), &wishes()).contains("checkout\n      - hub\n"));
}

#[test]
fn a_login_command_that_nobody_calls_is_called() {
    let head = "commands:\n  hub:\n    steps:\n      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n\n";
    edited(
        &machine(head, "      - run: docker pull alpine:3.20\n"),
        &machine(head, "      - hub\n      - run: docker pull alpine:3.20\n"),
        &wishes(),
    );
}

#[test]
fn a_login_command_of_an_inline_orb_is_called_in_its_jobs() {
    let file = |step: &str| {
        format!(
            "version: 2.1\norbs:\n  mine:\n    commands:\n      hub:\n        steps:\n          - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n    jobs:\n      b:\n        machine: true\n        steps:\n          - checkout\n{step}          - run: docker pull alpine:3.20\nworkflows:\n  w:\n    jobs: [mine/b]\n"
        )
    };
    edited(&file(""), &file("          - hub\n"), &wishes());
}

#[test]
fn a_login_command_that_cannot_work_is_not_called() {
    for script in [
        // Prints the password, and logs in nowhere.
        "printf '%s' \"$DOCKER_ACCESS_TOKEN\" C docker login -u \"$DOCKER_USER\" --password-stdin",
        // A quote that nothing closes.
        "printf '%s' \"$DOCKER_ACCESS_TOKEN | docker login -u \"$DOCKER_USER\" --password-stdin",
        // Asks a terminal for the password.
        "docker login -u \"$DOCKER_USER\" # $DOCKER_ACCESS_TOKEN",
        // Another user's.
        "echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"me$DOCKER_USER\" --password-stdin",
    ] {
        let text = machine(
            &format!("commands:\n  hub:\n    steps:\n      - run: |\n          {script}\n\n"),
            "      - run: docker pull alpine:3.20\n",
        );
        let plan = plan(&text, &wishes());
        assert!(plan.left.is_empty() && plan.refused.is_empty(), "{plan:#?}");
        let after = &plan.files.first().unwrap().after;
        assert!(after.contains("- docker/check"), "{after}");
        assert!(!after.contains("- hub\n"), "{after}");
    }
}

#[test]
fn a_login_command_with_a_name_that_cannot_be_called_is_not_called() {
    let head = "commands:\n  docker/login:\n    steps:\n      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n\n";
    let plan = plan(
        &machine(head, "      - run: docker pull alpine:3.20\n"),
        &wishes(),
    );
    assert!(plan.left.is_empty() && plan.refused.is_empty(), "{plan:#?}");
}

#[test]
fn a_login_after_the_pull_is_moved_up() {
    let pull = "      - run: docker pull alpine:3.20\n";
    let login = "      - run:\n          name: Login\n          command: echo \"$P\" | docker login -u \"$U\" --password-stdin\n";
    let push = "      - run: docker push me/app\n";
    for (above, moves) in [
        ("", ""),
        ("      # Sign in to push.\n", "      # Sign in to push.\n"),
        ("      # Upload to both registries.\n", ""),
    ] {
        let stays = if moves.is_empty() { above } else { "" };
        edited(
            &machine("", &format!("      - checkout\n{pull}{above}{login}{push}")),
            &machine(
                "",
                &format!("      - checkout\n{moves}{login}{pull}{stays}{push}"),
            ),
            &wishes(),
        );
    }
}

#[test]
fn a_login_that_may_need_a_step_is_moved_up_when_that_was_asked_for() {
    let pull = "      - run: docker pull alpine:3.20\n";
    let login = "      - run: echo \"$P\" | docker login -u \"$U\" --password-stdin\n";
    let make = "      - run: echo export P=$(vault read x) >> $BASH_ENV\n";
    let before = machine(
        "",
        &format!("{pull}{make}{login}      - run: docker push me/app\n"),
    );
    edited(&before, &before, &wishes());
    assert_eq!(plan(&before, &wishes()).withheld.len(), 1);
    let expected = machine(
        "",
        &format!("{login}{pull}{make}      - run: docker push me/app\n"),
    );
    edited(&before, &expected, &review());
}

#[test]
fn what_is_pulled_under_a_condition_is_signed_in_for_there() {
    let file = |step: &str| {
        machine(
            "",
            &format!(
                "      - checkout\n      - when:\n          condition: << pipeline.git.branch >>\n          steps:\n            - checkout\n{step}            - run: docker pull alpine:3.20\n"
            ),
        )
    };
    edited(
        &file(""),
        &file(
            "            - run:\n                name: Sign in to Docker Hub\n                command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &run(),
    );
}

#[test]
fn a_command_that_sets_up_its_own_docker_signs_in_itself() {
    let file = |step: &str| {
        format!(
            "version: 2.1\ncommands:\n  build:\n    steps:\n      - setup_remote_docker\n{step}      - run: docker pull alpine:3.20\njobs:\n  a:\n    docker: [{{image: 'ghcr.io/me/ci:1'}}]\n    steps: [checkout, build]\nworkflows:\n  w:\n    jobs: [a]\n"
        )
    };
    edited(
        &file(""),
        &file(
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &run(),
    );
}

#[test]
fn who_pulls_under_sudo_is_not_signed_in_without_it() {
    let plan = plan(
        &machine("", "      - run: sudo docker pull alpine:3.20"),
        &run(),
    );
    assert!(plan.refused.is_empty() && plan.files.is_empty(), "{plan:?}");
    assert!(plan.left[0].reason.contains("sudo"), "{:?}", plan.left);
}

/// A file with a command `up` that jobs `a` and `b` call, one way or the other.
fn calling(up: &str, a: &str, b: &str, more: &str) -> String {
    format!(
        "version: 2.1\ncommands:\n  up:\n    steps:\n{up}      - run: docker pull alpine:3.20\n{more}jobs:\n  a:\n    machine: true\n    steps:\n{a}  b:\n    machine: true\n    steps:\n{b}workflows:\n  w:\n    jobs: [a, b]\n"
    )
}

const SIGN_IN: &str = "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n";

#[test]
fn a_command_that_several_jobs_pull_in_signs_in_for_them_all() {
    let (up, pull) = (
        "      - checkout\n      - up\n",
        "      - run: docker pull redis:7\n",
    );
    for (a, b, more) in [
        (up.to_owned(), up.to_owned(), ""),
        // What is pulled later is signed in for, too.
        (format!("{up}{pull}"), up.to_owned(), ""),
        // Through another command that they share.
        (
            "      - all\n".to_owned(),
            "      - all\n".to_owned(),
            "  all:\n    steps:\n      - checkout\n      - up\n",
        ),
    ] {
        let before = calling("", &a, &b, more);
        let expected = if more.is_empty() {
            calling(SIGN_IN, &a, &b, more)
        } else {
            before.replace(
                "      - checkout\n      - up\n",
                &format!("      - checkout\n{SIGN_IN}      - up\n"),
            )
        };
        edited(&before, &expected, &run());
    }
}

#[test]
fn a_command_does_not_sign_in_for_jobs_that_need_it_sooner_or_not_at_all() {
    let up = "      - up\n";
    let login = "      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n";
    let pull = "      - run: docker pull redis:7\n";
    for (b, b_after) in [
        // It pulls before.
        (format!("{pull}{up}"), format!("{SIGN_IN}{pull}{up}")),
        // It is signed in.
        (format!("{login}{up}"), format!("{login}{up}")),
    ] {
        let step = if b.contains("login") { login } else { SIGN_IN };
        edited(
            &calling("", up, &b, ""),
            &calling("", &format!("{step}{up}"), &b_after, ""),
            &run(),
        );
    }
    // A command that nobody runs calls it, and may be called by who is signed in.
    let more = "  other:\n    steps:\n      - up\n";
    let signed = format!("{SIGN_IN}{up}");
    edited(
        &calling("", up, up, more),
        &calling("", &signed, &signed, more),
        &run(),
    );
}

#[test]
fn steps_in_flow_style_stay_in_flow_style() {
    let file = |head: &str, step: &str| {
        format!(
            "version: 2.1\n{head}jobs:\n  j:\n    machine: true\n    steps: [checkout, {step}run: docker pull alpine]\nworkflows:\n  w:\n    jobs: [j]\n"
        )
    };
    let head = format!(
        "{}{}",
        IMPORT.trim_end_matches('\n').to_owned() + "\n",
        COMMAND.trim_end_matches('\n').to_owned() + "\n"
    );
    edited(&file("", ""), &file(&head, "dockerhub_login, "), &wishes());
}

#[test]
fn an_aliased_list_of_steps_gets_one_login_for_all_its_jobs() {
    let file = |step: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    machine: true\n    steps: &steps\n{step}      - run: docker pull alpine\n  b:\n    machine: true\n    steps: *steps\nworkflows:\n  w:\n    jobs: [a, b]\n"
        )
    };
    edited(
        &file(""),
        &file(
            "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n",
        ),
        &run(),
    );
}

#[test]
fn parameters_of_the_other_generation_of_the_orb_are_respelled() {
    let file = |user: &str, password: &str, value: &str| {
        machine(
            "orbs:\n  docker: circleci/docker@3.0.1\n\n",
            &format!(
                "      - docker/check:\n          {user}: {value}\n          {password}: HUB_TOKEN # pragma: allowlist secret\n      - run: docker pull alpine:3.20\n"
            ),
        )
    };
    for (before, after) in [
        ("$HUB_USER", "HUB_USER"),
        ("${HUB_USER}", "HUB_USER"),
        ("\"${HUB_USER}\"", "\"HUB_USER\""),
    ] {
        edited(
            &file("docker-username", "docker-password", before),
            &file("docker_username", "docker_password", after),
            &wishes(),
        );
    }
    // No variable's name is left when the `$` is taken away.
    let plan = plan(
        &file("docker-username", "docker-password", "$@HUB_USER"),
        &review(),
    );
    assert!(plan.refused.is_empty(), "{plan:#?}");
}

#[test]
fn a_mistyped_login_is_mended_in_its_place() {
    let head = "commands:\n  dockerhub_login:\n    steps:\n      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n\n";
    edited(
        &machine(
            head,
            "      - docker_hub_login\n      - checkout\n      - run: docker pull alpine:3.20\n",
        ),
        &machine(
            head,
            "      - dockerhub_login\n      - checkout\n      - run: docker pull alpine:3.20\n",
        ),
        &wishes(),
    );
}

#[test]
fn a_mistyped_login_is_mended_with_the_quotes_that_its_name_needs() {
    let file = |command: &str, step: &str| {
        machine(
            &format!(
                "commands:\n  {command}:\n    steps:\n      - run: echo \"$DOCKER_ACCESS_TOKEN\" | docker login -u \"$DOCKER_USER\" --password-stdin\n\n"
            ),
            &format!("      - {step}\n      - run: docker pull alpine:3.20\n"),
        )
    };
    edited(
        &file(":dockerhub_login", "dockerhub_login"),
        &file(":dockerhub_login", "':dockerhub_login'"),
        &wishes(),
    );
}

#[test]
fn a_mistyped_login_is_mended_with_the_quotes_that_the_file_has_everywhere() {
    let file = |step: &str| {
        format!(
            "\"version\": \"2.1\"\n\"commands\":\n  \"dockerhub_login\":\n    \"steps\":\n      - \"run\": \"echo $DOCKER_ACCESS_TOKEN | docker login -u $DOCKER_USER --password-stdin\"\n\"jobs\":\n  \"j\":\n    \"machine\": true\n    \"steps\":\n      - {step}\n      - \"run\": \"docker pull alpine:3.20\"\n\"workflows\":\n  \"w\":\n    \"jobs\": [\"j\"]\n"
        )
    };
    edited(
        &file("docker_login"),
        &file("\"dockerhub_login\""),
        &wishes(),
    );
}

#[test]
fn jobs_that_do_not_pull_get_no_login() {
    let text = machine(
        "",
        "      - checkout\n      - run: docker version\n      - run: docker pull ghcr.io/me/app:1\n",
    );
    edited(&text, &text, &wishes());
}

#[test]
fn pulls_that_are_all_conditional_are_for_a_person_to_look_at() {
    let text = machine(
        "",
        "      - run: |\n          if command -v docker; then docker pull alpine; fi\n",
    );
    let plan = plan(&text, &wishes());
    assert!(plan.files.is_empty());
    assert_eq!(plan.withheld.len(), 1, "{plan:#?}");
}

#[test]
fn a_job_without_the_context_that_holds_the_credential_is_for_a_person_to_look_at() {
    let file = |context: &str, auth: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    docker:\n      - image: cimg/go:1.22\n        auth:\n          username: $U\n          password: $P\n    steps: [checkout]\n  b:\n    docker:\n      - image: redis:7\n{auth}    steps: [checkout]\nworkflows:\n  w:\n    jobs:\n      - a:\n          context: hub\n      - b{context}\n"
        )
    };
    let auth = "        auth:\n          username: $U\n          password: $P\n";
    let before = file("", "");
    edited(&before, &before, &wishes());
    assert!(plan(&before, &wishes()).withheld[0].why.contains("`hub`"));
    let named = FixOptions {
        contexts: vec!["hub".into()],
        ..wishes()
    };
    edited(&before, &file(":\n          context: hub", auth), &named);
    // A context that is named holds the variables, whichever holds them today.
    let other = FixOptions {
        contexts: vec!["new".into()],
        ..wishes()
    };
    edited(&before, &file(":\n          context: new", auth), &other);
    let has_it = file(":\n          context: [other, hub]", "");
    edited(
        &has_it,
        &file(":\n          context: [other, hub]", auth),
        &wishes(),
    );
}

#[test]
fn a_credential_goes_where_the_contexts_surely_hold_it() {
    // Jobs `a` and `b` use the credential, `c` is to get it: with these contexts.
    let plan_of = |a: &str, b: &str, c: &str| {
        let job = |name: &str, auth: &str| {
            format!("  {name}:\n    docker:\n      - image: redis:7\n{auth}    steps: [checkout]\n")
        };
        let auth = "        auth:\n          username: $U\n          password: $P\n";
        let config = format!(
            "version: 2.1\njobs:\n{}{}{}workflows:\n  w:\n    jobs:\n      - a: {{context: [{a}]}}\n      - b: {{context: [{b}]}}\n      - c: {{context: [{c}]}}\n",
            job("a", auth),
            job("b", auth),
            job("c", "")
        );
        plan(&config, &wishes())
    };
    for (a, b, c, safe) in [
        // What all have is what holds it; what some have beside it holds other things.
        ("hub, slack", "hub, github", "slack", false),
        ("hub, slack", "hub, github", "hub", true),
        ("hub, slack", "hub, github", "slack, github", false),
        ("hub, slack", "hub, slack", "hub", false),
        ("hub, slack", "hub, slack", "hub, slack, more", true),
        // Several hold it: the whole of what one job has surely does.
        ("hub", "docker", "docker, more", true),
        ("hub", "docker", "more", false),
        ("hub, slack", "docker", "slack", false),
        // A job that has it without a context has it from the project.
        ("hub", "", "more", true),
    ] {
        let plan = plan_of(a, b, c);
        assert_eq!(
            (plan.files.len(), plan.withheld.len()),
            if safe { (1, 0) } else { (0, 1) },
            "{a} | {b} | {c}: {plan:#?}"
        );
    }
}

#[test]
fn what_holds_a_credential_is_asked_of_the_entries_that_use_it() {
    // One job on two executors: with the context where there is an `auth`, and without where there is none.
    let text = "version: 2.1
executors:
  signed:
    docker:
      - image: redis:7
        auth:
          username: $U
          password: $P
  bare:
    docker:
      - image: redis:6
jobs:
  t:
    parameters: {on: {type: executor}}
    executor: << parameters.on >>
    steps: [checkout]
workflows:
  w:
    jobs:
      - t: {name: a, on: signed, context: [hub, slack]}
      - t: {name: b, on: bare, context: slack}
";
    let bare = plan(text, &wishes());
    assert!(bare.files.is_empty(), "{bare:#?}");
    assert!(
        bare.withheld[0].why.contains("`hub`"),
        "{:#?}",
        bare.withheld
    );
    let held = text.replace(
        "on: bare, context: slack",
        "on: bare, context: [slack, hub]",
    );
    assert_eq!(plan(&held, &wishes()).files.len(), 1);
}

#[test]
fn a_variable_of_a_script_is_proposed_nowhere() {
    let config = |auth: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    machine: true\n    steps:\n      - run: |\n          U=$ONE\n          P=$ONE_TOKEN\n          if [ \"$CIRCLE_BRANCH\" = main ]; then U=$TWO; P=$TWO_TOKEN; fi\n          echo \"$P\" | docker login -u \"$U\" --password-stdin\n      - run: docker pull redis\n  b:\n    docker:\n      - image: cimg/go:1.25\n{auth}    steps: [checkout]\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
        )
    };
    let auth = "        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n";
    edited(&config(""), &config(auth), &wishes());
}

#[test]
fn a_job_on_a_mac_gets_no_login() {
    for host in ["macos: {xcode: 16.4.0}", "executor: mac"] {
        let text = format!(
            "version: 2.1\nexecutors:\n  mac:\n    macos: {{xcode: 16.4.0}}\njobs:\n  j:\n    {host}\n    steps:\n      - run: brew install colima docker && colima start\n      - run: docker pull redis\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        let plan = plan(&text, &wishes());
        assert!(plan.files.is_empty(), "{plan:#?}");
        assert!(plan.left[0].reason.contains("Macs"), "{plan:#?}");
    }
}

#[test]
fn an_image_that_whoever_starts_the_pipeline_chooses_is_for_a_person_to_look_at() {
    let file = |image: &str, auth: &str| {
        format!(
            "version: 2.1\nparameters:\n  v: {{type: string, default: 'cimg/go:1.22'}}\n  t: {{type: string, default: '1.22'}}\njobs:\n  build:\n    docker:\n      - image: {image}\n{auth}    steps: [checkout]\n"
        )
    };
    let auth = "        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n";
    let tag = "cimg/go:<< pipeline.parameters.t >>";
    edited(&file(tag, ""), &file(tag, auth), &wishes());
    let whole = file("<< pipeline.parameters.v >>", "");
    edited(&whole, &whole, &wishes());
    assert_eq!(plan(&whole, &wishes()).withheld.len(), 1);
}

#[test]
fn what_no_workflow_reaches_gets_its_auth_too() {
    let config = |auth: &str| {
        format!(
            "version: 2.1
executors:
  used:
    docker:
      - image: cimg/go:1.22{auth}
  spare:
    docker:
      - image: cimg/node:20{auth}
jobs:
  build:
    executor: used
    steps:
      - checkout
  old:
    docker:
      - image: cimg/ruby:3.3{auth}
    steps:
      - run: docker pull alpine
workflows:
  all:
    jobs:
      - build
"
        )
    };
    let auth = "
        auth:
          username: $DOCKER_USER
          password: $DOCKER_ACCESS_TOKEN";
    edited(&config(""), &config(auth), &wishes());
    // A context is named where the job is called, and nothing calls these.
    let wishes = FixOptions {
        contexts: vec!["hub".to_owned()],
        ..wishes()
    };
    let expected = config(auth).replace(
        "      - build\n",
        "      - build:\n          context: hub\n",
    );
    edited(&config(""), &expected, &wishes);
}

fn with_run() -> FixOptions {
    FixOptions {
        login: Some(Login::Run),
        ..wishes()
    }
}

const STEP: &str = "      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n";

#[test]
fn a_login_goes_below_what_sets_docker_up_also_where_more_is_pulled_after_the_command() {
    let config = |login: &str, call: &str| {
        format!(
            "version: 2.1\ncommands:\n  docker_up:\n    steps:\n      - run: apk add --no-cache docker-cli\n      - setup_remote_docker\n{login}      - run: docker pull postgres\njobs:\n  j:\n    docker:\n      - image: ghcr.io/me/alpine:1\n    steps:\n      - checkout\n{call}      - run: docker run alpine echo\nworkflows: {{w: {{jobs: [j]}}}}\n"
        )
    };
    let call = "      - docker_up\n";
    edited(&config("", call), &config(STEP, call), &with_run());
    // Under a condition the login would not be there for the rest, and before it there may be no docker.
    let sometimes = config(
        "",
        "      - when:\n          condition: << pipeline.parameters.x >>\n          steps: [docker_up]\n",
    );
    let plan = plan(&sometimes, &with_run());
    assert!(plan.files.is_empty(), "{plan:#?}");
    assert!(
        plan.withheld[0].why.contains("setup_remote_docker"),
        "{plan:#?}"
    );
}

#[test]
fn a_job_in_powershell_gets_a_login_in_a_shell() {
    let step = STEP.replace("Docker Hub\n", "Docker Hub\n          shell: bash.exe\n");
    for host in [
        "    machine: {image: 'ubuntu-2404:current', shell: powershell.exe -ExecutionPolicy Bypass}\n",
        "    machine: {image: 'windows-server-2022-gui:current'}\n",
        "    machine: {image: 'windows-server-2022-gui:current'}\n    shell: powershell.exe\n",
        "    executor: win/default\n",
        "    executor: {name: win/default, size: large}\n",
        "    executor: own\n",
    ] {
        let config = |login: &str| {
            format!(
                "version: 2.1\norbs:\n  win: circleci/windows@5.0.0\nexecutors:\n  own:\n    machine: {{image: 'windows-server-2022-gui:current'}}\njobs:\n  j:\n{host}    steps:\n      - checkout\n{login}      - run: docker pull redis\nworkflows: {{w: {{jobs: [j]}}}}\n"
            )
        };
        edited(&config(""), &config(&step), &wishes());
    }
    // Bash on Windows is as good as any.
    let bash = "version: 2.1\norbs:\n  win: circleci/windows@5.0.0\njobs:\n  j:\n    executor: {name: win/default, shell: bash.exe}\n    steps:\n      - run: docker pull redis\nworkflows: {w: {jobs: [j]}}\n";
    assert!(after(bash, &with_run()).contains(STEP));
}

#[test]
fn a_command_that_jobs_call_in_powershell_and_in_a_shell_is_left() {
    let text = "version: 2.1\ncommands:\n  up:\n    steps:\n      - run: docker pull redis\njobs:\n  a:\n    machine: {image: 'windows-server-2022-gui:current'}\n    steps: [up]\n  b:\n    machine: true\n    steps: [up]\nworkflows: {w: {jobs: [a, b]}}\n";
    let plan = plan(text, &wishes());
    assert!(plan.files.is_empty(), "{plan:#?}");
    assert!(plan.left[0].reason.contains("PowerShell"), "{plan:#?}");
}

#[test]
fn a_login_that_asks_for_its_variables_is_the_repositorys_own_way() {
    for login in [
        "      - run:\n          name: Login to DockerHub\n          command: >\n            test -n \"$HUB_USER\" &&\n              echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin ||\n              echo \"Docker Hub anonymous mode\"\n",
        "      - run:\n          command: |\n            if [ -n \"$HUB_USER\" ]; then\n              echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin\n            fi\n",
        "      - *docker_login\n",
    ] {
        let config = |second: &str| {
            format!(
                "version: 2.1\naliases:\n  - &docker_login\n    run:\n      command: if [ -n \"$HUB_USER\" ]; then echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin; fi\njobs:\n  a:\n    machine: true\n    steps:\n      - checkout\n{login}      - run: docker pull alpine\n  b:\n    machine: true\n    steps:\n      - checkout\n{second}      - run: docker pull redis\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
            )
        };
        edited(&config(""), &config(login), &wishes());
    }
    // What does more than that is no login to copy.
    let more = "      - run: test -n \"$HUB_USER\" && echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin && make\n";
    let text = format!(
        "version: 2.1\njobs:\n  a:\n    machine: true\n    steps:\n{more}      - run: docker pull alpine\n  b:\n    machine: true\n    steps:\n      - run: docker pull redis\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
    );
    assert_eq!(after(&text, &wishes()).matches("make").count(), 1);
}

#[test]
fn a_job_with_a_pair_of_its_own_keeps_it_and_for_the_others_it_is_a_guess() {
    let file = |auth: &dyn Fn(&str) -> String| {
        format!(
            "version: 2.1\njobs:\n  a:\n    docker:\n      - image: cimg/go:1.22\n{}    steps:\n      - setup_remote_docker\n      - run: docker login -u $A_USER -p $A_PASS\n  b:\n    docker:\n      - image: cimg/go:1.23\n{}    steps:\n      - setup_remote_docker\n      - run: docker login -u $B_USER -p $B_PASS\n  c:\n    docker:\n      - image: cimg/go:1.24\n    steps: [checkout]\nworkflows: {{w: {{jobs: [a, b, c]}}}}\n",
            auth("A"),
            auth("B")
        )
    };
    let none = file(&|_| String::new());
    let with = file(&|of| {
        format!("        auth:\n          username: ${of}_USER\n          password: ${of}_PASS\n")
    });
    edited(&none, &with, &wishes());
    let plan = plan(&none, &wishes());
    let why = &plan.withheld[0].why;
    assert!(
        why.contains("`A_USER`") && why.contains("`B_USER`"),
        "{why}"
    );
    // Who names the variables has chosen.
    let named = FixOptions {
        user_var: Some("A_USER".to_owned()),
        token_var: Some("A_PASS".to_owned()),
        ..wishes()
    };
    assert_eq!(after(&none, &named).matches("username: $A_USER").count(), 3);
}

#[test]
fn a_login_with_the_jobs_own_pair_is_before_its_first_pull() {
    let file = |a: &str, b: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    machine: true\n    steps:\n{a}      - run: docker pull redis\n      - run: docker login -u $A_USER -p $A_PASS && docker push me/a\n  b:\n    machine: true\n    steps:\n{b}      - run: docker pull redis\n      - run: docker login -u $B_USER -p $B_PASS && docker push me/b\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
        )
    };
    let login = |of: &str| {
        STEP.replace("DOCKER_ACCESS_TOKEN", &format!("{of}_PASS"))
            .replace("DOCKER_USER", &format!("{of}_USER"))
    };
    edited(&file("", ""), &file(&login("A"), &login("B")), &with_run());
}

#[test]
fn images_that_name_their_credential_say_which_pair_pulls() {
    let file = |auth: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    docker:\n      - image: cimg/go:1.22\n        auth:\n          username: $PULL_USER\n          password: $PULL_PASS\n    steps: [checkout]\n  b:\n    docker:\n      - image: cimg/go:1.23\n{auth}    steps:\n      - setup_remote_docker\n      - run: docker login -u $A_USER -p $A_PASS && docker push me/b\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
        )
    };
    let auth = "        auth:\n          username: $PULL_USER\n          password: $PULL_PASS\n";
    edited(&file(""), &file(auth), &wishes());
}

#[test]
fn a_context_is_named_where_a_group_calls_the_job() {
    let config = |auth: &str, call: &str| {
        format!(
            "version: 2.1\njobs:\n  j:\n    docker:\n      - image: redis:7\n{auth}    steps: [checkout]\njob-groups:\n  g:\n    jobs:\n      - j{call}\nworkflows:\n  w:\n    jobs: [g]\n"
        )
    };
    let auth = "        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n";
    let wishes = FixOptions {
        contexts: vec!["hub".to_owned()],
        ..wishes()
    };
    edited(
        &config("", ""),
        &config(auth, ":\n          context: hub"),
        &wishes,
    );
}

#[test]
fn what_a_program_makes_is_for_a_person_to_look_at() {
    let job = "version: 2.1\njobs:\n  build:\n    docker:\n      - image: redis:7\n    steps: [checkout]\n";
    let made = format!("# DO NOT EDIT: run `make ci`\n{job}");
    let packed = MemoryTree::new().with(PATH, job).with(
        ".circleci/src/@jobs.yml",
        "build:\n  docker:\n    - image: redis:7\n  steps: [checkout]\n",
    );
    for (tree, why) in [
        (MemoryTree::new().with(PATH, made.as_str()), "line 1 of"),
        (packed, "`circleci config pack`"),
    ] {
        let of = |wishes: &FixOptions| {
            fix(
                &tree,
                Scope::Repository,
                &Options::default(),
                &Policy::default(),
                wishes,
            )
        };
        let plan = of(&wishes());
        assert!(plan.files.is_empty(), "{plan:#?}");
        assert!(plan.withheld[0].why.contains(why), "{plan:#?}");
        let review = FixOptions {
            review: true,
            ..wishes()
        };
        let plan = of(&review);
        assert!(plan.files.iter().any(|file| file.path.as_str() == PATH));
    }
}

#[test]
fn a_login_asks_whether_there_is_what_to_sign_in_with_where_the_files_own_does() {
    let config = |login: &str, new: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    machine: true\n    steps:\n{login}  b:\n    machine: true\n    steps:\n{new}      - run: docker pull redis\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
        )
    };
    let login = "docker login -u $U --password-stdin";
    for own in [
        format!("      - run: test -z \"$U\" || (echo $P | {login})\n"),
        format!(
            "      - run: |\n          test -z \"$U\" && exit 0\n          echo $P | {login}\n"
        ),
    ] {
        edited(&config(&own, ""), &config(&own, &own), &wishes());
    }
    // It does more than to sign in, and is not copied.
    let more = format!(
        "      - run: |\n          test -z \"$U\" && exit 0\n          echo $P | {login}\n          docker push acme/app\n"
    );
    let new = "      - run:\n          name: Sign in to Docker Hub\n          command: if [ -n \"$P\" ]; then printf '%s' \"$P\" | docker login --username \"$U\" --password-stdin; fi\n";
    edited(&config(&more, ""), &config(&more, new), &wishes());
}

#[test]
fn a_script_of_the_repository_is_called_only_where_it_is_and_has_its_variables() {
    let config = |job: &str, other: &str| {
        format!(
            "version: 2.1\njobs:\n  a:\n    machine: true\n{job}    steps:\n      - checkout\n      - run: ./login.sh\n      - run: docker run alpine:3.20 true\n  b:\n    machine: true\n    steps:\n{other}      - run: docker run alpine:3.20 true\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
        )
    };
    let script = "echo \"$HUB_PASS\" | docker login -u \"$HUB_USER\" --password-stdin\n";
    let more = format!("{script}echo $LEVEL\n");
    let checkout = "      - checkout\n";
    for (job, other, script, is_called) in [
        ("", checkout, script, true),
        ("", checkout, &*more, true),
        ("", "", script, false),
        ("    environment: {LEVEL: 1}\n", checkout, &*more, false),
        (
            "",
            checkout,
            &*format!("{script}apt-get install -y jq\n"),
            false,
        ),
    ] {
        let text = config(job, other);
        let tree = MemoryTree::new()
            .with(PATH, text.as_str())
            .with("login.sh", script);
        let plan = fix(
            &tree,
            Scope::Repository,
            &Options::default(),
            &Policy::default(),
            &wishes(),
        );
        assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
        let after = plan.files.first().map_or("", |f| f.after.as_str());
        assert!(after.len() > text.len(), "{plan:#?}");
        assert_eq!(
            after.matches("./login.sh").count(),
            1 + usize::from(is_called),
            "{after}"
        );
    }
}

/// A job `build` with these steps before its pull, alone and in an inline orb.
fn undeclared(steps: &str) -> [String; 2] {
    let indented = steps
        .replace("      -", "          -")
        .replace("\n          d", "\n              d");
    [
        format!(
            "version: 2.1\njobs:\n  build:\n    machine: true\n    steps:\n{steps}      - run: docker run alpine:3.20 true\nworkflows: {{w: {{jobs: [build]}}}}\n"
        ),
        format!(
            "version: 2.1\norbs:\n  one:\n    jobs:\n      build:\n        machine: true\n        steps:\n{indented}          - run: docker run alpine:3.20 true\nworkflows: {{w: {{jobs: [one/build]}}}}\n"
        ),
    ]
}

#[test]
fn the_orb_of_a_call_with_arguments_is_declared_where_it_is_not() {
    let call = |user: &str, password: &str| {
        format!(
            "      - docker/check:\n          {user}: HUB_USER\n          {password}: HUB_TOKEN\n"
        )
    };
    for (steps, version) in [
        (call("docker-username", "docker-password"), "2.8.2"),
        (call("docker_username", "docker_password"), "4.0.1"),
    ] {
        for text in undeclared(&steps) {
            assert_eq!(after(&text, &wishes()), text);
            let withheld = plan(&text, &wishes()).withheld;
            assert!(withheld[0].why.contains("is a guess"), "{withheld:#?}");
            let after = after(&text, &review());
            assert!(
                after.contains(&format!("docker: circleci/docker@{version}\n")),
                "{after}"
            );
            assert_eq!(after.matches("/check").count(), 1, "{after}");
            assert!(!after.contains("dockerhub_login"), "{after}");
        }
    }
    // Another version is imported, which spells them otherwise.
    let [text, _] = undeclared(&call("docker-username", "docker-password"));
    let text = text.replace(
        "jobs:\n  build",
        "orbs:\n  other: circleci/docker@4.0.1\njobs:\n  build",
    );
    let plan = plan(&text, &review());
    assert!(plan.files.is_empty(), "{plan:#?}");
    assert!(
        plan.left[0].reason.contains("declare it at a version"),
        "{plan:#?}"
    );
}

#[test]
fn a_call_of_what_is_not_declared_gives_way_to_a_login_with_the_names_that_there_are() {
    let [text, _] = undeclared("      - docker/check\n");
    let found = after(&text, &wishes());
    assert_eq!(found.matches("/check").count(), 1, "{found}");
    assert!(found.contains("docker_username: DOCKER_USER"), "{found}");
    let orbs = "version: 2.1\norbs:\n  common:\n    commands:\n      dockerhub_login:\n        steps:\n          - run: echo \"$HUB_TOKEN\" | docker login --username $HUB_USER --password-stdin\n  one:\n    jobs:\n      build:\n        machine: true\n        steps:\n          - common/dockerhub_login\n          - run: docker run alpine:3.20 true\nworkflows: {w: {jobs: [one/build]}}\n";
    let found = after(orbs, &wishes());
    assert!(found.contains("docker_username: HUB_USER"), "{found}");
    assert!(found.contains("docker_password: HUB_TOKEN"), "{found}");
    assert!(!found.contains("- common/dockerhub_login"), "{found}");
}
