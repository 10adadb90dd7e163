//! Logins that are there and wrong.

use super::*;

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

/// A part names commands that another part declares: it is not the file that says what calls nothing.
#[test]
fn a_login_that_another_part_declares_stays() {
    let config = "version: 2.1\nsetup: true\norbs: {go-on: circleci/continuation@2}\njobs:\n  s:\n    machine: true\n    steps: [checkout, {run: \"cat .circleci/a.yml > next.yml; echo 'jobs:' >> next.yml; cat .circleci/jobs.yml >> next.yml\"}, {go-on/continue: {configuration_path: next.yml}}]\nworkflows: {w: {jobs: [s]}}\n";
    let shared = "version: 2.1\ncommands:\n  docker-login:\n    steps:\n      - run: echo \"$T\" | docker login registry.example.com -u me --password-stdin\nworkflows:\n  w:\n    jobs: [t]\n";
    let jobs = "  t:\n    machine: true\n    steps:\n      - checkout\n      - docker-login\n      - run: docker pull alpine\n";
    let tree = MemoryTree::new()
        .with(PATH, config)
        .with(".circleci/a.yml", shared)
        .with(".circleci/jobs.yml", jobs);
    let plan = fix(
        &tree,
        Scope::Repository,
        &Options::default(),
        &Policy::default(),
        &wishes(),
    );
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    let after: Vec<&str> = plan.files.iter().map(|file| &*file.after).collect();
    let expected = "  t:\n    machine: true\n    steps:\n      - checkout\n      - docker-login\n      - run:\n          name: Sign in to Docker Hub\n          command: printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin\n      - run: docker pull alpine\n";
    assert_eq!(after, [expected]);
}
