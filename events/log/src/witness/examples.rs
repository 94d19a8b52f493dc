//! Keys, a checkpoint and cosignatures that another implementation has made (the package `aics-tlog` 0.2.1), from the
//! seeds 01…, 02… and 03….

pub(super) const LOG: &str = "log.example.com/log+1b2617d4+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
pub(super) const W1: &str = "witness.example.com/w1+745fb5e8+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";
pub(super) const W2: &str = "witness.example.com/w2+3d932307+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR";

/// The text of the checkpoint.
pub(super) const TEXT: &str = "log.example.com/log\n3\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
/// The signature by the log.
pub(super) const BY_LOG: &str = "\u{2014} log.example.com/log GyYX1P8SE36ywY4VH6rosFAPcc7dQxIdErRsbtfgXLWvh5BtHiAB/vZuCSsjYrLQr4mOJTjO4dka5Ji635Lx7iwGVg4=\n";
/// The cosignatures, made at [`TIME`].
pub(super) const BY_W1: &str = "\u{2014} witness.example.com/w1 dF+16AAAAABlU/EAT81/pOmZh5TeQdHodz13RcxjRktxM5L7KoKT60S4dAI0MLYnrUG3Fhn7USrKOolEZV1yXwPqAatlTPfRtC2yDQ==\n";
pub(super) const BY_W2: &str = "\u{2014} witness.example.com/w2 PZMjBwAAAABlU/EADJJmob/lf60ZNR+QJ9u2snELSIDQMDhHNDOJmeFdcThWT902SySwshb+085AG2NQJisgmaEXOlz6IdYe0fA0CA==\n";
/// The time of the cosignatures, in seconds since 1970.
pub(super) const TIME: u64 = 1_700_000_000;
