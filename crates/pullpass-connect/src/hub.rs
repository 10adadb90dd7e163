//! Docker Hub: people, teams and tokens of an organisation.
//!
//! A bearer token is good for ten minutes; [`session`] renews it. Only a session that began with a
//! password may manage tokens: `token issued from personal access token is not allowed` is what
//! Docker Hub says otherwise.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::SignedDuration;
use pullpass_fleet::failure::{Failure, FailureKind};
use pullpass_fleet::name::{DockerId, Organization};
use secrecy::SecretString;

use crate::http::{Answer, Ask, Http, Options};

pub use audit::Event;
pub use people::{Invitation, Invited, Member, Role};
pub use session::{SignIn, SignedInWith, WhoAmI};
pub use tokens::{Minted, Pull};

mod audit;
mod people;
mod session;
mod tokens;

/// Where Docker Hub's API is.
pub const URL: &str = "https://hub.docker.com";

/// Where the operator's credentials come from, for a person.
const CREDENTIAL: &str = "`PULLPASS_HUB_USER` and `PULLPASS_HUB_SECRET`";

/// Asks the person for the code that their authenticator shows.
pub type SecondFactor = Box<dyn Fn() -> Result<SecretString, Failure>>;

/// Whose tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The personal access tokens of a Docker ID that has been signed in with [`Hub::sign_in`].
    Account(DockerId),
    /// The access tokens of the organisation, which the operator manages.
    Organization,
}

/// Docker Hub, as the operator and as the Docker IDs whose passwords are known.
pub struct Hub {
    http: Http,
    organization: Organization,
    operator: Option<Rc<session::Session>>,
    second_factor: Option<SecondFactor>,
    accounts: RefCell<BTreeMap<DockerId, Rc<session::Session>>>,
}

impl Hub {
    /// A client for one organisation. The operator is a user name, or the name of the organisation
    /// with one of its access tokens; without one, only what anybody may do can be done.
    ///
    /// # Errors
    ///
    /// [`FailureKind::Configuration`] when `url` is no address.
    pub fn new(
        options: &Options,
        url: &str,
        organization: Organization,
        operator: Option<(String, SecretString)>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            http: Http::new(options, "Docker Hub", CREDENTIAL, url)?,
            organization,
            operator: operator.map(|(name, secret)| Rc::new(session::Session::new(name, secret))),
            second_factor: None,
            accounts: RefCell::default(),
        })
    }

    /// Asks a person for the operator's second factor, where the account has one.
    #[must_use]
    pub fn with_second_factor(mut self, code: SecondFactor) -> Self {
        self.second_factor = Some(code);
        self
    }

    /// Whether there is an operator to do anything as.
    pub fn has_operator(&self) -> bool {
        self.operator.is_some()
    }

    /// Requests that were sent, repetitions included.
    pub fn calls(&self) -> u64 {
        self.http.calls()
    }

    /// How far Docker Hub's clock is ahead of this machine's, to about a second; `None` before its
    /// first answer.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        self.http.ahead()
    }

    /// Whether a Docker ID exists (or an organisation of that name: they share their names).
    ///
    /// # Errors
    ///
    /// When Docker Hub gives no answer.
    pub async fn exists(&self, id: &DockerId) -> Result<bool, Failure> {
        // Not in Docker's description of its API, and what everybody uses.
        let ask = Ask::get(
            format!("find out whether the Docker ID `{id}` exists"),
            &["v2", "users", id.as_str()],
        );
        let answer = self.http.send(&ask).await?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(self.http.refusal(&ask, &answer)),
        }
    }

    /// Who signs in for an owner.
    fn session(&self, owner: &Owner, ask: &Ask) -> Result<Rc<session::Session>, Failure> {
        let Owner::Account(id) = owner else {
            return self.operator(ask);
        };
        self.accounts.borrow().get(id).cloned().ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                ask.doing.clone(),
                format!("nobody has signed in as `{id}`"),
                "put its password into the store",
            )
        })
    }

    fn operator(&self, ask: &Ask) -> Result<Rc<session::Session>, Failure> {
        self.operator.clone().ok_or_else(|| {
            Failure::new(
                FailureKind::Configuration,
                ask.doing.clone(),
                "no operator of Docker Hub is given",
                format!(
                    "set {CREDENTIAL} to those of an owner of the organisation, or keep them with \
                     `pullpass credentials set`"
                ),
            )
        })
    }

    /// Sends a request as the operator; any answer but a 2xx is a failure.
    async fn as_operator(&self, ask: Ask) -> Result<(Ask, Answer), Failure> {
        let session = self.operator(&ask)?;
        let (ask, answer) = self.as_session(&session, ask).await?;
        match answer.is_success() {
            true => Ok((ask, answer)),
            false => Err(self.refusal(&ask, &answer)),
        }
    }

    /// What Docker Hub's refusal is, with what to do about the ones that have a name.
    fn refusal(&self, ask: &Ask, answer: &Answer) -> Failure {
        let mut failure = self.http.refusal(ask, answer);
        if answer.status == 403 && failure.happened.contains("access token is not allowed") {
            "tokens are managed with a password only: sign in with the account's password, not \
             with a token (for the operator, that is `PULLPASS_HUB_SECRET`)"
                .clone_into(&mut failure.next);
        }
        failure
    }
}
