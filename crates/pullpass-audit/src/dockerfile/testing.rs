//! Runs a build or a bake over files held in memory and shows the effects as compact lines, for the
//! tests here and in `bake`.

use crate::context::{Context, Options};
use crate::effect::{Effect, Kind};
use crate::run::JobRun;
use crate::source::{MemoryTree, RepoPath, Span};

/// The repository of one test.
pub(crate) fn tree(files: &[(&str, &str)]) -> MemoryTree {
    files.iter().fold(
        MemoryTree::new().with("ci.yml", "docker build .\n"),
        |tree, (path, text)| tree.with(path, *text),
    )
}

/// What `act` adds to a job at the root of `tree`, one line per effect, then one per note:
///
/// ```text
/// pull alpine:3 @Dockerfile:1:6 (missing) [if …]
/// provide app
/// opaque build of `.`: why
/// unread Dockerfile:3: why
/// ```
///
/// `act` is given the span of a command in a CI file.
pub(crate) fn effects_of(
    tree: &MemoryTree,
    act: impl FnOnce(&mut JobRun<'_>, Span),
) -> Vec<String> {
    let options = Options::default();
    let cx = Context::new(tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.yml").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    act(&mut run, source.whole());
    let effects = run.finish();
    let mut out: Vec<String> = effects.iter().map(|effect| line(&cx, effect)).collect();
    out.extend(
        cx.take_notes()
            .0
            .iter()
            .map(|note| format!("unread {}:{}: {}", note.file, note.line, note.message)),
    );
    out
}

fn at(cx: &Context<'_>, span: Span) -> String {
    let source = cx.sources.get(span.file);
    let position = source.position(span.start);
    format!("{}:{}:{}", source.path, position.line, position.column)
}

fn line(cx: &Context<'_>, effect: &Effect) -> String {
    let show = |text: &str| cx.holes.show(text);
    let mut out = match &effect.kind {
        Kind::Pull {
            image, freshness, ..
        } => {
            let always = if !freshness.takes_what_is_there() {
                " always"
            } else {
                ""
            };
            format!(
                "pull{always} {} @{}",
                show(image.as_str()),
                at(cx, effect.span)
            )
        }
        Kind::Provide { image } => format!("provide {}", show(image.as_str())),
        Kind::Opaque { what, why, .. } => format!("opaque {}: {}", show(what), show(why)),
        other => format!("{other:?}"),
    };
    for guard in effect.guards.iter() {
        out += &format!(" [if {}]", show(&guard.text));
    }
    out
}

/// The stories of the pulls, as `note @place` steps.
pub(crate) fn stories_of(
    tree: &MemoryTree,
    act: impl FnOnce(&mut JobRun<'_>, Span),
) -> Vec<Vec<String>> {
    let options = Options::default();
    let cx = Context::new(tree, &options);
    let source = cx.sources.load(&RepoPath::new("ci.yml").unwrap()).unwrap();
    let mut run = JobRun::new(&cx);
    act(&mut run, source.whole());
    run.finish()
        .iter()
        .filter(|effect| matches!(effect.kind, Kind::Pull { .. }))
        .map(|effect| {
            effect
                .trace
                .steps()
                .iter()
                .map(|(span, note)| format!("{note} @{}", at(&cx, *span)))
                .collect()
        })
        .collect()
}
