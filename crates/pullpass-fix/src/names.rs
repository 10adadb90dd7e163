//! Which variables hold the credential. A repository that already signs in to Docker Hub somewhere
//! has names for them, and gets no second set.

use std::collections::{BTreeMap, BTreeSet};

use pullpass_audit::effect::Provider;
use pullpass_audit::finding::Audit;
use pullpass_audit::verdict::Credential;

use crate::{FixOptions, Needs};

/// Default name of the variable that holds the user name.
pub const USER: &str = "DOCKER_USER";

/// Default name of the variable that holds the token.
pub const TOKEN: &str = "DOCKER_ACCESS_TOKEN";

/// What takes the name out of a reference, as files of that CI system write one.
fn name_of(provider: Provider) -> fn(&str) -> Option<&str> {
    match provider {
        Provider::CircleCi => crate::circleci::variable,
        Provider::GitHub => |text| {
            let named = crate::github::named;
            named(text, "secrets").or_else(|| named(text, "vars"))
        },
    }
}

/// The names of user and token.
type Pair = (String, String);

/// What a pull with a pair counts: what images are pulled with says more than what something is pushed with.
const PULL: usize = 1000;

/// How often jobs use each pair for Docker Hub. `here` takes a job's file and its name.
fn tally(
    audit: &Audit,
    provider: Provider,
    name_of: fn(&str) -> Option<&str>,
    pulls_only: bool,
    here: impl Fn(&str, &str) -> bool,
) -> BTreeMap<Pair, usize> {
    let pair = |credential: &Credential| pair_of(credential, name_of);
    let hub = |registry: &Option<String>| {
        registry.as_deref() == Some(pullpass_audit::reference::DOCKER_HUB)
    };
    let mut counted: BTreeMap<Pair, usize> = BTreeMap::new();
    for pull in audit.pulls.iter().filter(|p| p.provider == provider) {
        let ours = hub(&pull.registry) && here(&pull.job_file, &pull.job);
        if let Some(pair) = pull.credential.as_ref().filter(|_| ours).and_then(pair) {
            *counted.entry(pair).or_default() += PULL;
        }
    }
    let logins = if pulls_only {
        &[][..]
    } else {
        &audit.logins[..]
    };
    for login in logins.iter().filter(|l| l.provider == provider) {
        let ours = hub(&login.registry) && here(&login.job_file, &login.job);
        if ours && let Some(pair) = pair(&login.credential) {
            *counted.entry(pair).or_default() += 1;
        }
    }
    counted
}

/// The pair that is used most.
fn most(counted: &BTreeMap<Pair, usize>) -> Option<Pair> {
    counted
        .iter()
        .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)))
        .map(|(pair, _)| pair.clone())
}

/// The pairs that could be meant as well as `own`. Where images name their credential it is the one to pull with,
/// and what jobs sign in with to push is another; but not where the job signs in with the same, for such an
/// image may have been edited by this program, and one edit must not settle what the next takes.
fn others(
    audit: &Audit,
    provider: Provider,
    name_of: fn(&str) -> Option<&str>,
    own: &Pair,
    counted: &BTreeMap<Pair, usize>,
) -> Vec<Pair> {
    if counted.len() < 2 {
        return Vec::new();
    }
    let mut by_image: BTreeSet<Pair> = BTreeSet::new();
    let named = |credential: &Credential| pair_of(credential, name_of);
    for pull in audit
        .pulls
        .iter()
        .filter(|p| p.provider == provider && p.by_host)
    {
        let Some(pair) = pull.credential.as_ref().and_then(named) else {
            continue;
        };
        let signs_in = audit.logins.iter().any(|login| {
            login.job == pull.job
                && login.job_file == pull.job_file
                && named(&login.credential).as_ref() == Some(&pair)
        });
        if !signs_in {
            by_image.insert(pair);
        }
    }
    let only_signed_in = |pair: &Pair| by_image.contains(own) && !by_image.contains(pair);
    let other = |pair: &&Pair| *pair != own && !only_signed_in(pair);
    counted.keys().filter(other).cloned().collect()
}

fn pair_of(credential: &Credential, name_of: fn(&str) -> Option<&str>) -> Option<Pair> {
    let user = name_of(credential.username.as_deref()?)?;
    let token = name_of(credential.password.as_deref()?)?;
    Some((user.to_owned(), token.to_owned()))
}

/// The two names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// The variable that holds the user name.
    pub user: String,
    /// The variable that holds the token.
    pub token: String,
    /// The repository already uses both.
    pub known: bool,
    /// Other pairs that could be meant as well.
    pub others: Vec<(String, String)>,
}

impl Names {
    /// The names to use: what the person said, else what the repository uses with this CI system,
    /// else the defaults. `name_of` takes the name out of a reference as the files write it.
    #[must_use]
    pub fn find(
        audit: &Audit,
        provider: Provider,
        options: &FixOptions,
        name_of: fn(&str) -> Option<&str>,
    ) -> Self {
        Self::count(audit, provider, options, name_of, false)
    }

    fn count(
        audit: &Audit,
        provider: Provider,
        options: &FixOptions,
        name_of: fn(&str) -> Option<&str>,
        pulls_only: bool,
    ) -> Self {
        let counted = tally(audit, provider, name_of, pulls_only, |_, _| true);
        let own = most(&counted);
        let known = own.is_some();
        let others = own
            .as_ref()
            .map(|own| others(audit, provider, name_of, own, &counted))
            .unwrap_or_default();
        let (user, token) = own.unwrap_or_else(|| (USER.to_owned(), TOKEN.to_owned()));
        let same = options.user_var.as_ref().is_none_or(|u| *u == user)
            && options.token_var.as_ref().is_none_or(|t| *t == token);
        let is_said = options.user_var.is_some() || options.token_var.is_some();
        Self {
            user: options.user_var.clone().unwrap_or(user),
            token: options.token_var.clone().unwrap_or(token),
            known: known && same,
            others: if is_said { Vec::new() } else { others },
        }
    }

    /// The names for these jobs of a file, where jobs have pairs of their own; and why that is a guess, where it is
    /// one.
    #[must_use]
    pub(crate) fn of_jobs<'j>(
        &self,
        audit: &Audit,
        provider: Provider,
        file: &str,
        jobs: impl IntoIterator<Item = &'j String>,
    ) -> (Self, Option<String>) {
        if self.others.is_empty() {
            return (self.clone(), None);
        }
        let known = |pair: &Pair| {
            *pair == (self.user.clone(), self.token.clone()) || self.others.contains(pair)
        };
        let own = |job: &String| {
            let here = |f: &str, j: &str| f == file && j == job;
            let mut counted = tally(audit, provider, name_of(provider), false, here);
            counted.retain(|pair, _| known(pair));
            most(&counted)
        };
        let mut own: BTreeSet<Option<Pair>> = jobs.into_iter().map(own).collect();
        if let (1, Some(Some((user, token)))) = (own.len(), own.pop_first()) {
            let names = Self {
                user,
                token,
                ..self.clone()
            };
            return (names, None);
        }
        let others: Vec<String> = self.others.iter().map(|(u, _)| format!("`{u}`")).collect();
        let why = format!(
            "jobs of this repository sign in with names of their own, and which of them is right here cannot be told: this takes `{}`, others are {}; `--user-var` and `--token-var` choose",
            self.user,
            others.join(", ")
        );
        (self.clone(), Some(why))
    }

    /// The default names: user, token.
    #[must_use]
    pub fn usual() -> (String, String) {
        (USER.to_owned(), TOKEN.to_owned())
    }

    /// Names for a credential that pulls, where the default ones are pushed with.
    #[must_use]
    pub fn beside() -> (String, String) {
        (
            "DOCKER_PULL_USER".to_owned(),
            "DOCKER_PULL_TOKEN".to_owned(),
        )
    }

    /// The names of what the repository's files push to Docker Hub with.
    #[must_use]
    pub fn pushed(audit: &Audit) -> Vec<(String, String)> {
        let hub = |registry: &Option<String>| {
            registry.as_deref() == Some(pullpass_audit::reference::DOCKER_HUB)
        };
        let pushes = audit.logins.iter().filter(|l| l.pushed && hub(&l.registry));
        pushes
            .filter_map(|login| {
                let name_of = name_of(login.provider);
                let user = name_of(login.credential.username.as_deref()?)?;
                let token = name_of(login.credential.password.as_deref()?)?;
                Some((user.to_owned(), token.to_owned()))
            })
            .collect()
    }

    /// The names that the repository's files already pull with on this CI system, else the defaults.
    /// What they only push with is no place for a credential that can pull and nothing else.
    #[must_use]
    pub fn in_use(audit: &Audit, provider: Provider) -> Self {
        let options = FixOptions::default();
        Self::count(audit, provider, &options, name_of(provider), true)
    }

    /// The names that the repository's files sign in with on this CI system, whatever for, else the defaults.
    #[must_use]
    pub fn signing_in(audit: &Audit, provider: Provider) -> Self {
        Self::find(audit, provider, &FixOptions::default(), name_of(provider))
    }

    /// What must exist for a login with these names to work.
    #[must_use]
    pub fn needs(&self, provider: Provider) -> Vec<Needs> {
        [&self.user, &self.token]
            .into_iter()
            .map(|name| Needs {
                provider,
                name: name.clone(),
                known: self.known,
                variable: false,
            })
            .collect()
    }
}
