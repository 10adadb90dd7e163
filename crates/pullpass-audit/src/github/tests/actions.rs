//! What well-known actions do, and actions of the repository that use each other.

use super::{PATH, job, lines, repository};
use crate::context::{Context, Options};
use crate::source::{MemoryTree, RepoPath};

const DOCKERFILE: &[(&str, &str)] = &[("app/Dockerfile", "FROM node:22\n")];

/// What a job with one step does, in a repository with `app/Dockerfile`.
fn step(step: &str) -> Vec<String> {
    let text = format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps: [{step}]\n");
    lines(&repository(&text, DOCKERFILE)).split_off(1)
}

#[test]
fn actions_that_build_take_the_dockerfile_of_their_inputs() {
    let built = "dockerfile node:22 client".to_owned();
    for uses in [
        "{uses: nais/docker-build-push@v0, with: {team: x, docker_context: app, dockerfile: app/Dockerfile}}",
        "{uses: home-assistant/builder/actions/build-image@1, with: {image: ghcr.io/me/a, context: app}}",
        "{uses: lsst-sqre/build-and-push-to-ghcr@v1, with: {image: me/a, context: app, dockerfile: app/Dockerfile}}",
    ] {
        let seen = step(uses);
        assert_eq!(seen.last(), Some(&built), "{uses}: {seen:?}");
        let signs_in = seen.iter().any(|line| line.starts_with("login \"\""));
        assert!(!signs_in, "none of them signs in to Docker Hub: {seen:?}");
    }
    let seen = step(
        "{uses: home-assistant/builder/actions/build-image@1, with: {image: me/a, context: app, push: 'true', container-registry: docker.io, container-registry-password: x}}",
    );
    assert!(seen[0].starts_with("login \"docker.io\""), "{seen:?}");
}

#[test]
fn industrial_ci_pulls_what_variables_say_of_ros() {
    for (body, images) in [
        ("env: {ROS_DISTRO: humble}", &["ubuntu:jammy"][..]),
        (
            "env: {ROS_DISTRO: noetic, DOCKER_IMAGE: 'ros:noetic'}",
            &["ros:noetic"],
        ),
        ("env: {ROS_DISTRO: noetic, ISOLATION: shell}", &[]),
        (
            "env: {ROS_DISTRO: rolling, OS_CODE_NAME: bookworm}",
            &["debian:bookworm"],
        ),
        ("env: {A: b}", &[]),
        (
            "env: '${{ matrix.env }}'\nstrategy: {matrix: {env: [{ROS_DISTRO: jazzy}, {DOCKER_IMAGE: 'ros:rolling'}]}}",
            &["ubuntu:noble", "ros:rolling"],
        ),
    ] {
        let seen = job(&format!(
            "{body}\nsteps: [{{uses: ros-industrial/industrial_ci@master}}]"
        ));
        let seen: Vec<&String> = seen.iter().filter(|line| !line.starts_with('[')).collect();
        let images: Vec<String> = images
            .iter()
            .map(|i| format!("action {i} client"))
            .collect();
        assert_eq!(seen, images.iter().collect::<Vec<_>>(), "{body}");
    }
    let seen = job(
        "strategy: {matrix: {env: [{ROS_DISTRO: foxy}]}}\nsteps: [{uses: ros-industrial/industrial_ci@master, with: {config: '${{ toJSON(matrix.env) }}'}}]",
    );
    assert_eq!(seen, ["action ubuntu:focal client"]);
}

/// The pulls of a job that builds for Rust, in a repository with a `Cross.toml`.
fn rust(runs_on: &str, steps: &str) -> Vec<String> {
    let text = format!("on: push\njobs:\n  j:\n    runs-on: {runs_on}\n    steps: [{steps}]\n");
    let tree = repository(
        &text,
        &[
            ("Cross.toml", "[target.a-linux]\nimage = \"me/cross:a\"\n"),
            (
                "in/Cross.toml",
                "[target.a-linux]\nimage = \"me/cross:b\"\n",
            ),
        ],
    );
    lines(&tree).split_off(1)
}

#[test]
fn actions_that_call_cross_pull_the_image_of_the_target() {
    let own = "action me/cross:a client";
    let inner = "action me/cross:b client";
    let cross = "action ghcr.io/cross-rs/aarch64-unknown-linux-gnu:? client";
    for (steps, expected) in [
        (
            "{uses: actions-rs/cargo@v1, with: {use-cross: true, command: build, args: --release --target a-linux}}",
            &[own][..],
        ),
        (
            "{uses: actions-rs/cargo@v1, with: {use-cross: true, command: +nightly t, args: --target=a-linux}}",
            &[own],
        ),
        (
            "{uses: actions-rs/cargo@v1, with: {use-cross: false, command: build, args: --target a-linux}}",
            &[],
        ),
        (
            "{uses: actions-rs/cargo@v1, with: {use-cross: true, command: fmt}}",
            &[],
        ),
        (
            "{uses: clechasseur/rs-cargo@v4, with: {use-cross: true, command: test, args: --target a-linux, working-directory: in}}",
            &[inner],
        ),
        (
            "{uses: ClementTsang/cargo-action@v0.0.6, with: {use-cross: true, command: build, args: --target a-linux, directory: in}}",
            &[inner],
        ),
        (
            "{uses: philss/rustler-precompiled-action@v1.1.4, with: {use-cross: true, target: a-linux, project-dir: in}}",
            &[inner],
        ),
        (
            "{uses: houseabsolute/actions-rust-cross@v1, with: {target: a-linux}}",
            &[own],
        ),
        (
            "{uses: houseabsolute/actions-rust-cross@v1, with: {target: x86_64-unknown-linux-musl}}",
            &[],
        ),
        (
            "{uses: houseabsolute/actions-rust-cross@v1, with: {target: a-linux, working-directory: in, force-use-cross: true}}",
            &[inner],
        ),
        (
            "{uses: taiki-e/upload-rust-binary-action@v1, with: {bin: x, target: a-linux, build-tool: cross}}",
            &[own],
        ),
        (
            "{uses: taiki-e/upload-rust-binary-action@v1, with: {bin: x, target: a-linux, build_tool: cross, manifest-path: in/Cargo.toml}}",
            &[inner],
        ),
        (
            "{uses: taiki-e/upload-rust-binary-action@v1, with: {bin: x, target: a-linux}}",
            &[own],
        ),
        (
            "{uses: taiki-e/upload-rust-binary-action@v1, with: {bin: x, target: x86_64-unknown-linux-gnu}}",
            &[],
        ),
        (
            "{uses: taiki-e/upload-rust-binary-action@v1, with: {bin: x, target: a-linux, build-tool: cargo-zigbuild}}",
            &[],
        ),
        (
            "{uses: taiki-e/setup-cross-toolchain-action@v1, with: {target: a-linux}}, {uses: taiki-e/upload-rust-binary-action@v1, with: {bin: x, target: a-linux}}",
            &[],
        ),
    ] {
        assert_eq!(rust("ubuntu-latest", steps), expected, "{steps}");
    }
    let seen = rust(
        "ubuntu-latest",
        "{uses: houseabsolute/actions-rust-cross@v1, with: {target: aarch64-unknown-linux-gnu}}",
    );
    assert!(seen.len() == 1 && seen[0].starts_with(cross), "{seen:?}");
    assert!(
        seen[0].contains("RUNNER_ARCH"),
        "a machine with that processor needs no other one's: {seen:?}"
    );
    let macs = rust(
        "macos-latest",
        "{uses: actions-rs/cargo@v1, with: {use-cross: true, command: build, args: --target a-linux}}",
    );
    assert!(macs.is_empty(), "{macs:?}");
}

#[test]
fn a_cross_of_old_pulls_from_docker_hub() {
    let build = "{run: cross build --target a-unknown}";
    for (before, image) in [
        (
            "{run: cargo install cross --version 0.2.1}",
            "run rustembedded/cross:a-unknown-0.2.1 client",
        ),
        (
            "{run: cargo install --version=0.1.16 cross}",
            "run rustembedded/cross:a-unknown-0.1.16 client",
        ),
        (
            "{uses: taiki-e/install-action@v2, with: {tool: 'cross@0.2.1'}}",
            "run rustembedded/cross:a-unknown-0.2.1 client",
        ),
        (
            "{run: cargo install cross --version 0.2.5}",
            "run ghcr.io/cross-rs/a-unknown:? client",
        ),
        (
            "{run: cargo install cross}",
            "run ghcr.io/cross-rs/a-unknown:? client",
        ),
    ] {
        let seen = rust("ubuntu-latest", &format!("{before}, {build}"));
        assert_eq!(seen, [image], "{before}");
    }
}

#[test]
fn actions_that_run_gradle_pull_what_its_tasks_do() {
    let tree = |step: &str| {
        let text =
            format!("on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps: [{step}]\n");
        let build = "dependencies { testImplementation('org.testcontainers:postgresql:1.19.0') }\n";
        let files = [("build.gradle", build), ("sub/build.gradle", build)];
        lines(&repository(&text, &files)).split_off(1)
    };
    for name in [
        "gradle/gradle-build-action@v2",
        "gradle/actions/setup-gradle@v3",
        "burrunan/gradle-cache-action@v1",
        "eskatos/gradle-command-action@v1",
    ] {
        for (with, pulls) in [
            ("{arguments: test}", true),
            ("{arguments: clean test, build-root-directory: sub}", true),
            ("{arguments: assemble}", false),
            ("{gradle-version: wrapper}", false),
        ] {
            let seen = tree(&format!("{{uses: {name}, with: {with}}}"));
            let ryuk = seen.iter().any(|line| line.contains("testcontainers/ryuk"));
            assert_eq!(ryuk, pulls, "{name} {with}: {seen:?}");
        }
    }
}

#[test]
fn firmware_and_games_are_built_in_the_images_of_their_actions() {
    for (uses, expected) in [
        (
            "{uses: espressif/esp-idf-ci-action@v1, with: {esp_idf_version: v5.1}}",
            "action espressif/idf:v5.1 client",
        ),
        (
            "{uses: espressif/esp-idf-ci-action@v1}",
            "action espressif/idf:latest client",
        ),
        (
            "{uses: game-ci/unity-builder@v4, with: {targetPlatform: WebGL}}",
            "action unityci/editor:? client",
        ),
        (
            "{uses: game-ci/unity-test-runner@v4, with: {customImage: 'me/unity:1'}}",
            "action me/unity:1 client",
        ),
        (
            "{uses: dependency-check/Dependency-Check_Action@main}",
            "action owasp/dependency-check-action:latest host no syntax",
        ),
        (
            "{uses: python-semantic-release/python-semantic-release@v9}",
            "action python:? host no syntax",
        ),
    ] {
        assert_eq!(step(uses), [expected], "{uses}");
    }
}

#[test]
fn a_path_of_the_machine_is_none_of_the_repository() {
    let seen = step("{uses: docker/build-push-action@v6, with: {context: /app}}");
    let said = "opaque build of `/app`";
    assert!(seen.iter().any(|line| line == said), "{seen:?}");
    let seen = step("{working-directory: /app, run: docker build .}");
    assert!(
        !seen.iter().any(|line| line.contains("node:22")),
        "{seen:?}"
    );
}

#[test]
fn a_step_of_another_language_that_runs_a_client_is_unknown() {
    for (program, count) in [
        ("subprocess.run(['docker', 'pull', 'a/b'])", 1),
        ("print('docker pull a/b')", 0),
    ] {
        let seen = job(&format!("steps: [{{shell: python, run: \"{program}\"}}]"));
        assert_eq!(seen.len(), count, "{program}: {seen:?}");
    }
}

#[test]
fn the_function_case_is_each_of_its_values_under_its_condition() {
    assert_eq!(
        job("container: ${{ case(github.ref == 'a', 'x:1', github.ref == 'b', 'y:2', 'z:3') }}"),
        [
            "container x:1 host if github.ref == 'a'",
            "container y:2 host if not github.ref == 'a'; github.ref == 'b'",
            "container z:3 host if not github.ref == 'a'; not github.ref == 'b'",
        ]
    );
    assert_eq!(
        job(
            "container: \"${{ case(matrix.d == 'pg', 'postgres:16', 'mysql:8') }}\"\nstrategy: {matrix: {d: [pg, my]}}"
        )
        .iter()
        .filter(|line| line.starts_with("container"))
        .collect::<Vec<_>>(),
        ["container postgres:16 host", "container mysql:8 host"]
    );
}

/// The effects of a workflow that uses `./a`, and what could not be followed.
fn local(actions: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let workflow = "on: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./a}]\n";
    let files: Vec<(String, String)> = actions
        .iter()
        .map(|(name, steps)| {
            let inputs = "inputs:\n  again: {default: 'true'}\n";
            let text = format!("{inputs}runs:\n  using: composite\n  steps:\n{steps}");
            (format!("{name}/action.yml"), text)
        })
        .collect();
    let tree = files.iter().fold(
        MemoryTree::new().with(PATH, workflow),
        |tree, (path, text)| tree.with(path, text.as_str()),
    );
    let seen = lines(&tree).split_off(1);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let _ = crate::github::lower(&cx, &RepoPath::new(PATH).unwrap());
    let (unread, _) = cx.take_notes();
    (seen, unread.into_iter().map(|one| one.message).collect())
}

#[test]
fn local_actions_may_use_each_other_under_a_condition() {
    let pull = "    - {shell: bash, run: 'docker pull x:${{ inputs.again }}'}\n";
    let a = format!("    - {{if: \"inputs.again == 'true'\", uses: ./b}}\n{pull}");
    let b = "    - {uses: ./a, with: {again: 'false'}}\n";
    let (seen, unread) = local(&[("a", &a), ("b", b)]);
    assert_eq!(seen, ["run x:false client", "run x:true client"]);
    assert!(unread.is_empty(), "{unread:?}");

    let (seen, unread) = local(&[("a", "    - {uses: ./a}\n")]);
    assert!(seen.is_empty(), "{seen:?}");
    let said = "the action `./a` uses itself with the same inputs, which has no end";
    assert_eq!(unread, [said]);

    let grows = "    - {uses: ./a, with: {again: '${{ inputs.again }}x'}}\n";
    let (_, unread) = local(&[("a", &format!("{grows}{grows}"))]);
    assert!(!unread.is_empty());
}

#[test]
fn a_secret_that_is_passed_is_there() {
    let signs_in = |name: &str| {
        let seen = step(&format!(
            "{{uses: mr-smithers-excellent/docker-build-push@v6, with: {{image: me/a, registry: docker.io, directory: app, username: '{name}', password: '${{{{ secrets.P }}}}'}}}}"
        ));
        seen[0].clone()
    };
    for name in ["me", "${{ secrets.U }}"] {
        let login = signs_in(name);
        assert!(login.starts_with("login \"docker.io\""), "{login}");
        assert!(!login.contains(" if "), "{login}");
    }
    // Whether a variable of the repository has a value, nobody can tell.
    assert!(signs_in("${{ vars.U }}").ends_with(" if ${{ vars.U }}"));
}
