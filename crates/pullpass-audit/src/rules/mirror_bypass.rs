//! The repository knows a mirror, and goes past it.

use hashbrown::HashMap;

use super::{Draft, Rule, Seen, name};
use crate::finding::{Fixable, Severity};
use crate::reference::DOCKER_HUB;
use crate::verdict::{Auth, Cause};

pub(super) const RULE: Rule = Rule {
    id: "mirror-bypass",
    summary: "an image that comes from a mirror elsewhere is pulled from Docker Hub here",
    severity: Severity::Info,
    explanation: "\
Somewhere in this repository the same image is taken from a copy of Docker Hub (ECR Public, Google's mirror), \
which has no limit per address; here it is pulled from Docker Hub itself, without a credential. Usually one \
place was forgotten when the others were moved.

**Severity.** Information, beside the finding for the pull itself.

**What to do.** Use the mirror here too, or sign in.",
    before: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: docker run --rm public.ecr.aws/docker/library/alpine:3.20 true
  b:
    runs-on: ubuntu-latest
    steps:
      - run: docker run --rm alpine:3.20 true
",
    after: "\
# file: .github/workflows/ci.yml
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: docker run --rm public.ecr.aws/docker/library/alpine:3.20 true
  b:
    runs-on: ubuntu-latest
    steps:
      - run: docker run --rm public.ecr.aws/docker/library/alpine:3.20 true
",
    check,
};

/// `library/alpine` of `docker.io/library/alpine:3` and of `public.ecr.aws/docker/library/alpine:3`.
fn repository(reference: &str) -> Option<&str> {
    let (_, path) = reference.split_once('/')?;
    let path = path.strip_prefix("docker/").unwrap_or(path);
    path.split([':', '@']).next()
}

fn check(seen: &Seen<'_>, out: &mut Vec<Draft>) {
    let mirrored: HashMap<&str, &crate::verdict::Pull> = seen
        .pulls
        .iter()
        .filter(|p| p.cause == Cause::Mirror)
        .filter_map(|p| Some((repository(p.reference.as_deref()?)?, p)))
        .collect();
    if mirrored.is_empty() {
        return;
    }
    for pull in seen.pulls.iter().filter(|p| {
        p.registry.as_deref() == Some(DOCKER_HUB)
            && matches!(p.auth, Auth::Anonymous | Auth::Impossible)
    }) {
        let Some(mirror) = pull
            .reference
            .as_deref()
            .and_then(repository)
            .and_then(|r| mirrored.get(r))
        else {
            continue;
        };
        let message = format!(
            "{} is pulled from Docker Hub in {{jobs}}, and from a mirror elsewhere in this repository",
            name(pull)
        );
        let mut draft = Draft::of_pull(
            pull,
            message,
            format!("use {} here too", name(mirror)),
            Fixable::None,
        );
        draft
            .related
            .push((mirror.place.clone(), "here it comes from a mirror".into()));
        out.push(draft);
    }
}
