//! Proof files and paths of tiles: what parses prints to the same text, and checking it never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rollcall_events::log::evidence::Evidence;
use rollcall_events::log::proof::{Question, verify_inclusion};
use rollcall_events::log::tile_path::TilePath;
use rollcall_events::log::tlog_proof::TlogProof;

fuzz_target!(|text: &str| {
    if let Some((level, path)) = text.split_once('/')
        && let Some(tile) = TilePath::parse(level, path)
    {
        assert_eq!(format!("{}/{tile}", tile.tile.level), text);
        tile.log_size();
    }
    let Ok(file) = text.parse::<TlogProof>() else { return };
    assert_eq!(file.to_string(), text);
    let Some(evidence) = file.extra.and_then(|extra| serde_json::from_slice::<Evidence>(&extra).ok()) else { return };
    let size = file.hashes.len() as u64 + 2;
    let _ = Question::Inclusion { seq: evidence.entry.header.seq, size }.answer_len();
    let Ok(Ok(leaf)) = evidence.entry.check() else { return };
    let seq = evidence.entry.header.seq;
    // The state is checked only for an entry that is proved.
    if verify_inclusion(leaf, seq, size, leaf, &file.hashes).is_ok()
        && let Some(state) = evidence.state
    {
        let _ = state.check(&evidence.entry.header, size, leaf);
    }
});
