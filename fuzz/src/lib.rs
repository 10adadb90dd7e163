//! What is tried on every text, one function for each target.
//!
//! A panic, an endless loop and memory without bound are found by the fuzzer itself; the functions
//! here check what must hold besides.

use pullpass_audit::context::Options;
use pullpass_audit::finding::{Audit, Policy};
use pullpass_audit::reference::{self, Image};
use pullpass_audit::shell::syntax;
use pullpass_audit::source::{MemoryTree, RepoPath, Tree};
use pullpass_audit::text::Text;
use pullpass_audit::verdict::{Auth, Place};
use pullpass_audit::yaml::Document;
use pullpass_fix::{FixOptions, Identity, Login, Scope, fix};

const CIRCLECI: &str = ".circleci/config.yml";
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// The text as a CircleCI configuration.
pub fn circleci(text: &str) {
    audited(&with_files(text).with(CIRCLECI, text));
}

/// The text as a GitHub workflow, and as an action that it may use.
pub fn github(text: &str) {
    audited(
        &with_files(text)
            .with(WORKFLOW, text)
            .with("action/action.yml", text),
    );
}

/// The text as a script.
pub fn shell(text: &str) {
    let script = syntax::parse(text);
    for error in &script.errors {
        assert!(on_characters(text, error.span.start, error.span.end));
    }
    for item in &script.items {
        assert!(on_characters(text, item.span.start, item.span.end));
    }
    audited(&running("./ci.sh").with("ci.sh", text));
}

/// The text as a Dockerfile.
pub fn dockerfile(text: &str) {
    audited(
        &running("docker build --build-arg A=b .; docker build --target last .")
            .with("Dockerfile", text),
    );
}

/// The text as a Compose file.
pub fn compose(text: &str) {
    audited(&running("docker compose up -d; docker compose build").with("compose.yml", text));
}

/// The text as a Bake file, in both of its languages.
pub fn bake(text: &str) {
    audited(
        &running("docker buildx bake; docker buildx bake -f bake.json")
            .with("docker-bake.hcl", text)
            .with("bake.json", text)
            .with("Dockerfile", "FROM alpine\n"),
    );
}

/// The text as a Makefile, a justfile, a Taskfile and a `package.json`.
pub fn recipes(text: &str) {
    audited(
        &running("make; make test; just; just test; task; task build test; npm test; npm run build")
            .with("Makefile", text)
            .with("justfile", text)
            .with("Taskfile.yml", text)
            .with("package.json", text),
    );
}

/// The text as the name of an image.
pub fn reference(text: &str) {
    let Image::Named(named) = reference::parse(&Text::new(text)) else {
        return;
    };
    let canonical = named.canonical_text();
    let Image::Named(again) = reference::parse(&Text::new(canonical.as_str())) else {
        panic!("the canonical form {canonical:?} of {text:?} is no reference");
    };
    assert_eq!(again.canonical_text(), canonical, "of {text:?}");
    assert_eq!(again.is_hub(), named.is_hub(), "of {text:?}");
}

/// The edits of a CircleCI configuration.
pub fn fix_circleci(text: &str) {
    fixed(with_files(text), CIRCLECI, text);
}

/// The edits of a GitHub workflow.
pub fn fix_github(text: &str) {
    fixed(with_files(text), WORKFLOW, text);
}

/// Files that steps may build, run and bring up.
fn with_files(text: &str) -> MemoryTree {
    // Reading them takes more time than a short text does.
    if !["docker", "make", "script", ".sh"]
        .iter()
        .any(|word| text.contains(word))
    {
        return MemoryTree::new();
    }
    MemoryTree::new()
        .with("Dockerfile", "FROM golang AS build\nFROM build\n")
        .with("compose.yml", "services: {db: {image: postgres}}\n")
        .with("Makefile", "test:\n\tdocker run redis\n")
        .with("ci.sh", "docker pull alpine\n")
}

/// A repository whose one job runs a script on a machine.
fn running(script: &str) -> MemoryTree {
    MemoryTree::new().with(
        CIRCLECI,
        format!(
            "version: 2.1\njobs: {{build: {{machine: true, steps: [checkout, run: '{script}']}}}}\n"
        ),
    )
}

fn audited(tree: &MemoryTree) -> Audit {
    let options = Options::default();
    let policy = Policy::default();
    let audit = pullpass_audit::audit(tree, &options, &policy);
    for pull in &audit.pulls {
        placed(tree, &pull.place);
        for step in pull.trace.iter() {
            placed(tree, &step.place);
        }
    }
    for finding in &audit.findings {
        placed(tree, &finding.place);
    }
    if audit.pulls.len() % 4 == 1 {
        let again = pullpass_audit::audit(tree, &options, &policy);
        assert!(audit == again, "two audits differ");
    }
    audit
}

/// What is said of a file is said of a place in it.
fn placed(tree: &MemoryTree, place: &Place) {
    assert!(
        place.line >= 1 && place.column >= 1 && place.end_line >= place.line,
        "{place:?}"
    );
    let bytes = RepoPath::new(&place.file).and_then(|path| tree.read(&path).ok());
    let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return;
    };
    assert!(on_characters(&text, place.start, place.end), "{place:?}");
}

fn on_characters(text: &str, start: u32, end: u32) -> bool {
    text.get(start as usize..end as usize).is_some()
}

/// Whatever is edited: it can still be read, no pull is worse for it, and there is nothing left to edit.
fn fixed(tree: MemoryTree, path: &str, text: &str) {
    let tree = tree.with(path, text);
    let options = Options::default();
    let policy = Policy::default();
    let wishes = wishes(text);
    let plan = fix(&tree, Scope::Repository, &options, &policy, &wishes);
    // An edit that its own check refuses is a fault too, though one that nobody meets.
    assert!(plan.refused.is_empty(), "{:#?}", plan.refused);
    let mut edited = tree.clone();
    for file in &plan.files {
        assert_ne!(file.before, file.after);
        edited = edited.with(file.path.as_str(), file.after.as_bytes());
        let sources = pullpass_audit::source::Sources::new(&edited);
        let source = sources.load(&file.path).expect("an edited file");
        Document::parse(&source).expect("what is edited is YAML still");
    }
    if plan.files.is_empty() {
        return;
    }
    let before = pullpass_audit::audit(&tree, &options, &policy);
    let after = pullpass_audit::audit(&edited, &options, &policy);
    assert!(
        open_pulls(&after) < open_pulls(&before) || plan.done.iter().all(|d| d.pulls.is_empty()),
        "{plan:#?}"
    );
    let again = fix(&edited, Scope::Repository, &options, &policy, &wishes);
    assert!(again.files.is_empty(), "{:#?}", again.files);
}

/// What somebody may ask of `fix`; which of it, the length of the text decides.
fn wishes(text: &str) -> FixOptions {
    let any = FixOptions {
        review: true,
        ..FixOptions::default()
    };
    match text.len() % 8 {
        1 | 5 => FixOptions {
            identity: Identity::Oidc,
            login: Some(Login::Run),
            ..any
        },
        3 => FixOptions {
            user_var: Some("HUB_USER".to_owned()),
            token_var: Some("HUB_TOKEN".to_owned()),
            ..any
        },
        7 => FixOptions {
            login: Some(Login::Orb),
            contexts: vec!["docker-hub".to_owned()],
            ..any
        },
        _ => any,
    }
}

fn open_pulls(audit: &Audit) -> usize {
    let open = |auth| matches!(auth, Auth::Anonymous | Auth::Platform | Auth::Conditional);
    audit.pulls.iter().filter(|pull| open(pull.auth)).count()
}
