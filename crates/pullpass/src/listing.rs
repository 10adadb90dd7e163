//! The names in a folder and what each of them is: one look at the folder answers what would else be
//! asked of the file system name by name, most of the time in vain.

use std::fs::FileType;

/// Names that are kept of one folder, at most.
const MANY: usize = 1000;

/// What a name in a folder is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link, or what cannot be told without another look.
    Other,
}

/// What the names of one folder are. Small, for there is one of each repository of a fleet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Listing {
    /// A NUL, the name, a `/` and a letter of each: no name has either of the two in it.
    entries: String,
    count: usize,
}

impl Listing {
    /// Adds a name.
    pub(crate) fn add(&mut self, name: &str, kind: Option<FileType>) {
        self.count += 1;
        if self.count > MANY {
            self.entries = String::new();
            return;
        }
        let letter = match kind {
            Some(kind) if kind.is_dir() => 'd',
            Some(kind) if kind.is_file() => 'f',
            _ => 'o',
        };
        self.entries.push('\0');
        self.entries.push_str(name);
        self.entries.push('/');
        self.entries.push(letter);
    }

    /// Whether every name is in it.
    pub(crate) fn is_whole(&self) -> bool {
        self.count <= MANY
    }

    /// What a name is; `None` when nothing is called so.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        let entries = self.entries.as_bytes();
        let after = |at: usize| {
            let entry = entries.get(at + 1..)?.strip_prefix(name.as_bytes())?;
            entry.strip_prefix(b"/")?.first()
        };
        Some(match memchr::memchr_iter(0, entries).find_map(after)? {
            b'd' => Kind::Folder,
            b'f' => Kind::File,
            _ => Kind::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(folder.path().join("compose.yaml"), "").unwrap();
        let mut listing = Listing::default();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            listing.add(&name, entry.file_type().ok());
        }
        listing.add("link", None);
        for (name, kind) in [
            ("d", Some(Kind::Folder)),
            ("compose.yaml", Some(Kind::File)),
            ("link", Some(Kind::Other)),
            ("compose", None),
            ("yaml", None),
            ("o", None),
            ("f", None),
            ("", None),
        ] {
            assert_eq!(listing.kind(name), kind, "{name}");
        }
    }

    #[test]
    fn a_folder_of_thousands_is_not_kept() {
        let mut listing = Listing::default();
        for number in 0..=MANY {
            assert!(listing.is_whole());
            listing.add(&number.to_string(), None);
        }
        assert!(!listing.is_whole());
        assert_eq!(listing.kind("1"), None);
    }
}
