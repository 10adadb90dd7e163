//! The repository's own way of signing in.

use super::*;

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
