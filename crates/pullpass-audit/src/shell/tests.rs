//! What scripts do, as lines: one file for each kind of thing they do.

mod clients;
mod counting;
mod deploys;
mod files;
mod language;
mod make;
mod programs;
mod projects;
mod runners;
mod scripts;
mod suites;
mod ways;

use crate::context::{Context, Options};
use crate::effect::{Effect, Freshness, Kind, Puller, Store};
use crate::run::JobRun;
use crate::source::{MemoryTree, RepoPath};
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
                Freshness::Always | Freshness::Read => " always",
                Freshness::Missing | Freshness::ReadIfMissing => "",
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
