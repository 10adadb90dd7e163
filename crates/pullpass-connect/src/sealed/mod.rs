//! Files whose secrets are sealed, each by itself, and whose rest is in clear.
//!
//! ```text
//!   text      what is written, read with the line of whatever is wrong
//!   key       the file's own key, sealed for the people who may open it
//!   seal      one secret: an age ciphertext for that key, bound to its place
//!   replace   read whole, replaced whole, by one process at a time
//!   about     what went wrong, in words that name the file
//! ```
//!
//! The file's own key stands in it, sealed with a passphrase or for age recipients. Writing needs only
//! its public half; whoever reads a secret is asked for what opens it, once.

use pullpass_fleet::failure::Failure;
use secrecy::SecretString;

pub(crate) mod about;
pub(crate) mod key;
pub(crate) mod replace;
pub(crate) mod seal;
pub(crate) mod text;

/// Who may open a new file.
pub enum Protection {
    /// Whoever knows the passphrase.
    Passphrase {
        /// The passphrase.
        passphrase: SecretString,
        /// The work that each guess costs, as the logarithm of scrypt's N; `None` for about a
        /// second on this machine.
        work_factor: Option<u8>,
    },
    /// Whoever has the identity of one of these recipients (`age1…`).
    Recipients(Vec<String>),
}

/// What the file has to be opened with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The passphrase.
    Passphrase,
    /// Another one, since that was not right: only a person has one to give.
    Another,
    /// An age identity file's text (`AGE-SECRET-KEY-1…`).
    Identities,
}

/// Asks for what the file has to be opened with. It is asked when the first secret is read, and
/// again only for another passphrase.
pub type Unlock = Box<dyn Fn(Wanted) -> Result<SecretString, Failure>>;
