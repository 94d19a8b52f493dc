//! The settings of sinks: one table for each, such as `[sinks.siem]`. All are checked before anything starts.

use hyper::Uri;
use rollcall_events::OrganizationId;
use rollcall_service::settings::SettingsError;
use rustls::pki_types::ServerName;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::headers;
use super::sink::{
    BatchLimits, Envelope, FileReceiver, Format, HttpReceiver, Receiver, Sink, Start, SyslogReceiver, Tls, Version,
};
use super::trust;
use crate::background::delivery::Scope;
use crate::settings::{OneOrMore, SinkSettings};

/// Maximum number of sinks.
const MAX_SINKS: usize = 32;
/// Maximum length of a name.
const MAX_NAME: usize = 40;

/// Checks the settings of all sinks and reads the files that they name.
///
/// # Errors
/// If a setting is wrong. The error names the sink and the setting.
pub(crate) fn sinks(written: &BTreeMap<String, SinkSettings>) -> Result<Vec<Sink>, SettingsError> {
    if written.len() > MAX_SINKS {
        return Err(SettingsError::malformed("sinks", format!("there can be {MAX_SINKS} sinks at most")));
    }
    let sinks = written
        .iter()
        .map(|(name, written)| {
            sink(name, written).map_err(|reason| SettingsError::malformed("sinks", format!("{name}: {reason}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let files = sinks.iter().filter_map(|sink| match &sink.receiver {
        Receiver::File(file) => Some((&sink.name, file)),
        _ => None,
    });
    let files: Vec<_> = files.collect();
    for (index, (name, file)) in files.iter().enumerate() {
        if files[..index].iter().any(|(_, other)| file.writes(&other.path) || other.writes(&file.path)) {
            let reason = format!("{name}: another sink has the same path");
            return Err(SettingsError::malformed("sinks", reason));
        }
    }
    Ok(sinks)
}

impl FileReceiver {
    /// Whether this sink writes to a path, itself or by a rotation, which renames `audit.ndjson` to
    /// `audit.ndjson.1` and so on.
    fn writes(&self, path: &Path) -> bool {
        let number = || path.to_str()?.strip_prefix(self.path.to_str()?)?.strip_prefix('.')?.parse::<u16>().ok();
        *path == self.path || number().is_some_and(|number| number <= self.rotate_count)
    }
}

fn sink(name: &str, written: &SinkSettings) -> Result<Sink, String> {
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_good) {
        return Err(format!("a name has 1 to {MAX_NAME} lower-case letters, digits, - and _"));
    }
    let receiver = receiver(written)?;
    let format = match written.format.as_deref() {
        None | Some("entry") => Format::Entry,
        Some("ocsf") => Format::Ocsf(Version::V1_9),
        Some("ocsf-1.8") => Format::Ocsf(Version::V1_8),
        Some(other) => return Err(format!("format is {other}; it must be entry, ocsf or ocsf-1.8")),
    };
    let from = match written.from.as_deref() {
        None | Some("start") => Start::First,
        Some("now") => Start::Now,
        Some(other) => return Err(format!("from is {other}; it must be start or now")),
    };
    Ok(Sink {
        name: name.to_owned(),
        scope: scope(written.organizations.as_ref())?,
        from,
        format,
        batch: batch(written)?,
        receiver,
    })
}

/// The logs. There is no default, because a sink must not get the logs of a customer by accident.
fn scope(written: Option<&OneOrMore>) -> Result<Scope, String> {
    let separators = |c: char| c == ',' || c.is_whitespace();
    let items: Vec<&str> = match written {
        None => Vec::new(),
        Some(OneOrMore::One(text)) => text.split(separators).filter(|item| !item.is_empty()).collect(),
        Some(OneOrMore::More(items)) => items.iter().map(String::as_str).collect(),
    };
    if items == ["all"] {
        return Ok(Scope::All);
    }
    let organization = |item: &&str| match *item {
        "system" => Ok(OrganizationId::SYSTEM),
        item => item.parse::<OrganizationId>().map_err(|_| {
            format!("organizations has {item}; it must be \"all\", or a list of ids of organizations and \"system\"")
        }),
    };
    let listed: BTreeSet<_> = items.iter().map(organization).collect::<Result<_, _>>()?;
    if listed.is_empty() {
        return Err("organizations is missing; it must be \"all\", or a list of ids and \"system\"".to_owned());
    }
    Ok(Scope::Listed(listed.into_iter().collect()))
}

fn batch(written: &SinkSettings) -> Result<BatchLimits, String> {
    let entries = number("batch_entries", written.batch_entries, 500, 1, 1000)?;
    let bytes = number("batch_bytes", written.batch_bytes, 4_000_000, 65_536, 16_777_216)?;
    Ok(BatchLimits {
        entries: u16::try_from(entries).unwrap_or(u16::MAX),
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
        linger: Duration::from_secs(number("batch_seconds", written.batch_seconds, 1, 0, 60)?),
    })
}

fn receiver(written: &SinkSettings) -> Result<Receiver, String> {
    let of_http = [("envelope", written.envelope.is_some()), ("header_file", written.header_file.is_some())];
    let of_network = [
        ("address", written.address.is_some()),
        ("ca_file", written.ca_file.is_some()),
        ("timeout_seconds", written.timeout_seconds.is_some()),
    ];
    let of_file = [
        ("path", written.path.is_some()),
        ("rotate_bytes", written.rotate_bytes.is_some()),
        ("rotate_count", written.rotate_count.is_some()),
    ];
    let kind = written.kind.as_deref().unwrap_or_default();
    let absent = |settings: &[(&str, bool)]| match settings.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(format!("{name} is no setting of the kind {kind}")),
        None => Ok(()),
    };
    match kind {
        "http" => absent(&of_file).and_then(|()| http(written)).map(Receiver::Http),
        "syslog" => {
            absent(&of_http)?;
            absent(&of_file)?;
            syslog(written).map(Receiver::Syslog)
        }
        "file" => {
            absent(&of_http)?;
            absent(&of_network)?;
            file(written).map(Receiver::File)
        }
        "" => Err("kind is missing; it must be http, syslog or file".to_owned()),
        other => Err(format!("kind is {other}; it must be http, syslog or file")),
    }
}

fn http(written: &SinkSettings) -> Result<HttpReceiver, String> {
    let address = address(written, ["http", "https"])?;
    if address.scheme_str() == Some("http") && written.ca_file.is_some() {
        return Err("ca_file needs an https address".to_owned());
    }
    let envelope = match written.envelope.as_deref() {
        None | Some("ndjson") => Envelope::Ndjson,
        Some("array") => Envelope::Array,
        Some("splunk") => Envelope::Splunk,
        Some("elastic") => Envelope::Elastic,
        Some(other) => return Err(format!("envelope is {other}; it must be ndjson, array, splunk or elastic")),
    };
    let headers = match &written.header_file {
        None => Vec::new(),
        Some(path) => headers::read(path).map_err(|reason| format!("header_file {path}: {reason}"))?,
    };
    let tls = Arc::new(tls_config(written)?);
    Ok(HttpReceiver { address, envelope, headers, tls, timeout: timeout(written)? })
}

fn syslog(written: &SinkSettings) -> Result<SyslogReceiver, String> {
    let address = address(written, ["tcp", "tls"])?;
    if !matches!(address.path(), "" | "/") || address.query().is_some() {
        return Err("address must be tcp://host:port or tls://host:port".to_owned());
    }
    let host = address.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = address.port_u16().ok_or("address must name a port, such as tls://siem.example.com:6514")?;
    let tls = if address.scheme_str() == Some("tls") {
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("address: {host} is no name of a host"))?;
        Some(Tls { config: Arc::new(tls_config(written)?), name })
    } else if written.ca_file.is_some() {
        return Err("ca_file needs a tls address".to_owned());
    } else {
        None
    };
    Ok(SyslogReceiver { host, port, tls, timeout: timeout(written)? })
}

fn file(written: &SinkSettings) -> Result<FileReceiver, String> {
    let path = PathBuf::from(written.path.as_deref().ok_or("path is missing")?);
    if !path.is_absolute() || path.file_name().is_none() || path.is_dir() {
        return Err("path must be the absolute path of a file".to_owned());
    }
    // Without links and `..`, two sinks with the same file have the same path.
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok()).filter(|folder| folder.is_dir());
    let path = match folder.zip(path.file_name()) {
        Some((folder, name)) => path.canonicalize().unwrap_or_else(|_| folder.join(name)),
        None => return Err(format!("path: the folder of {} does not exist", path.display())),
    };
    let count = number("rotate_count", written.rotate_count, 10, 1, 1000)?;
    Ok(FileReceiver {
        rotate_bytes: number("rotate_bytes", written.rotate_bytes, 100_000_000, 4096, 1 << 40)?,
        rotate_count: u16::try_from(count).unwrap_or(u16::MAX),
        path,
    })
}

/// Reads an address. The errors do not show it, because it may hold a secret.
fn address(written: &SinkSettings, schemes: [&str; 2]) -> Result<Uri, String> {
    let [plain, secure] = schemes;
    let text = written.address.as_deref().ok_or("address is missing")?;
    let address: Uri = text.parse().map_err(|error| format!("address: {error}"))?;
    if !address.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) {
        return Err(format!("address must begin with {secure}:// or {plain}://"));
    }
    match address.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("address must not hold credentials; header_file is for them".to_owned())
        }
        Some(authority) if !authority.host().is_empty() => Ok(address),
        _ => Err("address must name a host".to_owned()),
    }
}

fn tls_config(written: &SinkSettings) -> Result<rustls::ClientConfig, String> {
    trust::config(written.ca_file.as_deref()).map_err(|reason| match &written.ca_file {
        Some(path) => format!("ca_file {path}: {reason}"),
        None => reason,
    })
}

fn timeout(written: &SinkSettings) -> Result<Duration, String> {
    number("timeout_seconds", written.timeout_seconds, 30, 1, 300).map(Duration::from_secs)
}

fn number(name: &str, written: Option<u64>, default: u64, least: u64, most: u64) -> Result<u64, String> {
    let value = written.unwrap_or(default);
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{name} is {value}; it must be from {least} to {most}"))
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
