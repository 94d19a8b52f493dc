//! `POST /Bulk` (RFC 7644 section 3.7): every operation is a request of its own. Requests are published in
//! order and answered in order.

mod answers;
mod ids;
mod step;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use rollcall_api_core::SCIM_JSON;
use rollcall_api_core::error::{ApiError, ApiResult};
use rollcall_api_core::http::{Base, Bounds, ScimBody};
use rollcall_api_core::offload;
use rollcall_api_core::openapi::{Accepted, BulkRequest, BulkResponse, Errors};
use rollcall_api_core::submit::Answer;
use rollcall_events::request::{Request, RequestBody};
use rollcall_events::{EventId, Timestamp, UserId};
use rollcall_scim::ScimError;
use rollcall_scim::bulk::{BULK_RESPONSE_SCHEMA, Operation, Outcome, parse, waves};
use rollcall_scim::resource::text;
use serde_json::json;
use std::time::{Duration, Instant};

use super::answer::json as answer;
use super::call::{Call, WriteContext};
use super::dialect::{UserChange, UserTranslation};
use super::headers::{PREFERENCE_APPLIED, SET_TXN};
use answers::{Progress, status, subject, version};
use ids::Ids;
use step::{Step, is_on_users};

/// Applies several operations in one call (RFC 7644 section 3.7).
#[utoipa::path(
    post,
    path = "/Bulk",
    tag = "Bulk",
    operation_id = "bulk",
    request_body(content = BulkRequest, content_type = SCIM_JSON),
    responses(
        Errors,
        (status = 200, description = "The outcome of each operation.", body = BulkResponse, content_type = SCIM_JSON),
        Accepted,
    )
)]
pub(super) async fn bulk(call: Call, body: ScimBody, context: WriteContext, bounds: Data<Bounds>) -> ApiResult {
    let request = parse(body.json, bounds.max_operations)?;
    let (txn, _) = call.identity(&body.bytes)?;
    let mut job = Job::new(&call, &context, txn, &request.operations, body.bytes.len());
    match request.fail_on_errors {
        // The number of errors is known only when the outcomes are. Such a request is answered after them,
        // even if the caller prefers an earlier answer.
        Some(most) => job.run_until(&request.operations, most, bounds.bulk_wait).await,
        None if call.prefer.respond_async => return job.accept(&request.operations).await,
        None => {
            let deadline = context.deadline(&call);
            for wave in waves(&request.operations) {
                job.run(&request.operations, &wave, deadline).await;
            }
        }
    }
    let outcomes: Vec<_> = job.outcomes.into_iter().flatten().collect();
    answer(StatusCode::OK, &json!({"schemas": [BULK_RESPONSE_SCHEMA], "Operations": outcomes}))
}

/// A bulk request under way.
struct Job<'a> {
    call: &'a Call,
    context: &'a WriteContext,
    /// The transaction of the whole request. The id of an operation is made of it and of the operation's
    /// index.
    txn: EventId,
    /// The size of the body.
    bytes: usize,
    ids: Ids,
    outcomes: Vec<Option<Outcome>>,
    /// The progress of each operation; unknown before it runs.
    progress: Vec<Progress>,
}

impl<'a> Job<'a> {
    fn new(call: &'a Call, context: &'a WriteContext, txn: EventId, operations: &[Operation], bytes: usize) -> Self {
        // A repeated request plans the same ids again, because the resources may be there already.
        let (organization, is_repeatable) = (call.caller.organization_id(), call.is_repeatable());
        let planned =
            |index| if is_repeatable { txn.created_by_operation(organization, index) } else { UserId::generate().0 };
        let (ids, progress) = (Ids::plan(operations, planned), vec![Progress::Unknown; operations.len()]);
        Self { call, context, txn, bytes, ids, outcomes: vec![None; operations.len()], progress }
    }

    /// Runs one operation after the other. It stops if `most` have failed, if an outcome does not come in
    /// time, or if the time is over. Later operations do not run: they may rely on the one that failed (RFC
    /// 7644 section 3.7.3).
    async fn run_until(&mut self, operations: &[Operation], most: u64, at_most: Duration) {
        let end = Instant::now() + at_most;
        let mut failed = 0;
        for index in waves(operations).into_iter().flatten() {
            self.run(operations, &[index], self.context.deadline(self.call).min(end)).await;
            failed += u64::from(self.progress[index] == Progress::Failed);
            if self.progress[index] == Progress::Unknown || failed >= most || Instant::now() >= end {
                return;
            }
        }
    }

    /// Runs a wave: operations that do not depend on each other.
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
                Err(error) => self.record(index, Outcome::failed(&operations[index], &error), Progress::Failed),
            }
        }
        let answers = self.context.submit_all(&requests, deadline).await;
        for ((index, request), answer) in indices.into_iter().zip(requests).zip(answers) {
            let progress = Progress::of(&answer);
            let outcome = self.outcome(&operations[index], index, &request, answer);
            self.record(index, outcome, progress);
        }
    }

    fn record(&mut self, index: usize, outcome: Outcome, progress: Progress) {
        self.progress[index] = progress;
        match (&outcome.bulk_id, outcome.location.as_deref().and_then(|location| location.rsplit('/').next())) {
            (Some(bulk_id), _) if outcome.is_error() => self.ids.set_outcome(bulk_id, None),
            (Some(bulk_id), Some(id)) if outcome.status == "201" => self.ids.set_outcome(bulk_id, Some(id)),
            _ => {}
        }
        self.outcomes[index] = Some(outcome);
    }

    /// The requests of some operations. If the whole body is large, they are read away from the threads that
    /// serve other calls.
    async fn requests(
        &self,
        operations: &[Operation],
        wave: &[usize],
    ) -> Result<Vec<Result<Request, ScimError>>, ApiError> {
        let steps: Vec<_> = wave.iter().map(|&index| self.step(&operations[index])).collect();
        let users = self.translation(operations, &steps).await?;
        let (workspace, dialect) = (self.call.caller.default_workspace(), self.call.dialect.clone());
        let read = move |step: Step| Ok((step.content(workspace, &*dialect, &*users)?, step.operation));
        let read =
            offload(self.bytes, move || steps.into_iter().map(|step| step.and_then(&read)).collect::<Vec<_>>()).await?;
        let request = |(&index, read): (&usize, Result<_, ScimError>)| {
            let read = read.and_then(|(body, operation)| self.request(index, &operation, body));
            read.map_err(|error| self.in_dialect_terms(&operations[index], error))
        };
        Ok(wave.iter().zip(read).map(request).collect())
    }

    /// An operation with the ids of the resources that it refers to.
    fn step(&self, operation: &Operation) -> Result<Step, ScimError> {
        let mut operation = operation.clone();
        operation.resolve(self.ids.by_bulk_id());
        if let Some(id) = operation.references().first() {
            return Err(ScimError::invalid_value(format!("bulkId:{id} is not the name of something that was created")));
        }
        let created = self.ids.created_by(&operation);
        Step::read(operation, &created)
    }

    /// The translation of those steps that change users.
    async fn translation(
        &self,
        operations: &[Operation],
        steps: &[Result<Step, ScimError>],
    ) -> Result<Box<dyn UserTranslation>, ApiError> {
        let created_by = |user| self.ids.creator_of(user).map(|index| &operations[index].data);
        let changes = steps.iter().flatten().filter_map(Step::user_change);
        let changes = changes.map(|change| UserChange { created_by: created_by(change.id), ..change }).collect();
        self.call.dialect.users(&self.context.database, self.call.caller.organization_id(), changes).await
    }

    fn in_dialect_terms(&self, operation: &Operation, error: ScimError) -> ScimError {
        if is_on_users(operation) { self.call.dialect.user_error(error) } else { error }
    }

    /// The request of an operation.
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
            body: self.context.bounded(body)?,
        })
    }

    fn outcome(
        &self,
        operation: &Operation,
        index: usize,
        request: &Request,
        answer: Result<Answer, ApiError>,
    ) -> Outcome {
        let (base, method) = (&self.context.base, &operation.method);
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
            Err(error) => Outcome::failed(operation, &self.in_dialect_terms(operation, error.to_scim())),
        }
    }

    fn event(&self, base: &Base, index: usize) -> String {
        format!("{}/Events/{}:{index}", base.as_str(), self.txn)
    }

    /// Publishes all operations and waits for no outcome: outcomes are events of their own (RFC 9967 section
    /// 2.5.1.2). The ids of new resources are planned, so an operation that refers to one can be published
    /// before the resource exists.
    async fn accept(&self, operations: &[Operation]) -> ApiResult {
        let order: Vec<_> = waves(operations).into_iter().flatten().collect();
        let requests = self.requests(operations, &order).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.context.publish_all(&requests).await?;
        let mut response = HttpResponse::Accepted();
        response.insert_header((SET_TXN, self.txn.to_string())).insert_header((PREFERENCE_APPLIED, "respond-async"));
        Ok(response.insert_header((LOCATION, self.event(&self.context.base, 0))).finish())
    }
}
