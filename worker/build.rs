//! A migration that is added or changed is embedded anew: the macro that embeds them does not tell cargo what
//! it reads.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
