//! Images that are declared and that nothing runs: of a job that no workflow names, of an executor
//! that no job of a workflow uses. They are what gets used next, and who signs in the others by hand
//! signs in these as well.

use std::rc::Rc;

use hashbrown::HashSet;

use crate::effect::{Effect, Job, Kind};
use crate::run::JobRun;
use crate::source::Span;
use crate::yaml::Node;

use super::Lowering;
use super::parameters::Value;
use super::scope::Scope;
use super::workflow::Done;

/// How deep inline orbs may stand in each other.
pub(super) const MAX_DEPTH: usize = 4;

impl<'c, 'd> Lowering<'c, 'd> {
    /// Adds what the jobs so far have not reached. Only the images: what the steps would do depends
    /// on who calls the job.
    pub(super) fn unreached(&self, done: &mut Done) {
        let mut seen: HashSet<Span> = done.effects().map(|effect| effect.span).collect();
        let root = &self.resolver.root.scope;
        self.unreached_in(root, "", 0, &mut seen, done);
    }

    /// Adds the images of a part of a configuration: what stands at its top stands in a section of the
    /// configuration that is made of it, or the sections are here.
    pub(super) fn part(&self, done: &mut Done) {
        let mut seen = HashSet::new();
        let root = &self.resolver.root.scope;
        for entry in root.root.entries() {
            if let Some(name) = entry.key.as_str() {
                let note = format!("the configuration that is made of this part may run `{name}`");
                self.unreached_images(root, entry.key, entry.value, (name, note), &mut seen, done);
            }
        }
        self.unreached_in(root, "", 0, &mut seen, done);
    }

    fn unreached_in(
        &self,
        scope: &Rc<Scope<'d>>,
        prefix: &str,
        depth: usize,
        seen: &mut HashSet<Span>,
        done: &mut Done,
    ) {
        let section = |name: &'static str| scope.sections(name).flat_map(Node::entries);
        for entry in section("jobs") {
            if let Some(name) = entry.key.as_str() {
                let name = format!("{prefix}{name}");
                let note = format!("no workflow of this file runs the job `{name}`");
                self.unreached_images(scope, entry.key, entry.value, (&name, note), seen, done);
            }
        }
        for entry in section("executors") {
            if let Some(name) = entry.key.as_str() {
                let note = format!(
                    "no job that a workflow of this file runs uses the executor `{prefix}{name}`"
                );
                // A job may have the same name.
                let name = format!("executor {prefix}{name}");
                self.unreached_images(scope, entry.key, entry.value, (&name, note), seen, done);
            }
        }
        for entry in section("orbs") {
            if depth < MAX_DEPTH
                && entry.value.is_mapping()
                && self.cx.spend()
                && let Some(name) = entry.key.as_str()
                && let Some(inner) = scope.written_orb(self.cx, self.shelf, name)
            {
                let prefix = format!("{prefix}{name}/");
                self.unreached_in(&inner, &prefix, depth + 1, seen, done);
            }
        }
    }

    fn unreached_images(
        &self,
        scope: &Rc<Scope<'d>>,
        key: Node<'d>,
        node: Node<'d>,
        (name, note): (&str, String),
        seen: &mut HashSet<Span>,
        done: &mut Done,
    ) {
        // The images of a job that names an executor are the executor's.
        if node.get("docker").is_none() || !self.cx.spend() {
            return;
        }
        let frame = self.resolver.bind(node, scope, None, &[], None);
        let body = Value::new(node, &Rc::new(frame));
        let mut run = JobRun::new(self.cx);
        run.trace = run.trace.then(key.use_span(), note);
        let host = self.start(&mut run, &body);
        let is_new =
            |effect: &Effect| matches!(effect.kind, Kind::Pull { .. }) && seen.insert(effect.span);
        let effects: Vec<Effect> = run.finish().into_iter().filter(is_new).collect();
        if !effects.is_empty() {
            done.push(Job {
                reached: false,
                effects,
                ..self.job(name, key.span(), host.runner, host.platform_credential)
            });
        }
    }
}
