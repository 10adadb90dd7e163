//! Credentials of the images that the runner pulls.

use super::*;

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
