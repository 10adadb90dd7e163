//! Files are read whole, replaced whole, and changed by one process at a time.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// What tells one content of a file from another without reading it. A replaced file has another
/// inode; one that was edited in place has another time.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode,
        }
    }
}

/// The whole file, which is none that would be waited for: no pipe, no device.
pub(crate) fn read(path: &Path) -> io::Result<(Stamp, String)> {
    let what = fs::metadata(path)?;
    if what.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !what.is_file() {
        let text = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((Stamp::from(&metadata), text))
}

/// The lock of a file: a file beside it, for the file itself is replaced. Held until dropped, and
/// by no process that has ended.
pub(crate) struct Lock {
    _file: File,
}

/// For so long somebody else's lock is waited for. Those who hold it read, compare and write: milliseconds.
const MOST: Duration = Duration::from_secs(20);
/// How often it is tried.
const PIECE: Duration = Duration::from_millis(20);

impl Lock {
    /// Waits for the lock, and not for ever: whoever holds it may be suspended.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let begun = Instant::now();
        loop {
            match Self::now(path)? {
                Some(lock) => return Ok(lock),
                None if begun.elapsed() < MOST => std::thread::sleep(PIECE),
                None => return Err(held(path)),
            }
        }
    }

    /// Waits until nobody else has it, and lets everything else go on meanwhile: an interrupt too.
    pub(crate) async fn is_free(path: &Path) -> io::Result<()> {
        let begun = Instant::now();
        while Self::now(path)?.is_none() {
            if begun.elapsed() >= MOST {
                return Err(held(path));
            }
            tokio::time::sleep(PIECE).await;
        }
        Ok(())
    }

    /// The lock, where nobody has it.
    fn now(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(beside(path))?;
        // Not the methods of `File`, which newer Rust than ours has under the same names.
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(fs4::TryLockError::WouldBlock) => Ok(None),
            Err(fs4::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn held(path: &Path) -> io::Error {
    let (lock, most) = (beside(path), MOST.as_secs());
    let text = format!(
        "another process has held `{}` for {most} s: `fuser` of that file tells which",
        lock.display()
    );
    io::Error::new(io::ErrorKind::WouldBlock, text)
}

/// How far a replacement came.
pub(crate) enum Broken {
    /// The file is as it was.
    Before(io::Error),
    /// The file is replaced, and may be the old one again after a loss of power.
    After(io::Error),
}

/// Replaces a file by way of a temporary one in the same folder, or makes it, for its owner alone.
/// The mode of a file that is there is kept.
pub(crate) fn replace(path: &Path, parts: &[&str]) -> Result<Stamp, Broken> {
    let (folder, file) = written(path, parts).map_err(Broken::Before)?;
    let file = file
        .persist(path)
        .map_err(|error| Broken::Before(error.error))?;
    // The name is the folder's.
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Broken::After)?;
    #[cfg(not(unix))]
    let _ = folder;
    file.metadata()
        .map(|metadata| Stamp::from(&metadata))
        .map_err(Broken::After)
}

/// Makes a file that is not there yet, for its owner alone.
pub(crate) fn make(path: &Path, parts: &[&str]) -> io::Result<()> {
    let (_, file) = written(path, parts)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.error),
    }
}

/// Whether a file of that length could be written there, without writing it.
pub(crate) fn try_written(path: &Path, parts: &[&str]) -> io::Result<()> {
    written(path, parts).map(drop)
}

/// Removes the temporary files of this file that killed processes left. Only for whoever has its lock: nobody else
/// writes one then. What cannot be removed is left, and stands in nobody's way.
pub(crate) fn sweep(path: &Path) {
    let prefix = temporary(path);
    let prefix = prefix.as_encoded_bytes();
    for entry in fs::read_dir(folder(path)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let rest = name.as_encoded_bytes().strip_prefix(prefix);
        // Another file's name may begin with this one's.
        if rest
            .is_some_and(|rest| rest.len() == DRAWN && rest.iter().all(u8::is_ascii_alphanumeric))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Characters that a temporary name ends with.
const DRAWN: usize = 6;

/// What the names of a file's temporary files begin with: they say whose they are.
fn temporary(path: &Path) -> OsString {
    let mut name = OsString::from(".pullpass-");
    name.push(path.file_name().unwrap_or_default());
    name.push("-");
    name
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn written<'a>(path: &'a Path, parts: &[&str]) -> io::Result<(&'a Path, tempfile::NamedTempFile)> {
    let folder = folder(path);
    // Temporary files are their owner's alone where the system has such a thing.
    let mut file = tempfile::Builder::new()
        .prefix(&temporary(path))
        .rand_bytes(DRAWN)
        .tempfile_in(folder)?;
    for part in parts {
        file.write_all(part.as_bytes())?;
    }
    if let Ok(before) = fs::metadata(path) {
        fs::set_permissions(file.path(), before.permissions())?;
    }
    file.as_file().sync_all()?;
    Ok((folder, file))
}
