//! Entry bundles: the entries of a tile of leaves (C2SP `tlog-tiles`, "Log entries").
//!
//! An entry is what the tree hashes: in an organization's log, the canonical header. Its length, in two bytes in
//! big-endian order, stands before it.

/// An entry is longer than its length can state. A header made of our types has less than 1200 bytes.
#[derive(Debug, thiserror::Error)]
#[error("an entry of {0} bytes does not fit into a bundle")]
pub struct EntryTooLong(usize);

/// Writes entries as a bundle, in the given order.
///
/// # Errors
/// If an entry is too long.
pub fn bundle<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Result<Vec<u8>, EntryTooLong> {
    let mut bundle = Vec::new();
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong(entry.len()))?;
        bundle.extend(length.to_be_bytes());
        bundle.extend(entry);
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::ActorKind;
    use crate::example;
    use crate::{ErrorCode, EventId, EventType, Hash, Header, OrganizationId, OutcomeKind, SubjectType, Timestamp};
    use rollcall_scim::ScimType;
    use uuid::Uuid;

    fn longest<T: Copy>(all: &[T], text: impl Fn(&T) -> &'static str) -> T {
        *all.iter().max_by_key(|value| text(value).len()).unwrap()
    }

    /// A header whose every member is as long as it can be.
    fn longest_header() -> Header {
        let (hash, id) = (Hash::from_bytes(&[255; 32]).unwrap(), Uuid::max());
        let earliest: Timestamp = "-009999-01-02T01:59:59.999999Z".parse().unwrap();
        Header {
            actor_commitment: hash,
            actor_id: Some(id),
            actor_kind: longest(ActorKind::ALL, |kind| kind.as_str()),
            error: Some(ErrorCode { scim_type: Some(ScimType::InvalidFilter), status: u16::MAX }),
            event_id: EventId(id),
            organization_id: OrganizationId(id),
            outcome: OutcomeKind::Rejected,
            payload_commitment: hash,
            recorded_at: earliest,
            requested_at: earliest,
            schema_version: u16::MAX,
            seq: u64::MAX,
            subject_id: Some(id),
            subject_type: Some(longest(SubjectType::ALL, |kind| kind.as_str())),
            event_type: longest(EventType::ALL, |kind| kind.as_str()),
        }
    }

    /// The entry of `docs/log-format.md` has 632 bytes, which is 0x0278.
    #[test]
    fn each_entry_stands_after_its_length() {
        let (first, second) = (example::entry().header, Header { seq: 10, ..example::entry().header });
        let texts = [first.canonical().unwrap(), second.canonical().unwrap()];
        let expected = [&[0x02, 0x78], &texts[0][..], &[0x02, 0x79], &texts[1][..]].concat();
        assert_eq!(bundle(texts).unwrap(), expected);
        assert_eq!(bundle::<&[u8]>([]).unwrap(), b"");
        assert!(bundle([vec![0; 65_535]]).is_ok() && bundle([vec![0; 65_536]]).is_err());
    }

    #[test]
    fn the_longest_entry_is_far_from_the_limit_of_a_bundle() {
        assert!(longest_header().canonical().unwrap().len() < 1200);
    }
}
