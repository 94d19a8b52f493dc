//! The views: one type for each template in `api/pages/templates`, with the texts and values that it shows.

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

pub(crate) use audit::{Audit, Entry, Erase, Rows};
pub(crate) use call_log::{CallPage, CallRow, Calls, NewCalls, RECORDING_HOURS};
pub(crate) use failed::FailedPage;
pub(crate) use format::{minute, second, took};
pub(crate) use frame::Frame;
pub(crate) use log_row::LogRow;
pub(crate) use names::{event_name, kind_text, meaning_name, role_text};
pub(crate) use operations::{Bar, DeadLetterRow, Operations, QueueView, Replay, ServiceStatus, Witnessing};
pub(crate) use page::page;
pub(crate) use past::{Chart, Past, PastUser, Segment};
pub(crate) use people::{User, UserAttribute, UserRow, Users, user_attributes};
pub(crate) use scim::{Address, Check, Confirm, Edit, Guide, NewToken, Scim, state};
pub(crate) use sign_in::{Choose, SignIn};
pub(crate) use workspaces::{Choice, Group, Workspace, WorkspaceList};
