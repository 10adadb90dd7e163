//! What a configuration is lowered to, told as a person would check it: job by job, one line for
//! each effect.

mod continued;
mod folders;
mod orbs;

use std::fmt::Write as _;

use super::lower;
use crate::context::{Context, Options};
use crate::effect::{Declared, Effect, Kind, Runner};
use crate::source::{MemoryTree, RepoPath};
use crate::verdict::{Auth, Cause};

struct Lowered {
    text: String,
    unread: Vec<String>,
}

fn show(cx: &Context<'_>, effect: &Effect) -> String {
    let words = |t: &crate::text::Text| cx.holes.show(t.as_str());
    let source = cx.sources.get(effect.span.file);
    let line = source.position(effect.span.start).line;
    let mut out = match &effect.kind {
        Kind::Pull {
            image,
            by,
            declared,
            ..
        } => {
            let auth = match declared {
                Declared::None => String::new(),
                Declared::Credential {
                    username, password, ..
                } => {
                    format!(" as {}/{}", words(username), words(password))
                }
                Declared::Aws(_) => " as aws".to_owned(),
                Declared::NoSyntax(_) => " no syntax".to_owned(),
                Declared::Unknown(why) => format!(" as ? ({why})"),
            };
            format!("{} {}{auth}", by.name(), words(image))
        }
        Kind::Login {
            registry,
            username,
            password,
            how,
            broken,
            ..
        } => {
            let part = |t: &Option<crate::text::Text>| t.as_ref().map(words).unwrap_or_default();
            let broken = broken
                .as_ref()
                .map(|b| format!(" BROKEN {b}"))
                .unwrap_or_default();
            format!(
                "login {} {}/{} by {how}{broken}",
                words(registry),
                part(username),
                part(password)
            )
        }
        Kind::Opaque { what, .. } => format!("opaque {what}"),
        other => format!("{other:?}"),
    };
    let _ = write!(out, " :{line}");
    for guard in effect.guards.iter() {
        let _ = write!(
            out,
            " [{}{}]",
            if guard.holds { "" } else { "not " },
            guard.text
        );
    }
    out
}

fn lower_with(config: &str, options: &Options) -> Lowered {
    let tree = MemoryTree::new().with(".circleci/config.yml", config);
    let cx = Context::new(&tree, options);
    let jobs = lower(&cx, &RepoPath::new(".circleci/config.yml").unwrap());
    let mut text = String::new();
    for job in jobs {
        let runner = match job.runner {
            Runner::Hosted if job.platform_credential => "",
            Runner::Hosted => " hosted",
            Runner::SelfHosted => " self-hosted",
            Runner::Unknown => " unknown",
        };
        let never = if job.reached { "" } else { ", not reached" };
        let _ = writeln!(text, "{}{runner}{never}", job.name);
        for effect in &job.effects {
            let _ = writeln!(text, "  {}", show(&cx, effect));
        }
    }
    let unread = cx
        .take_notes()
        .0
        .into_iter()
        .map(|u| format!("{}: {}", u.line, u.message));
    Lowered {
        text,
        unread: unread.collect(),
    }
}

fn lowered(config: &str) -> String {
    let lowered = lower_with(config, &Options::default());
    assert_eq!(lowered.unread, Vec::<String>::new(), "{config}");
    lowered.text
}

#[track_caller]
fn check(config: &str, expected: &[&str]) {
    let got = lowered(config);
    let got: Vec<&str> = got.lines().collect();
    assert_eq!(got, expected, "{config}");
}

#[test]
fn the_first_image_is_the_executor_and_the_others_are_services() {
    check(
        "version: 2.1
jobs:
  build:
    docker:
      - image: cimg/base:2024.01
        auth: {username: $DOCKER_USER, password: '${DOCKER_TOKEN}'}
      - image: postgres:16
      - image: 1.dkr.ecr.eu-west-1.amazonaws.com/x
        aws_auth: {aws_access_key_id: $A}
    steps: [checkout]
",
        &[
            "build",
            "  executor cimg/base:2024.01 as $DOCKER_USER/$DOCKER_TOKEN :5",
            "  service postgres:16 :7",
            "  service 1.dkr.ecr.eu-west-1.amazonaws.com/x as aws :8",
        ],
    );
}

#[test]
fn flow_style_aliases_and_merge_keys_are_looked_through() {
    check(
        "version: 2
x-image: &image python:3.12
x-entry: &entry {image: *image, auth: &auth {username: u, password: $P}}
x-list: &list
  - *entry
defaults: &defaults
  docker: [image: redis]
jobs:
  a: {docker: *list, steps: []}
  b:
    <<: *defaults
    steps: []
  c:
    docker:
      - {image: node, auth: {<<: *auth}}
workflows:
  version: 2
  all: {jobs: [a, b, c]}
",
        &[
            "a",
            "  executor python:3.12 as u/$P :2",
            "b",
            "  executor redis :7",
            "c",
            "  executor node as u/$P :15",
        ],
    );
}

#[test]
fn which_jobs_run_without_workflows() {
    let job = |name: &str| format!("  {name}: {{docker: [{{image: {name}}}]}}\n");
    let two = format!("version: 2\njobs:\n{}{}", job("build"), job("other"));
    let build = "build\n  executor build :3\nother, not reached\n  executor other :4\n";
    assert_eq!(lowered(&two), build);
    let fragment = format!("version: 2.1\njobs:\n{}{}", job("a"), job("b"));
    assert_eq!(
        lowered(&fragment),
        "a\n  executor a :3\nb\n  executor b :4\n"
    );
    let only_version = format!("{two}workflows: {{version: 2}}\n");
    assert_eq!(lowered(&only_version), build);
    let named = format!("{two}workflows: {{w: {{jobs: [other, {{hold: {{type: approval}}}}]}}}}\n");
    assert_eq!(
        lowered(&named),
        "other\n  executor other :4\nbuild, not reached\n  executor build :3\n"
    );
}

#[test]
fn an_executor_is_chosen_by_parameters() {
    check(
        "version: 2.1
executors:
  py:
    parameters: {tag: {type: string, default: '3.11'}, side: {type: string, default: redis}}
    docker:
      - image: python:<< parameters.tag >>
      - image: << parameters.side >>
  vm: {machine: {image: ubuntu-2204:current}}
jobs:
  test:
    parameters:
      e: {type: executor, default: py}
    executor: << parameters.e >>
    steps: []
workflows:
  w:
    jobs:
      - test
      - test: {e: {name: py, tag: '3.12'}}
      - test: {e: vm, name: on a machine}
",
        &[
            "test",
            "  executor python:3.11 :6",
            "  service redis :7",
            "test",
            "  executor python:3.12 :6",
            "  service redis :7",
            "test hosted",
        ],
    );
}

#[test]
fn a_matrix_runs_each_combination_that_is_not_excluded_once() {
    check(
        "version: 2.1
jobs:
  t:
    parameters: {v: {type: string}, os: {type: string, default: slim}, w: {type: string, default: x}}
    docker: [{image: 'node:<<parameters.v>>-<< parameters.os >>'}]
    steps: []
workflows:
  w:
    jobs:
      - t:
          name: t-<< matrix.v >>
          matrix:
            alias: all
            parameters: {v: ['18', '20'], os: [slim, alpine]}
            exclude: [{v: '20', os: alpine}]
      - t: {v: '18'}
",
        &[
            "t",
            "  executor node:18-slim :5",
            "t",
            "  executor node:18-alpine :5",
            "t",
            "  executor node:20-slim :5",
        ],
    );
}

#[test]
fn a_matrix_is_never_larger_than_circleci_allows() {
    let values: Vec<String> = (0..60).map(|n| format!("'{n}'")).collect();
    let values = values.join(", ");
    let config = format!(
        "version: 2.1
jobs:
  t:
    parameters: {{a: {{type: string}}, b: {{type: string}}, c: {{type: string}}}}
    docker: [{{image: 'x:<< parameters.a >>.<< parameters.b >>.<< parameters.c >>'}}]
workflows: {{w: {{jobs: [t: {{matrix: {{parameters: {{a: [{values}], b: [{values}], c: [{values}]}}}}}}]}}}}
"
    );
    let lowered = lower_with(&config, &Options::default());
    assert_eq!(lowered.text.lines().filter(|l| *l == "t").count(), 128);
    assert_eq!(
        lowered.unread,
        [
            "1: this file comes to a matrix with more combinations than CircleCI takes; what is listed is what was reached"
        ]
    );
}

#[test]
fn pipeline_values_are_unknown_and_pipeline_parameters_have_their_default() {
    check(
        "version: 2.1
parameters: {tag: {type: string, default: v1}}
jobs:
  build:
    docker: [{image: 'me/app:<< pipeline.parameters.tag >>-<< pipeline.git.branch >>-$X'}]
",
        &[
            "build",
            "  executor me/app:v1-<< pipeline.git.branch >>-$X :5",
        ],
    );
}

#[test]
fn conditions_are_computed_when_known_and_guards_when_not() {
    let steps = [
        ("condition: true", "when", ""),
        ("condition: false", "when", "-"),
        ("condition: << parameters.no >>", "when", "-"),
        ("condition: << parameters.no >>", "unless", ""),
        ("condition: << parameters.text >>", "when", ""),
        ("condition: {equal: [x, << parameters.text >>]}", "when", ""),
        (
            "condition: {not: {equal: [x, << parameters.text >>]}}",
            "when",
            "-",
        ),
        ("condition: {and: [true, << parameters.no >>]}", "when", "-"),
        ("condition: {or: [true, << pipeline.id >>]}", "when", ""),
        (
            "condition: {matches: {pattern: '^x$', value: << parameters.text >>}}",
            "when",
            "",
        ),
        (
            "condition: {matches: {pattern: ',', value: << parameters.text >>}}",
            "when",
            "-",
        ),
        (
            "condition: << pipeline.parameters.p >>",
            "when",
            " [<< pipeline.parameters.p >>]",
        ),
        (
            "condition: << pipeline.parameters.p >>",
            "unless",
            " [not << pipeline.parameters.p >>]",
        ),
        (
            "condition: {equal: [main, << pipeline.git.branch >>]}",
            "when",
            " [<< pipeline.git.branch >> is `main`]",
        ),
        (
            "condition: {and: [true, not: << pipeline.id >>]}",
            "when",
            " [not << pipeline.id >>]",
        ),
        (
            "condition: {matches: {pattern: 'v.*', value: << pipeline.git.tag >>}}",
            "when",
            " [<< pipeline.git.tag >> matches `v.*`]",
        ),
        (
            "condition: pipeline.git.branch == \"main\"",
            "when",
            " [pipeline.git.branch == \"main\"]",
        ),
    ];
    for (condition, key, expected) in steps {
        let got = lowered(&format!(
            "version: 2.1
orbs: {{docker: circleci/docker@2.8.2}}
parameters: {{p: {{type: boolean, default: false}}}}
jobs:
  build:
    machine: true
    parameters: {{no: {{type: boolean, default: false}}, text: {{type: string, default: x}}}}
    steps: [{{{key}: {{{condition}, steps: [docker/check]}}}}]
"
        ));
        let want = match expected {
            "-" => "build hosted\n".to_owned(),
            guard => format!(
                "build hosted\n  login docker.io $DOCKER_LOGIN/$DOCKER_PASSWORD by docker/check :8{guard}\n"
            ),
        };
        assert_eq!(got, want, "{condition}");
    }
}

#[test]
fn steps_are_followed_through_commands_and_parameters_of_steps() {
    check(
        "version: 2.1
orbs: {docker: circleci/docker@2.8.2}
commands:
  around:
    parameters: {body: {type: steps}, who: {type: env_var_name, default: A}}
    steps:
      - docker/check: {docker-username: << parameters.who >>, docker-password: B}
      - steps: << parameters.body >>
      - when: {condition: true, steps: << parameters.body >>}
  pull:
    parameters: {image: {type: string}}
    steps: [docker/pull: {images: << parameters.image >>}]
jobs:
  build:
    machine: true
    parameters: {image: {type: string, default: alpine}}
    steps:
      - around:
          who: C
          body: [pull: {image: '<< parameters.image >>'}]
workflows:
  w:
    jobs:
      - build:
          pre-steps: [pull: {image: before}]
          post-steps: [pull: {image: after}]
",
        &[
            "build hosted",
            "  orb before :12",
            "  login docker.io $C/$B by docker/check :7",
            "  orb alpine :12",
            "  orb alpine :12",
            "  orb after :12",
        ],
    );
}

#[test]
fn a_wrong_spelling_for_the_version_breaks_the_login() {
    for (version, user, broken) in [
        ("2.8.2", "docker-username", false),
        ("2", "docker-username", false),
        ("2.8.2", "docker_username", true),
        ("3.0.0", "docker-username", true),
        ("3", "docker_username", false),
        ("4.0.1", "docker_username", false),
        ("volatile", "docker_username", false),
        ("1.4.0", "docker-username", false),
    ] {
        let got = lowered(&format!(
            "version: 2.1
orbs: {{docker: circleci/docker@{version}}}
jobs: {{build: {{machine: true, steps: [docker/check: {{{user}: U}}]}}}}
"
        ));
        assert_eq!(got.contains("BROKEN"), broken, "{version} {user}: {got}");
        assert_eq!(got.contains("$U/"), !broken, "{version} {user}: {got}");
    }
}

#[test]
fn what_cannot_be_the_name_of_a_variable_is_the_password_itself() {
    for (given, password) in [
        ("hunter2-not!", "hunter2-not!"),
        ("dckr_pat_none", "dckr_pat_none"),
        ("DOCKER_TOKEN", "$DOCKER_TOKEN"),
        ("<< pipeline.parameters.p >>", "$PARAMETER"),
    ] {
        let got = lowered(&format!(
            "version: 2.1
parameters: {{p: {{type: string, default: PARAMETER}}}}
orbs: {{docker: circleci/docker@2.8.2}}
jobs: {{build: {{machine: true, steps: [docker/check: {{docker-username: U, docker-password: '{given}'}}]}}}}
"
        ));
        assert!(got.contains(&format!("$U/{password} by")), "{given}: {got}");
    }
}

#[test]
fn a_value_where_a_variables_name_belongs_breaks_the_login() {
    let got = lowered(
        "version: 2.1
orbs: {docker: circleci/docker@2.8.2}
jobs: {build: {machine: true, steps: [docker/check: {docker-username: $U}]}}
",
    );
    assert!(
        got.contains("BROKEN its parameters take the names"),
        "{got}"
    );
}

#[test]
fn an_inline_orb_sees_only_itself() {
    let config = "version: 2.1
orbs:
  docker: circleci/docker@2.8.2
  mine:
    orbs:
      d: circleci/docker@2.8.2
      inner:
        executors: {x: {docker: [image: inner/x]}}
    executors: {y: {docker: [image: mine/y]}}
    commands: {login: {steps: [d/check]}}
    jobs:
      a: {executor: y, steps: [login]}
      b: {executor: inner/x, steps: [docker/check, outside]}
commands: {outside: {steps: []}}
workflows: {w: {jobs: [mine/a, mine/b]}}
";
    let got = lower_with(config, &Options::default());
    assert_eq!(
        got.text.lines().collect::<Vec<_>>(),
        [
            "mine/a",
            "  executor mine/y :9",
            "  login docker.io $DOCKER_LOGIN/$DOCKER_PASSWORD by docker/check :10",
            "mine/b",
            "  executor inner/x :8",
            "  login  / by `docker/check` BROKEN the orb `docker` is not declared where it is called :13",
        ]
    );
    assert_eq!(
        got.unread,
        [
            "13: the command `outside` is not declared here: an inline orb sees only what is declared inside itself",
            "13: the orb `docker` is not declared here: an inline orb sees only what is declared inside itself",
        ]
    );
}

#[test]
fn an_unknown_orb_is_said_once_and_its_steps_are_followed() {
    check(
        "version: 2.1
orbs: {x: acme/tools@1.2.3, docker: circleci/docker@4}
jobs:
  build:
    docker: [{image: a}]
    steps: [x/one, x/two: {after: [docker/pull: {images: b}]}]
workflows: {w: {jobs: [build, x/job: {pre-steps: [docker/pull: {images: c}]}, x/other]}}
",
        &[
            "build",
            "  executor a :5",
            "  opaque orb `acme/tools@1.2.3` :2",
            "  orb b :6",
            "x/job unknown",
            "  orb c :7",
        ],
    );
}

#[test]
fn what_a_pipeline_goes_on_with_is_unknown_when_it_is_not_there() {
    let config = |import: &str, step: &str| {
        format!(
            "version: 2.1\nsetup: true\norbs: {{o: {import}}}\njobs: {{s: {{machine: true, steps: [{step}]}}}}\nworkflows: {{w: {{jobs: [s]}}}}\n"
        )
    };
    let made = "o/continue: {configuration_path: made.yml}";
    check(
        &config("circleci/continuation@1.0.0", made),
        &[
            "s hosted",
            "  opaque the pipeline that goes on with `made.yml` :4",
        ],
    );
    check(
        &config(
            "circleci/continuation@2",
            "o/continue: {configuration_path: .circleci/config.yml}",
        ),
        &["s hosted"],
    );
    check(
        "version: 2.1\nsetup: true\norbs: {o: circleci/path-filtering@2}\nworkflows: {w: {jobs: [o/filter: {config-path: made.yml}]}}\n",
        &[
            "o/filter",
            "  executor cimg/base:current :4",
            "  opaque the pipeline that goes on with `made.yml` :4",
        ],
    );
}

#[test]
fn the_source_of_a_private_orb_is_read() {
    let mut options = Options::default();
    let source = "executors: {e: {docker: [image: private/e]}}
jobs: {j: {executor: e, steps: []}}
";
    options.orbs.insert(
        "acme/tools".into(),
        ("orbs/tools.yml".into(), source.into()),
    );
    let got = lower_with(
        "version: 2.1\norbs: {t: acme/tools@1}\nworkflows: {w: {jobs: [t/j]}}\n",
        &options,
    );
    assert_eq!(got.text, "t/j\n  executor private/e :1\n");
}

#[test]
fn what_an_orb_pulls_is_where_the_orb_is_named() {
    check(
        "version: 2.1
orbs: {node: circleci/node@5.1, win: circleci/windows@5.0, codecov: codecov/codecov@3}
jobs:
  a:
    executor:
      name: node/default
      tag: '18'
    steps: [codecov/upload]
  b: {executor: win/default, steps: []}
workflows:
  w:
    jobs:
      - a
      - b
      - node/test: {version: '20'}
",
        &[
            "a",
            "  executor cimg/node:18 :6",
            "b hosted",
            "node/test",
            "  executor cimg/node:20 :15",
        ],
    );
}

#[test]
fn a_publish_job_logs_in_unless_it_does_not_deploy() {
    for (given, logins) in [
        ("", 1),
        (", deploy: false", 0),
        (", before_build: [docker/check]", 2),
    ] {
        let got = lowered(&format!(
            "version: 2.1
orbs: {{docker: circleci/docker@2.8.2}}
workflows: {{w: {{jobs: [docker/publish: {{image: me/app{given}}}]}}}}
"
        ));
        assert_eq!(
            got.matches("  login docker.io").count(),
            logins,
            "{given}: {got}"
        );
    }
}

#[test]
fn a_resource_class_with_a_namespace_is_a_runner_of_ones_own() {
    check(
        "version: 2.1
jobs:
  build: {docker: [{image: a}], resource_class: acme/large}
",
        &["build self-hosted", "  executor a :3"],
    );
}

#[test]
fn versions_that_do_not_run_are_said() {
    let job = "jobs: {build: {docker: [{image: a}]}}\n";
    for (config, read) in [
        (format!("version: 1\n{job}"), false),
        ("test: {override: [make]}\n".to_owned(), false),
        (job.to_owned(), true),
        (format!("version: 3\n{job}"), true),
        ("- a\n".to_owned(), false),
    ] {
        let got = lower_with(&config, &Options::default());
        assert_eq!(got.unread.len(), 1, "{config}: {:?}", got.unread);
        assert_eq!(!got.text.is_empty(), read, "{config}");
    }
    assert_eq!(lowered(""), "");
    assert_eq!(lowered("version: '2.1'\n"), "");
}

#[test]
fn what_calls_itself_ends() {
    for config in [
        "version: 2.1
commands: {a: {steps: [b, b]}, b: {steps: [a, a]}}
jobs: {build: {machine: true, steps: [a]}}
",
        "version: 2.1
jobs: {build: {machine: true, steps: &s [*s, *s, *s]}}
",
        "version: 2.1
commands: {a: {parameters: {s: {type: steps}}, steps: [a: {s: << parameters.s >>}, << parameters.s >>]}}
jobs: {build: {machine: true, steps: [a: {s: [checkout]}]}}
",
        "version: 2.1
orbs: &o {x: {orbs: *o, commands: {c: {steps: [x/c, x/c]}}}}
jobs: {build: {machine: true, steps: [x/c]}}
",
        "version: 2.1
parameters: {a: {default: << pipeline.parameters.b >>}, b: {default: << pipeline.parameters.a >>}}
jobs: {build: {docker: [{image: '<< pipeline.parameters.a >>x'}]}}
",
        "version: 2.1
jobs: {build: {machine: true, steps: [when: {condition: &c {and: [*c, *c]}, steps: [checkout]}]}}
",
        "version: 2.1
workflows: {w: {jobs: &j [*j, *j, *j]}}
jobs: {build: {machine: true}}
",
    ] {
        let got = lower_with(config, &Options::default());
        assert!(got.text.len() < 100_000);
    }
}

#[test]
fn nothing_that_is_shaped_wrong_panics() {
    let shapes = [
        "",
        "x",
        "[]",
        "{}",
        "[x, [y]]",
        "{a: b}",
        "{a: [b, {c: d}]}",
        "<< parameters.x >>",
        "'<<'",
    ];
    let places = [
        "version: @",
        "version: 2.1\njobs: @",
        "version: 2.1\njobs: {build: @}",
        "version: 2.1\njobs: {build: {docker: @, steps: [checkout]}}",
        "version: 2.1\njobs: {build: {docker: [@]}}",
        "version: 2.1\njobs: {build: {docker: [{image: @}]}}",
        "version: 2.1\njobs: {build: {docker: [{image: a, auth: @}]}}",
        "version: 2.1\njobs: {build: {docker: [{image: a, environment: @}], environment: @}}",
        "version: 2.1\njobs: {build: {executor: @, steps: @}}",
        "version: 2.1\njobs: {build: {machine: @, steps: [@]}}",
        "version: 2.1\njobs: {build: {machine: true, parameters: @, steps: [run: @]}}",
        "version: 2.1\njobs: {build: {machine: true, steps: [when: @]}}",
        "version: 2.1\njobs: {build: {machine: true, steps: [when: {condition: @, steps: @}]}}",
        "version: 2.1\norbs: @\njobs: {build: {machine: true, steps: [a/b: @]}}",
        "version: 2.1\norbs: {a: @}\njobs: {build: {machine: true, steps: [a/b: @]}}",
        "version: 2.1\norbs: {a: circleci/docker@3}\njobs: {build: {machine: true, steps: [a/check: @, a/pull: {images: @}, a/build: @]}}",
        "version: 2.1\nworkflows: @\njobs: @",
        "version: 2.1\nworkflows: {w: @}\njobs: {b: {machine: true}}",
        "version: 2.1\nworkflows: {w: {jobs: @}}\njobs: {b: {machine: true}}",
        "version: 2.1\nworkflows: {w: {jobs: [b: {matrix: @}]}}\njobs: {b: {machine: true}}",
        "version: 2.1\nworkflows: {w: {jobs: [b: {matrix: {parameters: @, exclude: @}}]}}\njobs: {b: {machine: true}}",
        "version: 2.1\nworkflows: {w: {jobs: [b: {context: @, pre-steps: @, post-steps: @}]}}\njobs: {b: {machine: true}}",
    ];
    for place in places {
        for shape in shapes {
            lower_with(&place.replace('@', shape), &Options::default());
        }
    }
}

#[test]
fn what_no_workflow_reaches_is_listed_as_such() {
    check(
        "version: 2.1
executors:
  used: {docker: [image: cimg/go:1]}
  spare:
    parameters: {tag: {type: string, default: '3'}}
    docker:
      - image: cimg/python:<< parameters.tag >>
      - image: postgres:16
        auth: {username: $U, password: $P}
  machine: {machine: true}
orbs:
  node: circleci/node@5.1.0
  own:
    executors:
      inner: {docker: [image: ruby:3]}
    jobs:
      idle: {docker: [image: redis:7], steps: [checkout, run: docker pull alpine]}
      busy: {docker: [image: busybox], steps: [checkout]}
jobs:
  build: {executor: used, steps: [checkout]}
  old: {docker: [image: node:8], steps: [run: docker pull alpine]}
  older: {executor: used, steps: [run: docker pull alpine]}
workflows:
  all: {jobs: [build, own/busy]}
",
        &[
            "build",
            "  executor cimg/go:1 :3",
            "own/busy",
            "  executor busybox :18",
            "old, not reached",
            "  executor node:8 :21",
            "executor spare, not reached",
            "  executor cimg/python:3 :7",
            "  service postgres:16 as $U/$P :8",
            "own/idle, not reached",
            "  executor redis:7 :17",
            "executor own/inner, not reached",
            "  executor ruby:3 :15",
        ],
    );
}

/// What `circleci config pack`, or a script with `cat` in it, makes a configuration of.
#[test]
fn the_images_of_a_part_are_listed_as_not_reached() {
    let part = "go: &go
  docker:
    - image: cimg/go:1
build:
  <<: *go
  steps: [run: docker pull alpine]
test: {executor: go, steps: [checkout]}
";
    let section = "executors:
  node: {docker: [image: cimg/node:20]}
";
    for (config, name, image) in [
        (part, "go", "cimg/go:1 :3"),
        (section, "executor node", "cimg/node:20 :2"),
    ] {
        let found = lower_with(config, &Options::default());
        assert_eq!(
            found.text.trim_end(),
            format!("{name}, not reached\n  executor {image}")
        );
        assert!(found.unread[0].contains("a part of which"));
    }
}

#[test]
fn what_is_beside_the_configuration_is_not_a_part_of_it() {
    let settings = "stages:\n  - agent: {config_file: {log: debug}}\nservices: {db: {image: x}}\n";
    let tree = MemoryTree::new()
        .with(".circleci/cluster/small.yml", settings)
        .with(".circleci/jobs/build.yml", "steps: [checkout]\n");
    let audit = crate::audit(
        &tree,
        &Options::default(),
        &crate::finding::Policy::default(),
    );
    let unread: Vec<&str> = audit.unread.iter().map(|u| u.file.as_str()).collect();
    assert_eq!(unread, [".circleci/jobs/build.yml"]);
}

#[test]
fn an_image_that_two_jobs_share_is_reached_when_one_of_them_is() {
    check(
        "version: 2.1
jobs:
  build: &build {docker: [image: a/a], steps: [checkout]}
  other: *build
  third: {<<: *build, steps: [run: 'true']}
workflows: {all: {jobs: [third]}}
",
        &["third", "  executor a/a :3"],
    );
}

#[test]
fn orbs_that_hold_themselves_end() {
    let orbs = "version: 2.1
orbs: &orbs
  a: {orbs: *orbs, executors: {e: {docker: [image: x/x]}}}
jobs: {}
";
    check(orbs, &["executor a/e, not reached", "  executor x/x :3"]);
}

fn audit(config: &str) -> crate::finding::Audit {
    let tree = MemoryTree::new().with(".circleci/config.yml", config);
    crate::audit(
        &tree,
        &Options::default(),
        &crate::finding::Policy::default(),
    )
}

/// <https://circleci.com/docs/guides/security/env-vars/#parameters-and-bash-environment>
#[test]
fn what_a_step_writes_to_bash_env_later_steps_have() {
    for (written, used, expected) in [
        (
            "echo 'export T=1' >> $BASH_ENV",
            "docker pull a/b:$T",
            "a/b:1",
        ),
        (
            "echo \"export T=1\" | tee -a \"$BASH_ENV\"",
            "docker pull a/b:$T",
            "a/b:1",
        ),
        (
            "printf 'export T=%s\\n' 1 >> ${BASH_ENV}",
            "docker pull a/b:$T",
            "a/b:1",
        ),
        (
            "{ echo 'T=1'; echo 'export U=2'; } >> $BASH_ENV",
            "docker pull a/b:$T-$U",
            "a/b:1-2",
        ),
        (
            "export I=a/b:1\necho \"I=$I\" >> $BASH_ENV",
            "docker pull $I",
            "a/b:1",
        ),
        (
            "cat >> $BASH_ENV <<'END'\nexport T=1\nexport I=a/b:$T\nEND",
            "docker pull $I",
            "a/b:1",
        ),
        (
            "V=1\ncat \\<<END >> $BASH_ENV\nexport T=$V\nEND",
            "docker pull a/b:$T",
            "a/b:1",
        ),
        (
            "echo 'take() { docker pull \"$1\"; }' >> $BASH_ENV",
            "take a/b:1",
            "a/b:1",
        ),
        (
            "cat >> \"$BASH_ENV\" <<'END'\nfunction one() {\n  docker pull a/b:$1\n}\ntwo() { one 1; }\nEND",
            "two",
            "a/b:1",
        ),
    ] {
        let text = format!("set -e\n{written}");
        let lines: Vec<String> = text
            .lines()
            .map(|line| format!("            {line}\n"))
            .collect();
        let config = format!(
            "version: 2.1\njobs:\n  j:\n    machine: true\n    steps:\n      - run:\n          command: |\n{}      - run: echo between\n      - run: {used:?}\n",
            lines.concat()
        );
        let images: Vec<String> = audit(&config)
            .pulls
            .iter()
            .filter_map(|pull| pull.image.clone())
            .collect();
        assert_eq!(images, [expected], "{config}");
    }
}

/// What is run where a job asks for an engine, and is in no file of the repository, may be what that is for.
#[test]
fn a_program_from_elsewhere_may_use_the_engine_that_a_job_asks_for() {
    let steps = |first: &str| {
        format!(
            "version: 2.1
jobs:
  j:
    docker: [{{image: cimg/go:1.24}}]
    steps:
      - {first}
      - run: git clone git@example.com:me/deploy.git deploy
      - run: ./deploy/bin/build
      - run: /tmp/build/hive --sim smoke
      - run: .venv/bin/python -m flake8 && ~/cli/bin/tool && ./codecov && ./install-cli && /usr/bin/env true
workflows: {{w: {{jobs: [j]}}}}
"
        )
    };
    let unknown = |config: &str| -> Vec<(u32, String)> {
        let pulls = audit(config).pulls;
        let of_runs = pulls.into_iter().filter(|pull| pull.image.is_none());
        of_runs
            .map(|pull| (pull.place.line, pull.reason.to_string()))
            .collect()
    };
    let found = unknown(&steps("setup_remote_docker: {docker_layer_caching: true}"));
    let lines: Vec<u32> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [8, 9], "{found:?}");
    assert!(
        found[0]
            .1
            .starts_with("the program `./deploy/bin/build`: it is not in this repository")
    );
    assert_eq!(unknown(&steps("checkout")), []);
}

#[test]
fn an_image_that_is_only_looked_at_is_still_pulled() {
    let lines = |step: &str| -> Vec<u32> {
        let config = format!(
            "version: 2.1
jobs:
  j:
    machine: true
    steps:
      - run: {step}
      - run: docker run acme/app:1
workflows: {{w: {{jobs: [j]}}}}
"
        );
        let pulls = audit(&config).pulls;
        pulls.iter().map(|pull| pull.place.line).collect()
    };
    for step in [
        "docker manifest inspect acme/app:1",
        "docker buildx imagetools inspect acme/app:1",
        "docker scout cves registry://acme/app:1",
        "skopeo inspect docker://acme/app:1",
        "crane digest acme/app:1",
        "crane copy acme/app:1 ghcr.io/acme/app:1",
        "regctl image digest acme/app:1",
        "trivy image acme/app:1",
        "grype acme/app:1",
        "cosign verify acme/app:1",
    ] {
        assert_eq!(lines(step), [6, 7], "{step}");
    }
    for step in ["docker pull acme/app:1", "docker create acme/app:1"] {
        assert_eq!(lines(step), [6], "{step}");
    }
}

#[test]
fn a_login_does_not_help_who_pulls_as_root() {
    let login = "docker login -u \"$U\" -p \"$T\"";
    let audit = audit(&format!(
        "version: 2.1
jobs:
  build:
    machine: true
    steps:
      - run: {login}
      - run: docker pull alpine
      - run: sudo docker pull busybox
  root:
    machine: true
    steps:
      - run: sudo {login}
      - run: sudo docker pull debian
workflows: {{all: {{jobs: [build, root]}}}}
"
    ));
    let auths: Vec<_> = audit.pulls.iter().map(|p| (p.auth, p.cause)).collect();
    assert_eq!(
        auths,
        [
            (Auth::Authenticated, Cause::Fine),
            (Auth::Anonymous, Cause::OtherStore),
            (Auth::Authenticated, Cause::Fine)
        ]
    );
}

#[test]
fn a_login_by_another_name_of_docker_hub_helps_what_is_named_so() {
    let audit = audit(
        "version: 2.1
jobs:
  build:
    machine: true
    steps:
      - run: docker login registry-1.docker.io -u \"$U\" -p \"$T\"
      - run: docker pull alpine
      - run: docker pull registry-1.docker.io/library/redis
workflows: {all: {jobs: [build]}}
",
    );
    let auths: Vec<_> = audit.pulls.iter().map(|p| p.auth).collect();
    assert_eq!(auths, [Auth::Anonymous, Auth::Authenticated]);
}

#[test]
fn nothing_is_found_in_what_no_workflow_reaches_but_a_secret() {
    let config = |auth: &str| {
        format!(
            "version: 2.1
executors:
  spare: {{docker: [{{image: postgres:16{auth}}}]}}
jobs:
  build: {{machine: true, steps: [checkout]}}
workflows: {{all: {{jobs: [build]}}}}
"
        )
    };
    let open = audit(&config(""));
    assert_eq!(open.findings, []);
    assert_eq!(open.latent.len(), 1);
    assert_eq!(open.latent[0].rule, "platform-credential");
    assert!(!open.pulls[0].reached);
    let secret = audit(&config(", auth: {username: me, password: fake-not-real}"));
    assert_eq!(secret.findings.len(), 1);
    assert_eq!(secret.findings[0].rule, "literal-credential");
    let silenced =
        audit(&config("").replace("postgres:16}]}", "postgres:16}]} # pullpass: ignore"));
    assert_eq!(silenced.latent, []);
}

#[test]
fn a_reason_says_which_contexts_may_hold_the_credential() {
    let reason = |workflows: &str, auth: &str| {
        let config = format!(
            "version: 2.1
jobs:
  build:
    docker: [{{image: postgres:16, auth: {auth}}}]
    steps: [checkout]
{workflows}"
        );
        audit(&config).pulls[0].reason.clone()
    };
    let with = |jobs: &str| {
        let workflows = format!("workflows: {{a: {{jobs: [{jobs}]}}}}\n");
        reason(&workflows, "{username: $U, password: $P}")
    };
    let given = "a credential is given with this image; it works if `$U` and `$P` are variables of";
    for (jobs, expected) in [
        ("build", "the project: the job has no context"),
        (
            "build: {context: hub}",
            "the context `hub` or of the project",
        ),
        (
            "build: {context: [hub, aws]}",
            "the contexts `aws`, `hub` or of the project",
        ),
        (
            "build, build: {context: hub, name: again}",
            "the project or of what each workflow gives the job: no context; the context `hub`",
        ),
        (
            "build: {context: << matrix.c >>, matrix: {parameters: {c: [one, two]}}}",
            "the project or of what each workflow gives the job: the context `one`; the context `two`",
        ),
    ] {
        assert_eq!(with(jobs), format!("{given} {expected}"), "{jobs}");
    }
    assert_eq!(
        reason("", "{username: robot, password: $P}"),
        "a credential is given with this image; it works if `$P` is a variable of the project: the job has no context"
    );
}

#[test]
fn a_job_of_an_orb_builds_the_repositorys_dockerfile() {
    for (job, expected) in [
        ("hmpps/build_docker", ["cimg/python:3.10", "debian:12"]),
        (
            "hmpps/veracode_policy_scan",
            ["cimg/openjdk:17.0", "debian:12"],
        ),
        (
            "{hmpps/trivy_latest_scan: {image_name: a/b}}",
            ["cimg/python:3.10", "a/b:latest"],
        ),
    ] {
        let config = format!(
            "version: 2.1\norbs: {{hmpps: ministryofjustice/hmpps@8.1}}\nworkflows:\n  w:\n    jobs: [{job}]\n"
        );
        let tree = MemoryTree::new()
            .with(".circleci/config.yml", config)
            .with("Dockerfile", "FROM debian:12\n");
        let options = Options::default();
        let cx = Context::new(&tree, &options);
        let jobs = lower(&cx, &RepoPath::new(".circleci/config.yml").unwrap());
        let pulls: Vec<String> = jobs[0]
            .effects
            .iter()
            .filter_map(|effect| match &effect.kind {
                Kind::Pull { image, .. } => Some(cx.holes.show(image.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(pulls, expected, "{job}");
    }
}

#[test]
fn a_login_of_an_orb_to_googles_registry_is_none_to_docker_hub() {
    let config = "version: 2.1\norbs: {gcr: circleci/gcp-gcr@0.16}\njobs:\n  t:\n    machine: true\n    steps:\n      - gcr/gcr-auth: {registry-url: $REGISTRY}\n      - run: docker pull node:20\nworkflows: {w: {jobs: [t]}}\n";
    let tree = MemoryTree::new().with(".circleci/config.yml", config);
    let audit = crate::audit(
        &tree,
        &Options::default(),
        &crate::finding::Policy::default(),
    );
    let verdicts: Vec<crate::verdict::Auth> = audit.pulls.iter().map(|pull| pull.auth).collect();
    assert_eq!(verdicts, [crate::verdict::Auth::Anonymous]);
}

/// In the container of an executor they find no engine, with `setup_remote_docker` neither.
#[test]
fn tests_that_start_containers_need_a_machine() {
    let config = "version: 2.1
jobs:
  inside:
    docker: [{image: cimg/openjdk:21.0}]
    steps: [setup_remote_docker, {run: mvn verify}]
  beside:
    machine: {image: ubuntu-2404:current}
    steps: [{run: mvn verify}]
  mac:
    macos: {xcode: 16.4.0}
    steps: [{run: mvn verify}]
  windows:
    machine: {image: windows-server-2022-gui:current}
    steps: [{run: mvn verify}]
  class:
    machine: true
    resource_class: windows.medium
    steps: [{run: mvn verify}]
  orb:
    executor: win/default
    steps: [{run: mvn verify}]
orbs: {win: circleci/windows@5}
workflows: {w: {jobs: [inside, beside, mac, windows, class, orb]}}
";
    let path = ".circleci/config.yml";
    let tree = MemoryTree::new()
        .with(path, config)
        .with("pom.xml", "<groupId>org.testcontainers</groupId>");
    let options = Options::default();
    let cx = Context::new(&tree, &options);
    let jobs = lower(&cx, &RepoPath::new(path).unwrap());
    let pulls = |name: &str| -> Vec<String> {
        let job = jobs.iter().find(|job| &*job.name == name).unwrap();
        job.effects.iter().map(|effect| show(&cx, effect)).collect()
    };
    assert_eq!(pulls("inside"), ["executor cimg/openjdk:21.0 :4"]);
    assert_eq!(pulls("beside"), ["run testcontainers/ryuk:? :1"]);
    for host in ["mac", "windows", "class", "orb"] {
        let job = jobs.iter().find(|job| &*job.name == host);
        assert!(
            job.is_none_or(|job| job.effects.is_empty()),
            "{host}: {:?}",
            pulls(host)
        );
    }
}

#[test]
fn a_variable_that_the_script_sets_is_none_of_the_project() {
    let script = |body: &str| {
        let config = format!(
            "version: 2.1\njobs:\n  build:\n    machine: true\n    steps:\n      - run: |\n{body}          echo \"$PASS\" | docker login -u \"$NAME\" --password-stdin\n"
        );
        lowered(&config).lines().nth(1).unwrap().trim().to_owned()
    };
    let set = "          NAME=$ONE\n          PASS=$ONE_TOKEN\n";
    let other = "          if [ \"$BRANCH\" = x ]; then\n            NAME=$TWO\n            PASS=$TWO_TOKEN\n          fi\n";
    assert_eq!(
        script(&format!("{set}{other}")),
        "login  $NAME (set by the script)/$PASS (set by the script) by docker login :13"
    );
    // Set from one variable it is that one; set on one path only it may be the project's.
    assert_eq!(script(set), "login  $ONE/$ONE_TOKEN by docker login :9");
    assert_eq!(script(other), "login  $NAME/$PASS by docker login :11");
    assert_eq!(
        script(&format!("{other}{other}")),
        "login  $NAME/$PASS by docker login :15"
    );
}

/// The pulls of a repository's audit, with the file and the job that they are in.
fn pulls_of(tree: &MemoryTree) -> Vec<String> {
    let audit = crate::audit(
        tree,
        &Options::default(),
        &crate::finding::Policy::default(),
    );
    let pulls = audit.pulls.iter().filter(|p| p.reached);
    pulls
        .map(|p| {
            let image = p.image.as_deref().unwrap_or("?");
            format!("{}:{} {} {image}", p.place.file, p.place.line, p.job)
        })
        .collect()
}

#[test]
fn a_program_that_stands_in_a_step_is_looked_at_for_clients() {
    let found = |step: &str| {
        let config = format!(
            "version: 2.1\njobs:\n  j:\n    machine: {{image: ubuntu-2404:current}}\n    steps:\n      - run:\n{step}\nworkflows: {{w: {{jobs: [j]}}}}\n"
        );
        pulls_of(&MemoryTree::new().with(".circleci/config.yml", config)).len()
    };
    let calls = "import subprocess\n            subprocess.run(['docker', 'pull', 'a/b'])";
    for (step, count) in [
        (format!("          command: |\n            #!/usr/bin/env python3\n            {calls}"), 1),
        (format!("          shell: /usr/bin/python3\n          command: |\n            {calls}"), 1),
        ("          command: |\n            #!/usr/bin/env python3\n            print('docker pull a/b')".to_owned(), 0),
        ("          command: |\n            #!/bin/bash\n            docker pull a/b".to_owned(), 1),
    ] {
        assert_eq!(found(&step), count, "{step}");
    }
}

#[test]
fn a_group_of_jobs_runs_its_jobs() {
    let config = "version: 2.1
jobs:
  deploy:
    machine: {image: ubuntu-2404:current}
    steps: [{run: docker run alpine:3}]
  note:
    docker: [{image: cimg/base:1}]
    steps: [checkout]
  idle:
    docker: [{image: redis:7}]
    steps: [checkout]
job-groups:
  ship:
    jobs:
      - deploy: {context: hub}
      - note: {requires: [deploy]}
  unused:
    jobs: [idle]
workflows: {w: {jobs: [ship: {serial-group: x}]}}
";
    check(
        config,
        &[
            "deploy hosted",
            "  run alpine:3 :5",
            "note",
            "  executor cimg/base:1 :7",
            "idle, not reached",
            "  executor redis:7 :10",
        ],
    );
    let audit = audit(config);
    let first = &audit.pulls[0].trace[0];
    assert_eq!(
        &*first.note,
        "workflow `w` by its group `ship` runs it in the context `hub`"
    );
}

#[test]
fn a_group_that_names_itself_is_gone_into_once() {
    let config = "version: 2.1
jobs:
  deploy:
    machine: {image: ubuntu-2404:current}
    steps: [{run: docker run alpine:3}]
job-groups:
  ship:
    jobs: [again, deploy]
  again:
    jobs: [ship, deploy]
workflows: {w: {jobs: [ship]}}
";
    let stories: Vec<String> = audit(config)
        .pulls
        .iter()
        .flat_map(|pull| pull.trace.iter().map(|step| step.note.to_string()))
        .filter(|note| note.contains("group"))
        .collect();
    assert_eq!(
        stories,
        ["workflow `w` by its group `ship` by its group `again` runs it"]
    );
}

#[test]
fn an_orbs_job_takes_the_place_of_the_one_that_it_overrides() {
    let config = |with: &str| {
        format!(
            "version: 2.1
orbs:
  my:
    jobs:
      test:
        machine: true
        steps: [{{run: docker pull postgres:16}}]
jobs:
  test:
    docker: [{{image: cimg/base:1}}]
    steps: [checkout]
workflows: {{w: {{jobs: [test: {{override-with: {with}}}]}}}}
"
        )
    };
    check(
        &config("my/test"),
        &[
            "my/test hosted",
            "  run postgres:16 :7",
            "test, not reached",
            "  executor cimg/base:1 :10",
        ],
    );
    // The orb has no such job: the one that is called runs.
    let found = lower_with(&config("my/other"), &Options::default());
    assert!(
        found.text.starts_with("test\n  executor cimg/base:1 :10\n"),
        "{}",
        found.text
    );
    // An orb of which nothing is known may have it or not.
    let unknown = config("my/test").replace(
        "  my:\n    jobs:\n      test:\n        machine: true\n        steps: [{run: docker pull postgres:16}]\n",
        "  my: acme/secret@1\n",
    );
    let found = lower_with(&unknown, &Options::default());
    assert_eq!(
        found.text.trim_end(),
        "my/test unknown\n  opaque orb `acme/secret@1` :3\ntest\n  executor cimg/base:1 :6"
    );
}

#[test]
fn a_boolean_is_put_in_as_true_or_false() {
    for (written, expected) in [
        ("False", None),
        ("NO", None),
        ("off", None),
        ("Yes", Some("  run redis:7 :9")),
        ("True", Some("  run redis:7 :9")),
    ] {
        let config = format!(
            "version: 2.1
commands:
  up:
    parameters:
      pull: {{type: boolean, default: {written}}}
    steps:
      - run: |
          if << parameters.pull >>; then
            docker pull redis:7
          fi
jobs:
  j: {{machine: true, steps: [up]}}
"
        );
        let found = lowered(&config);
        assert_eq!(found.lines().nth(1), expected, "{written}: {found}");
    }
    // In a condition too, and not where it is a text.
    let when = |kind: &str, written: &str| {
        let config = format!(
            "version: 2.1
commands:
  up:
    parameters:
      pull: {{type: {kind}, default: {written}}}
    steps:
      - when:
          condition: << parameters.pull >>
          steps: [{{run: docker pull redis:7}}]
jobs:
  j: {{machine: true, steps: [up]}}
"
        );
        lowered(&config).contains("redis")
    };
    assert!(!when("boolean", "No"));
    assert!(when("boolean", "Yes"));
    assert!(when("string", "'No'"));
}

#[test]
fn a_workflow_that_never_runs_reaches_no_job() {
    let config = |condition: &str| {
        format!(
            "version: 2.1
parameters: {{go: {{type: boolean, default: false}}}}
jobs:
  j: {{docker: [{{image: redis:7}}], steps: [checkout]}}
workflows:
  w:
    {condition}
    jobs: [j]
"
        )
    };
    for (condition, runs) in [
        ("when: false", false),
        ("unless: true", false),
        ("when: {equal: [a, b]}", false),
        ("when: {not: true}", false),
        ("when: true", true),
        ("unless: false", true),
        // Whoever starts the pipeline may say otherwise.
        ("when: << pipeline.parameters.go >>", true),
        ("when: pipeline.git.branch == \"main\"", true),
        ("when: {and: [true, << pipeline.parameters.go >>]}", true),
    ] {
        let found = lowered(&config(condition));
        assert_eq!(!found.contains("not reached"), runs, "{condition}: {found}");
    }
}

#[test]
fn an_expression_is_one_value_that_the_pipeline_decides() {
    let config = "version: 2.1
jobs:
  j:
    docker:
      - image: << pipeline.git.branch == \"main\" and \"cimg/go:1.22\" or \"cimg/go:1.21\" >>
    steps: [checkout]
";
    check(
        config,
        &[
            "j",
            "  executor << pipeline.git.branch == \"main\" and \"cimg/go:1.22\" or \"cimg/go:1.21\" >> :5",
        ],
    );
    let audit = audit(config);
    assert_eq!(audit.pulls[0].auth, Auth::Unknown);
    assert!(
        !audit.pulls[0].reason.contains("blanks"),
        "{}",
        audit.pulls[0].reason
    );
    // What is no expression of a pipeline's stays as it is written.
    check(
        "version: 2
jobs:
  j:
    machine: true
    steps:
      - run: |
          cat << EOF >> x
          and == pipeline.
          EOF
          docker pull redis:7
",
        &["j hosted", "  run redis:7 :10"],
    );
}

#[test]
fn an_orb_that_publishes_signs_in_after_it_has_built() {
    let config = "version: 2.1
orbs: {prometheus: prometheus/prometheus@0.17.1}
workflows:
  w:
    jobs: [prometheus/publish_main: {quay_io_organization: ''}]
";
    let tree = MemoryTree::new()
        .with(".circleci/config.yml", config)
        .with("Makefile", "docker:\n\tdocker build -t $(DOCKER_REPO)/x .\ndocker-publish:\n\tdocker push $(DOCKER_REPO)/x\n")
        .with("Dockerfile", "FROM busybox:1\n");
    let audit = crate::audit(
        &tree,
        &Options::default(),
        &crate::finding::Policy::default(),
    );
    let found: Vec<String> = audit
        .pulls
        .iter()
        .map(|p| format!("{} {}", p.image.as_deref().unwrap_or("?"), p.auth.name()))
        .collect();
    assert_eq!(
        found,
        [
            "cimg/go:1.26 platform",
            "linuxkit/binfmt:v0.8 anonymous",
            "busybox:1 anonymous"
        ]
    );
    assert_eq!(audit.pulls[2].cause, Cause::LoginLater);
}

#[test]
fn a_login_that_nothing_declares_cannot_work_in_each_job_that_calls_it() {
    let rules = |text: &str| -> Vec<(String, u32, String)> {
        let tree = crate::source::MemoryTree::new().with(".circleci/config.yml", text);
        let audit = crate::audit(&tree, &Default::default(), &Default::default());
        let found = audit.findings.into_iter();
        let named = |f: crate::finding::Finding| (f.rule.to_owned(), f.place.line, f.message);
        found.map(named).collect()
    };
    let in_orbs = "version: 2.1\norbs:\n  common:\n    commands:\n      dockerhub_login:\n        steps:\n          - run: echo \"$T\" | docker login --username $U --password-stdin\n  one:\n    jobs:\n      build: {machine: true, steps: [common/dockerhub_login, {run: docker run alpine:3.20 true}]}\n  two:\n    jobs:\n      build: {machine: true, steps: [common/dockerhub_login, {run: docker run alpine:3.21 true}]}\nworkflows: {w: {jobs: [one/build, two/build]}}\n";
    let found = rules(in_orbs);
    let of = |rule: &str| found.iter().filter(|(of, ..)| of == rule).count();
    assert_eq!(
        (of("login-cannot-work"), of("login-never-used"), found.len()),
        (2, 1, 3),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|f| f.2.contains("`common/dockerhub_login` signs in")),
        "{found:#?}"
    );
    assert!(
        found.iter().any(|f| f
            .2
            .contains("the orb `common` is not declared where it is called")),
        "{found:#?}"
    );
    for step in [
        "dockerhub_login",
        "docker/check",
        "{docker/check: {docker-username: U}}",
    ] {
        let text = format!(
            "version: 2.1\njobs:\n  a: {{machine: true, steps: [{step}, {{run: docker run alpine:3.20 true}}]}}\n  b: {{machine: true, steps: [{step}, {{run: docker run alpine:3.21 true}}]}}\nworkflows: {{w: {{jobs: [a, b]}}}}\n"
        );
        let found = rules(&text);
        assert!(
            found.iter().all(|f| f.0 == "login-cannot-work") && found.len() == 2,
            "{found:#?}"
        );
    }
    let unused = "version: 2.1\norbs:\n  mine:\n    orbs: {docker: circleci/docker@1.4.0}\n    commands:\n      dockerhub_login:\n        steps: [{docker/check: {docker-password: T, docker-username: U}}]\n    jobs:\n      build: {machine: true, steps: [{run: docker run alpine:3.20 true}]}\nworkflows: {w: {jobs: [mine/build]}}\n";
    let found = rules(unused);
    assert!(
        found.iter().any(|f| f.0 == "login-never-used" && f.1 == 6),
        "{found:#?}"
    );
}

#[test]
fn a_registry_that_is_told_in_words_is_no_host() {
    let text = "version: 2.1\njobs:\n  b:\n    machine: true\n    steps:\n      - run: eval $(aws ecr get-login --region $R --no-include-email)\n      - run: docker run alpine:3.20 true\nworkflows: {w: {jobs: [b]}}\n";
    let tree = crate::source::MemoryTree::new().with(".circleci/config.yml", text);
    let audit = crate::audit(&tree, &Default::default(), &Default::default());
    let reason = &audit.pulls[0].reason;
    assert!(
        reason.contains("signs in to the account's registry at `amazonaws.com`, not"),
        "{reason}"
    );
}

#[test]
fn a_password_is_told_of_where_it_is_written_and_once() {
    let text = "version: 2.1\nexecutors:\n  a:\n    docker:\n      - image: cimg/base:2024.01\n        auth: &hub\n          username: someone\n          password: not-a-real-password-1\n  b:\n    docker:\n      - image: cimg/go:1.23\n        auth:\n          <<: *hub\njobs:\n  x: {executor: a, steps: [checkout]}\n  y: {executor: b, steps: [checkout]}\nworkflows: {w: {jobs: [x, y]}}\n";
    let tree = crate::source::MemoryTree::new().with(".circleci/config.yml", text);
    let audit = crate::audit(&tree, &Default::default(), &Default::default());
    let found = audit
        .findings
        .iter()
        .filter(|f| f.rule == "literal-credential");
    let found: Vec<(u32, &[String])> = found.map(|f| (f.place.line, &*f.jobs)).collect();
    assert_eq!(found, [(8, &["x".to_owned(), "y".to_owned()][..])]);
}
