//! Where a checkout comes from: the remote in its `.git/config`, read without git.
//!
//! Format: <https://git-scm.com/docs/git-config#_syntax>, of which a remote's address needs sections,
//! quoted values and comments; `.git` of a worktree or submodule is a file:
//! <https://git-scm.com/docs/gitrepository-layout>.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file of git's that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A repository on a host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Remote {
    /// `github.com`
    pub(crate) host: String,
    /// `acme`; of nested groups all but the last name.
    pub(crate) owner: String,
    /// `shop`
    pub(crate) name: String,
}

impl Remote {
    /// That of the checkout at `root`: `origin`, or the only one that there is.
    pub(crate) fn of(root: &Path) -> Option<Self> {
        let text = read(&config(root)?)?;
        let remotes = addresses(&text);
        let origin = remotes.iter().find(|(name, _)| name == "origin");
        let address = match (origin, remotes.as_slice()) {
            (Some((_, address)), _) | (None, [(_, address)]) => address,
            _ => return None,
        };
        Self::parse(address)
    }

    /// Whether it is the repository `owner/name`, on whatever host.
    pub(crate) fn is(&self, name: &str) -> bool {
        name.split_once('/').is_some_and(|(owner, name)| {
            owner.eq_ignore_ascii_case(&self.owner) && name.eq_ignore_ascii_case(&self.name)
        })
    }

    /// `git@host:owner/name.git`, `ssh://git@host/owner/name`, `https://host/owner/name.git`. Whatever
    /// stands before the host (it may be a password) is dropped.
    pub(crate) fn parse(address: &str) -> Option<Self> {
        let (host, path) = match address.split_once("://") {
            Some(("https" | "http" | "ssh" | "git", rest)) => {
                let (place, path) = rest.split_once('/')?;
                let place = place.rsplit('@').next()?;
                (place.split(':').next()?, path)
            }
            Some(_) => return None,
            None => {
                let (place, path) = address.split_once(':')?;
                (place.rsplit('@').next()?, path)
            }
        };
        let host = match host.to_ascii_lowercase().as_str() {
            // GitHub's SSH on the port of HTTPS.
            "ssh.github.com" => "github.com".to_owned(),
            other => other.to_owned(),
        };
        let path = path.trim_matches('/');
        let (owner, name) = path.strip_suffix(".git").unwrap_or(path).rsplit_once('/')?;
        let is_plain = |text: &str| {
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            !text.is_empty() && text.chars().all(fine)
        };
        let plain = host.contains('.') && [host.as_str(), owner, name].into_iter().all(is_plain);
        plain.then(|| Self {
            host,
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// The configuration of the repository at `root`.
fn config(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git.join("config"));
    }
    // A worktree or a submodule.
    let text = read(&git)?;
    let folder = root.join(text.strip_prefix("gitdir:")?.trim());
    let common = read(&folder.join("commondir"))
        .map(|common| folder.join(common.trim()))
        .unwrap_or(folder);
    Some(common.join("config"))
}

/// A file as git writes it: a regular one, and not large.
fn read(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let usual = metadata.is_file() && metadata.len() <= MAX_BYTES;
    if usual {
        fs::read_to_string(path).ok()
    } else {
        None
    }
}

/// Names and addresses of the remotes.
fn addresses(text: &str) -> Vec<(String, String)> {
    let mut remotes = Vec::new();
    let mut remote: Option<String> = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            remote = section
                .split_once(']')
                .and_then(|(section, _)| section.split_once(char::is_whitespace))
                .filter(|(kind, _)| kind.eq_ignore_ascii_case("remote"))
                .map(|(_, name)| name.trim().trim_matches('"').to_owned());
        } else if let (Some(name), Some((key, value))) = (&remote, line.split_once('='))
            && key.trim().eq_ignore_ascii_case("url")
            && remotes.iter().all(|(known, _)| known != name)
        {
            remotes.push((name.clone(), unquoted(value)));
        }
    }
    remotes
}

/// A value without its quotes and comment.
fn unquoted(value: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    for c in value.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            other => text.push(other),
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> Option<String> {
        Remote::parse(address).map(|r| format!("{} {} {}", r.host, r.owner, r.name))
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for address in [
            "git@github.com:acme/shop.git",
            "github.com:acme/shop",
            "https://github.com/acme/shop.git",
            "https://github.com/acme/shop/",
            "https://someone:not-a-real-password@GitHub.com/acme/shop",
            "ssh://git@github.com/acme/shop.git",
            "ssh://git@ssh.github.com:443/acme/shop.git",
        ] {
            assert_eq!(
                parsed(address).as_deref(),
                Some("github.com acme shop"),
                "{address}"
            );
        }
        assert_eq!(
            parsed("https://git.example.org/group/team/shop.git").as_deref(),
            Some("git.example.org group/team shop")
        );
        for address in [
            "",
            "/srv/git/shop.git",
            "file:///srv/shop",
            "../shop",
            "C:\\shop",
            "git@host:shop",
        ] {
            assert_eq!(parsed(address), None, "{address}");
        }
    }

    #[test]
    fn origin_goes_before_others_and_a_single_one_will_do() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".git")).unwrap();
        let write = |text: &str| fs::write(root.path().join(".git/config"), text).unwrap();
        let name = || Remote::of(root.path()).map(|r| r.name);
        write(
            "[core]\n\tbare = false\n[remote \"fork\"]\n\turl = git@github.com:me/fork.git\n\
             [remote \"origin\"] ; ours\n\tURL = \"git@github.com:acme/shop.git\" # here\n\
             \turl = git@github.com:acme/second.git\n[branch \"main\"]\n\turl = no\n",
        );
        assert_eq!(name().as_deref(), Some("shop"));
        write("[remote \"upstream\"]\n\turl = git@github.com:acme/only.git\n");
        assert_eq!(name().as_deref(), Some("only"));
        write("[remote \"a\"]\nurl = h.x:a/a\n[remote \"b\"]\nurl = h.x:b/b\n");
        assert_eq!(name(), None);
    }

    #[test]
    fn a_worktree_has_the_remotes_of_its_repository() {
        let root = tempfile::tempdir().unwrap();
        let main = root.path().join("main/.git");
        let linked = main.join("worktrees/side");
        fs::create_dir_all(&linked).unwrap();
        fs::write(linked.join("commondir"), "../..\n").unwrap();
        fs::write(
            main.join("config"),
            "[remote \"origin\"]\n\turl = git@github.com:acme/shop\n",
        )
        .unwrap();
        let side = root.path().join("side");
        fs::create_dir(&side).unwrap();
        fs::write(side.join(".git"), format!("gitdir: {}\n", linked.display())).unwrap();
        assert_eq!(Remote::of(&side).unwrap().name, "shop");
    }
}
