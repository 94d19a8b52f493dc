//! The structure of the code: the imports between files have no cycles, and those of the worker follow the
//! order of its stages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, a failure must be visible at once")]

use rollcall_tests::imports::{cycles, imports, upward};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use test_case::test_case;

#[test_case("api/core/src/lib.rs")]
#[test_case("api/oidc/src/lib.rs")]
#[test_case("api/pages/src/lib.rs")]
#[test_case("api/scim/src/lib.rs")]
#[test_case("api/src/main.rs")]
#[test_case("events/src/lib.rs")]
#[test_case("events/log/src/lib.rs")]
#[test_case("events/queue/src/lib.rs")]
#[test_case("scim/src/lib.rs")]
#[test_case("service/src/lib.rs")]
#[test_case("tests/src/lib.rs")]
#[test_case("verify/src/main.rs")]
#[test_case("worker/src/main.rs")]
fn imports_have_no_cycles(root: &str) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let all = imports(&workspace.join(root));
    assert!(!all.is_empty(), "{root} has no files");
    let lines: Vec<String> = cycles(&all)
        .iter()
        .flat_map(|(file, of_file)| of_file.iter().map(move |imported| line(file, imported)))
        .collect();
    assert!(lines.is_empty(), "import cycles in {root}:\n{}", lines.join("\n"));
}

/// The files and folders of the worker, in their order: each may import itself and those before it.
const WORKER: &[&str] = &[
    "wait.rs",
    "supervise.rs",
    "settings",
    "fact.rs",
    // The signer file, which needs no database.
    "log/signer/format.rs",
    "log/signer/file.rs",
    "db",
    "log",
    "erasure",
    "submit.rs",
    // Below the stages of the pipeline.
    "pipeline/state",
    "pipeline/decision.rs",
    "pipeline/rows.rs",
    "pipeline/settings",
    "pipeline/positions.rs",
    "pipeline/notifications.rs",
    "pipeline/error.rs",
    "pipeline/in_flight.rs",
    "pipeline/suspicion.rs",
    "pipeline/dead_letter.rs",
    "pipeline/known.rs",
    "pipeline/span.rs",
    // The stages.
    "pipeline/receive.rs",
    "pipeline/load",
    "pipeline/decide",
    "pipeline/project",
    "pipeline/prepare.rs",
    "pipeline/apply.rs",
    "pipeline/reply.rs",
    "pipeline/ack.rs",
    // The loop that calls them.
    "pipeline/statements.rs",
    "pipeline/trial.rs",
    "pipeline/batch_run.rs",
    "pipeline/reader.rs",
    "pipeline/session.rs",
    "pipeline/direct.rs",
    "pipeline/hold.rs",
    "pipeline/overlap.rs",
    "pipeline/serve.rs",
    "pipeline/mod.rs",
    "replay",
    "background",
    "cli",
    "main.rs",
];

#[test]
fn the_worker_imports_earlier_layers_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("worker/src");
    let found = upward(&imports(&folder.join("main.rs")), &folder, WORKER).unwrap();
    let lines: Vec<String> =
        found.iter().flat_map(|(file, of_file)| of_file.iter().map(move |imported| line(file, imported))).collect();
    assert!(lines.is_empty(), "imports of later layers:\n{}", lines.join("\n"));
}

fn line(file: &Path, imported: &Path) -> String {
    format!("{} -> {}", file.display(), imported.display())
}

/// Writes an example crate with the given files, and returns its root file.
fn example(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rollcall-imports-{name}-{}", std::process::id()));
    for (file, text) in files {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder.join("lib.rs")
}

#[test_case("direct", "use crate::b::B; pub struct A;", "use super::a::A; pub struct B;" => 2; "by use")]
#[test_case("path", "pub struct A(crate::b::B);", "use crate::a::A; pub struct B;" => 2; "by a path in the code")]
#[test_case(
    "reexport", "use crate::inner::C; pub struct A;", "pub struct B;" => 0;
    "a re-export counts for the file that defines the name"
)]
#[test_case(
    "test", "pub struct A;\n#[cfg(test)]\nmod tests { use crate::b::B; }", "use crate::a::A; pub struct B;" => 0;
    "tests do not count"
)]
#[test_case("one-way", "use crate::b::B; pub struct A;", "pub struct B;" => 0; "one way")]
#[test_case(
    "visible", "pub struct A(pub(in crate::b) u8);", "use crate::a::A; pub struct B;" => 0;
    "a visibility is no import"
)]
fn cycles_are_found(name: &str, a: &str, b: &str) -> usize {
    let inner = ("inner/mod.rs", "mod c;\npub use c::C;\nuse crate::a::A;\nfn of(_: A) {}");
    let root = example(
        name,
        &[("lib.rs", "mod a; mod b; mod inner;"), ("a.rs", a), ("b.rs", b), inner, ("inner/c.rs", "pub struct C;")],
    );
    let found = cycles(&imports(&root)).len();
    std::fs::remove_dir_all(root.parent().unwrap()).unwrap();
    found
}

#[test_case("down", &["inner", "b.rs", "a.rs", "lib.rs"] => Ok(0); "each imports an earlier layer")]
#[test_case("up", &["inner", "a.rs", "b.rs", "lib.rs"] => Ok(1); "a file imports a later layer")]
#[test_case("inside", &["inner/mod.rs", "inner", "b.rs", "a.rs", "lib.rs"] => Ok(0); "a file in the folder of a layer")]
#[test_case("none", &["inner", "b.rs", "lib.rs"] => Err("a.rs is in no layer".to_owned()); "a file without a layer")]
#[test_case(
    "more", &["c.rs", "inner", "b.rs", "a.rs", "lib.rs"] => Err("c.rs has no file".to_owned());
    "a layer without a file"
)]
fn imports_of_later_layers_are_found(name: &str, layers: &[&str]) -> Result<usize, String> {
    let inner = ("inner/mod.rs", "mod c;\npub use c::C;");
    let root = example(
        &format!("layers-{name}"),
        &[
            ("lib.rs", "mod a; mod b; mod inner;"),
            ("a.rs", "use crate::b::B; use crate::inner::C; pub struct A;"),
            ("b.rs", "use crate::inner::C; pub struct B;"),
            inner,
            ("inner/c.rs", "pub struct C;"),
        ],
    );
    let folder = root.parent().unwrap();
    let found = upward(&imports(&root), folder, layers).map(|found| found.values().map(BTreeSet::len).sum());
    std::fs::remove_dir_all(folder).unwrap();
    found
}
