//! What container clients pull, sign in to and leave behind.

use super::{effects, effects_in, line, pulls, tree};
use crate::context::{Context, Options};
use crate::effect::Kind;
use crate::run::JobRun;
use crate::source::{RepoPath, Sources};
use crate::text::Mapped;

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
        (
            "oras pull -u $A -p $B docker.io/me/app:1",
            &["docker.io/me/app:1 always with its own credential"],
        ),
        (
            "oras copy --from-username $A --from-password $B docker.io/me/app:1 ghcr.io/me/app:1",
            &["docker.io/me/app:1 always with its own credential"],
        ),
        (
            "oras pull -u $A docker.io/me/app:1",
            &["docker.io/me/app:1 always"],
        ),
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

#[test]
fn the_name_of_an_image_is_known_where_many_paths_differ_in_its_tag() {
    let arms = |image: fn(usize) -> String| -> String {
        (0..8).map(|n| format!("{n}) I={};; ", image(n))).collect()
    };
    for (arms, expected) in [
        (
            arms(|n| format!("me/app:{n}@sha256:{n}")),
            "pull me/app:${I##*:} always",
        ),
        (
            arms(|n| format!("ghcr.io/me/app:{n}")),
            "pull ghcr.io/me/app:${I##*:} always",
        ),
        (arms(|_| "me/app:1".to_owned()), "pull me/app:1 always"),
        (arms(|n| format!("me/app{n}:1")), "pull $I always"),
        (arms(|n| format!("http://a/b:{n}")), "pull $I always"),
    ] {
        let script = format!("case $V in {arms} *) exit 1;; esac\ndocker pull $I");
        assert_eq!(effects(&script), [expected], "{script}");
    }
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
        let lines = effects_in(&files, script).into_iter();
        let pulls: Vec<String> = lines.filter(|line| line.starts_with("pull")).collect();
        assert_eq!(pulls, expected, "{script}");
    }
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
fn what_goes_elsewhere_is_no_image_here() {
    let files = [("Dockerfile", "FROM debian:12\n")];
    for (output, is_here) in [
        ("-o out", false),
        ("-o type=local,dest=out", false),
        ("--output=type=cacheonly", false),
        ("-o type=image,push=false", true),
        ("-o type=docker", true),
        ("-o $OUTPUT", true),
        ("", true),
    ] {
        let script = format!("docker build -t app {output} .");
        let found = effects_in(&files, &script);
        assert_eq!(
            found.contains(&"provide app".to_owned()),
            is_here,
            "{output}"
        );
    }
    let found = effects_in(&files, "podman build -t app -o out .");
    assert!(found.contains(&"provide app".to_owned()), "{found:?}");
}

#[test]
fn builders_that_are_no_docker_build_dockerfiles_too() {
    let files = [
        ("Dockerfile", "FROM me/root:1\n"),
        ("a/Dockerfile", "FROM me/a:1\n"),
        (
            "docker/x.Dockerfile",
            "ARG V=1\nFROM me/x:$V AS one\nFROM one\nFROM me/unused:1\n",
        ),
    ];
    for (script, expected) in [
        (
            "buildctl build --frontend dockerfile.v0 --local context=. --local dockerfile=docker --opt filename=x.Dockerfile --opt build-arg:V=2 --opt target=one --output type=image,name=me/app,push=true",
            vec!["pull me/x:2 always"],
        ),
        (
            "buildctl-daemonless.sh build --frontend=dockerfile.v0 --local context=a --local dockerfile=a",
            vec!["pull me/a:1 always"],
        ),
        (
            "buildctl build --frontend gateway.v0 --opt source=me/frontend:1 --local context=. --local dockerfile=a",
            vec!["pull me/frontend:1 always", "pull me/a:1 always"],
        ),
        ("buildctl du", vec![]),
        ("buildctl build --help", vec![]),
        (
            "/kaniko/executor --context dir://a --dockerfile Dockerfile --destination me/app",
            vec!["pull me/root:1 always"],
        ),
        (
            "/kaniko/executor -c a --dockerfile=a/Dockerfile --no-push",
            vec!["pull me/a:1 always"],
        ),
        (
            "/kaniko/executor -c docker -f x.Dockerfile --target one --no-push",
            vec!["pull me/x:1 always"],
        ),
        (
            "depot build --project x --save -t me/app a",
            vec!["pull me/a:1 always"],
        ),
        ("img build -t me/app a", vec!["pull me/a:1 always"]),
        ("img pull me/b:1", vec!["pull me/b:1 always"]),
        (
            "imgpkg pull -b me/bundle:1 -o out",
            vec!["pull me/bundle:1 always"],
        ),
    ] {
        let found = effects_in(&files, script);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let pulls = |effect: &&&str| !effect.starts_with("push");
        let found: Vec<&str> = found.iter().filter(pulls).copied().collect();
        assert_eq!(found, expected, "{script}");
    }
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
fn a_dockerfile_that_the_job_writes_is_read() {
    let files = [
        ("a/Dockerfile", "FROM a/a"),
        ("b/Containerfile", "FROM b/b"),
        ("t.in", "FROM $X"),
    ];
    for (script, expected) in [
        (
            "printf 'FROM e/f\\nCOPY . /m\\n' > /tmp/D.car; docker build -t c -f /tmp/D.car /tmp/m",
            &["pull e/f"][..],
        ),
        (
            "cat <<EOF > /tmp//x/Dockerfile\nFROM e/f\nEOF\ndocker build /tmp/x/",
            &["pull e/f"],
        ),
        (
            "mkdir d; echo 'FROM e/f' > d/Dockerfile; docker build d",
            &["pull e/f"],
        ),
        (
            "mkdir d; cd d; echo 'FROM e/f' > Dockerfile; docker build .",
            &["pull e/f"],
        ),
        (
            "echo 'FROM e/f' > $GITHUB_WORKSPACE/d/Dockerfile; docker build d",
            &["pull e/f"],
        ),
        (
            "T=$(mktemp -d); echo 'FROM e/f' | tee $T/Dockerfile; docker build $T",
            &["pull e/f"],
        ),
        (
            "echo 'FROM e/f' > a/Dockerfile; docker build a",
            &["pull e/f"],
        ),
        (
            "echo 'FROM e/f' > b/Dockerfile; docker build b",
            &["pull e/f"],
        ),
        (
            "echo 'FROM e/f' > a/Containerfile; docker build a",
            &["pull a/a"],
        ),
        (
            "echo 'RUN x' >> a/Dockerfile; docker build a",
            &["pull a/a"],
        ),
        (
            "echo FROM e/f AS x > D; echo FROM g/h >> D; echo COPY --from=x a b >> D; docker build -f D .",
            &["pull e/f", "pull g/h"],
        ),
        (
            "if x; then echo FROM e/f > D; else echo FROM g/h > D; fi; docker build -f D .",
            &["pull g/h [if not x]", "pull e/f [if x]"],
        ),
        (
            "if x; then echo FROM e/f > a/Dockerfile; docker build a; fi; docker build a",
            &["pull e/f [if x]", "pull e/f [if x]", "pull a/a"],
        ),
        (
            "echo FROM e/f > D; if x; then echo FROM g/h > D; fi; echo FROM i/j > D; docker build -f D .",
            &["pull i/j"],
        ),
        (
            "echo FROM e/f > D; envsubst < t.in > D; docker build -f D .",
            &["pull $X"],
        ),
        (
            "echo FROM e/f > D; ./gen < t.in > D; docker build -f D .",
            &[
                "opaque build of `.`: what the job writes to its Dockerfile is known only when it runs",
            ],
        ),
        (
            "echo hello > D; docker build -f D .",
            &[
                "opaque build of `.`: `D` is not in this repository; it may be made while the job runs",
            ],
        ),
    ] {
        let seen: Vec<String> = effects_in(&files, script)
            .into_iter()
            .filter(|line| !line.starts_with("provide"))
            .collect();
        assert_eq!(seen, expected, "{script}");
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
        crate::shell::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
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
        "[[ (! -z \"$U\") && (! -z \"$P\") ]]",
        "[[ (-n \"$U\") ]]",
        "[ x\"$U\" != x ]",
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
        "[[ ! (-z \"$U\" && -n \"$P\") ]]",
        "[ y\"$U\" != x ]",
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
    crate::shell::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
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
            "for i in 1 2 $N; do CMD=$i; done; [ -n \"$X\" ] && CMD=docker; [ -z \"$X\" ] && unset CMD; $CMD build .; $CMD test",
            &[
                "opaque $CMD build: `$CMD` is a container client on some paths and something else on others",
            ],
        ),
        (
            "case $X in a) T=podman;; b) T=./tool;; esac; $SUDO $T --log-level debug run alpine",
            &["pull alpine as podman [if not case $X in b)]"],
        ),
        ("CMD=make; [ -n \"$X\" ] && CMD=cargo; $CMD run", &[]),
        ("$CMD run alpine; $CMD pull alpine", &[]),
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
fn a_step_may_run_a_client_of_which_it_says_nothing() {
    let tree = tree(&[("ci.txt", "$CTR pull a/b")]);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.txt").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    run.env.insert("CTR".into(), "sudo docker".into());
    crate::shell::run_script(&mut run, Mapped::verbatim(source.whole(), &*source.text));
    let all: Vec<String> = run.finish().iter().map(|e| line(&cx, e)).collect();
    assert_eq!(all, ["pull a/b always"]);
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
fn the_file_of_a_tool_may_carry_its_version() {
    let makefile = "KIND := $(shell pwd)/bin/kind-$(KIND_VERSION)\nCONTROLLER ?= bin/ko-v0.18.0\nkind:\n\t$(KIND) create cluster --image me/node:1\nko:\n\tKO_DEFAULTBASEIMAGE=me/base:1 $(CONTROLLER) build ./cmd\n";
    for (script, image) in [
        (
            "./bin/kind-v0.31.0 create cluster --image me/node:1",
            "me/node:1",
        ),
        (
            "/usr/local/bin/kind-0.31 create cluster --image me/node:1",
            "me/node:1",
        ),
        (
            "bin/kind_v0.31.0 create cluster --image me/node:1",
            "me/node:1",
        ),
        (
            "./kind-linux-amd64 create cluster --image me/node:1",
            "me/node:1",
        ),
        (
            "\"$B/kind-$V\" create cluster --image me/node:1",
            "me/node:1",
        ),
        ("make kind KIND_VERSION=v0.31.0", "me/node:1"),
        ("make kind", "me/node:1"),
        ("bin/docker-compose-2.1.0 -f c.yml pull", "me/c:1"),
    ] {
        let files = [
            ("Makefile", makefile),
            ("c.yml", "services: {c: {image: me/c:1}}"),
        ];
        let seen = effects_in(&files, script);
        assert!(
            seen.iter()
                .any(|line| line.starts_with(&format!("pull {image}"))),
            "{script}: {seen:?}"
        );
    }
    for script in [
        "./bin/kind-of create cluster --image me/node:1",
        "./bin/docker-$X pull me/node:1",
        "./bin/kinder-1.0 create cluster --image me/node:1",
    ] {
        assert_eq!(pulls(script), [""; 0], "{script}");
    }
}

#[test]
fn what_only_says_something_pulls_nothing() {
    let files = [
        ("docker-bake.hcl", "target \"web\" {}\n"),
        ("Dockerfile", "FROM alpine:3\n"),
        (
            "compose.yml",
            "services: {web: {build: .}, db: {image: postgres:17}}\n",
        ),
    ];
    for script in [
        "docker buildx bake --print web",
        "docker buildx bake --list=targets",
        "docker buildx bake --list targets",
        "docker build --help .",
        "docker run --help alpine",
        "docker compose up --help",
        "docker compose up -h",
        "docker compose --help up",
        "docker compose build --print",
        "docker compose --dry-run up",
        "docker compose run --help db",
        "kind create cluster --help",
    ] {
        assert_eq!(effects_in(&files, script), Vec::<String>::new(), "{script}");
    }
    for (script, expected) in [
        ("docker run alpine --help", &["pull alpine"][..]),
        ("docker run -h me alpine", &["pull alpine"]),
        ("docker compose run db --help", &["pull postgres:17"]),
    ] {
        assert_eq!(effects_in(&files, script), expected, "{script}");
    }
}

/// <https://docs.docker.com/reference/cli/docker/compose/build/>
#[test]
fn options_of_composes_build_are_no_services() {
    let files = [
        ("a/Dockerfile", "FROM alpine:1\n"),
        ("b/Dockerfile", "FROM alpine:2\n"),
        (
            "compose.yml",
            "services: {a: {build: a, image: me/a}, b: {build: b, image: me/b}}\n",
        ),
    ];
    let pulls = |script: &str| -> Vec<String> {
        let lines = effects_in(&files, script);
        lines
            .into_iter()
            .filter(|line| !line.starts_with("provide"))
            .collect()
    };
    for command in ["docker compose", "docker-compose"] {
        for (options, always) in [
            ("--progress plain", ""),
            ("--provenance false --sbom false", ""),
            ("--pull --no-cache", " always"),
            ("--pull --build-arg A=1", " always"),
            ("--build-arg A=1 -m 2g", ""),
        ] {
            assert_eq!(
                pulls(&format!("{command} build {options}")),
                [
                    format!("pull alpine:1{always}"),
                    format!("pull alpine:2{always}")
                ],
                "{options}"
            );
            assert_eq!(
                pulls(&format!("{command} build {options} b")),
                [format!("pull alpine:2{always}")],
                "{options}"
            );
        }
    }
}

#[test]
fn a_word_that_is_a_flag_or_nothing_is_no_image() {
    for (script, expected) in [
        ("docker run ${TTY:+-it} --rm ${E:+-e X=1} a true", "a"),
        ("docker pull ${QUIET:+--quiet} a", "a always"),
        ("crane digest ${INSECURE+--insecure} a", "a always"),
    ] {
        assert_eq!(pulls(script), [expected], "{script}");
    }
    // One that is an image where it is set.
    assert_eq!(pulls("docker pull ${X:+a}").len(), 1);
}

#[test]
fn a_bill_of_materials_is_made_by_an_image() {
    let files = [("Dockerfile", "FROM a\n")];
    let scanned = "pull docker/buildkit-syft-scanner:stable-1";
    for (flags, expected) in [
        ("--sbom=true", Some(scanned)),
        ("--sbom true", Some(scanned)),
        ("--sbom=generator=b/scanner", Some("pull b/scanner")),
        ("--attest type=sbom", Some(scanned)),
        ("--attest=type=provenance,mode=max", None),
        (
            "--attest=type=provenance --attest type=sbom,generator=b/scanner:1",
            Some("pull b/scanner:1"),
        ),
        ("--sbom=false --attest=type=sbom", None),
        ("--sbom=$SBOM", None),
    ] {
        let script = format!("docker buildx build {flags} .");
        let mut all = vec!["pull a"];
        all.extend(expected);
        assert_eq!(effects_in(&files, &script), all, "{flags}");
    }
}

#[test]
fn a_build_asks_a_registry_for_what_earlier_ones_made() {
    let files = [
        ("Dockerfile", "FROM a\n"),
        (
            "compose.yml",
            "services: {s: {build: {context: ., cache_from: ['b/c:1', 'type=local,src=x']}}}\n",
        ),
        (
            "docker-bake.hcl",
            "target \"default\" {\n cache-from = [\"type=registry,ref=b/c:1\", \"type=gha\"]\n}\n",
        ),
    ];
    let cached = ["pull b/c:1", "pull a"];
    for script in [
        "docker build --cache-from b/c:1 .",
        "docker build --cache-from=type=registry,ref=b/c:1 --cache-from type=gha .",
        "docker compose build",
        "docker buildx bake -f docker-bake.hcl",
    ] {
        let lines = effects_in(&files, script).into_iter();
        let pulls: Vec<String> = lines.filter(|line| line.starts_with("pull")).collect();
        assert_eq!(pulls, cached, "{script}");
    }
    for script in [
        "docker build --cache-from $CACHE .",
        "docker build --cache-from type=local,src=b .",
        "DOCKER_BUILDKIT=0 docker build --cache-from b/c:1 .",
        "docker buildx bake -f docker-bake.hcl --set '*.cache-from=type=gha'",
    ] {
        let lines = effects_in(&files, script).into_iter();
        let pulls: Vec<String> = lines.filter(|line| line.starts_with("pull")).collect();
        assert_eq!(pulls, ["pull a"], "{script}");
    }
    // The engine looks at its own images first, a builder in a container has none.
    let script = "docker pull b/c:1; docker build --cache-from b/c:1 .";
    assert_eq!(
        effects_in(&files, script),
        ["pull b/c:1 always", "pull b/c:1", "pull a"]
    );
    let script =
        "docker buildx create --use; docker pull b/c:1; docker buildx build --cache-from b/c:1 .";
    let lines = effects_in(&files, script);
    assert!(lines.contains(&"pull b/c:1 always".to_owned()), "{lines:?}");
}

#[test]
fn a_program_that_a_command_is_given_may_run_a_client() {
    let found = [
        "opaque the program that stands here: its code runs `docker pull`, and is not read further",
    ];
    for script in [
        "python3 -c 'import os; os.system(\"docker pull a\")'",
        "node -e 'require(\"child_process\").execSync(\"docker pull a\")'",
        "python - <<'END'\nsubprocess.run([\"docker\", \"pull\", \"a\"])\nEND",
        "ruby <<END\nsystem 'docker pull a'\nEND",
    ] {
        assert_eq!(effects(script), found, "{script}");
    }
    for script in [
        "python3 -c 'print(\"docker pull a\")'",
        "python3 x.py <<END\nsubprocess.run([\"docker\", \"pull\", \"a\"])\nEND",
        "echo \"docker pull a\" | python3 x.py",
    ] {
        assert_eq!(effects(script), [""; 0], "{script}");
    }
}
