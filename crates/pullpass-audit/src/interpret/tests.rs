//! Effects in, verdicts out.

use super::*;
use crate::context::Options;
use crate::effect::{Forks, Provider, Runner};
use crate::run::JobRun;
use crate::source::{FileId, MemoryTree, RepoPath};
use crate::text::{HoleKind, Mapped};

/// Runs a made-up job and returns "image verdict cause" lines.
fn judge(act: impl FnOnce(&mut JobRun<'_>, FileId)) -> Vec<String> {
    let tree = MemoryTree::new().with("f", "x".repeat(100));
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let file = cx.sources.load(&RepoPath::new("f").unwrap()).unwrap().id;
    let mut run = JobRun::new(&cx);
    act(&mut run, file);
    let job = Job {
        provider: Provider::CircleCi,
        file,
        name: "j".into(),
        span: Span::new(file, 0, 1),
        runner: Runner::Hosted,
        forks: Forks::No,
        platform_credential: true,
        os: None,
        guards: Rc::from([]),
        contexts: Rc::from([]),
        own_contexts: Rc::from([]),
        reached: true,
        effects: run.finish(),
    };
    interpret(&cx, &job, &Archives::of(std::slice::from_ref(&job)))
        .pulls
        .iter()
        .map(|p| {
            format!(
                "{} {} {:?}",
                p.image
                    .as_ref()
                    .map(|i| cx.holes.show(i.as_str()))
                    .unwrap_or_default(),
                p.auth.name(),
                p.cause
            )
        })
        .collect()
}

fn login(run: &mut JobRun<'_>, file: FileId, registry: &str) {
    let store = run.docker_store();
    run.emit(
        Span::new(file, 1, 2),
        Kind::Login {
            registry: registry.into(),
            username: Some("$U".into()),
            password: None,
            store,
            how: "`docker login`".into(),
            broken: None,
        },
    );
}

fn pull(run: &mut JobRun<'_>, file: FileId, image: &str) {
    run.docker_pull(
        Span::new(file, 3, 4),
        image.into(),
        By::Run,
        Freshness::Missing,
    );
}

#[test]
fn behind_a_login_it_does_not_matter_whether_an_image_was_made_before() {
    let made = |run: &mut JobRun<'_>, file| {
        let tag = run.cx.holes.variable("TAG");
        let image = format!("me/app:{}", tag.as_str()).as_str().into();
        run.emit(Span::new(file, 2, 3), Kind::Provide { image });
        pull(run, file, "me/app:1");
    };
    assert_eq!(judge(made), ["me/app:1 unknown Unresolved"]);
    for (registry, expected) in [
        ("", "me/app:1 authenticated Fine"),
        ("quay.io", "me/app:1 unknown Unresolved"),
    ] {
        let seen = judge(|run, file| {
            login(run, file, registry);
            made(run, file);
        });
        assert_eq!(seen, [expected], "{registry}");
    }
}

#[test]
fn login_before_pull_authenticates() {
    let seen = judge(|run, f| {
        login(run, f, "");
        pull(run, f, "alpine");
    });
    assert_eq!(seen, ["alpine authenticated Fine"]);
}

#[test]
fn login_after_pull_is_anonymous() {
    let seen = judge(|run, f| {
        pull(run, f, "alpine");
        login(run, f, "");
    });
    assert_eq!(seen, ["alpine anonymous LoginLater"]);
}

#[test]
fn login_elsewhere_does_not_help() {
    let seen = judge(|run, f| {
        login(run, f, "ghcr.io");
        pull(run, f, "alpine");
        pull(run, f, "ghcr.io/me/app");
    });
    assert_eq!(
        seen,
        [
            "alpine anonymous OtherRegistry",
            "ghcr.io/me/app not-applicable OtherHost"
        ]
    );
}

#[test]
fn a_condition_makes_a_login_conditional_unless_the_pull_shares_it() {
    let seen = judge(|run, f| {
        run.guarded(Guard::when("main"), |run| login(run, f, ""));
        pull(run, f, "alpine");
        run.guarded(Guard::when("main"), |run| pull(run, f, "busybox"));
        run.guarded(Guard::when("main").not(), |run| pull(run, f, "node"));
    });
    assert_eq!(
        seen,
        [
            "alpine conditional LoginConditional",
            "busybox authenticated Fine",
            "node anonymous NoLogin"
        ]
    );
}

#[test]
fn a_login_that_is_left_out_only_where_there_is_no_secret_authenticates() {
    let seen = judge(|run, f| {
        let there = Guard {
            with_secrets: true,
            ..Guard::when("env.THERE == 'true'")
        };
        run.guarded(there.clone(), |run| login(run, f, ""));
        pull(run, f, "alpine");
        run.guarded(there.not(), |run| pull(run, f, "busybox"));
    });
    assert_eq!(
        seen,
        ["alpine authenticated Fine", "busybox anonymous NoLogin"]
    );
}

#[test]
fn logins_on_both_branches_are_one_login() {
    let seen = judge(|run, f| {
        run.guarded(Guard::when("a"), |run| login(run, f, ""));
        run.guarded(Guard::when("a").not(), |run| login(run, f, "docker.io"));
        pull(run, f, "alpine");
    });
    assert_eq!(seen, ["alpine authenticated Fine"]);
}

#[test]
fn what_was_built_or_pulled_before_is_not_pulled_again() {
    let seen = judge(|run, f| {
        run.emit(
            Span::new(f, 0, 1),
            Kind::Provide {
                image: "me/app:ci".into(),
            },
        );
        pull(run, f, "me/app:ci");
        pull(run, f, "alpine");
        pull(run, f, "docker.io/library/alpine:latest");
    });
    assert_eq!(seen, ["alpine anonymous NoLogin"]);
}

#[test]
fn what_was_given_a_name_is_there_whatever_it_was() {
    for script in [
        "docker pull -q a/b:1; docker tag a/b:1 me/app:1; docker run me/app:1",
        "docker tag \"$X\" me/app:1 && docker run me/app:1",
        "docker tag $IMAGE_ARGS me/app:1 && docker run me/app:1",
        "docker image tag $(docker images -q | head -1) me/app:$V; docker run me/app:$V",
        "docker images -q | xargs -I{} docker tag {} me/app:1; docker run me/app:1",
        "podman tag $X other me/app:1; podman run me/app:1",
    ] {
        let pulled = judge(|run, file| {
            let script = Mapped::at(Span::new(file, 0, 1), script);
            crate::shell::run_script(run, script);
        });
        let of_app = pulled.iter().filter(|line| line.contains("app"));
        assert_eq!(of_app.count(), 0, "{script}: {pulled:?}");
    }
}

#[test]
fn the_same_unknown_image_built_and_run_is_not_pulled() {
    let seen = judge(|run, f| {
        let image = run.cx.holes.of("$IMAGE", HoleKind::Variable);
        run.emit(
            Span::new(f, 0, 1),
            Kind::Provide {
                image: image.clone(),
            },
        );
        pull(run, f, image.as_str());
    });
    // The name of what was provided is unknown, so what is run may be it.
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn what_is_named_after_the_folder_of_the_checkout_is_there_whatever_that_is() {
    let seen = judge(|run, f| {
        let mut image = run.cx.holes.of("(folder)", HoleKind::Folder);
        image.push("-web");
        run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        for image in ["shop-web", "shop-web:1", "web", "me/shop-web", "shop-db"] {
            pull(run, f, image);
        }
    });
    assert_eq!(
        seen,
        [
            "shop-web:1 anonymous NoLogin",
            "web anonymous NoLogin",
            "me/shop-web anonymous NoLogin",
            "shop-db anonymous NoLogin"
        ]
    );
}

#[test]
fn what_may_be_what_was_made_under_an_unknown_name_is_unknown() {
    let seen = judge(|run, f| {
        let image = run.cx.holes.of("$IMAGE", HoleKind::Variable);
        run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        pull(run, f, "me/app:ci");
        pull(run, f, "alpine");
    });
    assert_eq!(
        seen,
        ["me/app:ci unknown Unresolved", "alpine anonymous NoLogin"]
    );
}

#[test]
fn what_is_called_like_the_folder_has_no_namespace() {
    let seen = judge(|run, f| {
        let image = run.cx.holes.of("(the folder's name)", HoleKind::Folder);
        run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        pull(run, f, "me/app:ci");
        pull(run, f, "our-app");
        pull(run, f, "alpine");
    });
    assert_eq!(
        seen,
        [
            "me/app:ci anonymous NoLogin",
            "our-app unknown Unresolved",
            "alpine anonymous NoLogin"
        ]
    );
}

#[test]
fn what_may_have_the_tag_that_the_job_made_is_unknown() {
    let seen = judge(|run, f| {
        let tag = run.cx.holes.of("$TAG", HoleKind::Variable);
        let other = run.cx.holes.of("$OTHER", HoleKind::Variable);
        let (tag, other) = (tag.as_str(), other.as_str());
        for image in [format!("me/app:{tag}"), format!("me/arch:{tag}-arm64")] {
            let image = Text::from(image);
            run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        }
        pull(run, f, &format!("me/app:{tag}"));
        pull(run, f, &format!("me/app:{other}"));
        pull(run, f, "me/app:1");
        pull(run, f, &format!("me/arch:{other}-amd64"));
        pull(run, f, &format!("me/arch:{other}"));
        pull(run, f, "me/arch:1");
        pull(run, f, &format!("you/app:{tag}"));
        run.docker_pull(
            Span::new(f, 3, 4),
            "me/app:2".into(),
            By::Run,
            Freshness::Always,
        );
    });
    assert_eq!(
        seen,
        [
            "me/app:$OTHER unknown Unresolved",
            "me/app:1 unknown Unresolved",
            "me/arch:$OTHER-amd64 anonymous NoLogin",
            "me/arch:$OTHER unknown Unresolved",
            "me/arch:1 anonymous NoLogin",
            "you/app:$TAG anonymous NoLogin",
            "me/app:2 anonymous NoLogin",
        ]
    );
}

#[test]
fn what_may_have_the_name_that_the_job_made_is_unknown() {
    let seen = judge(|run, f| {
        let part = run.cx.holes.of("$PART", HoleKind::Variable);
        let other = run.cx.holes.of("$OTHER", HoleKind::Variable);
        let (part, other) = (part.as_str(), other.as_str());
        for image in [format!("me/node-{part}:1"), "you/app:1".to_owned()] {
            let image = Text::from(image);
            run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        }
        for image in [
            &*format!("me/node-{part}:1"),
            "me/node-chrome:1",
            &format!("me/node-{other}:1"),
            "me/node-chrome:2",
            "me/hub:1",
            "me/node-x/y:1",
            "node:1",
            &format!("you/{other}:1"),
            &format!("you/{other}:2"),
            "you/app:2",
        ] {
            pull(run, f, image);
        }
    });
    assert_eq!(
        seen,
        [
            "me/node-chrome:1 unknown Unresolved",
            "me/node-$OTHER:1 unknown Unresolved",
            "me/node-chrome:2 anonymous NoLogin",
            "me/hub:1 anonymous NoLogin",
            "me/node-x/y:1 anonymous NoLogin",
            "node:1 anonymous NoLogin",
            "you/$OTHER:1 unknown Unresolved",
            "you/$OTHER:2 anonymous NoLogin",
            "you/app:2 anonymous NoLogin",
        ]
    );
}

#[test]
fn what_aws_signs_in_to_is_not_docker_hub() {
    let seen = judge(|run, f| {
        let span = Span::new(f, 0, 1);
        let mut image = run.cx.holes.of("$ECR", HoleKind::Variable);
        image.push("/me/app");
        let kind = Kind::Pull {
            image,
            by: By::Executor,
            puller: Puller::Host,
            declared: Declared::Aws(span),
            freshness: Freshness::Always,
        };
        run.emit(span, kind);
    });
    assert_eq!(seen, ["$ECR/me/app not-applicable OtherHost"]);
}

#[test]
fn what_the_job_makes_on_some_paths_may_not_be_pulled_on_the_others() {
    let seen = judge(|run, f| {
        let provide = |run: &mut JobRun<'_>| {
            let image = Text::from("me/app");
            run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        };
        run.guarded(Guard::when("changed"), provide);
        run.guarded(Guard::when("changed").not(), |run| pull(run, f, "me/app"));
        pull(run, f, "me/other");
    });
    assert_eq!(
        seen,
        ["me/app anonymous NoLogin", "me/other anonymous NoLogin"]
    );
    let seen = judge(|run, f| {
        let image = Text::from("me/app");
        run.guarded(Guard::when("changed"), |run| {
            run.emit(Span::new(f, 0, 1), Kind::Provide { image });
        });
        pull(run, f, "me/app");
    });
    assert_eq!(seen, ["me/app unknown Unresolved"]);
}

#[test]
fn what_comes_out_of_an_archive_is_not_pulled() {
    let save = |run: &mut JobRun<'_>, f, image: &str| {
        let image = Text::from(image);
        run.emit(Span::new(f, 0, 1), Kind::Save { image });
    };
    let load = |run: &mut JobRun<'_>, f| run.emit(Span::new(f, 0, 1), Kind::Load);
    // What is saved is known, and so everything else is pulled.
    let seen = judge(|run, f| {
        save(run, f, "app:ci");
        save(run, f, "me/all");
        load(run, f);
        for image in ["app:ci", "me/all:1", "app:other", "google/sdk", "debian"] {
            pull(run, f, image);
        }
    });
    assert_eq!(
        seen,
        [
            "app:other anonymous NoLogin",
            "google/sdk anonymous NoLogin",
            "debian anonymous NoLogin"
        ]
    );
    // What is saved is not known: what the repository builds may be it, and others may be, too.
    let seen = judge(|run, f| {
        let provide = Kind::Provide {
            image: "app:ci".into(),
        };
        run.emit(Span::new(f, 0, 1), provide);
        let unknown = run.cx.holes.of("$IMAGE", HoleKind::Variable);
        save(run, f, unknown.as_str());
        load(run, f);
        pull(run, f, "app:ci");
        pull(run, f, "google/sdk");
        pull(run, f, "debian");
    });
    assert_eq!(
        seen,
        ["google/sdk unknown Unresolved", "debian anonymous NoLogin"]
    );
    // Of what is saved a part is known, and no other repository comes out of it.
    let seen = judge(|run, f| {
        let tag = run.cx.holes.of("$TAG", HoleKind::Variable);
        save(run, f, &format!("me/app:{}", tag.as_str()));
        save(run, f, &format!("{}/vc-web:1", tag.as_str()));
        load(run, f);
        for image in ["me/app:1", "acme/vc-web:2", "me/other", "kindest/node:v1"] {
            pull(run, f, image);
        }
    });
    assert_eq!(
        seen,
        [
            "me/app:1 unknown Unresolved",
            "acme/vc-web:2 unknown Unresolved",
            "me/other anonymous NoLogin",
            "kindest/node:v1 anonymous NoLogin"
        ]
    );
    // An archive from elsewhere.
    let seen = judge(|run, f| {
        load(run, f);
        pull(run, f, "me/app");
        pull(run, f, "our-builder:1");
        pull(run, f, "debian");
    });
    assert_eq!(
        seen,
        [
            "me/app unknown Unresolved",
            "our-builder:1 unknown Unresolved",
            "debian anonymous NoLogin"
        ]
    );
}

#[test]
fn a_logout_ends_a_login() {
    let seen = judge(|run, f| {
        login(run, f, "");
        run.emit(
            Span::new(f, 2, 3),
            Kind::Logout {
                registry: Text::default(),
                store: Store::docker(),
            },
        );
        pull(run, f, "alpine");
    });
    assert_eq!(seen, ["alpine anonymous LoggedOut"]);
}

#[test]
fn a_login_is_for_the_name_of_docker_hub_that_it_signs_in_to() {
    let seen = judge(|run, f| {
        pull(run, f, "registry.docker.com/library/ruby:3.3");
        login(run, f, "");
        pull(run, f, "registry.docker.com/library/ruby:3.2");
        pull(run, f, "index.docker.io/library/ruby:3.1");
    });
    assert_eq!(
        seen,
        [
            "registry.docker.com/library/ruby:3.3 anonymous OtherName",
            "registry.docker.com/library/ruby:3.2 anonymous OtherName",
            "index.docker.io/library/ruby:3.1 authenticated Fine",
        ]
    );
    let seen = judge(|run, f| {
        login(run, f, "registry.hub.docker.com");
        pull(run, f, "registry.hub.docker.com/library/redis:7");
        pull(run, f, "redis:7.2");
    });
    assert_eq!(
        seen,
        [
            "registry.hub.docker.com/library/redis:7 authenticated Fine",
            "redis:7.2 anonymous OtherRegistry",
        ]
    );
}

#[test]
fn the_host_of_requests_is_a_name_of_its_own_to_docker_alone() {
    let image = "registry-1.docker.io/library/redis:7";
    let seen = |registry: &str, by: By, podman: bool| {
        judge(|run, f| {
            let store = Store::Containers;
            let stores = if podman { vec![store] } else { Vec::new() };
            run.first_stores = stores;
            login(run, f, registry);
            run.docker_pull(Span::new(f, 3, 4), image.into(), by, Freshness::Missing);
            run.docker_pull(Span::new(f, 3, 4), "redis:8".into(), by, Freshness::Missing);
        })
    };
    let anonymous = "redis:8 anonymous OtherRegistry";
    for (registry, by, expected) in [
        (
            "",
            By::Run,
            [
                format!("{image} anonymous OtherName"),
                "redis:8 authenticated Fine".into(),
            ],
        ),
        (
            REGISTRY_1,
            By::Run,
            [format!("{image} authenticated Fine"), anonymous.into()],
        ),
        (
            REGISTRY_1,
            By::Compose,
            [format!("{image} authenticated Fine"), anonymous.into()],
        ),
        (
            "",
            By::Dockerfile,
            [
                format!("{image} authenticated Fine"),
                "redis:8 authenticated Fine".into(),
            ],
        ),
        (
            REGISTRY_1,
            By::Dockerfile,
            [format!("{image} anonymous OtherRegistry"), anonymous.into()],
        ),
    ] {
        assert_eq!(seen(registry, by, false), expected, "{registry} {by:?}");
    }
    for registry in ["", REGISTRY_1] {
        let expected = [
            format!("{image} authenticated Fine"),
            "redis:8 authenticated Fine".into(),
        ];
        assert_eq!(seen(registry, By::Run, true), expected, "{registry}");
    }
}

#[test]
fn another_docker_config_is_another_login() {
    let seen = judge(|run, f| {
        login(run, f, "");
        run.env.insert("DOCKER_CONFIG".into(), "/tmp/x".into());
        pull(run, f, "alpine");
    });
    assert_eq!(seen, ["alpine anonymous OtherStore"]);
}

#[test]
fn a_login_to_an_unknown_registry_leaves_the_pull_unknown() {
    let seen = judge(|run, f| {
        let registry = run.cx.holes.of("$REGISTRY", HoleKind::Variable);
        login(run, f, registry.as_str());
        pull(run, f, "alpine");
    });
    assert_eq!(seen, ["alpine unknown Unresolved"]);
}

#[test]
fn the_vendors_credential_covers_its_own_pulls_only() {
    let seen = judge(|run, f| {
        run.emit(
            Span::new(f, 0, 1),
            Kind::Pull {
                image: "cimg/go:1".into(),
                by: By::Executor,
                puller: Puller::Host,
                declared: Declared::None,
                freshness: Freshness::Always,
            },
        );
        pull(run, f, "alpine");
    });
    assert_eq!(
        seen,
        ["cimg/go:1 platform Vendor", "alpine anonymous NoLogin"]
    );
}
