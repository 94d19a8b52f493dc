//! The tasks that run beside the calls.

use rollcall_api_core::auth::{Authentication, follow_changes};
use rollcall_api_core::call_log::CallRecorder;
use rollcall_api_core::submit::RequestClient;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

use crate::settings::Settings;

/// Starts the tasks that run until the last call is answered.
pub(crate) fn start_background(
    settings: &Settings,
    requests: &Arc<RequestClient>,
    authentication: &Authentication,
    recorder: &Arc<CallRecorder>,
) -> JoinSet<()> {
    let mut background = JoinSet::new();
    let (recorder, sending) = (recorder.clone(), requests.clone());
    background.spawn(async move { recorder.keep_sending(&sending).await });
    let (connected, amqp_url) = (requests.clone(), settings.amqp_url.clone());
    background.spawn(async move { connected.publisher().keep_connected(&amqp_url, connected.pending()).await });
    background.spawn(follow_changes(authentication.tokens.clone()));
    let limits = authentication.limits.clone();
    background.spawn(async move { limits.keep_small().await });
    let (denials, requests, interval) =
        (authentication.denials.clone(), requests.clone(), Duration::from_secs(settings.denied_seconds));
    background.spawn(async move { denials.keep_flushing(&requests, interval).await });
    background
}
