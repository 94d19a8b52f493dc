//! The results of a check, how they are printed, and the exit code.

use std::io::{self, Write};

/// Maximum number of faults that are printed one by one.
const MAX_PRINTED: usize = 20;

/// The exit code if everything verifies.
pub(crate) const HOLDS: u8 = 0;
/// The exit code if something does not verify.
pub(crate) const BROKEN: u8 = 1;
/// The exit code if the check could not run, or could not check everything.
pub(crate) const UNCHECKED: u8 = 2;

/// The results of a check.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// What verifies.
    pub(crate) holds: Vec<String>,
    /// What the files disclose.
    pub(crate) shows: Vec<String>,
    /// What the files withhold on purpose: parts of entries.
    pub(crate) open: Vec<String>,
    /// What does not verify.
    pub(crate) broken: Vec<String>,
    /// What could not be checked.
    pub(crate) unchecked: Vec<String>,
}

impl Findings {
    /// The exit code: a fault weighs more than something that could not be checked.
    pub(crate) fn exit_code(&self) -> u8 {
        match (self.broken.is_empty(), self.unchecked.is_empty()) {
            (false, _) => BROKEN,
            (true, false) => UNCHECKED,
            (true, true) => HOLDS,
        }
    }

    /// Prints the findings, one a line.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for (label, findings) in [("holds", &self.holds), ("shows", &self.shows), ("not proved", &self.open)] {
            for finding in findings {
                writeln!(out, "{label}: {finding}")?;
            }
        }
        for (label, findings) in [("BROKEN", &self.broken), ("NOT CHECKED", &self.unchecked)] {
            for finding in findings.iter().take(MAX_PRINTED) {
                writeln!(out, "{label}: {finding}")?;
            }
            if findings.len() > MAX_PRINTED {
                writeln!(out, "{label}: and {} more", findings.len() - MAX_PRINTED)?;
            }
        }
        out.flush()
    }
}
