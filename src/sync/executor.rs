//! One sync run: queues the wanted windows, fetches several at a time, and stores each completely.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::failure::{FailureAction, FailureRule, outage_threshold};
use super::planner::{SyncScope, SyncState, plan};
use super::policy;
use super::progress::Progress;
use super::tracker::RunTracker;
use crate::blocking::blocking;
use crate::oura::{Client, FetchError};
use crate::store::{
    CollectionState, QueuedWindow, RunEnd, Store, StoreError, Trigger, Window, WriteStats,
};
use crate::time::{Clock, Day, Instant};

/// The number of windows under way at the same time. They share one rate limit.
const CONCURRENT: usize = 4;

/// Runs syncs of one data source.
#[derive(Clone)]
pub struct Executor {
    /// The database.
    pub store: Store,
    /// The client for Oura's API.
    pub client: Client,
    /// The clock that dates fetches.
    pub clock: Clock,
    /// The first day to import. `None` imports backwards until two consecutive years have no data.
    pub history_start: Option<Day>,
    /// The collections to sync, in any capitalisation. Empty means all.
    pub collections: Vec<String>,
    /// The longest time between two full runs. Scheduled runs between them first ask whether there
    /// is anything new. `None` makes each run a full one.
    pub full_sync_interval: Option<Duration>,
}

/// Why a window was not stored.
enum WindowError {
    Fetch(FetchError),
    Store(StoreError),
    /// The run was stopped during the fetch.
    Stopped,
}

impl Executor {
    /// Fetches all wanted windows, and plans again until no window is missing. A scheduled run may
    /// end after one request, see [`Executor::full_sync_interval`].
    ///
    /// Once `stop` is true, the run ends as soon as the current writes are complete. The other
    /// windows wait in the queue.
    pub async fn run(
        &self,
        run: i64,
        trigger: Trigger,
        progress: &watch::Sender<Progress>,
        mut stop: watch::Receiver<bool>,
    ) -> RunEnd {
        progress.send_replace(Progress { run, ..Progress::default() });
        let requests_before = self.client.request_counts().requests;
        let mut tracker = RunTracker::default();
        let mut end = self
            .drain(trigger, &mut tracker, progress, &mut stop)
            .await
            .unwrap_or_else(|error| RunEnd::Failed(error.to_string()));
        let requests = self.client.request_counts().requests - requests_before;
        let windows = progress.borrow().windows;
        let now = self.clock.now();
        let stored_end = end.clone();
        let stored = self
            .blocking(move |store| store.writer().end_run(run, &stored_end, windows, requests, now))
            .await;
        if let Err(error) = stored {
            end = RunEnd::Failed(error.to_string());
        }
        progress.send_modify(|progress| {
            progress.finished = true;
            progress.requests = requests;
            if let RunEnd::Failed(message) = &end {
                progress.failure = Some(message.clone());
            }
        });
        end
    }

    /// Plans and fetches until the queue is empty.
    async fn drain(
        &self,
        trigger: Trigger,
        tracker: &mut RunTracker,
        progress: &watch::Sender<Progress>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<RunEnd, StoreError> {
        if trigger == Trigger::Schedule && self.is_unchanged(stop).await? {
            return Ok(RunEnd::NothingNew);
        }
        // Plan waiting windows again: settings may have changed, and adjacent small windows merge.
        let collections = self.scope(self.clock.now()).wanted(&self.store.catalog());
        tracker.collections = collections.len();
        self.blocking(move |store| store.writer().clear_queue(&collections)).await?;
        loop {
            self.enqueue_wanted(tracker).await?;
            let mut queue: Vec<QueuedWindow> =
                self.blocking(|store| store.writer().waiting()).await?;
            let missing = queue.iter().filter(|queued| tracker.is_missing(queued)).count();
            queue.retain(|queued| tracker.may_start(queued));
            tracker.replan.clear();
            progress.send_modify(|progress| {
                progress.windows = progress.windows_done + (queue.len() + missing) as u64
            });
            if queue.is_empty() {
                return Ok(match &tracker.last_failure {
                    Some(message) if tracker.stored.is_empty() => RunEnd::Failed(message.clone()),
                    _ => RunEnd::Done,
                });
            }
            // The next window is taken from the end.
            queue.reverse();
            if let Some(end) = self.fetch_all(queue, tracker, progress, stop).await? {
                return Ok(end);
            }
        }
    }

    fn scope(&self, now: Instant) -> SyncScope {
        SyncScope {
            today: now.day(self.store.zone()),
            history_start: self.history_start,
            collections: self.collections.clone(),
        }
    }

    /// Plans from the stored days, and queues the wanted windows. Days that can still change stay
    /// partial after every fetch, so the windows of this run count as claimed.
    async fn enqueue_wanted(&self, tracker: &mut RunTracker) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.blocking(move |store| load_state(store, now)).await?;
        state.claimed.extend_from_slice(&tracker.stored);
        let mut wanted = plan(&self.store.catalog(), &state, &self.scope(now));
        wanted.retain(|window| !tracker.is_refused(&window.collection));
        tracker.unfetchable = state.unfetchable;
        self.blocking(move |store| store.writer().enqueue(&wanted, now)).await?;
        Ok(())
    }

    /// Fetches the windows of `queue` from its end. Returns `Some` if the run ends early.
    async fn fetch_all(
        &self,
        mut queue: Vec<QueuedWindow>,
        tracker: &mut RunTracker,
        progress: &watch::Sender<Progress>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<RunEnd>, StoreError> {
        let mut under_way: JoinSet<(QueuedWindow, Result<WriteStats, WindowError>)> =
            JoinSet::new();
        let mut busy: Vec<String> = Vec::new();
        let mut end: Option<RunEnd> = None;
        loop {
            if *stop.borrow() {
                end.get_or_insert(RunEnd::Interrupted);
            }
            while end.is_none() && under_way.len() < CONCURRENT {
                let Some(queued) = tracker.next_window(&mut queue, &busy) else { break };
                busy.push(queued.window.collection.clone());
                let executor = self.clone();
                let unpadded = tracker.is_suspect(&queued);
                let stop = stop.clone();
                under_way.spawn(async move {
                    let outcome = executor.sync_window(&queued, unpadded, stop).await;
                    (queued, outcome)
                });
            }
            let finished = tokio::select! {
                finished = under_way.join_next() => finished,
                _ = stop.changed(), if end.is_none() => continue,
            };
            let Some(finished) = finished else { return Ok(end) };
            // A panic in a task ends the run, not the process.
            let Ok((queued, outcome)) = finished else {
                end.get_or_insert(RunEnd::Failed(
                    "The sync failed because of a bug in this program; see the log".to_owned(),
                ));
                continue;
            };
            if let Some(place) = busy.iter().position(|name| *name == queued.window.collection) {
                busy.swap_remove(place);
            }
            match outcome {
                Ok(stats) => {
                    tracker.record_success(queued.window);
                    progress.send_modify(|progress| {
                        progress.windows_done += 1;
                        progress.documents += stats.documents;
                    });
                }
                Err(WindowError::Stopped) => {
                    end.get_or_insert(RunEnd::Interrupted);
                }
                Err(WindowError::Store(error)) => {
                    end.get_or_insert(RunEnd::Failed(error.to_string()));
                }
                Err(WindowError::Fetch(error)) => {
                    let failed = self.handle_failure(&queued, &error, tracker, progress).await?;
                    if let Some(failed) = failed {
                        end.get_or_insert(failed);
                    }
                }
            }
        }
    }

    /// Fetches one window and stores it. `stop` cancels the fetch, which can wait for minutes, but
    /// never the write.
    async fn sync_window(
        &self,
        queued: &QueuedWindow,
        unpadded: bool,
        mut stop: watch::Receiver<bool>,
    ) -> Result<WriteStats, WindowError> {
        let documents = tokio::select! {
            documents = self.fetch(&queued.window, unpadded) => {
                documents.map_err(WindowError::Fetch)?
            }
            _ = stop.wait_for(|stop| *stop) => return Err(WindowError::Stopped),
        };
        let collection = queued.window.collection.clone();
        let queued = queued.clone();
        let now = self.clock.now();
        let stored = self
            .blocking(move |store| {
                store.writer().put_window(&queued, &documents, now, policy::settled_after)
            })
            .await
            .map_err(WindowError::Store)?;
        if stored.faulty > 0 {
            tracing::warn!(
                collection,
                documents = stored.faulty,
                "some new documents could not be read completely: their readable part and the \
                 original are stored, see the column fault of oura_raw_documents"
            );
        }
        Ok(stored)
    }

    /// Records a failed fetch. Returns `Some` if the run ends.
    async fn handle_failure(
        &self,
        queued: &QueuedWindow,
        error: &FetchError,
        tracker: &mut RunTracker,
        progress: &watch::Sender<Progress>,
    ) -> Result<Option<RunEnd>, StoreError> {
        let window = &queued.window;
        let message = error.to_string();
        let rule = FailureRule::of(error.kind());
        match rule.action {
            FailureAction::Stop => {
                log_failure(window, error, true);
                return Ok(Some(RunEnd::Failed(message)));
            }
            FailureAction::Refuse => {
                self.refuse(window, rule.state, error, tracker, progress).await?;
                return Ok(None);
            }
            FailureAction::Shorten if window.days() > 1 => {
                log_failure(window, error, false);
                self.shorten(&window.collection, window.days(), tracker).await?;
                return Ok(None);
            }
            FailureAction::Rest | FailureAction::Suspect | FailureAction::Shorten => {}
        }
        let failed_in_a_row = tracker.record_failure(&window.collection, &message);
        if rule.action != FailureAction::Shorten
            && failed_in_a_row >= outage_threshold(rule.error, tracker.collections)
        {
            log_failure(window, error, true);
            return Ok(Some(RunEnd::Failed(message)));
        }
        // A suspect window is halved, down to the day that Oura cannot deliver. The rest of its
        // collection continues.
        let window_at_fault = rule.action != FailureAction::Rest;
        if window_at_fault && tracker.is_suspect(queued) {
            if window.days() > 1 {
                log_failure(window, error, false);
                let now = self.clock.now();
                let max_days = longer_half(window.days());
                let window = queued.clone();
                self.blocking(move |store| store.writer().cut_windows(&[window], max_days, now))
                    .await?;
                return Ok(None);
            }
            tracker.set_aside.insert(queued.id);
        } else {
            tracker.resting.insert(window.collection.clone(), rule.state);
        }
        let failed = queued.clone();
        let is_news = self
            .blocking(move |store| store.writer().fail_window(&failed, window_at_fault, &message))
            .await?;
        log_failure(window, error, is_news);
        Ok(None)
    }

    /// Records that Oura refuses the window's collection.
    async fn refuse(
        &self,
        window: &Window,
        state: CollectionState,
        error: &FetchError,
        tracker: &mut RunTracker,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), StoreError> {
        // Another window under way may have been refused before.
        if tracker.is_refused(&window.collection) {
            log_failure(window, error, false);
            return Ok(());
        }
        tracker.resting.insert(window.collection.clone(), state);
        let collection = window.collection.clone();
        let message = error.to_string();
        let refused =
            self.blocking(move |store| store.writer().refuse(&collection, state, &message)).await?;
        log_failure(window, error, refused.is_news);
        progress.send_modify(|progress| {
            progress.windows = progress.windows.saturating_sub(refused.windows)
        });
        Ok(())
    }

    /// Cuts all waiting windows of `collection` to half of `days`, because Oura rejected that
    /// length. The next run plans the usual length again: a rejection may have another reason.
    async fn shorten(
        &self,
        collection: &str,
        days: i64,
        tracker: &mut RunTracker,
    ) -> Result<(), StoreError> {
        tracker.replan.insert(collection.to_owned());
        let collection = collection.to_owned();
        let now = self.clock.now();
        let max_days = longer_half(days);
        self.blocking(move |store| {
            let mut waiting = store.writer().waiting()?;
            waiting.retain(|queued| {
                queued.window.collection == collection && queued.window.days() > max_days
            });
            store.writer().cut_windows(&waiting, max_days, now)
        })
        .await
    }

    /// Runs `work` on a thread for blocking work.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        blocking(move || work(&store).inspect_err(|error| store.note_error(error))).await
    }
}

/// Reads the stored days and the queue, as far as planning needs them.
fn load_state(store: &Store, now: Instant) -> Result<SyncState, StoreError> {
    let resumed_since = policy::resumed_since(store.inspector().interrupted_since()?, now);
    let coverage = store.writer().coverage(now, resumed_since)?;
    let waiting = store.writer().waiting()?;
    let mut state = SyncState {
        complete: coverage.complete,
        fresh: coverage.fresh,
        first_day: coverage.first_day,
        last_days: coverage.last_days,
        ..SyncState::default()
    };
    for queued in waiting {
        if policy::is_unfetchable(&queued) {
            let days: &mut BTreeSet<Day> =
                state.unfetchable.entry(queued.window.collection.clone()).or_default();
            days.insert(queued.window.from);
        }
        state.claimed.push(queued.window);
    }
    Ok(state)
}

/// Logs a failed fetch: as a warning if it is news. The collection's state shows the others.
fn log_failure(window: &Window, error: &FetchError, is_news: bool) {
    let Window { collection, from, to, .. } = window;
    if is_news {
        tracing::warn!(collection, %from, %to, %error, "a window could not be fetched");
    } else {
        tracing::debug!(collection, %from, %to, %error, "a window could not be fetched");
    }
}

/// Half of `days`, rounded up.
fn longer_half(days: i64) -> i64 {
    (days + 1) / 2
}
