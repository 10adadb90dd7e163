use super::*;
use crate::context::{Context, Options};
use crate::source::{MemoryTree, RepoPath, Sources};
use crate::yaml::Document;

/// A command without options, written in a file of its own.
fn command(verb: Verb) -> Compose {
    let tree = MemoryTree::new();
    let file = Sources::new(&tree).add(RepoPath::root(), String::new()).id;
    Compose {
        span: Span::new(file, 0, 0),
        files: Vec::new(),
        project_directory: None,
        project_name: None,
        env_files: Vec::new(),
        profiles: Vec::new(),
        verb,
        services: Vec::new(),
        no_deps: false,
        build: false,
        no_build: false,
        pull: false,
        never_pull: false,
        args: Vec::new(),
    }
}

fn texts(all: &[&str]) -> Vec<Text> {
    all.iter().map(|t| Text::from(*t)).collect()
}

/// What a command does, one line per effect, in words.
fn effects_in(tree: &MemoryTree, command: &Compose, set: impl FnOnce(&mut JobRun<'_>)) -> String {
    let options = Options::default();
    let cx = Context::new(tree, &options);
    // The command's own span is of the first file loaded.
    cx.sources.add(RepoPath::root(), String::new());
    let mut run = JobRun::new(&cx);
    set(&mut run);
    compose(&mut run, command);
    let lines = run.effects().iter().filter_map(|e| {
        let guard = if e.guards.is_empty() { "" } else { "? " };
        let line = match &e.kind {
            Kind::Pull {
                image, freshness, ..
            } => {
                let always = if !freshness.takes_what_is_there() {
                    "!"
                } else {
                    ""
                };
                format!("pull{always} {}", run.show(image))
            }
            Kind::Provide { image } => format!("provide {}", run.show(image)),
            Kind::Opaque {
                by: By::Dockerfile, ..
            } => return None,
            Kind::Opaque { what, why, .. } => format!("opaque {what}: {why}"),
            _ => return None,
        };
        Some(format!("{guard}{line}"))
    });
    let mut lines: Vec<String> = lines.collect();
    lines.dedup();
    lines.join("\n")
}

fn effects(files: &[(&str, &str)], command: &Compose) -> String {
    let mut tree = MemoryTree::new();
    for (path, text) in files {
        tree = tree.with(path, *text);
    }
    effects_in(&tree, command, |_| {})
}

fn up(text: &str) -> String {
    effects(&[("compose.yaml", text)], &command(Verb::Up))
}

#[test]
fn every_service_with_an_image_is_pulled() {
    let text =
        "services:\n  web: {image: \"nginx:1.27\"}\n  db:\n    image: postgres\n  none: {}\n";
    assert_eq!(up(text), "pull nginx:1.27\npull postgres");
}

#[test]
fn the_image_is_pointed_at_where_it_is_written() {
    let text = "x-base: &base\n  image: redis:7\nservices:\n  a:\n    <<: *base\n";
    let tree = MemoryTree::new().with("compose.yaml", text);
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    cx.sources.add(RepoPath::root(), String::new());
    let mut run = JobRun::new(&cx);
    compose(&mut run, &command(Verb::Up));
    let effect = run.effects().first().unwrap();
    let source = cx.sources.get(effect.span.file);
    assert_eq!(source.slice(effect.span.start, effect.span.end), "redis:7");
    let story: Vec<String> = effect
        .trace
        .steps()
        .iter()
        .map(|s| s.1.to_string())
        .collect();
    assert_eq!(
        story,
        ["`docker compose up` works on `compose.yaml`", "service `a`"]
    );
}

#[test]
fn a_service_with_a_build_is_built_and_not_pulled() {
    let text = "services:\n  app:\n    build: .\n    image: acme/app\n  job: {image: acme/app}\n";
    assert_eq!(up(text), "provide acme/app\npull acme/app");
    let no_build = Compose {
        no_build: true,
        ..command(Verb::Up)
    };
    assert_eq!(
        effects(&[("compose.yaml", text)], &no_build),
        "pull acme/app"
    );
}

#[test]
fn pull_and_build_do_their_half() {
    let text = "name: p\nservices:\n  app: {build: ., image: acme/app}\n  web: {build: ./web}\n  db: {image: postgres}\n";
    let files = [("compose.yaml", text)];
    assert_eq!(effects(&files, &command(Verb::Pull)), "pull! postgres");
    assert_eq!(
        effects(&files, &command(Verb::Build)),
        "provide acme/app\nprovide p-web\nprovide p_web"
    );
}

#[test]
fn what_is_built_is_named_after_the_project() {
    let text = "services:\n  web: {build: ./web}\n";
    let build = command(Verb::Build);
    let named = |file: &str, text: &str, command: &Compose| effects(&[(file, text)], command);
    let in_folder = Compose {
        files: texts(&["My.Shop/compose.yaml"]),
        ..build.clone()
    };
    assert_eq!(
        named("My.Shop/compose.yaml", text, &in_folder),
        "provide myshop-web\nprovide myshop_web"
    );
    // The folder of the checkout is called as it may be.
    assert_eq!(
        named("compose.yaml", text, &build),
        "provide (the folder's name)-web\nprovide (the folder's name)_web"
    );
    let named_so = Compose {
        project_name: Some("q".into()),
        ..build
    };
    assert_eq!(
        named("compose.yaml", &format!("name: p\n{text}"), &named_so),
        "provide q-web\nprovide q_web"
    );
}

#[test]
fn the_pull_policy_decides() {
    let text = |policy: &str, build: &str| {
        format!("services:\n  a:\n    image: x\n    pull_policy: {policy}\n{build}")
    };
    let build = "    build: .\n";
    for (policy, build, expected) in [
        ("always", "", "pull! x"),
        ("missing", "", "pull x"),
        ("daily", "", "pull! x"),
        ("never", "", ""),
        ("build", build, "provide x"),
        ("never", build, "provide x"),
        ("always", build, "pull! x\n? provide x"),
        ("if_not_present", build, "pull x\n? provide x"),
    ] {
        assert_eq!(up(&text(policy, build)), expected, "{policy} {build}");
    }
    let asked = Compose {
        pull: true,
        ..command(Verb::Up)
    };
    let files = [("compose.yaml", "services: {a: {image: x}}")];
    assert_eq!(effects(&files, &asked), "pull! x");
    let never = Compose {
        never_pull: true,
        ..command(Verb::Up)
    };
    assert_eq!(effects(&files, &never), "");
}

const SHOP: &str = "services:
  web: {image: web, depends_on: [api]}
  api: {image: api, depends_on: {db: {condition: service_healthy}}, links: ['cache:redis']}
  db: {image: db}
  cache: {image: cache, network_mode: 'service:net', volumes_from: ['data:ro', 'container:x']}
  net: {image: net}
  data: {image: data}
  tool: {image: tool, profiles: [debug], depends_on: [db]}
";

#[test]
fn named_services_bring_what_they_need() {
    let named = |services: &[&str], verb, no_deps| {
        let command = Compose {
            services: texts(services),
            no_deps,
            ..command(verb)
        };
        effects(&[("compose.yaml", SHOP)], &command).replace("pull ", "")
    };
    assert_eq!(
        named(&["web"], Verb::Up, false),
        "web\napi\ndb\ncache\ndata\nnet"
    );
    assert_eq!(named(&["api"], Verb::Run, true), "api");
    assert_eq!(named(&["tool"], Verb::Run, false), "tool\ndb");
    assert_eq!(named(&["api"], Verb::Pull, false), "pull! api");
    assert_eq!(
        named(&["nope"], Verb::Up, false),
        "opaque docker compose up nope: no service `nope` in these files"
    );
}

#[test]
fn a_profile_is_on_only_when_asked_for() {
    assert!(!up(SHOP).contains("tool"));
    let with = |profile: &str| {
        let command = Compose {
            profiles: texts(&[profile]),
            ..command(Verb::Up)
        };
        effects(&[("compose.yaml", SHOP)], &command)
    };
    assert!(with("debug").contains("pull tool"));
    assert!(with("*").contains("pull tool"));
    assert!(!with("other").contains("tool"));
    let tree = MemoryTree::new().with("compose.yaml", SHOP);
    let by_env = effects_in(&tree, &command(Verb::Up), |run| {
        run.env.insert("COMPOSE_PROFILES".into(), "a,debug".into());
    });
    assert!(by_env.contains("pull tool"));
    let unknown = effects_in(&tree, &command(Verb::Up), |run| {
        let hole = run.variable("P");
        run.env.insert("COMPOSE_PROFILES".into(), hole);
    });
    assert!(unknown.contains("? pull tool") && unknown.contains("\npull db"));
}

#[test]
fn default_files_are_looked_for_upwards_with_their_override() {
    let tree = MemoryTree::new()
        .with(
            "a/docker-compose.yml",
            "services: {x: {image: one}, y: {image: two}}",
        )
        .with(
            "a/docker-compose.override.yml",
            "services: {x: {image: three}}",
        )
        .with("a/b/c/README.md", "")
        .with("b/README.md", "");
    let run = |cwd: &str| {
        effects_in(&tree, &command(Verb::Up), |run| {
            run.cwd = Cwd::Inside(RepoPath::new(cwd).unwrap());
        })
    };
    assert_eq!(run("a"), "pull three\npull two");
    assert_eq!(run("a/b/c"), "pull three\npull two");
    assert_eq!(
        run("b"),
        "opaque docker compose up: no Compose file in `b` or a folder above it (looked for compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml)"
    );
    // One that is made while the job runs may be another repository.
    assert_eq!(
        run("a/made"),
        "opaque docker compose up: it runs in `a/made`, which is no folder of this repository; it may be made while the job runs"
    );
    let elsewhere = effects_in(&tree, &command(Verb::Up), |run| run.cwd = Cwd::Elsewhere);
    assert!(elsewhere.starts_with("opaque docker compose up: it runs in a folder"));
}

#[test]
fn files_given_are_merged_in_their_order() {
    let files = [
        (
            "ci/a.yml",
            "services: {x: {image: one, build: {context: src}}, y: {image: two}}",
        ),
        (
            "ci/b.yml",
            "services:\n  y:\n    image: three\n  x:\n    build: !reset null\n  z: {image: four}\n",
        ),
    ];
    let given = |names: &[&str]| {
        let command = Compose {
            files: texts(names),
            ..command(Verb::Up)
        };
        effects(&files, &command)
    };
    assert_eq!(given(&["ci/a.yml"]), "provide one\npull two");
    assert_eq!(
        given(&["ci/a.yml", "ci/b.yml"]),
        "pull one\npull three\npull four"
    );
    assert_eq!(
        given(&["ci/b.yml", "nope.yml", "../x.yml", "-"]),
        "opaque docker compose up -f nope.yml: there is no such file in this repository; it may be made while the job runs\n\
         opaque docker compose up -f ../x.yml: the file is not in this repository\n\
         opaque docker compose up -f -: the file is read from standard input\n\
         pull three\npull four"
    );
}

#[test]
fn compose_file_names_the_files() {
    let tree = MemoryTree::new()
        .with(".env", "COMPOSE_FILE=a.yml:b.yml\nTAG=9\nOTHER=env\n")
        .with("a.yml", "services: {x: {image: 'x:$TAG'}}")
        .with(
            "b.yml",
            "services: {y: {image: 'y:${OTHER}'}, z: {image: 'z:$NONE'}}",
        );
    let out = effects_in(&tree, &command(Verb::Up), |run| {
        run.env.insert("OTHER".into(), "outside".into());
    });
    assert_eq!(out, "pull x:9\npull y:outside\npull z:$NONE");
}

#[test]
fn env_files_given_replace_dot_env() {
    let files = [
        (".env", "TAG=1\n"),
        ("a.env", "TAG=2\n"),
        ("b.env", "TAG=3\n"),
        ("compose.yaml", "services: {x: {image: 'x:$TAG'}}"),
    ];
    let command = Compose {
        env_files: texts(&["a.env", "b.env"]),
        ..command(Verb::Up)
    };
    assert_eq!(effects(&files, &command), "pull x:3");
}

#[test]
fn the_project_directory_moves_dot_env() {
    let files = [
        ("p/.env", "TAG=1\n"),
        ("f/c.yml", "services: {x: {image: 'x:$TAG'}}"),
    ];
    let mut command = Compose {
        files: texts(&["f/c.yml"]),
        project_directory: Some("p".into()),
        ..command(Verb::Up)
    };
    assert_eq!(effects(&files, &command), "pull x:1");
    command.project_directory = Some("../p".into());
    assert!(effects(&files, &command).starts_with("opaque --project-directory ../p"));
}

#[test]
fn extends_brings_the_image_of_another_service() {
    let files = [
        (
            "compose.yaml",
            "services:\n  a: {extends: b}\n  b: {extends: {service: c, file: d/base.yml}}\n  e: {extends: {service: f, file: /abs.yml}, image: e}\n",
        ),
        (
            "d/base.yml",
            "services:\n  c: {extends: inner, depends_on: [a]}\n  inner: {image: deep}\n",
        ),
    ];
    assert_eq!(
        effects(&files, &command(Verb::Up)),
        "opaque extends `f` of `/abs.yml`: this file is not in the repository, or not known before the build runs\n\
         pull deep\npull e"
    );
}

#[test]
fn circles_of_extends_and_include_end() {
    let files = [
        (
            "compose.yaml",
            "include: [b.yml, compose.yaml]\nservices:\n  a: {extends: b, image: a}\n  b: {extends: a}\n  c: {extends: c}\n  d: {depends_on: [d, a], image: d}\n",
        ),
        (
            "b.yml",
            "include:\n  - path: [compose.yaml, b.yml]\n  - ../out.yml\nservices: {z: {image: z}}\n",
        ),
    ];
    let out = effects(&files, &command(Verb::Up));
    assert!(out.contains("pull a\n"), "{out}");
    assert!(out.contains("pull z"), "{out}");
    assert!(out.contains("extend each other in a circle"), "{out}");
    assert!(out.contains("opaque include ../out.yml"), "{out}");
}

#[test]
fn includes_have_their_own_folder_and_environment() {
    let files = [
        (
            "compose.yaml",
            "include:\n  - sub/compose.yml\n  - path: other.yml\n    env_file: other.env\nservices:\n  web: {image: web, depends_on: [db]}\n  over: {image: mine}\n",
        ),
        (
            "sub/compose.yml",
            "services:\n  db: {image: 'db:$TAG'}\n  over: {image: theirs}\n",
        ),
        ("sub/.env", "TAG=5\n"),
        ("other.yml", "services: {o: {image: 'o:$TAG'}}"),
        ("other.env", "TAG=7\n"),
    ];
    assert_eq!(
        effects(&files, &command(Verb::Up)),
        "pull db:5\npull mine\npull o:7\npull web"
    );
}

#[test]
fn the_first_format_has_services_at_its_top() {
    assert_eq!(
        up("web:\n  image: nginx\n  links: [db]\ndb:\n  image: mysql\n"),
        "pull nginx\npull mysql"
    );
}

#[test]
fn what_was_built_for_sure_is_not_built_again() {
    let tree = MemoryTree::new()
        .with(
            "compose.yaml",
            "name: p\nservices: {a: {build: .}, b: {image: b, build: .}}",
        )
        .with("Dockerfile", "FROM scratch\n");
    let built = effects_in(&tree, &command(Verb::Up), |run| {
        let span = command(Verb::Up).span;
        run.emit(
            span,
            Kind::Provide {
                image: "p-a".into(),
            },
        );
    });
    assert_eq!(built, "provide p-a\nprovide b");
}

#[test]
fn an_image_mounted_as_a_volume_is_pulled() {
    let text = "services:\n  a:\n    image: a\n    volumes:\n      - type: image\n        source: files\n      - ./x:/x\n";
    assert_eq!(up(text), "pull files\npull a");
}

/// <https://docs.docker.com/ai/compose/models-and-compose/>
#[test]
fn models_that_a_service_uses_are_pulled() {
    let text = "models:\n  llm: {model: ai/llama3.2}\n  idle: {model: ai/other}\nservices:\n  a: {image: a, models: [llm]}\n  b:\n    image: b\n    models: {llm: {endpoint_var: X}}\n  c:\n    provider: {type: model, options: {model: ai/qwen3}}\n";
    let seen = up(text);
    for model in ["pull ai/llama3.2", "pull ai/qwen3"] {
        assert!(seen.contains(model), "{model}: {seen}");
    }
    assert!(!seen.contains("ai/other"), "{seen}");
}

#[test]
fn nonsense_is_survived() {
    for text in [
        "",
        "[]",
        "services:",
        "services: []",
        "services: {a: []}",
        "services: {a: {image: [x], build: [], extends: [], depends_on: {a: }, volumes: x}}",
        "include: {}\nservices: {a: {extends: {file: x.yml}}}",
        "\"",
        "services: &a {x: *a, image: *a}",
    ] {
        let _ = up(text);
    }
}

#[test]
fn build_reads_its_long_form() {
    let text = "services:\n  a:\n    build:\n      context: ./src\n      dockerfile: docker/Dockerfile\n      target: prod\n      \
                args: [A=1, B]\n      additional_contexts: {base: 'service:b'}\n      tags: ['t:1']\n  b: {build: .}\n";
    let tree = MemoryTree::new()
        .with("compose.yaml", text)
        .with(".env", "B=2\nCOMPOSE_PROJECT_NAME=p\n");
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let run = JobRun::new(&cx);
    let project = project::project(&run, &command(Verb::Up));
    let recipe = project.service("a").unwrap().build.clone().unwrap();
    assert_eq!(recipe.target, Some("prod".into()));
    assert_eq!(
        recipe.args,
        [
            ("A".to_owned(), Some("1".into())),
            ("B".to_owned(), Some("2".into()))
        ]
    );
    assert_eq!(
        named_context(&project, &recipe.contexts[0].1),
        "docker-image://p-b".into()
    );
    let source = cx.sources.load(&RepoPath::new("compose.yaml").unwrap());
    assert!(Document::parse(&source.unwrap()).is_ok());
}
