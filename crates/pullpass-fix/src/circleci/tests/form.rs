//! Edits keep the form of the file.

use super::*;

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
