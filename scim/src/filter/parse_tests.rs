use proptest::prelude::*;
use serde_json::{Value, json};
use test_case::test_case;

use super::{AttributePath, Comparison, Filter, MAX_DEPTH, MAX_LENGTH, MAX_TERMS, parse};
use crate::ScimType;

#[test_case(r#"userName eq "ada""#, r#"userName eq "ada""#; "plain")]
#[test_case(r#"userName Eq "ada""#, r#"userName eq "ada""#; "operator in any case")]
#[test_case(r"  title pr  ", "title pr"; "spaces around")]
#[test_case("active eq True", r#"active eq "True""#; "a boolean in another case is a word")]
#[test_case(
    "a eq -5 or a eq 1e5 or a eq 1.50", r#"a eq -5 or a eq "1e5" or a eq "1.50""#;
    "a number in another spelling is a word"
)]
#[test_case(r"a eq 1 or b eq 2 and not (c pr)", r"a eq 1 or b eq 2 and not (c pr)"; "precedence")]
#[test_case(r"(a eq 1 or b eq 2) AND c pr", r"(a eq 1 or b eq 2) and c pr"; "grouping")]
#[test_case(r#"emails[type eq "work" and value co "@x"]"#, r#"emails[type eq "work" and value co "@x"]"#; "value path")]
#[test_case(
    r#"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName sw "A""#,
    r#"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName sw "A""#; "qualified"
)]
#[test_case(r#"displayName eq "a\"b\\c\u00e9""#, r#"displayName eq "a\"b\\cé""#; "escapes")]
#[test_case("userName eq ada", r#"userName eq "ada""#; "a word without quotes")]
#[test_case(
    "(userName sw O) and title eq trueman", r#"userName sw "O" and title eq "trueman""#; "words without quotes"
)]
#[test_case(
    "meta.created gt 2015-10-10T14:38:21.8-07:00", r#"meta.created gt "2015-10-10T14:38:21.8-07:00""#;
    "a time without quotes"
)]
#[test_case(
    "phoneNumbers.value eq +1-201-555-0123", r#"phoneNumbers.value eq "+1-201-555-0123""#;
    "a phone number without quotes"
)]
#[test_case(
    "emails[value eq ada@example.com]", r#"emails[value eq "ada@example.com"]"#; "an address without quotes in brackets"
)]
#[test_case(
    r#"emails[type eq "work"].value eq "a@x""#, r#"emails[type eq "work" and value eq "a@x"]"#;
    "a part of a chosen value"
)]
#[test_case(
    r#"emails[type eq "work"] eq "a@x" and active eq true"#,
    r#"emails[type eq "work" and value eq "a@x"] and active eq true"#; "a chosen value"
)]
#[test_case(
    r#"roles[type eq "a" or primary eq true].display pr"#, r#"roles[(type eq "a" or primary eq true) and display pr]"#;
    "a choice of two"
)]
#[test_case(r#"emails[type eq "work"] or title pr"#, r#"emails[type eq "work"] or title pr"#; "a value path before or")]
#[test_case(
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department pr",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department pr"; "a dot after the schema"
)]
#[test_case(
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager.value pr",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value pr"; "two dots after the schema"
)]
#[test_case("manager eq null", "manager eq null"; "null")]
#[test_case("notes pr", "notes pr"; "a name that begins like a word")]
#[test_case(r"a eq 1 and(b pr)", r"a eq 1 and b pr"; "no space before a parenthesis")]
fn parsed(text: &str, printed: &str) {
    assert_eq!(parse(text).unwrap().to_string(), printed);
}

#[test_case("", "character 1"; "empty")]
#[test_case("userName", "character 9"; "no operator")]
#[test_case("userName xx 1", "character 10"; "unknown operator")]
#[test_case("userName eq ada lovelace", "character 17"; "two words without quotes")]
#[test_case("userName eq 'ada'", "character 13"; "single quotes")]
#[test_case("externalId eq a\u{0}b", "character"; "a control character without quotes")]
#[test_case(r#"userName eq "ada"#, "character 13"; "unclosed string")]
#[test_case(r#"(userName eq "ada""#, "character 19"; "unclosed parenthesis")]
#[test_case(r#"userName eq "a" and"#, "character 17"; "nothing after and")]
#[test_case(r#"userName eq "a" userName"#, "character 17"; "no conjunction")]
#[test_case(r#"emails[type eq "work""#, "character 22"; "unclosed bracket")]
#[test_case("a.b.c pr", "third part"; "three parts")]
#[test_case("urn:1:2.name.created pr", "third part"; "a URN that could be read in two ways")]
#[test_case("userName eq \"\\u0000\"", "character 13"; "nul")]
fn refused(text: &str, place: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
    assert!(error.detail.contains(place), "{}", error.detail);
}

#[test]
fn length_depth_and_terms_are_bounded() {
    let deep = |depth: usize| format!("{}a pr{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(MAX_DEPTH)).is_ok());
    assert!(parse(&deep(MAX_DEPTH + 1)).unwrap_err().detail.contains("too deep"));
    assert!(parse(&vec!["a pr"; MAX_TERMS].join(" or ")).is_ok());
    assert!(parse(&vec!["a pr"; MAX_TERMS + 1].join(" or ")).unwrap_err().detail.contains("too great"));
    assert!(parse(&format!("a eq \"{}\"", "x".repeat(MAX_LENGTH))).unwrap_err().detail.contains("length"));
}

fn paths() -> impl Strategy<Value = AttributePath> {
    let name = "[a-z][a-zA-Z0-9]{0,6}";
    (
        proptest::option::of(Just("urn:ietf:params:scim:schemas:core:2.0:User".to_owned())),
        name,
        proptest::option::of(name),
    )
        .prop_map(|(urn, name, sub)| AttributePath { urn, name, sub })
}

fn literals() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_000_000_i64..1_000_000).prop_map(Value::from),
        "[^\0]{0,8}".prop_map(Value::from),
    ]
}

fn filters() -> impl Strategy<Value = Filter> {
    let operators =
        proptest::sample::select(vec![Comparison::Eq, Comparison::Ne, Comparison::Co, Comparison::Lt, Comparison::Ge]);
    let leaf = prop_oneof![
        paths().prop_map(Filter::Present),
        (paths(), operators, literals()).prop_map(|(path, operator, value)| Filter::Compare(path, operator, value)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            pair.clone().prop_map(|(left, right)| Filter::And(left, right)),
            pair.prop_map(|(left, right)| Filter::Or(left, right)),
            inner.clone().prop_map(|inside| Filter::Not(Box::new(inside))),
            (paths(), inner).prop_map(|(path, inside)| Filter::ValuePath(path, Box::new(inside))),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_filter_parses_to_itself(filter in filters()) {
        let printed = filter.to_string();
        prop_assert_eq!(parse(&printed).map_err(|error| error.detail), Ok(filter), "{}", printed);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_sequence_of_tokens_makes_it_panic(tokens in proptest::collection::vec(proptest::sample::select(
        vec![
            "(", ")", "[", "]", "not", "and", "or", "eq", "pr", "a", "a.b", "\"x\"", "1", "null", " ", "\\", "\""
        ]), 0..24)) {
        let _ = parse(&tokens.concat());
        let _ = parse(&tokens.join(" "));
    }
}

#[test]
fn json_literals_are_kept() {
    assert_eq!(
        parse("a eq 1.5").unwrap(),
        Filter::Compare(AttributePath { urn: None, name: "a".into(), sub: None }, Comparison::Eq, json!(1.5))
    );
}
