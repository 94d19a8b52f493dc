//! Positions in a list. A page begins and ends at a key, so that no resource is missed while others are
//! created and deleted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall_scim::{ScimError, ScimType};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The position of a resource in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The index of the resource's table in the query.
    pub(super) table: i32,
    pub(super) id: Uuid,
    /// The value that the list is sorted by; `None` if it is sorted by id.
    pub(super) sort_key: Option<String>,
}

/// A side of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Side {
    /// The resources after the position.
    After,
    /// The resources before the position.
    Before,
}

/// A cursor (RFC 9865): a fingerprint of its query, a position, and a side of it.
#[derive(Serialize, Deserialize)]
struct Cursor(String, Side, Position);

/// Encodes a cursor.
///
/// # Errors
/// If it cannot be written as JSON. A cursor made of these types can.
pub(super) fn write(query: &str, side: Side, position: Position) -> Result<String, serde_json::Error> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Cursor(query.to_owned(), side, position))?))
}

/// Decodes a cursor.
///
/// # Errors
/// 400 `invalidCursor` if the text is not a cursor, or belongs to another query.
pub(super) fn read(query: &str, text: &str) -> Result<(Side, Position), ScimError> {
    let read = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice::<Cursor>(&bytes).ok());
    match read {
        Some(Cursor(of, side, position))
            if of == query && !position.sort_key.as_deref().unwrap_or_default().contains('\0') =>
        {
            Ok((side, position))
        }
        Some(_) => Err(ScimError::bad_request(
            ScimType::InvalidCursor,
            "cursor belongs to a query with another filter or order",
        )),
        None => Err(ScimError::bad_request(ScimType::InvalidCursor, "cursor was not issued by this service")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_can_be_read_only_with_its_own_query() {
        let position = Position { table: 1, id: Uuid::from_u128(7), sort_key: Some("ß".to_owned()) };
        let cursor = write("q", Side::Before, position.clone()).unwrap();
        assert_eq!(read("q", &cursor), Ok((Side::Before, position)));
        for (query, text) in [("other", cursor.as_str()), ("q", "x"), ("q", "e30"), ("q", "\u{e9}")] {
            assert_eq!(read(query, text).unwrap_err().scim_type, Some(ScimType::InvalidCursor), "{text}");
        }
    }
}
