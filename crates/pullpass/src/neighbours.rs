//! Repositories whose files can be had beside the one in hand: given by name on the command line, or
//! audited in the same run. Actions and workflows that name them are read there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hashbrown::HashMap;

use crate::error::{Error, ErrorKind, Result};
use crate::remote::Remote;
use crate::walk::Target;

/// The repositories that can be had.
pub(crate) struct Neighbours {
    /// `owner/name` in small letters.
    given: BTreeMap<String, PathBuf>,
    /// What is audited in the same run.
    roots: Vec<PathBuf>,
    /// Where these are, by the names of their folders in small letters: a clone has its repository's.
    by_folder: OnceLock<HashMap<String, Vec<usize>>>,
}

impl Neighbours {
    /// What `--action OWNER/NAME=FOLDER` says, and all that is audited.
    pub(crate) fn new(given: &[String], targets: &[Target]) -> Result<Self> {
        let mut all = BTreeMap::new();
        for given in given {
            let (name, folder) = parse(given)?;
            if !folder.is_dir() {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("read the repository of `--action {given}`"),
                    format!("`{}` is not a folder", folder.display()),
                    "give the folder of a checkout",
                ));
            }
            all.insert(name, folder);
        }
        Ok(Self {
            given: all,
            // A repository alone has no neighbours.
            roots: match targets {
                [_] => Vec::new(),
                many => many.iter().filter_map(|t| t.root.clone()).collect(),
            },
            by_folder: OnceLock::new(),
        })
    }

    /// The folder of the repository `owner/name`.
    pub(crate) fn find(&self, name: &str) -> Option<&Path> {
        let name = name.to_ascii_lowercase();
        if let Some(given) = self.given.get(&name) {
            return Some(given);
        }
        let folder = name.rsplit('/').next()?;
        let known = self.by_folder.get_or_init(|| by_folder(&self.roots));
        let roots = known
            .get(folder)?
            .iter()
            .filter_map(|&at| self.roots.get(at));
        roots
            .map(PathBuf::as_path)
            .find(|root| Remote::of(root).is_some_and(|remote| remote.is(&name)))
    }
}

fn by_folder(roots: &[PathBuf]) -> HashMap<String, Vec<usize>> {
    let mut all: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, root) in roots.iter().enumerate() {
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        all.entry(name.to_ascii_lowercase()).or_default().push(at);
    }
    all
}

fn parse(given: &str) -> Result<(String, PathBuf)> {
    let parts = given.split_once('=').and_then(|(name, folder)| {
        // A version, as one would copy it from a workflow, says nothing about the folder.
        let name = name.split('@').next()?.to_ascii_lowercase();
        let (owner, repository) = name.split_once('/')?;
        let fine = !owner.is_empty() && !repository.is_empty() && !repository.contains('/');
        (fine && !folder.is_empty()).then(|| (name, PathBuf::from(folder)))
    });
    parts.ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("understand `--action {given}`"),
            "it does not name a repository and a folder",
            "write it as `--action OWNER/NAME=FOLDER`",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_option_names_a_repository_and_a_folder() {
        assert_eq!(
            parse("Acme/CI@v1=../ci").unwrap(),
            ("acme/ci".to_owned(), PathBuf::from("../ci"))
        );
        for wrong in [
            "acme/ci",
            "acme=x",
            "acme/=x",
            "/ci=x",
            "acme/ci=",
            "acme/ci/sub=x",
            "",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_neighbour_is_known_by_its_remote_and_not_by_its_folder_alone() {
        let fleet = tempfile::tempdir().unwrap();
        let repository = |folder: &str, remote: &str| {
            let git = fleet.path().join(folder).join(".git");
            fs::create_dir_all(&git).unwrap();
            let text = format!("[remote \"origin\"]\n\turl = git@github.com:{remote}.git\n");
            fs::write(git.join("config"), text).unwrap();
        };
        repository("ci", "acme/ci");
        repository("others/ci", "else/ci");
        repository("shop", "acme/renamed");
        let found = crate::walk::find(&[fleet.path().to_owned()], None).unwrap();
        let given = [format!("acme/far={}", fleet.path().display())];
        let neighbours = Neighbours::new(&given, &found.targets).unwrap();
        let find = |name: &str| {
            let root = neighbours.find(name)?;
            Some(root.strip_prefix(fleet.path()).unwrap().to_owned())
        };
        assert_eq!(find("Acme/CI"), Some("ci".into()));
        assert_eq!(find("else/ci"), Some("others/ci".into()));
        assert_eq!(find("acme/far"), Some("".into()));
        for none in ["acme/shop", "acme/other", "ci", ""] {
            assert_eq!(find(none), None, "{none}");
        }
    }
}
