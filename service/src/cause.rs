//! The root cause of an error.

use std::error::Error;

/// The text of the last error in the chain of causes, which is the most specific one.
pub fn root(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_last_cause_is_returned() {
        let number = "x".parse::<u8>().unwrap_err();
        let expected = number.to_string();
        assert_eq!(root(&number), expected);
        assert_eq!(root(&io::Error::other(io::Error::other(number))), expected);
    }
}
