//! What the partitions know of the signed logs: they append to no log that the signer would refuse.

use rollcall_events::OrganizationId;
use rollcall_events::log::{CompactRange, TreeHead};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

use super::SignerFile;
use super::compare::{Refusal, compare};
use super::file::{SignerFileError, Stamp};
use super::format::Records;
use super::review::organization;
use crate::db::StoreError;
use crate::log::Head;

/// The signed logs, as the signer file has them.
#[derive(Debug)]
pub(crate) struct SignedLogs {
    state: watch::Sender<State>,
    source: Option<Source>,
}

/// The file, which another worker may replace at any time.
#[derive(Debug)]
struct Source {
    file: SignerFile,
    signer: String,
    /// The file that was read last.
    seen: Mutex<Option<Stamp>>,
}

#[derive(Debug)]
enum State {
    /// This worker has no signer file. It only knows what the heads of logs say.
    NoFile,
    /// The signer has not decided yet whether a missing file means that nothing was signed.
    Pending,
    /// The file cannot be used, for this reason.
    Failed(String),
    Known(Known),
}

#[derive(Debug, Default)]
struct Known {
    heads: HashMap<OrganizationId, TreeHead>,
    /// Whether the signer has compared all logs since the worker started.
    is_reviewed: bool,
    /// The refused logs. Here as well as in their heads, because the owner of the database can change those.
    refused: HashMap<OrganizationId, Refusal>,
}

/// What a batch may be written on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guard<'a> {
    /// Logs that extend their last signed tree head.
    Signed(&'a SignedLogs),
    /// A refused log with exactly this tree head. An operator has accepted it.
    Accepted(TreeHead),
}

impl SignedLogs {
    /// For a worker without a signer file.
    pub(crate) fn without_file() -> Self {
        Self { state: watch::Sender::new(State::NoFile), source: None }
    }

    /// Reads the file, so that the partitions know it before the signer is connected.
    pub(crate) fn of(file: &SignerFile, signer: &str) -> Self {
        let source = Source { file: file.clone(), signer: signer.to_owned(), seen: Mutex::default() };
        let new = Self { state: watch::Sender::new(State::Pending), source: Some(source) };
        match file.read() {
            Ok(Some(records)) => new.know(signer, &records),
            Ok(None) => {}
            Err(error) => new.fail(&error),
        }
        new
    }

    /// Reads the file if it was replaced since it was read last: another worker may have signed, and this worker's
    /// database may be older than that.
    fn refresh(&self) {
        let Some(Source { file, signer, seen }) = &self.source else { return };
        let stamp = file.stamp();
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if stamp.is_none() || *seen == stamp {
            return;
        }
        match file.read() {
            Ok(Some(records)) => {
                self.know(signer, &records);
                *seen = stamp;
            }
            // The signer decides what a missing file means.
            Ok(None) => {}
            Err(error) => self.fail(&error),
        }
    }

    /// Takes the content of the file.
    pub(crate) fn know(&self, signer: &str, records: &Records) {
        let heads = records.iter().filter_map(|(origin, record)| Some((organization(signer, origin)?, record.head)));
        let heads = heads.collect();
        self.state.send_modify(|state| match state {
            State::Known(known) => known.heads = heads,
            _ => *state = State::Known(Known { heads, ..Known::default() }),
        });
    }

    /// The file cannot be used. Nothing is appended until it can.
    pub(crate) fn fail(&self, error: &SignerFileError) {
        self.state.send_replace(State::Failed(error.to_string()));
    }

    /// Notes whether a log is refused. Returns whether this is new.
    pub(crate) fn refuse(&self, organization: OrganizationId, refusal: Option<Refusal>) -> bool {
        self.state.send_if_modified(|state| match (state, refusal) {
            (State::Known(known), Some(refusal)) => known.refused.insert(organization, refusal) != Some(refusal),
            (State::Known(known), None) => known.refused.remove(&organization).is_some(),
            _ => false,
        })
    }

    /// The signer has compared all logs.
    pub(crate) fn reviewed(&self) {
        self.state.send_modify(|state| {
            if let State::Known(known) = state {
                known.is_reviewed = true;
            }
        });
    }

    /// Waits until the signer has compared all logs once.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        let mut receiver = self.state.subscribe();
        let is_ready = |state: &State| match state {
            State::NoFile | State::Failed(_) => true,
            State::Pending => false,
            State::Known(known) => known.is_reviewed,
        };
        // The sender lives as long as `self`.
        let state = receiver.wait_for(is_ready).await;
        match state.as_deref() {
            Ok(State::Failed(reason)) => Err(StoreError::NoSignerFile(reason.clone())),
            _ => Ok(()),
        }
    }

    /// Waits until the file cannot be used. Returns the error.
    pub(crate) async fn failed(&self) -> StoreError {
        let mut receiver = self.state.subscribe();
        let state = receiver.wait_for(|state| matches!(state, State::Failed(_))).await;
        match state.as_deref() {
            Ok(State::Failed(reason)) => StoreError::NoSignerFile(reason.clone()),
            _ => StoreError::NoSignerFile("the signer has ended".to_owned()),
        }
    }

    /// Checks that a log extends its last signed tree head. If the log has grown since, only its size is checked here;
    /// the signer checks the rest.
    fn check(&self, organization: OrganizationId, log: &CompactRange) -> Result<(), StoreError> {
        let refuse = |refusal: Refusal| StoreError::LogRefused { organization, reason: refusal.to_string() };
        match &*self.state.borrow() {
            State::NoFile => Ok(()),
            State::Pending => Err(StoreError::NoSignerFile("the signer file is not read yet".to_owned())),
            State::Failed(reason) => Err(StoreError::NoSignerFile(reason.clone())),
            State::Known(known) if !known.is_reviewed => {
                Err(StoreError::NoSignerFile("the logs were not compared with the signer file yet".to_owned()))
            }
            State::Known(known) => match (known.refused.get(&organization), known.heads.get(&organization)) {
                (Some(refusal), _) => Err(refuse(*refusal)),
                (None, Some(signed)) => compare(*signed, log).map(|_| ()).map_err(refuse),
                (None, None) => Ok(()),
            },
        }
    }
}

impl Guard<'_> {
    /// Checks the heads of a batch.
    ///
    /// # Errors
    /// If one of the logs is refused.
    pub(crate) fn check(self, heads: &BTreeMap<OrganizationId, Head>) -> Result<(), StoreError> {
        if let Self::Signed(signed) = self {
            signed.refresh();
        }
        for (&organization, head) in heads {
            match self {
                Self::Accepted(accepted) if head.log.head() == accepted => {}
                Self::Accepted(_) => return Err(StoreError::HeadMoved),
                Self::Signed(signed) => {
                    signed.check(organization, &head.log)?;
                    if let Some(reason) = head.refused.clone() {
                        return Err(StoreError::LogRefused { organization, reason });
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::*;
    use uuid::Uuid;

    const ACME: OrganizationId = OrganizationId(Uuid::from_u128(1));
    const OTHER: OrganizationId = OrganizationId(Uuid::from_u128(2));

    fn log(size: u64) -> CompactRange {
        let mut log = CompactRange::default();
        (0..size).for_each(|_| log.append(log.root()));
        log
    }

    fn heads(organization: OrganizationId, log: CompactRange, refused: Option<&str>) -> BTreeMap<OrganizationId, Head> {
        let refused = refused.map(str::to_owned);
        [(organization, Head { log, version: 1, recorded_at: None, refused })].into()
    }

    fn signed() -> SignedLogs {
        let logs = pending();
        let record = |size| Record { head: log(size).head(), restored_from: None };
        let of = |signer: &str, organization| format!("{signer}/{organization}");
        // Another signer's log, and a log of no organization, are not mixed up with an organization's log.
        let records = [
            (of("log.example.com", ACME), record(12)),
            (of("old.example.com", OTHER), record(99)),
            ("log.example.com".to_owned(), record(99)),
        ];
        logs.know("log.example.com", &records.into());
        assert!(reason(&logs, &heads(ACME, log(12), None)).unwrap().contains("not compared"), "not before a review");
        logs.reviewed();
        logs
    }

    fn pending() -> SignedLogs {
        SignedLogs { state: watch::Sender::new(State::Pending), source: None }
    }

    fn reason(logs: &SignedLogs, heads: &BTreeMap<OrganizationId, Head>) -> Option<String> {
        Guard::Signed(logs).check(heads).err().map(|error| error.to_string())
    }

    #[test]
    fn a_shorter_or_another_log_is_not_appended_to_and_other_logs_are() {
        let logs = signed();
        assert_eq!(reason(&logs, &heads(ACME, log(12), None)), None);
        assert_eq!(reason(&logs, &heads(ACME, log(13), None)), None);
        assert_eq!(reason(&logs, &heads(OTHER, log(1), None)), None);
        let shorter = reason(&logs, &heads(ACME, log(8), None)).unwrap();
        assert!(shorter.contains(&ACME.to_string()) && shorter.contains("12 entries were signed"), "{shorter}");
        let mut other = log(11);
        other.append(log(3).root());
        assert!(reason(&logs, &heads(ACME, other, None)).unwrap().contains("are not those"));
    }

    #[test]
    fn a_refused_log_is_not_appended_to_even_if_the_database_does_not_say_so() {
        let logs = signed();
        let refusal = Refusal::Differs { signed: 12, stored: 13 };
        assert!(logs.refuse(ACME, Some(refusal)) && !logs.refuse(ACME, Some(refusal)));
        assert!(reason(&logs, &heads(ACME, log(13), None)).is_some());
        assert_eq!(reason(&logs, &heads(OTHER, log(13), None)), None);
        assert!(logs.refuse(ACME, None) && !logs.refuse(ACME, None));
        assert_eq!(reason(&logs, &heads(ACME, log(13), None)), None);
    }

    #[test]
    fn a_worker_without_a_file_believes_the_heads() {
        let logs = SignedLogs::without_file();
        assert_eq!(reason(&logs, &heads(ACME, log(8), None)), None);
        assert!(reason(&logs, &heads(ACME, log(8), Some("12 entries were signed"))).unwrap().contains("12 entries"));
    }

    #[tokio::test]
    async fn without_a_usable_file_nothing_is_appended() {
        let logs = pending();
        assert!(reason(&logs, &heads(ACME, log(8), None)).is_some());
        logs.fail(&SignerFileError::Missing("signer.state".into()));
        assert!(reason(&logs, &heads(ACME, log(8), None)).unwrap().contains("log adopt"));
        assert!(logs.ready().await.is_err());
        logs.know("log.example.com", &Records::new());
        assert!(tokio::time::timeout(std::time::Duration::ZERO, logs.ready()).await.is_err(), "not compared yet");
        logs.reviewed();
        assert!(logs.ready().await.is_ok());
        assert_eq!(reason(&logs, &heads(ACME, log(8), None)), None);
    }

    /// Two workers share the file. What one has signed binds the other, whose database may be a lagging standby.
    #[tokio::test]
    async fn what_another_worker_has_signed_counts_at_once() {
        let folder = std::env::temp_dir().join(format!("rollcall-signer-shared-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = SignerFile::at(folder.join("signer.state"));
        let write = async |size| {
            let record = Record { head: log(size).head(), restored_from: None };
            let records = [(format!("log.example.com/{ACME}"), record)].into();
            file.lock().await.unwrap().write(&records).unwrap();
        };
        write(12).await;
        let logs = SignedLogs::of(&file, "log.example.com");
        logs.reviewed();
        assert_eq!(reason(&logs, &heads(ACME, log(19), None)), None);
        write(20).await;
        assert!(reason(&logs, &heads(ACME, log(19), None)).unwrap().contains("20 entries were signed"));
        assert_eq!(reason(&logs, &heads(ACME, log(20), None)), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_accepted_restore_is_written_on_exactly_the_accepted_head() {
        let accepted = Guard::Accepted(log(8).head());
        assert!(accepted.check(&heads(ACME, log(8), Some("refused"))).is_ok());
        assert!(matches!(accepted.check(&heads(ACME, log(9), None)), Err(StoreError::HeadMoved)));
    }
}
