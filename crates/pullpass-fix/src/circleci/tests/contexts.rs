//! Who holds the credential.

use super::*;

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
