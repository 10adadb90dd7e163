//! Programs that run others, and those whose images a table or their own configuration names.

use super::{effects, effects_in, pulls};

/// How each of them says what it runs stands in its manual.
#[test]
fn flags_may_stand_before_what_a_tool_is_told_to_do() {
    for script in [
        "skaffold -v info run",
        "tilt --file x/Tiltfile ci",
        "tilt -v ci",
        "werf --dev build",
        "werf --env x converge",
    ] {
        let opaque = |line: &String| line.starts_with("opaque ");
        assert_eq!(
            effects(script).iter().filter(|l| opaque(l)).count(),
            1,
            "{script}"
        );
    }
    let from = "buildah --log-level debug from a/b";
    assert_eq!(pulls(from), ["a/b as podman"]);
}

#[test]
fn programs_that_run_others_are_looked_through() {
    for script in [
        "nix develop -c docker pull a",
        "nix develop .#ci --command bash -c 'docker pull a'",
        "nix shell nixpkgs#docker -c docker pull a",
        "nix run nixpkgs#docker -- pull a",
        "nix run --impure nixpkgs#docker pull a",
        "nix-shell --run 'docker pull a'",
        "nix-shell -p docker git --command \"docker pull a\"",
        "sg docker -c 'docker pull a'",
        "sg docker 'docker pull a'",
        "newgrp docker <<END\ndocker pull a\nEND",
        "direnv exec . docker pull a",
        "devenv shell docker pull a",
        "devenv shell -- docker pull a",
        "xvfb-run -a docker pull a",
        "xvfb-run --server-args='-screen 0' -a -e /dev/stdout docker pull a",
        "dbus-run-session -- docker pull a",
        "systemd-run --scope -p MemoryMax=1G docker pull a",
        "script -qec 'docker pull a' /dev/null",
        "watch -n 5 docker pull a",
        "start-server-and-test 'docker pull a' http://localhost:80 test",
        "go tool crane digest a",
        "go run github.com/google/go-containerregistry/cmd/crane@latest pull a x.tar",
        "go run -mod=mod github.com/x/crane/v2 pull a x.tar",
    ] {
        assert_eq!(pulls(script), ["a always"], "{script}");
    }
    for script in [
        "direnv allow . docker pull a",
        "go run ./cmd/crane pull a",
        "go run example.com/own/cmd/crane pull a",
        "go build github.com/google/crane",
    ] {
        let files = [("go.mod", "module example.com/own\n")];
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn roots_home_is_another_one() {
    for (script, expected) in [
        ("su root -c 'docker login -u u -p $P'", " in /root/.docker"),
        ("su -c 'docker login -u u -p $P'", " in /root/.docker"),
        ("su -m root -c 'docker login -u u -p $P'", ""),
        ("su - \"$USER\" -c 'docker login -u u -p $P'", ""),
    ] {
        let lines = effects(script);
        assert_eq!(lines.len(), 1, "{script}");
        let line = lines[0].split("docker login").nth(1).unwrap();
        assert_eq!(line, expected, "{script}");
    }
}

#[test]
fn a_program_of_the_repository_may_be_what_a_login_is_for() {
    let login = "docker login -u u -p $P";
    let files = [
        ("bin/sign.py", "print(1)\n"),
        ("tools/build.py", "print(1)\n"),
        ("run.rb", "puts 1\n"),
        ("ship.js", "#!/usr/bin/env node\n"),
    ];
    for script in [
        "python bin/sign.py x",
        "python3 -u -W ignore bin/sign.py",
        "python -m tools.build",
        "ruby run.rb",
        "node --enable-source-maps ship.js",
        "node ship",
        "./ship.js",
        "poetry run python bin/sign.py",
    ] {
        let lines = effects_in(&files, &format!("{login}\n{script}"));
        assert_eq!(
            lines.last().map(String::as_str),
            Some("unlisted"),
            "{script}"
        );
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    for script in [
        "python -m pip install x",
        "node other.js",
        "python -c 'x'",
        "ruby -v",
    ] {
        let lines = effects_in(&files, &format!("{login}\n{script}"));
        assert_eq!(lines.len(), 1, "{script}");
    }
}

/// Its own documentation: `docs/config_file.md`.
#[test]
fn cross_builds_in_the_images_that_a_project_names() {
    let config = "[build.dockerfile]\nfile = \"all.Dockerfile\"\n\n[target.a-linux]\nimage = \"me/cross:a\" # own\n";
    let named = "[target.a-linux]\nimage = \"me/cross:a\"\n[target.b-linux]\nimage.name = 'me/cross:b'\n[target.\"c-linux\".dockerfile]\nfile = \"c.Dockerfile\"\n[target.d-linux]\nimage = { name = \"me/cross:d\", toolchain = [\"x\"] }\n";
    let docker = "ARG CROSS_BASE_IMAGE\nFROM $CROSS_BASE_IMAGE\nCOPY --from=me/tool:1 /x /x\n";
    let files = [
        ("one/Cross.toml", config),
        ("one/all.Dockerfile", docker),
        ("two/Cross.toml", named),
        ("two/c.Dockerfile", "FROM debian:12\n"),
        (
            "three/Cargo.toml",
            "[package.metadata.cross.target.a-linux]\nimage = \"me/cross:c\"\n",
        ),
        ("two/crate/Cargo.toml", "[package]\n"),
    ];
    let why = "opaque cross: for which target, and so in which of the images that its configuration names, is known only when the job runs";
    for (script, expected) in [
        (
            "cross build --target x-linux",
            &["pull ghcr.io/cross-rs/x-linux:?"][..],
        ),
        (
            "cd two; cross test --release --target a-linux",
            &["pull me/cross:a"],
        ),
        (
            "cd two/crate && cross build --target=b-linux",
            &["pull me/cross:b"],
        ),
        (
            "cross build --manifest-path two/Cargo.toml --target d-linux",
            &["pull me/cross:d"],
        ),
        ("cd two; cross build --target c-linux", &["pull debian:12"]),
        (
            "cd two; cross build --target e-linux",
            &["pull ghcr.io/cross-rs/e-linux:?"],
        ),
        ("cd two; cross build --target $T", &[why]),
        (
            "cd two; CROSS_TARGET_A_LINUX_IMAGE=me/other cross build --target a-linux",
            &["pull me/other"],
        ),
        (
            "cd one; cross build --target a-linux",
            &["pull me/cross:a", "pull me/tool:1"],
        ),
        (
            "cd three; cross build --target a-linux",
            &["pull me/cross:c"],
        ),
        ("cd three; cross --version", &[]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

/// <https://cibuildwheel.pypa.io/en/stable/options/#linux-image>
#[test]
fn cibuildwheel_builds_in_the_images_that_a_project_names() {
    let project = "[tool.cibuildwheel]\nmanylinux-x86_64-image = \"me/many:1\"\n[tool.cibuildwheel.linux]\nmusllinux-aarch64-image = \"musllinux_1_2\"\n";
    let over = "[tool.cibuildwheel]\nmanylinux-x86_64-image = 'manylinux_2_28'\n[[tool.cibuildwheel.overrides]]\nselect = \"cp38-*\"\nmanylinux-x86_64-image = \"\"\"me/old:1\"\"\"\n";
    let files = [
        ("own/pyproject.toml", project),
        ("over/pyproject.toml", over),
    ];
    let default = "pull quay.io/pypa/manylinux?_x86_64:?";
    for (script, expected) in [
        ("cibuildwheel --output-dir w", &[default][..]),
        ("cd own; cibuildwheel", &["pull me/many:1"]),
        (
            "CIBW_MANYLINUX_X86_64_IMAGE=me/many:2 cibuildwheel",
            &["pull me/many:2"],
        ),
        (
            "CIBW_MANYLINUX_X86_64_IMAGE=manylinux2014 cibuildwheel",
            &["pull quay.io/pypa/manylinux2014_x86_64:?"],
        ),
        (
            "export CIBW_MANYLINUX_X86_64_IMAGE=manylinux_2_$GLIBC; cibuildwheel",
            &["pull quay.io/pypa/manylinux_2_$GLIBC_x86_64:?"],
        ),
        (
            "CIBW_MANYLINUX_X86_64_IMAGE=quay.io/pypa/manylinux_2_28_x86_64:$T cibuildwheel",
            &["pull quay.io/pypa/manylinux_2_28_x86_64:$T"],
        ),
        ("CIBW_MANYLINUX_X86_64_IMAGE=$I cibuildwheel", &["pull $I"]),
        (
            "cd over; cibuildwheel",
            &["pull quay.io/pypa/manylinux_2_28_x86_64:?", "pull me/old:1"],
        ),
        (
            "CIBW_MUSLLINUX_AARCH64_IMAGE=me/musl:1 cibuildwheel",
            &[default, "pull me/musl:1"],
        ),
        ("cibuildwheel --platform macos", &[]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_clusters_configuration_names_its_images() {
    let kind = "kind: Cluster\nnodes:\n- role: control-plane\n  image: ghcr.io/me/node:1 # own\n- role: worker\n  image: \"ghcr.io/me/node:1\"\n";
    let k3d = "kind: Simple\nimage: me/k3s:1\nregistries:\n  create:\n    image: me/registry:2\n";
    let bare = "kind: Cluster\nnodes:\n- role: worker\n";
    let flow = "nodes: [{role: control-plane, image: kindest/node:v1.33.1}, {image: 'kindest/node:v1.33.1'}]\n# image: no\nimagePull: no\n";
    let json = "{\"nodes\": [\n  {\"image\": \"kindest/node:v1.33.1\"}]}\n";
    let anchor = "nodes:\n- {role: control-plane}\n- role: worker\n  image: &node me/node:3\n- {role: worker, image: *node}\n- {image: me/node:4}\n";
    let files = [
        ("kind.yml", kind),
        ("k3d.yml", k3d),
        ("bare.yml", bare),
        ("flow.yml", flow),
        ("kind.json", json),
        ("channel.yml", "image: stable\n"),
        ("anchor.yml", anchor),
    ];
    let proxies = [
        "pull ghcr.io/k3d-io/k3d-proxy:?",
        "pull ghcr.io/k3d-io/k3d-tools:?",
    ];
    for (script, expected) in [
        (
            "kind create cluster --config kind.yml",
            &["pull ghcr.io/me/node:1"; 2][..],
        ),
        (
            "kind create cluster --config=- < kind.yml",
            &["pull ghcr.io/me/node:1"; 2],
        ),
        (
            "kind create cluster --config kind.yml --image me/node:2",
            &["pull me/node:2"],
        ),
        (
            "kind create cluster --config bare.yml",
            &["pull kindest/node:?"],
        ),
        (
            "kind create cluster --config anchor.yml",
            &["pull me/node:3", "pull me/node:4"],
        ),
        (
            "kind create cluster --config none.yml",
            &["pull kindest/node:?"],
        ),
        (
            "kind create cluster --config flow.yml",
            &["pull kindest/node:v1.33.1", "pull kindest/node:v1.33.1"],
        ),
        (
            "kind create cluster --config kind.json",
            &["pull kindest/node:v1.33.1"],
        ),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
    for script in [
        "k3d cluster create --image +v1.36",
        "k3d cluster create --image=+$CHANNEL",
        "k3d cluster create -i latest",
        "k3d cluster create --config channel.yml",
    ] {
        let lines = effects_in(&files, script);
        let expected = [&["pull docker.io/rancher/k3s:?"], &proxies[..]].concat();
        assert_eq!(lines, expected, "{script}");
    }
    let lines = effects_in(&files, "k3d cluster create x --config k3d.yml");
    assert_eq!(
        lines,
        [&["pull me/k3s:1", "pull me/registry:2"], &proxies[..]].concat()
    );
}

/// <https://docs.k3s.io/installation/configuration>
#[test]
fn a_cluster_of_k3s_pulls_its_own_images() {
    let starts = |script: &str| {
        let lines = effects_in(&[], script);
        let of_k3s = lines.iter().filter(|line| line.contains("`rancher/...`"));
        of_k3s.count() == 1
    };
    for script in [
        "curl -sfL https://get.k3s.io | sh -",
        "curl -sfL https://get.k3s.io | INSTALL_K3S_EXEC='--disable traefik' sudo -E sh -s - --docker",
        "wget -qO- https://get.k3s.io | bash",
        "sudo k3s server --disable=traefik &",
    ] {
        assert!(starts(script), "{script}");
    }
    for script in [
        "curl -sfL https://get.k3s.io | INSTALL_K3S_SKIP_START=true sh -",
        "export INSTALL_K3S_SKIP_ENABLE=true\ncurl -sfL https://get.k3s.io | sh -",
        "curl -sfL https://get.example.com | sh -",
        "k3s kubectl get nodes",
        "curl -sfL https://get.k3s.io -o install.sh",
    ] {
        assert!(!starts(script), "{script}");
    }
}

/// GNU parallel's manual; `parallel -- …` is the one of moreutils.
#[test]
fn parallel_runs_a_command_for_each_argument() {
    let table: &[(&str, &[&str])] = &[
        (
            "parallel docker pull ::: a/b c/d",
            &["a/b always", "c/d always"],
        ),
        (
            "parallel -j4 --halt now,fail=1 'docker pull {}:1' ::: a/b c/d",
            &["a/b:1 always", "c/d:1 always"],
        ),
        (
            "parallel 'docker pull' ::: a/b c/d",
            &["a/b always", "c/d always"],
        ),
        (
            "printf 'a/b\\nc/d\\n' | parallel docker pull",
            &["a/b always", "c/d always"],
        ),
        (
            "printf 'docker pull a/b\\ndocker pull c/d\\n' | parallel",
            &["a/b always", "c/d always"],
        ),
        (
            "parallel ::: 'docker pull a/b' 'docker pull c/d'",
            &["a/b always", "c/d always"],
        ),
        (
            "parallel docker pull {1}:{2} ::: a/b c/d ::: 1 2",
            &[
                "a/b:1 always",
                "a/b:2 always",
                "c/d:1 always",
                "c/d:2 always",
            ],
        ),
        (
            "parallel docker pull me/{/.} ::: x/app.tar",
            &["me/app always"],
        ),
        (
            "parallel docker pull :::: list",
            &["a/b always", "c/d always"],
        ),
        ("parallel docker pull", &["$(parallel) always"]),
        (
            "parallel -j 2 -- 'docker pull a/b' 'docker pull c/d'",
            &["a/b always", "c/d always"],
        ),
        (
            "parallel docker pull -- a/b c/d",
            &["a/b always", "c/d always"],
        ),
        ("parallel gzip ::: a b", &[]),
    ];
    for (script, expected) in table {
        let lines = effects_in(&[("list", "a/b\nc/d\n")], script);
        let expected: Vec<String> = expected.iter().map(|pull| format!("pull {pull}")).collect();
        assert_eq!(lines, expected, "{script}");
    }
    assert_eq!(
        pulls("docker run $(cat image | xargs)"),
        ["$(cat image | xargs)"]
    );
}

#[test]
fn what_an_idle_command_is_given_still_happens() {
    for script in [
        "echo $(docker pull a)",
        "curl \"x/$(docker pull a)\"",
        "mkdir -p <(docker pull a)",
        "sleep ${X:=$(docker pull a)}",
        "A=$(docker pull a) git status",
        "git log > \"$(docker pull a)\"",
        "git() { docker pull a; }; git log",
        "echo() { docker pull a; }; echo",
        "mkdir() { docker pull a; }; mkdir b",
        ": ${IMAGE:=a}; docker pull $IMAGE",
        "git log $((docker pull a) | cat)",
    ] {
        assert_eq!(pulls(script), ["a always"], "{script}");
    }
    // What it prints is not known, and is no command that could be run.
    assert_eq!(
        effects("x=$(git describe); docker pull a:$x"),
        ["pull a:$(git describe) always"]
    );
    assert_eq!(pulls("x=$(echo b); docker pull a:$x"), ["a:b always"]);
    assert_eq!(pulls("x=$(mkdir b); docker pull a$x"), ["a always"]);
    assert_eq!(pulls("git log && docker pull a"), ["a always"]);
}

#[test]
fn a_prefix_that_is_not_known_runs_what_stands_behind_it() {
    for script in [
        "$SUDO docker pull a/b",
        "${DRY} crane digest a/b",
        "$DRY_RUN docker buildx imagetools inspect a/b",
    ] {
        assert_eq!(pulls(script), ["a/b always"], "{script}");
    }
    assert_eq!(pulls("$HELLO world a/b"), [""; 0]);
    assert_eq!(pulls("echo $SUDO docker pull a/b"), [""; 0]);
}

#[test]
fn a_test_of_an_images_structure_pulls_when_it_is_told_to() {
    let test = "container-structure-test test --image a/b --config c.yaml";
    assert_eq!(effects(test), [""; 0]);
    assert_eq!(pulls(&format!("{test} --pull")), ["a/b always"]);
}

#[test]
fn a_development_container_is_there_under_the_name_it_is_built_by() {
    let build = "devcontainer build --workspace-folder . --image-name smoke:test";
    assert!(effects(build).contains(&"provide smoke:test".to_owned()));
}

#[test]
fn shells_of_windows_run_what_they_are_given() {
    for script in [
        "cmd /c docker pull alpine",
        "cmd.exe /S /C \"docker pull alpine\"",
        "cmd //c 'docker pull alpine'",
        "pwsh -Command 'docker pull alpine'",
        "pwsh -NoProfile -c \"docker pull alpine\"",
        "pwsh -nop -ep Bypass -c docker pull alpine",
        "pwsh -Command '& docker pull alpine'",
        "pwsh -c 'Set-Location C:\\x; & { docker pull `\n alpine }'",
        "powershell.exe -ExecutionPolicy Bypass -WorkingDirectory x -Com \"docker pull alpine\"",
        "powershell 'docker pull alpine'",
        "bash -c \"pwsh -c 'docker pull alpine'\"",
    ] {
        assert_eq!(effects(script), ["pull alpine always"], "{script}");
    }
    for script in [
        "cmd docker pull alpine",
        "pwsh -File docker.ps1",
        "pwsh docker pull alpine",
        "pwsh -EncodedCommand ZG9ja2Vy",
        "pwsh -Version; echo docker",
    ] {
        assert_eq!(effects(script), [""; 0], "{script}");
    }
    let login = "docker login -u u --password-stdin < x; ";
    for script in ["pwsh ci/x.ps1", "pwsh -NoProfile -File ci/x.ps1 -Tag 1"] {
        let lines = effects(&format!("{login}{script}"));
        assert_eq!(lines.last().unwrap(), "unlisted", "{script}");
    }
}

/// <https://circleci.com/docs/rerun-failed-tests/>
#[test]
fn pack_pulls_nothing_where_it_is_told_so() {
    for policy in ["--pull-policy never", "--pull-policy=never"] {
        let script = format!("pack build app --builder me/b:1 {policy}; docker run app");
        assert_eq!(effects(&script), ["provide app", "pull app"], "{policy}");
    }
    let seen = effects("pack build app --builder me/b:1 --pull-policy if-not-present");
    assert_eq!(seen[0], "pull me/b:1");
}

#[test]
fn circlecis_tests_run_runs_its_command() {
    let files = [("compose.yml", "services: {app: {image: acme/app:1}}\n")];
    for command in [
        "circleci tests run --command=\"xargs docker compose run --rm app rspec\" --verbose --split-by=timings",
        "circleci tests run --split-by timings --command 'docker compose run app rspec'",
    ] {
        let script = format!("circleci tests glob 'spec/**' | {command}");
        assert_eq!(effects_in(&files, &script), ["pull acme/app:1"], "{script}");
    }
    assert_eq!(
        effects("circleci tests glob 'spec/**'"),
        Vec::<String>::new()
    );
}

#[test]
fn the_name_that_regctl_writes_into_an_archive_is_no_image() {
    assert_eq!(
        pulls("regctl image export --name me/app:local alpine:3 out.tar"),
        ["alpine:3 always"]
    );
}

#[test]
fn functions_that_are_images_are_built() {
    let template = "Globals: {Function: {Timeout: 3}}\nResources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image, Role: !GetAtt R.Arn}\n    Metadata: {DockerContext: ./fn, Dockerfile: D, DockerBuildTarget: x, DockerBuildArgs: {V: '7'}}\n  B:\n    Type: AWS::Serverless::Function\n    Properties: {Runtime: python3.12}\n    Metadata: {DockerContext: ./other}\n";
    let serverless = "provider:\n  ecr:\n    images:\n      a: {path: ./fn, file: D, buildArgs: {V: '8'}}\n      b: {uri: 1.dkr.ecr.eu-west-1.amazonaws.com/b}\n";
    let python = "custom: {pythonRequirements: {dockerizePip: true, dockerImage: 'p:3'}}\n";
    let files = [
        ("app/template.yaml", template),
        ("app/fn/D", "ARG V\nFROM a:$V AS x\nFROM b\n"),
        ("app/other/Dockerfile", "FROM c\n"),
        ("app/serverless.yml", serverless),
        ("py/serverless.yml", python),
        ("Dockerfile", "FROM d\n"),
    ];
    let images = |script: &str| -> Vec<String> {
        let all = effects_in(&files, script);
        let pulls = all.iter().filter_map(|line| line.strip_prefix("pull "));
        pulls
            .map(|pull| pull.split(' ').next().unwrap_or("").to_owned())
            .collect()
    };
    for (script, expected) in [
        ("cd app && sam build", &["a:7"][..]),
        ("sam build --template-file app/template.yaml", &["a:7"]),
        ("cd app && npx serverless deploy --stage x", &["b"]),
        ("cd app && sls package", &["b"]),
        ("cd py && serverless deploy", &["p:3"]),
        ("cd app && sam deploy", &[]),
        ("cd app && sam build --help", &[]),
        ("sam build", &[]),
        ("serverless --version", &[]),
    ] {
        assert_eq!(images(script), expected, "{script}");
    }
    let lines = effects_in(&files, "sam build -t \"$T\"");
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_program_of_the_repository_may_run_a_client() {
    let builds = "import subprocess\nsubprocess.run(['docker', 'build', '.'])\n";
    let files = [
        ("ci/build.py", builds),
        (
            "tool",
            "#!/usr/bin/env python3\nimport os\nos.system('docker pull a')\n",
        ),
        ("release/__main__.py", "from . import images\nimport json\n"),
        ("release/images.py", builds),
        (
            "scripts/build.js",
            "const { up } = require('./lib/compose');\nup();\n",
        ),
        (
            "scripts/lib/compose.js",
            "exports.up = () => execSync('docker compose up -d')\n",
        ),
        (
            "package.json",
            r#"{"scripts": {"build": "node scripts/build.js"}}"#,
        ),
        ("idle.py", "print('docker pull a')\n"),
        ("manage.py", "import release_notes\n"),
    ];
    for (script, program, how) in [
        ("python3 ci/build.py --push", "ci/build.py", "docker build"),
        ("cd ci; python -u build.py", "ci/build.py", "docker build"),
        (
            "poetry run python ci/build.py",
            "ci/build.py",
            "docker build",
        ),
        ("uv run ci/build.py", "ci/build.py", "docker build"),
        ("cd ci; uv run build.py", "ci/build.py", "docker build"),
        ("./ci/build.py", "ci/build.py", "docker build"),
        ("./tool", "tool", "docker pull"),
        (
            "python -m release",
            "release/__main__.py",
            "docker build` in `release/images.py",
        ),
        (
            "npm run build",
            "scripts/build.js",
            "docker compose` in `scripts/lib/compose.js",
        ),
        (
            "node scripts/build",
            "scripts/build.js",
            "docker compose` in `scripts/lib/compose.js",
        ),
    ] {
        let lines = effects_in(&files, script);
        let expected = format!(
            "opaque the program `{program}`: the program's code runs `{how}`, and is not read further"
        );
        assert_eq!(lines, [expected], "{script}");
    }
    for script in [
        "python3 idle.py",
        "python manage.py migrate",
        "python3 -c 'import ci.build'",
        "cat ci/build.py",
        "python3 ci/absent.py",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn stack_runs_in_an_image_where_it_is_told_to() {
    for (script, count) in [
        ("stack build --docker --flag a:b", 1),
        ("stack --docker test", 1),
        ("stack build", 0),
        ("stack --version --docker", 0),
    ] {
        assert_eq!(
            effects(script).len(),
            count,
            "{script}: {:?}",
            effects(script)
        );
    }
}
