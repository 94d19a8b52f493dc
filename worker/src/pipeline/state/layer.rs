//! Values by key in three layers: the loaded ones, those that the batch before has changed, and those that the batch
//! has changed. To decide a batch again, drop the third layer.

use std::collections::HashMap;
use std::hash::Hash;

use super::keys::{Key, Lookup, NotLoaded};

/// Values by key. A loaded key is present or absent. A key in no layer is not loaded.
#[derive(Debug)]
pub(super) struct Layers<K, V> {
    loaded: HashMap<K, Option<V>>,
    /// The changes of the batch before. The database may not have them yet.
    carried: HashMap<K, Option<V>>,
    changed: HashMap<K, Option<V>>,
}

impl<K, V> Default for Layers<K, V> {
    fn default() -> Self {
        Self { loaded: HashMap::new(), carried: HashMap::new(), changed: HashMap::new() }
    }
}

impl<K: Eq + Hash, V> Layers<K, V> {
    /// Looks a key up. If it is not loaded, `name` gives the key to report.
    pub(super) fn get(&self, key: &K, name: impl FnOnce() -> Key) -> Lookup<&V> {
        let newest = [&self.changed, &self.carried, &self.loaded].into_iter().find_map(|layer| layer.get(key));
        newest.map(Option::as_ref).ok_or_else(|| NotLoaded::one(name()))
    }

    /// Whether a key was loaded or changed.
    pub(super) fn knows(&self, key: &K) -> bool {
        [&self.changed, &self.carried, &self.loaded].into_iter().any(|layer| layer.contains_key(key))
    }

    /// Sets a loaded value.
    pub(super) fn load(&mut self, key: K, value: Option<V>) {
        self.loaded.insert(key, value);
    }

    /// Marks keys as absent in the database, unless they were found.
    pub(super) fn load_absences(&mut self, keys: impl IntoIterator<Item = K>) {
        for key in keys {
            self.loaded.entry(key).or_insert(None);
        }
    }

    /// Changes a value; `None` removes it.
    pub(super) fn change(&mut self, key: K, value: Option<V>) {
        self.changed.insert(key, value);
    }

    /// Discards all changes of the batch.
    pub(super) fn revert(&mut self) {
        self.changed.clear();
    }

    /// Begins the next batch: keeps the changes of this one, and nothing else.
    pub(super) fn carry(&mut self) {
        self.loaded = HashMap::new();
        self.carried = std::mem::take(&mut self.changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::OrganizationId;

    #[test]
    fn absent_and_not_loaded_are_different() {
        let mut layers: Layers<u8, &str> = Layers::default();
        let name = || Key::Organization(OrganizationId::SYSTEM);
        assert_eq!(layers.get(&1, name), Err(NotLoaded::one(name())));
        layers.load_absences([1]);
        assert_eq!(layers.get(&1, name), Ok(None));
        layers.load(2, Some("two"));
        layers.load_absences([2]);
        assert_eq!(layers.get(&2, name), Ok(Some(&"two")), "what was found is not overwritten");
        layers.change(2, None);
        layers.change(1, Some("one"));
        assert_eq!((layers.get(&1, name), layers.get(&2, name)), (Ok(Some(&"one")), Ok(None)));
        layers.revert();
        assert_eq!((layers.get(&1, name), layers.get(&2, name)), (Ok(None), Ok(Some(&"two"))));
    }

    #[test]
    fn the_changes_of_the_batch_before_hide_what_the_database_holds_and_are_not_reverted() {
        let mut layers: Layers<u8, &str> = Layers::default();
        let name = || Key::Organization(OrganizationId::SYSTEM);
        layers.load_absences([1, 3]);
        layers.load(2, Some("two"));
        layers.change(1, Some("one"));
        layers.change(2, None);
        layers.carry();
        assert_eq!(layers.get(&3, name), Err(NotLoaded::one(name())), "loaded values are dropped");
        layers.load_absences([1]);
        layers.load(2, Some("two"));
        assert_eq!((layers.get(&1, name), layers.get(&2, name)), (Ok(Some(&"one")), Ok(None)));
        layers.change(1, None);
        assert_eq!(layers.get(&1, name), Ok(None));
        layers.revert();
        assert_eq!(layers.get(&1, name), Ok(Some(&"one")));
        layers.carry();
        assert!(!layers.knows(&1), "only the batch before counts");
    }
}
