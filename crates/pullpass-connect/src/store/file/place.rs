//! Where a secret of the store belongs, and how an account is one text.

use pullpass_fleet::label::Attempt;
use pullpass_fleet::name::{DockerId, ProjectName};
use pullpass_fleet::store::Account;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// Where a secret belongs.
pub(super) enum Place<'a> {
    Token(&'a ProjectName, Attempt),
    Account(&'a ProjectName),
}

impl Place<'_> {
    /// As it is sealed with the secret. A project's name holds no line end.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Token(project, attempt) => format!("{project}\ntoken {attempt}\n"),
            Self::Account(project) => format!("{project}\naccount\n"),
        }
    }
}

/// An account in one text: its parts hold no line ends but for the password, which is last.
pub(super) fn account_text(account: &Account) -> Zeroizing<String> {
    let password = account.password.expose_secret();
    let mut text = Zeroizing::new(String::with_capacity(
        account.id.as_str().len() + account.email.len() + password.len() + 2,
    ));
    for part in [account.id.as_str(), "\n", &account.email, "\n", password] {
        text.push_str(part);
    }
    text
}

/// Reads [`account_text`].
pub(super) fn account_of(text: &SecretString) -> Option<Account> {
    let mut parts = text.expose_secret().splitn(3, '\n');
    Some(Account {
        id: DockerId::new(parts.next()?).ok()?,
        email: parts.next()?.to_owned(),
        password: SecretString::from(parts.next()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_are_one() {
        let [one, two] = ["digideps", "use-an-lpa"].map(|name| ProjectName::new(name).unwrap());
        let places = [
            Place::Token(&one, Attempt(1)),
            Place::Token(&two, Attempt(1)),
            Place::Token(&one, Attempt(2)),
            Place::Account(&one),
        ];
        let texts: std::collections::BTreeSet<String> = places.iter().map(Place::text).collect();
        assert_eq!(texts.len(), places.len());
    }

    #[test]
    fn an_account_is_read_back() {
        let account = Account {
            id: DockerId::new("acmedigideps").unwrap(),
            email: "ci@acme.example".into(),
            password: SecretString::from("two\nlines"),
        };
        let text = SecretString::from(account_text(&account).as_str());
        let read = account_of(&text).unwrap();
        assert_eq!((&read.id, &read.email), (&account.id, &account.email));
        assert_eq!(read.password.expose_secret(), "two\nlines");
    }
}
