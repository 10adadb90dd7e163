//! The rules: small functions over verdicts. One file per rule; this one is their list, and what
//! happens to what they find.

use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::effect::{Forks, Provider, Runner};
use crate::finding::{Finding, Fixable, Policy, Severity};
use crate::verdict::{Login, Place, Pull, Reach};

mod anonymous_pull;
mod cannot_authenticate;
mod fork_without_secrets;
mod literal_credential;
mod login_after_pull;
mod login_cannot_work;
mod login_conditional;
mod login_never_used;
mod mirror_bypass;
mod orb_version_mismatch;
mod platform_credential;
mod service_without_credentials;
mod shared_variable_across_registries;
mod unresolved_pull;

/// What a rule is: for the audit, and for `pullpass rules`, `pullpass explain` and SARIF.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its id, as in ignore comments and reports.
    pub id: &'static str,
    /// One line.
    pub summary: &'static str,
    /// How much it matters when nothing else is said (some rules say more by platform).
    pub severity: Severity,
    /// Markdown: what it finds, why it matters, what to do.
    pub explanation: &'static str,
    /// An example that it finds something in.
    pub before: &'static str,
    /// The same, mended.
    pub after: &'static str,
    check: fn(&Seen<'_>, &mut Vec<Draft>),
}

/// Every rule, by id.
pub const ALL: &[Rule] = &[
    anonymous_pull::RULE,
    cannot_authenticate::RULE,
    fork_without_secrets::RULE,
    literal_credential::RULE,
    login_after_pull::RULE,
    login_cannot_work::RULE,
    login_conditional::RULE,
    login_never_used::RULE,
    mirror_bypass::RULE,
    orb_version_mismatch::RULE,
    platform_credential::RULE,
    service_without_credentials::RULE,
    shared_variable_across_registries::RULE,
    unresolved_pull::RULE,
];

/// What rules look at.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Every pull of the repository.
    pub pulls: &'a [Pull],
    /// Every login.
    pub logins: &'a [Login],
    /// Commands that sign in and that no job calls, by name.
    pub unused: Vec<(Place, String)>,
    /// What the person asked for.
    pub policy: &'a Policy,
}

/// A finding before policy: one rule, one place, one job.
#[derive(Clone, Debug)]
pub struct Draft {
    severity: Option<Severity>,
    place: Place,
    job: Option<Arc<str>>,
    image: Option<String>,
    /// One sentence; `{jobs}` becomes "job `a`" or "jobs `a`, `b` and 3 more".
    message: String,
    help: Cow<'static, str>,
    fix: Fixable,
    reached: bool,
    related: Vec<(Place, Arc<str>)>,
}

impl Draft {
    fn of_pull(
        pull: &Pull,
        message: String,
        help: impl Into<Cow<'static, str>>,
        fix: Fixable,
    ) -> Self {
        let message = if pull.reached {
            message
        } else {
            message.replace("is pulled", "would be pulled")
        };
        let mut related: Vec<(Place, Arc<str>)> = Vec::with_capacity(pull.trace.len() + 1);
        let steps = pull.trace.iter();
        related.extend(steps.map(|s| (s.place.clone(), Arc::clone(&s.note))));
        if let Some(decided_by) = &pull.decided_by
            && *decided_by != pull.place
        {
            related.push((decided_by.clone(), pull.reason.as_str().into()));
        }
        Self {
            // Nothing fails because of what never runs.
            severity: (!pull.reached).then_some(Severity::Info),
            place: pull.place.clone(),
            job: Some(Arc::clone(&pull.job)),
            image: pull.reference.clone().or_else(|| pull.image.clone()),
            message,
            help: help.into(),
            fix,
            reached: pull.reached,
            related,
        }
    }

    fn of_login(
        login: &Login,
        message: String,
        help: impl Into<Cow<'static, str>>,
        fix: Fixable,
    ) -> Self {
        Self {
            severity: None,
            place: login.place.clone(),
            job: Some(Arc::clone(&login.job)),
            image: None,
            message,
            help: help.into(),
            fix,
            reached: true,
            related: Vec::new(),
        }
    }

    /// With this severity, unless it is already known to matter less.
    fn at(mut self, severity: Severity) -> Self {
        self.severity = self.severity.or(Some(severity));
        self
    }
}

/// A message, in one piece of memory: most are about as long.
fn message(text: fmt::Arguments<'_>) -> String {
    let mut out = String::with_capacity(256);
    // A text cannot fail to be written.
    let _ = fmt::Write::write_fmt(&mut out, text);
    out
}

/// How a pull is named in a message.
fn name(pull: &Pull) -> Name<'_> {
    Name(pull.image.as_deref())
}

/// An image in a message.
struct Name<'p>(Option<&'p str>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(image) => write!(f, "`{image}`"),
            None => f.write_str("an image"),
        }
    }
}

/// How bad an anonymous pull is: an error where the machine's address is shared and nothing else
/// helps, a warning on GitHub's own runners.
fn anonymous_severity(pull: &Pull) -> Severity {
    match (pull.provider, pull.runner) {
        (Provider::CircleCi, _) | (_, Runner::SelfHosted) => Severity::Error,
        (Provider::GitHub, _) => Severity::Warning,
    }
}

/// Whether the pull can be authenticated without breaking a build that passes today. A login can be
/// left out for forks, the credential of an image that the runner pulls cannot.
fn login_fix(pull: &Pull) -> Fixable {
    if pull.by_host && !pull.has_slot || !is_within_reach(pull) {
        Fixable::None
    } else if pull.by_host && pull.forks == Forks::WithoutSecrets {
        pull.edit.and(Fixable::Review)
    } else {
        pull.edit
    }
}

/// The login that decided the verdict.
fn login_of<'s>(seen: &'s Seen<'_>, pull: &Pull) -> Option<&'s Login> {
    let place = pull.decided_by.as_ref()?;
    let same = |login: &&Login| {
        login.place == *place && login.job == pull.job && login.job_file == pull.job_file
    };
    seen.logins.iter().find(same)
}

/// Whether a login step of the job can authenticate it.
fn is_within_reach(pull: &Pull) -> bool {
    match pull.reach {
        Reach::Job => true,
        Reach::Root => false,
        Reach::Own => pull.provider != Provider::GitHub,
    }
}

/// What to do about a pull that nothing authenticates, in the words of its CI system.
fn login_help(pull: &Pull) -> &'static str {
    if !pull.by_host && !is_within_reach(pull) {
        return match pull.reach {
            Reach::Root => {
                "it is pulled under `sudo`, which does not see who signed in without it: sign in under `sudo` before it, or pull without"
            }
            _ => {
                "no login step of the job reaches the client that pulls it: give it a credential in its own way, if it has one"
            }
        };
    }
    match (pull.provider, pull.by_host) {
        (Provider::CircleCi, true) if !pull.has_slot => {
            "an orb chooses this image and gives it no `auth`: where the job can be given an executor, give it one of your own that has `auth`"
        }
        (Provider::CircleCi, true) => {
            "add `auth: {username: $DOCKER_USER, password: $DOCKER_ACCESS_TOKEN}` to the image"
        }
        (Provider::CircleCi, false) => {
            "sign in before it in the same job, for example with `docker/check` of the circleci/docker orb, or `printf '%s' \"$DOCKER_ACCESS_TOKEN\" | docker login --username \"$DOCKER_USER\" --password-stdin`"
        }
        (Provider::GitHub, true) => {
            "give the image `credentials` with `username` and `password` from secrets"
        }
        (Provider::GitHub, false) => "put a `docker/login-action` step before it in the same job",
    }
}

/// Runs every rule, puts the jobs of one place together, applies the policy's severities.
/// Fingerprints are made of images as they are `shown`, where that is not as they are.
#[must_use]
pub fn check(seen: &Seen<'_>, shown: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for rule in ALL {
        let chosen = seen
            .policy
            .severities
            .iter()
            .rev()
            .find(|(id, _)| id == rule.id)
            .map(|(_, severity)| *severity);
        if chosen == Some(None) {
            continue;
        }
        let mut drafts = Vec::new();
        (rule.check)(seen, &mut drafts);
        collect(rule, chosen.flatten(), drafts, &mut out);
    }
    out.sort_by(|a, b| (&a.place, a.rule, &a.message).cmp(&(&b.place, b.rule, &b.message)));
    number(&mut out, shown);
    out
}

fn collect(rule: &Rule, chosen: Option<Severity>, drafts: Vec<Draft>, out: &mut Vec<Finding>) {
    // The findings so far, by their places and messages.
    let mut at: HashTable<usize> = HashTable::with_capacity(drafts.len());
    let hasher = DefaultHashBuilder::default();
    let first = out.len();
    for draft in drafts {
        let severity = chosen.or(draft.severity).unwrap_or(rule.severity);
        let hash = hasher.hash_one((&draft.place, &draft.message));
        let is_same = |&i: &usize| {
            out.get(i)
                .is_some_and(|f: &Finding| f.place == draft.place && f.message == draft.message)
        };
        if let Some(known) = at.find(hash, is_same).copied().and_then(|i| out.get_mut(i)) {
            known.severity = known.severity.max(severity);
            known.reached |= draft.reached;
            let new = draft
                .job
                .filter(|job| !known.jobs.iter().any(|name| **name == **job));
            known.jobs.extend(new.map(|job| job.to_string()));
            // Of some of its jobs it holds, and of others not.
            if known.fix != draft.fix {
                known.fix = Fixable::Review;
            }
            continue;
        }
        // There is room for all, so none is moved and hashed again.
        at.insert_unique(hash, out.len(), |_| hash);
        out.push(Finding {
            rule: rule.id,
            severity,
            place: draft.place,
            jobs: draft.job.iter().map(|job| job.to_string()).collect(),
            image: draft.image,
            message: draft.message,
            help: draft.help,
            fix: draft.fix,
            reached: draft.reached,
            related: draft.related,
            fingerprint: String::new(),
        });
    }
    for finding in out.iter_mut().skip(first) {
        put_in(&mut finding.message, "{jobs}", &finding.jobs);
    }
}

/// Puts the names of jobs in the place of every `mark`.
fn put_in(text: &mut String, mark: &str, names: &[String]) {
    let first = mark.as_bytes().first().copied().unwrap_or_default();
    let mut from = 0;
    while let Some(rest) = text.get(from..)
        && let Some(at) = memchr::memchr(first, rest.as_bytes())
    {
        let start = from + at;
        if text.get(start..).is_some_and(|rest| rest.starts_with(mark)) {
            let jobs = jobs(names);
            text.replace_range(start..start + mark.len(), &jobs);
            from = start + jobs.len();
        } else {
            // A mark begins with a character of one byte.
            from = start + 1;
        }
    }
}

fn jobs(names: &[String]) -> String {
    match names {
        [] => "no job".to_owned(),
        // Nearly all: in one piece, without the machinery of formats.
        [one] => ["job `", one, "`"].concat(),
        [a, b] => format!("jobs `{a}` and `{b}`"),
        [a, b, rest @ ..] => format!("jobs `{a}`, `{b}` and {} more", rest.len()),
    }
}

/// Fingerprints are made of what an unrelated edit does not change: the rule, the file, the image
/// and the text of the line, without what is secret in them, and a count where all of these are the same.
fn number(findings: &mut [Finding], shown: impl Fn(&str) -> Option<String>) {
    let mut seen: HashMap<u64, u64> = HashMap::new();
    for finding in findings {
        let mut hash = Fnv::default();
        let image = finding.image.as_deref().unwrap_or("");
        let hidden = shown(image);
        for part in [
            finding.rule,
            &finding.place.file,
            hidden.as_deref().unwrap_or(image),
            finding.place.text.trim(),
        ] {
            hash.write(part);
        }
        let count = seen.entry(hash.0).or_default();
        match *count {
            0 => hash.write("0"),
            more => hash.write(&more.to_string()),
        }
        *count += 1;
        finding.fingerprint = in_hex(hash.0);
    }
}

/// Sixteen digits.
fn in_hex(number: u64) -> String {
    format!("{number:016x}")
}

/// FNV-1a, 64 bits: the standard library's hasher may change between versions of Rust, and a
/// fingerprint must not.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn write(&mut self, text: &str) {
        for byte in text.bytes().chain(std::iter::once(0)) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Options;
    use crate::source::MemoryTree;

    /// The example files of a rule: a `# file: PATH` line begins each.
    fn tree(example: &str) -> MemoryTree {
        let mut tree = MemoryTree::new();
        for part in example.split("# file: ").skip(1) {
            let (path, text) = part.split_once('\n').unwrap_or((part, ""));
            tree = tree.with(path.trim(), text);
        }
        tree
    }

    fn found(example: &str) -> Vec<&'static str> {
        crate::audit(&tree(example), &Options::default(), &Policy::default())
            .findings
            .iter()
            .map(|f| f.rule)
            .collect()
    }

    /// The rules that find something in a workflow with these steps.
    fn in_steps(on: &str, steps: &str) -> Vec<&'static str> {
        found(&format!(
            "# file: .github/workflows/ci.yml\non: {on}\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{steps}"
        ))
    }

    const LOGIN: &str = "    - uses: docker/login-action@v3\n      with: {username: u, password: '${{ secrets.T }}'}\n";

    #[test]
    fn the_jobs_own_token_and_other_registries_are_no_matter_of_forks() {
        let login = |with: &str| {
            in_steps(
                "pull_request",
                &format!("    - uses: docker/login-action@v3\n      with: {{{with}}}\n"),
            )
        };
        for with in [
            "registry: ghcr.io, username: u, password: '${{ secrets.GITHUB_TOKEN }}'",
            "registry: ghcr.io, username: u, password: '${{ github.token }}'",
            "registry: quay.io, username: u, password: '${{ secrets.QUAY }}'",
        ] {
            assert!(!login(with).contains(&"fork-without-secrets"), "{with}");
        }
        let hub = login("username: u, password: '${{ secrets.T }}'");
        assert!(hub.contains(&"fork-without-secrets"));
    }

    #[test]
    fn what_two_commands_print_is_no_shared_variable() {
        let rule = "shared-variable-across-registries";
        let logins = |first: &str, second: &str| {
            in_steps(
                "push",
                &format!(
                    "    - run: {first} | docker login -u u --password-stdin one.example.com\n    - run: {second} | docker login -u u --password-stdin two.example.com\n"
                ),
            )
        };
        assert!(!logins("./token one", "./token two").contains(&rule));
        assert!(
            !logins("aws ecr get-login-password", "aws ecr get-login-password").contains(&rule)
        );
        assert!(logins("printenv P", "echo $P").contains(&rule));
        assert!(!logins("printenv P", "echo $Q").contains(&rule));
    }

    #[test]
    fn a_pull_request_brings_no_inputs() {
        let on = "{pull_request: , workflow_dispatch: {inputs: {publish: {type: boolean}}}}";
        let job = |condition: &str| {
            found(&format!(
                "# file: .github/workflows/ci.yml\non: {on}\njobs:\n  j:\n    if: {condition}\n    steps:\n{LOGIN}    - run: docker pull alpine\n"
            ))
        };
        assert!(job("vars.publish").contains(&"fork-without-secrets"));
        for condition in ["inputs.publish", "github.event.inputs.publish == 'true'"] {
            assert_eq!(job(condition), [] as [&str; 0], "{condition}");
        }
    }

    #[test]
    fn a_login_may_be_for_what_cannot_be_looked_into() {
        let rule = "login-never-used";
        assert!(in_steps("push", LOGIN).contains(&rule));
        for step in [
            "    - uses: who/knows@v1\n",
            "    - uses: devcontainers/ci@v0.3\n",
            "    - run: ko build .\n",
            "    - run: ./result/bin/tool push\n",
            "    - run: $HOME/bin/tool -o x\n",
            "    - run: curl -fsS https://example.com/x.sh | bash -s -- push\n",
            "    - uses: redhat-actions/push-to-registry@v2\n      with: {tags: 'docker.io/me/app:1'}\n",
        ] {
            assert!(
                !in_steps("push", &format!("{LOGIN}{step}")).contains(&rule),
                "{step}"
            );
            assert!(
                in_steps("push", &format!("{step}{LOGIN}")).contains(&rule),
                "{step}"
            );
        }
    }

    #[test]
    fn a_login_is_for_what_is_pushed() {
        let files = "# file: Dockerfile\nFROM ghcr.io/me/base\n# file: docker-bake.hcl\ntarget \"default\" { tags = [\"a/b\"] }\n# file: .releaserc.json\n{\"plugins\":[\"@semantic-release-plus/docker\"]}\n";
        let flagged = |step: &str| {
            let steps = format!(
                "{files}# file: .github/workflows/ci.yml\non: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{LOGIN}{step}"
            );
            found(&steps).contains(&"login-never-used")
        };
        for run in [
            "docker push -a a/b",
            "docker push -q a/b",
            "podman login -u u -p $T docker.io; podman push x docker://docker.io/a/b",
            "docker buildx build --output type=registry -t a/b .",
            "docker buildx build -o type=image,push=true,name=a/b .",
            "docker buildx build --push -t ghcr.io/a/b --cache-to type=registry,ref=a/b:cache .",
            "docker buildx bake --set '*.output=type=registry'",
            "docker scout cves local://x",
            "docker trust sign a/b:1",
            "docker plugin push a/b",
            "docker model push a/b",
            "imgpkg push -i a/b -f .",
            "buildctl build --frontend dockerfile.v0 --local context=. --output type=image,name=docker.io/a/b,push=true",
            "bazel run //:push",
            "npx semantic-release",
        ] {
            assert!(!flagged(&format!("    - run: {run:?}\n")), "{run}");
        }
        for uses in [
            "{uses: docker/build-push-action@v6, with: {context: ., outputs: 'type=image,name=a/b,push-by-digest=true,push=true'}}",
            "{uses: docker/build-push-action@v6, with: {context: ., tags: a/b, outputs: type=registry}}",
            "{uses: docker/build-push-action@v6, with: {context: ., tags: ghcr.io/a/b, push: true, cache-to: 'type=registry,ref=a/b:cache'}}",
            "{uses: docker/bake-action@v6, with: {source: ., set: '*.output=type=registry'}}",
        ] {
            assert!(!flagged(&format!("    - {uses}\n")), "{uses}");
        }
        for step in [
            "run: docker push ghcr.io/a/b",
            "run: docker buildx build -t a/b .",
            "run: docker buildx build --output type=registry,name=ghcr.io/a/b -t a/b .",
            "run: bazel build //x",
        ] {
            assert!(flagged(&format!("    - {step}\n")), "{step}");
        }
    }

    #[test]
    fn what_no_login_step_reaches_is_not_said_to_be_mended_by_one() {
        let advice = |step: &str| {
            let workflow = format!(
                "# file: .github/workflows/ci.yml\non: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{step}"
            );
            let audit = crate::audit(&tree(&workflow), &Options::default(), &Policy::default());
            let found = audit
                .findings
                .into_iter()
                .find(|f| f.rule == "anonymous-pull");
            found.map(|f| (f.fix, f.help.contains("docker/login-action")))
        };
        assert_eq!(
            advice("    - run: docker pull alpine\n"),
            Some((Fixable::Safe, true))
        );
        for step in [
            "    - run: sudo docker pull alpine\n",
            "    - uses: supercharge/mongodb-github-action@1.12.0\n",
        ] {
            assert_eq!(advice(step), Some((Fixable::None, false)), "{step}");
        }
    }

    #[test]
    fn behind_a_login_it_does_not_matter_what_is_pulled() {
        let rule = "unresolved-pull";
        for step in [
            "    - run: docker run $IMAGE\n",
            "    - run: skaffold build\n",
            "    - uses: devcontainers/ci@v0.3\n",
        ] {
            assert!(in_steps("push", step).contains(&rule), "{step}");
            let seen = in_steps("push", &format!("{LOGIN}{step}"));
            assert!(!seen.contains(&rule), "{step}");
            let sometimes = LOGIN.replace("      with", "      if: vars.x\n      with");
            let seen = in_steps("push", &format!("{sometimes}{step}"));
            assert!(seen.contains(&rule), "{step}");
            let other = LOGIN.replace("username: u", "registry: quay.io, username: u");
            let seen = in_steps("push", &format!("{other}{step}"));
            assert!(seen.contains(&rule), "{step}");
        }
    }

    #[test]
    fn what_an_unread_build_made_is_not_pulled() {
        let rule = "anonymous-pull";
        for build in [
            "ko build .",
            "./mvnw spring-boot:build-image",
            "gradle jibDockerBuild",
        ] {
            let step = |image: &str| format!("    - run: {build}\n    - run: docker run {image}\n");
            let about = |image: &str| {
                let text = format!(
                    "# file: .github/workflows/ci.yml\non: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n{}",
                    step(image)
                );
                let audit = crate::audit(&tree(&text), &Options::default(), &Policy::default());
                let of_image = audit.findings.iter().filter(|f| f.rule == rule);
                of_image.filter(|f| f.message.contains(image)).count()
            };
            assert_eq!(about("me/app"), 0, "{build}");
            assert_eq!(about("our-app:test"), 0, "{build}");
            assert_eq!(about("redis:7"), 1, "{build}");
            assert_eq!(about("testcontainers/ryuk:1"), 1, "{build}");
        }
    }

    #[test]
    fn circleci_says_that_it_is_ci() {
        let config = |script: &str| {
            found(&format!(
                "# file: .circleci/config.yml\nversion: 2.1\njobs:\n  build:\n    machine: true\n    steps:\n      - run: |\n          {script}\n"
            ))
        };
        for script in [
            "if [[ $CI == true ]]; then exit 0; fi; docker pull alpine",
            "[ -z \"$CI\" ] && docker pull alpine",
            "if [ \"$CIRCLECI\" != true ]; then docker pull alpine; fi",
        ] {
            assert_eq!(config(script), [] as [&str; 0], "{script}");
        }
        assert!(config("[ -n \"$CI\" ] && docker pull alpine").contains(&"anonymous-pull"));
    }

    #[test]
    fn every_rule_finds_its_own_example_and_nothing_in_the_mended_one() {
        for rule in ALL {
            assert!(
                found(rule.before).contains(&rule.id),
                "{} finds nothing in its example: {:?}",
                rule.id,
                found(rule.before)
            );
            assert!(
                !found(rule.after).contains(&rule.id),
                "{} still finds something in its mended example",
                rule.id
            );
        }
    }

    #[test]
    fn an_image_that_an_orb_chooses_has_no_place_for_a_credential() {
        let config = "version: 2.1\norbs: {hmpps: ministryofjustice/hmpps@8.1}\njobs:\n  own:\n    docker: [image: cimg/go:1]\n    steps: [checkout]\nworkflows: {w: {jobs: [hmpps/helm_lint, own]}}\n";
        let tree = MemoryTree::new().with(".circleci/config.yml", config);
        let audit = crate::audit(&tree, &Options::default(), &Policy::default());
        let found: Vec<(bool, bool)> = audit
            .findings
            .iter()
            .filter(|f| f.rule == "platform-credential")
            .map(|f| (f.help.starts_with("an orb"), f.fix == Fixable::None))
            .collect();
        assert_eq!(found, [(false, false), (true, true)]);
    }

    #[test]
    fn an_image_that_starts_with_a_parameter_of_the_pipeline_asks_for_a_look() {
        let fix = |image: &str| {
            let config = format!(
                "version: 2.1\nparameters:\n  p: {{type: string, default: cimg/go}}\n  v: {{type: string, default: '1'}}\njobs:\n  own:\n    docker:\n      - image: {image}\n    steps: [checkout]\nworkflows: {{w: {{jobs: [own]}}}}\n"
            );
            let tree = MemoryTree::new().with(".circleci/config.yml", config.as_str());
            let audit = crate::audit(&tree, &Options::default(), &Policy::default());
            let found = audit.findings.iter();
            let found = found.filter(|f| f.rule == "platform-credential");
            found.map(|f| f.fix).collect::<Vec<_>>()
        };
        assert_eq!(fix("<< pipeline.parameters.p >>"), [Fixable::Review]);
        assert_eq!(fix("'<<pipeline.parameters.p>>:1'"), [Fixable::Review]);
        assert_eq!(
            fix("'cimg/go:<< pipeline.parameters.v >>'"),
            [Fixable::Safe]
        );
        assert_eq!(fix("cimg/go:1"), [Fixable::Safe]);
    }

    #[test]
    fn where_a_secret_is_kept_is_no_secret() {
        let found = |with: &str| {
            let workflow = format!(
                "# file: .github/workflows/ci.yml\non: push\njobs:\n  j:\n    runs-on: ubuntu-latest\n    steps:\n    - uses: o/setup@v1\n      with: {{{with}}}\n    - run: docker pull alpine\n"
            );
            let audit = crate::audit(&tree(&workflow), &Options::default(), &Policy::default());
            let mut findings = audit.findings.iter();
            findings.any(|f| f.rule == "literal-credential")
        };
        for with in [
            "pairs: '/docker/username = DOCKER_USERNAME, /docker/token = DOCKER_TOKEN'",
            "secrets: DOCKERHUB_TOKEN",
            "docker_password: '${{ secrets.T }}'",
        ] {
            assert!(!found(with), "{with}");
        }
        assert!(found("docker_password: not-a-real-one-1"));
    }

    #[test]
    fn rules_are_sorted_unique_and_explained() {
        assert!(
            ALL.windows(2)
                .all(|pair| matches!(pair, [a, b] if a.id < b.id))
        );
        for rule in ALL {
            assert!(
                rule.explanation.len() > 200,
                "{} teaches too little",
                rule.id
            );
            assert!(
                rule.summary.len() < 90 && !rule.summary.ends_with('.'),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn a_fingerprint_survives_an_edit_elsewhere() {
        let before = tree(anonymous_pull::RULE.before);
        let moved = tree(
            &anonymous_pull::RULE
                .before
                .replace("version: 2.1", "# a comment\n\nversion: 2.1"),
        );
        let print = |t: &MemoryTree| -> Vec<String> {
            crate::audit(t, &Options::default(), &Policy::default())
                .findings
                .into_iter()
                .map(|f| f.fingerprint)
                .collect()
        };
        assert_eq!(print(&before), print(&moved));
    }

    #[test]
    fn no_part_of_a_finding_tells_a_password() {
        let of = |password: &str| {
            let workflow = format!(
                "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    services: {{x: {{image: 'me/{password}'}}}}\n    steps:\n      - run: docker login -u me -p {password}\n      - run: docker pull alpine:{password}\n      - run: docker run -e X={password} $X/{password}\n"
            );
            let tree = MemoryTree::new().with(".github/workflows/a.yml", workflow);
            let audit = crate::audit(&tree, &Options::default(), &Policy::default());
            let all = format!("{:?} {:?}", audit.pulls, audit.findings);
            assert!(!all.contains(password), "{all}");
            assert!(audit.findings.iter().any(|f| f.image.is_some()), "{all}");
            let prints = audit.findings.into_iter().map(|f| f.fingerprint);
            prints.collect::<Vec<_>>()
        };
        // Whoever has the report could try passwords until one gives its fingerprint.
        assert_eq!(of("not-a-real_one"), of("nor-is-this"));
    }

    #[test]
    fn a_rule_can_be_turned_off_or_made_louder() {
        let tree = tree(anonymous_pull::RULE.before);
        let with = |severity| {
            let policy = Policy {
                severities: vec![("anonymous-pull".into(), severity)],
                ..Policy::default()
            };
            crate::audit(&tree, &Options::default(), &policy)
                .findings
                .into_iter()
                .find(|f| f.rule == "anonymous-pull")
                .map(|f| f.severity)
        };
        assert_eq!(with(None), None);
        assert_eq!(with(Some(Severity::Info)), Some(Severity::Info));
    }

    #[test]
    fn a_comment_silences_a_finding_where_it_stands() {
        let text = anonymous_pull::RULE
            .before
            .replace("docker run", "docker run # pullpass: ignore\n          #");
        let text = text.replace("# pullpass: ignore\n          #", "");
        let silenced = text.replace(
            "      - run: docker run",
            "      # pullpass: ignore[anonymous-pull] rehearsed\n      - run: docker run",
        );
        assert!(found(&text).contains(&"anonymous-pull"));
        assert!(!found(&silenced).contains(&"anonymous-pull"));
    }
}
