//! The signer file on disk. Several processes may share it: each one locks it, reads it, and replaces it.
//!
//! A file that cannot be read is never taken for an empty one. A missing file is an answer of its own, because
//! only the database can say whether it was there before.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::format::{Malformed, Records, read, write};

/// Maximum size of a file: about five million logs.
const MAX_BYTES: u64 = 1 << 30;
/// Time limit for the lock. A round of another signer usually ends earlier.
const LOCK: Duration = Duration::from_secs(30);
/// Interval between two attempts to lock.
const AGAIN: Duration = Duration::from_millis(50);

/// Why the signer file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerFileError {
    /// The operating system refused.
    #[error("the signer file {} cannot be {verb}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// The reason.
        error: std::io::Error,
    },
    /// The content is not what a signer wrote.
    #[error("the signer file {} cannot be read: {reason}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: Malformed,
    },
    /// The file is missing although something was signed.
    #[error(
        "the signer file {} is missing, and the database has checkpoints. Put the file back. If it is lost, run \
         `rollcall-worker log adopt`",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is there, and must not be replaced.
    #[error("the signer file {} is there already", .0.display())]
    Exists(PathBuf),
    /// Another process holds the lock for too long.
    #[error("another process holds the lock of the signer file {}", .0.display())]
    Locked(PathBuf),
}

/// The path of the signer file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignerFile(PathBuf);

/// The signer file while this process holds its lock.
#[derive(Debug)]
pub(crate) struct LockedFile {
    path: PathBuf,
    /// Holds the lock until it is dropped.
    _lock: File,
}

impl SignerFile {
    /// The file at a path. It need not exist.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Reads the file; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read as a whole.
    pub(crate) fn read(&self) -> Result<Option<Records>, SignerFileError> {
        read_file(&self.0)
    }

    /// Locks the file against other signers and commands.
    ///
    /// # Errors
    /// If the lock cannot be created, or another process holds it for 30 seconds.
    pub(crate) async fn lock(&self) -> Result<LockedFile, SignerFileError> {
        let path = beside(&self.0, "lock");
        let io = |error| SignerFileError::Io { path: path.clone(), verb: "locked", error };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(io)?;
        give_to_owner_of(&lock, &self.0).map_err(io)?;
        let since = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(LockedFile { path: self.0.clone(), _lock: lock }),
                Err(TryLockError::WouldBlock) if since.elapsed() < LOCK => tokio::time::sleep(AGAIN).await,
                Err(TryLockError::WouldBlock) => return Err(SignerFileError::Locked(self.0.clone())),
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
        }
    }
}

/// Identifies the content of a file: each write replaces the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl SignerFile {
    /// The stamp of the file; `None` if there is none that can be looked at.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let found = std::fs::metadata(&self.0).ok()?;
        Some(Stamp { inode: found.ino(), changed: (found.ctime(), found.ctime_nsec()) })
    }
}

impl LockedFile {
    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; `None` if it does not exist.
    ///
    /// # Errors
    /// If it cannot be read as a whole.
    pub(crate) fn read(&self) -> Result<Option<Records>, SignerFileError> {
        read_file(&self.path)
    }

    /// Replaces the file. Once this returns, the new content survives a power failure. If it breaks off, the
    /// old content is still there.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn write(&self, records: &Records) -> Result<(), SignerFileError> {
        let replaced = write(records).map_err(std::io::Error::from).and_then(|text| replace(&self.path, &text));
        replaced.map_err(|error| SignerFileError::Io { path: self.path.clone(), verb: "written", error })
    }
}

/// A path beside the file: its name with a suffix.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn read_file(path: &Path) -> Result<Option<Records>, SignerFileError> {
    let io = |error| SignerFileError::Io { path: path.to_owned(), verb: "read", error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(io)?;
    read(&text).map(Some).map_err(|reason| SignerFileError::Malformed { path: path.to_owned(), reason })
}

/// Gives a new file to the owner of the file at `path`, or of its folder. A command that an administrator runs
/// would leave a file otherwise that the worker cannot read.
fn give_to_owner_of(new: &File, path: &Path) -> std::io::Result<()> {
    let owner = std::fs::metadata(path).or_else(|_| std::fs::metadata(folder(path)))?;
    let own = new.metadata()?;
    if (own.uid(), own.gid()) == (owner.uid(), owner.gid()) || own.uid() != 0 {
        return Ok(());
    }
    fchown(new, Some(owner.uid()), Some(owner.gid()))
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Replaces a file: writes a new one beside it, then renames it. The folder is written too, because it has the
/// name.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = beside(path, "new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    give_to_owner_of(&file, path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::*;
    use rollcall_events::log::CompactRange;

    /// A folder of its own for a test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rollcall-signer-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn records(names: &[&str]) -> Records {
        let mut log = CompactRange::default();
        log.append(log.root());
        let record = Record { head: log.head(), restored_from: None };
        names.iter().map(|name| ((*name).to_owned(), record)).collect()
    }

    #[tokio::test]
    async fn what_was_written_is_read_and_a_missing_file_is_no_empty_one() {
        let folder = folder("written");
        let file = SignerFile::at(folder.join("signer.state"));
        assert!(file.read().unwrap().is_none());
        for names in [&["a/1", "a/2"][..], &["a/2"], &[]] {
            file.lock().await.unwrap().write(&records(names)).unwrap();
            assert_eq!(file.read().unwrap(), Some(records(names)));
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_an_error() {
        let folder = folder("unreadable");
        let file = SignerFile::at(folder.join("signer.state"));
        file.lock().await.unwrap().write(&records(&["a/1", "a/2"])).unwrap();
        let whole = std::fs::read_to_string(folder.join("signer.state")).unwrap();
        for content in [String::new(), whole[..whole.len() / 2].to_owned(), whole.replace("a/2", "a/3")] {
            std::fs::write(folder.join("signer.state"), content).unwrap();
            assert!(matches!(file.read(), Err(SignerFileError::Malformed { .. })));
        }
        // Bytes that are no text, and a folder in the place of the file.
        std::fs::write(folder.join("signer.state"), [0xff; 9]).unwrap();
        assert!(matches!(file.read(), Err(SignerFileError::Io { .. })));
        assert!(matches!(SignerFile::at(&folder).read(), Err(SignerFileError::Io { .. })));
    }

    /// A process that was killed while it wrote has left the old file, and a part of the new one beside it.
    #[tokio::test]
    async fn a_write_that_broke_off_leaves_the_old_content() {
        let folder = folder("torn");
        let file = SignerFile::at(folder.join("signer.state"));
        file.lock().await.unwrap().write(&records(&["a/1"])).unwrap();
        std::fs::write(folder.join("signer.state.new"), "{\"format\":").unwrap();
        assert_eq!(file.read().unwrap(), Some(records(&["a/1"])));
        file.lock().await.unwrap().write(&records(&["a/1", "a/2"])).unwrap();
        assert_eq!(file.read().unwrap(), Some(records(&["a/1", "a/2"])));
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_the_old_content() {
        let folder = folder("full");
        let file = SignerFile::at(folder.join("signer.state"));
        file.lock().await.unwrap().write(&records(&["a/1"])).unwrap();
        // The new file cannot be created, because there is a folder of this name.
        std::fs::create_dir(folder.join("signer.state.new")).unwrap();
        let failed = file.lock().await.unwrap().write(&records(&["a/2"]));
        assert!(matches!(failed, Err(SignerFileError::Io { verb: "written", .. })));
        assert_eq!(file.read().unwrap(), Some(records(&["a/1"])));
    }

    #[tokio::test]
    async fn one_process_at_a_time_has_the_lock() {
        let file = SignerFile::at(folder("lock").join("signer.state"));
        let first = file.lock().await.unwrap();
        let second = file.lock();
        tokio::pin!(second);
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut second).await.is_err());
        drop(first);
        second.await.unwrap();
    }
}
