//! Tools whose images stand in files of the project, and filters that make files of it.

use super::{effects, effects_in, pulls};

/// The pulls of a script in a repository with these files.
fn pulls_in(files: &[(&str, &str)], script: &str) -> Vec<String> {
    let lines = effects_in(files, script).into_iter();
    let pulled = |line: String| line.strip_prefix("pull ").map(str::to_owned);
    lines.filter_map(pulled).collect()
}

#[test]
fn newer_commands_of_docker_that_pull_are_known() {
    for (script, images) in [
        ("docker model pull ai/smollm2", &["ai/smollm2 always"][..]),
        ("docker model run ai/gemma3 'Hi there'", &["ai/gemma3"]),
        ("docker model pull hf.co/me/model", &[]),
        ("docker model list", &[]),
        (
            "docker run --mount type=image,source=acme/data:1,destination=/d alpine:3",
            &["acme/data:1", "alpine:3"],
        ),
        (
            "docker run --mount type=bind,source=/a,target=/b alpine:3",
            &["alpine:3"],
        ),
        (
            "docker scout cves --only-severity high acme/app:1",
            &["acme/app:1"],
        ),
        (
            "docker scout quickview registry://acme/app:1",
            &["acme/app:1 always"],
        ),
        (
            "docker scout compare --to acme/app:1 acme/app:2",
            &["acme/app:2", "acme/app:1"],
        ),
        ("docker scout cves fs://.", &[]),
        ("docker scout enroll acme", &[]),
    ] {
        assert_eq!(pulls(script), images, "{script}");
    }
}

#[test]
fn an_id_that_a_build_wrote_is_no_pull() {
    let files = [("Dockerfile", "FROM node:22\n")];
    for (script, images) in [
        (
            "docker build --iidfile id . && docker run $(cat id)",
            &["node:22"][..],
        ),
        (
            "F=$(mktemp)\ndocker build --iidfile \"$F\" .\nID=\"$(cat \"$F\")\"\ndocker run \"$ID\"",
            &["node:22"],
        ),
        (
            "docker build --iidfile id . && docker run $(cat other)",
            &["node:22", "$(cat other)"],
        ),
    ] {
        assert_eq!(pulls_in(&files, script), images, "{script}");
    }
}

#[test]
fn the_root_of_the_repository_is_there_from_elsewhere() {
    let files = [
        ("app/Dockerfile", "FROM node:22\n"),
        ("compose.yml", "services: {a: {image: 'redis:7'}}\n"),
    ];
    for (script, image) in [
        ("cd /tmp; docker build $GITHUB_WORKSPACE/app", "node:22"),
        (
            "cd \"$(mktemp -d)\"; docker build -f $GITHUB_WORKSPACE/app/Dockerfile $GITHUB_WORKSPACE",
            "node:22",
        ),
        (
            "cd /tmp; docker compose -f $GITHUB_WORKSPACE/compose.yml up",
            "redis:7",
        ),
    ] {
        assert_eq!(pulls_in(&files, script), [image], "{script}");
    }
    let elsewhere = "cd /tmp; docker build -f Dockerfile $GITHUB_WORKSPACE/app";
    assert!(pulls_in(&files, elsewhere).is_empty());
}

#[test]
fn a_compose_file_that_a_filter_makes_is_the_one_it_was_made_of() {
    let files = [(
        "t/compose.in.yml",
        "services:\n  a: {image: 'redis:TAG'}\n  b: {image: 'acme/b:${V}'}\n",
    )];
    for (script, images) in [
        (
            "sed -e 's/TAG/7/' t/compose.in.yml > c.yml; V=2 docker compose -f c.yml up",
            &["redis:7", "acme/b:2"][..],
        ),
        (
            "export V=3; cat t/compose.in.yml | envsubst > c.yml; docker compose -f c.yml up",
            &["redis:TAG", "acme/b:3"],
        ),
    ] {
        assert_eq!(pulls_in(&files, script), images, "{script}");
    }
    let unknown = effects_in(
        &files,
        "sed -f x.sed t/compose.in.yml > c.yml; docker compose -f c.yml up",
    );
    let why = "there is no such file in this repository; it may be made while the job runs";
    assert_eq!(
        unknown,
        [format!("opaque docker compose up -f c.yml: {why}")]
    );
}

#[test]
fn lines_by_their_numbers_are_known() {
    let files = [("list", "alpine:1\nalpine:2\nalpine:3\n")];
    for (filter, images) in [
        ("sed -n 2p list", &["alpine:2 always"][..]),
        (
            "sed -n '2,3p' list",
            &["alpine:2 always", "alpine:3 always"],
        ),
        ("sed 1q list", &["alpine:1 always"]),
        ("head -n 1 list", &["alpine:1 always"]),
        ("head -2 list", &["alpine:1 always", "alpine:2 always"]),
        ("tail -n 1 list", &["alpine:3 always"]),
        (
            "sed s/alpine/busybox/ list | head -1",
            &["busybox:1 always"],
        ),
        ("sed s/1$/9/ list | head -1", &["alpine:9 always"]),
        ("sed -n 's/alpin./x/p' list | tail -1", &["x:3 always"]),
        ("sed '2d;3d' list", &["alpine:1 always"]),
        ("sed -n /:2/p list", &["alpine:2 always"]),
        ("sed -n /x/p list", &[]),
    ] {
        let script = format!("for i in $({filter}); do docker pull $i; done");
        assert_eq!(pulls_in(&files, &script), images, "{filter}");
    }
    let kept = "docker build -t \"$X\" .; docker run $(echo $X | sed s/a/b/)";
    let seen = effects_in(&files, kept);
    let unlike = |line: &String| line.contains("$(echo");
    assert!(seen.last().is_some_and(unlike), "{seen:?}");
    for filter in [
        "sed y/1/9/ list",
        "sed 's/1/\\L9/' list",
        "head -n \"$N\" list",
        "tail -n +2 list",
    ] {
        let seen = pulls_in(&files, &format!("docker pull $({filter})"));
        assert!(
            seen.iter().all(|line| line.starts_with("$(")),
            "{filter}: {seen:?}"
        );
    }
}

#[test]
fn a_loop_that_counts_is_gone_through() {
    for (script, images) in [
        (
            "n=3; while [ $n -gt 0 ]; do docker pull a:$n; n=$((n-1)); done",
            &["a:3 always", "a:2 always", "a:1 always"][..],
        ),
        (
            "n=3; v=; while [ $n -gt 0 ]; do v=\"$v$n\"; n=$((n-1)); done; docker pull a:$v",
            &["a:321 always"],
        ),
        (
            "while true; do docker pull a:1; n=x$n; done",
            &["a:1 always"],
        ),
    ] {
        assert_eq!(pulls(script), images, "{script}");
    }
}

const CHART: &str = "name: shop\ndependencies:\n  - {name: redis, version: 20.0.0, repository: 'oci://registry-1.docker.io/bitnamicharts'}\n  - {name: postgresql, version: 16.x.x, repository: 'https://charts.bitnami.com/bitnami'}\n  - {name: own, version: 1.0.0, repository: 'file://../own'}\n  - {name: other, version: 1.0.0, repository: 'https://charts.example.com'}\n";

#[test]
fn charts_that_a_chart_depends_on_are_pulled() {
    let files = [("charts/shop/Chart.yaml", CHART)];
    let expected = [
        "registry-1.docker.io/bitnamicharts/redis:20.0.0 always",
        "registry-1.docker.io/bitnamicharts/postgresql:? always",
    ];
    for script in [
        "helm dependency build charts/shop",
        "cd charts/shop; helm dep up",
        "helm upgrade --install shop charts/shop --dependency-update",
        "helm package -u charts/shop",
        "ct lint --charts charts/shop",
    ] {
        assert_eq!(pulls_in(&files, script), expected, "{script}");
    }
    for script in [
        "helm package charts/shop",
        "helm dependency list charts/shop",
    ] {
        assert!(pulls_in(&files, script).is_empty(), "{script}");
    }
}

/// <https://github.com/helm/chart-testing#configuration>, <https://github.com/helm/chart-releaser#usage>
#[test]
fn charts_that_are_tested_and_released_are_those_of_their_folders() {
    let chart = |name: &str| {
        format!(
            "dependencies:\n  - {{name: {name}, version: 1.0.0, repository: 'oci://registry-1.docker.io/me'}}\n"
        )
    };
    let charts = ["a", "b", "c"].map(chart);
    let [a, b, c] = charts.each_ref().map(String::as_str);
    let files = [
        ("charts/a/Chart.yaml", a),
        ("charts/b/Chart.yaml", b),
        ("charts/README.md", ""),
        ("more/c/Chart.yaml", c),
        ("ct.yaml", "excluded-charts: [b]\n"),
        ("more/ct.yaml", "chart-dirs: [.]\n"),
        ("one.yaml", "charts: [more/c]\n"),
        ("broken.yaml", "a: [\n"),
    ];
    let pull = |name: &str| format!("registry-1.docker.io/me/{name}:1.0.0 always");
    for (script, names) in [
        ("ct lint --all", &["a"][..]),
        ("ct install --target-branch main", &["a"]),
        ("ct lint-and-install --chart-dirs charts,more", &["a", "c"]),
        ("ct lint --config one.yaml", &["c"]),
        (
            "ct lint --all --config one.yaml --excluded-charts a",
            &["b"],
        ),
        ("cd more; ct lint", &["c"]),
        ("CT_CONFIG_DIR=more ct lint --chart-dirs more", &["c"]),
        ("ct list-changed", &[]),
        ("cr package charts/a more/c", &["a", "c"]),
        ("cr package charts/*", &["a", "b"]),
        ("cd charts/b && cr package -p out", &["b"]),
        ("cr upload", &[]),
    ] {
        let expected: Vec<String> = names.iter().map(|name| pull(name)).collect();
        assert_eq!(pulls_in(&files, script), expected, "{script}");
    }
    for script in [
        "ct lint --config broken.yaml",
        "ct lint --config /tmp/ct.yaml",
        "ct lint --chart-dirs $DIRS",
    ] {
        let seen = effects_in(&files, script);
        assert!(seen[0].starts_with("opaque ct: "), "{script}: {seen:?}");
    }
}

/// <https://helmfile.readthedocs.io/en/latest/#configuration>
#[test]
fn helmfile_pulls_the_charts_of_its_releases() {
    let state = "bases: [bases.yaml]\nrepositories:\n- name: own\n  url: registry-1.docker.io/me\n  oci: true\n- name: other\n  url: https://charts.example.com\n{{ if .Values.x }}\n- name: hub-two\n  url: docker.io/two\n  oci: true\n{{ end }}\nreleases:\n- {name: a, chart: own/redis, version: 1.0.0}\n- {name: b, chart: other/x}\n- name: c\n  chart: oci://registry-1.docker.io/bitnamicharts/kafka\n  version: {{ .Values.kafka }}\n- {name: d, chart: ./chart}\n- {name: e, chart: own/gone, installed: false}\n- {name: f, chart: bitnami/nginx, version: 2.0.0}\n---\nhelmfiles:\n- nested/*.yaml\n";
    let files = [
        ("helmfile.yaml", state),
        (
            "bases.yaml",
            "repositories: [{name: bitnami, url: 'https://charts.bitnami.com/bitnami'}]\n",
        ),
        ("chart/Chart.yaml", CHART),
        (
            "nested/n.yaml",
            "releases: [{name: n, chart: 'oci://docker.io/me/{{ requiredEnv \"NAME\" }}', version: 3.0.0}]\n",
        ),
        (
            "d/helmfile.d/1.yaml",
            "releases: [{name: o, chart: 'oci://docker.io/me/one'}]\n",
        ),
        (
            "remote.yaml",
            "helmfiles: ['git::https://github.com/a/b@c.yaml']\n",
        ),
        (
            "open.yaml",
            "releases: [{name: o, chart: '{{ .Values.chart }}'}]\n",
        ),
        ("broken.yaml", "releases: [\n"),
        (
            "inherits.yaml",
            "templates:\n  t: {chart: 'oci://docker.io/me/t', version: 1.0.0}\nreleases: [{name: i, inherit: [{template: t}]}]\n",
        ),
    ];
    let own = "registry-1.docker.io/me/redis:1.0.0 always";
    let kafka = "registry-1.docker.io/bitnamicharts/kafka:? always";
    let nginx = "registry-1.docker.io/bitnamicharts/nginx:2.0.0 always";
    let of_chart = [
        "registry-1.docker.io/bitnamicharts/redis:20.0.0 always",
        "registry-1.docker.io/bitnamicharts/postgresql:? always",
    ];
    let nested = "docker.io/me/?:3.0.0 always";
    for (script, expected) in [
        (
            "helmfile sync",
            &[nested, own, kafka, of_chart[0], of_chart[1], nginx][..],
        ),
        (
            "helmfile --environment x apply --skip-deps",
            &[nested, own, kafka, nginx],
        ),
        ("helmfile -f helmfile.yaml -l name=a template", &[own]),
        (
            "NAME=app helmfile -f nested/n.yaml diff",
            &["docker.io/me/app:3.0.0 always"],
        ),
        ("cd d && helmfile lint", &["docker.io/me/one:? always"]),
        (
            "helmfile -f inherits.yaml deps",
            &["docker.io/me/t:1.0.0 always"],
        ),
        ("helmfile repos", &[]),
        ("helmfile list", &[]),
    ] {
        let seen = pulls_in(&files, script);
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        assert_eq!(seen.len(), expected.len(), "{script}: {seen:?}");
        for (seen, expected) in seen.iter().zip(expected) {
            let is_it =
                *seen == *expected || *expected == nested && seen.ends_with(":3.0.0 always");
            assert!(is_it, "{script}: {seen} {expected}");
        }
    }
    for script in [
        "helmfile -f remote.yaml sync",
        "helmfile -f open.yaml sync",
        "helmfile -f broken.yaml sync",
        "helmfile -f $FILE sync",
        "cd chart && helmfile sync",
    ] {
        let seen = effects_in(&files, script);
        assert!(
            seen.iter()
                .any(|line| line.starts_with("opaque helmfile: ")),
            "{script}: {seen:?}"
        );
    }
    for (script, signs_in) in [
        ("OWN_USERNAME=me OWN_PASSWORD=$TOKEN helmfile sync", true),
        ("OWN_USERNAME=me OWN_PASSWORD=$TOKEN helmfile repos", true),
        (
            "HUB_TWO_USERNAME=me HUB_TWO_PASSWORD=$TOKEN helmfile sync",
            true,
        ),
        (
            "OWN_USERNAME=me OWN_PASSWORD=$TOKEN helmfile sync --skip-repos",
            false,
        ),
        ("OWN_USERNAME=me helmfile sync", false),
    ] {
        let seen = effects_in(&files, script);
        let is_login = |line: &String| line.starts_with("login [") && line.contains("by helmfile");
        assert_eq!(seen.iter().any(is_login), signs_in, "{script}: {seen:?}");
    }
}

/// <https://ko.build/configuration/>
#[test]
fn ko_builds_upon_the_images_that_a_project_names() {
    let config = "defaultBaseImage: alpine:40\nbaseImageOverrides:\n  github.com/Me/app/cmd/one: debian:13\n  github.com/Me/app/cmd/two: ko.local/base\n";
    let files = [
        ("go.mod", "module github.com/Me/app\n"),
        ("main.go", "package main\n"),
        ("cmd/one/main.go", "package main\n"),
        ("cmd/two/main.go", "package main\n"),
        ("cmd/three/main.go", "package main\n"),
        (".ko.yaml", config),
        ("other/.ko.yaml", "builds: []\n"),
        ("ci/ko.yaml", "defaultbaseimage: busybox:9\n"),
        ("broken/.ko.yaml", "a: [\n"),
        ("config/a.yaml", "image: ko://github.com/Me/app/cmd/one\n"),
        ("config/b.txt", "image: ko://github.com/Me/app/cmd/none\n"),
        (
            "config/deep/b.yml",
            "- 'ko://github.com/Me/app/cmd/three'\n",
        ),
    ];
    let none = "cgr.dev/chainguard/static:latest always";
    for (script, expected) in [
        ("ko build .", &["alpine:40 always"][..]),
        ("ko build -B ./cmd/one", &["debian:13 always"]),
        ("ko publish ./cmd/two", &[]),
        (
            "ko build ./cmd/three github.com/me/app/cmd/one ko://github.com/Me/app/cmd/three",
            &["alpine:40 always", "debian:13 always"],
        ),
        (
            "ko build ./cmd/...",
            &["alpine:40 always", "debian:13 always"],
        ),
        ("ko build $X", &["alpine:40 always", "debian:13 always"]),
        ("ko resolve -f config/", &["debian:13 always"]),
        (
            "ko apply -f config -R",
            &["alpine:40 always", "debian:13 always"],
        ),
        ("ko apply -f -", &["alpine:40 always", "debian:13 always"]),
        (
            "KO_DEFAULTBASEIMAGE=alpine:1 ko build .",
            &["alpine:1 always"],
        ),
        ("cd other; ko build .", &[none]),
        ("cd config; ko build .", &[none]),
        (
            "KO_CONFIG_PATH=ci/ko.yaml ko build .",
            &["busybox:9 always"],
        ),
        ("KO_CONFIG_PATH=other ko build .", &[none]),
        (
            "echo 'defaultBaseImage: alpine:2' > other/.ko.yaml; cd other; ko build .",
            &["alpine:2 always"],
        ),
        ("ko version", &[]),
    ] {
        assert_eq!(pulls_in(&files, script), expected, "{script}");
    }
    for script in [
        "cd broken; ko build .",
        "KO_CONFIG_PATH=/tmp/ko.yaml ko build .",
        "KO_CONFIG_PATH=$X ko build .",
    ] {
        let seen = effects_in(&files, script);
        assert!(seen[0].starts_with("opaque ko: "), "{script}: {seen:?}");
    }
    for (script, pushes) in [
        ("ko build .", true),
        ("KO_DOCKER_REPO=me ko build .", true),
        ("KO_DOCKER_REPO=ko.local ko build .", false),
        ("ko build -L .", false),
    ] {
        let seen = effects_in(&files, script);
        let is_push = |line: &String| line.starts_with("push ");
        assert_eq!(seen.iter().any(is_push), pushes, "{script}: {seen:?}");
    }
}

/// <https://docs.k3s.io/cli>, <https://lima-vm.io/docs/reference/lima/>
#[test]
fn clients_behind_the_name_of_a_cluster_or_machine_are_known() {
    for (script, expected) in [
        (
            "sudo k3s ctr images pull docker.io/library/alpine:22",
            &["docker.io/library/alpine:22 always"][..],
        ),
        ("sudo k3s crictl pull alpine:23", &["alpine:23 always"]),
        (
            "microk8s ctr -n k8s.io image pull docker.io/library/alpine:24",
            &["docker.io/library/alpine:24 always"],
        ),
        ("microk8s.ctr image pull a/b", &["a/b always"]),
        ("k3s kubectl get pods", &[]),
        ("lima nerdctl pull alpine:25", &["alpine:25 always"]),
        (
            "limactl shell default nerdctl run alpine:26",
            &["alpine:26"],
        ),
        ("limactl start default", &[]),
    ] {
        assert_eq!(pulls_in(&[], script), expected, "{script}");
    }
    let seen = effects("docker login -u me -p $T; lima nerdctl login -u me -p $T");
    assert!(
        !seen[0].contains(" in ") && seen[1].contains(" in "),
        "{seen:?}"
    );
    let seen = effects("sudo k3s server");
    assert!(seen[0].starts_with("opaque k3s: "), "{seen:?}");
}

/// <https://puppetlabs.github.io/litmus/Litmus-core-commands.html>
#[test]
fn litmus_starts_the_containers_of_its_list() {
    let lists = "default:\n  provisioner: docker\n  images: ['litmusimage/debian:12', 'litmusimage/centos:8']\nvms:\n  provisioner: vagrant\n  images: [centos/7]\n";
    let files = [("provision.yaml", lists)];
    let both = ["litmusimage/debian:12", "litmusimage/centos:8"];
    for (script, expected) in [
        (
            "bundle exec rake 'litmus:provision_list[default]'",
            &both[..],
        ),
        ("rake litmus:provision_install[default,puppet8]", &both),
        ("rake 'litmus:provision_list[vms]'", &[]),
        (
            "rake 'litmus:provision[docker, litmusimage/rocky:9]'",
            &["litmusimage/rocky:9"],
        ),
        ("rake 'litmus:provision[vmpooler, a/b]'", &[]),
        ("rake litmus:tear_down", &[]),
    ] {
        assert_eq!(pulls_in(&files, script), expected, "{script}");
    }
    let seen = effects_in(&files, "rake \"litmus:provision_list[$LIST]\"");
    assert!(seen[0].starts_with("opaque litmus: "), "{seen:?}");
}

/// <https://docs.seqera.io/nextflow/container/docker>
#[test]
fn nextflow_runs_processes_in_the_images_that_they_name() {
    let config = "// docker.enabled = true\nprocess.container = 'ubuntu:22.04'\nprocess {\n    memory = { check_max( 4.GB * task.attempt, 'memory' ) }\n    withName: 'A|B' { container = \"me/a:1\" }\n}\nprofiles {\n    docker {\n        docker.enabled = true\n        conda.enabled  = false\n    }\n    conda { conda.enabled = true }\n    other { includeConfig 'conf/other.config' }\n    open { docker { enabled = params.docker } }\n}\n";
    let main = "include { ONE } from './modules/one'\ninclude { TWO as X } from './modules/two.nf'\n/* container 'no:1' */\nprocess BARE {\n  script:\n  'ls'\n}\nworkflow { ONE() }\n";
    let one = "process ONE {\n    label 'x'\n    container \"${ workflow.containerEngine == 'singularity' ?\n        'https://depot.example.com/one:1' :\n        'biocontainers/one:1' }\"\n\n    script:\n    \"\"\"\n    container 'no:2'\n    \"\"\"\n}\n";
    let two = "process TWO { container 'docker://quay.io/me/two:1' }\n";
    let files = [
        ("nextflow.config", config),
        ("main.nf", main),
        ("modules/one/main.nf", one),
        ("modules/two.nf", two),
        (
            "conf/other.config",
            "docker.enabled = true\ndocker.registry = 'quay.io'\n",
        ),
        ("bare/main.nf", "process P { container params.image }\n"),
        (
            "named/nextflow.config",
            "manifest { mainScript = 'go.nf' }\ndocker.enabled = true\n",
        ),
        ("named/go.nf", "process P { container 'me/go:1' }\n"),
        ("bare/x.config", "docker { enabled = true }\n"),
    ];
    let all = [
        "me/a:1",
        "biocontainers/one:1",
        "quay.io/me/two:1",
        "ubuntu:22.04",
    ];
    let by_registry = [
        "quay.io/me/a:1",
        "quay.io/biocontainers/one:1",
        "quay.io/me/two:1",
        "quay.io/ubuntu:22.04",
    ];
    for (script, expected) in [
        ("nextflow run . -profile test,docker --outdir out", &all[..]),
        ("nextflow run main.nf --input x.csv -profile docker", &all),
        ("nextflow run $GITHUB_WORKSPACE -profile docker", &all),
        ("nextflow run . -profile other", &by_registry),
        ("nextflow run . -with-docker", &all),
        (
            "nextflow run main.nf -resume -with-docker me/own:1",
            &[
                "me/own:1",
                "me/a:1",
                "biocontainers/one:1",
                "quay.io/me/two:1",
            ],
        ),
        ("nextflow run .", &[]),
        ("nextflow run . -profile conda", &[]),
        ("cd named && nextflow run . -ansi-log false", &["me/go:1"]),
        ("nextflow run nf-core/rnaseq -profile conda", &[]),
        ("nextflow config . -profile docker", &[]),
    ] {
        assert_eq!(pulls_in(&files, script), expected, "{script}");
    }
    for script in [
        "nextflow run nf-core/rnaseq -profile test,docker",
        "nextflow run . -profile $PROFILE",
        "nextflow run . -profile open",
        "nextflow run bare -c bare/x.config",
        "nf-test test --profile=+docker --verbose",
    ] {
        let seen = effects_in(&files, script);
        assert!(
            seen.iter().any(|line| line.starts_with("opaque n")),
            "{script}: {seen:?}"
        );
    }
}

/// <https://containers.dev/implementors/json_reference/>
#[test]
fn development_containers_are_built_of_what_their_file_names() {
    let files = [
        (
            ".devcontainer/devcontainer.json",
            "{\n\t// of docker's \"image\"\n\t\"build\": {\"dockerfile\": \"Dockerfile\", \"context\": \"..\", \"target\": \"dev\", \"args\": {\"V\": \"${localEnv:V:9}\"}},\n\t\"features\": {}, /* none */\n}\n",
        ),
        (
            ".devcontainer/Dockerfile",
            "ARG V=1\nFROM node:$V AS dev\nFROM debian:12\n",
        ),
        (
            "sub/.devcontainer.json",
            "{\"image\": \"python:3\", \"features\": {\"ghcr.io/a/b:1\": {}}}",
        ),
        (
            "compose/.devcontainer/devcontainer.json",
            "{\"dockerComposeFile\": [\"../compose.yml\"], \"service\": \"dev\"}",
        ),
        (
            "some/.devcontainer/devcontainer.json",
            "{\"dockerComposeFile\": \"../../compose/compose.yml\", \"service\": \"dev\", \"runServices\": [\"db\"]}",
        ),
        (
            "compose/compose.yml",
            "services:\n  dev: {build: {context: ., dockerfile: D}}\n  db: {image: 'mysql:8'}\n  mq: {image: 'rabbitmq:4'}\n",
        ),
        ("compose/D", "FROM golang:1\n"),
        ("broken/.devcontainer.json", "{\"image\": "),
    ];
    for (script, expected) in [
        (
            "devcontainer build --workspace-folder . --image-name me/dev",
            &["node:9"][..],
        ),
        ("V=22 devcontainer up --workspace-folder .", &["node:22"]),
        (
            "devcontainer up --workspace-folder sub",
            &["docker/dockerfile:1.4 always", "python:3"],
        ),
        (
            "devcontainer up --config sub/.devcontainer.json",
            &["docker/dockerfile:1.4 always", "python:3"],
        ),
        (
            "devcontainer build --workspace-folder compose",
            &["golang:1"],
        ),
        (
            "cd compose && devcontainer up",
            &["golang:1", "mysql:8", "rabbitmq:4"],
        ),
        (
            "devcontainer up --workspace-folder some",
            &["golang:1", "mysql:8"],
        ),
        ("devcontainer exec --workspace-folder . ls", &[]),
    ] {
        let mut seen = pulls_in(&files, script);
        seen.sort_by_key(|line| (!line.starts_with("docker/"), line.clone()));
        let seen: Vec<&str> = seen
            .iter()
            .map(|line| line.trim_end_matches(" always"))
            .collect();
        let expected: Vec<&str> = expected
            .iter()
            .map(|line| line.trim_end_matches(" always"))
            .collect();
        assert_eq!(seen, expected, "{script}");
    }
    for script in [
        "devcontainer up --workspace-folder none",
        "devcontainer up --workspace-folder $X",
        "devcontainer up --workspace-folder broken",
    ] {
        let seen = effects_in(&files, script);
        assert!(
            seen[0].starts_with("opaque devcontainer: "),
            "{script}: {seen:?}"
        );
    }
}

#[test]
fn hooks_that_run_in_an_image_are_pulled() {
    let config = "repos:\n  - repo: https://github.com/hadolint/hadolint\n    rev: v2.12.0\n    hooks: [{id: hadolint-docker}]\n  - repo: https://github.com/rhysd/actionlint\n    rev: v1.7.7\n    hooks: [{id: actionlint-docker}, {id: actionlint}]\n  - repo: local\n    hooks:\n      - {id: own, language: docker_image, entry: '--net none --entrypoint lint acme/pc:1 -x'}\n      - {id: late, language: docker_image, entry: 'acme/late:1', stages: [manual]}\n      - {id: made, language: docker, entry: lint}\n";
    let files = [
        (".pre-commit-config.yaml", config),
        ("Dockerfile", "FROM node:22\n"),
    ];
    let all = [
        "hadolint/hadolint:v2.12.0",
        "docker.io/rhysd/actionlint:1.7.7",
        "acme/pc:1",
        "node:22 always",
    ];
    for (script, expected) in [
        ("pre-commit run --all-files", &all[..]),
        ("prek run -a", &all),
        ("pre-commit run own", &all[2..3]),
        ("SKIP=own,made pre-commit run -a", &all[..2]),
        ("pre-commit run --hook-stage manual late", &["acme/late:1"]),
        ("pre-commit autoupdate", &[]),
    ] {
        assert_eq!(pulls_in(&files, script), expected, "{script}");
    }
}

#[test]
fn tools_that_start_containers_of_their_own_are_known() {
    let files = [
        (
            "atlas.hcl",
            "env \"local\" {\n  dev = \"docker://mysql/8/dev\"\n}\n",
        ),
        (
            "qodana.yaml",
            "version: '1.0'\nlinter: jetbrains/qodana-go:2025.2\n",
        ),
        ("app/Dockerfile", "FROM node:22\n"),
    ];
    for (script, images) in [
        (
            "atlas migrate lint --dev-url docker://postgres/15/dev?search_path=public",
            &["postgres:15"][..],
        ),
        ("atlas schema apply --env local", &["mysql:8"]),
        (
            "atlas migrate diff --dev-url 'docker+postgres://acme/db:1/dev'",
            &["acme/db:1"],
        ),
        ("atlas migrate lint --dev-url sqlite://dev?mode=memory", &[]),
        ("qodana scan", &["jetbrains/qodana-go:2025.2 always"]),
        (
            "qodana pull --linter qodana-jvm",
            &["jetbrains/qodana-jvm:? always"],
        ),
        ("qodana scan --within-docker=false", &[]),
        (
            "dapr init",
            &["daprio/dapr:?", "redis:?", "openzipkin/zipkin:?"],
        ),
        ("dapr init --slim", &[]),
        ("dgoss run -e A=b acme/app:1", &["acme/app:1"]),
        (
            "npx @wordpress/env start",
            &["wordpress:?", "mariadb:?", "wordpress:cli-?"],
        ),
        (
            "k3d cluster create --no-lb",
            &["docker.io/rancher/k3s:?", "ghcr.io/k3d-io/k3d-tools:?"],
        ),
        ("minikube image build -t a:1 app", &["node:22"]),
        ("minikube image load acme/a:1", &["acme/a:1"]),
        ("zstd -dc a.tar.zst | minikube image load -", &[]),
        ("minikube image load a.tar acme/b:1", &["acme/b:1"]),
        ("minikube cache add acme/a:1", &["acme/a:1"]),
        ("minikube image ls", &[]),
        (
            "pack build a --builder acme/b:1 --trust-builder",
            &["acme/b:1 always"],
        ),
        (
            "pack build a --builder acme/b:1 --pull-policy if-not-present",
            &["acme/b:1", "docker.io/buildpacksio/lifecycle:?"],
        ),
    ] {
        assert_eq!(pulls_in(&files, script), images, "{script}");
    }
    let made = effects_in(
        &[],
        "kind build node-image --image a:1; kind create cluster --image a:1",
    );
    assert!(made.contains(&"provide a:1".to_owned()), "{made:?}");
}

#[test]
fn code_of_the_cdk_that_makes_an_image_is_unknown() {
    let files = [
        ("infra/cdk.json", "{\"app\": \"npx ts-node bin/app.ts\"}"),
        (
            "infra/lib/stack.ts",
            "new DockerImageAsset(this, 'x', { directory: '../app' });\n",
        ),
        ("plain/cdk.json", "{}"),
        ("plain/lib/stack.ts", "new Bucket(this, 'x');\n"),
    ];
    let seen = effects_in(&files, "cd infra; npx cdk deploy --all");
    assert_eq!(
        seen,
        [
            "opaque cdk: `infra/lib/stack.ts` makes an image of a Dockerfile (`DockerImageAsset`), and is not read further"
        ]
    );
    assert!(effects_in(&files, "cd plain; npx cdk deploy").is_empty());
    assert!(effects_in(&files, "cd infra; npx cdk destroy").is_empty());
}

#[test]
fn whatever_hands_on_a_command_is_looked_through() {
    for wrapper in [
        "mise exec node@22 --",
        "flox activate --",
        "aqua exec --",
        "runuser -u me --",
        "setpriv --reuid 1000 --clear-groups",
        "chpst -u me",
        "ionice -c 3",
        "stdbuf -oL",
        "strace -f -o out",
        "nsenter -t 1 -m",
        "dockerize -wait tcp://db:5432 -timeout 60s",
        "npx env-cmd -f .env",
        "npx c8 -r text",
        "faketime yesterday",
        "flock -w 5 lock",
    ] {
        let script = format!("{wrapper} docker pull a:1");
        assert_eq!(pulls(&script), ["a:1 always"], "{script}");
    }
    for script in [
        "flock lock -c 'docker pull a:1'",
        "runuser -l me -c 'docker pull a:1'",
        "sops exec-env secrets.yml 'docker pull a:1'",
    ] {
        assert_eq!(pulls(script), ["a:1 always"], "{script}");
    }
}
