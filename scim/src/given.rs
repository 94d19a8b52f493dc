//! The places that a request gives values for. Members of an object have no order, so two values for one
//! place are ambiguous.

use std::collections::BTreeSet;

use crate::ScimError;

/// The places that were given so far. Case does not count.
#[derive(Debug, Default)]
pub struct GivenPlaces(BTreeSet<String>);

impl GivenPlaces {
    /// Adds a place, such as `title`, `name.givenName` or `emails.value[type eq "work"]`. The part after a
    /// colon, a dot or a bracket is inside the place before it.
    ///
    /// # Errors
    /// 400 `invalidSyntax` if the place, one inside it, or one around it is given already.
    pub fn add(&mut self, place: &str) -> Result<(), ScimError> {
        let key = place.to_lowercase();
        if self.has_around(&key) || self.has_inside(&key) || !self.0.insert(key) {
            let shown: String = place.chars().take(256).collect();
            return Err(ScimError::invalid_syntax(format!("{shown} is given twice")));
        }
        Ok(())
    }

    fn has_around(&self, key: &str) -> bool {
        key.match_indices(SEPARATORS).any(|(end, _)| self.0.contains(&key[..end]))
    }

    fn has_inside(&self, key: &str) -> bool {
        SEPARATORS.into_iter().any(|separator| {
            let start = format!("{key}{separator}");
            self.0.range(start.clone()..).next().is_some_and(|place| place.starts_with(&start))
        })
    }
}

const SEPARATORS: [char; 3] = [':', '.', '['];

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(&["title", "Title"] => false; "in two cases")]
    #[test_case(&["name", "name.givenName"] => false; "a part after the whole")]
    #[test_case(&["name.givenName", "NAME"] => false; "the whole after a part")]
    #[test_case(&["urn:x:User:department", "urn:x:User"] => false; "the extension after an attribute")]
    #[test_case(&["emails.value[type eq \"work\"]", "emails"] => false; "the list after a choice")]
    #[test_case(&["emails.value", "emails.value[type eq \"work\"]"] => false; "a choice after all")]
    #[test_case(&["name.givenName", "name.familyName", "names", "name2"] => true; "different places")]
    #[test_case(
        &["emails.value[type eq \"work\"]", "emails.value[type eq \"home\"]", "emails.type[type eq \"work\"]"] => true;
        "different choices"
    )]
    fn are_different(places: &[&str]) -> bool {
        let mut given = GivenPlaces::default();
        places.iter().all(|place| given.add(place).is_ok())
    }
}
