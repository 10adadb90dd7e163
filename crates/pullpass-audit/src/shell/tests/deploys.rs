//! Tools that deploy, and build or pull on the machine where they are called.

use super::effects_in;

/// The images that are pulled, and what is not known.
fn pulled(files: &[(&str, &str)], script: &str) -> Vec<String> {
    let counts = |line: &String| line.starts_with("pull ") || line.starts_with("opaque ");
    let lines = effects_in(files, script).into_iter().filter(counts);
    let short = |line: String| match line.split_once(": ") {
        Some((what, _)) if line.starts_with("opaque") => what.to_owned(),
        _ => line,
    };
    lines.map(short).collect()
}

const KAMAL: &str = "service: shop\nimage: acme/shop\nregistry:\n  username: acme\n  password: [KAMAL_REGISTRY_PASSWORD]\nbuilder:\n  arch: amd64\n  args:\n    V: <%= File.read('.version').strip %>\n    W: <%= ENV[\"W\"] %>\n";

#[test]
fn kamal_signs_in_and_builds_where_it_is_called() {
    let files = [
        ("config/deploy.yml", KAMAL),
        (
            "config/deploy.staging.yml",
            "registry: {server: ghcr.io}\nbuilder: {target: dev, driver: docker}\n",
        ),
        (".version", "3.3\n"),
        ("Dockerfile", "ARG V\nFROM b AS dev\nFROM ruby:$V\n"),
        ("bin/kamal", "#!/usr/bin/env ruby\nload 'kamal'\n"),
        (".kamal/hooks/pre-build", "#!/bin/sh\ndocker pull hook\n"),
    ];
    let all = [
        "login [] acme/$KAMAL_REGISTRY_PASSWORD by kamal",
        "pull hook always",
        "pull moby/buildkit:buildx-stable-1 always",
        "push acme/shop:?",
        "pull ruby:3.3 always",
    ];
    for script in [
        "kamal deploy",
        "bundle exec kamal setup -v",
        "bin/kamal redeploy",
        "./bin/kamal build push",
        "kamal _2.3.0_ build deliver",
    ] {
        assert_eq!(effects_in(&files, script), all, "{script}");
    }
    for (script, expected) in [
        ("kamal deploy -H", &["login", "pull", "push", "pull"][..]),
        ("kamal registry login", &["login"]),
        ("kamal build create", &["pull"]),
        ("kamal deploy -P", &[]),
        ("kamal deploy --skip-push", &[]),
        ("kamal app logs", &[]),
        ("kamal rollback 1", &[]),
        ("kamal deploy --help", &[]),
        // Another file may say something else of what is built.
        ("kamal deploy -d $WHERE", &["opaque"]),
        ("cd bin && kamal deploy", &["opaque"]),
    ] {
        let lines = effects_in(&files, script);
        let first = |line: &String| line.split(' ').next().unwrap_or("").to_owned();
        let kinds: Vec<String> = lines.iter().map(first).collect();
        assert_eq!(kinds, expected, "{script}: {lines:?}");
    }
    assert_eq!(
        effects_in(&files, "kamal deploy -H --destination=staging"),
        [
            "login [ghcr.io] acme/$KAMAL_REGISTRY_PASSWORD by kamal",
            "push ghcr.io/acme/shop:?",
            "pull b",
            "provide ghcr.io/acme/shop:?"
        ]
    );
}

#[test]
fn kamal_builds_as_its_configuration_says() {
    for (builder, expected) in [
        ("remote: ssh://builder\n  arch: arm64", &[][..]),
        ("remote: ssh://builder\n  local: false", &[]),
        ("remote: {arch: amd64, host: 'ssh://builder'}", &[]),
        (
            "remote: ssh://builder",
            &["pull moby/buildkit:buildx-stable-1 always", "pull a always"],
        ),
        ("multiarch: false", &["pull a"]),
        (
            "driver: docker\n  context: app\n  dockerfile: app/D",
            &["pull d"],
        ),
        (
            "pack: {builder: 'heroku/builder:24', buildpacks: [heroku/ruby]}",
            &[
                "pull heroku/builder:24 always",
                "pull docker.io/buildpacksio/lifecycle:? always",
            ],
        ),
        ("args: [", &["opaque kamal deploy"]),
    ] {
        let text = format!("image: x\nregistry: {{server: 'r.example'}}\nbuilder:\n  {builder}\n");
        let files = [
            ("config/deploy.yml", &*text),
            ("Dockerfile", "FROM a\n"),
            ("app/D", "FROM d\n"),
        ];
        assert_eq!(pulled(&files, "kamal deploy"), expected, "{builder}");
    }
    // A registry of this machine's own is started.
    let local = "image: x\nregistry: {server: 'localhost:5555'}\nbuilder: {driver: docker}\n";
    let files = [("config/deploy.yml", local), ("Dockerfile", "FROM a\n")];
    assert_eq!(
        pulled(&files, "kamal deploy"),
        ["pull registry:3", "pull a"]
    );
}

#[test]
fn copilot_builds_the_services_it_deploys() {
    let files = [
        (
            "copilot/web/manifest.yml",
            "image: {build: web/Dockerfile}\nsidecars:\n  proxy: {image: {build: {context: proxy, args: {V: 2}}}}\n  log: {image: {location: x}}\n",
        ),
        (
            "copilot/job/manifest.yml",
            "image: {build: {dockerfile: D, target: b}}\n",
        ),
        ("copilot/far/manifest.yml", "image: {location: far}\n"),
        ("web/Dockerfile", "FROM a\n"),
        ("proxy/Dockerfile", "ARG V\nFROM p:$V\n"),
        ("D", "FROM b AS b\nFROM c\n"),
    ];
    for (script, expected) in [
        (
            "copilot svc deploy --name web --env test",
            &["pull a", "pull p:2"][..],
        ),
        ("copilot job deploy -n job", &["pull b"]),
        (
            "copilot deploy --all -e test",
            &["pull b", "pull a", "pull p:2"],
        ),
        ("copilot deploy -n far", &[]),
        ("copilot svc package -n web", &[]),
        ("copilot svc deploy -n $S", &["opaque copilot svc"]),
        ("copilot svc ls", &[]),
    ] {
        assert_eq!(pulled(&files, script), expected, "{script}");
    }
}

#[test]
fn goreleaser_builds_what_its_configuration_names() {
    let config = "dockers:\n  - image_templates: ['me/app:{{ .Tag }}', 'ghcr.io/me/app:x'] # one\n    dockerfile: D\n    build_flag_templates: ['--build-arg=V={{.Env.V}}', --pull]\n  - {image_templates: ['me/b'], use: buildx, skip_push: true, dockerfile: 'D.{{ .Tag }}'}\n";
    let files = [
        ("r.yml", config),
        (".goreleaser.yml", "builds: []\n# no dockers here\n"),
        ("D", "ARG V\nFROM a:$V\n"),
    ];
    let all = [
        "pull a:2 always",
        "provide me/app:{{ .Tag }}",
        "provide ghcr.io/me/app:x",
        "push me/app:{{ .Tag }}",
        "push ghcr.io/me/app:x",
        "opaque build of `.`: its Dockerfile, `D.{{ .Tag }}`, is known only when the build runs",
        "provide me/b",
    ];
    for script in [
        "export V=2; goreleaser release --clean --config r.yml",
        "export V=2; go tool goreleaser -f r.yml",
    ] {
        assert_eq!(effects_in(&files, script), all, "{script}");
    }
    let kept: Vec<&str> = all.into_iter().filter(|e| !e.starts_with("push")).collect();
    for script in [
        "export V=2; goreleaser release -f r.yml --snapshot",
        "export V=2; goreleaser release -f r.yml --skip=sign,publish",
    ] {
        assert_eq!(effects_in(&files, script), kept, "{script}");
    }
    for script in [
        "goreleaser release",
        "goreleaser --clean",
        "goreleaser --version",
        "goreleaser build --config r.yml",
        "goreleaser check r.yml",
        "goreleaser release -f r.yml --skip docker",
    ] {
        assert_eq!(effects_in(&files, script), [""; 0], "{script}");
    }
}

#[test]
fn goreleaser_takes_the_configuration_that_the_job_has_written() {
    let files = [
        ("Dockerfile", "FROM a:1\n"),
        ("own/goreleaser.yml", "builds: []\n"),
    ];
    for (script, expected) in [
        (
            "python3 gen.py > .goreleaser.yaml\ngoreleaser release --clean",
            &["opaque goreleaser"][..],
        ),
        (
            "cd own && ./gen > goreleaser.yml && goreleaser release",
            &["opaque goreleaser"],
        ),
        (
            "printf 'dockers: [{image_templates: [x]}]\\n' > .goreleaser.yml && goreleaser",
            &["pull a:1"],
        ),
        ("echo 'builds: []' > .goreleaser.yml && goreleaser", &[]),
        ("python3 gen.py > .goreleaser.txt; goreleaser", &[]),
        ("python3 gen.py > .goreleaser.yml; goreleaser build", &[]),
        ("goreleaser", &[]),
    ] {
        assert_eq!(pulled(&files, script), expected, "{script}");
    }
}

#[test]
fn goreleaser_builds_as_each_of_its_versions_says() {
    let config = "includes: [from_file: {path: x}]\ndockers_v2:\n  - images: [me/app, ghcr.io/me/app]\n    tags: ['{{ .Tag }}']\n    build_args: {V: 3}\n  - {images: [b], tags: [c], disable: true}\n  - {images: [b], tags: [c], sbom: false, dockerfile: D}\nkos:\n  - {base_image: k, repositories: [me/ko]}\n  - {repositories: [me/ko]}\n";
    let files = [
        (".config/goreleaser.yaml", config),
        (".goreleaser.yml", "dockers: [{}]\n"),
        ("Dockerfile", "ARG V\nFROM a:$V\n"),
        ("D", "FROM d\n"),
    ];
    let expected = [
        "push me/app:{{ .Tag }}",
        "push ghcr.io/me/app:{{ .Tag }}",
        "pull a:3",
        "pull docker/buildkit-syft-scanner:stable-1",
        "provide me/app:{{ .Tag }}",
        "provide ghcr.io/me/app:{{ .Tag }}",
        "push b:c",
        "pull d",
        "provide b:c",
        "pull k always",
        "push me/ko",
        "pull cgr.dev/chainguard/static:latest always",
        "push me/ko",
        "opaque goreleaser: it builds the Dockerfiles that its configuration file names, which is not read",
        "provide ?",
    ];
    assert_eq!(effects_in(&files, "goreleaser release"), expected);
    assert_eq!(
        pulled(&files, "goreleaser --snapshot --skip=ko"),
        ["pull a:3", "pull d", "opaque goreleaser"]
    );
    let configured = [
        ("release/images.yml", "dockers: [{dockerfile: D}]\n"),
        ("release/D", "FROM d\n"),
    ];
    let script = "cd release && goreleaser -f images.yml";
    assert_eq!(pulled(&configured, script), ["pull d"]);
    let broken = [("goreleaser.yml", "dockers: [\n")];
    assert_eq!(pulled(&broken, "goreleaser"), ["opaque goreleaser"]);
    // One that the job has made.
    assert_eq!(
        pulled(&files, "goreleaser release -f .tmp/r.yml"),
        ["opaque goreleaser"]
    );
}

#[test]
fn fly_builds_here_where_it_is_told_to() {
    let files = [
        (
            "fly.toml",
            "app = 'x'\n[build]\ndockerfile = 'D'\nbuild-target = 'b'\n[build.args]\nV = '1'\n",
        ),
        ("D", "ARG V\nFROM b:$V AS b\nFROM c\n"),
        ("plain/Dockerfile", "FROM d\n"),
        ("image/fly.toml", "[build]\nimage = 'i:1'\n"),
    ];
    for (script, expected) in [
        ("flyctl deploy --local-only", &["pull b:1"][..]),
        (
            "fly deploy --local-only --build-arg V=2 --build-target b",
            &["pull b:2"],
        ),
        ("fly deploy plain --local-only", &["pull d"]),
        ("cd image && fly deploy --local-only", &["pull i:1"]),
        ("flyctl deploy --remote-only", &[]),
        ("flyctl deploy", &[]),
        ("fly status --local-only", &[]),
    ] {
        assert_eq!(pulled(&files, script), expected, "{script}");
    }
}

#[test]
fn tools_of_infrastructure_pull_where_they_are_told_of_containers() {
    let files = [
        (
            "a.pkr.hcl",
            "source \"docker\" \"x\" {\n  image = \"ubuntu:24.04\"\n  commit = true\n}\nsource \"amazon-ebs\" \"y\" {\n  image = \"no\"\n}\n",
        ),
        (
            "b/b.pkr.hcl",
            "source \"docker\" \"x\" {\n  image = var.base\n}\n",
        ),
        (
            "c.pkr.hcl",
            "source \"docker\" \"x\" {\n  image = \"mine\"\n  pull = false\n}\n",
        ),
        (
            "main.tf",
            "resource \"docker_image\" \"x\" {\n  name = \"nginx\"\n}\n",
        ),
        ("aws/main.tf", "resource \"aws_instance\" \"x\" {\n}\n"),
        (
            "site.yml",
            "- hosts: localhost\n  tasks:\n    - community.docker.docker_container: {name: x, image: redis}\n",
        ),
        (
            "far.yml",
            "- hosts: web\n  tasks:\n    - docker_image: {name: x}\n",
        ),
    ];
    for (script, expected) in [
        (
            "packer build -var a=b a.pkr.hcl",
            &["pull ubuntu:24.04 always"][..],
        ),
        ("packer build b", &["opaque packer build"]),
        ("packer build c.pkr.hcl", &["pull mine"]),
        ("packer validate a.pkr.hcl", &[]),
        ("terraform apply -auto-approve", &["opaque terraform apply"]),
        ("cd aws && tofu apply", &[]),
        (
            "cd aws && terraform -chdir=.. apply",
            &["opaque terraform apply"],
        ),
        ("terraform plan", &[]),
        (
            "ansible-playbook site.yml",
            &["opaque the playbook `site.yml`"],
        ),
        ("ansible-playbook -i hosts far.yml", &[]),
        (
            "ansible-playbook -c local far.yml",
            &["opaque the playbook `far.yml`"],
        ),
        ("abctl local install", &["pull kindest/node:?"]),
        (
            "fyne-cross linux -arch=amd64",
            &["pull docker.io/fyneio/fyne-cross-images:?"],
        ),
        ("fyne-cross windows -image a/b", &["pull a/b"]),
        ("xgo --targets=linux/amd64 .", &["opaque xgo"]),
        ("xgo -image a/b .", &["pull a/b always"]),
    ] {
        assert_eq!(pulled(&files, script), expected, "{script}");
    }
}

#[test]
fn dotnet_pulls_what_it_publishes_an_image_on() {
    let files = [
        (
            "app/app.csproj",
            "<Project><PropertyGroup>\n<ContainerBaseImage>acme/base:2</ContainerBaseImage>\n</PropertyGroup></Project>\n",
        ),
        ("other/other.csproj", "<Project/>\n"),
    ];
    for (script, expected) in [
        (
            "dotnet publish -t:PublishContainer -p:ContainerBaseImage=acme/base:1",
            &["pull acme/base:1 always"][..],
        ),
        (
            "dotnet publish app/app.csproj --os linux /t:PublishContainer",
            &["pull acme/base:2 always"],
        ),
        (
            "cd app && dotnet publish -p:PublishProfile=DefaultContainer",
            &["pull acme/base:2 always"],
        ),
        (
            "dotnet publish other -t:PublishContainer",
            &["pull mcr.microsoft.com/dotnet/? always"],
        ),
        ("dotnet publish app", &[]),
        ("dotnet build app -p:PublishProfile=Folder", &[]),
    ] {
        assert_eq!(pulled(&files, script), expected, "{script}");
    }
}

#[test]
fn azure_takes_the_name_of_a_registry_or_its_address() {
    for name in ["shop", "shop.azurecr.io"] {
        let lines = effects_in(&[], &format!("az acr login --name {name}"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("[shop.azurecr.io]"), "{lines:?}");
    }
}

#[test]
fn tests_of_features_build_on_the_image_that_they_are_given() {
    for (script, expected) in [
        (
            "devcontainer features test --skip-scenarios -f node -i debian:12 .",
            &["pull debian:12"][..],
        ),
        (
            "devcontainer features test --skip-scenarios .",
            &["pull ubuntu:focal"],
        ),
        (
            "devcontainer features test --base-image debian:12 .",
            &["pull debian:12", "opaque devcontainer"],
        ),
        (
            "devcontainer features test --global-scenarios-only .",
            &["opaque devcontainer"],
        ),
        ("devcontainer features publish .", &[]),
    ] {
        assert_eq!(pulled(&[], script), expected, "{script}");
    }
}

#[test]
fn molecule_starts_the_platforms_of_its_scenarios() {
    let scenario = |driver: &str, platforms: &str| {
        format!("driver:\n  name: {driver}\nplatforms:\n{platforms}")
    };
    let ready = scenario(
        "docker",
        "  - name: a\n    image: \"docker.io/geerlingguy/docker-${DISTRO:-debian12}-ansible:latest\"\n    pre_build_image: true\n  - {name: b, image: quay.io/x/y, pre_build_image: yes}\n",
    );
    let built = scenario("podman", "  - {name: a, image: fedora:42}\n");
    let vagrant = scenario(
        "vagrant",
        "  - {name: a, image: x, box: debian/bookworm64}\n",
    );
    let files = [
        ("molecule/default/molecule.yml", ready.as_str()),
        ("molecule/built/molecule.yml", built.as_str()),
        ("molecule/vm/molecule.yml", vagrant.as_str()),
        ("molecule/vm/converge.yml", "- hosts: all\n"),
        (
            "own/extensions/molecule/default/molecule.yml",
            "driver: {name: default}\nplatforms: [{name: a}]\n",
        ),
        (
            "own/extensions/molecule/default/create.yml",
            "- community.docker.docker_container: {}\n",
        ),
        ("j2/molecule/a/molecule.yml", built.as_str()),
        (
            "j2/molecule/a/Dockerfile.j2",
            "FROM {{ item.image }}\nRUN x\n",
        ),
        ("j2/molecule/b/molecule.yml", built.as_str()),
        ("j2/molecule/b/Dockerfile.j2", "FROM {{ base }}\n"),
        (
            "based/.config/molecule/config.yml",
            "driver: {name: docker}\n",
        ),
        (
            "based/molecule/default/molecule.yml",
            "platforms: [{name: a, image: rocky:9}]\n",
        ),
        (
            "bare/molecule/default/molecule.yml",
            "platforms: [{name: a, image: rocky:9}]\n",
        ),
        (
            "bare/molecule/none/molecule.yml",
            "scenario: {name: none}\n",
        ),
    ];
    let unknown = &["opaque molecule"][..];
    for (script, expected) in [
        (
            "molecule test",
            &[
                "pull docker.io/geerlingguy/docker-debian12-ansible:latest",
                "pull quay.io/x/y",
            ][..],
        ),
        (
            "DISTRO=rocky9 molecule converge -s default",
            &[
                "pull docker.io/geerlingguy/docker-rocky9-ansible:latest",
                "pull quay.io/x/y",
            ],
        ),
        (
            "python -m molecule test -s built",
            &["pull fedora:42 as podman"],
        ),
        (
            "molecule -v create --scenario-name built -d docker",
            &["pull fedora:42"],
        ),
        ("molecule test -s vm", &[]),
        ("molecule lint", &[]),
        ("molecule test -s other", unknown),
        ("molecule test -s $SCENARIO", unknown),
        (
            "molecule test --all",
            &[
                "pull fedora:42 as podman",
                "pull docker.io/geerlingguy/docker-debian12-ansible:latest",
                "pull quay.io/x/y",
            ],
        ),
        ("cd own && molecule test", unknown),
        ("cd j2 && molecule test -s a", &["pull fedora:42 as podman"]),
        ("cd j2 && molecule test -s b", unknown),
        ("cd bare && molecule test", unknown),
        ("cd bare && molecule test -s none", &[]),
        (
            "cd based && molecule test -c .config/molecule/config.yml",
            &["pull rocky:9"],
        ),
    ] {
        assert_eq!(pulled(&files, script), expected, "{script}");
    }
    let based = [
        (".config/molecule/config.yml", "driver: {name: docker}\n"),
        (
            "molecule/default/molecule.yml",
            "platforms: [{name: a, image: rocky:9}]\n",
        ),
    ];
    assert_eq!(pulled(&based, "molecule test"), ["pull rocky:9"]);
}
