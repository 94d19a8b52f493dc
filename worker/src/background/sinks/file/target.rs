//! Writes batches to a rotating file.

use std::io;

use super::rotating::RotatingFile;
use crate::background::sinks::batch::{Failure, Message};
use crate::background::sinks::sink::FileReceiver;

/// A file on this machine.
pub(crate) struct FileTarget {
    settings: FileReceiver,
    /// `None` while a batch is written.
    file: Option<RotatingFile>,
}

impl FileTarget {
    pub(crate) fn new(settings: FileReceiver) -> Self {
        Self { settings, file: None }
    }

    /// Writes a batch. Returns when it is on the disk.
    pub(crate) async fn deliver(&mut self, messages: &[Message]) -> Result<(), Failure> {
        let lines: Vec<String> = messages.iter().map(|message| message.json.clone()).collect();
        let mut file = self.file.take().unwrap_or_else(|| RotatingFile::new(self.settings.clone()));
        let writing = tokio::task::spawn_blocking(move || {
            let written = file.append(lines.iter().map(String::as_str));
            (file, written)
        });
        let (file, written) = writing.await.map_err(Failure::unavailable)?;
        self.file = Some(file);
        written.map_err(|error: io::Error| {
            Failure::Unavailable(format!("{} cannot be written: {error}", self.settings.path.display()))
        })
    }
}
