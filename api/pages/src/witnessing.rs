//! How far the service log is witnessed, for the pages.

use rollcall_api_core::read::{Database, ReadError, WitnessState, WitnessStatus, witness_states, witness_status};
use rollcall_events::Timestamp;

use super::text::Language;
use super::view::{Witnessing, minute};

/// Cosigning takes seconds. A log is shown as unwitnessed only after this number of seconds.
const USUAL_SECONDS: u64 = 300;

/// Reads how far the service log is witnessed; `None` if it has no checkpoint.
pub(super) async fn read(database: &Database, t: Language) -> Result<Option<Witnessing>, ReadError> {
    let (status, witnesses) = futures_util::try_join!(witness_status(database), witness_states(database))?;
    Ok(shown(&status, &witnesses, Timestamp::now(), t))
}

fn shown(status: &WitnessStatus, witnesses: &[WitnessState], now: Timestamp, t: Language) -> Option<Witnessing> {
    let is_late = status.unwitnessed_seconds(now) >= USUAL_SECONDS;
    let summary = match (&status.witnessed, status.unwitnessed_since) {
        (None, None) => return None,
        (Some((_, at)), None) => t.with("service-log-witnessed", "at", minute(at)),
        (Some((_, at)), Some(_)) if !is_late => t.with("service-log-witnessed", "at", minute(at)),
        (_, Some(since)) if status.witnesses == 0 => t.with("service-log-alone", "at", minute(&since)),
        (_, Some(since)) => t.with("service-log-unwitnessed", "at", minute(&since)),
    };
    let is_witnessed = status.witnessed.is_some() && !is_late && status.refused.is_none();
    let failing = |witness: &WitnessState| {
        let (since, reason) = witness.failing.as_ref()?;
        let text = format!("{} ({})", t.with("service-log-failing", "witness", witness.name.clone()), minute(since));
        Some((text, reason.clone()))
    };
    let failing = witnesses.iter().filter_map(failing).collect();
    Some(Witnessing { summary, is_witnessed, refused: status.refused.clone(), failing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_unwitnessed_if_nobody_cosigns_for_minutes() {
        let (now, t) = (Timestamp::now(), Language::default());
        let (late, early) = (now.before_seconds(900), now.before_seconds(5));
        let status = |witnesses, witnessed: Option<Timestamp>, unwitnessed_since| WitnessStatus {
            witnesses,
            witnessed: witnessed.map(|at| (7, at)),
            unwitnessed_since,
            refused: None,
        };
        let is_witnessed = |status: &WitnessStatus| shown(status, &[], now, t).map(|shown| shown.is_witnessed);
        assert_eq!(is_witnessed(&status(0, None, None)), None, "there is no checkpoint");
        assert_eq!(is_witnessed(&status(2, Some(late), None)), Some(true));
        assert_eq!(is_witnessed(&status(2, Some(late), Some(early))), Some(true));
        assert_eq!(is_witnessed(&status(2, Some(late), Some(late))), Some(false));
        assert_eq!(is_witnessed(&status(0, None, Some(early))), Some(false));
        let refused = WitnessStatus { refused: Some("2 are missing".to_owned()), ..status(2, Some(late), None) };
        assert_eq!(is_witnessed(&refused), Some(false), "a refused log is not in order, however well witnessed");
        let witness = WitnessState {
            name: "witness.example.com/w1".to_owned(),
            size: 3,
            cosigned_at: None,
            failing: Some((late, "it did not answer".to_owned())),
        };
        let shown = shown(&status(1, None, Some(late)), &[witness], now, t).unwrap();
        assert!(shown.failing[0].0.contains("witness.example.com/w1") && shown.failing[0].1.contains("answer"));
    }
}
