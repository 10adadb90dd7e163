//! Workflows in, effects out: the promises of this room as statements.

use crate::context::{Context, Options};
use crate::effect::{By, Declared, Effect, Forks, Guard, Job, Kind, Puller, Runner};
use crate::source::{MemoryTree, RepoPath};

mod actions;
mod conditions;
mod outputs;
mod steps;

const PATH: &str = ".github/workflows/ci.yml";

/// A repository with one workflow and some more files.
fn repository(workflow: &str, more: &[(&str, &str)]) -> MemoryTree {
    more.iter().fold(
        MemoryTree::new().with(PATH, workflow),
        |tree, (path, text)| tree.with(path, *text),
    )
}

fn with<R>(tree: &MemoryTree, look: impl FnOnce(&Context<'_>, Vec<Job>) -> R) -> R {
    let options = Options::default();
    let cx = Context::new(tree, &options);
    let jobs = super::lower(&cx, &RepoPath::new(PATH).unwrap());
    look(&cx, jobs)
}

fn guards(guards: &[Guard]) -> String {
    let words: Vec<String> = guards
        .iter()
        .map(|g| format!("{}{}", if g.holds { "" } else { "not " }, g.text))
        .collect();
    words.join("; ")
}

/// One effect in one line, as the file has it.
fn line(cx: &Context<'_>, effect: &Effect) -> String {
    let what = match &effect.kind {
        Kind::Pull {
            image,
            by,
            puller,
            declared,
            ..
        } => {
            let who = match puller {
                Puller::Host => "host",
                Puller::Client(_) => "client",
            };
            let credential = match declared {
                Declared::Credential {
                    username,
                    password,
                    sometimes_empty,
                    ..
                } => format!(
                    " as {}/{}{}",
                    username.as_str(),
                    password.as_str(),
                    if *sometimes_empty { " or nobody" } else { "" }
                ),
                Declared::NoSyntax(_) => " no syntax".to_owned(),
                Declared::Unknown(why) => format!(" unknown {why}"),
                Declared::None | Declared::Aws(_) => String::new(),
            };
            format!("{} {} {who}{credential}", by.name(), image.as_str())
        }
        Kind::Login {
            registry,
            username,
            password,
            how,
            broken,
            ..
        } => format!(
            "login {:?} {}/{} by {how}{}",
            registry.as_str(),
            username.as_ref().map_or("", |t| t.as_str()),
            password.as_ref().map_or("", |t| t.as_str()),
            if broken.is_some() { " broken" } else { "" }
        ),
        Kind::Opaque { what, .. } => format!("opaque {what}"),
        Kind::Provide { image } => format!("provide {}", image.as_str()),
        Kind::Logout { .. } => "logout".to_owned(),
        Kind::Load => "load".to_owned(),
        Kind::Save { image } => format!("save {}", cx.holes.show(image.as_str())),
        Kind::Unlisted => "unlisted".to_owned(),
        Kind::Push { image } => format!("push {}", cx.holes.show(image.as_str())),
    };
    let condition = if effect.guards.is_empty() {
        String::new()
    } else {
        format!(" if {}", guards(&effect.guards))
    };
    cx.holes.show(&format!("{what}{condition}"))
}

/// All effects of all jobs that say something, each job's name before them.
fn lines(tree: &MemoryTree) -> Vec<String> {
    with(tree, |cx, jobs| {
        jobs.iter()
            .flat_map(|job| {
                std::iter::once(format!("[{}]", job.name))
                    .chain(job.effects.iter().map(|e| line(cx, e)))
                    .filter(|line| line != "unlisted")
            })
            .collect()
    })
}

fn job(body: &str) -> Vec<String> {
    let indented = body.replace('\n', "\n    ");
    let text = format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    {indented}\n");
    lines(&repository(&text, &[])).split_off(1)
}

/// <https://github.com/docker/metadata-action>
#[test]
fn names_that_metadata_action_makes_are_known_but_for_their_tags() {
    let made = |with: &str| -> Vec<String> {
        let body = format!(
            "    steps:\n      - id: meta\n        uses: docker/metadata-action@v5\n        with:\n{with}      - uses: docker/build-push-action@v6\n        with: {{push: true, load: true, tags: '${{{{ steps.meta.outputs.tags }}}}'}}\n      - run: docker run me/app:${{{{ steps.meta.outputs.version }}}}\n"
        );
        let tree = repository(
            &format!("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n{body}"),
            &[("Dockerfile", "FROM scratch\n")],
        );
        let lines = lines(&tree).into_iter();
        let of_images = |line: &String| line.contains("me/app");
        lines.filter(of_images).collect()
    };
    let (images, tags) = ("          images: ", "          tags: ");
    let all = |images: &[&str]| -> Vec<String> {
        let of = |what: &'static str| images.iter().map(move |image| format!("{what} {image}"));
        of("push").chain(of("provide")).collect()
    };
    let version = "${{ steps.meta.outputs.version }}";
    let run = format!("run me/app:{version} client");
    let hub = format!("me/app:{version}");
    let both = "|\n            Me/app\n            name=ghcr.io/me/app,enable=true\n            name=quay.io/me/app,enable=false\n";
    let raw = "|\n            type=raw,value=a\n            type=raw,value=b\n";
    for (with, expected, run) in [
        (format!("{images}me/app\n"), all(&[&hub]), &*run),
        (
            format!("{images}{both}"),
            all(&[&hub, &format!("ghcr.io/{hub}")]),
            &run,
        ),
        (
            format!("{images}me/app\n{tags}{raw}"),
            all(&["me/app:a", "me/app:b"]),
            &run,
        ),
        (
            format!("{images}me/app\n{tags}type=sha\n"),
            all(&[&hub]),
            &run,
        ),
        (
            format!("{images}me/app\n{tags}type=raw,value=a\n"),
            all(&["me/app:a"]),
            "run me/app:a client",
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().chain([run.to_owned()]).collect();
        assert_eq!(made(&with), expected, "{with}");
    }
}

#[test]
fn a_dockerfile_that_a_step_writes_is_built_in_later_ones() {
    let seen = job(r#"
steps:
  - run: |
      echo 'FROM postgres:17' > Dockerfile
      printf 'FROM busybox\n' > "$RUNNER_TEMP/Dockerfile.x"
  - run: docker build .
  - uses: docker/build-push-action@v6
    with: {context: .}
  - uses: docker/build-push-action@v6
    with: {context: ., file: "${{ runner.temp }}/Dockerfile.x"}
  - uses: docker/build-push-action@v6
  - uses: docker/build-push-action@v6
    with: {context: ., file: other}
"#);
    assert_eq!(
        seen,
        [
            "dockerfile postgres:17 client",
            "dockerfile postgres:17 client",
            "opaque build of `.`",
            "opaque build of `.`",
            "opaque build of `.`",
        ]
    );
}

#[test]
fn container_services_and_docker_actions_come_before_the_first_step() {
    let seen = job(r#"
steps:
  - uses: docker/login-action@v3
    with: {username: me, password: "${{ secrets.P }}"}
  - uses: docker://alpine:3.20
  - uses: codespell-project/actions-codespell@v2
container: node:22
services:
  db: {image: "postgres:16"}
  cache:
    image: redis:7
    credentials: {username: "${{ vars.U }}", password: "${{ secrets.P }}"}
"#);
    assert_eq!(
        seen,
        [
            "container node:22 host",
            "service postgres:16 host",
            "service redis:7 host as ${{ vars.U }}/${{ secrets.P }}",
            "action alpine:3.20 host no syntax",
            "action python:3.13-alpine host no syntax",
            "login \"\" me/${{ secrets.P }} by docker/login-action",
        ]
    );
}

#[test]
fn images_are_resolved_where_they_can_be() {
    for (rest, image) in [
        (
            "container: '${{ matrix.i }}:1'\nstrategy: {matrix: {i: [a]}}",
            "container a:1 host",
        ),
        (
            "container: '${{ matrix.i.n }}'\nstrategy: {matrix: {i: [{n: b}]}}",
            "container b host",
        ),
        (
            "container: '${{ matrix[''i''] }}'\nstrategy: {matrix: {i: [c]}}",
            "container c host",
        ),
        // A plain 3.10 is a number, for GitHub too.
        (
            "container: 'p:${{ matrix.v }}'\nstrategy: {matrix: {v: [3.10]}}",
            "container p:3.1 host",
        ),
        (
            "container: 'p:${{ matrix.v }}'\nstrategy: {matrix: {v: ['3.10']}}",
            "container p:3.10 host",
        ),
        (
            "container: '${{ format(''{0}:{1}'', ''x'', github.sha) }}'",
            "container x:${{ github.sha }} host",
        ),
        (
            "container: '${{ fromJSON(''[\"q\", \"r\"]'')[1] }}'",
            "container r host",
        ),
        (
            "container: '${{ inputs.tag || ''d'' }}'",
            "container d host",
        ),
        ("container: '${{ env.I }}'\nenv: {I: e}", "container e host"),
        ("container: '${{ vars.I }}'", "container ${{ vars.I }} host"),
        (
            "container: '${{ matrix.m }}'\nstrategy: {matrix: '${{ fromJSON(needs.a.outputs.m) }}'}",
            "container ${{ matrix.m }} host",
        ),
        (
            "container: '${{ matrix.c }}'\nstrategy: {matrix: {c: [{image: f}]}}",
            "container f host",
        ),
        ("container: {image: docker://g}", "container g host"),
    ] {
        assert_eq!(job(rest), [image], "{rest}");
    }
    for nothing in [
        "container: ''",
        "container:",
        "container: {image: ''}",
        "container: '${{ matrix.none }}'",
    ] {
        assert_eq!(job(nothing), [""; 0], "{nothing}");
    }
}

#[test]
fn variables_of_the_runner_are_there_until_a_workflow_sets_them() {
    let script =
        "steps:\n  - run: if [ \"$CI\" = true ]; then docker pull a; else docker pull b; fi";
    assert_eq!(job(script), ["run a client"]);
    assert_eq!(
        job(&format!("env: {{CI: 'no'}}\n{script}")),
        ["run b client"]
    );
    assert_eq!(job(&format!("env: {{X: y}}\n{script}")), ["run a client"]);
}

#[test]
fn an_image_that_a_condition_chooses_is_two_pulls() {
    assert_eq!(
        job("container: \"${{ github.ref == 'refs/heads/main' && 'a' || 'b' }}\""),
        [
            "container a host if github.ref == 'refs/heads/main'",
            "container b host if not github.ref == 'refs/heads/main'",
        ]
    );
}

#[test]
fn credentials_that_may_be_empty_say_so() {
    assert_eq!(
        job(
            "container:\n  image: a\n  credentials:\n    username: u\n    password: ${{ github.ref == 'x' && secrets.P || '' }}"
        ),
        ["container a host as u/${{ github.ref == 'x' && secrets.P || '' }} or nobody"]
    );
    assert_eq!(
        job("container:\n  image: a\n  credentials: ${{ fromJSON(vars.C) }}"),
        ["container a host unknown ${{ fromJSON(vars.C) }}"]
    );
}

#[test]
fn a_matrix_is_expanded_as_github_does() {
    let images = |matrix: &str| {
        job(&format!(
            "container: a:${{{{ matrix.x }}}}-${{{{ matrix.y }}}}\nstrategy:\n  matrix: {matrix}"
        ))
    };
    let expand = |matrix: &str| -> Vec<String> {
        let text = format!(
            "on: push\njobs:\n  j:\n    container: a:${{{{ matrix.x }}}}-${{{{ matrix.y }}}}\n    strategy: {{matrix: {matrix}}}\n"
        );
        lines(&repository(&text, &[]))
            .into_iter()
            .filter_map(|l| {
                Some(
                    l.strip_prefix("container a:")?
                        .strip_suffix(" host")?
                        .to_owned(),
                )
            })
            .collect()
    };
    assert_eq!(images("{x: [1], y: [2]}"), ["container a:1-2 host"]);
    for (matrix, combinations) in [
        ("{x: [1, 2], y: [a, b]}", vec!["1-a", "1-b", "2-a", "2-b"]),
        (
            "{x: [1, 2], y: [a, b], exclude: [{x: 1, y: b}]}",
            vec!["1-a", "2-a", "2-b"],
        ),
        ("{x: [1, 2], include: [{x: 2, y: c}]}", vec!["1-", "2-c"]),
        ("{x: [1, 2], include: [{y: c}]}", vec!["1-c", "2-c"]),
        ("{x: [1], include: [{x: 9, y: c}]}", vec!["1-", "9-c"]),
        (
            "{include: [{x: 1, y: a}, {x: 2, y: b}]}",
            vec!["1-a", "2-b"],
        ),
        (
            "{x: [1], y: '${{ fromJSON(vars.Y) }}'}",
            vec!["1-${{ matrix.y }}"],
        ),
        (
            "{x: '${{ fromJSON(''[1,2]'') }}', y: [a]}",
            vec!["1-a", "2-a"],
        ),
    ] {
        assert_eq!(expand(matrix), combinations, "{matrix}");
    }
}

#[test]
fn an_input_that_is_a_condition_is_that_condition() {
    let text = "on: [push, pull_request]\njobs:\n  j:\n    steps:\n      - uses: ./a\n        with: {push: '${{ PUSH }}'}\n      - run: docker pull outer\n        if: github.event_name == 'push'\n";
    let action = "inputs: {push: {}}\nruns:\n  using: composite\n  steps:\n    - {shell: bash, if: inputs.push == 'true', run: docker pull one}\n    - {shell: bash, if: inputs.push != 'true', run: docker pull two}\n    - {shell: bash, if: inputs.push == 'false', run: docker pull three}\n    - {shell: bash, if: inputs.push == 'yes', run: docker pull four}\n";
    let seen = |push: &str| {
        lines(&repository(
            &text.replace("PUSH", push),
            &[("a/action.yml", action)],
        ))
    };
    let expected = [
        "[j]",
        "run one client if github.event_name == 'push'",
        "run two client if not github.event_name == 'push'",
        "run three client if not github.event_name == 'push'",
        "run four client if github.event_name == 'push' == 'yes'",
        "run outer client if github.event_name == 'push'",
    ];
    assert_eq!(seen("github.event_name == ''push''"), expected);
    let seen = seen("github.ref_name");
    assert_eq!(seen[1], "run one client if github.ref_name == 'true'");
}

#[test]
fn an_image_out_of_an_artifact_is_there() {
    for action in ["container", "docker"] {
        let steps = format!(
            "steps:\n  - uses: ishworkh/{action}-image-artifact-download@v2\n    with: {{image: 'app:1'}}\n  - run: docker run app:1\n"
        );
        assert_eq!(job(&steps), ["provide app:1", "run app:1 client"]);
    }
}

#[test]
fn an_empty_default_is_no_tag() {
    let text = "on: {workflow_dispatch: {inputs: {tag: {default: ''}, suffix: {default: ''}}}}\njobs:\n  j:\n    container: a:${{ inputs.tag }}\n    steps:\n      - run: docker pull b:${{ github.event.inputs.tag }}\n      - run: docker pull c:1${{ inputs.suffix }}\n";
    let expected = [
        "[j]",
        "container a:${{ inputs.tag }} host",
        "run b:${{ github.event.inputs.tag }} client",
        "run c:1 client",
    ];
    assert_eq!(lines(&repository(text, &[])), expected);
}

#[test]
fn combinations_that_no_pull_depends_on_are_one_job() {
    let text = "on: push\njobs:\n  j:\n    runs-on: ${{ matrix.os }}\n    name: Test ${{ matrix.v }}\n    container: node:22\n    strategy: {matrix: {os: [ubuntu-latest, ubuntu-22.04], v: [1, 2, 3]}}\n";
    with(&repository(text, &[]), |_, jobs| assert_eq!(jobs.len(), 1));
}

#[test]
fn what_a_matrix_gives_to_actions_that_pull_nothing_decides_nothing() {
    let text = "on: push\njobs:\n  j:\n    steps:\n      - uses: actions/setup-node@v4\n        with: {node-version: '${{ matrix.v }}'}\n      - uses: actions/checkout@v4\n        with: {path: '${{ matrix.path }}'}\n      - run: docker pull ${{ matrix.image }}\n";
    with(&repository(text, &[]), |cx, _| {
        let document = cx.yaml(&RepoPath::new(PATH).unwrap()).unwrap();
        let jobs = document.root().and_then(|root| root.get("jobs")).unwrap();
        let used = super::workflow::used(cx, jobs.get("j").unwrap());
        let keys = ["path", "image"].map(str::to_owned).to_vec();
        assert_eq!(used, super::matrix::Used::Keys(keys));
    });
}

#[test]
fn composite_actions_see_the_matrix() {
    let text = "on: push\njobs:\n  j:\n    strategy: {matrix: {v: [3.21, 3.22], os: [a, b], other: [1, 2]}}\n    steps:\n      - uses: actions/checkout@v5\n        with: {path: src}\n      - uses: ./src/ci/a\n";
    let outer = "runs: {using: composite, steps: [{uses: ./src/ci/b}, {uses: ./src/ci/a}]}";
    let inner = "runs:\n  using: composite\n  steps:\n    - {shell: bash, run: 'docker run alpine:${{ matrix.v }}'}\n    - {shell: bash, run: docker pull node, if: matrix.os == 'b'}\n";
    let tree = repository(
        text,
        &[("ci/a/action.yml", outer), ("ci/b/action.yml", inner)],
    );
    let seen = lines(&tree);
    let expected = [
        "[j]",
        "run alpine:3.21 client",
        "[j]",
        "run alpine:3.21 client",
        "run node client",
        "[j]",
        "run alpine:3.22 client",
        "[j]",
        "run alpine:3.22 client",
        "run node client",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn each_system_of_a_matrix_is_followed_where_one_is_asked_for() {
    let text = "on: push\njobs:\n  j:\n    runs-on: ${{ matrix.os }}\n    strategy: {matrix: {os: [windows-latest, macos-14, ubuntu-latest]}}\n    steps:\n      - run: docker pull alpine\n        if: runner.os == 'Linux'\n";
    let seen = lines(&repository(text, &[]));
    assert_eq!(seen, ["[j]", "[j]", "run alpine client"]);
    let own = text.replace("macos-14", "[self-hosted, big]");
    let runners = |text: &str| {
        with(&repository(text, &[]), |_, jobs| {
            jobs.iter().map(|job| job.runner).collect::<Vec<_>>()
        })
    };
    let plain = own.replace("        if: runner.os == 'Linux'\n", "");
    assert_eq!(runners(&plain), [Runner::Hosted, Runner::SelfHosted]);
}

#[test]
fn labels_tell_whose_machine_it_is() {
    for (label, runner) in [
        ("ubuntu-latest", Runner::Hosted),
        ("ubuntu-22.04-16core", Runner::Hosted),
        ("[self-hosted, linux]", Runner::SelfHosted),
        ("[self-hosted, ubuntu-22.04]", Runner::SelfHosted),
        ("{group: big, labels: [windows-2022]}", Runner::Hosted),
        ("{group: big}", Runner::Unknown),
        ("buildjet-4vcpu", Runner::Unknown),
        ("${{ vars.R }}", Runner::Unknown),
        ("${{ fromJSON('[\"self-hosted\"]') }}", Runner::SelfHosted),
    ] {
        let text = format!("on: push\njobs:\n  j:\n    runs-on: {label}\n    steps: []\n");
        with(&repository(&text, &[]), |_, jobs| {
            assert_eq!(jobs[0].runner, runner, "{label}");
        });
    }
}

#[test]
fn a_login_says_what_is_wrong_with_it() {
    let login = |with: &str, env: &str, version: &str| {
        job(&format!(
            "steps:\n  - uses: docker/login-action@{version}\n    with: {with}\n    env: {env}"
        ))
        .remove(0)
    };
    for (with, env, version, expected) in [
        (
            "{username: u, password: p}",
            "{}",
            "v3",
            "login \"\" u/p by docker/login-action",
        ),
        (
            "{registry: ghcr.io, username: u, password: p}",
            "{}",
            "v3",
            "login \"ghcr.io\" u/p by docker/login-action",
        ),
        (
            "{username: u}",
            "{}",
            "v3",
            "login \"\" u/ by docker/login-action broken",
        ),
        (
            "{username: u}",
            "{DOCKERHUB_OIDC_CONNECTIONID: x}",
            "v4",
            "login \"\" u/ by docker/login-action (OIDC)",
        ),
        (
            "{username: u}",
            "{DOCKERHUB_OIDC_CONNECTIONID: x}",
            "v4.5.0",
            "login \"\" u/ by docker/login-action (OIDC)",
        ),
        (
            "{username: u}",
            "{DOCKERHUB_OIDC_CONNECTIONID: x}",
            "v4.4.0",
            "login \"\" u/ by docker/login-action broken",
        ),
        (
            "{username: u}",
            "{DOCKERHUB_OIDC_CONNECTIONID: x}",
            "v3",
            "login \"\" u/ by docker/login-action broken",
        ),
        // An ECR login gets its password from AWS.
        (
            "{registry: 1.dkr.ecr.eu-west-1.amazonaws.com}",
            "{}",
            "v3",
            "login \"1.dkr.ecr.eu-west-1.amazonaws.com\" / by docker/login-action",
        ),
        (
            "{registry-auth: \"- registry: ghcr.io\\n  username: u\\n  password: p\\n\"}",
            "{}",
            "v4",
            "login \"ghcr.io\" u/p by docker/login-action",
        ),
    ] {
        assert_eq!(
            login(with, env, version),
            expected,
            "{with} {env} {version}"
        );
    }
}

#[test]
fn a_composite_action_gets_its_inputs_and_no_secrets() {
    let action = "name: a\ninputs:\n  who: {default: nobody}\n  image: {required: true}\nruns:\n  using: composite\n  steps:\n    - uses: docker://${{ inputs.image }}\n    - uses: docker/login-action@v3\n      with: {username: '${{ inputs.who }}', password: '${{ inputs.pass }}'}\n    - uses: docker/login-action@v3\n      with: {username: u, password: '${{ secrets.P }}'}\n    - uses: docker/setup-qemu-action@v3\n      if: inputs.emulate == 'true'\n      with: {image: '${{ inputs.image }}'}\n";
    let workflow = "on: push\njobs:\n  j:\n    steps:\n      - uses: ./ci/a\n        with: {image: 'm:1', pass: '${{ secrets.X }}', emulate: true}\n      - uses: ./ci/a/\n        with: {image: 'm:2', who: me}\n";
    let tree = repository(workflow, &[("ci/a/action.yaml", action)]);
    assert_eq!(
        lines(&tree),
        [
            "[j]",
            "action ${{ inputs.image }} client",
            "login \"\" nobody/${{ secrets.X }} by docker/login-action",
            "login \"\" u/ by docker/login-action broken",
            "action m:1 client",
            "action ${{ inputs.image }} client",
            "login \"\" me/ by docker/login-action broken",
            "login \"\" u/ by docker/login-action broken",
        ]
    );
    with(&tree, |_, jobs| {
        let story = jobs[0].effects[1].trace.steps();
        assert_eq!(&*story[0].1, "the step uses the local action `./ci/a`");
    });
}

#[test]
fn a_composite_action_runs_the_scripts_beside_it() {
    let workflow = "on: push\njobs:\n  j:\n    steps:\n      - uses: ./ci/a\n      - run: $GITHUB_ACTION_PATH/pull.sh\n";
    for path in [
        "${{ github.action_path }}/pull.sh",
        "$GITHUB_ACTION_PATH/pull.sh",
        "bash \"${GITHUB_ACTION_PATH}/pull.sh\"",
        "cd $GITHUB_ACTION_PATH && ./pull.sh",
        ". $GITHUB_ACTION_PATH/pull.sh",
        "docker build -t x -f $GITHUB_ACTION_PATH/Dockerfile $GITHUB_ACTION_PATH",
    ] {
        let action = format!(
            "runs:\n  using: composite\n  steps:\n    - uses: ./ci/b\n    - shell: bash\n      run: {path}\n"
        );
        let other = "runs:\n  using: composite\n  steps:\n    - {shell: bash, run: 'true'}\n";
        let tree = repository(
            workflow,
            &[
                ("ci/a/action.yml", &action),
                ("ci/a/pull.sh", "docker pull alpine\n"),
                ("ci/a/Dockerfile", "FROM alpine\n"),
                ("ci/b/action.yml", other),
                ("ci/b/pull.sh", "docker pull busybox\n"),
            ],
        );
        let seen = lines(&tree);
        assert!(
            seen.iter().any(|line| line.contains(" alpine ")),
            "{path}: {seen:?}"
        );
        assert!(
            seen.iter().all(|line| !line.contains("busybox")),
            "{seen:?}"
        );
    }
}

#[test]
fn a_local_docker_action_is_built_or_pulled_by_its_step() {
    let workflow = "on: push\njobs:\n  j:\n    steps:\n      - uses: docker/login-action@v3\n        with: {username: u, password: p}\n      - uses: ./pulled\n      - uses: ./built\n      - uses: ./bare\n";
    let tree = repository(
        workflow,
        &[
            (
                "pulled/action.yml",
                "runs: {using: docker, image: 'docker://alpine:3'}",
            ),
            (
                "built/action.yml",
                "runs: {using: docker, image: Dockerfile}",
            ),
            ("built/Dockerfile", "FROM alpine\n"),
            ("bare/Dockerfile", "FROM busybox\n"),
        ],
    );
    let seen = lines(&tree);
    assert_eq!(seen[1], "login \"\" u/p by docker/login-action");
    assert_eq!(seen[2], "action alpine:3 client");
    assert!(seen.len() >= 5, "{seen:?}");
}

#[test]
fn a_local_docker_action_may_name_its_image_as_docker_run_takes_it() {
    let action = |image: &str| format!("runs: {{using: docker, image: '{image}'}}");
    let workflow = "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./x}, {uses: a/b@v1}]\n";
    for (image, seen) in [
        ("rockylinux:8", "action rockylinux:8 client"),
        ("ghcr.io/a/b", "action ghcr.io/a/b client"),
        ("Dockerfile", "dockerfile alpine client"),
        ("../y/Dockerfile.ci", "dockerfile busybox client"),
        ("./own", "dockerfile redis client"),
    ] {
        let tree = repository(
            workflow,
            &[
                ("x/action.yml", &action(image)),
                ("x/Dockerfile", "FROM alpine\n"),
                ("x/own", "FROM redis\n"),
                ("y/Dockerfile.ci", "FROM busybox\n"),
                // The runner refuses one of another repository.
                ("_actions/a/b/action.yml", &action("rockylinux:9")),
            ],
        );
        let lines = lines(&tree);
        assert_eq!(lines.get(1).map(String::as_str), Some(seen), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains(":9")), "{lines:?}");
    }
}

#[test]
fn actions_of_repositories_that_can_be_had_are_followed() {
    let workflow = "on: push\njobs:\n  j:\n    steps:\n      - name: login\n        uses: docker/login-action@v3\n        with: {username: u, password: p}\n      - uses: acme/shop/ci/own@main\n      - uses: acme/tools/pulled@v1\n      - uses: acme/tools/pulled@v1\n      - uses: acme/tools@v2\n        with: {image: 'm:1'}\n      - uses: who/knows@v1\n";
    let composite = "inputs: {image: {}}\nruns:\n  using: composite\n  steps:\n    - uses: docker://node:22\n    - {shell: bash, run: 'docker run ${{ inputs.image }}'}\n    - {shell: bash, run: '$GITHUB_ACTION_PATH/ci/pull.sh; ./ours.sh'}\n    - uses: acme/tools/built@v1\n    - uses: acme/tools@v1\n";
    let tree = repository(
        workflow,
        &[
            ("ours.sh", "docker pull ours\n"),
            (
                "ci/own/action.yml",
                "runs:\n  using: composite\n  steps: [{shell: bash, run: docker pull own}]\n",
            ),
            ("_actions/acme/tools/action.yml", composite),
            ("_actions/acme/tools/ci/pull.sh", "docker pull theirs\n"),
            (
                "_actions/acme/tools/pulled/action.yml",
                "runs: {using: docker, image: 'docker://alpine:3'}",
            ),
            (
                "_actions/acme/tools/built/action.yml",
                "runs: {using: docker, image: Dockerfile}",
            ),
            ("_actions/acme/tools/built/Dockerfile", "FROM busybox\n"),
        ],
    )
    .named("acme/shop");
    with(&tree, |cx, jobs| {
        let effects = jobs[0].effects.iter().map(|e| line(cx, e));
        let seen: Vec<String> = effects.filter(|line| line != "unlisted").collect();
        let before = seen
            .iter()
            .position(|line| line.starts_with("login"))
            .unwrap();
        let (set_up, steps) = seen.split_at(before);
        let pulls = |lines: &[String]| -> Vec<String> {
            lines
                .iter()
                .filter(|l| !l.starts_with("login"))
                .cloned()
                .collect()
        };
        assert_eq!(set_up[0], "action alpine:3 client no syntax");
        assert_eq!(set_up[1], "action node:22 host no syntax");
        assert!(
            set_up[2].contains("busybox") && set_up[2].ends_with("no syntax"),
            "{set_up:?}"
        );
        assert_eq!(
            pulls(steps),
            [
                "run own client",
                "run m:1 client",
                "run theirs client",
                "run ours client"
            ],
            "{seen:?}"
        );
        let steps: Vec<&str> = jobs[0].effects.iter().map(|e| &*e.step).collect();
        assert_eq!(steps[..2], ["acme/tools/pulled@v1", "acme/tools@v2"]);
        let (unread, unlisted) = cx.take_notes();
        assert_eq!(unlisted.len(), 1);
        assert!(
            unread.iter().all(|u| u.message.contains("uses itself")),
            "{unread:?}"
        );
    });
}

#[test]
fn workflows_of_repositories_that_can_be_had_are_followed() {
    let workflow = "on: push\njobs:\n  one:\n    uses: acme/ci/.github/workflows/build.yml@v1\n    with: {image: 'node:22'}\n  two:\n    uses: Acme/Shop/.github/workflows/own.yml@main\n  three:\n    uses: acme/ci/.github/workflows/gone.yml@v1\n  four:\n    uses: other/ci/.github/workflows/build.yml@v1\n";
    let called = "on: {workflow_call: {inputs: {image: {type: string}}}}\njobs:\n  b:\n    container: ${{ inputs.image }}\n    steps: [{uses: ./act}, {run: docker pull redis}]\n  n:\n    uses: ./.github/workflows/nested.yml\n";
    let own = "on: workflow_call\njobs: {o: {container: own}}\n";
    let tree = repository(
        workflow,
        &[
            (".github/workflows/own.yml", own),
            (
                "act/action.yml",
                "runs: {using: docker, image: 'docker://act'}",
            ),
            ("_actions/acme/ci/.github/workflows/build.yml", called),
            (
                "_actions/acme/ci/.github/workflows/nested.yml",
                "on: workflow_call\njobs: {m: {container: nested}}\n",
            ),
        ],
    )
    .named("acme/shop");
    assert_eq!(
        lines(&tree),
        [
            "[one / b]",
            "container node:22 host",
            "action act client",
            "run redis client",
            "[one / n / m]",
            "container nested host",
            "[two / o]",
            "container own host",
        ]
    );
    with(&tree, |cx, jobs| {
        let story = jobs[0].effects[0].trace.steps();
        assert_eq!(
            &*story[0].1,
            "job `one` calls the workflow `acme/ci/.github/workflows/build.yml@v1`"
        );
        let (unread, unlisted) = cx.take_notes();
        assert_eq!(unlisted.len(), 1);
        assert_eq!(unlisted[0].name, "other/ci/.github/workflows/build.yml");
        assert_eq!(unread.len(), 1);
        assert!(unread[0].message.contains("not in its repository's folder"));
    });
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let path = RepoPath::new(".github/workflows/own.yml").unwrap();
    assert!(
        super::lower(&cx, &path).is_empty(),
        "its caller has its jobs"
    );
}

#[test]
fn a_path_of_the_same_repository_is_followed_in_whichever_repository_it_stands() {
    let workflow = "on: push\njobs:\n  one:\n    uses: $/.github/workflows/own.yml\n  two:\n    steps:\n    - uses: $/act\n    - uses: $/gone\n  three:\n    uses: acme/ci/.github/workflows/build.yml@v1\n";
    let own = |image: &str| format!("on: workflow_call\njobs: {{o: {{container: {image}}}}}\n");
    let composite =
        "runs: {using: composite, steps: [{uses: $/./inner}, {run: docker pull redis}]}";
    let docker = |image: &str| format!("runs: {{using: docker, image: 'docker://{image}'}}");
    let files = [
        (".github/workflows/own.yml", own("here")),
        ("act/action.yml", composite.to_owned()),
        ("inner/action.yml", docker("inner")),
        (
            "_actions/acme/ci/.github/workflows/build.yml",
            "on: workflow_call\njobs:\n  b:\n    steps: [{uses: $/inner}]\n  n:\n    uses: $/.github/workflows/own.yml\n"
                .to_owned(),
        ),
        ("_actions/acme/ci/inner/action.yml", docker("theirs")),
        ("_actions/acme/ci/.github/workflows/own.yml", own("there")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
    let tree = repository(workflow, &files).named("acme/shop");
    assert_eq!(
        lines(&tree),
        [
            "[one / o]",
            "container here host",
            "[two]",
            "action inner client no syntax",
            "run redis client",
            "[three / b]",
            "action theirs client no syntax",
            "[three / n / o]",
            "container there host",
        ]
    );
    with(&tree, |cx, _| {
        let (unread, unlisted) = cx.take_notes();
        assert_eq!(unlisted.len(), 0);
        assert_eq!(unread.len(), 1, "{unread:?}");
        assert!(unread[0].message.contains("`$/gone` has no `action.yml`"));
    });
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let path = RepoPath::new(".github/workflows/own.yml").unwrap();
    assert!(
        super::lower(&cx, &path).is_empty(),
        "its caller has its jobs"
    );
}

#[test]
fn a_called_workflow_runs_as_part_of_its_caller() {
    let called = "on:\n  workflow_call:\n    inputs:\n      image: {type: string, default: alpine}\njobs:\n  b:\n    container:\n      image: ${{ inputs.image }}\n      credentials: {username: u, password: '${{ secrets.P }}'}\n";
    let workflow = "on: [pull_request]\njobs:\n  one:\n    if: vars.x\n    uses: ./.github/workflows/called.yml\n    with: {image: 'node:${{ matrix.v }}'}\n    strategy: {matrix: {v: [20, 22]}}\n    secrets: inherit\n  two:\n    uses: ./.github/workflows/called.yml\n    secrets: {p: '${{ secrets.HUB }}'}\n  three:\n    uses: ./.github/workflows/called.yml\n";
    let tree = repository(workflow, &[(".github/workflows/called.yml", called)]);
    assert_eq!(
        lines(&tree),
        [
            "[one / b]",
            "container node:20 host as u/${{ secrets.P }}",
            "[one / b]",
            "container node:22 host as u/${{ secrets.P }}",
            "[two / b]",
            "container alpine host as u/${{ secrets.HUB }}",
            "[three / b]",
            "container alpine host as u/",
        ]
    );
    with(&tree, |cx, jobs| {
        assert_eq!(guards(&jobs[0].guards), "vars.x");
        assert_eq!(jobs[0].forks, Forks::WithoutSecrets);
        let alone = super::lower(cx, &RepoPath::new(".github/workflows/called.yml").unwrap());
        assert!(alone.is_empty(), "its callers have its jobs");
    });
}

#[test]
fn an_input_of_a_called_workflow_is_of_its_declared_type() {
    let called = "on:\n  workflow_call:\n    inputs:\n      skip: {type: string, default: false}\n      tag: {type: string}\n      really: {type: boolean, default: false}\njobs:\n  b: {if: inputs.skip == 'false' && !inputs.really, container: 'node:${{ inputs.tag }}'}\n";
    let workflow = "on: push\njobs:\n  one: {uses: ./.github/workflows/called.yml, with: {tag: 22}}\n  two: {uses: ./.github/workflows/called.yml, with: {skip: true}}\n  three: {uses: ./.github/workflows/called.yml, with: {really: true}}\n";
    assert_eq!(
        lines(&repository(
            workflow,
            &[(".github/workflows/called.yml", called)]
        )),
        ["[one / b]", "container node:22 host"]
    );
}

#[test]
fn a_workflow_that_nobody_calls_is_lowered_with_its_defaults() {
    let text = "on:\n  workflow_call:\n    inputs:\n      image: {type: string, default: alpine}\njobs:\n  b: {container: '${{ inputs.image }}'}\n";
    assert_eq!(
        lines(&repository(text, &[])),
        ["[b]", "container alpine host"]
    );
}

#[test]
fn a_checkout_in_a_folder_is_followed_there() {
    let steps = "      - {uses: actions/checkout@v4, with: {path: src/me}}\n";
    let files = [
        (
            "run.sh",
            "docker pull of/script\ncd \"$(dirname \"$0\")\"\nmake img\n",
        ),
        ("Makefile", "img:\n\tdocker pull of/make\n"),
        ("Dockerfile", "FROM of/dockerfile\n"),
        (
            "compose.yml",
            "services: {a: {image: of/compose}, b: {build: .}}\n",
        ),
        ("sub/justfile", "up:\n    docker pull of/just\n"),
    ];
    for (step, expected) in [
        ("run: ./src/me/run.sh", "of/script of/make"),
        ("run: make -C src/me img", "of/make"),
        ("run: make -C \"$GITHUB_WORKSPACE/src/me\" img", "of/make"),
        ("run: make -C \"$(pwd)/src/me\" img", "of/make"),
        ("run: cd src && make -C me img", "of/make"),
        ("run: cd src/me && make img", "of/make"),
        (
            "run: just -f $GITHUB_WORKSPACE/src/me/sub/justfile up",
            "of/just",
        ),
        (
            "run: docker compose -f src/me/compose.yml up",
            "of/dockerfile of/compose",
        ),
        ("run: docker build src/me", "of/dockerfile"),
        ("run: make img", ""),
        ("run: cd /tmp && ./src/me/run.sh", ""),
        ("{run: make img, working-directory: src/me}", "of/make"),
        (
            "{uses: docker/build-push-action@v6, with: {context: src/me}}",
            "of/dockerfile",
        ),
    ] {
        let text = format!("on: push\njobs:\n  j:\n    steps:\n{steps}      - {step}\n");
        let seen = lines(&repository(&text, &files));
        let names = named(&seen);
        assert_eq!(names.join(" "), expected, "{step}: {seen:?}");
    }
}

/// The images below `of/` that lines name.
fn named(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| line.split(' ').find(|word| word.starts_with("of/")))
        .collect()
}

#[test]
fn a_script_for_windows_has_paths_with_backslashes() {
    let files = [
        ("win/Dockerfile.w", "FROM of/win\n"),
        ("Dockerfile", "FROM of/root\n"),
    ];
    for (os, step, expected) in [
        (
            "windows-2022",
            "docker build -f .\\win\\Dockerfile.w .",
            "of/win",
        ),
        (
            "windows-2022",
            "docker build `\n            -f .\\win\\Dockerfile.w `\n            .",
            "of/win",
        ),
        ("ubuntu-latest", "docker build \\\n            .", "of/root"),
    ] {
        let text = format!(
            "on: push\njobs:\n  j:\n    runs-on: {os}\n    steps:\n      - run: |\n          {step}\n"
        );
        let seen = lines(&repository(&text, &files));
        let names = named(&seen);
        assert_eq!(names, [expected], "{step}: {seen:?}");
    }
}

#[test]
fn what_follows_an_exit_of_powershell_under_a_condition_is_run() {
    for (script, expected) in [
        (
            "docker version\nif ($LASTEXITCODE -ne 0) { exit 1 }\ndocker pull of/a",
            "of/a",
        ),
        (
            "try { docker pull of/a } catch { exit 1 }\ndocker pull of/b",
            "of/a of/b",
        ),
        (
            "for ($i=0; $i -lt 3; $i++) { docker pull of/a }\ndocker pull of/b",
            "of/a of/b",
        ),
        (
            "$a = $b.Split(\"`n\")\ndocker pull of/a\nif (-not $?) { throw 'x' }",
            "of/a",
        ),
        (
            "$x = docker pull of/a\n$tag = 'of/b'\ndocker pull $tag",
            "of/a of/b",
        ),
        ("docker pull of/a\nexit 0\ndocker pull of/b", "of/a"),
    ] {
        let script = script.replace('\n', "\n          ");
        let text = format!(
            "on: push\njobs:\n  j:\n    runs-on: windows-2022\n    steps:\n      - run: |\n          {script}\n"
        );
        let seen = lines(&repository(&text, &[]));
        let names = named(&seen);
        assert_eq!(names.join(" "), expected, "{script}: {seen:?}");
    }
}

#[test]
fn the_id_of_a_job_and_several_files_name_what_is_built() {
    let files = [
        ("of/j/Dockerfile", "FROM of/j\n"),
        ("b/Dockerfile", "FROM of/b\n"),
    ];
    for (step, expected) in [
        (
            "{uses: docker/build-push-action@v6, with: {context: ., file: 'of/${{ github.job }}/Dockerfile'}}",
            "of/j",
        ),
        (
            "{uses: redhat-actions/buildah-build@v2, with: {image: x, containerfiles: \"./b/Dockerfile\\n./of/j/Dockerfile\\n\"}}",
            "of/b of/j",
        ),
    ] {
        let text =
            format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps: [{step}]\n");
        let seen = lines(&repository(&text, &files));
        let names = named(&seen);
        assert_eq!(names.join(" "), expected, "{step}: {seen:?}");
    }
}

#[test]
fn an_action_that_cannot_be_read_is_not_said_to_be_absent() {
    let text = "on: push\njobs:\n  a: {steps: [{uses: ./x}, {uses: ./y}]}\n";
    let tree = repository(text, &[("x/action.yml", "runs: {using: [\n")]);
    with(&tree, |cx, _| {
        let (unread, _) = cx.take_notes();
        let said = |part: &str| unread.iter().filter(|u| u.message.contains(part)).count();
        assert_eq!(
            said("the action `./x` is described in a file that could not be read"),
            1
        );
        assert_eq!(said("the action `./y` has no `action.yml`"), 1);
        assert_eq!(
            unread.iter().filter(|u| u.file == "x/action.yml").count(),
            1
        );
    });
}

#[test]
fn goreleasers_action_takes_the_configuration_that_its_arguments_name() {
    let run = |given: &str| {
        let text = format!(
            "on: push\njobs:\n  j:\n    steps:\n      - uses: goreleaser/goreleaser-action@v6\n        with: {{{given}}}\n"
        );
        let files = [
            (".goreleaser.yml", "builds: []\n"),
            ("ci/r.yml", "dockers:\n  - dockerfile: x\n"),
            ("x", "FROM a\n"),
        ];
        with(&repository(&text, &files), |_, jobs| {
            let pull = |e: &&Effect| {
                matches!(
                    &e.kind,
                    Kind::Pull {
                        by: By::Dockerfile,
                        ..
                    }
                )
            };
            jobs[0].effects.iter().filter(pull).count()
        })
    };
    assert_eq!(run("args: release --config ci/r.yml"), 1);
    assert_eq!(run("args: release --clean"), 0);
    assert_eq!(run("args: build -f ci/r.yml"), 0);
    assert_eq!(run("install-only: true, args: release -f ci/r.yml"), 0);
}

#[test]
fn calls_in_a_circle_end() {
    let text =
        "on: push\njobs:\n  a: {uses: ./.github/workflows/ci.yml}\n  b: {steps: [{uses: ./x}]}\n";
    let action = "runs: {using: composite, steps: [{uses: ./x}, {uses: ./x}]}";
    let tree = repository(text, &[("x/action.yml", action)]);
    with(&tree, |cx, jobs| {
        assert!(!jobs.is_empty());
        assert!(!cx.take_notes().0.is_empty());
    });
}

#[test]
fn what_an_action_does_depends_on_its_inputs() {
    for (step, expected) in [
        (
            "uses: docker/setup-buildx-action@v3",
            "action moby/buildkit:buildx-stable-1 client",
        ),
        (
            "uses: docker/setup-buildx-action@v3\n    with: {driver-opts: 'network=host,image=m/b:1'}",
            "action m/b:1 client",
        ),
        (
            "uses: docker/setup-buildx-action@v3\n    with: {driver: docker}",
            "",
        ),
        (
            "uses: docker/setup-qemu-action@v3\n    with: {image: 'q/b:1'}",
            "action q/b:1 client",
        ),
        ("uses: Helm/Kind-Action@v1", "action kindest/node:? client"),
        (
            "uses: helm/kind-action@v1\n    with: {install_only: true}",
            "",
        ),
        (
            "uses: helm/kind-action@v1\n    with: {install_only: '${{ vars.I }}'}",
            "action kindest/node:? client if not ${{ vars.I }}",
        ),
        (
            "uses: helm/kind-action@v1\n    with: {node_image: 'me/node:1', config: k.yml}",
            "action me/node:1 client",
        ),
        (
            "uses: chainguard-dev/actions/setup-kind@main\n    with: {k8s-version: 1.33.x}",
            "action kindest/node:v1.33.? client",
        ),
        (
            "uses: pypa/cibuildwheel@v3\n    env: {CIBW_MANYLINUX_X86_64_IMAGE: 'me/many:1'}",
            "action me/many:1 client",
        ),
        (
            "uses: PyO3/maturin-action@v1\n    with: {container: 'me/many:1'}",
            "action me/many:1 client",
        ),
        (
            "uses: PyO3/maturin-action@v1\n    with: {manylinux: 'off'}",
            "",
        ),
        (
            "uses: PyO3/maturin-action@v1\n    with: {container: 'off'}",
            "",
        ),
        (
            "uses: php-actions/composer@v6\n    with: {php_version: '8.2'}",
            "action php:8.2-cli-alpine client",
        ),
        (
            "uses: php-actions/phpunit@v3\n    with: {php_version: latest}",
            "action php:cli-alpine client",
        ),
        (
            "uses: php-actions/phpstan@v3",
            "action php:cli-alpine client",
        ),
        ("uses: lima-vm/lima-actions/setup@v1", ""),
        (
            "uses: uraimo/run-on-arch-action@v2\n    with: {base_image: 'arm64v8/debian'}",
            "action tonistiigi/binfmt:latest client",
        ),
        (
            "uses: aquasecurity/trivy-action@v1\n    with: {scan-type: fs}",
            "",
        ),
        ("uses: actions/checkout@v4", ""),
    ] {
        let seen = job(&format!("steps:\n  - {step}"));
        assert_eq!(seen.first().map_or("", String::as_str), expected, "{step}");
    }
}

#[test]
fn actions_that_build_and_start_are_in_the_table() {
    let files = [
        ("Dockerfile", "ARG COMMIT_SHA\nFROM a\n"),
        ("d/Dockerfile", "FROM d\n"),
        ("package.json", r#"{"scripts": {"db": "docker pull root"}}"#),
        (
            "web/package.json",
            r#"{"scripts": {"db": "docker pull web"}}"#,
        ),
    ];
    for (step, expected) in [
        (
            "uses: container-tools/kind-action@v2",
            &["registry:2 anonymous", "kindest/node:? anonymous"][..],
        ),
        (
            "uses: container-tools/kind-action@v2\n    with: {registry: false, node_image: 'me/node:1'}",
            &["me/node:1 anonymous"],
        ),
        (
            "uses: DFE-Digital/github-actions/build-docker-image@master\n    with: {github-token: x}",
            &["a anonymous"],
        ),
        (
            "uses: macbre/push-to-ghcr@master\n    with: {github_token: x, image_name: me/x, docker_io_token: y}",
            &["a anonymous"],
        ),
        (
            "uses: macbre/push-to-ghcr@master\n    with: {github_token: x, image_name: me/x, docker_io_user: u, docker_io_token: y, platforms: linux/arm64, context: d, dockerfile: d/Dockerfile}",
            &[
                "docker.io/tonistiigi/binfmt:latest anonymous",
                "moby/buildkit:buildx-stable-1 anonymous",
                "d authenticated",
            ],
        ),
        (
            "uses: aevea/action-kaniko@master\n    with: {image: me/x, path: d, username: u, password: p}",
            &[
                "alpine:latest impossible",
                "gcr.io/kaniko-project/executor:? not-applicable",
                "d authenticated",
            ],
        ),
        (
            "uses: jerray/publish-docker-action@master\n    with: {username: u, password: p, file: d/Dockerfile}",
            &[
                "jerray/publish-docker-action:? impossible",
                "d authenticated",
            ],
        ),
        (
            "uses: philips-software/docker-ci-scripts@v5\n    with: {dockerfile: ., image-name: x, tags: y, base-dir: d}",
            &["docker:? impossible", "d impossible"],
        ),
        (
            "uses: Borales/actions-yarn@v5\n    with: {cmd: db}",
            &["root anonymous"],
        ),
        (
            "uses: Borales/actions-yarn@v5\n    with: {cmd: run db, dir: web}",
            &["web anonymous"],
        ),
    ] {
        let text = format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - {}\n",
            step.replace("\n", "\n    ")
        );
        let tree = repository(&text, &files);
        let policy = crate::finding::Policy::default();
        let audit = crate::audit(&tree, &Options::default(), &policy);
        assert!(audit.unlisted.is_empty(), "{:?}", audit.unlisted);
        let mut lines: Vec<String> = Vec::new();
        for pull in &audit.pulls {
            let image = pull.image.clone().unwrap_or_default();
            lines.push(format!("{image} {}", pull.auth.name()));
        }
        lines.sort();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(lines, expected, "{step}");
    }
}

#[test]
fn dockers_own_workflow_signs_in_where_it_pushes() {
    let judged = |with: &str, secrets: &str| {
        let text = format!(
            "on: push\njobs:\n  image:\n    uses: docker/github-builder/.github/workflows/build.yml@v1\n    with: {{output: image, {with}}}\n{secrets}"
        );
        let tree = repository(&text, &[("app/Dockerfile", "FROM alpine:3\n")]);
        let audit = crate::audit(
            &tree,
            &Options::default(),
            &crate::finding::Policy::default(),
        );
        assert!(audit.unlisted.is_empty(), "{:?}", audit.unlisted);
        let lines = audit.pulls.iter().map(|pull| {
            let image = pull.image.clone().unwrap_or_default();
            format!("{} {image} {}", pull.job, pull.auth.name())
        });
        let rules = audit.findings.iter().map(|f| format!("rule {}", f.rule));
        lines.chain(rules).collect::<Vec<_>>()
    };
    let given = "    secrets:\n      registry-auths: |\n        - registry: docker.io\n          username: ${{ vars.U }}\n          password: ${{ secrets.T }}\n";
    assert_eq!(
        judged("push: true, context: app", given),
        [
            "image moby/buildkit:? impossible",
            "image alpine:3 authenticated",
            "rule cannot-authenticate",
        ]
    );
    assert_eq!(
        judged("push: false, context: app, setup-qemu: true", given),
        [
            "image tonistiigi/binfmt:? impossible",
            "image moby/buildkit:? impossible",
            "image alpine:3 impossible",
            "rule cannot-authenticate",
            "rule cannot-authenticate",
            "rule cannot-authenticate",
        ]
    );
    let on_push = "push: \"${{ github.event_name != 'pull_request' }}\", context: app";
    assert_eq!(
        judged(on_push, given)[1],
        "image alpine:3 authenticated",
        "{on_push}"
    );
    for secrets in [
        "    secrets: inherit\n",
        "    secrets:\n      registry-auths: ${{ secrets.AUTHS }}\n",
    ] {
        let lines = judged("push: true, context: app", secrets);
        assert_eq!(lines[1], "image alpine:3 unknown", "{secrets}");
    }
}

#[test]
fn a_docker_actions_own_client_does_not_see_the_jobs_login() {
    let text = "on: push\njobs:\n  j:\n    steps:\n      - uses: supercharge/mongodb-github-action@v1\n        with: {mongodb-version: 7}\n      - uses: docker/setup-qemu-action@v3\n";
    with(&repository(text, &[]), |cx, jobs| {
        let effects = &jobs[0].effects;
        let seen: Vec<String> = effects.iter().map(|e| line(cx, e)).collect();
        assert_eq!(
            seen,
            [
                "action docker:cli host no syntax",
                "action mongo:7 client",
                "action docker.io/tonistiigi/binfmt:latest client",
            ]
        );
        let client = |effect: &Effect| match &effect.kind {
            Kind::Pull { puller, .. } => puller.clone(),
            _ => Puller::Host,
        };
        assert_ne!(client(&effects[1]), client(&effects[2]));
    });
}

#[test]
fn an_unknown_action_is_noted_once_and_pulls_nothing() {
    let text = "on: push\njobs:\n  j:\n    steps:\n      - uses: who/knows@v1\n      - uses: who/knows@v2\n";
    with(&repository(text, &[]), |cx, jobs| {
        let kinds = jobs[0].effects.iter().map(|e| &e.kind);
        assert!(kinds.clone().count() == 2 && kinds.clone().all(|k| *k == Kind::Unlisted));
        let (_, unlisted) = cx.take_notes();
        assert_eq!(unlisted.len(), 1);
        assert_eq!(
            (unlisted[0].name.as_str(), unlisted[0].line),
            ("who/knows", 5)
        );
    });
}

#[test]
fn what_is_no_workflow_is_said_to_be_none() {
    for (text, why) in [
        ("", "empty"),
        ("- a\n", "not a mapping"),
        ("jobs: {}\n", "no `on`"),
        ("on: push\n", "no mapping `jobs`"),
        ("on: push\njobs: {a: 1}\n", "job `a` is not a mapping"),
        (
            "on: push\njobs: {a: {steps: [{uses: ./no}]}}\n",
            "no `action.yml`",
        ),
        (
            "on: push\njobs: {a: {steps: [{uses: ../../x}]}}\n",
            "another repository's checkout",
        ),
        (
            "on: push\njobs: {a: {uses: ./.github/workflows/no.yml}}\n",
            "not in this repository",
        ),
    ] {
        with(&repository(text, &[]), |cx, _| {
            let (unread, _) = cx.take_notes();
            assert!(
                unread.iter().any(|u| u.message.contains(why)),
                "{text}: {unread:?}"
            );
        });
    }
}

#[test]
fn a_pull_points_at_the_image_as_written() {
    let text = "on: push\njobs:\n  j:\n    container: \"node:22\"\n    steps:\n      - uses: docker://alpine\n";
    with(&repository(text, &[]), |cx, jobs| {
        let written: Vec<String> = jobs[0]
            .effects
            .iter()
            .map(|e| {
                cx.sources
                    .get(e.span.file)
                    .slice(e.span.start, e.span.end)
                    .to_owned()
            })
            .collect();
        assert_eq!(written, ["node:22", "alpine"]);
    });
}

#[test]
fn a_checkout_in_a_folder_is_found_there() {
    let text = "on: push\njobs:\n  j:\n    steps:\n      - uses: actions/checkout@v4\n        with: {path: src}\n      - uses: actions/checkout@v4\n        with: {repository: o/r, path: other}\n      - uses: ./src/a\n      - uses: ./other/b\n";
    let action = "runs: {using: composite, steps: [{uses: docker/setup-qemu-action@v3}]}";
    let tree = repository(text, &[("a/action.yml", action)]);
    assert_eq!(
        lines(&tree)[1],
        "action docker.io/tonistiigi/binfmt:latest client"
    );
    with(&tree, |cx, _| {
        assert_eq!(cx.take_notes().0.len(), 1);
    });
}

#[test]
fn an_action_that_runs_another_one_is_followed() {
    let retried = |action: &str, with: &str| {
        let with = with.replace('\n', "\n      ");
        job(&format!(
            "steps:\n- uses: Wandalen/wretry.action@v3\n  with:\n    action: {action}\n    with: |\n      {with}"
        ))
    };
    assert_eq!(
        retried(
            "docker/login-action@v3",
            "username: me\npassword: ${{ secrets.TOKEN }}"
        ),
        ["login \"\" me/${{ secrets.TOKEN }} by docker/login-action"]
    );
    assert_eq!(retried("actions/checkout@v4", "path: x"), [""; 0]);
    assert_eq!(
        retried("${{ inputs.action }}", "a: b"),
        ["opaque uses: Wandalen/wretry.action if ${{ inputs.action }}"]
    );
}

#[test]
fn a_build_into_an_archive_saves_its_image() {
    let text = "on: push\njobs:\n  j:\n    steps:\n      - uses: docker/build-push-action@v6\n        with: {context: ., tags: 'app:ci', outputs: 'type=docker,dest=/tmp/app.tar'}\n";
    let tree = repository(text, &[("Dockerfile", "FROM debian:12\n")]);
    assert_eq!(
        lines(&tree)[1..],
        [
            "dockerfile debian:12 client",
            "provide app:ci",
            "save app:ci"
        ]
    );
}

#[test]
fn a_tag_made_of_a_branch_is_a_legal_one() {
    assert_eq!(
        job("steps:\n- uses: pypa/gh-action-pypi-publish@release/v1")[0],
        "action ghcr.io/pypa/gh-action-pypi-publish:release-v1 client"
    );
    // An old version is built from a Dockerfile, and pulls none of its own.
    assert_eq!(
        job("steps:\n- uses: pypa/gh-action-pypi-publish@v1.4.2"),
        ["action python:3.12-slim host no syntax"]
    );
    let commit = "ec124f7998718d79379a3c5b39f5359952baf21d";
    assert_eq!(
        job(&format!(
            "steps:\n- uses: megalinter/megalinter/flavors/go@{commit}"
        ))[0],
        "action oxsecurity/megalinter-go:? host no syntax"
    );
}

#[test]
fn a_script_that_is_known_only_when_the_job_runs_is_unknown() {
    for (script, seen) in [
        ("${{ vars.BUILD }}", "opaque ${{ vars.BUILD }}"),
        (
            "./${{ vars.M }}/build.sh",
            "opaque the script `./${{ vars.M }}/build.sh`",
        ),
        (
            "bash ci/${{ vars.M }}.sh",
            "opaque the script `ci/${{ vars.M }}.sh`",
        ),
    ] {
        assert_eq!(job(&format!("steps:\n- run: {script}")), [seen]);
    }
    for nothing in [
        "npm run ${{ vars.TASK }}",
        "echo ${{ vars.X }}",
        "$SCRIPT",
        "./$M/build.sh",
    ] {
        assert!(
            job(&format!("steps:\n- run: {nothing}")).is_empty(),
            "{nothing}"
        );
    }
}

#[test]
fn what_cannot_be_known_is_said_once_in_a_job() {
    let twice = "- uses: devcontainers/ci@v0.3\n";
    assert_eq!(
        job(&format!(
            "steps:\n{twice}{twice}- run: earthly +a\n- run: earthly +b"
        )),
        [
            "opaque devcontainer",
            "run docker.io/earthly/buildkitd:? client",
            "provide ?",
            "opaque earthly",
            "run docker.io/earthly/buildkitd:? client",
            "provide ?"
        ]
    );
}

#[test]
fn an_action_that_nobody_listed_may_sign_in_with_what_it_is_given() {
    let steps = |with: &str| job(&format!("steps:\n- uses: o/setup@v1\n  with: {{{with}}}"));
    for with in [
        "DOCKERHUB_TOKEN: '${{ secrets.T }}'",
        "registry-password: '${{ secrets.DOCKER_PASSWORD }}'",
        "docker-pat: '${{ secrets.T }}'",
    ] {
        let lines = steps(with);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].contains("by `o/setup` (which is given a credential"),
            "{lines:?}"
        );
    }
    for with in [
        "token: '${{ secrets.GITHUB_TOKEN }}'",
        "docker: true",
        "dockerfile_path: 'Dockerfile'",
        "docker-compose-path: 'x.yml'",
        "docker_pattern: '*'",
    ] {
        assert_eq!(steps(with), [""; 0]);
    }
}

#[test]
fn a_build_without_a_context_is_of_the_repository() {
    let build = |with: &str| {
        let text = format!(
            "on: push\njobs:\n  j:\n    steps:\n      - uses: docker/build-push-action@v6\n        with: {{push: true{with}}}\n"
        );
        let files = [
            ("Dockerfile", "FROM node:22\n"),
            ("web/Dockerfile", "FROM nginx\n"),
        ];
        lines(&repository(&text, &files)).split_off(1)
    };
    assert_eq!(build(""), ["dockerfile node:22 client"]);
    assert_eq!(build(", file: web/Dockerfile"), ["dockerfile nginx client"]);
    assert_eq!(
        build(", context: '{{defaultContext}}:web'"),
        ["dockerfile nginx client"]
    );
}

#[test]
fn what_compose_built_in_a_checkout_is_known_by_its_whole_name() {
    let text = "on: push\njobs:\n  j:\n    steps:\n      - run: docker compose up -d --build\n      - run: docker run --rm shop-web npm test\n";
    let files = [
        (
            "compose.yaml",
            "services:\n  web: {build: .}\n  db: {image: 'postgres:16'}\n",
        ),
        ("Dockerfile", "FROM node:22\n"),
    ];
    let audit = crate::audit(
        &repository(text, &files),
        &Options::default(),
        &crate::finding::Policy::default(),
    );
    let images: Vec<_> = audit.pulls.iter().map(|p| p.image.as_deref()).collect();
    assert_eq!(images, [Some("node:22"), Some("postgres:16")]);
}

#[test]
fn a_docker_action_in_a_local_action_sees_no_login_of_a_job_in_a_container() {
    let action = "runs:\n  using: composite\n  steps:\n    - uses: docker://m:1\n";
    let workflow = "on: push\njobs:\n  inside:\n    container: ghcr.io/x/y:1\n    steps: [{uses: ./ci/a}]\n  outside:\n    steps: [{uses: ./ci/a}]\n";
    let tree = repository(workflow, &[("ci/a/action.yml", action)]);
    assert_eq!(
        lines(&tree),
        [
            "[inside]",
            "container ghcr.io/x/y:1 host",
            "action m:1 host no syntax",
            "[outside]",
            "action m:1 client",
        ]
    );
}

#[test]
fn a_checkout_of_this_repository_by_its_name_is_a_checkout() {
    for (name, found) in [
        ("Acme/x", true),
        ("${{ github.repository }}", true),
        ("acme/y", false),
    ] {
        let text = format!(
            "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n      - {{uses: actions/checkout@v4, with: {{repository: '{name}'}}}}\n      - run: ./build.sh\n"
        );
        let tree = repository(&text, &[("build.sh", "docker pull alpine:3\n")]).named("acme/x");
        assert_eq!(lines(&tree).len(), 1 + usize::from(found), "{name}");
    }
}

#[test]
fn a_checkout_of_another_repository_of_the_same_owner_is_none_of_this_one() {
    for (name, is_this) in [
        ("${{ github.repository }}", true),
        ("${{ github.event.pull_request.head.repo.full_name }}", true),
        (
            "${{ github.event.pull_request.head.repo.owner.login }}/x",
            true,
        ),
        (
            "${{ github.repository_owner }}/${{ github.event.repository.name }}",
            true,
        ),
        ("${{ github.repository_owner }}/operator", false),
        ("${{ vars.OWNER || 'acme' }}/operator", false),
        ("acme/operator", false),
    ] {
        let text = format!(
            "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n      - {{uses: actions/checkout@v4, with: {{path: app}}}}\n      - {{uses: actions/checkout@v4, with: {{path: operator, repository: \"{name}\"}}}}\n      - {{run: make up, working-directory: operator}}\n"
        );
        let tree = repository(&text, &[("Makefile", "up:\n\tdocker run redis:7\n")]);
        let seen = lines(&tree);
        let found = seen.iter().any(|line| line.contains("redis:7"));
        assert_eq!(found, is_this, "{name}: {seen:?}");
    }
}

#[test]
fn a_local_action_of_javascript_may_run_a_client() {
    let docker = "const { execFileSync } = require('child_process');\nexecFileSync('docker', ['run', '--rm', 'alpine:3']);\n";
    let large = format!("{}{docker}", "// bundle\n".repeat(40_000));
    let built = "{\"main\": \"lib/main.js\", \"scripts\": {\"build\": \"tsc\", \"package\": \"ncc build -o dist\"}}";
    let named = "{\"scripts\": {\"package\": \"npx ncc build source/start.ts -o dist\"}}";
    let unknown = |path: &str| {
        format!("the action's code runs `docker run` in `{path}`, and is not read further")
    };
    for (files, expected) in [
        (
            vec![("a/dist/index.js", docker)],
            Some(unknown("a/dist/index.js")),
        ),
        (
            vec![("a/dist/index.js", "console.log('docker run x')\n")],
            None,
        ),
        (
            vec![
                ("a/dist/index.js", "require('./lib')\n"),
                ("a/dist/lib.js", docker),
            ],
            Some(unknown("a/dist/lib.js")),
        ),
        (
            vec![
                ("a/dist/index.js", large.as_str()),
                ("a/package.json", built),
                ("a/src/main.ts", docker),
            ],
            Some(unknown("a/src/main.ts")),
        ),
        (
            vec![
                ("a/dist/index.js", large.as_str()),
                ("a/package.json", named),
                (
                    "a/source/start.ts",
                    "import { up } from './docker';\nup();\n",
                ),
                ("a/source/docker.ts", docker),
            ],
            Some(unknown("a/source/docker.ts")),
        ),
        (
            vec![
                ("a/dist/index.js", large.as_str()),
                ("a/src/other.ts", docker),
            ],
            None,
        ),
        (
            vec![
                ("a/package.json", named),
                ("a/source/start.ts", "import {up} from './one'\n"),
                ("a/source/one.ts", "import {up} from './two'\n"),
                ("a/source/two.ts", docker),
            ],
            Some(unknown("a/source/two.ts")),
        ),
    ] {
        let workflow =
            "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n      - {uses: ./a}\n";
        let action = ("a/action.yml", "runs: {using: node20, main: dist/index.js}");
        let files: Vec<_> = files.into_iter().chain([action]).collect();
        let tree = repository(workflow, &files);
        let seen = with(&tree, |_, jobs| {
            let mut effects = jobs.iter().flat_map(|job| job.effects.iter());
            effects.find_map(|effect| match &effect.kind {
                Kind::Opaque { why, .. } => Some(why.to_string()),
                _ => None,
            })
        });
        assert_eq!(seen, expected, "{:?}", files.first());
    }
}

#[test]
fn what_may_stand_before_a_command_hides_it_not() {
    let seen = job(
        "steps:\n  - run: ${{ vars.COV && 'X=1 ' || '' }}docker pull a\n  - run: ${{ vars.COV && 'sudo ' || '' }}bash -c 'docker pull b'\n  - run: ${{ vars.SUDO }} docker pull c\n  - run: ${{ vars.X }}other pull d",
    );
    assert_eq!(seen, ["run a client", "run b client", "run c client"]);
}

#[test]
fn the_registry_that_a_login_gives_away_is_no_docker_hub() {
    let seen = job(
        "steps:\n  - {id: ecr, uses: aws-actions/amazon-ecr-login@v2}\n  - run: docker pull ${{ steps.ecr.outputs.registry }}/x:1\n  - run: docker pull ${{ steps.ecr.outputs.other }}/x:1",
    );
    let seen: Vec<&String> = seen.iter().filter(|line| line.starts_with("run")).collect();
    assert_eq!(
        seen,
        [
            "run ?.dkr.ecr.?.amazonaws.com/x:1 client",
            "run ${{ steps.ecr.outputs.other }}/x:1 client"
        ]
    );
}

#[test]
fn a_cluster_of_the_newest_version_is_pulled() {
    let seen = job("steps:\n  - uses: nolar/setup-k3d-k3s@v1");
    assert_eq!(
        seen,
        [
            "action rancher/k3s:? client",
            "action ghcr.io/k3d-io/k3d-tools:latest client"
        ]
    );
    let none = "steps:\n  - uses: nolar/setup-k3d-k3s@v1\n    with: {skip-creation: true}";
    assert!(job(none).is_empty());
}

#[test]
fn an_expression_that_is_a_flag_or_nothing_is_no_image() {
    let seen = job(
        "steps:\n  - run: docker run ${{ github.actor == '-x' && '-q' || '' }} ghcr.io/a/b\n  - run: docker pull ${{ github.actor == '-x' && 'c' || 'd' }}\n  - run: docker run ${{ vars.DOCKER_ARGS }} e\n  - run: docker run ${{ env.IT }} -x",
    );
    assert_eq!(
        seen,
        [
            "run ghcr.io/a/b client",
            "run ${{ github.actor == '-x' && 'c' || 'd' }} client",
            "run e client",
            "run ${{ env.IT }} client"
        ]
    );
}
