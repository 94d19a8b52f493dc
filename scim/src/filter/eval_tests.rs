use serde_json::{Value, json};
use test_case::test_case;

use crate::filter::{Scope, check, fit, matches, parse};
use crate::schema::{ENTERPRISE_SCHEMA, USER};

fn ada() -> Value {
    json!({
        "userName": "Ada@Example.com", "externalId": "E1", "nickName": "1e5", "active": true, "displayName": "Straße",
        "name": {"givenName": "Ada"},
        "emails": [
            {"value": "ada@work.example", "type": "work", "primary": true},
            {"value": "ada@home.example", "type": "home"}
        ],
        "meta": {"created": "2026-01-02T03:04:05.000000Z"},
        ENTERPRISE_SCHEMA: {"department": "Engines", "manager": {"value": "m1"}},
    })
}

#[test_case(r#"userName eq "ada@example.COM""# => true; "case does not count")]
#[test_case(r#"externalId eq "e1""# => false; "case counts where it is exact")]
#[test_case(r#"displayName eq "STRASSE""# => true; "full folding")]
#[test_case(r#"name.givenName sw "a""# => true; "sub-attribute")]
#[test_case(r#"emails.value ew "home.example""# => true; "any value")]
#[test_case(r#"emails co "work""# => true; "a complex attribute compares by its value")]
#[test_case(r#"emails[type eq "work" and value co "home"]"# => false; "one value must match all")]
#[test_case(r#"emails.type eq "work" and emails.value co "home""# => true; "different values may match parts")]
#[test_case("title pr" => false; "absent")]
#[test_case("title eq null" => true; "absent is null")]
#[test_case(r#"title ne "x""# => true; "absent differs")]
#[test_case(r#"title eq "x""# => false; "absent equals nothing")]
#[test_case("userName ne null" => true; "present is not null")]
#[test_case("not (active eq true)" => false; "negation")]
#[test_case(r#"meta.created gt "2026-01-02T00:00:00+01:00""# => true; "times compare as times")]
#[test_case(
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "engines""# => true; "extension"
)]
#[test_case(
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "m1""# => true; "complex in an extension"
)]
#[test_case("active eq True" => true; "a boolean in any case")]
#[test_case(r#"active eq "true""# => true; "a boolean as a text")]
#[test_case("nickName eq 1e5 and externalId eq E1" => true; "a number that equals a text")]
#[test_case("nickName eq 100000.0" => false; "a number that is another text")]
#[test_case("title eq null and not (userName eq true or userName eq -5)" => true; "literals compared with a text")]
#[test_case(r"urn:ietf:params:scim:schemas:core:2.0:User:userName pr" => true; "qualified core attribute")]
fn evaluated(text: &str) -> bool {
    let filter = fit(parse(text).unwrap(), Scope::Resource(&USER));
    check(&filter, Scope::Resource(&USER)).unwrap();
    matches(&filter, Scope::Resource(&USER), &ada())
}

#[test_case("shoeSize eq 42", "shoeSize is not a known attribute"; "unknown")]
#[test_case(r#"password eq "x""#, "password is not a known attribute"; "secret")]
#[test_case("active gt true", "active cannot be compared by gt"; "boolean order")]
#[test_case("userName eq 1", "userName cannot be compared by eq"; "wrong type")]
#[test_case(r#"meta.created gt "yesterday""#, "meta.created cannot be compared"; "not a time")]
#[test_case(r#"userName[value eq "x"]"#, "userName has no values to choose from"; "not multi-valued")]
fn checked(text: &str, why: &str) {
    let error = check(&parse(text).unwrap(), Scope::Resource(&USER)).unwrap_err();
    assert!(error.detail.contains(why), "{}", error.detail);
}
