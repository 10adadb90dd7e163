//! `nx run-many -t e2e`: what a target of a package does stands in its `project.json`, or is the script of
//! that name in its `package.json`.

use std::rc::Rc;

use super::npm::{self, Package};
use super::{Call, Failure, Recipe};
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{Mapped, Text};
use crate::yaml::{Document, Node};

/// Targets of one package that depend on each other.
const MAX_TARGETS: usize = 32;

pub(super) fn recipes(run: &JobRun<'_>, call: &Call) -> Result<Vec<Recipe>, Failure> {
    let cwd = super::directory(run, call)?;
    let Some(target) = call.targets.first().and_then(Text::known) else {
        let why = "which target it runs is known only when the build runs";
        return Err(Failure::Unresolved(why.to_owned()));
    };
    let packages = npm::chosen(run, call, &cwd)?;
    let root = npm::root_of(run, &cwd);
    let mut out = Vec::new();
    for package in &packages {
        let path = package.folder.join("project.json");
        let mut project = Project {
            run,
            package,
            root: root.as_ref(),
            document: path.and_then(|path| run.cx.yaml(&path)),
            seen: Vec::new(),
        };
        project.target(target, &call.arguments, &mut out);
    }
    if out.is_empty() {
        return Err(npm::no_script(&packages, target));
    }
    Ok(out)
}

struct Project<'a, 'c> {
    run: &'a JobRun<'c>,
    package: &'a Package,
    root: Option<&'a Package>,
    document: Option<Rc<Document>>,
    seen: Vec<String>,
}

impl Project<'_, '_> {
    /// A target, after those of the same package that it depends on.
    fn target(&mut self, name: &str, arguments: &[Text], out: &mut Vec<Recipe>) {
        let known = self.seen.iter().any(|seen| seen == name);
        if known || self.seen.len() >= MAX_TARGETS || !self.run.cx.spend() {
            return;
        }
        self.seen.push(name.to_owned());
        let document = self.document.clone();
        let targets = document.as_ref().and_then(|d| d.root()?.get("targets"));
        let declared = targets.and_then(|targets| targets.get(name));
        let needs = declared.and_then(|target| target.get("dependsOn"));
        for needed in needs.map(Node::one_or_many).unwrap_or_default() {
            // `^build` is one of the packages that this one depends on.
            if let Some(needed) = needed.as_str().filter(|name| !name.starts_with('^')) {
                self.target(needed, &[], out);
            }
        }
        let options = declared.and_then(|target| target.get("options"));
        let command = declared
            .and_then(|target| target.get("command"))
            .or_else(|| options?.get("command"));
        let several = options.and_then(|options| options.get("commands"));
        let several = several.map(Node::one_or_many).unwrap_or_default();
        let several = several
            .into_iter()
            .map(|node| node.get("command").unwrap_or(node));
        let commands: Vec<Node<'_>> = command.into_iter().chain(several).collect();
        if commands.is_empty() {
            let script = options.and_then(|options| options.get("script")?.as_str());
            let script = script.unwrap_or(name);
            self.package
                .run(self.run, self.root, script, arguments, true, out);
            return;
        }
        let root = self.root.map_or_else(RepoPath::root, |r| r.folder.clone());
        let cwd = options
            .and_then(|options| options.get("cwd")?.mapped())
            .and_then(|cwd| root.join(&self.placed(&cwd, &root).text));
        for node in commands {
            let Some(script) = node.mapped() else {
                continue;
            };
            let file = document.as_ref().map(|d| d.source().path.to_string());
            let note = format!("the target `{name}` of `{}`", file.unwrap_or_default());
            out.push(Recipe {
                script: self.placed(&script, &root),
                cwd: cwd.clone().unwrap_or_else(|| root.clone()),
                env: Rc::from([]),
                guards: Rc::from([]),
                span: node.span(),
                note: note.into(),
            });
        }
    }

    /// A text with the names that Nx has for its folders replaced.
    fn placed(&self, text: &Mapped, root: &RepoPath) -> Mapped {
        let project = super::relative(root, &self.package.folder);
        let mut edits = Vec::new();
        for (word, by) in [
            ("{projectRoot}", project.as_str()),
            ("{workspaceRoot}", "."),
        ] {
            let found = text.text.match_indices(word);
            edits.extend(found.map(|(at, _)| (at, at + word.len(), Text::from(by))));
        }
        edits.sort_by_key(|(at, ..)| *at);
        text.replace(&edits)
    }
}
