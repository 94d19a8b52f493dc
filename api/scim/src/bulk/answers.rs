//! The answers to the operations of a bulk request, and what they say about progress.

use rollcall_api_core::error::ApiError;
use rollcall_api_core::submit::Answer;
use rollcall_events::request::RequestBody;
use rollcall_scim::resource::Attributes;
use rollcall_scim::schema::{GROUP, ResourceType, USER};

/// The progress of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The operation is applied.
    Done,
    /// The operation failed, and changed nothing.
    Failed,
    /// The operation may be applied later, or may be applied already.
    Unknown,
}

impl Progress {
    /// The progress that an answer proves.
    pub(super) fn of(answer: &Result<Answer, ApiError>) -> Self {
        match answer {
            Ok(Answer::Applied(_)) => Self::Done,
            Ok(Answer::Accepted(_)) | Err(ApiError::OutcomeUnknown(_)) => Self::Unknown,
            Err(_) => Self::Failed,
        }
    }
}

/// The version of the resource that an operation leaves.
pub(super) fn version(left: &Attributes) -> Option<String> {
    left.get("meta")?["version"].as_str().map(str::to_owned)
}

/// The status of an operation that is applied.
pub(super) fn status(method: &str) -> u16 {
    match method {
        "POST" => 201,
        "DELETE" => 204,
        _ => 200,
    }
}

/// The resource that a request is about.
pub(super) fn subject(body: &RequestBody) -> (&'static ResourceType, String) {
    match body {
        RequestBody::GroupRequested(call) => (&GROUP, call.group_id.to_string()),
        RequestBody::UserRequested(call) => (&USER, call.user_id.to_string()),
        RequestBody::SettingsRequested(_) | RequestBody::AccessDenied(_) | RequestBody::StreamAcknowledged(_) => {
            (&USER, String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_events::EventId;
    use rollcall_scim::ScimError;

    #[test]
    fn an_unknown_outcome_is_neither_success_nor_failure() {
        assert_eq!(Progress::of(&Ok(Answer::Applied(None))), Progress::Done);
        assert_eq!(Progress::of(&Ok(Answer::Accepted(EventId::generate()))), Progress::Unknown);
        assert_eq!(Progress::of(&Err(ApiError::OutcomeUnknown("rabbitmq"))), Progress::Unknown);
        assert_eq!(Progress::of(&Err(ScimError::new(409, "taken").into())), Progress::Failed);
        assert_eq!(
            Progress::of(&Err(ApiError::Unavailable("too many calls wait"))),
            Progress::Failed,
            "it was never sent"
        );
    }
}
