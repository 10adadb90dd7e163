//! Which scripts, recipes and functions are being followed. One that calls itself, be it through
//! others, as it was called before, would only do again what it already does: followed until the work
//! of its file is used up, it would take the later pulls of the job with it.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::syntax::Span as Range;
use super::{Shell, trigger};
use crate::run::{Cwd, JobRun};
use crate::text::{Mapped, Text};
use crate::variables::Variables;

/// How often one script may be open, called otherwise each time: `./ci.sh all` that calls
/// `./ci.sh build`.
const MAX_OPEN: usize = 4;

/// A script that is being followed, and those around it.
pub(super) struct Open {
    text: Rc<Mapped>,
    /// A function is a part of a text.
    part: Range,
    arguments: Option<Rc<Vec<Text>>>,
    cwd: Cwd,
    /// What it found in the environment, where it is a process of its own.
    env: Option<Variables>,
    outer: Option<Rc<Open>>,
}

impl Shell {
    /// Opens a script; `None` when it is open already.
    pub(super) fn open(
        &self,
        run: &JobRun<'_>,
        text: &Rc<Mapped>,
        part: Option<Range>,
        arguments: Option<&Rc<Vec<Text>>>,
        env: Option<&Variables>,
    ) -> Option<Rc<Open>> {
        let part = part.unwrap_or_default();
        let mut same = 0;
        let mut around = self.open.as_ref();
        while let Some(open) = around {
            if open.part == part && (Rc::ptr_eq(&open.text, text) || open.text == *text) {
                same += 1;
                if open.arguments.as_ref() == arguments
                    && open.cwd == run.cwd
                    && open.env.as_ref() == env
                {
                    return None;
                }
            }
            around = open.outer.as_ref();
        }
        if same >= MAX_OPEN {
            let written = part.of(&text.text);
            if !written.is_empty() && !self.may_come_to_a_client(run, written) {
                return None;
            }
            let place = text.span(part.start as usize, part.end as usize);
            run.cx.note_unread(
                &run.cx.sources.get(place.file),
                place.start,
                format!("what stands here calls itself, with other arguments each time; it is followed {MAX_OPEN} deep"),
            );
            return None;
        }
        Some(Rc::new(Open {
            text: Rc::clone(text),
            part,
            arguments: arguments.cloned(),
            cwd: run.cwd.clone(),
            env: env.cloned(),
            outer: self.open.clone(),
        }))
    }

    /// Whether a function, or one that it calls, names anything that may pull.
    fn may_come_to_a_client(&self, run: &JobRun<'_>, body: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut rest = vec![body];
        while let Some(body) = rest.pop() {
            if !run.cx.spend() || trigger::has_a_word(body) {
                return true;
            }
            let of_name = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
            for word in body.split(|c| !of_name(c)) {
                if let Some((name, function)) = self.functions.get_key_value(word)
                    && seen.insert(name)
                {
                    rest.push(function.body.span.of(&function.text.text));
                }
            }
        }
        false
    }
}
