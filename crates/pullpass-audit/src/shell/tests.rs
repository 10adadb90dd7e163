//! What scripts do, as lines: the shell's own language first, then the clients.

mod make;

use crate::context::{Context, Options};
use crate::effect::{Effect, Freshness, Kind, Puller, Store};
use crate::run::JobRun;
use crate::source::{MemoryTree, RepoPath, Sources};
use crate::text::{Mapped, Text};

fn tree(files: &[(&str, &str)]) -> MemoryTree {
    files.iter().fold(MemoryTree::new(), |tree, (path, text)| {
        tree.with(path, *text)
    })
}

/// One line per effect of a script that stands in a file of this repository.
fn effects_in(files: &[(&str, &str)], script: &str) -> Vec<String> {
    let tree = tree(files).with("ci.txt", script);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    run.finish()
        .iter()
        .map(|effect| line(&cx, effect))
        .collect()
}

fn effects(script: &str) -> Vec<String> {
    effects_in(&[], script)
}

fn pulls(script: &str) -> Vec<String> {
    let pulled = |line: &String| line.strip_prefix("pull ").map(str::to_owned);
    effects(script).iter().filter_map(pulled).collect()
}

fn line(cx: &Context<'_>, effect: &Effect) -> String {
    let show = |text: &Text| cx.holes.show(text.as_str());
    let mut out = match &effect.kind {
        Kind::Pull {
            image,
            freshness,
            puller,
            declared,
            ..
        } => {
            let always = match freshness {
                Freshness::Always => " always",
                Freshness::Missing => "",
            };
            let store = match puller {
                Puller::Client(stores) if stores.first() == Some(&Store::Containers) => {
                    " as podman"
                }
                _ => "",
            };
            let given = match declared {
                crate::effect::Declared::None => "",
                _ => " with its own credential",
            };
            format!("pull {}{always}{store}{given}", show(image))
        }
        Kind::Login {
            registry,
            username,
            password,
            broken,
            how,
            store,
        } => {
            let shown = |text: &Option<Text>| text.as_ref().map_or("-".to_owned(), show);
            let mut line = format!(
                "login [{}] {}/{} by {how}",
                show(registry),
                shown(username),
                shown(password)
            );
            if let Store::Docker(folder) = store
                && !folder.is_empty()
            {
                line += &format!(" in {}", show(folder));
            }
            if let Some(why) = broken {
                line += &format!(" BROKEN: {why}");
            }
            line
        }
        Kind::Logout { registry, .. } => format!("logout [{}]", show(registry)),
        Kind::Provide { image } => format!("provide {}", show(image)),
        Kind::Load => "load".to_owned(),
        Kind::Save { image } => format!("save {}", show(image)),
        Kind::Unlisted => "unlisted".to_owned(),
        Kind::Push { image } => format!("push {}", show(image)),
        Kind::Opaque { what, why, .. } => format!("opaque {what}: {why}"),
    };
    for guard in effect.guards.iter() {
        let not = if guard.holds { "" } else { "not " };
        out += &format!(" [if {not}{}]", cx.holes.show(&guard.text));
    }
    out
}

/// `(script, the pulls in it)`.
#[test]
fn images_are_found_however_the_command_is_written() {
    let table: &[(&str, &[&str])] = &[
        ("docker pull alpine:3", &["alpine:3 always"]),
        (
            "docker image pull --quiet --platform linux/arm64 alpine",
            &["alpine always"],
        ),
        (
            "docker --config /tmp/x -l debug pull alpine",
            &["alpine always"],
        ),
        ("sudo -E docker pull alpine", &["alpine always"]),
        ("/usr/bin/docker pull alpine", &["alpine always"]),
        (
            "time sudo -u root env A=b docker pull alpine",
            &["alpine always"],
        ),
        ("timeout -k 5 300 docker pull alpine", &["alpine always"]),
        ("retry 3 docker pull alpine", &["alpine always"]),
        ("retry -t 3 -- docker pull alpine", &["alpine always"]),
        (
            "docker run --rm -it -v $PWD:/src -w /src -e A=b node:20 npm test",
            &["node:20"],
        ),
        (
            "docker run -itd -p8080:80 --name web --network=host nginx",
            &["nginx"],
        ),
        (
            "docker run --rm \\\n  --volume /a:/b \\\n  postgres:16 \\\n  psql",
            &["postgres:16"],
        ),
        ("docker run --pull always redis", &["redis always"]),
        ("docker run --pull=never redis", &[]),
        ("docker container create --cpus 2 busybox", &["busybox"]),
        ("docker run $OPTIONS alpine", &["alpine"]),
        ("docker run \"$IMAGE\"", &["$IMAGE"]),
        ("docker run $(docker build -q .)", &[]),
        ("IMAGE=alpine:3; docker pull $IMAGE", &["alpine:3 always"]),
        ("V=3; docker pull \"alpine:${V}\"", &["alpine:3 always"]),
        (
            "for i in alpine debian:12; do docker pull $i; done",
            &["alpine always", "debian:12 always"],
        ),
        ("f() { docker pull \"$1\"; }\nf alpine", &["alpine always"]),
        ("bash -c 'docker pull alpine'", &["alpine always"]),
        (
            "bash -euxo pipefail -c \"docker pull alpine\"",
            &["alpine always"],
        ),
        ("sh -ec 'docker pull $0' debian", &["debian always"]),
        ("bash <<EOF\ndocker pull alpine\nEOF", &["alpine always"]),
        ("echo 'docker pull alpine' | sh", &["alpine always"]),
        (
            "printf '%s\\n' a/b c/d | xargs -n1 docker pull",
            &["a/b always", "c/d always"],
        ),
        ("echo a/b | xargs -I{} docker pull {}:1", &["a/b:1 always"]),
        (
            "cat <<EOF | while read -r i; do docker pull $i; done\na/b\nc/d\nEOF",
            &["a/b always", "c/d always"],
        ),
        ("(cd x && docker pull alpine)", &["alpine always"]),
        (
            "docker pull alpine & docker pull debian & wait",
            &["alpine always", "debian always"],
        ),
        ("X=$(docker run --rm alpine date)", &["alpine"]),
        ("eval \"docker pull alpine\"", &["alpine always"]),
        ("$DOCKER pull alpine", &["alpine always"]),
        ("${CONTAINER_ENGINE} pull alpine", &["alpine always"]),
        ("$(command -v docker) pull alpine", &["alpine always"]),
        (
            "find . -name x -exec docker run alpine cat {} \\;",
            &["alpine"],
        ),
        (
            "docker service create --replicas 2 --name w nginx",
            &["nginx always"],
        ),
        ("docker manifest inspect alpine", &["alpine always"]),
        (
            "docker buildx imagetools inspect alpine",
            &["alpine always"],
        ),
        (
            "docker buildx create --use --driver-opt image=moby/buildkit:v0.12",
            &["moby/buildkit:v0.12 always"],
        ),
        ("docker buildx create --driver kubernetes", &[]),
        ("nerdctl -n k8s.io pull alpine", &["alpine always"]),
        (
            "podman pull --creds a:b alpine",
            &["alpine always as podman with its own credential"],
        ),
        (
            "skopeo copy docker://alpine:3 dir:out",
            &["alpine:3 always as podman"],
        ),
        ("skopeo copy dir:in docker://me/app", &[]),
        (
            "skopeo inspect --creds $A:$B docker://alpine",
            &["alpine always as podman with its own credential"],
        ),
        ("crane copy alpine ghcr.io/me/alpine", &["alpine always"]),
        ("buildah from --name x debian", &["debian as podman"]),
        (
            "kind create cluster --image kindest/node:v1.30.0",
            &["kindest/node:v1.30.0"],
        ),
        ("kind create cluster", &["kindest/node:?"]),
        ("trivy image --severity HIGH me/app:1", &["me/app:1"]),
        ("trivy fs .", &[]),
        (
            "npx wp-env start",
            &["wordpress:?", "mariadb:?", "wordpress:cli-?"],
        ),
        (
            "docker ps; docker images alpine; docker inspect alpine; docker exec x pull",
            &[],
        ),
        ("echo docker pull alpine", &[]),
        ("# docker pull alpine", &[]),
        ("ssh host docker pull alpine", &[]),
        ("command -v docker", &[]),
        ("git commit -m 'docker pull alpine'", &[]),
    ];
    for (script, expected) in table {
        assert_eq!(pulls(script), *expected, "{script}");
    }
}

/// How each of them says what it runs stands in its manual.
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
fn an_override_of_just_may_have_a_hyphen() {
    let justfile = "my-tag := \"1\"\nup:\n    docker pull a/b:{{ my-tag }}\n";
    let files = [("justfile", justfile)];
    assert_eq!(
        effects_in(&files, "just my-tag=3 up"),
        ["pull a/b:3 always"]
    );
    assert_eq!(effects_in(&files, "just up"), ["pull a/b:1 always"]);
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

#[test]
fn goreleaser_makes_what_its_configuration_names() {
    let config = "dockers:\n  - image_templates:\n      - \"me/app:{{ .Tag }}\" # one\n      - ghcr.io/me/app:x\n    dockerfile: Dockerfile\n";
    let files = [("r.yml", config), (".goreleaser.yml", "builds: []\n")];
    let opaque = "opaque goreleaser: it builds the Dockerfiles that its configuration file names, which is not read";
    let made = [
        "provide me/app:{{ .Tag }}",
        "provide ghcr.io/me/app:x",
        opaque,
    ];
    for script in [
        "goreleaser release --config r.yml",
        "go tool goreleaser -f r.yml",
    ] {
        assert_eq!(effects_in(&files, script), made, "{script}");
    }
    for script in [
        "goreleaser release",
        "goreleaser build --config r.yml",
        "goreleaser check r.yml",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
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

#[test]
fn the_name_of_an_image_is_known_where_paths_differ_in_its_tag() {
    for (script, expected) in [
        (
            "case $V in\n1) I=me/app:1@sha256:0;; 2) I=me/app:2;; *) exit 1;; esac\ndocker pull $I",
            "pull me/app:${I##*:} always",
        ),
        (
            "if [ $X ]; then I=ghcr.io/me/app:1; else I=ghcr.io/me/app:2; fi; docker pull $I",
            "pull ghcr.io/me/app:${I##*:} always",
        ),
        (
            "I=me/app:0; case $V in 1) I=me/other:1;; *) I=me/other:1;; esac; docker pull $I",
            "pull me/other:1 always",
        ),
        (
            "if [ $X ]; then I=me/app:1; else I=me/other:1; fi; docker pull $I",
            "pull $I always",
        ),
        (
            "if [ $X ]; then I=me/app:1; fi; docker pull $I",
            "pull $I always",
        ),
        (
            "if [ $X ]; then I=http://a/b:1; else I=http://a/b:2; fi; docker pull $I",
            "pull $I always",
        ),
    ] {
        assert_eq!(effects(script), [expected], "{script}");
    }
}

#[test]
fn a_file_that_is_written_piece_by_piece_is_read_as_a_whole() {
    let script = "I=kindest/node:v1.33.4\ncat > kind.yaml <<END\nnodes:\n- role: control-plane\n  image: $I\nEND\nfor i in 1 2; do\ncat >> kind.yaml <<END\n- role: worker\n  image: $I\nEND\ndone\ncat >> kind.yaml <<END\n- |-\n  x = y\nEND\nkind create cluster --config kind.yaml";
    let lines = effects(script);
    assert!(!lines.is_empty());
    assert!(
        lines.iter().all(|l| l == "pull kindest/node:v1.33.4"),
        "{lines:?}"
    );
    let script = "echo 'docker pull a' > x.sh; echo 'docker pull b' >> x.sh; bash x.sh";
    assert_eq!(effects(script), ["pull a always", "pull b always"]);
    let files = [("x.sh", "docker pull c\n")];
    let script = "echo 'docker pull a' >> x.sh; bash x.sh";
    assert_eq!(effects_in(&files, script), ["pull c always"]);
}

#[test]
fn a_folder_that_is_not_there_is_not_gone_into_again() {
    let files = [("sub/compose.yml", "services:\n  a:\n    image: a/b\n")];
    let script = "for n in a b; do cd sub || true; docker compose -f compose.yml pull; done";
    let lines = effects_in(&files, script);
    assert!(
        lines.iter().all(|line| line.starts_with("pull a/b")),
        "{lines:?}"
    );
}

/// <https://github.com/anchore/grype>: a scheme says where an image comes from.
#[test]
fn a_scheme_is_no_part_of_an_image() {
    for (script, expected) in [
        ("grype registry:a/b:1", &["a/b:1"][..]),
        ("syft scan docker:a/b:1", &["a/b:1"]),
        ("grype docker:alpine", &["alpine"]),
        ("syft oci-archive:x.tar", &[]),
        ("grype sbom:x.json", &[]),
    ] {
        assert_eq!(pulls(script), expected, "{script}");
    }
}

/// <https://docs.docker.com/build/buildkit/frontend/>: a frontend is BuildKit's.
#[test]
fn a_frontend_is_pulled_by_buildkit_only() {
    let docker = "# syntax=docker/dockerfile:1\nFROM me/a AS a\nFROM me/b AS b\nFROM me/c\n";
    let files = [("Dockerfile", docker)];
    let frontend = "pull docker/dockerfile:1";
    for (script, expected) in [
        ("docker build .", &[frontend, "pull me/c"][..]),
        (
            "DOCKER_BUILDKIT=0 docker buildx build .",
            &[frontend, "pull me/c"],
        ),
        ("podman build .", &["pull me/c as podman"]),
        (
            "DOCKER_BUILDKIT=0 docker build .",
            &["pull me/a", "pull me/b", "pull me/c"],
        ),
        (
            "export DOCKER_BUILDKIT=0; docker build --target b .",
            &["pull me/a", "pull me/b"],
        ),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn mage_is_run_from_its_folder_and_without_being_installed() {
    let files = [
        ("magefiles/test.go", "// starts docker\n"),
        ("mage.go", "package main\n"),
    ];
    for script in [
        "mage test",
        "go run mage.go test",
        "go run github.com/magefile/mage@v1.15.0 test",
    ] {
        let lines = effects_in(&files, script);
        assert!(lines.concat().starts_with("opaque mage: "), "{script}");
    }
    assert_eq!(effects_in(&files, "go run mage.go -l"), [""; 0]);
}

#[test]
fn associative_arrays_give_what_stands_under_a_key() {
    let map = "declare -A M=([x]=a/b:1 [\"y\"]=\"c/d:2\")\n";
    for (script, expected) in [
        ("docker pull \"${M[x]}\"", &["a/b:1 always"][..]),
        ("k=y; docker pull ${M[$k]}", &["c/d:2 always"]),
        (
            "for k in \"${!M[@]}\"; do docker pull \"${M[$k]}\"; done",
            &["a/b:1 always", "c/d:2 always"],
        ),
        (
            "for i in \"${M[@]}\"; do docker pull \"$i\"; done",
            &["a/b:1 always", "c/d:2 always"],
        ),
        ("M[x]=e/f; docker pull ${M[x]}", &["e/f always"]),
        ("M+=([z]=e/f)\ndocker pull ${M[z]}", &["e/f always"]),
        (
            "if [ -n \"$Q\" ]; then M[x]=e/f; fi; docker pull ${M[x]}",
            &["${M[x]} always"],
        ),
        ("docker pull ${M[$K]}", &["${M[$K]} always"]),
    ] {
        assert_eq!(pulls(&format!("{map}{script}")), expected, "{script}");
    }
    for script in [
        "declare -A M\nM=([x]=a/b)\ndocker pull ${M[x]}",
        "f() { local -A M; M[x]=a/b; docker pull ${M[x]}; }; f",
        "declare -A M=( [x]=a/b # one\n [y]=\"two words\"\n)\ndocker pull ${M[x]}",
        "A=(a/b)\nfor i in \"${!A[@]}\"; do docker pull \"${A[$i]}\"; done",
    ] {
        assert_eq!(pulls(script), ["a/b always"], "{script}");
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
fn logins_say_where_with_what_and_why_they_cannot_work() {
    let table = [
        (
            "echo \"$T\" | docker login -u \"$U\" --password-stdin",
            "login [] $U/$T by docker login",
        ),
        (
            "docker login --username=$U --password=$T docker.io",
            "login [docker.io] $U/$T by docker login",
        ),
        ("docker login -u$U -p$T", "login [] $U/$T by docker login"),
        (
            "docker login -u $U --password-stdin <<< \"$T\"",
            "login [] $U/$T by docker login",
        ),
        (
            "docker login -u $U --password-stdin ghcr.io < ~/token",
            "login [ghcr.io] $U/(standard input) by docker login",
        ),
        (
            "printf '%s' \"$T\" | docker login --username \"$U\" --password-stdin",
            "login [] $U/$T by docker login",
        ),
        (
            "printenv TOKEN | docker login -u \"$U\" --password-stdin",
            "login [] $U/$TOKEN by docker login",
        ),
        (
            "export T=$TOKEN; printenv -- T | docker login -u u --password-stdin",
            "login [] u/$TOKEN by docker login",
        ),
        (
            "printenv A B | docker login -u u --password-stdin",
            "login [] u/(standard input) by docker login",
        ),
        (
            "aws ecr get-login-password | docker login -u AWS --password-stdin $ECR",
            "login [$ECR.amazonaws.com] AWS/(standard input) by docker login",
        ),
        (
            "$(aws ecr get-login --no-include-email)",
            "login [the account's .amazonaws.com] AWS/- by aws ecr get-login",
        ),
        (
            "docker login",
            "login [] -/- by docker login BROKEN: it asks a terminal for a user name and a password, and a build has none",
        ),
        (
            "docker login -u $U",
            "login [] $U/- by docker login BROKEN: it asks a terminal for the password, and a build has none",
        ),
        (
            "docker login -u $U -p ''",
            "login [] $U/ by docker login BROKEN: no password is given, or it is empty here",
        ),
        (
            "docker login $CREDENTIALS",
            "login [$CREDENTIALS] -/- by docker login",
        ),
        (
            "docker --config /tmp/c login -u $U -p $T",
            "login [] $U/$T by docker login in /tmp/c",
        ),
        (
            "export DOCKER_CONFIG=/tmp/c\ndocker login -u $U -p $T",
            "login [] $U/$T by docker login in /tmp/c",
        ),
        (
            "gcloud auth configure-docker",
            "login [gcr.io] -/- by gcloud auth configure-docker",
        ),
        (
            "[ -n \"$T\" ] && docker login -u $U -p $T",
            "login [] $U/$T by docker login [if [ -n \"$T\" ]]",
        ),
        (
            "if [ \"$A\" = b ]; then docker login -u $U -p $T; fi",
            "login [] $U/$T by docker login [if [ \"$A\" = b ]]",
        ),
        ("docker logout", "logout []"),
        ("podman logout quay.io", "logout [quay.io]"),
    ];
    for (script, expected) in table {
        assert_eq!(effects(script), [expected], "{script}");
    }
}

#[test]
fn a_configuration_in_the_environment_signs_in() {
    let script = "export DOCKER_AUTH_CONFIG='{\"auths\": {\"https://index.docker.io/v1/\": {\"auth\": \"eA==\"}}}'\n\
                  docker pull a/b";
    let all = effects(script);
    assert!(
        all[0].starts_with("login [https://index.docker.io/v1/]"),
        "{all:?}"
    );
    assert_eq!(all[1], "pull a/b always");
}

#[test]
fn what_is_built_or_tagged_or_loaded_is_provided() {
    assert_eq!(
        effects_in(
            &[("Dockerfile", "FROM debian:12\n")],
            "docker build -t app:$TAG --build-arg A=b .\ndocker tag app:$TAG me/app\ndocker push me/app"
        ),
        [
            "pull debian:12",
            "provide app:$TAG",
            "provide me/app",
            "push me/app"
        ]
    );
    assert_eq!(
        effects(
            "docker save -o x.tar a/b c\ndocker image save $X | gzip > x\ndocker load -i x.tar"
        ),
        ["save a/b", "save c", "save $X", "load"]
    );
    let files = [("Dockerfile", "FROM debian:12\n")];
    assert_eq!(
        effects_in(
            &files,
            "docker buildx build -t app -o type=docker,dest=/tmp/x.tar ."
        ),
        ["pull debian:12", "provide app", "save app"]
    );
    assert_eq!(effects("docker commit c me/app"), ["provide me/app"]);
}

#[test]
fn a_builder_of_its_own_does_not_leave_images_behind() {
    let files = [("Dockerfile", "FROM debian:12\n")];
    assert_eq!(
        effects_in(
            &files,
            "docker buildx create --use\ndocker buildx build -t app --push ."
        ),
        [
            "pull moby/buildkit:buildx-stable-1 always",
            "push app",
            "pull debian:12 always"
        ]
    );
    assert_eq!(
        effects_in(&files, "docker buildx create --use\ndocker build -t app .")[1..],
        ["pull debian:12", "provide app"]
    );
}

#[test]
fn builds_find_their_dockerfile() {
    let files = [
        ("a/Dockerfile", "FROM a/a\n"),
        ("a/other.Dockerfile", "ARG V=1\nFROM a/b:$V\n"),
    ];
    for (script, expected) in [
        ("docker build a", "pull a/a"),
        ("cd a && docker build .", "pull a/a"),
        (
            "docker build -f a/other.Dockerfile --build-arg V=2 .",
            "pull a/b:2",
        ),
        (
            "docker build -fa/other.Dockerfile a --no-cache -t x",
            "pull a/b:1",
        ),
        ("docker build - < a/Dockerfile", "pull a/a"),
        ("docker build - <<EOF\nFROM c/d\nEOF", "pull c/d"),
        ("docker build -f - . <<'EOF'\nFROM c/d\nEOF", "pull c/d"),
        (
            "cat > D <<EOF\nFROM e/f\nEOF\ndocker build -f D .",
            "pull e/f",
        ),
        ("docker-compose version; docker buildx b a", "pull a/a"),
    ] {
        assert_eq!(effects_in(&files, script)[0], expected, "{script}");
    }
}

#[test]
fn compose_commands_reach_their_services() {
    let files = [(
        "docker-compose.yml",
        "services:\n  db:\n    image: postgres:16\n  web:\n    image: me/web\n    depends_on: [db]\n  x:\n    image: x/y\n",
    )];
    let all = ["pull postgres:16", "pull me/web", "pull x/y"];
    for script in [
        "docker compose up -d --wait",
        "docker-compose up --scale web=2",
        "docker-compose -f docker-compose.yml -p name up --exit-code-from web",
        "docker compose --profile a --env-file .env create",
    ] {
        assert_eq!(effects_in(&files, script), all, "{script}");
    }
    for (script, expected) in [
        (
            "docker compose run --rm -e A=b web x y",
            &["pull me/web", "pull postgres:16"][..],
        ),
        ("docker compose run --no-deps web db", &["pull me/web"]),
        ("docker compose up --no-deps db", &["pull postgres:16"]),
        ("docker compose pull db", &["pull postgres:16 always"]),
        ("docker compose up --pull always x", &["pull x/y always"]),
        ("docker compose up --pull never x", &[]),
        ("docker compose down; docker compose logs web", &[]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
    assert_eq!(
        effects_in(&files, "podman-compose up x"),
        ["pull x/y as podman"]
    );
}

#[test]
fn a_folder_that_is_circlecis_working_directory_is_the_repository() {
    let files = [("ci/lib.sh", "pull_it() { docker pull \"$1\"; }\n")];
    for script in [
        ". \"$CIRCLE_WORKING_DIRECTORY/ci/lib.sh\"; pull_it a",
        ". \"${CIRCLE_WORKING_DIRECTORY:-/workspace}/ci/lib.sh\"; pull_it a",
        "export D=${WORK:-${CIRCLE_WORKING_DIRECTORY:-\"${HOME}/work\"}}\nsource \"${D}/ci/lib.sh\"; pull_it a",
        "D=${CIRCLE_WORKING_DIRECTORY/#\\~/$HOME}\n. \"$D/ci/lib.sh\"; pull_it a",
        "D=\"${CIRCLE_WORKING_DIRECTORY/\\~/$HOME}\"\n. \"$D/ci/lib.sh\"; pull_it a",
        ". ${GITHUB_WORKSPACE:-$PWD}/ci/lib.sh; pull_it a",
    ] {
        assert_eq!(effects_in(&files, script), ["pull a always"], "{script}");
    }
}

#[test]
fn a_credential_with_an_empty_default_is_the_machines() {
    for script in [
        "export P=${P:-} DOCKER_PASSWORD=${DOCKER_PASSWORD:-}\necho $DOCKER_PASSWORD | docker login -u u --password-stdin",
        "docker login -u u --password-stdin <<< \"${DOCKER_PASSWORD-}\"",
    ] {
        let login = "login [] u/$DOCKER_PASSWORD by docker login";
        assert_eq!(effects(script), [login], "{script}");
    }
}

#[test]
fn a_function_of_a_file_that_may_have_been_read_is_unknown_once() {
    let lib = "say() { echo; }\npull_it() { docker pull \"$1\"; }\nall() { pull_it a; }\n";
    let files = [("ci/lib.sh", lib), ("ci/plain.sh", "pull_it() { true; }\n")];
    let why = "it is defined in a file of this repository that `$LIB/ci/lib.sh` may be; which file that is, is known only when the job runs";
    for (script, expected) in [
        ("say; pull_it a; pull_it b", &["pull_it"][..]),
        ("all", &["all"]),
        ("say; other", &[]),
        ("pull_it() { docker pull b; }", &[]),
    ] {
        let script = format!("source \"$LIB/ci/lib.sh\"\n{script}");
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("opaque the function `{name}`: {why}"))
            .collect();
        assert_eq!(effects_in(&files, &script), expected, "{script}");
    }
    for script in [
        "source \"$LIB/ci/plain.sh\"; pull_it",
        ". $LIB/none.sh; pull_it",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn scripts_of_the_repository_are_followed_and_nothing_else() {
    let files = [
        (
            "ci/a.sh",
            "#!/bin/bash\ncd \"$(dirname \"$0\")\"\n. ./lib.sh\npull_it \"$1\"\n",
        ),
        ("ci/lib.sh", "pull_it() { docker pull \"$1\"; }\n"),
        (
            "ci/tool",
            "#!/usr/bin/env python3\nprint('docker pull no')\n",
        ),
        ("b.sh", "docker pull from/b\nexit 1\ndocker pull never\n"),
    ];
    for (script, expected) in [
        ("./ci/a.sh me/app", &["pull me/app always"][..]),
        ("bash -x ci/a.sh me/app", &["pull me/app always"]),
        ("cd ci; ./a.sh me/app", &["pull me/app always"]),
        ("sudo ./ci/a.sh me/app", &["pull me/app always"]),
        ("$PWD/ci/a.sh me/app", &["pull me/app always"]),
        ("./ci/tool", &[]),
        (
            "sh b.sh && docker pull c/c",
            &["pull from/b always", "pull c/c always"],
        ),
        ("source ci/lib.sh\npull_it d/d", &["pull d/d always"]),
        ("bash ../../etc/passwd", &[]),
        ("/etc/init.d/docker start", &[]),
        ("curl https://x -o get-docker.sh; sh ./get-docker.sh", &[]),
        (
            "bash scripts/docker-up.sh",
            &[
                "opaque the script `scripts/docker-up.sh`: it is not in this repository; it may be made while the job runs",
            ],
        ),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_script_that_is_open_is_not_followed_again() {
    let all = |files: &[(&str, &str)], script: &str| -> Vec<String> {
        let pulled = |line: &String| line.strip_prefix("pull ").map(str::to_owned);
        effects_in(files, script)
            .iter()
            .filter_map(pulled)
            .collect()
    };
    for (files, script) in [
        (vec![("a.sh", "docker pull a/a\n./a.sh\n")], "./a.sh"),
        (vec![("a.sh", "docker pull a/a\n. ./a.sh\n")], ". ./a.sh"),
        (vec![], "f() { docker pull a/a; g; f; }; g() { f; g; }; f"),
        (
            vec![
                ("a.sh", "docker pull a/a\nbash b.sh\nbash b.sh\n"),
                ("b.sh", "bash a.sh # docker\nmake a\n"),
                ("Makefile", "a:\n\t./a.sh # docker\n\t$(MAKE) a\n"),
            ],
            "./a.sh",
        ),
        (
            vec![(
                "package.json",
                r#"{"scripts": {"a": "docker pull a/a && npm run b", "b": "npm run a; yarn a"}}"#,
            )],
            "npm run a",
        ),
    ] {
        let script = format!("{script}\ndocker pull z");
        assert_eq!(all(&files, &script), ["a/a always", "z always"], "{script}");
    }
}

#[test]
fn a_task_runner_may_be_told_its_folder_in_full() {
    let files = [
        ("Makefile", "up:\n\tdocker pull make\n"),
        ("sub/Makefile", "up:\n\tdocker pull sub/make\n"),
        ("justfile", "up:\n    docker pull just\n"),
        ("sub/justfile", "up:\n    docker pull sub/just\n"),
        (
            "Taskfile.yml",
            "version: '3'\ntasks:\n  up: docker pull task\n",
        ),
        (
            "sub/Taskfile.yml",
            "version: '3'\ntasks:\n  up: docker pull sub/task\n",
        ),
        (
            "package.json",
            r#"{"scripts": {"up": "docker pull package"}}"#,
        ),
        (
            "sub/package.json",
            r#"{"scripts": {"up": "docker pull sub/package"}}"#,
        ),
    ];
    for (script, expected) in [
        ("make -C \"$PWD\" up", "make"),
        ("make -C \"$(pwd)/sub\" up", "sub/make"),
        ("cd sub && make -C \"$GITHUB_WORKSPACE\" up", "make"),
        ("make -C \"$(git rev-parse --show-toplevel)\" up", "make"),
        ("D=$(pwd); cd sub; make --directory=\"$D\" up", "make"),
        ("make -f \"$PWD/sub/Makefile\" up", "sub/make"),
        ("make -C sub -f \"$GITHUB_WORKSPACE/Makefile\" up", "make"),
        ("make -C sub -f ../Makefile up", "make"),
        ("cd sub && just -d \"$GITHUB_WORKSPACE\" up", "just"),
        ("just --justfile \"$PWD/sub/justfile\" up", "sub/just"),
        ("task -d \"$PWD/sub\" up", "sub/task"),
        (
            "cd sub && task --taskfile \"$GITHUB_WORKSPACE/Taskfile.yml\" up",
            "task",
        ),
        ("yarn --cwd \"$PWD/sub\" run up", "sub/package"),
        ("pnpm -C \"$PWD/sub\" run up", "sub/package"),
        ("pnpm --dir \"$(pwd)/sub\" run up", "sub/package"),
        ("npm --prefix \"$PWD/sub\" run up", "sub/package"),
    ] {
        let expected = format!("pull {expected} always");
        assert_eq!(effects_in(&files, script), [expected], "{script}");
    }
}

#[test]
fn a_script_is_found_wherever_the_flags_for_its_package_stand() {
    let files = [
        (
            "package.json",
            r#"{"workspaces": ["pkg/*"], "scripts": {"up": "docker pull root", "test": "docker pull root/test"}}"#,
        ),
        ("pnpm-workspace.yaml", "packages: ['pkg/*']\n"),
        (
            "pkg/a/package.json",
            r#"{"name": "a", "scripts": {"up": "docker pull a", "test": "docker pull a/test"}}"#,
        ),
        (
            "pkg/b/package.json",
            r#"{"name": "b", "scripts": {"up": "docker pull b", "test": "docker pull b/test"}}"#,
        ),
    ];
    for (script, expected) in [
        ("npm run up -w a", &["a"][..]),
        ("npm run up --workspace=b -- -q", &["b"]),
        ("npm run up -w a -w b", &["a", "b"]),
        ("npm run up --workspaces", &["a", "b"]),
        ("npm run up -ws", &["a", "b"]),
        ("npm -ws run up --if-present", &["a", "b"]),
        ("npm run up --prefix pkg/a", &["a"]),
        ("npm test -w a", &["a/test"]),
        ("npm t --prefix pkg/b", &["b/test"]),
        ("npm run -w a up", &["a"]),
        ("npm run up", &["root"]),
        ("pnpm run -r up", &["a", "b"]),
        ("pnpm recursive run up", &["a", "b"]),
        ("pnpm -r --filter a run up", &["a"]),
        ("pnpm -w run up", &["root"]),
        // What stands behind the name is the script's own.
        ("pnpm run up --filter=a", &["root"]),
        ("yarn run --cwd pkg/a up", &["a"]),
        ("yarn workspace b run up", &["b"]),
        ("yarn workspaces run up", &["a", "b"]),
        (
            "yarn workspaces foreach -Apt --exclude z run up",
            &["a", "b"],
        ),
        ("yarn workspaces list", &[]),
    ] {
        let pulled = effects_in(&files, script);
        let names: Vec<&str> = pulled
            .iter()
            .filter_map(|line| line.strip_prefix("pull ")?.split(' ').next())
            .collect();
        assert_eq!(names, expected, "{script}: {pulled:?}");
    }
}

#[test]
fn runners_of_a_workspace_run_what_its_packages_have() {
    let files = [
        (
            "package.json",
            r#"{"workspaces": ["pkg/*"], "scripts": {"e2e": "docker pull root"}}"#,
        ),
        (
            "pkg/a/package.json",
            r#"{"name": "@me/a", "scripts": {"e2e": "docker pull a", "up": "docker pull a/up"}}"#,
        ),
        (
            "pkg/b/package.json",
            r#"{"name": "b", "scripts": {"e2e": "docker pull b"}}"#,
        ),
        (
            "pkg/b/project.json",
            r#"{"name": "b", "targets": {
                "stack": {"command": "docker pull b/stack"},
                "stack:all": {
                    "executor": "nx:run-commands",
                    "dependsOn": ["^build", "stack"],
                    "options": {"commands": ["make img", {"command": "docker compose -f {projectRoot}/c.yml up"}], "cwd": "."}
                },
                "inside": {"options": {"command": "make img", "cwd": "{projectRoot}"}}
            }}"#,
        ),
        ("pkg/b/c.yml", "services: {a: {image: b/compose}}\n"),
        ("pkg/b/Makefile", "img:\n\tdocker pull b/make\n"),
        ("Makefile", "img:\n\tdocker pull make\n"),
    ];
    for (script, expected) in [
        ("turbo run e2e", &["a", "b"][..]),
        ("npx turbo e2e up --filter=@me/a", &["a", "a/up"]),
        ("turbo run e2e --filter=b...", &["b"]),
        ("turbo login", &[]),
        ("yarn lerna run e2e --scope b", &["b"]),
        ("lerna exec -- docker pull x", &["x"]),
        ("nx run-many -t e2e,up", &["a", "b", "a/up"]),
        ("nx affected --target=e2e", &["a", "b"]),
        ("npx nx run b:stack", &["b/stack"]),
        ("pnpm nx stack:all b", &["b/stack", "make", "b/compose"]),
        ("nx inside b", &["b/make"]),
        ("nx e2e a", &["a"]),
        ("cd pkg/b && nx stack", &["b/stack"]),
        ("nx graph", &[]),
    ] {
        let pulled = effects_in(&files, script);
        let names: Vec<&str> = pulled
            .iter()
            .filter_map(|line| line.strip_prefix("pull ")?.split(' ').next())
            .collect();
        assert_eq!(names, expected, "{script}: {pulled:?}");
    }
}

#[test]
fn the_output_of_a_build_names_the_image() {
    for (build, made) in [
        (
            "docker buildx build -o type=image,name=me:1,push=false .",
            &["me:1"][..],
        ),
        ("docker build --output type=docker,name=me .", &["me"]),
        (
            "docker build --output 'type=image,\"name=me,you:2\"' -t they .",
            &["they", "me", "you:2"],
        ),
        ("docker build -o type=docker,name=me,dest=me.tar .", &[]),
        ("docker build -o type=local,name=me .", &[]),
    ] {
        let seen = effects_in(&[("Dockerfile", "FROM scratch\n")], build);
        let names: Vec<&str> = seen
            .iter()
            .filter_map(|line| line.strip_prefix("provide "))
            .collect();
        assert_eq!(names, made, "{build}: {seen:?}");
    }
}

#[test]
fn a_folder_that_is_not_there_may_be_left_alone() {
    let files = [
        ("Makefile", "up:\n\tdocker pull root\n"),
        ("sub/Makefile", "up:\n\tdocker pull sub\n"),
    ];
    for (script, expected) in [
        (
            "for n in a b; do cd sub || true; make up; done",
            &["pull sub always", "pull sub always"][..],
        ),
        ("cd nothere || true; make up", &["pull root always"]),
        (
            "cd nothere 2>/dev/null || :\nmake up",
            &["pull root always"],
        ),
        ("cd nothere || cd sub; make up", &["pull sub always"]),
        ("cd sub || cd nothere; make up", &["pull sub always"]),
        // It may be made while the job runs.
        ("cd nothere || exit 1; make up", &[]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_script_that_calls_itself_otherwise_is_followed() {
    let files = [
        (
            "ci.sh",
            "case $1 in all) ./ci.sh one; $0 two;; *) docker pull a/$1;; esac\n",
        ),
        (
            "in.sh",
            "if [ \"$IN\" = yes ]; then docker pull in; else IN=yes exec ./in.sh; fi\n",
        ),
        (
            "Makefile",
            "all:\n\tdocker pull all\n\t$(MAKE) -C sub all\n",
        ),
        ("sub/Makefile", "include ../Makefile\n"),
        ("deeper.sh", "docker pull deeper/$1\n./deeper.sh x$1\n"),
    ];
    assert_eq!(
        effects_in(&files, "./ci.sh all"),
        ["pull a/one always", "pull a/two always"]
    );
    assert_eq!(effects_in(&files, "IN=no ./in.sh"), ["pull in always"]);
    assert_eq!(effects_in(&files, "make all").len(), 2);
    assert_eq!(effects_in(&files, "./deeper.sh y").len(), 4);
}

#[test]
fn make_targets_are_followed() {
    let files = [(
        "Makefile",
        "IMAGE ?= alpine\ntest: deps\n\t@docker run --rm $(IMAGE) true\ndeps:\n\t-docker pull a/b\ncompile:\n\tcc x.c\n",
    )];
    assert_eq!(
        effects_in(&files, "make -j 4 test"),
        ["pull a/b always", "pull alpine"]
    );
    assert_eq!(
        effects_in(&files, "make test IMAGE=debian"),
        ["pull a/b always", "pull debian"]
    );
    assert!(effects_in(&files, "make compile").is_empty());
    assert!(effects("make all").is_empty());
    for count in ["`nproc`", "$(getconf _NPROCESSORS_ONLN)", "\"$CPUS\""] {
        let built = effects_in(&files, &format!("make -j {count} compile"));
        assert!(built.is_empty(), "{count}: {built:?}");
    }
    assert_eq!(
        effects_in(&files, "make -kj $(nproc) test && make -j $TARGET"),
        [
            "pull a/b always",
            "pull alpine",
            "opaque make $TARGET: which target `make $TARGET` means is known only when the build runs"
        ]
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
fn a_test_for_what_may_be_unset_leaves_both_ways_open() {
    for test in [
        "[ -z \"${TOKEN:-}\" ]",
        "[[ -z ${TOKEN-} ]]",
        "test ! \"${TOKEN:-}\"",
    ] {
        let script = format!("if {test}; then\n  exit 0\nfi\ndocker pull a/b");
        assert_eq!(pulls(&script).len(), 1, "{script}");
    }
    // What the script has set is known, and what is no question takes its default.
    let script = "TOKEN=\n[ -z \"${TOKEN:-}\" ] && exit 0\ndocker pull a/b";
    assert!(pulls(script).is_empty());
    assert_eq!(pulls("docker pull a/b${SUFFIX:-}"), ["a/b always"]);
}

#[test]
fn under_sudo_credentials_are_those_of_root() {
    let login = "docker login -u $U -p $T";
    let script = format!(
        "sudo {login}\nsudo A=b sh -c '{login}'\nsudo -E {login}\nsudo -u ci {login}\n{login}"
    );
    let (root, own) = (
        "login [] $U/$T by docker login in /root/.docker",
        "login [] $U/$T by docker login",
    );
    assert_eq!(effects(&script), [root, root, own, own, own]);
}

/// A login that is left out where there is no secret leaves out nothing.
#[test]
fn a_condition_that_only_asks_for_the_credential_is_known_as_one() {
    let guards = |script: &str| {
        let tree = tree(&[("ci.txt", script)]);
        let options = Options::default();
        let cx = Context::new(&tree, &options);
        let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
        let mut run = JobRun::new(&cx);
        super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
        let login = run
            .finish()
            .into_iter()
            .find(|effect| matches!(effect.kind, Kind::Login { .. }))
            .unwrap_or_else(|| panic!("no login: {script}"));
        let told: Vec<bool> = login.guards.iter().map(|g| g.with_secrets).collect();
        told
    };
    let login = "echo \"$P\" | docker login -u \"$U\" --password-stdin";
    for condition in [
        "[ -n \"$U\" ]",
        "[ -n \"$U\" ] && [ -n \"${P}\" ]",
        "[[ -n $U && -n $P ]]",
        "[ -n \"${P:-}\" -a \"$U\" != '' ]",
        "test -n \"${U+x}\"",
        "[[ $P ]]",
        "! [ -z \"$U\" ]",
    ] {
        let script = format!("if {condition}; then {login}; fi");
        assert_eq!(guards(&script), [true], "{script}");
    }
    for condition in [
        "[ -z \"$U\" ]",
        "[ \"${U}\" == \"\" ] || [ \"$P\" == \"\" ]",
        "[[ -z $U || -z $P ]]",
    ] {
        let script = format!("if {condition}; then echo none; else {login}; fi");
        assert_eq!(guards(&script), [true], "{script}");
    }
    for condition in [
        "[ -n \"$CI\" ]",
        "[ -n \"$U\" ] && [ \"$BRANCH\" = main ]",
        "[ -n \"$U\" ] || [ -n \"$P\" ]",
        "[ -z \"$U\" ]",
        "[ -n \"$U$BRANCH\" ]",
        "grep -q \"$U\" users",
        "[ \"$U\" = \"$P\" ]",
    ] {
        let script = format!("if {condition}; then {login}; fi");
        assert_eq!(guards(&script), [false], "{script}");
    }
    assert_eq!(
        guards(&format!("USER=\"$U\"\n[ -z \"$USER\" ] && exit 0\n{login}")),
        [true]
    );
    assert_eq!(
        guards(&format!(
            "if [ -n \"$U\" ]; then if [ \"$B\" = main ]; then {login}; fi; fi"
        )),
        [true, false]
    );
}

#[test]
fn places_point_at_the_image() {
    let tree = tree(&[("ci.txt", "docker run \\\n  --rm alpine:3 true\n")]);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    let effects = run.finish();
    assert_eq!(
        source.slice(effects[0].span.start, effects[0].span.end),
        "alpine:3"
    );
    let _ = Sources::new(&tree);
}

#[test]
fn a_condition_of_the_pull_and_of_the_login_is_the_same_condition() {
    let all = effects(
        "if [ -n \"$T\" ]; then docker login -u u -p $T; fi\n[[ -z $T ]] || docker pull alpine\n",
    );
    assert!(all[0].ends_with("[if [ -n \"$T\" ]]"), "{all:?}");
    let all = effects("test \"$A\" != b || docker pull alpine");
    assert_eq!(all, ["pull alpine always [if [ \"$A\" = b ]]"]);
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
fn flags_may_stand_before_a_sub_command_of_buildx() {
    let files = [("Dockerfile", "FROM debian:12\n")];
    assert_eq!(
        effects_in(&files, "docker buildx --builder own build -t app ."),
        ["pull debian:12 always"]
    );
    assert_eq!(
        effects_in(&files, "docker buildx --builder default build -t app ."),
        ["pull debian:12", "provide app"]
    );
}

#[test]
fn a_variable_is_taken_for_flags_by_whole_words_of_its_name() {
    for image in ["$TARGET_IMAGE", "$ENV_IMAGE", "$OPTIMISED", "$ENVIRONMENT"] {
        assert_eq!(
            pulls(&format!("docker pull {image}")),
            [format!("{image} always")]
        );
    }
    for flags in [
        "$BUILD_ARGS",
        "$DOCKER_OPTS",
        "$dockerflags",
        "$EXTRA",
        "\"${options[@]}\"",
    ] {
        let script = format!("docker pull {flags} a/b");
        let last = pulls(&script).pop();
        assert_eq!(last.as_deref(), Some("a/b always"), "{script}");
    }
    let script = "docker buildx imagetools create $(jq -cr '.tags | map(\"-t \" + .) | join(\" \")' <<< \"$META\") a/b";
    assert_eq!(pulls(script), ["a/b always"]);
}

#[test]
fn a_list_is_read_into_an_array() {
    let script = "LIST='a/b c/d'\nIFS=' ' read -ra NAMES <<< \"$LIST\"\n\
                  for name in \"${NAMES[@]}\"; do docker pull \"$name:1\"; done";
    assert_eq!(pulls(script), ["a/b:1 always", "c/d:1 always"]);
    let script = "IFS=, read -r -a NAMES <<< \"a/b,c/d\"\ndocker pull \"${NAMES[1]}\"";
    assert_eq!(pulls(script), ["c/d always"]);
    let script = "IFS=, read -ra NAMES <<< \"$LIST\"\ndocker pull \"${NAMES[1]}\"";
    assert_eq!(pulls(script).len(), 1, "{:?}", pulls(script));
}

#[test]
fn what_is_set_only_where_nothing_else_sets_it_is_a_default() {
    for script in [
        "if [ -z \"$FROM\" ]; then FROM=a/b; fi\ndocker pull \"$FROM\"",
        "if [[ -z ${FROM:-} ]]; then\n  FROM=a/b\nfi\ndocker pull $FROM",
        "if test -z \"$FROM\"; then FROM=a/b; else echo $FROM; fi; docker pull \"$FROM\"",
    ] {
        assert_eq!(pulls(script), ["a/b always"], "{script}");
    }
    let other = "if [ -z \"$OTHER\" ]; then FROM=a/b; fi\ndocker pull \"$FROM\"";
    assert_eq!(pulls(other), ["$FROM always"]);
    let set_by_ci = "if [ -z \"$CIRCLE_TAG\" ]; then CIRCLE_TAG=b; fi\ndocker pull a:$CIRCLE_TAG";
    assert_eq!(pulls(set_by_ci), ["a:$CIRCLE_TAG always"]);
}

#[test]
fn options_of_a_script_are_read_from_its_arguments() {
    let script = "#!/bin/bash\nlocal=N\nwhile getopts \":hlt:d:\" opt; do\n  case $opt in\n\
                  h) echo help; exit 0 ;;\n  l) local=Y ;;\n  t) tag=$OPTARG ;;\n  d) dir=$OPTARG ;;\n  esac\ndone\n\
                  shift $((OPTIND - 1))\n\
                  if [ \"$local\" = Y ]; then docker pull $1:$tag; else docker pull other/$1; fi\n";
    let files = [("run.sh", script)];
    for call in [
        "./run.sh -l -t 1 -d x a/b",
        "bash run.sh -lt1 a/b",
        "./run.sh -t 1 -l -- a/b",
    ] {
        let pulled: Vec<String> = effects_in(&files, call)
            .into_iter()
            .filter(|line| line.starts_with("pull "))
            .collect();
        assert_eq!(pulled, ["pull a/b:1 always"], "{call}");
    }
    assert_eq!(
        effects_in(&files, "./run.sh a/b"),
        ["pull other/a/b always"]
    );
    assert_eq!(effects_in(&files, "./run.sh -h a/b"), [""; 0]);
    let script = "while getopts v: o; do case $o in v) V=$OPTARG ;; esac; done\n\
                  if [ -v V ]; then docker pull a/b:$V; else docker pull a/b; fi\n";
    let versions = [("run.sh", script)];
    assert_eq!(
        effects_in(&versions, "./run.sh -v 1"),
        ["pull a/b:1 always"]
    );
    assert_eq!(effects_in(&versions, "./run.sh").len(), 2);
    // Which options there are is not known, and both ways are open.
    assert_eq!(effects_in(&files, "./run.sh $FLAGS a/b").len(), 2);
}

#[test]
fn a_list_of_flags_hides_no_image() {
    for script in [
        "docker run \"${ARGS[@]}\" a/b x y",
        "docker run $@ a/b x",
        "ARGS=(--rm); if [ -t 0 ]; then ARGS+=(-it); fi; ARGS+=(-e A=b)\ndocker run \"${ARGS[@]}\" a/b x",
        "ARGS=(-q); [ -n \"$X\" ] && ARGS+=(-it); docker run \"${ARGS[@]}\" a/b x",
    ] {
        assert_eq!(pulls(script), ["a/b"], "{script}");
    }
    assert_eq!(pulls("docker run \"${IMAGES[@]}\""), ["${IMAGES[@]}"]);
    let script = "if [ -n \"$CI\" ]; then WHERE=--rm; else WHERE=\"\"; fi\ndocker run $WHERE a/b x";
    assert_eq!(pulls(script), ["a/b"]);
    let files = [("run.sh", "docker run \"$@\"\n")];
    assert_eq!(effects_in(&files, "./run.sh $X"), ["pull $X"]);
    assert_eq!(effects_in(&files, "./run.sh $FLAGS"), ["pull $@"]);
    let files = [("own/Dockerfile", "FROM a/b\n")];
    assert_eq!(
        effects_in(
            &files,
            "docker build -f own/Dockerfile -t \"${TAGS[@]}\" -t app ."
        ),
        ["pull a/b", "provide app"]
    );
    let script = "ARGS=(--pull -f own/Dockerfile)\nif [ -n \"$A\" ]; then ARGS+=(--label \"$A\"); fi\n\
                  ARGS+=(-t app)\ndocker build \"${ARGS[@]}\" .\n[ ${#ARGS[@]} = 5 ] && docker pull c/d";
    assert_eq!(
        effects_in(&files, script)[..2],
        ["pull a/b always", "provide app"]
    );
}

#[test]
fn what_a_script_is_handed_is_found_where_it_is_written() {
    let retry = "#!/bin/sh\nwhile true; do\n  if \"$@\"; then exit 0; fi\ndone\n";
    let function = "fetch() { docker pull \"$2\"; }\n";
    let script = format!("{function}./retry.sh docker pull a/b\nfetch x c/d\n");
    let tree = tree(&[("retry.sh", retry), ("ci.txt", &script)]);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    let written: Vec<String> = run
        .finish()
        .iter()
        .map(|effect| {
            let file = cx.sources.get(effect.span.file);
            format!(
                "{} {}",
                file.path,
                file.slice(effect.span.start, effect.span.end)
            )
        })
        .collect();
    assert_eq!(written, ["ci.txt a/b", "ci.txt c/d"]);
}

#[test]
fn a_release_is_what_goreleaser_does_unless_it_is_told_otherwise() {
    let files = [
        (".goreleaser.yml", "dockers: []\n"),
        ("other.yml", "builds: []\n"),
        ("images.yml", "dockers: []\n"),
    ];
    for (command, opaque) in [
        ("goreleaser", true),
        ("goreleaser --clean", true),
        ("goreleaser release -f images.yml", true),
        ("goreleaser release --config other.yml --clean", false),
        ("goreleaser check", false),
        ("goreleaser --version", false),
    ] {
        assert_eq!(!effects_in(&files, command).is_empty(), opaque, "{command}");
    }
    let none = [(".goreleaser.yml", "builds: []\n")];
    assert!(effects_in(&none, "goreleaser --clean").is_empty());
    let configured = [("release/images.yml", "dockers: []\n")];
    assert!(!effects_in(&configured, "cd release && goreleaser -f images.yml").is_empty());
}

#[test]
fn runners_of_tasks_that_are_not_read_are_unknown_when_these_speak_of_docker() {
    for (file, command) in [("magefile.go", "mage build"), ("mage.go", "mage test")] {
        let speaks = [(file, "docker run alpine\n")];
        let seen = effects_in(&speaks, command);
        assert!(
            seen.iter().any(|line| line.starts_with("opaque")),
            "{command}: {seen:?}"
        );
        assert!(
            effects_in(&[(file, "cargo test\n")], command).is_empty(),
            "{command}"
        );
    }
    let bazel = [(
        "MODULE.bazel",
        "oci.pull(name = 'base', image = 'alpine')\n",
    )];
    assert!(!effects_in(&bazel, "bazel run //oci:load").is_empty());
    assert!(effects_in(&bazel, "bazel query //...").is_empty());
}

#[test]
fn a_task_pulls_what_its_taskfile_says() {
    let files = [
        (
            "Taskfile.yml",
            "version: '3'\nvars: {TAG: '3'}\nincludes:\n  app: app\n  far: https://host/Taskfile.yml\ntasks:\n  \
             tag: {vars: {T: {sh: git tag}}, cmd: \"{{if .T}}\\ndocker pull x\\n{{else}}\\ndocker pull y\\n{{end}}\"}\n  \
             up: [docker compose up -d, {task: 'app:test'}]\n  lint: go vet\n  release: [{task: 'far:push'}]\n  \
             run:\n    requires: {vars: [IMAGE]}\n    cmds: [{if: '[ -n \"$CI\" ]', cmd: 'docker run {{.IMAGE}} {{.CLI_ARGS}}'}]\n",
        ),
        ("compose.yml", "services: {db: {image: postgres}}\n"),
        (
            "app/Taskfile.yml",
            "version: '3'\ntasks:\n  test: {dir: '{{.TASKFILE_DIR}}', cmd: 'docker build -t app:{{.TAG}} . && docker run app:{{.TAG}}'}\n",
        ),
        ("app/Dockerfile", "FROM acme/base\n"),
    ];
    for (command, expected) in [
        (
            "task up",
            &[
                "pull postgres",
                "pull acme/base",
                "provide app:3",
                "pull app:3",
            ] as &[_],
        ),
        ("go-task lint", &[]),
        ("cd app; task -d .. lint --verbose", &[]),
        (
            "task -l; task --list-all; task --dry up; task up --summary; task -g up",
            &[],
        ),
        (
            "task run IMAGE=a/b -- -x",
            &["pull a/b [if [ -n \"$CI\" ]]"],
        ),
        (
            "go tool -modfile=tools/go.mod task up; go build task",
            &[
                "pull postgres",
                "pull acme/base",
                "provide app:3",
                "pull app:3",
            ],
        ),
        (
            "go run github.com/go-task/task/v3/cmd/task@latest run IMAGE=a",
            &["pull a [if [ -n \"$CI\" ]]"],
        ),
        (
            "task tag",
            &[
                "pull x always [if [ \"{{.T}}\" ]]",
                "pull y always [if not [ \"{{.T}}\" ]]",
            ],
        ),
        (
            "task -t app test",
            &["pull acme/base", "provide app:", "pull app:"],
        ),
        (
            "task release",
            &[
                "opaque task far:push: no task `far:push` in `Taskfile.yml`: its Taskfile `https://host/Taskfile.yml` is not in this repository",
            ],
        ),
        (
            "task $WHICH",
            &[
                "opaque task $WHICH: which task `task $WHICH` means is known only when the build runs",
            ],
        ),
    ] {
        assert_eq!(effects_in(&files, command), expected, "{command}");
    }
    let none = [("Taskfile.yml", "version: '3'\ntasks: {lint: go vet}\n")];
    assert_eq!(effects_in(&none, "task $WHICH"), [""; 0]);
}

#[test]
fn images_of_other_container_systems_are_pulled_by_them() {
    for (command, image) in [
        ("singularity pull docker://alpine:3", "alpine:3"),
        ("apptainer pull out.sif docker://alpine:3", "alpine:3"),
        ("apptainer build out.sif docker://alpine:3", "alpine:3"),
        ("apptainer exec -B /data docker://alpine:3 true", "alpine:3"),
    ] {
        let seen = effects(command);
        assert!(
            seen.len() == 1 && seen[0].contains(image),
            "{command}: {seen:?}"
        );
    }
    assert!(effects("singularity exec image.sif true").is_empty());
    assert!(effects("crane ls alpine; skopeo list-tags docker://alpine").is_empty());
}

#[test]
fn a_task_in_another_language_is_unknown_when_it_speaks_of_containers() {
    let tasks = "from invoke import task\n\n@task\ndef dev_env(c):\n    c.run('docker compose up')\n\n@task\ndef lint(c):\n    c.run('ruff')\n";
    let files = [("tasks.py", tasks)];
    assert_eq!(
        effects_in(&files, "invoke dev-env --endpoints=all\ninv lint"),
        [
            "opaque invoke: it runs tasks that are written in Python, which is not read, and they mention docker"
        ]
    );
    assert_eq!(effects("invoke dev-env"), [""; 0]);
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

#[test]
fn make_in_a_folder_that_is_not_known_is_said_where_a_makefile_of_it_may_pull() {
    let files = [
        ("apps/web/Makefile", "up:\n\tdocker run alpine\n"),
        ("lib/Makefile", "lint:\n\techo docker\nup: lint\n\tcc x.c\n"),
        ("lib/c/Makefile", "all:\n\tcc x.c\n"),
    ];
    for (script, expected) in [
        ("make -C \"$D\" up", Some("$D")),
        ("make -C apps/$APP up test=1", Some("apps/$APP")),
        ("make -C ./apps/$APP", Some("./apps/$APP")),
        ("cd apps; make -C ../apps/$APP/ up", Some("../apps/$APP/")),
        ("make -C $ROOT/web up", Some("$ROOT/web")),
        ("make -C \"$D\" up; make -C \"$D\" up", Some("$D")),
        // Nothing there is of that name, or pulls.
        ("make -C \"$D\" install", None),
        ("make -C lib/$D up", None),
        ("make -C lib/c$D", None),
        ("make -C /opt/$D up", None),
        ("make -C $(mktemp -d) up", None),
    ] {
        let expected: Vec<String> = expected
            .map(|folder| {
                let what = if script.ends_with("$APP") { "make" } else { "make up" };
                format!("opaque {what}: the folder `{folder}` is not in this repository, or not known before the build runs")
            })
            .into_iter()
            .collect();
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

#[test]
fn a_make_target_that_is_known_in_part_is_one_of_those_that_fit() {
    let makefile = "build-%-image:\n\tdocker pull a/$*\nbuild-linux:\n\tgo build\nbuild-docker:\n\tdocker pull c/d\nother:\n\tdocker pull e/f\n";
    let files = [("Makefile", makefile)];
    assert_eq!(
        effects_in(&files, "make build-$X"),
        ["pull c/d always [if `make build-$X` is `make build-docker`]"]
    );
    assert_eq!(
        effects_in(&files, "make build-$X-image"),
        ["pull a/$X always"]
    );
    assert_eq!(
        effects_in(&files, "make $X"),
        ["opaque make $X: which target `make $X` means is known only when the build runs"]
    );
    // `./out/x` and `out/x` are one target.
    let files = [(
        "Makefile",
        "./out/x: ./y\n\tdocker pull a/b\ny:\n\tdocker pull c/d\n",
    )];
    assert_eq!(
        effects_in(&files, "make out/x"),
        ["pull c/d always", "pull a/b always"]
    );
}

#[test]
fn a_file_that_is_copied_is_read_where_it_is_put() {
    let files = [
        (
            "ci/compose.yml",
            "services:\n  db: {image: \"postgres:$V\"}\n",
        ),
        ("ci/Dockerfile", "FROM debian\n"),
        ("ci/example.env", "V=16\n"),
        ("app/main.c", ""),
    ];
    let pulls_of = |script: &str| -> Vec<String> {
        let all = effects_in(&files, script);
        all.iter()
            .filter_map(|line| line.strip_prefix("pull ").map(str::to_owned))
            .collect()
    };
    assert_eq!(
        pulls_of(
            "cp ci/compose.yml docker-compose.yml\ncp -f ci/example.env ./.env\ndocker-compose up -d"
        ),
        ["postgres:16"]
    );
    assert_eq!(
        pulls_of(
            "cp ci/compose.yml ci/Dockerfile app/\ncd app && mv compose.yml compose.yaml\ndocker build . && docker compose up"
        ),
        ["debian", "postgres:$V"]
    );
    assert_eq!(
        pulls_of("ln -s ci/Dockerfile .\ndocker build ."),
        ["debian"]
    );
    // A link elsewhere points from there.
    assert!(pulls_of("ln -s ci/Dockerfile app/\ndocker build app").is_empty());
}

#[test]
fn a_task_runner_that_only_says_something_runs_nothing() {
    let files = [
        ("Makefile", "all:\n\tdocker pull debian\n"),
        ("justfile", "all:\n  docker pull alpine\n"),
    ];
    for script in [
        "make --version",
        "make -v",
        "make -n all",
        "make --dry-run",
        "just --list",
        "just -n all",
    ] {
        assert!(effects_in(&files, script).is_empty(), "{script}");
    }
    assert_eq!(
        effects_in(&files, "make -k && just all"),
        ["pull debian always", "pull alpine always"]
    );
}

#[test]
fn an_argument_without_quotes_is_one_unless_it_may_be_flags() {
    let files = [(
        "ci/deploy.sh",
        "PART=${1:-all}\ncase \"$PART\" in\n  up) docker pull app:$2 ;;\n  *) docker pull other ;;\nesac\n",
    )];
    assert_eq!(
        effects_in(&files, "./ci/deploy.sh up $PR"),
        ["pull app:$PR always"]
    );
    let either = [
        "pull app:$2 always [if case \"$PART\" in up)]",
        "pull other always [if case \"$PART\" in *)]",
    ];
    for script in ["./ci/deploy.sh $FLAGS up", "./ci/deploy.sh $(next) up"] {
        assert_eq!(effects_in(&files, script), either, "{script}");
    }
    assert_eq!(effects_in(&files, "./ci/deploy.sh"), ["pull other always"]);
}

#[test]
fn a_word_that_sed_replaces_is_replaced_in_an_image() {
    let files = [(
        "compose.yml",
        "services:\n  app: {image: 'me/app:VERSION'}\n  db: {image: postgres}\n",
    )];
    let pulls_of = |script: &str| effects_in(&files, &format!("{script}\ndocker compose up"));
    for script in [
        "sed -i s/VERSION/$TAG/g compose.yml",
        "sed -i -e \"s|VERSION|$TAG|\" ./compose.yml",
        "sed -i '' \"s/VERSION/$TAG/\" compose.yml",
    ] {
        assert_eq!(
            pulls_of(script),
            ["pull me/app:$TAG", "pull postgres"],
            "{script}"
        );
    }
    for script in [
        "sed s/VERSION/$TAG/ compose.yml",
        "sed -i s/V.*N/$TAG/ compose.yml",
        "sed -i s/VERSION/$TAG/ other.yml",
    ] {
        assert_eq!(
            pulls_of(script),
            ["pull me/app:VERSION", "pull postgres"],
            "{script}"
        );
    }
}

#[test]
fn what_is_set_before_a_break_is_set_behind_the_loop() {
    for ask in [
        "[ $READY -eq 1 ] || exit 1",
        "if [[ \"$READY\" -ne 1 ]]; then exit 1; fi",
    ] {
        for body in [
            "if curl x; then READY=1; break; fi; sleep 1",
            "curl x && { READY=1; break; }; sleep 1",
            "case $(state) in up) READY=1; break ;; esac; sleep 1",
        ] {
            for head in [
                "for i in 1 2 3; do",
                "for i in $(seq 9); do",
                "while true; do",
            ] {
                let script = format!("READY=0\n{head} {body}; done\n{ask}\ndocker pull a/b");
                assert_eq!(pulls(&script), ["a/b always"], "{script}");
            }
        }
    }
    let function = "UP=0\nup() { if curl x; then UP=1; return 0; fi; sleep 1; }\nup\n[ $UP -eq 1 ] || exit 1\ndocker pull a/b";
    assert_eq!(pulls(function), ["a/b always"]);
    // Nothing sets it, so nothing is pulled.
    let never =
        "READY=0\nfor i in 1 2; do curl x; done\n[ $READY -eq 1 ] || exit 1\ndocker pull a/b";
    assert_eq!(pulls(never), [""; 0]);
}

#[test]
fn a_loop_over_a_pattern_goes_through_the_files_there_are() {
    let files = [
        ("svc/a/Dockerfile", "FROM debian\n"),
        ("svc/b/Dockerfile", "FROM alpine\n"),
        ("svc/.hidden/Dockerfile", "FROM busybox\n"),
        ("svc/README", ""),
    ];
    let pulls_of = |script: &str| -> Vec<String> {
        let all = effects_in(&files, script);
        all.iter()
            .filter_map(|line| line.strip_prefix("pull ").map(str::to_owned))
            .collect()
    };
    for script in [
        "for d in svc/*/; do docker build $d; done",
        "for d in ./svc/?; do (cd $d && docker build .); done",
        "for f in svc/*/Dockerfile; do docker build -f $f .; done",
        "cd svc && for d in ../svc/*/; do docker build -t app-$(basename $d) $d; done",
    ] {
        assert_eq!(pulls_of(script), ["debian", "alpine"], "{script}");
    }
    assert!(pulls_of("for d in 'svc/*/'; do docker build $d; done").is_empty());
    assert!(pulls_of("for d in other/*/; do docker build $d; done").is_empty());
}

#[test]
fn a_program_of_the_repository_that_go_runs_may_speak_to_an_engine() {
    let dagger =
        "package main\n\nimport (\n\t\"context\"\n\n\t\"dagger.io/dagger\"\n)\n\nfunc main() {}\n";
    let through = "package main\n\nimport x \"example.com/m/internal/engine\"\n";
    let engine = "package engine\n\nimport (\n\t\"github.com/docker/docker/client\"\n)\n";
    let runs = "package main\n\nimport \"os/exec\"\n\nfunc main() {\n\texec.CommandContext(ctx, \"docker\", \"pull\", \"x\")\n}\n";
    let idle = "package main\n\nimport (\n\t\"github.com/docker/docker/api/types\"\n\t\"os/exec\"\n)\n\n// exec.Command(\"docker\")\nfunc main() { exec.Command(\"git\"); println(\"docker\") }\n";
    let files = [
        ("go.mod", "module example.com/m\n"),
        ("ci/main.go", dagger),
        ("cmd/x/main.go", through),
        ("internal/engine/e.go", engine),
        ("internal/engine/e_test.go", dagger),
        ("cmd/run/main.go", runs),
        ("cmd/run/other.go", "package main\n"),
        ("cmd/idle/main.go", idle),
        ("cmd/idle/main_test.go", dagger),
        ("cmd/idle/main_windows.go", dagger),
        ("tools/go.mod", "module example.com/tools\n"),
        ("tools/main.go", through),
    ];
    for (script, expected) in [
        (
            "go run ./ci",
            "go run ./ci: the program's code uses `dagger.io/dagger`",
        ),
        (
            "cd ci && go run . --push",
            "go run .: the program's code uses `dagger.io/dagger`",
        ),
        (
            "go run ci/main.go build",
            "go run ci/main.go: the program's code uses `dagger.io/dagger`",
        ),
        (
            "cd ci; go run main.go",
            "go run main.go: the program's code uses `dagger.io/dagger`",
        ),
        (
            "go run -tags x example.com/m/cmd/x",
            "go run example.com/m/cmd/x: the program's code uses `github.com/docker/docker/client`",
        ),
        (
            "go run ./cmd/run",
            "go run ./cmd/run: the program's code runs `docker`",
        ),
    ] {
        let lines = effects_in(&files, script);
        let expected = format!("opaque {expected}, and is not read further");
        assert_eq!(lines, [expected], "{script}");
    }
    for script in [
        "go run ./cmd/idle",
        "go run ./cmd/run/other.go",
        "go run ./none",
        "go run $X",
        "go run ../x",
        "go build ./ci",
        "cd tools; go run .",
        "go run example.com/other/cmd/x@latest",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn go_tests_start_containers_in_packages_that_come_to_the_library() {
    const LIBRARY: &str = "import \"github.com/testcontainers/testcontainers-go\"\n";
    let helper = format!("package db\n{LIBRARY}");
    let tagged = format!("//go:build integration\n\npackage it\n{LIBRARY}");
    let files = [
        (
            "go.mod",
            "module acme.example/shop // shop\nrequire github.com/testcontainers/testcontainers-go v1\n",
        ),
        ("main_test.go", "package main\n"),
        ("internal/db/db.go", &helper),
        ("store/store.go", "package store\n"),
        (
            "store/store_test.go",
            "package store\nimport \"acme.example/shop/internal/db\"\n",
        ),
        ("web/web.go", "package web\n"),
        ("web/web_test.go", "package web\n"),
        ("web/testdata/x_test.go", &helper),
        ("it/it_test.go", &tagged),
        ("tools/go.mod", "module acme.example/tools\n"),
        ("tools/x_test.go", &helper),
    ];
    for (command, starts) in [
        ("go test ./...", true),
        ("go test -race -run X ./store", true),
        ("go test acme.example/shop/store", true),
        ("go test -timeout 5m ./web/... .", false),
        ("go test", false),
        ("go test ./it/...", false),
        ("go test -tags integration ./it/...", true),
        ("go test --tags=a,integration ./it", true),
        ("go test -tags \"$TAGS\" ./it", true),
        ("go test ./internal/db", false),
        ("go test -c -o /dev/null ./store", false),
        ("go test ./web -test.run ./store", false),
        ("go test ./tools/...", false),
        ("go test $(go list ./...)", true),
        ("go test -C store", true),
        ("GOFLAGS=-tags=integration go test ./it", true),
    ] {
        let seen = effects_in(&files, command);
        assert_eq!(!seen.is_empty(), starts, "{command}: {seen:?}");
    }
}

const CONTAINERS: &str = "pull testcontainers/ryuk:?";

/// What a project depends on says that its tests start containers; whatever runs the tests pulls.
#[test]
fn tests_that_start_containers_pull() {
    for (file, text, script) in [
        (
            "pom.xml",
            "<groupId>org.testcontainers</groupId>",
            "mvn -B verify",
        ),
        (
            "pom.xml",
            "<groupId>org.testcontainers</groupId>",
            "./mvnw --batch-mode package",
        ),
        (
            "core/db/pom.xml",
            "<groupId>org.testcontainers</groupId>",
            "mvn install -DskipTests=false",
        ),
        (
            "build.gradle",
            "dependencies {\n  testImplementation(\n    platform('x'),\n    'org.testcontainers:mysql:1')\n}",
            "./gradlew :app:test",
        ),
        (
            "app/build.gradle.kts",
            "    testRuntimeOnly(libs.testcontainers)",
            "sh ./gradlew check -x lint",
        ),
        (
            "service/build.gradle.kts",
            "  integrationTestImplementation(\"org.testcontainers:mysql\")",
            "cd service && ./gradlew integrationTest",
        ),
        (
            "build.sbt",
            "\"com.dimafeng\" %% \"testcontainers-scala\"",
            "sbt clean test",
        ),
        (
            "go.mod",
            "require github.com/testcontainers/testcontainers-go v0.40.0",
            "go test ./...",
        ),
        (
            "svc/go.mod",
            "github.com/testcontainers/testcontainers-go",
            "cd svc && gotestsum -- -race",
        ),
        (
            "package.json",
            "{\"devDependencies\":{\"testcontainers\":\"11\"},\"scripts\":{\"test\":\"jest\"}}",
            "npm test",
        ),
        (
            "requirements-dev.txt",
            "testcontainers[postgres]",
            "python -m pytest -q",
        ),
        ("pyproject.toml", "\"testcontainers\"", "poetry run pytest"),
        (
            "tests/Shop.Tests/Shop.Tests.csproj",
            "<PackageReference Include=\"Testcontainers\" />",
            "dotnet test",
        ),
    ] {
        let files = [
            ("pom.xml", "<modules/>"),
            ("settings.gradle", ""),
            ("service/settings.gradle.kts", ""),
            (file, text),
        ];
        assert_eq!(effects_in(&files, script), [CONTAINERS], "{script}");
    }
    let rust = [("Cargo.toml", "testcontainers = \"0.25\"")];
    let said = effects_in(&rust, "cargo nextest run");
    assert!(said[0].contains("opaque Testcontainers"), "{said:?}");
}

#[test]
fn tests_that_are_left_out_or_start_none_pull_nothing() {
    let java = [
        ("pom.xml", "<groupId>org.testcontainers</groupId>"),
        (
            "build.gradle",
            "testImplementation 'org.testcontainers:junit-jupiter'",
        ),
        (
            "it/build.gradle",
            "intTestImplementation 'org.testcontainers:x'",
        ),
        (
            "gradle/versions.gradle",
            "dependency 'org.testcontainers:x:1'",
        ),
        ("go.mod", "github.com/testcontainers/testcontainers-go"),
        ("gradlew", "exec java -jar gradle-wrapper.jar"),
        ("node_modules/x/package.json", "testcontainers"),
        ("package.json", "{\"scripts\": {\"test\": \"jest\"}}"),
    ];
    for script in [
        "mvn compile",
        "mvn package -DskipTests",
        "mvn -Dmaven.test.skip=true install",
        "./gradlew assemble",
        "./gradlew build -x test",
        "cd it && ../gradlew test check",
        "cd gradle && ../gradlew test",
        "go build ./...",
        "go test -short ./...",
        "npm test",
        "cargo test",
        "TC_CLOUD_TOKEN=x mvn verify",
        "cd docs && go test",
    ] {
        assert_eq!(effects_in(&java, script), [""; 0], "{script}");
    }
    // A file that is made to take long does not.
    let named = "<d>testcontainers</d>\n".repeat(90_000);
    let long = format!("<dependencyManagement>\n{named}</dependencyManagement>");
    let one_line = "// indirect testcontainers-go ".repeat(90_000);
    let hostile = [("pom.xml", long.as_str()), ("go.mod", one_line.as_str())];
    assert_eq!(effects_in(&hostile, "mvn verify; go test ./..."), [""; 0]);
    let elsewhere =
        "export TESTCONTAINERS_HUB_IMAGE_NAME_PREFIX=registry.acme.example/hub/\nmvn verify";
    assert_eq!(
        effects_in(&java, elsewhere),
        ["pull registry.acme.example/hub/testcontainers/ryuk:?"]
    );
    let without = "TESTCONTAINERS_RYUK_DISABLED=true go test ./...";
    let said = effects_in(&java, without);
    assert!(said[0].contains("opaque Testcontainers"), "{said:?}");
}

#[test]
fn plugins_of_a_build_pull_what_is_not_read() {
    let plugin = |name: &str, rest: &str| {
        format!("<plugin>\n<artifactId>{name}</artifactId>\n{rest}</plugin>\n")
    };
    let goals =
        "<executions><execution><goals><goal>build</goal></goals></execution></executions>\n";
    let fabric8 = plugin("docker-maven-plugin", goals);
    let profile = format!("<profile>\n{fabric8}</profile>\n");
    let spotify = plugin("dockerfile-maven-plugin", goals);
    let jib = plugin("jib-maven-plugin", goals);
    let spring = plugin(
        "spring-boot-maven-plugin",
        "<executions><execution>\n<goals><goal>build-image-no-fork</goal></goals></execution></executions>\n",
    );
    let tests = plugin(
        "docker-maven-plugin",
        "<executions><execution><id>a</id><phase>pre-integration-test</phase>\n<goals><goal>start</goal></goals></execution>\n<execution><goals><goal>stop</goal></goals></execution></executions>\n",
    );
    let off = plugin(
        "docker-maven-plugin",
        "<executions><execution><phase>none</phase><goals><goal>build</goal></goals></execution></executions>\n",
    );
    let idle = plugin("docker-maven-plugin", "");
    let managed = format!("<pluginManagement>\n{fabric8}</pluginManagement>\n");
    let skipped = format!("<!--\n{fabric8}-->\n");
    let bmuschko = "plugins { id 'com.bmuschko.docker-remote-api' version '9.4.0' }\n";
    let palantir = "plugins { id(\"com.palantir.docker\") }\n";
    let files = [
        ("f/pom.xml", fabric8.as_str()),
        ("p/pom.xml", profile.as_str()),
        ("s/pom.xml", spotify.as_str()),
        ("j/app/pom.xml", jib.as_str()),
        ("j/pom.xml", ""),
        ("b/pom.xml", spring.as_str()),
        ("none/pom.xml", idle.as_str()),
        ("tests/pom.xml", tests.as_str()),
        ("off/pom.xml", off.as_str()),
        ("managed/pom.xml", managed.as_str()),
        ("skipped/pom.xml", skipped.as_str()),
        ("g/build.gradle", bmuschko),
        ("t/build.gradle.kts", palantir),
    ];
    for (script, expected) in [
        ("cd f; mvn -B package", "opaque docker-maven-plugin"),
        ("cd p; mvn -Pdocker install", "opaque docker-maven-plugin"),
        ("cd s; ./mvnw deploy", "opaque dockerfile-maven"),
        ("cd tests; mvn -q verify", "opaque docker-maven-plugin"),
        (
            "cd f; mvn install -DskipTests",
            "opaque docker-maven-plugin",
        ),
        ("cd j; mvn package", "opaque Jib"),
        ("cd b; mvn verify", "opaque spring-boot:build-image"),
        ("cd none; mvn package docker:build", "opaque mvn"),
        ("cd f; mvn package docker:build", "opaque mvn"),
        (
            "mvn io.fabric8:docker-maven-plugin:0.45.1:build",
            "opaque mvn",
        ),
        (
            "mvn com.google.cloud.tools:jib-maven-plugin:3.4.4:dockerBuild",
            "opaque mvn",
        ),
        (
            "mvn com.spotify:dockerfile-maven-plugin:build@x",
            "opaque mvn",
        ),
        ("mvn dockerfile:push", "opaque mvn"),
        ("./gradlew :app:dockerPushImage", "opaque gradlew"),
        ("cd t; ./gradlew docker", "opaque gradle-docker"),
    ] {
        let login = "docker login -u u --password-stdin < x; ";
        let lines = effects_in(&files, &format!("{login}{script}"));
        let said: Vec<&String> = lines.iter().filter(|l| l.starts_with("opaque")).collect();
        assert!(
            said.len() == 1 && said[0].starts_with(expected),
            "{script}: {lines:?}"
        );
        let makes = |line: &String| line == "provide ?";
        assert!(lines.iter().any(makes), "{script}: {lines:?}");
        assert!(lines.iter().all(|line| !line.starts_with("pull")));
    }
    for script in [
        "cd f; mvn test",
        "cd f; mvn package -Ddocker.skip",
        "cd p; mvn package",
        "cd none; mvn package",
        "cd tests; mvn package",
        "cd tests; mvn install -DskipITs",
        "cd off; mvn install",
        "cd managed; mvn package",
        "cd skipped; mvn package",
        "cd b; mvn com.acme:x-maven-plugin:1:run",
        "cd g; ./gradlew publishImages",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    // Whether its tasks are run is not known: a login may be for them.
    let login = "docker login -u u --password-stdin < x; ";
    for (script, expected) in [
        ("cd g; ./gradlew publishImages", 1),
        ("cd g; ./gradlew tasks", 0),
    ] {
        let lines = effects_in(&files, &format!("{login}{script}"));
        let unlisted = lines.iter().filter(|line| *line == "unlisted");
        assert_eq!(unlisted.count(), expected, "{script}: {lines:?}");
    }
}

/// A project's own `gradlew` brings Gradle, and does nothing that counts.
#[test]
fn a_comment_is_no_dependency() {
    let pom = |text: &str| effects_in(&[("pom.xml", text)], "mvn verify").len();
    let dependency = "<artifactId>testcontainers</artifactId>\n";
    assert_eq!(pom(dependency), 1);
    for text in [
        "<!-- as testcontainers does -->\n",
        "<!--\n  NOTE: keep in line with version.testcontainers\n-->\n",
        "<version.testcontainers>1</version.testcontainers>\n",
        "<awssdk.testcontainers.version>1</awssdk.testcontainers.version>\n",
        "<x>${testcontainers.version}</x>\n",
    ] {
        assert_eq!(pom(text), 0, "{text}");
        assert_eq!(pom(&format!("{text}{dependency}")), 1, "{text}");
    }
    let gradle = |text: &str| {
        let files = [("build.gradle", text), ("settings.gradle", "")];
        effects_in(&files, "gradle test").len()
    };
    let dependency = "  testImplementation 'org.testcontainers:mysql:1'\n";
    assert_eq!(gradle(dependency), 1);
    for text in [
        "  // testImplementation 'org.testcontainers:mysql:1'\n",
        "/*\n  testImplementation 'org.testcontainers:mysql:1'\n*/\n",
    ] {
        assert_eq!(gradle(text), 0, "{text}");
        assert_eq!(gradle(&format!("{text}{dependency}")), 1, "{text}");
    }
}

#[test]
fn what_a_test_program_says_of_itself_runs_no_test() {
    let files = [(
        "go.mod",
        "require github.com/testcontainers/testcontainers-go v1\n",
    )];
    let ryuk = ["pull testcontainers/ryuk:?"];
    for script in ["gotestsum -- ./...", "./gotestsum ./...", "ginkgo run"] {
        assert_eq!(effects_in(&files, script), ryuk, "{script}");
    }
    for script in [
        "gotestsum --version",
        "./gotestsum --version",
        "gotestsum --help",
        "ginkgo version",
        "ginkgo build ./...",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
    let files = [("pyproject.toml", "dependencies = ['testcontainers']\n")];
    assert_eq!(effects_in(&files, "pytest -x"), ryuk);
    assert_eq!(
        effects_in(&files, "pytest --version && pytest --collect-only"),
        [""; 0]
    );
}

#[test]
fn a_wrapper_of_a_build_tool_is_the_tool() {
    let files = [("gradlew", "exec \"$JAVACMD\" \"$@\"")];
    let said = effects_in(&files, "./gradlew bootBuildImage");
    assert_eq!(
        said[0], "pull paketobuildpacks/builder:? always",
        "{said:?}"
    );
}

/// `(script, the effects in it)`.
#[test]
fn of_two_container_clients_one_is_followed() {
    let compose = &[("compose.yml", "services:\n  a:\n    image: redis:7\n")];
    let table: &[(&str, &[&str])] = &[
        (
            "if docker compose version; then DC=\"docker compose\"; else DC=docker-compose; fi; $DC up",
            &["pull redis:7"],
        ),
        (
            "if docker-compose version; then DC=docker-compose; else DC=\"docker compose\"; fi; sudo $DC pull",
            &["pull redis:7 always"],
        ),
        (
            "if docker compose version; then DC=\"docker compose\"; elif which docker-compose; then DC=docker-compose; fi; $DC up",
            &["pull redis:7"],
        ),
        (
            "which podman && CTR=$(which podman) || CTR=/usr/bin/docker\n\"$CTR\" pull alpine:3",
            &["pull alpine:3 always"],
        ),
        (
            "if which podman; then CTR=podman; else CTR=docker; fi; $CTR run alpine:3",
            &["pull alpine:3"],
        ),
        (
            "CMD='docker run'; [ -n \"$SUDO\" ] && CMD='sudo docker run'; $CMD alpine:3",
            &["pull alpine:3"],
        ),
        (
            "CTR=docker; [ -n \"$DRY\" ] && CTR='echo docker'; $CTR run alpine:3",
            &["pull alpine:3"],
        ),
        (
            "DC=$(command -v docker-compose >/dev/null && echo docker-compose || echo \"docker compose\"); $DC up",
            &["pull redis:7"],
        ),
        (
            "DC=$(docker compose version &>/dev/null && echo \"docker compose\" || echo docker-compose); $DC up",
            &["pull redis:7"],
        ),
        (
            "DC=$(if docker compose version > /dev/null; then echo docker compose; else echo docker-compose; fi)\n$DC up",
            &["pull redis:7"],
        ),
        (
            "DC=$(docker compose version && echo docker compose || echo docker-compose); $DC up",
            &["pull redis:7"],
        ),
        (
            "CTR=$(command -v podman || command -v docker); $CTR pull alpine",
            &["pull alpine always"],
        ),
        (
            "CTR=$(basename \"$(which docker podman 2> /dev/null | head -n1)\"); $CTR pull alpine",
            &["pull alpine always"],
        ),
        (
            "ENG=docker; [ x$P = x1 ] && ENG=podman; DC=\"$ENG-compose\"; $DC up; $ENG compose up",
            &["pull redis:7", "pull redis:7"],
        ),
        (
            "if docker compose version; then DC=(docker compose); else DC=(docker-compose); fi; \"${DC[@]}\" up",
            &["pull redis:7"],
        ),
        (
            "if which docker-compose; then DC=docker-compose; fi; if [ -n \"$DC\" ]; then $DC up; fi",
            &["pull redis:7 [if [ -n \"$DC\" ]]"],
        ),
    ];
    for (script, expected) in table {
        assert_eq!(effects_in(compose, script), *expected, "{script}");
    }
}

#[test]
fn what_may_be_a_container_client_is_unknown_where_it_asks_for_images() {
    let table: &[(&str, &[&str])] = &[
        (
            "CMD=make; [ -n \"$X\" ] && CMD=docker; $CMD build .; $CMD test",
            &[
                "opaque $CMD build: `$CMD` is a container client on some paths and something else on others",
            ],
        ),
        (
            "case $X in a) T=podman;; b) T=./tool;; esac; $SUDO $T --log-level debug run alpine",
            &[
                "opaque $T run: `$T` is a container client on some paths and something else on others",
            ],
        ),
        ("CMD=make; [ -n \"$X\" ] && CMD=cargo; $CMD run", &[]),
        ("$CMD run alpine; $CMD pull alpine", &[]),
        // A folder is no client.
        ("D=ci/docker; [ \"$X\" ] && D=ci/podman; $D run alpine", &[]),
        // Two images, not one of two clients.
        (
            "for i in $(printf '%s\\n' docker/a podman/b); do docker pull $i; done",
            &["pull docker/a always", "pull podman/b always"],
        ),
    ];
    for (script, expected) in table {
        assert_eq!(effects(script), *expected, "{script}");
    }
}

#[test]
fn make_asks_which_container_client_there_is() {
    for engine in [
        "ENGINE ?= $(shell which podman docker 2>/dev/null | head -1)",
        "ENGINE ?= $(shell command -v docker || command -v podman)",
        "ENGINE := $(notdir $(shell which docker))",
        "ENGINE := $(firstword $(shell if which docker > /dev/null; then echo docker; else echo podman; fi))",
    ] {
        let makefile = format!("{engine}\nb:\n\t$(ENGINE) pull alpine:3\n");
        let files = [("Makefile", makefile.as_str())];
        assert_eq!(
            effects_in(&files, "make b"),
            ["pull alpine:3 always"],
            "{engine}"
        );
    }
    let makefile = "DC := $(shell docker compose version >/dev/null 2>&1 && echo \"docker compose\" || echo docker-compose)\n\
                    up:\n\t@$(DC) -f c.yml up -d\n";
    let files = [
        ("Makefile", makefile),
        ("c.yml", "services:\n  a:\n    image: redis:7\n"),
    ];
    assert_eq!(effects_in(&files, "make up"), ["pull redis:7"]);
}

#[test]
fn a_step_may_run_a_client_of_which_it_says_nothing() {
    let tree = tree(&[("ci.txt", "$CTR pull a/b")]);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    run.env.insert("CTR".into(), "sudo docker".into());
    super::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    let all: Vec<String> = run.finish().iter().map(|e| line(&cx, e)).collect();
    assert_eq!(all, ["pull a/b always"]);
}

#[test]
fn a_loop_over_a_folder_knows_files_from_folders() {
    let files = [
        ("examples/BUILD", ""),
        ("examples/a/Dockerfile", "FROM debian:12\n"),
    ];
    let build = "docker build $d";
    for script in [
        format!("for d in examples/*; do if [[ ! -d \"$d\" ]]; then continue; fi; {build}; done"),
        format!("for d in examples/*; do [ -d $d ] || continue; {build}; done"),
        format!("for d in examples/*; do if test -f $d; then continue; fi; {build}; done"),
    ] {
        assert_eq!(effects_in(&files, &script), ["pull debian:12"], "{script}");
    }
    // What is not there may be made by the build.
    assert_eq!(
        effects_in(
            &files,
            "if [ -e examples ]; then if [ -d out ]; then docker pull a/b; fi; fi"
        ),
        ["pull a/b always [if [ -d out ]]"]
    );
}

#[test]
fn an_array_that_may_be_empty_stands_for_options() {
    let one = "while getopts 'c:d:lt:' opt; do\n\
                 case $opt in\n    c) NAME=$OPTARG;;\n    d) DIR=$OPTARG;;\n    l) LOCAL=1;;\n  esac\n\
               done\n\
               shift $((OPTIND - 1))\n\
               docker build -t $NAME $DIR\n";
    let files = [("one.sh", one), ("dir/Dockerfile", "FROM debian:12\n")];
    for before in [
        "x=(); [ \"$L\" ] && x=(-l)",
        "x=(-t); [ \"$L\" ] && x=(-l)",
        "f() { local x=(); g; }; g() { :; }; f; declare -a x=(); if [ $L = 1 ]; then x+=(-l); fi",
        "local x=()",
    ] {
        let script = format!("{before}\nbash one.sh \"${{x[@]}}\" -c q -d dir");
        let all = effects_in(&files, &script);
        assert_eq!(all, ["pull debian:12", "provide q"], "{script}");
    }
}

#[test]
fn of_an_array_what_both_branches_begin_and_end_with_stays() {
    for (branch, expected) in [
        ("A=(--x \"${A[@]}\")", "alpine:3"),
        ("A=(--init -v a:b \"${A[@]}\")", "alpine:3"),
        ("A+=(sh)", "alpine:3"),
        ("A=(--rm -it alpine:3)", "alpine:3"),
    ] {
        let script = format!(
            "A=(--rm alpine:3)\nif [ \"$X\" ]; then {branch}; fi\ndocker run \"${{A[@]}}\""
        );
        assert_eq!(pulls(&script), [expected], "{script}");
    }
    let separator = "local SEP=' '\ndocker pull a${SEP}b";
    assert_eq!(pulls(separator), ["a always", "b always"]);
}

#[test]
fn of_docker_and_podman_the_one_that_signed_in_is_followed() {
    let choose =
        "CTR=$(if which docker > /dev/null; then echo docker; else echo podman; fi)\n$CTR pull a/b";
    let login = "login -u $U --password-stdin <<< $T";
    for (script, expected) in [
        (choose.to_owned(), "pull a/b always"),
        (
            format!("podman {login}; {choose}"),
            "pull a/b always as podman",
        ),
        (
            format!("podman {login}; docker {login}; {choose}"),
            "pull a/b always",
        ),
        (
            format!("podman {login}; CTR=docker; [ $X ] && CTR=podman; $CTR pull a/b"),
            "pull a/b always as podman",
        ),
        (
            format!("podman {login}; $(which docker podman | head -n1) pull a/b"),
            "pull a/b always as podman",
        ),
    ] {
        assert_eq!(
            effects(&script).last().map(String::as_str),
            Some(expected),
            "{script}"
        );
    }
}

#[test]
fn git_says_where_the_repository_begins() {
    let files = [
        ("app/Dockerfile", "FROM alpine:3.20\n"),
        ("compose.yml", "services: {r: {image: 'redis:7'}}\n"),
        (
            "app/bin/shell",
            "#!/bin/bash\nTOP=$(git rev-parse --show-toplevel)\ndocker build -f \"${TOP}/app/Dockerfile\" \"${TOP}/app\"\n",
        ),
        (
            "app/bin/up",
            "#!/bin/bash\nTOP=$(cd \"$(dirname \"$0\")/../..\" && pwd)\ndocker build \"$TOP/app\"\n",
        ),
    ];
    for (script, expected) in [
        ("./app/bin/shell", "pull alpine:3.20"),
        ("app/bin/up", "pull alpine:3.20"),
        (
            "docker build \"$(git rev-parse --show-toplevel)/app\"",
            "pull alpine:3.20",
        ),
        (
            "R=$(git rev-parse --show-toplevel || pwd)\ncd app/bin; cd \"$R/app\"; docker build .",
            "pull alpine:3.20",
        ),
        (
            "cd app/bin; cd \"$(git rev-parse --show-cdup)app\"; docker build .",
            "pull alpine:3.20",
        ),
        (
            "cd \"$(git -C app rev-parse --show-toplevel)\"; docker compose up -d",
            "pull redis:7",
        ),
    ] {
        let seen = effects_in(&files, script);
        assert!(
            seen.iter().any(|line| line.starts_with(expected)),
            "{script}: {seen:?}"
        );
    }
    assert_eq!(
        pulls("docker pull a/b:$(git rev-parse HEAD)"),
        ["a/b:$(git rev-parse HEAD) always"]
    );
}

#[test]
fn options_that_getopt_arranges_are_known_as_far_as_the_arguments_are() {
    let loops = "while true; do\ncase \"$1\" in\n-v|--version) V=$2; shift 2;;\n-q) shift;;\n--) shift; break;;\nesac\ndone\ncase \"$1\" in create) docker pull a/b:$V;; other) docker pull other;; esac\n";
    for asked in [
        "P=$(getopt -o v:q --long version: -n x -- \"$@\") || exit 1\neval set -- \"$P\"",
        "P=$(getopt v:q \"$@\")\nset -- $P",
        "if ! getopt -T >/dev/null; then P=$(getopt -o v:q -l version: -- \"$@\"); else P=$(getopt x \"$@\"); fi\neval \"set -- $P\"",
    ] {
        let run = format!("#!/bin/bash\n{asked}\n{loops}");
        for call in [
            "./run.sh -q -v 3 create",
            "./run.sh create -v3",
            "./run.sh -qv 3 -- create",
        ] {
            let seen = effects_in(&[("run.sh", &run)], call);
            assert_eq!(seen, ["pull a/b:3 always"], "{asked} / {call}");
        }
    }
    let long = "#!/bin/bash\neval set -- \"$(getopt -o '' --long version:,all -- \"$@\")\"\ndocker pull a/b:$2\n";
    for call in ["./run.sh --version=1 x", "./run.sh x --ver 1"] {
        assert_eq!(
            effects_in(&[("run.sh", long)], call),
            ["pull a/b:1 always"],
            "{call}"
        );
    }
}

#[test]
fn arguments_that_eval_sets_to_what_is_not_known_may_be_any() {
    let script = "set -- a\nP=$(options)\neval \"set -- $P\"\nshift\ncase \"$1\" in create) docker pull a/b;; esac";
    assert_eq!(
        effects(script),
        ["pull a/b always [if case \"$1\" in create)]"]
    );
}

#[test]
fn a_loop_that_shifts_goes_through_all_arguments() {
    let script = "set -- a b\nwhile [ $# -gt 0 ]; do docker pull $1; shift; done";
    assert_eq!(pulls(script), ["a always", "b always"]);
}

#[test]
fn the_flags_of_imagetools_are_known() {
    for flags in [
        "--metadata-file m.json",
        "--annotation index:a=b",
        "-p linux/amd64",
        "--progress plain",
        "--prefer-index=false --dry-run",
        "-f d.json",
    ] {
        let script = format!("docker buildx imagetools create {flags} -t a/b:1 a/b:2");
        assert_eq!(pulls(&script), ["a/b:2 always"], "{flags}");
    }
}

#[test]
fn of_two_values_that_are_printed_one_is_there() {
    for (value, expected) in [
        ("case \"$1\" in a) echo x ;; *) echo y ;; esac", "t:$(f)"),
        ("if [ \"$1\" ]; then echo x; else echo y; fi", "t:$(f)"),
        ("if [ \"$1\" ]; then echo x; return; fi; echo y", "t:$(f)"),
        ("[ \"$1\" ] && echo x || echo y", "t:$(f)"),
        ("if [ \"$1\" ]; then echo x; else echo x; fi", "t:x"),
        ("if [ \"$1\" ]; then echo x; fi", "t:x"),
        ("[ \"$1\" ] && echo x || echo ''", "t:x"),
        (
            "case \"$1\" in a) echo x ;; *) echo wrong; exit 1 ;; esac",
            "t:x",
        ),
    ] {
        let script = format!("f() {{ {value}; }}\ng() {{ docker pull t:$(f); }}\ng \"$A\"");
        assert_eq!(
            pulls(&script.replace("$1", "$A")),
            [format!("{expected} always")],
            "{value}"
        );
    }
}

#[test]
fn what_prints_flags_is_no_image() {
    for flags in ["$(tty -s && echo -t)", "`test -t 0 && echo '-t'`"] {
        let script = format!("docker run --rm {flags} -i alpine:3.2");
        assert_eq!(pulls(&script), ["alpine:3.2"], "{flags}");
    }
    assert_eq!(pulls("docker run $(x && y -n a) -i b"), ["$(x && y -n a)"]);
    assert_eq!(pulls("docker run ${S:+\"-eS\"} b"), ["b"]);
    let makefile = "TTY := $(shell tty -s && echo \"-t\")\nt:\n\tdocker run -i $(TTY) $(RUN_OPTS) --rm alpine\n";
    let seen = effects_in(&[("Makefile", makefile)], "make t");
    assert_eq!(seen, ["pull alpine"]);
}

#[test]
fn charts_and_images_that_are_deleted_are_of_a_registry() {
    for (script, expected) in [
        (
            "skopeo delete docker://docker.io/me/a:1",
            &["push docker.io/me/a:1"][..],
        ),
        (
            "helm push a-1.tgz oci://registry-1.docker.io/me",
            &["push registry-1.docker.io/me"],
        ),
        (
            "helm pull oci://registry-1.docker.io/me/a --version 1",
            &["pull registry-1.docker.io/me/a always"],
        ),
        (
            "helm upgrade --install a oci://docker.io/me/b -f v.yml",
            &["pull docker.io/me/b always"],
        ),
        ("helm install a ./chart && helm repo add x https://x", &[]),
        (
            "helm registry login -u me -p $P docker.io",
            &["login [docker.io] me/$P by helm registry login in ~/.config/helm/registry"],
        ),
    ] {
        assert_eq!(effects(script), expected, "{script}");
    }
}

#[test]
fn tests_of_a_projects_own_start_containers_too() {
    let module =
        "dependencies {\n  testFixturesImplementation 'org.testcontainers:testcontainers:1'\n}\n";
    for declared in [
        "task containerTests(type: Test) {\n}\n",
        "subprojects {\n  tasks.register('containerTests', Test) {\n  }\n}\n",
        "val containerTests by tasks.registering(Test::class)\n",
        "tasks.register<Test>(\"containerTests\") {}\n",
    ] {
        let files = [("build.gradle", declared), ("a/build.gradle", module)];
        let called = effects_in(&files, "./gradlew :a:containerTests -i");
        assert_eq!(called, [CONTAINERS], "{declared}");
        assert!(effects_in(&files, "./gradlew spotlessCheck").is_empty());
        let beside = [
            ("settings.gradle", ""),
            ("b/build.gradle", declared),
            ("a/build.gradle", module),
        ];
        assert!(effects_in(&beside, "./gradlew containerTests").is_empty());
    }
}

#[test]
fn a_task_of_gradles_that_runs_docker_is_unknown() {
    for (declared, found) in [
        (
            "task dist(type: Exec) {\n  executable \"sh\"\n  args \"-c\", \"docker build -t me/x docker\"\n}\n",
            true,
        ),
        (
            "tasks.register(\"dist\", Exec::class) {\n  commandLine(\"docker\", \"push\", \"me/x\")\n}\n",
            true,
        ),
        (
            "task dist {\n  doLast {\n    exec { commandLine 'docker', 'run', 'x' }\n  }\n}\n",
            true,
        ),
        (
            "task dist(type: Exec) {\n  commandLine 'echo'\n}\ntask other(type: Exec) {\n  commandLine 'docker'\n}\n",
            false,
        ),
        ("task dist(type: Copy) {\n  from 'docker'\n}\n", false),
    ] {
        let files = [("build.gradle", declared)];
        let seen = effects_in(&files, "./gradlew dist");
        let said = seen
            .iter()
            .any(|line| line.starts_with("opaque Gradle's task `dist`"));
        assert_eq!(said, found, "{declared}: {seen:?}");
    }
    let files = [(
        "build.gradle",
        "task push {\n  dependsOn x\n}\ntask x(type: Exec) {\n  commandLine 'docker'\n}\n",
    )];
    let seen = effects_in(&files, "docker login -u me -p $P; ./gradlew push");
    assert_eq!(seen.last().map(String::as_str), Some("unlisted"));
}

#[test]
fn variables_of_mavens_leave_tests_out() {
    let files = [("pom.xml", "<artifactId>testcontainers</artifactId>")];
    for name in ["MAVEN_ARGS", "MAVEN_CONFIG", "OTHER"] {
        let seen = effects_in(
            &files,
            &format!("export {name}='-q -DskipTests'; ./mvnw verify"),
        );
        assert_eq!(seen.is_empty(), name != "OTHER", "{name}");
    }
}

#[test]
fn a_target_of_make_that_comes_out_of_a_pipe_is_unknown() {
    let files = [
        ("Makefile", "%/publish:\n\t./build.sh $(@D)\n"),
        ("build.sh", "docker build $1\n"),
    ];
    let script = "find . -name Dockerfile | sed 's|/Dockerfile|/publish|g' | xargs -n1 make";
    let seen = effects_in(&files, script);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        seen[0].starts_with("opaque make $(xargs): which target"),
        "{seen:?}"
    );
}

#[test]
fn what_compose_would_build_may_come_out_of_an_archive() {
    let files = [
        (
            "compose.yml",
            "services:\n  app: {image: me/app, build: .}\n  other: {build: .}\n",
        ),
        ("Dockerfile", "FROM alpine:3\n"),
    ];
    let seen = effects_in(&files, "docker load -i x.tar; docker compose run app");
    assert!(
        seen.iter()
            .any(|line| line.starts_with("opaque the build of `app`")),
        "{seen:?}"
    );
    assert!(!seen.contains(&"pull alpine:3".to_owned()), "{seen:?}");
    for script in [
        "docker load -i x.tar; docker compose up --build app",
        "docker load -i x.tar; docker compose run other",
        "docker compose run app; docker load -i x.tar",
    ] {
        let seen = effects_in(&files, script);
        assert!(
            seen.contains(&"pull alpine:3".to_owned()),
            "{script}: {seen:?}"
        );
    }
}

#[test]
fn an_argument_that_make_puts_in_is_one_argument() {
    let files = [
        ("Makefile", "r:\n\t./x.sh $(shell date) me/b\n"),
        ("x.sh", "docker pull $2:$1\n"),
    ];
    assert_eq!(
        effects_in(&files, "make r"),
        ["pull me/b:$(shell date) always"]
    );
}
