//! `POST /Bulk` (RFC 7644 section 3.7): every operation is an event of its own, published in order and
//! answered in order.

mod content;

pub(super) use content::place;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use rollcall_events::request::{Dialect, Request, RequestBody};
use rollcall_events::{EventId, Timestamp, UserId};
use rollcall_scim::ScimError;
use rollcall_scim::bulk::{BULK_RESPONSE_SCHEMA, Operation, Outcome, parse, waves};
use rollcall_scim::resource::{Attributes, text};
use rollcall_scim::schema::{GROUP, ResourceType, USER};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::answer::json as answer;
use super::body::ScimBody;
use super::call::{Call, Writing};
use super::dialect::{self, Found};
use super::headers::{PREFERENCE_APPLIED, SET_TXN};
use super::{Base, Bounds, users};
use crate::error::{ApiError, ApiResult};
use crate::offload::offload;
use crate::read::UserSummary;
use crate::submit::Answer;
use content::content;

/// `POST /Bulk`.
pub(super) async fn bulk(call: Call, body: ScimBody, writing: Writing, bounds: Data<Bounds>) -> ApiResult {
    let request = parse(body.json, bounds.max_operations)?;
    let (txn, _) = call.identity(&body.bytes)?;
    let mut job = Job::new(&call, &writing, txn, &request.operations, body.bytes.len());
    match request.fail_on_errors {
        // To stop after an error is to wait for it: a request that counts errors cannot be answered
        // beforehand, whatever the caller prefers.
        Some(most) => job.run_until(&request.operations, most, bounds.bulk_wait).await,
        None if call.prefer.respond_async => return job.accept(&request.operations).await,
        None => {
            let deadline = writing.deadline(&call);
            for wave in waves(&request.operations) {
                job.run(&request.operations, &wave, deadline).await;
            }
        }
    }
    let outcomes: Vec<_> = job.outcomes.into_iter().flatten().collect();
    answer(StatusCode::OK, &json!({"schemas": [BULK_RESPONSE_SCHEMA], "Operations": outcomes}))
}

/// What of an operation is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// That it was done.
    Done,
    /// That it failed, and changed nothing.
    Failed,
    /// Neither: it may be done later, or may have been done.
    Nothing,
}

/// A bulk request under way.
struct Job<'a> {
    call: &'a Call,
    writing: &'a Writing,
    /// The transaction of the whole; an operation's own is made of it and of its place.
    txn: EventId,
    /// How large the body is.
    bytes: usize,
    /// The id of each resource that the request creates, by `bulkId`: the planned id, then the real one. A resource
    /// that could not be created has no entry.
    ids: HashMap<String, String>,
    /// The users that are created, by these ids; empty if the caller's dialect needs no look-up.
    created: HashMap<UserId, UserSummary>,
    outcomes: Vec<Option<Outcome>>,
    /// What is known of each operation; nothing of one that was not tried.
    known: Vec<Progress>,
}

impl<'a> Job<'a> {
    fn new(call: &'a Call, writing: &'a Writing, txn: EventId, operations: &[Operation], bytes: usize) -> Self {
        // A repeated request plans the same ids again, because what it refers to may be there already.
        let (organization, is_repeatable) = (call.caller.organization_id(), call.is_repeatable());
        let planned = |index| if is_repeatable { txn.created_by_operation(organization, index) } else { UserId::generate().0 };
        let named = |(index, operation): (usize, &Operation)| Some((operation.bulk_id.clone()?, planned(index).to_string()));
        let ids = operations.iter().enumerate().filter_map(named).collect();
        let is_looked_up = call.caller.dialect() == Dialect::Braze;
        let on_users = operations.iter().filter(|_| is_looked_up);
        let created = on_users.filter_map(|operation| dialect::created(operation, &ids)).collect();
        let known = vec![Progress::Nothing; operations.len()];
        Self { call, writing, txn, bytes, ids, created, outcomes: vec![None; operations.len()], known }
    }

    /// Runs one operation after the other. It stops if `most` have failed, if an outcome is not known in time, or
    /// if the time is over. Later operations do not run: they may rely on the one that failed (RFC 7644 section
    /// 3.7.3).
    async fn run_until(&mut self, operations: &[Operation], most: u64, at_most: Duration) {
        let end = Instant::now() + at_most;
        let mut failed = 0;
        for index in waves(operations).into_iter().flatten() {
            self.run(operations, &[index], self.writing.deadline(self.call).min(end)).await;
            failed += u64::from(self.known[index] == Progress::Failed);
            if self.known[index] == Progress::Nothing || failed >= most || Instant::now() >= end {
                return;
            }
        }
    }

    /// Does a wave of operations.
    async fn run(&mut self, operations: &[Operation], wave: &[usize], deadline: Instant) {
        let (mut indices, mut requests) = (Vec::new(), Vec::new());
        let read = match self.requests(operations, wave).await {
            Ok(read) => read,
            Err(error) => vec![Err(error.to_scim()); wave.len()],
        };
        for (&index, request) in wave.iter().zip(read) {
            match request {
                Ok(request) => {
                    indices.push(index);
                    requests.push(request);
                }
                Err(error) => self.settle(index, Outcome::failed(&operations[index], &error), Progress::Failed),
            }
        }
        let answers = self.writing.submit_all(&requests, deadline).await;
        for ((index, request), answer) in indices.into_iter().zip(requests).zip(answers) {
            let known = known(&answer);
            let outcome = self.outcome(&operations[index], index, &request, answer);
            self.settle(index, outcome, known);
        }
    }

    fn settle(&mut self, index: usize, outcome: Outcome, known: Progress) {
        self.known[index] = known;
        match (&outcome.bulk_id, outcome.location.as_deref().and_then(|location| location.rsplit('/').next())) {
            (Some(bulk_id), _) if outcome.is_error() => self.became(bulk_id, None),
            (Some(bulk_id), Some(id)) if outcome.status == "201" => self.became(bulk_id, Some(id)),
            _ => {}
        }
        self.outcomes[index] = Some(outcome);
    }

    /// Puts the id that a resource has in the place of the planned one; `None` if it could not be created.
    fn became(&mut self, bulk_id: &str, id: Option<&str>) {
        let planned = self.ids.remove(bulk_id);
        let user = planned.and_then(|planned| self.created.remove(&planned.parse().ok()?));
        let Some(id) = id else { return };
        self.ids.insert(bulk_id.to_owned(), id.to_owned());
        if let (Some(user), Ok(id)) = (user, id.parse()) {
            self.created.insert(id, user);
        }
    }

    /// The events that operations ask for. If the whole request is large, they are read where that holds up
    /// no other call.
    async fn requests(&self, operations: &[Operation], wave: &[usize]) -> Result<Vec<Result<Request, ScimError>>, ApiError> {
        let (workspace, dialect) = (self.call.caller.default_workspace(), self.call.caller.dialect());
        let resolved: Vec<_> = wave.iter().map(|&index| self.resolved(&operations[index])).collect();
        let found = self.found(&resolved).await?;
        let read = move |(operation, planned): (Operation, String)| {
            let change = |method: &str, id: Option<UserId>, data: Value| match &found {
                Some(found) => found.operation(method, id, data),
                None => users::operation(dialect, method, data),
            };
            Ok((content((workspace, dialect), &operation, &planned, change)?, operation))
        };
        let read = offload(self.bytes, move || resolved.into_iter().map(|one| one.and_then(&read)).collect::<Vec<_>>()).await?;
        let request = |(&index, read): (&usize, Result<_, ScimError>)| {
            let read = read.and_then(|(body, operation)| self.request(index, &operation, body));
            read.map_err(|error| self.translated_error(&operations[index], error))
        };
        Ok(wave.iter().zip(read).map(request).collect())
    }

    /// What the caller's dialect has to look up for some operations; nothing if it speaks SCIM's own.
    async fn found(&self, resolved: &[Result<(Operation, String), ScimError>]) -> Result<Option<Found>, ApiError> {
        if self.call.caller.dialect() != Dialect::Braze {
            return Ok(None);
        }
        let operations: Vec<_> = resolved.iter().flatten().map(|(operation, _)| operation).collect();
        Found::look_up(self.call, self.writing, &operations, &self.created).await.map(Some)
    }

    /// An error in the words of the caller's dialect.
    fn translated_error(&self, operation: &Operation, error: ScimError) -> ScimError {
        match self.call.caller.dialect() {
            Dialect::Braze => dialect::translated_error(operation, error),
            Dialect::Standard | Dialect::Interop => error,
        }
    }

    /// An operation with the ids of what it refers to, and the id of what it creates.
    fn resolved(&self, operation: &Operation) -> Result<(Operation, String), ScimError> {
        let mut operation = operation.clone();
        operation.resolve(&self.ids);
        if let Some(id) = operation.references().first() {
            return Err(ScimError::invalid_value(format!("bulkId:{id} is not the name of something that was created")));
        }
        let planned = operation.bulk_id.as_ref().and_then(|bulk_id| self.ids.get(bulk_id)).cloned().unwrap_or_default();
        Ok((operation, planned))
    }

    /// The event that an operation asks for.
    fn request(&self, index: usize, operation: &Operation, body: RequestBody) -> Result<Request, ScimError> {
        let fingerprint = self.call.is_repeatable().then(|| {
            let data = operation.data.to_string();
            EventId::fingerprint([operation.method.as_bytes(), operation.path.as_bytes(), data.as_bytes()])
        });
        Ok(Request {
            id: self.txn.of_operation(self.call.caller.organization_id(), index),
            organization_id: self.call.caller.organization_id(),
            requested_at: Timestamp::now(),
            actor: self.call.caller.actor(),
            fingerprint,
            body: self.writing.bounded(body)?,
        })
    }

    fn outcome(&self, operation: &Operation, index: usize, request: &Request, answer: Result<Answer, ApiError>) -> Outcome {
        let (base, method) = (&self.writing.base, &operation.method);
        let (resource_type, id) = subject(&request.body);
        let of = |status: u16, location: String, version: Option<String>| Outcome {
            method: method.clone(),
            bulk_id: operation.bulk_id.clone(),
            version,
            location: Some(location),
            status: status.to_string(),
            response: None,
        };
        match answer {
            Ok(Answer::Applied(left)) => {
                // A repeated create has the id of the first.
                let id = left.as_ref().and_then(|left| text(left, "id")).map_or(id, str::to_owned);
                of(status(method), base.location(resource_type, &id), left.as_ref().and_then(version))
            }
            Ok(Answer::Accepted(_)) => of(202, self.event(base, index), None),
            Err(error) => Outcome::failed(operation, &self.translated_error(operation, error.to_scim())),
        }
    }

    fn event(&self, base: &Base, index: usize) -> String {
        format!("{}/Events/{}:{index}", base.as_str(), self.txn)
    }

    /// Publishes all operations and waits for none: their outcomes are events of their own (RFC 9967 section
    /// 2.5.1.2). The ids of new resources are planned, so an operation that refers to one can be published
    /// before the resource exists.
    async fn accept(&self, operations: &[Operation]) -> ApiResult {
        let order: Vec<_> = waves(operations).into_iter().flatten().collect();
        let requests = self.requests(operations, &order).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.writing.publish_all(&requests).await?;
        let mut response = HttpResponse::Accepted();
        response.insert_header((SET_TXN, self.txn.to_string())).insert_header((PREFERENCE_APPLIED, "respond-async"));
        Ok(response.insert_header((LOCATION, self.event(&self.writing.base, 0))).finish())
    }
}

/// What an answer makes known.
fn known(answer: &Result<Answer, ApiError>) -> Progress {
    match answer {
        Ok(Answer::Applied(_)) => Progress::Done,
        Ok(Answer::Accepted(_)) | Err(ApiError::OutcomeUnknown(_)) => Progress::Nothing,
        Err(_) => Progress::Failed,
    }
}

fn version(left: &Attributes) -> Option<String> {
    left.get("meta")?["version"].as_str().map(str::to_owned)
}

fn status(method: &str) -> u16 {
    match method {
        "POST" => 201,
        "DELETE" => 204,
        _ => 200,
    }
}

fn subject(body: &RequestBody) -> (&'static ResourceType, String) {
    match body {
        RequestBody::GroupRequested(call) => (&GROUP, call.group_id.to_string()),
        RequestBody::UserRequested(call) => (&USER, call.user_id.to_string()),
        RequestBody::SettingsRequested(_) | RequestBody::AccessDenied(_) | RequestBody::StreamAcknowledged(_) => (&USER, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_is_not_known_is_neither_done_nor_failed() {
        assert_eq!(known(&Ok(Answer::Applied(None))), Progress::Done);
        assert_eq!(known(&Ok(Answer::Accepted(EventId::generate()))), Progress::Nothing);
        assert_eq!(known(&Err(ApiError::OutcomeUnknown("rabbitmq"))), Progress::Nothing);
        assert_eq!(known(&Err(ScimError::new(409, "taken").into())), Progress::Failed);
        assert_eq!(known(&Err(ApiError::Unavailable("too many calls wait"))), Progress::Failed, "it was never sent");
    }
}
