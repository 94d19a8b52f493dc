//! The order in which the operations of a bulk request run.

use std::collections::{BTreeSet, HashMap};

use super::Operation;

/// The order in which the operations can run, as waves. The operations of one wave do not need each other's
/// outcomes.
///
/// Operations keep their order, except that an operation waits for a later one that creates a resource it
/// refers to. If operations refer to each other in a circle, one of them has to run before the resource that
/// it refers to exists.
pub fn waves(operations: &[Operation]) -> Vec<Vec<usize>> {
    let mut plan = Plan::new(operations);
    std::iter::from_fn(|| plan.next_wave()).collect()
}

/// The operations that are in no wave yet. Each is visited once, and once more for each operation that it
/// needs.
struct Plan {
    /// By operation: the operations that need it.
    needed_by: Vec<Vec<usize>>,
    /// By operation: the number of operations that it needs and that have not run.
    open: Vec<usize>,
    /// By operation: the number of those that come before it.
    open_before: Vec<usize>,
    /// The first operation that has not had its turn.
    next: usize,
    /// Operations before `next` that wait for later ones.
    waiting: BTreeSet<usize>,
    /// Operations before `next` that no longer wait.
    ready: BTreeSet<usize>,
}

impl Plan {
    fn new(operations: &[Operation]) -> Self {
        let creators: HashMap<&str, usize> = operations
            .iter()
            .enumerate()
            .filter_map(|(index, operation)| Some((operation.bulk_id.as_deref()?, index)))
            .collect();
        let (mut needed_by, mut open) = (vec![Vec::new(); operations.len()], vec![0; operations.len()]);
        let mut open_before = open.clone();
        for (index, operation) in operations.iter().enumerate() {
            for needed in operation
                .references()
                .iter()
                .filter_map(|id| creators.get(id).copied())
                .filter(|needed| *needed != index)
            {
                needed_by[needed].push(index);
                open[index] += 1;
                open_before[index] += usize::from(needed < index);
            }
        }
        Self { needed_by, open, open_before, next: 0, waiting: BTreeSet::new(), ready: BTreeSet::new() }
    }

    /// The operations that can run now; `None` if all have run.
    fn next_wave(&mut self) -> Option<Vec<usize>> {
        let mut wave: Vec<usize> = std::mem::take(&mut self.ready).into_iter().collect();
        // An operation that refers to an earlier one waits for the next wave, and so do all operations after
        // it.
        while self.next < self.open.len() && self.open_before[self.next] == 0 {
            if self.open[self.next] == 0 {
                wave.push(self.next);
            } else {
                self.waiting.insert(self.next);
            }
            self.next += 1;
        }
        if wave.is_empty() {
            wave.push(self.first_of_a_circle()?);
        }
        for &done in &wave {
            for index in std::mem::take(&mut self.needed_by[done]) {
                self.open[index] -= 1;
                self.open_before[index] -= usize::from(done < index);
                if self.open[index] == 0 && self.waiting.remove(&index) {
                    self.ready.insert(index);
                }
            }
        }
        Some(wave)
    }

    fn first_of_a_circle(&mut self) -> Option<usize> {
        if let Some(first) = self.waiting.pop_first() {
            return Some(first);
        }
        let first = self.next;
        self.next += 1;
        (first < self.open.len()).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::{BULK_REQUEST_SCHEMA, parse};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use test_case::test_case;

    fn post(id: &str, refers: &[&str]) -> Value {
        let members: Vec<_> = refers.iter().map(|id| json!({"value": format!("bulkId:{id}")})).collect();
        json!({"method": "post", "path": "/Users", "bulkId": id, "data": {"members": members}})
    }

    #[test_case(&[post("a", &[]), post("b", &[])] => vec![vec![0, 1]]; "nothing refers to anything")]
    #[test_case(
        &[post("a", &[]), post("b", &["a"]), post("c", &[])] => vec![vec![0], vec![1, 2]]; "back: order is kept"
    )]
    #[test_case(&[post("a", &["c"]), post("b", &[]), post("c", &[])] => vec![vec![1, 2], vec![0]]; "forth: it waits")]
    #[test_case(&[post("a", &["b"]), post("b", &["a"])] => vec![vec![0], vec![1]]; "in a circle")]
    #[test_case(&[post("a", &["a", "nobody"])] => vec![vec![0]]; "to itself and to nothing")]
    fn order(operations: &[Value]) -> Vec<Vec<usize>> {
        waves(&parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": operations}), 5).unwrap().operations)
    }

    /// The definition of the order. It costs the square of the number of operations.
    fn by_definition(operations: &[Operation]) -> Vec<Vec<usize>> {
        let place = |id: &str| operations.iter().position(|operation| operation.bulk_id.as_deref() == Some(id));
        let needs = |index: usize| -> Vec<usize> {
            operations[index].references().into_iter().filter_map(place).filter(|needed| *needed != index).collect()
        };
        let (mut remaining, mut waves): (Vec<usize>, Vec<Vec<usize>>) = ((0..operations.len()).collect(), Vec::new());
        while let Some(&first) = remaining.first() {
            let mut wave = Vec::new();
            for &index in &remaining {
                let open: Vec<_> = needs(index).into_iter().filter(|needed| remaining.contains(needed)).collect();
                if open.is_empty() {
                    wave.push(index);
                } else if open.iter().any(|needed| *needed < index) {
                    break;
                }
            }
            if wave.is_empty() {
                wave.push(first);
            }
            remaining.retain(|index| !wave.contains(index));
            waves.push(wave);
        }
        waves
    }

    proptest! {
        #[test]
        fn the_order_is_the_one_that_is_defined(edges in proptest::collection::vec((0..8_usize, 0..8_usize), 0..14)) {
            let refers = |index: usize| edges.iter().filter(
                move |(from, _)| *from == index
            ).map(|(_, to)| to.to_string()).collect::<Vec<_>>();
            let posts: Vec<_> =
                (0..8).map(
                    |index| post(&index.to_string(), &refers(index).iter().map(String::as_str).collect::<Vec<_>>())
                ).collect();
            let operations = parse(
                json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": posts}), 8
            ).unwrap().operations;
            prop_assert_eq!(waves(&operations), by_definition(&operations));
        }
    }

    #[test]
    fn a_chain_of_many_operations_is_put_in_order() {
        let id = |index: usize| format!("b{index}");
        for (step, waves_expected) in [(1, 20_000), (-1_isize, 20_000)] {
            let posts: Vec<_> =
                (0..20_000_usize).map(|index| post(&id(index), &[&id(index.wrapping_add_signed(step))])).collect();
            let operations =
                parse(json!({"schemas": [BULK_REQUEST_SCHEMA], "Operations": posts}), 20_000).unwrap().operations;
            assert_eq!(waves(&operations).len(), waves_expected);
        }
    }
}
