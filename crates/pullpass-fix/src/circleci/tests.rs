//! Before and after, form by form. What a reviewer would have written is the expectation.

use pullpass_audit::context::Options;
use pullpass_audit::finding::Policy;
use pullpass_audit::source::MemoryTree;

use crate::{FixOptions, Plan, Scope, fix};

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
