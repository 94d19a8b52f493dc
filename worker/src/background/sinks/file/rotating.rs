//! A file that is rotated by its size: `audit.ndjson`, then `audit.ndjson.1`, which is the newest of the older
//! ones, and so on.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::background::sinks::sink::FileReceiver;

/// The owner may write, the group may read. Entries hold personal data.
const MODE: u32 = 0o640;
/// Number of bytes that one step reads to find the end of the last line.
const STEP: u64 = 64 * 1024;

/// A rotating file.
pub(super) struct RotatingFile {
    settings: FileReceiver,
    /// The open file and its size; `None` after a failure, so that the next use opens it again.
    open: Option<(File, u64)>,
}

impl RotatingFile {
    pub(super) fn new(settings: FileReceiver) -> Self {
        Self { settings, open: None }
    }

    /// Appends lines and waits until they are on the disk. The file is rotated before a line that would exceed
    /// its size.
    ///
    /// # Errors
    /// If the file cannot be written. Some of the lines may be in it.
    pub(super) fn append<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let (mut file, mut size) = match self.open.take() {
            Some((file, size)) if is_at(&file, &self.settings.path) => (file, size),
            _ => open(&self.settings.path)?,
        };
        let mut pending = Vec::new();
        for line in lines {
            let length = line.len() as u64 + 1;
            if size > 0 && size + length > self.settings.rotate_bytes {
                write(&mut file, &mut pending)?;
                self.rotate()?;
                (file, size) = open(&self.settings.path)?;
            }
            pending.extend_from_slice(line.as_bytes());
            pending.push(b'\n');
            size += length;
        }
        write(&mut file, &mut pending)?;
        self.open = Some((file, size));
        Ok(())
    }

    /// Renames each file to the next number. The last one is overwritten.
    fn rotate(&self) -> io::Result<()> {
        for number in (0..self.settings.rotate_count).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        sync_folder(&self.settings.path)
    }

    fn numbered(&self, number: u16) -> PathBuf {
        let path = &self.settings.path;
        if number == 0 {
            return path.clone();
        }
        let mut name: OsString = path.clone().into();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Whether the path still leads to the open file. Another program may have moved or removed it.
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => identity(open) == identity(there),
        _ => false,
    }
}

fn write(file: &mut File, pending: &mut Vec<u8>) -> io::Result<()> {
    file.write_all(pending)?;
    pending.clear();
    file.sync_data()
}

/// Opens a file to append to it, and creates it if it does not exist. A crash can leave a part of a line at the
/// end. It is cut off, because the whole line comes again.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
    sync_folder(path)?;
    let size = file.metadata()?.len();
    let whole = end_of_lines(&mut file, size)?;
    if whole < size {
        tracing::warn!(path = %path.display(), bytes = size - whole, "an unfinished line was cut off");
        file.set_len(whole)?;
    }
    Ok((file, whole))
}

/// The size of the file up to its last line break.
fn end_of_lines(file: &mut File, size: u64) -> io::Result<u64> {
    let mut end = size;
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        Read::by_ref(file).take(end - begin).read_to_end(&mut bytes)?;
        if let Some(index) = bytes.iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + index as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// Makes new names durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_to_string, remove_dir_all};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rollcall-sink-{name}-{}", std::process::id()));
        let _ = remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn rotating(folder: &Path, rotate_bytes: u64, rotate_count: u16) -> RotatingFile {
        RotatingFile::new(FileReceiver { path: folder.join("a"), rotate_bytes, rotate_count })
    }

    #[test]
    fn a_file_is_rotated_before_it_exceeds_its_size() {
        let folder = folder("rotated");
        let mut file = rotating(&folder, 10, 2);
        file.append(["one", "two", "three", "longer than all"].into_iter()).unwrap();
        file.append(["four"].into_iter()).unwrap();
        let content = |name: &str| read_to_string(folder.join(name)).ok();
        assert_eq!(content("a").as_deref(), Some("four\n"));
        assert_eq!(content("a.1").as_deref(), Some("longer than all\n"), "an entry is never divided");
        assert_eq!(content("a.2").as_deref(), Some("three\n"));
        assert_eq!(content("a.3"), None, "the oldest is gone");
        remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_unfinished_line_is_cut_off_and_whole_lines_stay() {
        let folder = folder("unfinished");
        std::fs::write(folder.join("a"), format!("one\n{}", "x".repeat(200_000))).unwrap();
        rotating(&folder, 1000, 2).append(["two"].into_iter()).unwrap();
        assert_eq!(read_to_string(folder.join("a")).unwrap(), "one\ntwo\n");
        remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_was_moved_away_is_created_again() {
        let folder = folder("moved");
        let mut file = rotating(&folder, 1000, 2);
        file.append(["one"].into_iter()).unwrap();
        std::fs::rename(folder.join("a"), folder.join("b")).unwrap();
        file.append(["two"].into_iter()).unwrap();
        assert_eq!(read_to_string(folder.join("a")).unwrap(), "two\n");
        assert_eq!(read_to_string(folder.join("b")).unwrap(), "one\n");
        remove_dir_all(folder).unwrap();
    }
}
