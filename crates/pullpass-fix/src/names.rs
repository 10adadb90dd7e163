//! Which variables hold the credential. A repository that already signs in to Docker Hub somewhere
//! has names for them, and gets no second set.

use std::collections::BTreeMap;

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

/// The two names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// The variable that holds the user name.
    pub user: String,
    /// The variable that holds the token.
    pub token: String,
    /// The repository already uses both.
    pub known: bool,
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
        let pair = |credential: &'_ Credential| -> Option<(String, String)> {
            let user = name_of(credential.username.as_deref()?)?;
            let token = name_of(credential.password.as_deref()?)?;
            Some((user.to_owned(), token.to_owned()))
        };
        let mut counted: BTreeMap<(String, String), usize> = BTreeMap::new();
        // What images are pulled with says more than what something is pushed with.
        for pull in audit.pulls.iter().filter(|p| p.provider == provider) {
            let hub = pull.registry.as_deref() == Some(pullpass_audit::reference::DOCKER_HUB);
            if let Some(pair) = pull.credential.as_ref().filter(|_| hub).and_then(pair) {
                *counted.entry(pair).or_default() += 1000;
            }
        }
        let logins = if pulls_only {
            &[][..]
        } else {
            &audit.logins[..]
        };
        for login in logins.iter().filter(|l| l.provider == provider) {
            let hub = login.registry.as_deref() == Some(pullpass_audit::reference::DOCKER_HUB);
            if hub && let Some(pair) = pair(&login.credential) {
                *counted.entry(pair).or_default() += 1;
            }
        }
        let own = counted
            .into_iter()
            .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)))
            .map(|(pair, _)| pair);
        let known = own.is_some();
        let (user, token) = own.unwrap_or_else(|| (USER.to_owned(), TOKEN.to_owned()));
        let same = options.user_var.as_ref().is_none_or(|u| *u == user)
            && options.token_var.as_ref().is_none_or(|t| *t == token);
        Self {
            user: options.user_var.clone().unwrap_or(user),
            token: options.token_var.clone().unwrap_or(token),
            known: known && same,
        }
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
