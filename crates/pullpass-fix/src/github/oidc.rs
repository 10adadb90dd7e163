//! The secretless form: the job may ask GitHub for a token about itself, and Docker Hub takes it in
//! exchange for one of its own.
//!
//! `permissions` is all or nothing: a block drops what it does not name. So a job that gets a block of its
//! own gets what it had before with it.

use pullpass_audit::yaml::Node;

use crate::Part;
use crate::meaning::Intent;
use crate::put::{self, Beside, walk};
use crate::style::{self, Yaml};

use super::files::{File, JobNode};
use super::logins::Desk;
use super::names::uses;
use super::pass::Parts;

/// First version of the login action that signs in so.
pub(super) const FIRST: (u32, u32) = (4, 5);

/// The variable that the login action reads.
pub(super) const CONNECTION: &str = "DOCKERHUB_OIDC_CONNECTIONID";

/// The variable that holds the organisation's name, where the person says no other.
pub(super) const ORGANIZATION: &str = "DOCKERHUB_ORGANIZATION";

/// Every permission that the default of a repository or organisation can grant ("Permissions for the
/// `GITHUB_TOKEN`" in GitHub's documents; `id-token` is never among them).
const DEFAULTS: [&str; 11] = [
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "statuses",
];

/// The rest of what `read-all` grants.
const MORE: [&str; 1] = ["security-events"];

/// Actions that ask GitHub for nothing but the repository's contents.
const CONTENTS_ONLY: [&str; 22] = [
    "actions/cache",
    "actions/cache/restore",
    "actions/cache/save",
    "actions/checkout",
    "actions/download-artifact",
    "actions/setup-dotnet",
    "actions/setup-go",
    "actions/setup-java",
    "actions/setup-node",
    "actions/setup-python",
    "actions/upload-artifact",
    "docker/bake-action",
    "docker/build-push-action",
    "docker/login-action",
    "docker/metadata-action",
    "docker/setup-buildx-action",
    "docker/setup-compose-action",
    "docker/setup-docker-action",
    "docker/setup-qemu-action",
    "gradle/actions/setup-gradle",
    "ruby/setup-ruby",
    "shivammathur/setup-php",
];

/// Lets a job ask for an identity token. Gives the reason why a person should look at it, if there is one.
///
/// # Errors
/// Why its permissions cannot be edited.
pub(super) fn allow(
    desk: &Desk<'_, '_, '_>,
    file: &File<'_>,
    job: JobNode<'_>,
    parts: &mut Parts,
    depth: usize,
) -> Result<Option<String>, String> {
    let review = own(file, job, parts.of(file.path)).map_err(|()| {
        format!(
            "the permissions of job `{}` are written in a way that is not edited",
            job.name()
        )
    })?;
    let mut review = review.map(str::to_owned);
    // A called workflow can be granted no more than its caller has.
    if depth < 10 && file.is_called() {
        for caller in desk.files.callers(file.path) {
            let more = allow(desk, caller.file, caller.job, parts, depth + 1)?;
            review = review.or(more);
        }
        review.get_or_insert_with(|| {
            "a caller in another repository must grant `id-token: write` too, or GitHub refuses the call".to_owned()
        });
    }
    Ok(review)
}

fn own(file: &File<'_>, job: JobNode<'_>, part: &mut Part) -> Result<Option<&'static str>, ()> {
    let style = &file.style;
    let write = || Yaml::Bare("write".to_owned());
    let of_job = job.node.entry("permissions");
    if let Some(known) = of_job {
        if known.merged || known.value.is_alias() {
            return Err(());
        }
        if known.value.is_mapping() {
            return match known.value.get("id-token") {
                None if known.value.pairs().next().is_none() => Err(()),
                None => put::key(style, known.value, Beside::End, "id-token", &write(), part)
                    .then_some(None)
                    .ok_or(()),
                Some(given) if given.as_str() == Some("write") => Ok(None),
                Some(_) => Err(()),
            };
        }
        return match known.value.as_str() {
            Some("write-all") => Ok(None),
            Some("read-all") => {
                let all = with_token(DEFAULTS.iter().chain(&MORE).map(|name| (*name, "read")));
                let span = known.value.use_span();
                let indent =
                    style::column(style.text, known.key.use_span().start as usize) + style.step;
                let Yaml::Map(entries) = &all else {
                    return Err(());
                };
                let lines: Vec<String> = entries
                    .iter()
                    .flat_map(|(k, v)| style.entry(indent, k, v))
                    .collect();
                let start = span.start as usize;
                let blank = style
                    .text
                    .get(..start)
                    .unwrap_or("")
                    .trim_end_matches(' ')
                    .len();
                part.edits.push(crate::edit::Edit::replace(
                    blank,
                    style::value_end(style.text, known.value),
                    style.lines_after(&lines),
                ));
                part.intents.push(Intent::Replace {
                    at: known.value.span().start,
                    value: all.meaning(style),
                });
                Ok(None)
            }
            _ => Err(()),
        };
    }
    let of_file = file.root.get("permissions");
    let (granted, review) = match of_file {
        Some(known) if known.as_str() == Some("write-all") => return Ok(None),
        Some(known) if known.as_str() == Some("read-all") => (
            with_token(DEFAULTS.iter().chain(&MORE).map(|name| (*name, "read"))),
            None,
        ),
        Some(known) if known.is_mapping() => {
            let entries: Option<Vec<(&str, &str)>> = known
                .entries()
                .iter()
                .map(|e| Some((e.key.as_str()?, e.value.as_str()?)))
                .collect();
            let entries = entries.ok_or(())?;
            if entries.contains(&("id-token", "write")) {
                return Ok(None);
            }
            // What a block does not name is none.
            let kept = entries
                .into_iter()
                .filter(|(name, given)| *name != "id-token" && *given != "none");
            (with_token(kept), None)
        }
        Some(_) => return Err(()),
        None if reads_contents_only(file, job.node) => {
            (with_token([("contents", "read")].into_iter()), None)
        }
        None => (
            with_token(DEFAULTS.iter().map(|name| (*name, "write"))),
            Some(
                "nothing in the repository says which permissions the job has now, so the block names all that the default can grant; cut it down to what the job needs",
            ),
        ),
    };
    put::key(
        style,
        job.node,
        Beside::Before(if job.node.get("uses").is_some() {
            "uses"
        } else {
            "steps"
        }),
        "permissions",
        &granted,
        part,
    )
    .then_some(review)
    .ok_or(())
}

fn with_token<'p>(granted: impl Iterator<Item = (&'p str, &'p str)>) -> Yaml {
    Yaml::Map(
        granted
            .chain([("id-token", "write")])
            .map(|(name, value)| (name.to_owned(), Yaml::Bare(value.to_owned())))
            .collect(),
    )
}

/// Whether nothing in a job can need more than to read the repository: it has no token of its own, and
/// uses only actions of which that is known.
fn reads_contents_only(file: &File<'_>, job: Node<'_>) -> bool {
    if job.get("uses").is_some() {
        return false;
    }
    let mut plain = true;
    let mut look = |node: Node<'_>| {
        let text = node.as_str().unwrap_or("").to_ascii_lowercase();
        plain &= !["github_token", "github.token", "gh_token"]
            .iter()
            .any(|word| text.contains(word));
        // A script sees no token that nobody hands to it, but for what a checkout leaves behind.
        plain &= !text.contains("git push");
    };
    walk(job, 0, &mut look);
    if let Some(env) = file.root.get("env") {
        walk(env, 0, &mut look);
    }
    let steps = job.get("steps").into_iter().flat_map(Node::items);
    plain
        && steps.filter_map(uses).all(|name| {
            CONTENTS_ONLY
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name))
        })
}
