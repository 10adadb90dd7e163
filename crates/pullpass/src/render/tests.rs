use pullpass_audit::finding::Audit;
use serde_json::Value;

use super::{Format, Fragment, Human, Repository, Stream, Totals, samples};
use crate::config::FailOn;
use crate::terminal::Volume;

fn render_with(format: Format, human: Human, repositories: &[(&str, &Audit)]) -> String {
    let render = format.render(human);
    let mut out = Vec::new();
    let mut stream = Stream::open(render.as_ref(), &mut out).unwrap();
    for (name, audit) in repositories {
        let prefix = format!("fleet/{name}/");
        let repository = Repository {
            name,
            prefix: if repositories.len() > 1 { &prefix } else { "" },
            among_many: repositories.len() > 1,
            audit,
            baselined: 0,
            fail_on: FailOn::Warning,
        };
        stream
            .push(Fragment {
                totals: Totals::of(&repository),
                ..render.fragment(&repository)
            })
            .unwrap();
    }
    stream.close().unwrap();
    String::from_utf8(out).unwrap()
}

fn human(volume: Volume) -> Human {
    Human {
        color: false,
        volume,
    }
}

fn render(format: Format, repositories: &[(&str, &Audit)]) -> String {
    render_with(format, human(Volume::Normal), repositories)
}

fn json(format: Format, repositories: &[(&str, &Audit)]) -> Value {
    serde_json::from_str(&render(format, repositories)).unwrap()
}

#[test]
fn human_shows_the_lines_that_prove_a_finding_and_what_all_comes_to() {
    insta::assert_snapshot!(render(Format::Human, &[("app", &samples::audit())]));
}

#[test]
fn human_says_more_and_less_when_asked() {
    let audit = samples::audit();
    let app = [("app", &audit)];
    insta::assert_snapshot!(
        "human_verbose",
        render_with(Format::Human, human(Volume::Verbose), &app)
    );
    insta::assert_snapshot!(
        "human_quiet",
        render_with(Format::Human, human(Volume::Quiet), &app)
    );
}

#[test]
fn human_colours_when_asked() {
    let color = Human {
        color: true,
        volume: Volume::Verbose,
    };
    let audit = samples::audit();
    let text = render_with(Format::Human, color, &[("app", &audit)]);
    assert!(text.contains("\u{1b}["));
    assert_eq!(
        anstream::adapter::strip_str(&text).to_string(),
        render_with(Format::Human, human(Volume::Verbose), &[("app", &audit)])
    );
}

#[test]
fn human_has_good_news_for_a_repository_in_order() {
    let audit = Audit {
        findings: Vec::new(),
        unread: Vec::new(),
        unlisted: Vec::new(),
        pulls: samples::audit().pulls[1..].to_vec(),
        ..samples::audit()
    };
    insta::assert_snapshot!(render(Format::Human, &[("app", &audit)]));
    insta::assert_snapshot!(
        "human_nothing",
        render(Format::Human, &[("app", &Audit::default())])
    );
}

#[test]
fn human_hints_at_the_gravest_rule_not_at_the_commonest() {
    use pullpass_audit::finding::Severity;
    let found = samples::audit().findings[0].clone();
    let of = |rule, severity| pullpass_audit::finding::Finding {
        rule,
        severity,
        ..found.clone()
    };
    let audit = |findings| Audit {
        findings,
        ..samples::audit()
    };
    let common = of("unresolved-pull", Severity::Info);
    let warning = of("anonymous-pull", Severity::Warning);
    let grave = of("login-after-pull", Severity::Error);
    let hint = |audits: &[&Audit]| {
        let all: Vec<(&str, &Audit)> = audits.iter().map(|a| ("app", *a)).collect();
        let text = render(Format::Human, &all);
        text.trim_end().rsplit(' ').next().unwrap().to_owned()
    };
    let many = audit(vec![
        common.clone(),
        common.clone(),
        common,
        warning.clone(),
        warning.clone(),
    ]);
    let one = audit(vec![warning, grave]);
    assert_eq!(hint(&[&many]), "anonymous-pull");
    assert_eq!(hint(&[&many, &one]), "login-after-pull");
    assert_eq!(hint(&[&one, &many]), "login-after-pull");
}

#[test]
fn what_no_workflow_reaches_is_said_apart() {
    let mut audit = Audit {
        findings: Vec::new(),
        ..samples::audit()
    };
    let before = render(Format::Human, &[("app", &audit)]);
    let mut never = audit.pulls[0].clone();
    never.reached = false;
    never.job = "executor spare".into();
    audit.pulls.push(never);
    let text = render(Format::Human, &[("app", &audit)]);
    let line = "Not counted: 1 image of jobs and executors that no workflow runs has no credential of its own; `pullpass fix` mends it too.\n";
    assert_eq!(text.replace(line, ""), before);
    assert!(text.contains(line), "{text}");
    let verbose = render_with(Format::Human, human(Volume::Verbose), &[("app", &audit)]);
    assert!(verbose.contains("of executor `spare`"), "{verbose}");
    assert!(verbose.contains("; no workflow reaches it"), "{verbose}");
    let document = json(Format::Json, &[("app", &audit)]);
    assert_eq!(document["pulls"][audit.pulls.len() - 1]["reached"], false);
    assert_eq!(document["summary"]["unreached"], 1);
    assert_eq!(document["summary"]["pulls"], audit.pulls.len());
}

#[test]
fn json_is_the_contracts_document() {
    insta::assert_snapshot!(render(Format::Json, &[("app", &samples::audit())]));
}

#[test]
fn json_of_many_keeps_paths_in_each_repository_and_totals_over_all() {
    let audit = samples::audit();
    let document = json(
        Format::Json,
        &[("a", &audit), ("none", &Audit::default()), ("b", &audit)],
    );
    assert_eq!(document["summary"]["repositories"], 3);
    assert_eq!(document["summary"]["by_auth"]["anonymous"], 2);
    assert_eq!(document["pulls"].as_array().unwrap().len(), 6);
    assert_eq!(document["pulls"][3]["repository"], "b");
    assert_eq!(document["pulls"][3]["file"], samples::CONFIG);
    assert_eq!(document["unlisted"][0]["repositories"], 2);
}

#[test]
fn json_of_nothing_is_a_document_with_empty_lists() {
    let document = json(Format::Json, &[]);
    for list in ["pulls", "findings", "unread", "unlisted"] {
        assert_eq!(document[list], serde_json::json!([]), "{list}");
    }
}

#[test]
fn sarif_has_a_result_for_each_finding() {
    let document = json(Format::Sarif, &[("app", &samples::audit())]);
    let run = &document["runs"][0];
    insta::assert_json_snapshot!(run["results"]);
    insta::assert_json_snapshot!("sarif_invocations", run["invocations"]);
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), pullpass_audit::rules::ALL.len());
    let first = &run["results"][0];
    let index = usize::try_from(first["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(rules[index]["id"], first["ruleId"]);
}

#[test]
fn sarif_and_github_paths_of_many_start_from_the_current_folder() {
    let audit = samples::audit();
    let many = [("a", &audit), ("b", &audit)];
    let document = json(Format::Sarif, &many);
    let location = &document["runs"][0]["results"][2]["locations"][0]["physicalLocation"];
    assert_eq!(
        location["artifactLocation"]["uri"],
        "fleet/b/.circleci/config.yml"
    );
    assert!(render(Format::Github, &many).contains("file=fleet/b/.circleci/config.yml,"));
}

#[test]
fn services_are_shown_the_line_that_leads_into_another_repository() {
    let mut audit = samples::audit();
    let inside = "_actions/acme/ci/.github/workflows/build.yml";
    audit.findings[0].place.file = inside.into();
    let notes = render(Format::Github, &[("", &audit)]);
    let first = notes.lines().next().unwrap();
    let called = format!("::error file={},line=4,", samples::CONFIG);
    assert!(first.starts_with(&called), "{first}");
    assert!(first.contains(&format!("({inside}:9)%0A")), "{first}");
    let document = json(Format::Sarif, &[("", &audit)]);
    let result = &document["runs"][0]["results"][0];
    let uri = |location: &serde_json::Value| {
        location["physicalLocation"]["artifactLocation"]["uri"].clone()
    };
    assert_eq!(uri(&result["locations"][0]), samples::CONFIG);
    let related = result["relatedLocations"].as_array().unwrap();
    assert_eq!(uri(related.last().unwrap()), inside);
}

#[test]
fn github_annotates_lines() {
    insta::assert_snapshot!(render(Format::Github, &[("app", &samples::audit())]));
}

#[test]
fn nothing_from_a_repository_reaches_the_terminal_as_a_command() {
    let audit = samples::hostile();
    for format in [Format::Human, Format::Github] {
        let text = render(format, &[("app", &audit)]);
        let bad = |c: char| c.is_control() && c != '\n' || "\u{202E}\u{2066}".contains(c);
        assert!(!text.contains(bad), "{text:?}");
        let commands = text.lines().filter(|l| l.trim_start().starts_with("::"));
        match format {
            Format::Github => assert!(
                commands.clone().count() == 2
                    && commands
                        .into_iter()
                        .all(|l| l.starts_with("::error file=") || l.starts_with("::warning file="))
            ),
            _ => assert!(commands.into_iter().all(|l| l.trim().starts_with("::: "))),
        }
    }
    insta::assert_snapshot!("hostile_human", render(Format::Human, &[("app", &audit)]));
    insta::assert_snapshot!("hostile_github", render(Format::Github, &[("app", &audit)]));
}
