//! Whether a login happens: forks, Dependabot, the conditions of pulls, what is not there.

use super::*;

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
fn a_job_that_runs_on_macs_too_signs_in_where_it_pulls() {
    let on = |os: &str, steps: &str| {
        job("push", "", steps).replace(
            "ubuntu-latest\n",
            &format!("${{{{ matrix.os }}}}\n    strategy: {{matrix: {{os: [{os}]}}}}\n"),
        )
    };
    let login = LOGIN.replace(
        "        with:",
        "        if: runner.os == 'Linux'\n        with:",
    );
    let wheels = "      - uses: pypa/cibuildwheel@v3\n        env: {CIBW_MANYLINUX_X86_64_IMAGE: 'me/manylinux:1'}\n";
    let asks = "      - run: if [ \"$RUNNER_OS\" = Linux ]; then docker pull alpine:3; fi\n";
    for steps in [wheels, asks] {
        for others in ["macos-latest", "windows-latest", "macos-14, windows-2022"] {
            let os = format!("ubuntu-latest, {others}");
            edited(
                &on(&os, steps),
                &on(&os, &format!("{login}{steps}")),
                &wishes(),
            );
        }
        edited(
            &on("ubuntu-22.04, ubuntu-24.04", steps),
            &on("ubuntu-22.04, ubuntu-24.04", &format!("{LOGIN}{steps}")),
            &wishes(),
        );
    }
}

#[test]
fn where_a_client_does_without_docker_a_person_looks_whether_it_is_there() {
    let skopeo = "      - run: skopeo copy docker://alpine:3 dir:x\n";
    let on = |machine: &str, steps: &str| {
        job("push", "", steps).replace("ubuntu-latest\n", &format!("{machine}\n"))
    };
    for (machine, steps, is_safe) in [
        ("ubuntu-latest", skopeo, true),
        ("macos-latest", skopeo, false),
        ("macos-latest", "      - run: trivy image alpine:3\n", false),
        (
            "ubuntu-latest\n    container: quay.io/skopeo/stable:1",
            skopeo,
            false,
        ),
        // What asks an engine has one.
        ("macos-latest", PULL, true),
    ] {
        let text = on(machine, steps);
        let plan = plan(&text, &wishes());
        assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
        assert_eq!(!plan.done.is_empty(), is_safe, "{text}");
        let why = plan.withheld.iter().map(|change| change.why.as_str());
        let why: Vec<&str> = why
            .filter(|why| why.contains("does without `docker`"))
            .collect();
        assert_eq!(why.len(), usize::from(!is_safe), "{:#?}", plan.withheld);
    }
}
