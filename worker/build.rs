//! Rebuilds the worker when a migration is added or changed. The macro that embeds the migrations does not
//! tell cargo which files it reads.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
