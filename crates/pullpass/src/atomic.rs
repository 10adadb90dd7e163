//! Files are replaced whole or not at all: a reader never sees half of one, and neither does the
//! next run after a crash.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes `bytes` to `path` by a temporary file in the same folder and a rename. The mode of a file
/// that is already there is kept; a symbolic link keeps pointing where it points.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The default of temporary files, 0600, would surprise whoever reads the result next. The
    // operating system applies the umask to this.
    replace(path, bytes, 0o666)
}

/// The same for what only its owner may read: a new file has the mode 0600. One that is there
/// already must be removed first, for its mode is kept.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes, 0o600)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    Ready::new(path, bytes, mode, None)?.put()
}

/// A file that is written and waits for its place.
pub(crate) struct Ready {
    file: NamedTempFile,
    target: PathBuf,
}

impl Ready {
    /// Writes what is to replace `path` into `folder`, where nobody looks, if that is on the same file
    /// system, or else beside it.
    pub(crate) fn of(path: &Path, bytes: &[u8], folder: &Path) -> io::Result<Self> {
        Self::new(path, bytes, 0o666, Some(folder))
    }

    fn new(path: &Path, bytes: &[u8], mode: u32, away: Option<&Path>) -> io::Result<Self> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let beside = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = away.filter(|away| is_one_system(away, beside));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".pullpass-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(mode));
        }
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = builder.tempfile_in(folder.unwrap_or(beside))?;
        file.write_all(bytes)?;
        if let Ok(before) = fs::metadata(&target) {
            if !before.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            fs::set_permissions(file.path(), before.permissions())?;
        }
        file.as_file().sync_all()?;
        Ok(Self { file, target })
    }

    /// Puts it in its place.
    pub(crate) fn put(self) -> io::Result<()> {
        self.file
            .persist(&self.target)
            .map(|_| ())
            .map_err(|error| error.error)
    }
}

/// Whether a file can be moved from one folder to the other.
#[cfg(unix)]
fn is_one_system(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| {
        fs::metadata(path)
            .ok()
            .filter(fs::Metadata::is_dir)
            .map(|m| m.dev())
    };
    device(a).is_some_and(|a| device(b) == Some(a))
}

#[cfg(not(unix))]
fn is_one_system(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_mode_of_a_replaced_file_is_kept_and_nothing_is_left_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.json");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_waits_is_where_nobody_looks() {
        let folder = tempfile::tempdir().unwrap();
        let (away, beside) = (folder.path().join("away"), folder.path().join("beside"));
        fs::create_dir_all(&away).unwrap();
        fs::create_dir_all(&beside).unwrap();
        let path = beside.join("a.yml");
        fs::write(&path, "old").unwrap();
        let count = |folder: &Path| fs::read_dir(folder).unwrap().count();
        let ready = Ready::of(&path, b"new", &away).unwrap();
        assert_eq!((count(&away), count(&beside)), (1, 1));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        ready.put().unwrap();
        assert_eq!((count(&away), count(&beside)), (0, 1));
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // Without such a folder it waits beside its place.
        let ready = Ready::of(&path, b"newer", &folder.path().join("gone")).unwrap();
        assert_eq!(count(&beside), 2);
        drop(ready);
        assert_eq!(count(&beside), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ready.env");
        write_private(&path, b"KEY=value\n").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        let link = folder.path().join("link");
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, b"new").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
