//! Fetching windows and storing them: several collections at a time, each window whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::planner::{PADDING, SyncScope, is_near, plan};
use crate::blocking::blocking;
use crate::catalog::{Collection, Style};
use crate::oura::{Client, FetchError, Range};
use crate::store::{CollectionState, QueuedWindow, RunEnd, Store, StoreError, Window, WriteStats};
use crate::time::{Clock, Day, Instant, Tz};

/// Windows under way at once. One rate budget lies behind them all.
const CONCURRENT: usize = 4;

/// How far a sync has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub run: i64,
    /// Windows known so far; grows while the history's depth becomes known.
    pub windows: u64,
    pub windows_done: u64,
    pub documents: u64,
    pub requests: u64,
    pub finished: bool,
    /// Why it ended early, in words for a person.
    pub failure: Option<String>,
}

impl Progress {
    /// 0 to 100.
    pub fn percent(&self) -> f64 {
        match self.windows {
            0 if self.finished && self.failure.is_none() => 100.0,
            0 => 0.0,
            windows => (100.0 * self.windows_done as f64 / windows as f64).min(100.0),
        }
    }

    /// How long the rest takes if it goes on as it did for `elapsed`; `None` before anything can be said, and at the end.
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        let left = self.windows.saturating_sub(self.windows_done);
        let known = !self.finished && self.windows_done > 0;
        known.then(|| elapsed.mul_f64(left as f64 / self.windows_done as f64))
    }
}

/// What a sync works with.
#[derive(Clone)]
pub struct Executor {
    pub store: Store,
    pub client: Client,
    pub clock: Clock,
    /// The first day wanted; without one, until two empty years.
    pub history_start: Option<Day>,
    /// Empty = all.
    pub collections: Vec<String>,
}

/// Why a window could not be stored.
enum WindowError {
    Fetch(FetchError),
    Store(StoreError),
    /// The run was told to stop while the window was being fetched.
    Stopped,
}

/// What a failed fetch means for the rest of the run.
enum FailureAction {
    /// Oura refuses this collection: it rests until the next run, in this state, and the others go on.
    Rest(CollectionState),
    /// The collection rests; once several have fared so in a row, nothing else would fare better.
    RestOrStop,
    /// As [`FailureAction::RestOrStop`], but it may be this window alone, if it has failed before.
    Doubtful,
    /// The window is too long for the server.
    Shorten,
    /// Nothing else would fare better.
    Stop,
}

fn failure_action(error: &FetchError) -> FailureAction {
    match error {
        FetchError::MissingScope { .. } => FailureAction::Rest(CollectionState::ScopeMissing),
        FetchError::MembershipInactive { .. } => {
            FailureAction::Rest(CollectionState::MembershipEnded)
        }
        FetchError::Forbidden { .. } => FailureAction::Rest(CollectionState::Forbidden),
        FetchError::NotAvailable => FailureAction::Rest(CollectionState::NotAvailable),
        FetchError::AppTooOld => FailureAction::Rest(CollectionState::AppTooOld),
        FetchError::Rejected { .. } => FailureAction::Shorten,
        FetchError::RateLimited | FetchError::Network { .. } => FailureAction::RestOrStop,
        FetchError::Server { .. } | FetchError::Malformed { .. } => FailureAction::Doubtful,
        FetchError::Login(_) => FailureAction::Stop,
    }
}

/// So many collections that go wrong one after the other, with nothing well in between, are an outage: half of them, since a few that are
/// broken must not keep the others from their turn. The rate limit is the same for all.
fn is_outage(error: &FetchError, in_a_row: usize, collections: usize) -> bool {
    in_a_row
        >= if matches!(error, FetchError::RateLimited) { 2 } else { collections.div_ceil(2).max(2) }
}

impl Executor {
    /// Fetches everything that is wanted, plans again, and goes on until nothing is. `stop` turning true ends it as soon as what is
    /// being stored is stored; what is left waits in the store.
    pub async fn run(
        &self,
        run: i64,
        progress: &watch::Sender<Progress>,
        mut stop: watch::Receiver<bool>,
    ) -> RunEnd {
        progress.send_replace(Progress { run, ..Progress::default() });
        let before = self.client.request_counts().requests;
        let mut state = RunState::default();
        let end = self
            .drain(&mut state, progress, &mut stop)
            .await
            .unwrap_or_else(|error| RunEnd::Failed(error.to_string()));
        let requests = self.client.request_counts().requests - before;
        let (windows, now) = (progress.borrow().windows, self.clock.now());
        let end = match self
            .blocking(move |store| store.end_run(run, &end, windows, requests, now).map(|()| end))
            .await
        {
            Ok(end) => end,
            Err(error) => RunEnd::Failed(error.to_string()),
        };
        progress.send_modify(|progress| {
            progress.finished = true;
            progress.requests = requests;
            if let RunEnd::Failed(message) = &end {
                progress.failure = Some(message.clone());
            }
        });
        end
    }

    async fn drain(
        &self,
        state: &mut RunState,
        progress: &watch::Sender<Progress>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<RunEnd, StoreError> {
        // What waits from before is planned anew: what is wanted may have changed, and small windows that lie together become one.
        let collections = self.scope(self.clock.now()).wanted(&self.store.catalog());
        state.collections = collections.len();
        self.blocking(move |store| store.clear_queue(&collections)).await?;
        loop {
            self.enqueue_wanted(state).await?;
            let mut queue: Vec<QueuedWindow> = self.blocking(|store| store.waiting()).await?;
            let missing = queue.iter().filter(|queued| state.is_missing(queued)).count();
            queue.retain(|queued| state.may_start(queued));
            state.replan.clear();
            progress.send_modify(|progress| {
                progress.windows = progress.windows_done + (queue.len() + missing) as u64
            });
            if queue.is_empty() {
                return Ok(match &state.trouble {
                    Some(message) if state.done.is_empty() => RunEnd::Failed(message.clone()),
                    _ => RunEnd::Done,
                });
            }
            // Newest first: taken from the end.
            queue.reverse();
            if let Some(end) = self.fetch_all(queue, state, progress, stop).await? {
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

    /// Plans from what is held now, and queues what is wanted. Days that may still change stay incomplete however often they are fetched:
    /// once a run is enough.
    async fn enqueue_wanted(&self, state: &mut RunState) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut held = self.blocking(move |store| store.held(now)).await?;
        held.claimed.extend_from_slice(&state.done);
        let mut wanted = plan(&self.store.catalog(), &held, &self.scope(now));
        wanted.retain(|window| !state.is_refused(&window.collection));
        state.unfetchable = held.unfetchable;
        self.blocking(move |store| store.enqueue(&wanted, now)).await?;
        Ok(())
    }

    /// Fetches the windows of `queue` from its end; `Some` ends the run.
    async fn fetch_all(
        &self,
        mut queue: Vec<QueuedWindow>,
        state: &mut RunState,
        progress: &watch::Sender<Progress>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<RunEnd>, StoreError> {
        let mut under_way: JoinSet<(QueuedWindow, Result<WriteStats, WindowError>)> =
            JoinSet::new();
        let mut busy: Vec<String> = Vec::new();
        let mut ended: Option<RunEnd> = None;
        loop {
            if *stop.borrow() {
                ended.get_or_insert(RunEnd::Interrupted);
            }
            while ended.is_none() && under_way.len() < CONCURRENT {
                let Some(queued) = state.take(&mut queue, &busy) else { break };
                busy.push(queued.window.collection.clone());
                let (executor, unpadded, stop) =
                    (self.clone(), state.is_suspect(&queued), stop.clone());
                under_way.spawn(async move {
                    let stored = executor.window(&queued, unpadded, stop).await;
                    (queued, stored)
                });
            }
            let finished = tokio::select! {
                finished = under_way.join_next() => finished,
                _ = stop.changed(), if ended.is_none() => continue,
            };
            let Some(finished) = finished else { return Ok(ended) };
            // A panic in a task is a fault of this program: it ends the run, not the process.
            let Ok((queued, outcome)) = finished else {
                ended.get_or_insert(RunEnd::Failed(
                    "the sync ran into a fault of its own; it is in the log".to_owned(),
                ));
                continue;
            };
            if let Some(place) = busy.iter().position(|name| *name == queued.window.collection) {
                busy.swap_remove(place);
            }
            match outcome {
                Ok(stored) => {
                    state.went_well(queued.window);
                    progress.send_modify(|progress| {
                        progress.windows_done += 1;
                        progress.documents += stored.documents;
                    });
                }
                Err(WindowError::Stopped) => {
                    ended.get_or_insert(RunEnd::Interrupted);
                }
                Err(WindowError::Store(error)) => {
                    ended.get_or_insert(RunEnd::Failed(error.to_string()));
                }
                Err(WindowError::Fetch(error)) => {
                    if let Some(end) = self.failed(&queued, &error, state, progress).await? {
                        ended.get_or_insert(end);
                    }
                }
            }
        }
    }

    /// Records a failed fetch; `Some` ends the run.
    async fn failed(
        &self,
        queued: &QueuedWindow,
        error: &FetchError,
        state: &mut RunState,
        progress: &watch::Sender<Progress>,
    ) -> Result<Option<RunEnd>, StoreError> {
        let (window, message) = (&queued.window, error.to_string());
        // What the collection's state says already, and what is tried again at once, is worth no warning.
        let log = |is_news: bool| {
            let Window { collection, from, to, .. } = window;
            match is_news {
                true => {
                    tracing::warn!(collection, %from, %to, %error, "a window could not be fetched")
                }
                false => {
                    tracing::debug!(collection, %from, %to, %error, "a window could not be fetched")
                }
            }
        };
        let failure_action = failure_action(error);
        match failure_action {
            FailureAction::Stop => {
                log(true);
                return Ok(Some(RunEnd::Failed(message)));
            }
            // Another window of it was refused before.
            FailureAction::Rest(_) if state.is_refused(&window.collection) => {
                log(false);
                return Ok(None);
            }
            FailureAction::Rest(refusal) => {
                state.resting.insert(window.collection.clone(), refusal);
                let collection = window.collection.clone();
                let refused = self
                    .blocking(move |store| store.refuse(&collection, refusal, &message))
                    .await?;
                log(refused.is_news);
                progress.send_modify(|progress| {
                    progress.windows = progress.windows.saturating_sub(refused.windows)
                });
                return Ok(None);
            }
            FailureAction::Shorten if window.days() > 1 => {
                log(false);
                self.shorten(&window.collection, window.days(), state).await?;
                return Ok(None);
            }
            FailureAction::RestOrStop | FailureAction::Doubtful | FailureAction::Shorten => {}
        }
        state.went_wrong(&window.collection, &message);
        if !matches!(failure_action, FailureAction::Shorten)
            && is_outage(error, state.in_a_row.len(), state.collections)
        {
            log(true);
            return Ok(Some(RunEnd::Failed(message)));
        }
        let window_at_fault = !matches!(failure_action, FailureAction::RestOrStop);
        // What is to blame is halved, down to the day that cannot be had, and the rest of its collection goes on without it.
        match window_at_fault && state.is_suspect(queued) {
            false => drop(state.resting.insert(window.collection.clone(), CollectionState::Error)),
            true if window.days() > 1 => {
                log(false);
                let (halved, half, now) = (queued.clone(), half(window.days()), self.clock.now());
                self.blocking(move |store| store.cut_windows(&[halved], half, now)).await?;
                return Ok(None);
            }
            true => drop(state.set_aside.insert(queued.id)),
        }
        let failed = queued.clone();
        log(self
            .blocking(move |store| store.fail_window(&failed, window_at_fault, &message))
            .await?);
        Ok(None)
    }

    /// The server takes no windows of `days` of this collection: cuts all that wait to half of that, for this run. The next one tries the
    /// usual length again, since a refusal may have had another reason.
    async fn shorten(
        &self,
        collection: &str,
        days: i64,
        state: &mut RunState,
    ) -> Result<(), StoreError> {
        let (collection, now) = (collection.to_owned(), self.clock.now());
        state.replan.insert(collection.clone());
        let most = half(days);
        self.blocking(move |store| {
            let mut waiting = store.waiting()?;
            waiting.retain(|queued| {
                queued.window.collection == collection && queued.window.days() > most
            });
            store.cut_windows(&waiting, most, now)
        })
        .await
    }

    /// Fetches one window whole and stores it. `stop` ends the fetching, which may wait for many minutes, never the storing.
    async fn window(
        &self,
        queued: &QueuedWindow,
        unpadded: bool,
        mut stop: watch::Receiver<bool>,
    ) -> Result<WriteStats, WindowError> {
        let documents = tokio::select! {
            documents = self.fetch(&queued.window, unpadded) => documents.map_err(WindowError::Fetch)?,
            _ = stop.wait_for(|stop| *stop) => return Err(WindowError::Stopped),
        };
        let (queued, now) = (queued.clone(), self.clock.now());
        self.blocking(move |store| store.put_window(&queued, &documents, now))
            .await
            .map_err(WindowError::Store)
    }

    /// Everything of `window`. `unpadded`: a single day is asked for without its neighbours, as far as that can be trusted.
    async fn fetch(
        &self,
        window: &Window,
        unpadded: bool,
    ) -> Result<Vec<Box<RawValue>>, FetchError> {
        let (catalog, zone) = (self.store.catalog(), self.store.zone());
        let Some(collection) = catalog.get(&window.collection) else { return Ok(Vec::new()) };
        let unpadded = unpadded && window.days() == 1;
        if unpadded && is_filed_by_day(collection) {
            // Ends of ranges are no promise: that a document of the day came is the proof that the range held it.
            let is_of_the_day = |document: &RawValue| {
                let reading = serde_json::from_str(document.get())
                    .ok()
                    .and_then(|value| collection.read(&value, zone).ok());
                reading.and_then(|reading| reading.day) == Some(window.from)
            };
            match self.range(collection, exactly(window.from)).await {
                Ok(documents) if documents.iter().any(|document| is_of_the_day(document)) => {
                    return Ok(documents);
                }
                Ok(_) | Err(FetchError::Rejected { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.range(collection, asked(collection, window, zone, unpadded)).await
    }

    /// Every page of a range.
    async fn range(
        &self,
        collection: &Collection,
        range: Range,
    ) -> Result<Vec<Box<RawValue>>, FetchError> {
        let mut documents = Vec::new();
        let mut pages = self.client.pages(collection, range);
        while let Some(page) = pages.next().await? {
            documents.extend(page);
        }
        Ok(documents)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        blocking(move || work(&store)).await
    }
}

/// Of so many days, the longer half.
fn half(days: i64) -> i64 {
    (days + 1) / 2
}

/// What a run has learned.
#[derive(Default)]
struct RunState {
    /// How many collections are wanted.
    collections: usize,
    /// Windows that are in the store.
    done: Vec<Window>,
    /// Collections that rest until the next run, and in which state.
    resting: BTreeMap<String, CollectionState>,
    /// Windows that cannot be had in this run, while the rest of their collection goes on.
    set_aside: HashSet<i64>,
    /// Collections whose windows have been cut in the store since they were read from it.
    replan: HashSet<String>,
    /// Collections that answered once: several of their windows may be under way together.
    well: HashSet<String>,
    /// Collections that went wrong since anything went well.
    in_a_row: HashSet<String>,
    /// Days that cannot be had, by collection.
    unfetchable: BTreeMap<String, BTreeSet<Day>>,
    /// What went wrong last.
    trouble: Option<String>,
}

impl RunState {
    /// The next window of `queue` that may start while `busy` collections are under way.
    fn take(&self, queue: &mut Vec<QueuedWindow>, busy: &[String]) -> Option<QueuedWindow> {
        queue.retain(|queued| {
            self.may_start(queued) && !self.replan.contains(&queued.window.collection)
        });
        let place = queue.iter().rposition(|queued| {
            let collection = &queued.window.collection;
            self.well.contains(collection) || !busy.contains(collection)
        })?;
        Some(queue.remove(place))
    }

    fn may_start(&self, queued: &QueuedWindow) -> bool {
        !self.resting.contains_key(&queued.window.collection)
            && !self.set_aside.contains(&queued.id)
    }

    /// Whether the window itself, or a day beside it that cannot be had, is the trouble if it goes wrong.
    fn is_suspect(&self, queued: &QueuedWindow) -> bool {
        let unfetchable = self.unfetchable.get(&queued.window.collection);
        queued.is_suspect()
            || queued.window.days() == 1
                && unfetchable.is_some_and(|days| is_near(queued.window.from, days))
    }

    fn is_refused(&self, collection: &str) -> bool {
        self.resting.get(collection).is_some_and(|state| *state != CollectionState::Error)
    }

    /// Whether it waits because something went wrong: what Oura refuses is not missing.
    fn is_missing(&self, queued: &QueuedWindow) -> bool {
        self.set_aside.contains(&queued.id)
            || self.resting.get(&queued.window.collection) == Some(&CollectionState::Error)
    }

    fn went_well(&mut self, window: Window) {
        self.in_a_row.clear();
        self.well.insert(window.collection.clone());
        self.done.push(window);
    }

    fn went_wrong(&mut self, collection: &str, message: &str) {
        self.in_a_row.insert(collection.to_owned());
        self.trouble = Some(message.to_owned());
    }
}

/// The range to ask for: wider than the window, since the ends of a range are inclusive in some collections and exclusive in others, and
/// some are compared in another zone than the day they are filed under. `unpadded`: as little wider as that allows.
fn asked(collection: &Collection, window: &Window, zone: Tz, unpadded: bool) -> Range {
    if collection.style == Style::Dates {
        let (before, after) = match unpadded {
            false => (PADDING, PADDING),
            true if is_filed_by_day(collection) => (1, 1),
            // Where the end is excluded, a whole day more for what began there in UTC.
            true => (1, 2),
        };
        return Range {
            from: window.from.plus(-before).midnight(Tz::UTC),
            to: window.to.plus(after).midnight(Tz::UTC),
        };
    }
    // Half a day: with the padding a window of 28 days stays under the limit of 30.
    let padding = if unpadded { 1 } else { 43_200 };
    Range {
        from: window.from.midnight(zone).plus(-padding),
        to: window.to.plus(1).midnight(zone).plus(padding - 1),
    }
}

/// A day alone, in collections whose ends are included and in those whose ends are not.
fn exactly(day: Day) -> Range {
    Range { from: day.midnight(Tz::UTC), to: day.plus(1).midnight(Tz::UTC).plus(-1) }
}

/// Whether a range is compared with the day that documents are filed under, so that it holds all documents of a day or none: the summaries
/// of days, and nights. Others may be compared by when they began.
fn is_filed_by_day(collection: &Collection) -> bool {
    collection.style == Style::Dates
        && (collection.time.start.is_empty() || collection.name == "sleep")
}
