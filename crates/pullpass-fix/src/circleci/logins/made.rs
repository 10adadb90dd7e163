//! A login where the scope has no way of its own: a command over the docker orb that is imported for it, or a
//! plain step.

use pullpass_audit::effect::{Effect, Provider};
use pullpass_audit::reference::DOCKER_HUB;
use pullpass_audit::yaml::{Node, Style as Written};

use super::{Need, ORB_VERSION, Writer, is_hub_login};
use crate::circleci::outline::{Scope, underscores};
use crate::edit::Edit;
use crate::meaning::Intent;
use crate::names::Names;
use crate::put;
use crate::style::{self, Yaml};
use crate::{Login, Part};

/// From how many places on the same plain step is a command that each of them calls.
const WORTH_A_COMMAND: usize = 3;

impl<'a> Writer<'a, '_> {
    /// A way of signing in for a scope that has none.
    pub(super) fn new_way(
        &self,
        scope: &Scope<'a>,
        number: usize,
        all: &[Need<'a>],
        names: &Names,
        part: &mut Part,
    ) -> Option<Yaml> {
        // A command is for the names that the file uses most.
        if (&names.user, &names.token) != (&self.names.user, &self.names.token) {
            return Some(self.plain_step(names, None));
        }
        let root = self.outline.scopes.first()?;
        let orbs = root.root.get("version").and_then(Node::as_str) == Some("2.1");
        let version = scope.docker_orb().map(|(_, version)| version);
        let version = version.or_else(|| self.outline.docker_version());
        let by_sh = is_for_bash(version.unwrap_or(ORB_VERSION))
            && all
                .iter()
                .filter(|n| self.outline.scope_of(n.list) == number)
                .any(Need::lacks_bash);
        let form = self.wishes.login.unwrap_or_else(|| {
            if by_sh {
                return Login::Run;
            }
            let by_hand = self.repo.audit.logins.iter().any(|l| {
                l.provider == Provider::CircleCi
                    && l.registry.as_deref() == Some(DOCKER_HUB)
                    && l.broken.is_none()
            });
            if by_hand && self.outline.docker_version().is_none() {
                Login::Run
            } else {
                Login::Orb
            }
        });
        if form == Login::Orb && orbs {
            let mut more = part.clone();
            if let Some(name) = self.declare(scope, number, all, &mut more) {
                *part = more;
                return Some(Yaml::text(name));
            }
        }
        let here = all
            .iter()
            .filter(|n| self.outline.scope_of(n.list) == number);
        if orbs && here.count() >= WORTH_A_COMMAND {
            let mut more = part.clone();
            if let Some(name) = self.declare_plain(scope, &mut more) {
                *part = more;
                return Some(Yaml::text(name));
            }
        }
        Some(self.plain_step(names, None))
    }

    /// A step that runs `docker login`, in another shell than the job's where one is given. It asks whether there is
    /// what to sign in with where the file's own logins do.
    pub(super) fn plain_step(&self, names: &Names, shell: Option<&str>) -> Yaml {
        let logins = self
            .jobs
            .iter()
            .flat_map(|job| &job.effects)
            .filter(|effect| is_hub_login(effect) && self.uses_names(effect, names));
        let asks = |effect: &Effect| effect.guards.iter().any(|guard| guard.with_secrets);
        let mut all = logins.map(asks).peekable();
        let asks = all.peek().is_some() && all.all(|asks| asks);
        plain_step(names, shell, asks)
    }

    /// Declares a command of that one step. Gives its name.
    pub(super) fn declare_plain(&self, scope: &Scope<'a>, part: &mut Part) -> Option<String> {
        let name = free_command(scope)?;
        let definition =
            Yaml::map([("steps", Yaml::List(vec![self.plain_step(self.names, None)]))]);
        self.add_to_section(scope, "commands", name, &definition, part)?;
        Some(name.to_owned())
    }

    /// Imports the docker orb and declares the command, where the scope has them not. Gives the
    /// command's name.
    pub(super) fn declare(
        &self,
        scope: &Scope<'a>,
        number: usize,
        all: &[Need<'a>],
        part: &mut Part,
    ) -> Option<String> {
        let known = scope.docker_orb();
        let version = known
            .map(|(_, version)| version)
            .or_else(|| self.outline.docker_version())
            .unwrap_or(ORB_VERSION);
        let orb = match known {
            Some((orb, _)) => orb.to_owned(),
            None => {
                let free = ["docker", "circleci-docker", "docker-orb"]
                    .into_iter()
                    .find(|name| !scope.declares_orb(name) && !self.outline.gives_to_orb(name))?;
                let import = Yaml::text(format!("circleci/docker@{version}"));
                self.add_to_section(scope, "orbs", free, &import, part)?;
                free.to_owned()
            }
        };
        let name = free_command(scope)?;
        let spell = |word: &str| {
            if underscores(version) {
                word.replace('-', "_")
            } else {
                word.to_owned()
            }
        };
        let mut steps = Vec::new();
        let here = all
            .iter()
            .filter(|n| self.outline.scope_of(n.list) == number);
        let mut needs = here.peekable();
        let of_need = |need: &Need<'a>| {
            let runs = |job: &String| is_usual_machine(self.outline.resource_class(job));
            need.hosts
                .iter()
                .all(|host| can_have_helper(host.as_deref()))
                && need.jobs.iter().all(runs)
        };
        if needs.peek().is_some() && needs.all(of_need) {
            let install = spell("install-docker-credential-helper");
            steps.push(Yaml::text(format!("{orb}/{install}")));
        }
        let arguments = Yaml::Map(vec![
            (spell("docker-username"), Yaml::text(&self.names.user)),
            (spell("docker-password"), Yaml::text(&self.names.token)),
        ]);
        steps.push(Yaml::Map(vec![(format!("{orb}/check"), arguments)]));
        let definition = Yaml::map([("steps", Yaml::List(steps))]);
        self.add_to_section(scope, "commands", name, &definition, part)?;
        Some(name.to_owned())
    }

    /// Adds an entry to `orbs` or `commands` of a scope, and the section where there is none.
    pub(super) fn add_to_section(
        &self,
        scope: &Scope<'a>,
        section: &str,
        name: &str,
        value: &Yaml,
        part: &mut Part,
    ) -> Option<()> {
        let text = self.style.text;
        if scope.root.style() != Written::Block {
            return None;
        }
        if let Some(known) = scope.root.get(section) {
            let (first, second) = {
                let mut pairs = known.pairs().map(|(key, _)| key);
                (pairs.next()?, pairs.next())
            };
            if known.style() != Written::Block || known.is_alias() {
                return None;
            }
            let start = put::own_line(text, first)?;
            let indent = style::column(text, first.use_span().start as usize);
            let mut lines = self.style.entry(indent, name, value);
            let apart = second
                .and_then(|key| put::own_line(text, key))
                .is_some_and(|at| put::blank_before(text, at));
            if apart {
                lines.push(String::new());
            }
            part.edits
                .push(Edit::insert(start, self.style.lines(&lines)));
            part.intents.push(Intent::AddKey {
                at: known.span().start,
                key: name.to_owned(),
                value: value.meaning(&self.style),
            });
            return Some(());
        }
        let entry = Yaml::map([(name, value.clone())]);
        let first = scope.root.pairs().next()?.0;
        let indent = style::column(text, first.use_span().start as usize);
        let version = scope
            .root
            .pairs()
            .find(|(key, _)| key.as_str() == Some("version"));
        let mut lines = self.style.entry(indent, section, &entry);
        let edit = match version {
            Some((_, version)) if section == "orbs" && scope.is_file => {
                let end = style::line_end(text, style::value_end(text, version));
                if put::blank_after(text, end) {
                    lines.insert(0, String::new());
                }
                Edit::insert(end, self.style.lines_after(&lines))
            }
            _ => {
                let keys = || scope.root.pairs().map(|(key, _)| key);
                let named = |name: &str| keys().find(|key| key.as_str() == Some(name));
                let before = if section == "orbs" && !scope.is_file {
                    keys().next()?
                } else {
                    named("jobs").or_else(|| named("workflows"))?
                };
                let start = put::own_line(text, before)?;
                if put::blank_before(text, start) {
                    lines.push(String::new());
                }
                Edit::insert(start, self.style.lines(&lines))
            }
        };
        part.edits.push(edit);
        part.intents.push(Intent::AddKey {
            at: scope.root.span().start,
            key: section.to_owned(),
            value: entry.meaning(&self.style),
        });
        Some(())
    }
}

pub(super) fn plain_step(names: &Names, shell: Option<&str>, asks: bool) -> Yaml {
    let mut command = format!(
        "printf '%s' \"${}\" | docker login --username \"${}\" --password-stdin",
        names.token, names.user
    );
    if asks {
        command = format!("if [ -n \"${}\" ]; then {command}; fi", names.token);
    }
    let shell = shell.map(|shell| ("shell".to_owned(), Yaml::text(shell)));
    let name = ("name".to_owned(), Yaml::text("Sign in to Docker Hub"));
    let command = ("command".to_owned(), Yaml::text(command));
    let run = [Some(name), shell, Some(command)].into_iter().flatten();
    Yaml::map([("run", Yaml::Map(run.collect()))])
}

/// A name for a command that signs in, which this scope has not given to another.
pub(super) fn free_command(scope: &Scope<'_>) -> Option<&'static str> {
    ["dockerhub_login", "docker_hub_login", "dockerhub_sign_in"]
        .into_iter()
        .find(|name| scope.command(name).is_none())
}

/// Whether a resource class is one of CircleCI's own with an amd64 processor: what the orb's helper is made for, where
/// nothing else is asked for. A runner of one's own may have another system, and keeps what is installed.
pub(super) fn is_usual_machine(class: Option<&str>) -> bool {
    class.is_none_or(|class| !class.contains("arm") && !class.contains(['/', '<']))
}

/// Whether an image surely or probably has no `bash`, which scripts of the docker orb need since its version 2: then
/// CircleCI runs steps by `/bin/sh` (<https://circleci.com/docs/configuration-reference/#default-shell-options>).
pub(super) fn lacks_bash(host: &str) -> bool {
    let of_circleci = host.starts_with("cimg/") || host.starts_with("circleci/");
    let (name, _) = host.split_once('@').unwrap_or((host, ""));
    let last = name.rsplit('/').next().unwrap_or(name);
    let program = last.split(':').next().unwrap_or(last);
    !of_circleci && (matches!(program, "docker" | "busybox") || name.contains("alpine"))
}

/// Whether scripts of the docker orb at a version are for `bash` only.
pub(super) fn is_for_bash(version: &str) -> bool {
    !version.starts_with("0.") && !version.starts_with("1.") && version != "0" && version != "1"
}

/// Whether the docker orb's credential helper can be installed: it needs Debian's packages and `sudo`.
pub(super) fn can_have_helper(host: Option<&str>) -> bool {
    match host {
        // A machine; CircleCI's are Ubuntu.
        None => true,
        Some(image) => {
            (image.starts_with("cimg/") || image.starts_with("circleci/"))
                && !image.contains("alpine")
        }
    }
}
