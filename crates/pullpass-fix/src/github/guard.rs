//! What a run does that gets no secrets. A login step without a password fails, and with it the build
//! of every outside contributor, so where such runs are possible the step asks first.
//!
//! `secrets` is not allowed in a step's `if`; a variable of the job that says whether the secret is
//! there is. It holds for Dependabot too, which no condition on forks does.

pub(super) use pullpass_audit::editable::asks_for_events_only as is_about_events;
use pullpass_audit::effect::{Effect, Forks, Job};
use pullpass_audit::yaml::Node;

use crate::Part;
use crate::put::{self, Beside, walk};
use crate::style::Yaml;

use super::files::{File, Files, JobNode, expression, named};

/// The variable that says whether there is a secret to sign in with.
const VARIABLES: [&str; 2] = ["DOCKERHUB_LOGIN", "DOCKERHUB_LOGIN_POSSIBLE"];

/// A fork's pull request is left out; holds for every other event.
pub(super) const NO_FORK: &str = "github.event.pull_request.head.repo.fork != true";

/// How deep workflows call each other.
const MAX_CALLS: usize = 10;

/// The runs of some jobs that get no secrets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Without {
    /// Pull requests from forks.
    pub(super) forks: bool,
    /// Dependabot's pull requests and branches.
    pub(super) dependabot: bool,
    /// Callers in other repositories that pass none.
    pub(super) callers: bool,
}

impl Without {
    pub(super) fn of(
        files: &Files<'_>,
        file: &File<'_>,
        jobs: &[&Job],
        nodes: &[JobNode<'_>],
    ) -> Self {
        let kept_out = |job: &JobNode<'_>| {
            let condition = job.node.get("if").and_then(Node::as_str);
            condition.is_some_and(|text| text.contains("dependabot"))
        };
        Self {
            forks: jobs.iter().any(|job| job.forks == Forks::WithoutSecrets),
            dependabot: files.dependabot
                && !nodes.iter().all(kept_out)
                && starts_for_dependabot(files, file, 0),
            callers: file.is_called(),
        }
    }

    pub(super) fn any(self) -> bool {
        self.forks || self.dependabot || self.callers
    }

    /// Who they are, for a sentence that says what such a run does.
    pub(super) fn words(self) -> &'static str {
        match (self.forks, self.dependabot, self.callers) {
            (true, true, _) => "a fork's pull request and Dependabot get no secrets",
            (true, false, _) => "a fork's pull request gets no secrets",
            (false, true, _) => "Dependabot gets no secrets",
            (false, false, true) => "a caller may pass no secrets",
            (false, false, false) => "",
        }
    }

    /// The same for a login by GitHub's own identity, which no caller has to pass.
    pub(super) fn words_of_identity(self) -> &'static str {
        match (self.forks, self.dependabot) {
            (true, true) => "a fork's pull request and Dependabot get no identity token",
            (true, false) => "a fork's pull request gets no identity token",
            (false, true) => "Dependabot gets no identity token",
            (false, false) => "",
        }
    }
}

fn starts_for_dependabot(files: &Files<'_>, file: &File<'_>, depth: usize) -> bool {
    file.events().any(|(name, details)| match name {
        "pull_request" => true,
        // It pushes to branches of its own, and to the main one only when told to merge.
        "push" => details.is_none_or(|details| {
            let filters = |key: &str| details.get(key).map(Node::one_or_many).unwrap_or_default();
            let all = |pattern: &Node<'_>| {
                matches!(pattern.as_str(), Some("**" | "**/**" | "dependabot/**"))
            };
            let branches = filters("branches");
            branches.iter().any(all) || branches.is_empty() && filters("tags").is_empty()
        }),
        "workflow_call" if depth < MAX_CALLS => files
            .callers(file.path)
            .iter()
            .any(|caller| starts_for_dependabot(files, caller.file, depth + 1)),
        _ => false,
    })
}

/// The condition "there is a token" for steps of these jobs, with what it takes for it to mean
/// something. `None` where that cannot be written.
pub(super) fn there_is(
    file: &File<'_>,
    jobs: &[JobNode<'_>],
    token: &str,
    part: &mut Part,
) -> Option<String> {
    let known: Vec<Option<String>> = jobs.iter().map(|job| already(file, *job, token)).collect();
    if let Some(Some(first)) = known.first()
        && known.iter().all(|k| k.as_ref() == Some(first))
    {
        return Some(first.clone());
    }
    if jobs.is_empty() {
        return None;
    }
    let taken = |name: &str| {
        let job = |job: &JobNode<'_>| job.node.get("env").is_some_and(|e| e.get(name).is_some());
        jobs.iter().any(job)
    };
    let name = VARIABLES.into_iter().find(|name| !taken(name))?;
    let value = Yaml::text(format!("${{{{ secrets.{token} != '' }}}}"));
    let mut more = part.clone();
    for job in jobs {
        set(file, *job, name, &value, &mut more).then_some(())?;
    }
    *part = more;
    Some(format!("env.{name} == 'true'"))
}

/// A condition that the job's own variables allow.
fn already(file: &File<'_>, job: JobNode<'_>, token: &str) -> Option<String> {
    let of_job = job.node.get("env");
    [of_job, file.root.get("env")]
        .into_iter()
        .flatten()
        .flat_map(Node::entries)
        .find_map(|entry| {
            let (name, value) = (entry.key.as_str()?, entry.value.as_str()?);
            let inner: String = expression(value)?
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect();
            if named(value, "secrets") == Some(token) {
                Some(format!("env.{name} != ''"))
            } else if inner == format!("secrets.{token}!=''") {
                Some(format!("env.{name} == 'true'"))
            } else {
                None
            }
        })
}

fn set(file: &File<'_>, job: JobNode<'_>, name: &str, value: &Yaml, part: &mut Part) -> bool {
    let style = &file.style;
    if job.node.anchor().is_some() && job.node.is_alias() {
        return false;
    }
    let one = Yaml::Map(vec![(name.to_owned(), value.clone())]);
    match job.node.entry("env") {
        None => put::key(style, job.node, Beside::Before("steps"), "env", &one, part),
        Some(entry) if entry.merged || entry.value.is_alias() => false,
        Some(entry) if entry.value.is_null() => {
            put::below(style, entry.key, entry.value, &one, part)
        }
        Some(entry) => put::key(style, entry.value, Beside::End, name, value, part),
    }
}

/// A condition as this file writes its conditions.
pub(super) fn written(file: &File<'_>, condition: &str) -> String {
    if condition.contains("${{") {
        return condition.to_owned();
    }
    let (mut wrapped, mut bare) = (0, 0);
    walk(file.root, 0, &mut |node| {
        let condition = node.pairs().find(|(key, _)| key.as_str() == Some("if"));
        if let Some(text) = condition.and_then(|(_, value)| value.as_str()) {
            if expression(text).is_some() {
                wrapped += 1;
            } else {
                bare += 1;
            }
        }
    });
    if wrapped > bare {
        format!("${{{{ {condition} }}}}")
    } else {
        condition.to_owned()
    }
}

/// `a && b`, of conditions as they are written in a file. `None` when one cannot be taken into another.
pub(super) fn and(conditions: &[&str]) -> Option<String> {
    if let [one] = conditions {
        let line = one.split_whitespace().collect::<Vec<_>>().join(" ");
        return Some(line).filter(|line| !line.is_empty());
    }
    let parts: Option<Vec<String>> = conditions
        .iter()
        .map(|condition| {
            let inner = match expression(condition) {
                Some(inner) => inner,
                // GitHub takes such a mixture for a text.
                None if condition.contains("${{") => return None,
                None => condition.trim(),
            };
            let line = inner.split_whitespace().collect::<Vec<_>>().join(" ");
            Some(if line.contains("||") {
                format!("({line})")
            } else {
                line
            })
        })
        .collect();
    Some(parts?.join(" && ")).filter(|all| !all.is_empty())
}

/// Whether something happens in pull requests from forks only, which have nothing to sign in with.
pub(super) fn is_for_forks(effect: &Effect) -> bool {
    effect.guards.iter().any(|guard| {
        let text = guard.text.to_ascii_lowercase();
        let fork = "github.event.pull_request.head.repo.fork";
        let own = "github.event.pull_request.head.repo.full_name == github.repository";
        let named = text.as_str() == fork || text == format!("{fork} == true");
        named && guard.holds || (text == own || text == format!("{fork} == false")) && !guard.holds
    })
}
