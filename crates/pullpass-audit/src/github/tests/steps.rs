//! Steps that run at the same time, and scripts of which nothing is known.

use super::*;
use crate::finding::Policy;

const LOGIN: &str = "{MORE uses: docker/login-action@v4, with: {username: '${{ vars.U }}', password: '${{ secrets.P }}'}}";

/// The images that a job with these steps pulls, and as whom.
fn judged(steps: &str) -> Vec<String> {
    let steps = steps
        .replace("LOGIN", &LOGIN.replace("MORE", ""))
        .replace('\n', "\n    ");
    let text =
        format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n    {steps}\n");
    let audit = crate::audit(
        &repository(&text, &[]),
        &Options::default(),
        &Policy::default(),
    );
    let pulls = audit.pulls.iter();
    pulls
        .map(|pull| {
            format!(
                "{} {}",
                pull.image.as_deref().unwrap_or("?"),
                pull.auth.name()
            )
        })
        .collect()
}

/// <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax>
#[test]
fn steps_of_a_group_run_before_the_step_after_it() {
    for (steps, expected) in [
        (
            "- parallel:\n  - run: docker pull alpine:3\n  - run: docker pull redis:8\n- run: docker pull busybox:1",
            &[
                "alpine:3 anonymous",
                "redis:8 anonymous",
                "busybox:1 anonymous",
            ][..],
        ),
        // A login is there behind the group, and for none of the others in it.
        (
            "- parallel:\n  - LOGIN\n  - run: docker pull alpine:3\n- run: docker pull busybox:1",
            &["alpine:3 anonymous", "busybox:1 authenticated"],
        ),
        (
            "- LOGIN\n- parallel:\n  - run: docker pull alpine:3\n  - uses: docker://redis:8",
            &["redis:8 impossible", "alpine:3 authenticated"],
        ),
        // One that signs in for itself.
        (
            "- parallel:\n  - run: docker login -u $U -p $P; docker pull alpine:3\n  - run: docker pull redis:8",
            &["redis:8 anonymous", "alpine:3 authenticated"],
        ),
        (
            "- if: github.ref == 'refs/heads/main'\n  parallel:\n  - LOGIN\n- run: docker pull alpine:3",
            &["alpine:3 conditional"],
        ),
    ] {
        assert_eq!(judged(steps), expected, "{steps}");
    }
    let deep = format!("- parallel:{}", " [{parallel:".repeat(60)) + &" }]".repeat(60);
    assert_eq!(judged(&deep), Vec::<String>::new());
}

#[test]
fn a_login_in_the_background_counts_from_where_it_is_waited_for() {
    let login = LOGIN.replace("MORE", "id: login, background: true,");
    let begun = format!("- {login}\n- run: docker pull alpine:1\n");
    for (then, expected) in [
        ("", "anonymous"),
        ("- wait: login\n", "authenticated"),
        ("- wait: [other, login]\n", "authenticated"),
        ("- wait: other\n", "anonymous"),
        ("- wait-all:\n", "authenticated"),
        ("- cancel: login\n", "anonymous"),
    ] {
        let steps = format!("{begun}{then}- run: docker pull alpine:2");
        assert_eq!(
            judged(&steps),
            [
                "alpine:1 anonymous".to_owned(),
                format!("alpine:2 {expected}")
            ],
            "{steps}"
        );
    }
    assert_eq!(
        judged("- background: true\n  run: docker compose version; docker pull alpine:1"),
        ["alpine:1 anonymous"]
    );
}

#[test]
fn a_script_that_another_job_chooses_is_unknown() {
    let unknown = |strategy: &str, run: &str| {
        let text = format!(
            "on: push\njobs:\n  g:\n    runs-on: ubuntu-latest\n    outputs: {{m: '${{{{ steps.s.outputs.m }}}}'}}\n    steps: [{{id: s, run: ./x}}]\n  j:\n    needs: g\n    runs-on: ubuntu-latest\n    strategy:{strategy}\n    steps: [{{run: '{run}'}}]\n"
        );
        let all = lines(&repository(&text, &[]));
        all.iter().filter(|line| line.starts_with("opaque")).count()
    };
    let whole = " ${{ fromJson(needs.g.outputs.m) }}";
    let include = "\n      matrix:\n        include: ${{ fromJson(needs.g.outputs.m) }}";
    assert_eq!(unknown(whole, "${{ matrix.runs.build }}"), 1);
    assert_eq!(unknown(include, "bash ${{ matrix.script }}"), 1);
    assert_eq!(unknown(" {fail-fast: false}", "echo ${{ matrix.x }}"), 0);
}

#[test]
fn a_variable_for_later_steps_may_have_a_hyphen() {
    let steps = "steps:\n  - run: echo kind-image=kindest/node:v1.35.0 >> $GITHUB_ENV\n  - run: docker pull ${{ env.kind-image }}";
    assert_eq!(job(steps), ["run kindest/node:v1.35.0 client"]);
}

#[test]
fn a_condition_may_follow_from_that_of_the_pull() {
    let main = "github.ref == 'refs/heads/main'";
    let tag = "startsWith(github.ref, 'refs/tags/')";
    for (login, pull, expected) in [
        (format!("{main} || {tag}"), main.to_owned(), "authenticated"),
        (
            format!("({main} || {tag}) && github.event_name == 'push'"),
            format!("{tag} && github.event_name == 'push'"),
            "authenticated",
        ),
        (
            "github.event_name != 'pull_request'".to_owned(),
            "github.event_name == 'push'".to_owned(),
            "authenticated",
        ),
        (
            "github.event_name != 'pull_request'".to_owned(),
            tag.to_owned(),
            "authenticated",
        ),
        (main.to_owned(), format!("{main} || {tag}"), "conditional"),
        (
            "github.event_name == 'push'".to_owned(),
            "github.event_name != 'pull_request'".to_owned(),
            "conditional",
        ),
        (tag.to_owned(), main.to_owned(), "conditional"),
        // It asks whether the login's own variable is there, or another one.
        (
            "vars.U != ''".to_owned(),
            "always()".to_owned(),
            "authenticated",
        ),
        ("vars.U".to_owned(), "always()".to_owned(), "authenticated"),
        (
            "vars.SIGN_IN == 'true'".to_owned(),
            "always()".to_owned(),
            "conditional",
        ),
        (
            "vars.SIGN_IN".to_owned(),
            "always()".to_owned(),
            "conditional",
        ),
        (
            "vars.U == ''".to_owned(),
            "always()".to_owned(),
            "conditional",
        ),
    ] {
        let text = format!(
            "on: [push, pull_request, schedule]\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n      - if: {login}\n        uses: docker/login-action@v4\n        with: {{username: '${{{{ vars.U }}}}', password: '${{{{ secrets.P }}}}'}}\n      - if: {pull}\n        run: docker pull alpine:3\n"
        );
        let audit = crate::audit(
            &repository(&text, &[]),
            &Options::default(),
            &Policy::default(),
        );
        let found: Vec<&str> = audit.pulls.iter().map(|pull| pull.auth.name()).collect();
        assert_eq!(found, [expected], "{login} / {pull}");
    }
}

/// The images that a job pulls whose steps use files of the repository.
fn pulled_with(files: &[(&str, &str)], steps: &str) -> Vec<String> {
    let steps = steps.replace('\n', "\n    ");
    let text =
        format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n    {steps}\n");
    let audit = crate::audit(
        &repository(&text, files),
        &Options::default(),
        &Policy::default(),
    );
    let pulls = audit.pulls.iter();
    pulls
        .map(|pull| {
            let image = pull.image.as_deref().unwrap_or("?");
            format!("{image} {}", pull.auth.name())
        })
        .collect()
}

#[test]
fn the_workspace_is_the_same_after_a_change_of_folder() {
    let files = [
        ("compose.yml", "services: {a: {image: 'alpine:1'}}\n"),
        ("ci/x.sh", "docker pull alpine:2\n"),
        ("Makefile", "up:\n\tdocker pull alpine:3\n"),
        ("img/Dockerfile", "FROM alpine:4\n"),
        (
            ".github/actions/a/action.yml",
            "runs:\n  using: composite\n  steps:\n    - {shell: bash, run: 'cd sub && ${{ github.action_path }}/y.sh'}\n",
        ),
        (".github/actions/a/y.sh", "docker pull alpine:5\n"),
        (
            "action.yml",
            "runs:\n  using: composite\n  steps:\n    - {shell: bash, run: 'cd sub && . ${{ github.action_path }}/.env && docker pull $I'}\n",
        ),
        (".env", "I=alpine:6\n"),
        ("sub/x", ""),
    ];
    for (script, image) in [
        (
            "cd sub && docker compose -f ${{ github.workspace }}/compose.yml up",
            1,
        ),
        (
            "docker compose -f ${{ github.workspace }}/compose.yml up",
            1,
        ),
        ("cd sub; bash ${{ github.workspace }}/ci/x.sh", 2),
        ("cd sub && ${{ github.workspace }}/ci/x.sh", 2),
        ("cd sub && make -C ${{ github.workspace }} up", 3),
        ("cd sub && docker build ${{ github.workspace }}/img", 4),
        (
            "D=${{ github.workspace }}/img; cd sub; docker build \"$D\"",
            4,
        ),
        ("cd ${{ github.workspace }}/img && docker build .", 4),
    ] {
        let steps = format!("- run: '{script}'");
        let expected = [format!("alpine:{image} anonymous")];
        assert_eq!(pulled_with(&files, &steps), expected, "{script}");
        let steps = format!("- {{working-directory: sub, run: '{script}'}}");
        assert_eq!(pulled_with(&files, &steps), expected, "in sub: {script}");
    }
    assert_eq!(
        pulled_with(&files, "- uses: ./.github/actions/a"),
        ["alpine:5 anonymous"]
    );
    assert_eq!(pulled_with(&files, "- uses: ./"), ["alpine:6 anonymous"]);
}

#[test]
fn a_step_may_run_the_line_that_a_variable_holds() {
    let files = [
        ("ci/x.sh", "docker pull alpine:2\n"),
        ("Makefile", "up:\n\tdocker pull alpine:3\n"),
    ];
    for (line, expected) in [
        ("ci/x.sh --all", &["alpine:2 anonymous"][..]),
        ("ci/x.sh", &["alpine:2 anonymous"]),
        ("bash ci/x.sh", &["alpine:2 anonymous"]),
        ("make up", &["alpine:3 anonymous"]),
        ("https://example.com/x.sh", &[]),
        ("echo ci/x.sh", &[]),
    ] {
        for command in [
            "$COMMAND",
            "${COMMAND} --more",
            "|\n    set -e\n    $COMMAND",
            "if ! $COMMAND; then exit 1; fi",
            "bash -ec \"$COMMAND\"",
            "|\n    for i in $(seq 3); do\n      if bash -c \"${COMMAND}\"; then exit 0; fi\n    done",
        ] {
            let steps = format!("- env: {{COMMAND: '{line}'}}\n  run: {command}");
            assert_eq!(pulled_with(&files, &steps), expected, "{line}: {command}");
        }
    }
}

#[test]
fn a_line_that_a_variable_holds_may_be_run_in_a_script_of_the_repository() {
    let files = [
        ("Makefile", "up:\n\tdocker pull alpine:3\n"),
        ("ci/again", "#!/bin/bash\n$TIMES bash -c \"$RUN\"\n"),
        (
            ".github/actions/again/action.yml",
            "inputs: {run: {}}\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      env: {RUN: '${{ inputs.run }}', TIMES: ''}\n      run: ci/again\n",
        ),
    ];
    let steps = "- uses: ./.github/actions/again\n  with: {run: X=1 make up}";
    assert_eq!(pulled_with(&files, steps), ["alpine:3 anonymous"]);
    let steps = "- uses: ./.github/actions/again\n  with: {run: echo up}";
    assert_eq!(pulled_with(&files, steps), [""; 0]);
}

#[test]
fn a_condition_that_an_input_hands_on_is_the_condition() {
    let action = |condition: &str| {
        format!(
            "inputs: {{push: {{}}, p: {{}}}}\nruns:\n  using: composite\n  steps:\n    - uses: docker/login-action@v3\n      if: {condition}\n      with: {{username: u, password: '${{{{ inputs.p }}}}'}}\n"
        )
    };
    for (condition, given, when, expected) in [
        (
            "inputs.push == 'true'",
            "github.event_name == 'push'",
            "github.event_name == 'push'",
            "authenticated",
        ),
        (
            "inputs.push != 'false'",
            "github.event_name == 'push'",
            "github.event_name == 'push'",
            "authenticated",
        ),
        (
            "inputs.push == 'false'",
            "github.ref_name == 'x'",
            "github.ref_name != 'x'",
            "authenticated",
        ),
        (
            "inputs.push != 'true'",
            "github.ref_name == 'x'",
            "github.actor == 'a'",
            "conditional",
        ),
        (
            "inputs.push == 'true'",
            "startsWith(github.ref, 'refs/tags/') && github.actor == 'a'",
            "startsWith(github.ref, 'refs/tags/') && github.actor == 'a'",
            "authenticated",
        ),
        (
            "inputs.push == 'true'",
            "github.ref_name",
            "github.ref_name",
            "conditional",
        ),
    ] {
        let steps = format!(
            "- uses: ./l\n  with: {{push: \"${{{{ {given} }}}}\", p: '${{{{ secrets.P }}}}'}}\n- if: {when}\n  run: docker pull alpine:1"
        );
        let text = action(condition);
        let files = [("l/action.yml", text.as_str())];
        let expected = [format!("alpine:1 {expected}")];
        assert_eq!(
            pulled_with(&files, &steps),
            expected,
            "{condition}: {given}"
        );
    }
}

/// The workflow that GitHub offered for publishing to its container registry until 2021.
#[test]
fn a_compose_file_that_is_not_there_is_not_tested_with() {
    let script = "|\n    if [ -f docker-compose.test.yml ]; then\n      docker-compose --file docker-compose.test.yml build\n      docker-compose --file docker-compose.test.yml run sut\n    else\n      docker build . --file Dockerfile\n    fi";
    let steps = format!("- run: {script}");
    let own = ("Dockerfile", "FROM alpine:1\n");
    assert_eq!(pulled_with(&[own], &steps), ["alpine:1 anonymous"]);
    let compose = (
        "docker-compose.test.yml",
        "services: {sut: {image: 'alpine:2'}}\n",
    );
    assert_eq!(pulled_with(&[own, compose], &steps), ["alpine:2 anonymous"]);
    // One that the job may make may be there.
    for maker in [
        "cp a.yml docker-compose.test.yml",
        "cat a b > docker-compose.test.yml",
        "curl -fsSo docker-compose.test.yml https://example.com/x",
    ] {
        let steps = format!("- run: {maker}\n{steps}");
        assert!(pulled_with(&[own], &steps).len() > 1, "{maker}");
    }
}

/// What is made of itself over and over is given up: it would fill the memory.
#[test]
fn values_that_double_are_not_known_in_the_end() {
    let doubles: String = (0..40)
        .map(|n| format!("- run: echo V{}=$V{n}$V{n} >> $GITHUB_ENV\n", n + 1))
        .collect();
    let steps =
        format!("- run: echo V0=xxxxxxxx >> $GITHUB_ENV\n{doubles}- run: docker pull a:$V40");
    assert_eq!(pulled_with(&[], &steps).len(), 1);
    let squares = "v=${v//x/$v}; ".repeat(8);
    let steps = format!("- run: v={}; {squares} docker pull a:$v", "x".repeat(64));
    assert_eq!(pulled_with(&[], &steps).len(), 1);
}

#[test]
fn a_bill_of_materials_that_an_action_is_asked_for_is_made_by_an_image() {
    let files = [
        ("Dockerfile", "FROM alpine:1\n"),
        (
            "docker-bake.hcl",
            "target \"default\" {\n dockerfile = \"Dockerfile\"\n}\n",
        ),
    ];
    let scanned = "docker/buildkit-syft-scanner:stable-1 anonymous";
    for (with, expected) in [
        ("sbom: true", Some(scanned)),
        ("sbom: false", None),
        ("attests: 'type=provenance'", None),
        ("attests: 'type=sbom'", Some(scanned)),
        (
            "attests: |\n      type=provenance\n      type=sbom,generator=docker.io/a/scanner:1",
            Some("docker.io/a/scanner:1 anonymous"),
        ),
    ] {
        let steps =
            format!("- uses: docker/build-push-action@v6\n  with:\n    context: .\n    {with}");
        let mut all = vec!["alpine:1 anonymous"];
        all.extend(expected);
        assert_eq!(pulled_with(&files, &steps), all, "{with}");
    }
    let steps = "- uses: docker/bake-action@v6\n  with: {sbom: true}";
    assert_eq!(pulled_with(&files, steps), ["alpine:1 anonymous", scanned]);
}

#[test]
fn a_bake_may_be_defined_somewhere_else() {
    let files = [
        (
            "docker-bake.hcl",
            "target \"default\" {\n context = \"a\"\n}\n",
        ),
        (
            "sub/docker-bake.hcl",
            "target \"default\" {\n context = \"a\"\n dockerfile = \"D\"\n}\n",
        ),
        ("a/Dockerfile", "FROM alpine:1\n"),
        ("sub/a/D", "FROM alpine:2\n"),
    ];
    for (source, expected) in [
        (".", "alpine:1 anonymous"),
        ("'{{defaultContext}}'", "alpine:1 anonymous"),
        ("'{{defaultContext}}:sub'", "alpine:2 anonymous"),
        (
            "'https://github.com/${{ github.repository }}.git#${{ github.ref }}'",
            "alpine:1 anonymous",
        ),
        ("'https://github.com/a/b.git#v1'", "? unknown"),
        ("'github.com/a/b'", "? unknown"),
    ] {
        let steps = format!("- uses: docker/bake-action@v6\n  with:\n    source: {source}");
        assert_eq!(pulled_with(&files, &steps), [expected], "{source}");
    }
}

#[test]
fn what_a_build_has_pulled_the_engine_pulls_again() {
    let files = [
        ("Dockerfile", "FROM alpine:1\n"),
        ("compose.yml", "services: {a: {image: 'alpine:1'}}\n"),
    ];
    let pull = "alpine:1 anonymous";
    for (script, expected) in [
        ("docker build .\ndocker run alpine:1", &[pull, pull][..]),
        ("docker build .\ndocker compose up", &[pull, pull]),
        ("docker build .\ndocker build .", &[pull]),
        ("docker run alpine:1\ndocker build .", &[pull]),
        ("docker run alpine:1\ndocker compose up", &[pull]),
        ("podman build .\npodman run alpine:1", &[pull]),
        (
            "DOCKER_BUILDKIT=0 docker build .\ndocker run alpine:1",
            &[pull],
        ),
        ("docker build -t alpine:1 .\ndocker run alpine:1", &[pull]),
    ] {
        let steps = format!("- run: |\n    {}", script.replace('\n', "\n    "));
        assert_eq!(pulled_with(&files, &steps), expected, "{script}");
    }
}

#[test]
fn a_build_of_an_action_asks_a_registry_for_what_earlier_ones_made() {
    let files = [("Dockerfile", "FROM alpine:1\n")];
    for (from, expected) in [
        ("type=gha", &["alpine:1 anonymous"][..]),
        (
            "type=registry,ref=me/app:cache",
            &["me/app:cache anonymous", "alpine:1 anonymous"],
        ),
        (
            "type=registry,ref=ghcr.io/me/app:${{ github.ref_name }}",
            &[
                "ghcr.io/me/app:${{ github.ref_name }} not-applicable",
                "alpine:1 anonymous",
            ],
        ),
    ] {
        let steps = format!(
            "- uses: docker/build-push-action@v6\n  with:\n    context: .\n    cache-from: {from}"
        );
        assert_eq!(pulled_with(&files, &steps), expected, "{from}");
    }
}

#[test]
fn the_script_of_an_action_may_run_a_client() {
    for (script, found) in [
        ("await exec.exec('docker', ['pull', 'alpine:1'])", true),
        (
            "require('child_process').execSync('docker run alpine:1')",
            true,
        ),
        ("core.info('docker pull alpine:1')", false),
        ("await github.rest.issues.get()", false),
    ] {
        let steps =
            format!("- uses: actions/github-script@v7\n  with:\n    script: |\n      {script}");
        assert_eq!(!pulled_with(&[], &steps).is_empty(), found, "{script}");
    }
}
