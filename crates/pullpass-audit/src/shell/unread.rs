//! `source "$LIB/ci/f.sh"` where nothing says what `$LIB` is. A file of the repository of that name is
//! probably it; what its functions pull is then not known to happen, and not passed over either.

use std::rc::Rc;

use super::exec::Call;
use super::follow::is_shell;
use super::syntax::CommandKind;
use super::{Arg, Shell};
use crate::effect::By;
use crate::run::JobRun;
use crate::source::RepoPath;
use crate::text::{Mapped, Text, is_hole};

/// A function counts when it names one of these, or a function that counts.
const CLIENTS: [&str; 4] = ["docker", "podman", "nerdctl", "compose"];

/// Functions of one file that are looked at.
const MAX_FUNCTIONS: usize = 256;

/// Functions that were perhaps read from a file.
#[derive(Clone)]
pub(super) struct Unread {
    /// The file, in the words of the script.
    file: String,
    /// Those that have to do with containers.
    functions: Rc<[String]>,
}

impl Shell {
    /// `source` of a file that may be anywhere: what is probably in it is kept in mind.
    pub(super) fn source_unread(&mut self, run: &JobRun<'_>, file: &Arg) {
        if self.unread.len() >= 16 {
            return;
        }
        let Some(text) = self.probably(run, &file.text) else {
            return;
        };
        let functions = functions(run, &text);
        if !functions.is_empty() {
            let file = run.show(&file.text);
            self.unread.push(Unread { file, functions });
        }
    }

    /// The file of the repository that a path with an unknown folder probably means.
    fn probably(&self, run: &JobRun<'_>, path: &Text) -> Option<Rc<Mapped>> {
        let (_, tail) = path.as_str().rsplit_once(is_hole)?;
        let tail = tail.strip_prefix('/').filter(|tail| !tail.is_empty())?;
        let beside = self.file.as_ref().map(RepoPath::parent);
        let here = run.cwd.inside().cloned();
        let places = [Some(RepoPath::root()), beside, here];
        places.into_iter().flatten().find_map(|folder| {
            let path = folder.join(tail)?;
            let text = self.read_at(run, &path)?;
            is_shell(&path, &text.text).then_some(text)
        })
    }

    /// A command that nothing defines may be a function of a file that was not read.
    pub(super) fn unread_function(&self, run: &mut JobRun<'_>, call: &Call<'_>) {
        let name = call.name();
        let is_one = |unread: &&Unread| unread.functions.iter().any(|known| known == name);
        if let Some(unread) = self.unread.iter().find(is_one) {
            let why = format!(
                "it is defined in a file of this repository that `{}` may be; which file that is, is known only when the job runs",
                unread.file
            );
            run.opaque(call.span, format!("the function `{name}`"), why, By::Run);
        }
    }
}

/// The functions of a script that have to do with containers.
fn functions(run: &JobRun<'_>, text: &Mapped) -> Rc<[String]> {
    let named = |text: &str| CLIENTS.iter().any(|client| text.contains(client));
    if !named(&text.text) {
        return Rc::default();
    }
    let Some(script) = run.cx.script(&text.text) else {
        return Rc::default();
    };
    let mut rest: Vec<(&str, &str)> = Vec::new();
    for item in script.items.iter().take(16 * MAX_FUNCTIONS) {
        for command in &item.first.commands {
            if let CommandKind::Function { name, body } = &command.kind
                && rest.len() < MAX_FUNCTIONS
            {
                rest.push((name, body.span.of(&text.text)));
            }
        }
    }
    let mut out: Vec<String> = Vec::new();
    // Those that call one that counts, as far as a few rounds find them.
    for _ in 0..4 {
        let before = out.len();
        rest.retain(|(name, body)| {
            let calls = |known: &String| {
                let separates = |c: char| !(c.is_ascii_alphanumeric() || "_-.:".contains(c));
                body.split(separates).any(|word| word == known)
            };
            let counts = named(body) || out.iter().any(calls);
            if counts {
                out.push((*name).to_owned());
            }
            !counts
        });
        if out.len() == before {
            break;
        }
    }
    out.into()
}
