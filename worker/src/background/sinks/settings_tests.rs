use super::*;
use rollcall_service::settings::read;
use serde::Deserialize;
use test_case::test_case;

const ORGANIZATION: &str = "0192f0c1-2b3c-7000-8000-000000000001";

#[derive(Debug, Deserialize)]
struct Example {
    sinks: BTreeMap<String, SinkSettings>,
}

fn parsed(toml: &str) -> Result<Vec<Sink>, String> {
    let example: Example = read("ROLLCALL_TEST_SINKS", toml, None).map_err(|error| error.to_string())?;
    sinks(&example.sinks).map_err(|error| error.to_string())
}

/// The settings of one sink named `a`.
fn one(settings: &str) -> Result<Sink, String> {
    parsed(&format!("[sinks.a]\n{settings}")).map(|mut sinks| sinks.remove(0))
}

fn file(more: &str) -> String {
    format!("kind = 'file'\norganizations = 'all'\npath = '/tmp/rollcall.ndjson'\n{more}")
}

fn http(more: &str) -> String {
    format!("kind = 'http'\norganizations = 'all'\naddress = 'http://siem.example.com/in'\n{more}")
}

fn syslog(more: &str) -> String {
    format!("kind = 'syslog'\norganizations = 'all'\n{more}")
}

#[test]
fn defaults_are_filled_in() {
    let sink = one(&file("")).unwrap();
    assert_eq!(
        (sink.name.as_str(), &sink.scope, sink.from, sink.format),
        ("a", &Scope::All, Start::First, Format::Entry)
    );
    assert_eq!(sink.batch, BatchLimits { entries: 500, bytes: 4_000_000, linger: Duration::from_secs(1) });
    let Receiver::File(file) = sink.receiver else { panic!("a file") };
    assert_eq!((file.rotate_bytes, file.rotate_count), (100_000_000, 10));
}

#[test_case(&format!("'{ORGANIZATION}, system'"); "text, as the environment has it")]
#[test_case(&format!("['{ORGANIZATION}', 'system']"); "a list")]
fn organizations_are_listed(organizations: &str) {
    let settings = file("").replace("'all'", organizations);
    let expected = vec![OrganizationId::SYSTEM, ORGANIZATION.parse().unwrap()];
    assert_eq!(one(&settings).unwrap().scope, Scope::Listed(expected));
}

#[test]
fn a_syslog_address_has_a_host_and_a_port() {
    let Receiver::Syslog(plain) = one(&syslog("address = 'tcp://[::1]:514'")).unwrap().receiver else { panic!() };
    assert_eq!((plain.host.as_str(), plain.port, plain.tls.is_some()), ("::1", 514, false));
    let Receiver::Syslog(tls) = one(&syslog("address = 'tls://log.example.com:6514'")).unwrap().receiver else {
        panic!()
    };
    assert_eq!((tls.host.as_str(), tls.port, tls.tls.is_some()), ("log.example.com", 6514, true));
}

#[test_case("" => "a: kind is missing; it must be http, syslog or file"; "nothing")]
#[test_case("kind = 'smtp'\norganizations = 'all'" => "a: kind is smtp; it must be http, syslog or file"; "kind")]
#[test_case(&file("").replace("organizations = 'all'", "") => "a: organizations is missing; it must be \"all\", or a list of ids and \"system\""; "no organizations")]
#[test_case(&file("").replace("'all'", "['all', 'system']") => "a: organizations has all; it must be \"all\", or a list of ids of organizations and \"system\""; "all and more")]
#[test_case(&file("").replace("'all'", "'Acme'") => "a: organizations has Acme; it must be \"all\", or a list of ids of organizations and \"system\""; "a name")]
#[test_case(&file("format = 'cef'") => "a: format is cef; it must be entry, ocsf or ocsf-1.8"; "format")]
#[test_case(&file("from = 'end'") => "a: from is end; it must be start or now"; "from")]
#[test_case(&file("batch_entries = 1001") => "a: batch_entries is 1001; it must be from 1 to 1000"; "too many entries")]
#[test_case(&file("rotate_count = 0") => "a: rotate_count is 0; it must be from 1 to 1000"; "rotation")]
#[test_case(&file("envelope = 'array'") => "a: envelope is no setting of the kind file"; "a setting of another kind")]
#[test_case(&file("").replace("/tmp/", "") => "a: path must be the absolute path of a file"; "relative path")]
#[test_case(&file("").replace("/tmp/", "/tmp/no/such/") => "a: path: the folder of /tmp/no/such/rollcall.ndjson does not exist"; "folder")]
#[test_case(&http("path = '/x'") => "a: path is no setting of the kind http"; "path of http")]
#[test_case(&http("envelope = 'xml'") => "a: envelope is xml; it must be ndjson, array, splunk or elastic"; "envelope")]
#[test_case(&http("ca_file = '/x'") => "a: ca_file needs an https address"; "trust without tls")]
#[test_case(&http("").replace("http://", "ftp://") => "a: address must begin with https:// or http://"; "scheme")]
#[test_case(&http("").replace("siem.", "me:s3cret@siem.") => "a: address must not hold credentials; header_file is for them"; "credentials")]
#[test_case(&http("header_file = '/no/such/file'") => "a: header_file /no/such/file: No such file or directory (os error 2)"; "header file")]
#[test_case(&http("ca_file = '/dev/null'").replace("http://", "https://") => "a: ca_file /dev/null: it has no certificate"; "no certificate")]
#[test_case(&http("timeout_seconds = 0") => "a: timeout_seconds is 0; it must be from 1 to 300"; "timeout")]
#[test_case(&syslog("") => "a: address is missing"; "no address")]
#[test_case(&syslog("address = 'udp://log:514'") => "a: address must begin with tls:// or tcp://"; "udp")]
#[test_case(&syslog("address = 'tls://log.example.com'") => "a: address must name a port, such as tls://siem.example.com:6514"; "no port")]
#[test_case(&syslog("address = 'tcp://log:514/x'") => "a: address must be tcp://host:port or tls://host:port"; "a path")]
fn a_mistake_is_named(settings: &str) -> String {
    let error = one(settings).err().unwrap();
    error.strip_prefix("the setting sinks is wrong: ").unwrap_or(&error).to_owned()
}

#[test]
fn unknown_settings_bad_names_and_shared_files_are_refused() {
    assert!(one(&file("colour = 'red'")).err().unwrap().contains("colour"));
    let two = format!("[sinks.a]\n{}\n[sinks.b]\n{}", file(""), file(""));
    assert!(parsed(&two).err().unwrap().ends_with("b: another sink has the same path"));
    // The same file by another spelling, and a file that a rotation would overwrite.
    for other in ["path = '/tmp/../tmp/rollcall.ndjson'", "path = '/tmp/rollcall.ndjson.1'"] {
        let two =
            format!("[sinks.a]\n{}\n[sinks.b]\n{}", file(""), file("").replace("path = '/tmp/rollcall.ndjson'", other));
        assert!(parsed(&two).err().unwrap().ends_with("b: another sink has the same path"), "{other}");
    }
    let years = format!(
        "[sinks.a]\n{}\n[sinks.b]\n{}",
        file("").replace(".ndjson", ".2024"),
        file("").replace(".ndjson", ".2025")
    );
    assert!(parsed(&years).is_ok(), "a rotation writes neither");
    let named = |name: &str| parsed(&format!("[sinks.'{name}']\n{}", file("")));
    assert!(named("a b").err().unwrap().contains("a name has 1 to 40"));
    assert!(named(&"a".repeat(41)).is_err() && named(&"a".repeat(40)).is_ok());
}
