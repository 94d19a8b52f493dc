//! Delivery to syslog servers: RFC 5424 messages over TCP (RFC 6587) or TLS (RFC 5425).

mod message;
mod target;

pub(super) use target::SyslogTarget;
