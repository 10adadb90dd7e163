//! `auth` of images.

use super::*;

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
fn a_key_with_a_tag_before_it_begins_with_the_tag() {
    let config = |auth: &str| {
        format!(
            "version: 2.1\njobs:\n  j:\n    docker:\n      - !!str image: cimg/go:1.22\n{auth}    steps: [checkout]\nworkflows: {{w: {{jobs: [j]}}}}\n"
        )
    };
    let auth = "        auth:\n          username: $DOCKER_USER\n          password: $DOCKER_ACCESS_TOKEN\n";
    edited(&config(""), &config(auth), &wishes());
}
