//! The output of commands.

/// Prints the result as one line of JSON.
pub(super) fn print(result: &serde_json::Value) {
    println!("{result}");
}
