//! The views: one type for each template in `api/templates`, with the texts and values that it shows.

mod audit;
mod call_log;
mod failed;
mod format;
mod frame;
mod log_row;
mod names;
mod operations;
mod page;
mod past;
mod people;
mod scim;
mod sign_in;
mod workspaces;

pub(in crate::pages) use audit::{Audit, Entry, Erase, Rows};
pub(in crate::pages) use call_log::{CallPage, CallRow, Calls, NewCalls, RECORDING_HOURS};
pub(in crate::pages) use failed::Failed;
pub(in crate::pages) use format::{minute, second, took};
pub(in crate::pages) use frame::Frame;
pub(in crate::pages) use log_row::LogRow;
pub(in crate::pages) use names::{event_name, kind_text, meaning_name, role_text};
pub(in crate::pages) use operations::{Bar, DeadLetterRow, Operations, Replay, ServiceStatus, Waiting};
pub(in crate::pages) use page::page;
pub(in crate::pages) use past::{Chart, Past, PastUser, Segment};
pub(in crate::pages) use people::{User, UserAttribute, UserRow, Users, user_attributes};
pub(in crate::pages) use scim::{Address, Check, Confirm, Edit, Generated, Guide, Scim, state};
pub(in crate::pages) use sign_in::{Choose, SignIn};
pub(in crate::pages) use workspaces::{Choice, Group, Workspace, WorkspaceList};
