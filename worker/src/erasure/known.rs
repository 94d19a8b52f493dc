//! Compares records with the names and ids of erased persons.
//!
//! The id of an erased user counts at any time, because ids are never reused. A name counts only in a record
//! from before the erasure. In a later record, it belongs to the person who has the name now. It does not
//! count either if the record also contains the id of a living user with this name.

use rollcall_events::{OrganizationId, Timestamp};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

use super::Run;
use super::mentions::{Mentions, NameHash, ids, name_hash};
use crate::db::TaskError;

/// Texts of a call record are cut to this number of characters.
pub(crate) const CUT_CHARS: usize = 500;
/// The end of a body that was cut.
const CUT: char = '…';
/// Maximum number of hashes in one query.
const CHUNK: usize = 10_000;

const NEWEST: &str = "
    SELECT k.id, e.erased_at FROM unnest($1::uuid[]) AS k (id)
    CROSS JOIN LATERAL (
        SELECT u.erased_at FROM erased_users u WHERE u.organization_id = k.id
        ORDER BY u.organization_id DESC, u.erased_at DESC LIMIT 1
    ) e";
const IDS: &str = "SELECT user_id FROM erased_users WHERE organization_id = $1 AND user_id = ANY($2)";
const NAMES: &str = "
    SELECT n.name_hash, u.erased_at FROM unnest($2::bytea[]) AS k (name_hash)
    JOIN erased_names n ON n.organization_id = $1 AND n.name_hash = k.name_hash
    JOIN erased_users u ON u.organization_id = n.organization_id AND u.user_id = n.user_id";
const LIVING: &str =
    "SELECT id, resource ->> 'userName' AS name FROM users WHERE organization_id = $1 AND id = ANY($2)";
/// Of some ids: the organizations with erased users among them, and the organizations of the erased users
/// among them.
const ORGANIZATIONS: &str = "
    SELECT k.id FROM unnest($1::uuid[]) AS k (id)
    WHERE EXISTS (SELECT FROM erased_users u WHERE u.organization_id = k.id)
    UNION SELECT u.organization_id FROM unnest($1::uuid[]) AS k (id) JOIN erased_users u ON u.user_id = k.id";

/// The ids and possible names in a record.
pub(crate) struct RecordMentions {
    /// When the record was made. `None` if unknown, which counts as before any erasure.
    at: Option<Timestamp>,
    /// The mentions in the essential parts. Without these parts, the record has no use.
    head: Mentions,
    /// The mentions in the bodies.
    bodies: Mentions,
    /// Whether a text was cut. A name may be broken off at its end.
    has_cut_text: bool,
    has_cut_body: bool,
}

/// The texts of a call record.
pub(crate) struct CallTexts<'a> {
    pub(crate) organization: OrganizationId,
    pub(crate) at: Timestamp,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) subject_id: Option<Uuid>,
    pub(crate) detail: Option<&'a str>,
    pub(crate) bodies: [Option<&'a str>; 2],
}

/// The decision about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It names no erased person.
    Keep,
    /// Some parts name an erased person, or may do so. Only these parts are removed.
    Redact {
        /// Remove the texts that were cut.
        cut_texts: bool,
        /// Remove both bodies.
        bodies: bool,
    },
    /// Its essential parts name an erased person. It is removed.
    Drop,
}

impl RecordMentions {
    /// Reads a call record. `newest` is the time of the newest erasure in its organization. Later records can
    /// contain no name that counts.
    pub(crate) fn call(texts: &CallTexts<'_>, newest: Timestamp) -> Self {
        let with_names = texts.at <= newest;
        let (mut head, mut bodies) =
            (Mentions::new(texts.organization, with_names), Mentions::new(texts.organization, with_names));
        head.id(texts.subject_id);
        [Some(texts.path), texts.query, texts.subject, texts.detail]
            .into_iter()
            .flatten()
            .for_each(|text| head.text(text));
        texts.bodies.into_iter().flatten().for_each(|body| bodies.body(body));
        let is_cut = |text: &&str| text.chars().nth(CUT_CHARS - 1).is_some();
        Self {
            at: Some(texts.at),
            head,
            bodies,
            has_cut_text: with_names && [texts.query, texts.detail].into_iter().flatten().any(|text| is_cut(&text)),
            has_cut_body: with_names && texts.bodies.into_iter().flatten().any(|body| body.ends_with(CUT)),
        }
    }

    /// Reads a dead letter.
    fn dead_letter(organization: OrganizationId, at: Option<Timestamp>, texts: &[&str]) -> Self {
        let mut head = Mentions::new(organization, true);
        for text in texts {
            head.body(text);
        }
        Self { at, head, bodies: Mentions::new(organization, false), has_cut_text: false, has_cut_body: false }
    }

    fn mentions(&self) -> [&Mentions; 2] {
        [&self.head, &self.bodies]
    }
}

/// The time of the newest erasure in each organization that has one.
pub(crate) async fn newest_erasures(
    database: &impl Run,
    organizations: &[OrganizationId],
) -> Result<HashMap<OrganizationId, Timestamp>, TaskError> {
    let rows = database.run(NEWEST, &[&organizations]).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("erased_at")?))).collect()
}

/// The erased persons whom some records may name.
#[derive(Default)]
struct ErasedPersons {
    ids: HashSet<Uuid>,
    /// The hashes of names, each with the newest erasure of a person with this name.
    names: HashMap<NameHash, Timestamp>,
    /// Living users, each with the hash of the user's name.
    living: HashMap<Uuid, NameHash>,
}

/// Decides what to do with records of one organization. The verdicts are in the order of the records.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn judge(
    database: &impl Run,
    organization: OrganizationId,
    readings: &[RecordMentions],
) -> Result<Vec<Verdict>, TaskError> {
    let known = known(database, organization, readings).await?;
    Ok(readings.iter().map(|reading| known.verdict(reading)).collect())
}

async fn known(
    database: &impl Run,
    organization: OrganizationId,
    readings: &[RecordMentions],
) -> Result<ErasedPersons, TaskError> {
    let mut known = ErasedPersons::default();
    let mentions = || readings.iter().flat_map(RecordMentions::mentions);
    let ids: Vec<Uuid> =
        mentions().flat_map(|mentions| &mentions.ids).copied().collect::<HashSet<_>>().into_iter().collect();
    for row in database.run(IDS, &[&organization, &ids]).await? {
        known.ids.insert(row.try_get("user_id")?);
    }
    let names: Vec<&[u8]> = mentions()
        .flat_map(|mentions| &mentions.names)
        .collect::<HashSet<_>>()
        .into_iter()
        .map(<[u8; 32]>::as_slice)
        .collect();
    for chunk in names.chunks(CHUNK) {
        for row in database.run(NAMES, &[&organization, &chunk]).await? {
            let hash = NameHash::try_from(row.try_get::<_, &[u8]>("name_hash")?);
            let hash =
                hash.map_err(|_| TaskError::Unreadable("a stored hash of a name has another length".to_owned()))?;
            let erased_at: Timestamp = row.try_get("erased_at")?;
            known.names.entry(hash).and_modify(|at| *at = erased_at.max(*at)).or_insert(erased_at);
        }
    }
    if !known.names.is_empty() {
        for row in database.run(LIVING, &[&organization, &ids]).await? {
            let name = row.try_get::<_, Option<&str>>("name")?.and_then(|name| name_hash(organization, name));
            known.living.extend(name.map(|name| Ok::<_, TaskError>((row.try_get("id")?, name))).transpose()?);
        }
    }
    Ok(known)
}

impl ErasedPersons {
    fn verdict(&self, reading: &RecordMentions) -> Verdict {
        let theirs: HashSet<_> =
            reading.head.ids.iter().chain(&reading.bodies.ids).filter_map(|id| self.living.get(id)).collect();
        let is_named = |mentions: &Mentions| {
            let names = mentions.names.iter().filter(|name| !theirs.contains(name));
            mentions.ids.iter().any(|id| self.ids.contains(id))
                || names
                    .filter_map(|name| self.names.get(name))
                    .any(|erased_at| reading.at.is_none_or(|at| at <= *erased_at))
        };
        if is_named(&reading.head) {
            return Verdict::Drop;
        }
        let bodies = reading.has_cut_body || is_named(&reading.bodies);
        if bodies || reading.has_cut_text {
            Verdict::Redact { cut_texts: reading.has_cut_text, bodies }
        } else {
            Verdict::Keep
        }
    }
}

/// The time at which a dead letter's request was made, if it can be read.
#[derive(Deserialize)]
struct RequestTime {
    requested_at: Timestamp,
}

/// Whether a dead letter names an erased person. A dead letter whose organization is unknown belongs to the
/// system organization. It is compared with all organizations that it mentions and with all erased ids.
/// `sent` is the timestamp of its message.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn names_erased_person(
    database: &impl Run,
    organization: OrganizationId,
    body: &[u8],
    reason: &str,
    sent: Option<Timestamp>,
) -> Result<bool, TaskError> {
    let text = String::from_utf8_lossy(body).into_owned();
    let organizations = if organization == OrganizationId::SYSTEM {
        let ids: Vec<_> = ids(&text).collect::<HashSet<_>>().into_iter().collect();
        let rows = database.run(ORGANIZATIONS, &[&ids]).await?;
        rows.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?
    } else {
        newest_erasures(database, &[organization]).await?.into_keys().collect::<Vec<_>>()
    };
    let at = serde_json::from_slice::<RequestTime>(body).ok().map(|dated| dated.requested_at).or(sent);
    for organization in organizations {
        let texts = [text.clone(), reason.to_owned()];
        // A body can be large, and reading it is CPU work.
        let reading = tokio::task::spawn_blocking(move || {
            RecordMentions::dead_letter(organization, at, &texts.each_ref().map(String::as_str))
        });
        if judge(database, organization, &[reading.await?]).await? == [Verdict::Drop] {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: OrganizationId = OrganizationId::SYSTEM;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_microsecond(second * 1_000_000).unwrap()
    }

    /// Mary was erased at second 100.
    fn known() -> ErasedPersons {
        let mut known = ErasedPersons::default();
        known.ids.insert(Uuid::from_u128(1));
        known.names.insert(name_hash(NOBODY, "mary").unwrap(), at(100));
        known.living.insert(Uuid::from_u128(2), name_hash(NOBODY, "Mary").unwrap());
        known.living.insert(Uuid::from_u128(3), name_hash(NOBODY, "ada").unwrap());
        known
    }

    fn call(seconds: i64, query: &str, subject_id: u128, body: &str) -> Verdict {
        let texts = CallTexts {
            organization: NOBODY,
            at: at(seconds),
            path: "/Users",
            query: Some(query),
            subject: None,
            subject_id: Some(Uuid::from_u128(subject_id)),
            detail: None,
            bodies: [None, Some(body)],
        };
        known().verdict(&RecordMentions::call(&texts, at(100)))
    }

    const BODIES: Verdict = Verdict::Redact { cut_texts: false, bodies: true };

    #[test]
    fn a_call_from_before_the_erasure_is_dropped_and_a_later_one_kept() {
        assert_eq!(call(100, "filter=userName eq \"MARY\"", 3, ""), Verdict::Drop);
        assert_eq!(call(101, "filter=userName eq \"MARY\"", 3, ""), Verdict::Keep);
        assert_eq!(call(101, "", 1, ""), Verdict::Drop, "an id counts at any time");
    }

    #[test]
    fn a_call_about_a_living_user_with_the_name_is_kept() {
        assert_eq!(call(50, "filter=userName eq \"mary\"", 2, "{\"userName\":\"mary\"}"), Verdict::Keep);
        assert_eq!(
            call(50, "filter=userName eq \"mary\"", 3, ""),
            Verdict::Drop,
            "another living user does not have it"
        );
    }

    #[test]
    fn bodies_and_shortened_texts_that_may_name_an_erased_person_are_removed() {
        assert_eq!(call(50, "", 3, "{\"userName\":\"Mary\"}"), BODIES);
        assert_eq!(call(50, "", 3, "{\"userName\":\"ma…"), BODIES);
        assert_eq!(call(101, "", 3, "{\"userName\":\"ma…"), Verdict::Keep);
        assert_eq!(call(50, &"x".repeat(CUT_CHARS), 3, ""), Verdict::Redact { cut_texts: true, bodies: false });
        assert_eq!(call(50, &"x".repeat(CUT_CHARS - 1), 3, ""), Verdict::Keep);
    }
}
