//! Fetching windows and storing them: several collections at a time, each window whole or not at all.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::planner::{Wish, plan};
use crate::catalog::{Collection, Style};
use crate::oura::{Client, FetchError, Range};
use crate::store::{QueuedWindow, Reason, RunEnd, Store, StoreError, Stored, Window};
use crate::time::{Clock, Day};

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
            _ if self.finished && self.failure.is_none() => 100.0,
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
enum Consequence {
    /// This collection rests until the next run, in this state.
    Rest(&'static str),
    /// The same, unless another collection has just fared so: then nothing would fare better.
    RestOrStop(&'static str),
    /// The window is too long for the server.
    Split,
    /// Nothing else would fare better.
    Stop,
}

fn consequence(error: &FetchError) -> Consequence {
    match error {
        FetchError::ScopeMissing { .. } => Consequence::Rest("scope_missing"),
        FetchError::Forbidden { .. } => Consequence::Rest("forbidden"),
        FetchError::NotAvailable => Consequence::Rest("not_available"),
        FetchError::AppTooOld => Consequence::Rest("app_too_old"),
        FetchError::Rejected { .. } => Consequence::Split,
        FetchError::RateLimited => Consequence::RestOrStop("error"),
        FetchError::Login(_) => Consequence::Stop,
        FetchError::Server { .. } | FetchError::Network { .. } | FetchError::Malformed { .. } => Consequence::Rest("error"),
    }
}

impl Executor {
    /// Fetches everything that is wanted, plans again, and goes on until nothing is. `stop` turning true ends it as soon as what is
    /// being stored is stored; what is left waits in the store.
    pub async fn run(&self, run: i64, progress: &watch::Sender<Progress>, mut stop: watch::Receiver<bool>) -> RunEnd {
        progress.send_replace(Progress { run, ..Progress::default() });
        let before = self.client.requests().requests;
        let mut state = RunState::default();
        let end = self.drain(&mut state, progress, &mut stop).await.unwrap_or_else(|error| RunEnd::Failed(error.to_string()));
        let requests = self.client.requests().requests - before;
        let now = self.clock.now();
        let end = match self.blocking(move |store| store.end_run(run, &end, requests, now).map(|()| end)).await {
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
        let mut reasons: &[Reason] = &[Reason::Trailing, Reason::History];
        loop {
            self.enqueue_wanted(reasons).await?;
            // Trailing days stay incomplete however often they are fetched: once a run is enough.
            reasons = &[Reason::History];
            let mut queue: Vec<QueuedWindow> = self.blocking(|store| store.waiting()).await?;
            queue.retain(|queued| !state.resting.contains_key(&queued.window.collection));
            if queue.is_empty() {
                return Ok(RunEnd::Done);
            }
            progress.send_modify(|progress| progress.windows = progress.windows_done + queue.len() as u64);
            // Newest first: taken from the end.
            queue.reverse();
            if let Some(end) = self.fetch_all(queue, state, progress, stop).await? {
                return Ok(end);
            }
        }
    }

    /// Plans from what is held now, and queues what is wanted for one of `reasons`.
    async fn enqueue_wanted(&self, reasons: &[Reason]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let held = self.blocking(move |store| store.held(now)).await?;
        let wish = Wish { today: now.day(self.store.zone()), history_start: self.history_start, collections: self.collections.clone() };
        let mut wanted = plan(&self.store.catalog(), &held, &wish);
        wanted.retain(|window| reasons.contains(&window.reason));
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
        let mut under_way: JoinSet<(QueuedWindow, Result<Stored, WindowError>)> = JoinSet::new();
        let mut busy: Vec<String> = Vec::new();
        let mut ended: Option<RunEnd> = None;
        loop {
            if *stop.borrow() {
                ended.get_or_insert(RunEnd::Interrupted);
            }
            while ended.is_none() && under_way.len() < CONCURRENT {
                let Some(queued) = state.take(&mut queue, &busy) else { break };
                busy.push(queued.window.collection.clone());
                let (executor, stop) = (self.clone(), stop.clone());
                under_way.spawn(async move {
                    let stored = executor.window(&queued, stop).await;
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
                ended.get_or_insert(RunEnd::Failed("the sync ran into a fault of its own; it is in the log".to_owned()));
                continue;
            };
            if let Some(place) = busy.iter().position(|name| *name == queued.window.collection) {
                busy.swap_remove(place);
            }
            match outcome {
                Ok(stored) => {
                    state.well.insert(queued.window.collection);
                    state.limited = false;
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
                    if let Some(end) = self.failed(&queued, &error, state).await? {
                        ended.get_or_insert(end);
                    }
                    progress.send_modify(|progress| {
                        let left = queue.iter().filter(|queued| !state.resting.contains_key(&queued.window.collection)).count();
                        progress.windows = progress.windows_done + (left + under_way.len()) as u64;
                    });
                }
            }
        }
    }

    /// Records a failed fetch; `Some` ends the run.
    async fn failed(&self, queued: &QueuedWindow, error: &FetchError, state: &mut RunState) -> Result<Option<RunEnd>, StoreError> {
        let (collection, message) = (queued.window.collection.clone(), error.to_string());
        tracing::warn!(collection, from = %queued.window.from, to = %queued.window.to, error = message, "a window could not be fetched");
        let window = queued.clone();
        let now = self.clock.now();
        let resting = match consequence(error) {
            Consequence::Stop => return Ok(Some(RunEnd::Failed(message))),
            Consequence::RestOrStop(_) if state.limited => return Ok(Some(RunEnd::Failed(message))),
            Consequence::RestOrStop(resting) => {
                state.limited = true;
                resting
            }
            Consequence::Rest(resting) => resting,
            Consequence::Split => {
                if self.blocking(move |store| store.split_window(&window, now)).await? {
                    return Ok(None);
                }
                "error"
            }
        };
        state.resting.insert(collection.clone(), resting);
        let window = queued.clone();
        self.blocking(move |store| {
            store.fail_window(&window, &message)?;
            store.set_collection_state(&collection, resting, Some(&message))
        })
        .await?;
        Ok(None)
    }

    /// Fetches one window whole and stores it. `stop` ends the fetching, which may wait for many minutes, never the storing.
    async fn window(&self, queued: &QueuedWindow, mut stop: watch::Receiver<bool>) -> Result<Stored, WindowError> {
        let documents = tokio::select! {
            documents = self.fetch(queued) => documents.map_err(WindowError::Fetch)?,
            _ = stop.wait_for(|stop| *stop) => return Err(WindowError::Stopped),
        };
        let (queued, now) = (queued.clone(), self.clock.now());
        self.blocking(move |store| store.put_window(&queued, &documents, now)).await.map_err(WindowError::Store)
    }

    async fn fetch(&self, queued: &QueuedWindow) -> Result<Vec<Box<RawValue>>, FetchError> {
        let mut documents: Vec<Box<RawValue>> = Vec::new();
        let catalog = self.store.catalog();
        if let Some(collection) = catalog.get(&queued.window.collection) {
            let mut pages = self.client.pages(collection, asked(collection, &queued.window, &self.store));
            while let Some(page) = pages.next().await? {
                documents.extend(page);
            }
        }
        Ok(documents)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(done) => done,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// What a run has learned.
#[derive(Default)]
struct RunState {
    /// Collections that rest until the next run, and in which state.
    resting: BTreeMap<String, &'static str>,
    /// Collections that answered once: several of their windows may be under way together.
    well: HashSet<String>,
    /// The rate limit ended a window, and nothing has come since.
    limited: bool,
}

impl RunState {
    /// The next window of `queue` that may start while `busy` collections are under way.
    fn take(&self, queue: &mut Vec<QueuedWindow>, busy: &[String]) -> Option<QueuedWindow> {
        queue.retain(|queued| !self.resting.contains_key(&queued.window.collection));
        let place = queue.iter().rposition(|queued| {
            let collection = &queued.window.collection;
            self.well.contains(collection) || !busy.contains(collection)
        })?;
        Some(queue.remove(place))
    }
}

/// The range to ask for: wider than the window, since the ends of a range are inclusive in some collections and exclusive in others, and
/// some are compared in another zone than the day they are filed under.
fn asked(collection: &Collection, window: &Window, store: &Store) -> Range {
    let padding = match collection.style {
        Style::Dates => 2 * 86_400,
        // Half a day: with the padding a window of 28 days stays under the limit of 30.
        _ => 43_200,
    };
    let zone = store.zone();
    Range { from: window.from.midnight(zone).plus(-padding), to: window.to.plus(1).midnight(zone).plus(padding - 1) }
}
