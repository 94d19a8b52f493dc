//! The output of commands.

/// Prints an answer: one JSON object per line.
pub(super) fn print(answer: &serde_json::Value) {
    println!("{answer}");
}
