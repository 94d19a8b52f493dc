//! The addresses of tiles and entry bundles: `<N>[.p/<W>]` (C2SP `tlog-tiles`).

use std::fmt;
use std::ops::RangeInclusive;

use super::tile::{Tile, WIDTH};

/// The highest level of a tile.
const MAX_LEVEL: u8 = 63;
/// Each element of a path has three digits of the index.
const BASE: u64 = 1000;

/// A full tile, or the first hashes of a tile. A bundle of entries has the address of its tile of leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// The tile.
    pub tile: Tile,
    /// The number of hashes or entries: 256 for a full tile, fewer for a partial one.
    pub width: u64,
}

impl TilePath {
    /// Parses `<L>` and `<N>[.p/<W>]`, such as `0` and `x001/x234/067.p/12`; `None` unless they are written in
    /// exactly this form.
    ///
    /// `tlog_tiles` can parse such a path too, but panics at a level of 64 or a width of 0.
    pub fn parse(level: &str, path: &str) -> Option<Self> {
        let (index, width) = match path.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
            None => (path, WIDTH),
        };
        let parsed = Self { tile: Tile { level: level.parse().ok()?, index: parse_index(index)? }, width };
        let is_canonical = parsed.tile.level.to_string() == level && parsed.to_string() == path;
        (is_canonical && parsed.tile.level <= MAX_LEVEL).then_some(parsed)
    }

    /// The size of the smallest log that has all of these hashes; `None` if no log can have them.
    pub fn log_size(self) -> Option<u64> {
        let hashes = self.tile.index.checked_mul(WIDTH)?.checked_add(self.width)?;
        let leaves_per_hash = WIDTH.checked_pow(self.tile.level.into())?;
        hashes.checked_mul(leaves_per_hash)
    }

    /// The seqs of the entries of a bundle.
    pub fn seqs(self) -> RangeInclusive<u64> {
        let before = self.tile.index.saturating_mul(WIDTH);
        before.saturating_add(1)..=before.saturating_add(self.width)
    }
}

/// Parses an index of one or several elements: `067`, `x234/067`.
fn parse_index(path: &str) -> Option<u64> {
    path.split('/').try_fold(0_u64, |index, element| {
        let digits: u64 = element.strip_prefix('x').unwrap_or(element).parse().ok()?;
        index.checked_mul(BASE)?.checked_add(digits)
    })
}

/// Writes `<N>[.p/<W>]`.
impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut elements = vec![format!("{:03}", self.tile.index % BASE)];
        let mut rest = self.tile.index / BASE;
        while rest > 0 {
            elements.push(format!("x{:03}", rest % BASE));
            rest /= BASE;
        }
        elements.reverse();
        f.write_str(&elements.join("/"))?;
        if self.width < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use test_case::test_case;

    #[test_case("0", "000" => Some((0, 0, 256)); "the first")]
    #[test_case("0", "000.p/1" => Some((0, 0, 1)); "a partial one")]
    #[test_case("1", "x001/x234/067.p/255" => Some((1, 1_234_067, 255)); "the example of the specification")]
    #[test_case("63", "999" => Some((63, 999, 256)); "the highest level")]
    #[test_case("64", "000" => None; "a level too high")]
    #[test_case("00", "000" => None; "a level with a leading zero")]
    #[test_case("+1", "000" => None; "a level with a sign")]
    #[test_case("", "000" => None; "no level")]
    #[test_case("entries", "000" => None; "a word as level")]
    #[test_case("0", "" => None; "no index")]
    #[test_case("0", "1" => None; "too few digits")]
    #[test_case("0", "0001" => None; "too many digits")]
    #[test_case("0", "x000/001" => None; "an element too many")]
    #[test_case("0", "001/234" => None; "no x")]
    #[test_case("0", "x001" => None; "an x at the end")]
    #[test_case("0", "+01" => None; "an index with a sign")]
    #[test_case("0", "000/" => None; "a slash at the end")]
    #[test_case("0", "000.p/0" => None; "an empty tile")]
    #[test_case("0", "000.p/256" => None; "a full tile as a partial one")]
    #[test_case("0", "000.p/01" => None; "a width with a leading zero")]
    #[test_case("0", "000.p/1/" => None; "a slash after the width")]
    #[test_case("0", "x018/x446/x744/x073/x709/x551/616" => None; "an index beyond 64 bits")]
    fn parsed(level: &str, path: &str) -> Option<(u8, u64, u64)> {
        TilePath::parse(level, path).map(|found| (found.tile.level, found.tile.index, found.width))
    }

    /// The example of the specification: the tiles of a tree of 70,000 entries.
    #[test_case("0", "272" => Some(69_888); "the last full tile of leaves")]
    #[test_case("0", "273.p/112" => Some(70_000); "the partial tile of leaves")]
    #[test_case("1", "000" => Some(65_536); "the full tile of level 1")]
    #[test_case("1", "001.p/17" => Some(69_888); "the partial tile of level 1")]
    #[test_case("2", "000.p/1" => Some(65_536); "the partial tile of level 2")]
    #[test_case("8", "000.p/1" => None; "more entries than can be counted")]
    #[test_case("0", "x018/x446/x744/x073/x709/x551/615" => None; "the largest index")]
    fn smallest_log(level: &str, path: &str) -> Option<u64> {
        TilePath::parse(level, path).unwrap().log_size()
    }

    #[test]
    fn a_bundle_has_the_entries_of_its_leaves() {
        assert_eq!(TilePath::parse("0", "001").unwrap().seqs(), 257..=512);
        assert_eq!(TilePath::parse("0", "001.p/3").unwrap().seqs(), 257..=259);
    }

    proptest! {
        #[test]
        fn every_path_reads_back(level in 0_u8..=63, index in any::<u64>(), width in 1_u64..=256) {
            let path = TilePath { tile: Tile { level, index }, width };
            prop_assert_eq!(TilePath::parse(&level.to_string(), &path.to_string()), Some(path));
            let theirs = tlog_tiles::Tile::new(8, level, index, u32::try_from(width).unwrap(), false).path();
            prop_assert_eq!(theirs, format!("tile/8/{level}/{path}"));
        }

        #[test]
        fn no_text_makes_the_parser_panic(level in "[0-9x+]{0,4}", path in "[0-9x./p+]{0,40}") {
            if let Some(found) = TilePath::parse(&level, &path) {
                prop_assert_eq!(found.to_string(), path);
                found.log_size();
            }
        }
    }
}
