//! `GET status`: is it connected, is it current, and if not, why.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::grant::SealedGrant;
use super::{DataSource, DataSourceError, gaps};
use crate::catalog::Recorded;
use crate::oura::TokenError;
use crate::store::{CollectionState, Gap, GapReason, RunState};
use crate::time::{Day, Instant, as_rfc3339_or_null};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub state: ConnectionState,
    /// Why the state is what it is, when there is more to say.
    pub reason: Option<String>,
    /// As granted; empty when Oura did not say.
    pub scopes: Vec<String>,
    pub sync: SyncStatus,
    /// `1.43`.
    pub specification: String,
    /// When Oura was last asked for a newer one.
    #[serde(serialize_with = "as_rfc3339_or_null")]
    pub specification_checked_at: Option<Instant>,
    pub collections: Vec<CollectionStatus>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// No client id or secret yet.
    NotConfigured,
    /// Never connected, or disconnected.
    NotConnected,
    Connected,
    ReconnectNeeded,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    pub running: bool,
    /// 0 to 100, of the run under way or the last one.
    pub percent: f64,
    pub run: Option<i64>,
    /// That the run under way or the last one brought.
    pub documents: u64,
    /// Until the run under way ends, if it goes on as it did so far.
    pub seconds_left: Option<u64>,
    #[serde(serialize_with = "as_rfc3339_or_null")]
    pub last_sync: Option<Instant>,
    #[serde(serialize_with = "as_rfc3339_or_null")]
    pub next_sync: Option<Instant>,
    /// Why the last run ended early.
    pub failure: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionStatus {
    pub name: String,
    pub documents: u64,
    pub first_day: Option<Day>,
    pub last_day: Option<Day>,
    #[serde(serialize_with = "as_rfc3339_or_null")]
    pub last_sync: Option<Instant>,
    pub state: CollectionState,
    pub reason: Option<String>,
    /// How complete the last weeks are and why not, in one line.
    pub summary: String,
}

impl DataSource {
    pub fn status(&self) -> Result<Status, DataSourceError> {
        let inner = &self.inner;
        let grant = inner.tokens.current()?;
        let (state, reason) = self.connection()?;
        // Today is not over: what lacks may still come.
        let yesterday = inner.environment.clock.now().day(self.zone()).plus(-1);
        let all_gaps = inner.store.inspector().gaps(yesterday.plus(1 - gaps::DAYS), yesterday)?;
        let summary = |name: &str, refusal: Option<&str>, ever_fetched: bool| {
            // A day without a workout or a tag is no gap.
            let counts = |gap: &&Gap| {
                gap.collection == name
                    && (Recorded::of(name).is_daily() || gap.reason != GapReason::Empty)
            };
            let own: Vec<&Gap> = all_gaps.iter().filter(counts).collect();
            gaps::line(refusal, ever_fetched, &own)
        };
        let collections: Vec<CollectionStatus> = inner
            .store
            .inspector()
            .collections()?
            .into_iter()
            .map(|row| CollectionStatus {
                summary: summary(&row.name, row.reason.as_deref(), row.last_sync.is_some()),
                name: row.name,
                documents: row.documents,
                first_day: row.first_day,
                last_day: row.last_day,
                last_sync: row.last_sync,
                state: row.state,
                reason: row.reason,
            })
            .collect();
        Ok(Status {
            state,
            reason,
            scopes: grant.map(|grant| grant.scopes).unwrap_or_default(),
            sync: self.sync_status(&collections)?,
            specification: self.catalog().version.clone(),
            specification_checked_at: inner.specification.checked_at(),
            collections,
        })
    }

    /// Whether there is a login, and if not, why.
    pub(super) fn connection(&self) -> Result<(ConnectionState, Option<String>), DataSourceError> {
        if let Some(why) = self.read_only_reason() {
            return Ok((ConnectionState::NotConnected, Some(why.to_owned())));
        }
        let tokens = &self.inner.tokens;
        let lost =
            || SealedGrant::new(Arc::clone(&self.inner.vault), self.inner.key.clone()).lost();
        let current = tokens.current()?;
        if let (None, Some(why)) = (&current, lost()) {
            return Ok((ConnectionState::ReconnectNeeded, Some(why.to_string())));
        }
        Ok(match (current, tokens.standing()) {
            (None, _) if !self.is_configured() => (ConnectionState::NotConfigured, None),
            (None, _) => (ConnectionState::NotConnected, None),
            (Some(_), Err(error @ TokenError::ReconnectNeeded { .. })) => {
                (ConnectionState::ReconnectNeeded, Some(error.to_string()))
            }
            (Some(_), _) => (ConnectionState::Connected, None),
        })
    }

    fn sync_status(&self, collections: &[CollectionStatus]) -> Result<SyncStatus, DataSourceError> {
        let sync = self.inner.sync.lock().clone();
        let progress = self.progress().borrow().clone();
        let running = sync.as_ref().is_some_and(|sync| sync.is_running());
        // One that waits for the store, or that the store did not take, has no row.
        let last_run = self.inner.store.inspector().last_run()?;
        let unbegun = progress.run > last_run.as_ref().map_or(0, |run| run.run);
        let last_run = last_run.filter(|_| !(running && unbegun));
        let percent = match (running, &last_run) {
            (true, _) => progress.percent(),
            (false, Some(run)) if run.windows > 0 => {
                (100.0 * run.windows_done as f64 / run.windows as f64).min(100.0)
            }
            (false, Some(run)) if run.state == RunState::Done => 100.0,
            (false, _) => 0.0,
        };
        let elapsed = last_run
            .as_ref()
            .map(|run| self.inner.environment.clock.now().seconds() - run.started_at.seconds());
        let elapsed =
            elapsed.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        let seconds_left = elapsed
            .filter(|_| running)
            .and_then(|elapsed| progress.time_left(elapsed))
            .map(|left| left.as_secs());
        Ok(SyncStatus {
            running,
            seconds_left,
            percent: (percent * 10.0).round() / 10.0,
            run: unbegun.then_some(progress.run).or(last_run.as_ref().map(|run| run.run)),
            documents: if running {
                progress.documents
            } else {
                last_run.as_ref().map_or(0, |run| run.documents)
            },
            last_sync: collections.iter().filter_map(|collection| collection.last_sync).max(),
            next_sync: sync.as_ref().and_then(|sync| sync.next()),
            failure: if unbegun { progress.failure } else { last_run.and_then(|run| run.message) },
        })
    }
}
