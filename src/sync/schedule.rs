//! When syncs happen: on request, and by themselves at an interval; one at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::executor::{Executor, Progress};
use crate::store::{RunEnd, StoreError, Trigger};
use crate::time::Instant;

/// After this many failures in a row the pause between tries grows no more: sixteen intervals.
const MOST_DOUBLINGS: u32 = 4;

/// Whether syncs happen by themselves, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every(Duration),
    /// Only on request.
    OnRequest,
}

/// The syncs of one account. Dropping it stops them; [`Sync::stop`] waits.
pub struct Sync {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    executor: Executor,
    schedule: Schedule,
    /// The run that is wanted or under way.
    run: Mutex<Option<i64>>,
    next: Mutex<Option<Instant>>,
    wanted: Notify,
    progress: watch::Sender<Progress>,
    stop: watch::Sender<bool>,
}

impl Sync {
    /// Starts the schedule; the first sync is due when the last one is older than the interval.
    pub fn start(executor: Executor, schedule: Schedule) -> Sync {
        let shared = Arc::new(Shared {
            executor,
            schedule,
            run: Mutex::new(None),
            next: Mutex::new(None),
            wanted: Notify::new(),
            progress: watch::Sender::new(Progress { finished: true, ..Progress::default() }),
            stop: watch::Sender::new(false),
        });
        let task = tokio::spawn(Arc::clone(&shared).keep_going());
        Sync { shared, task: Mutex::new(Some(task)) }
    }

    /// Asks for a sync; one that is wanted or under way already serves. Returns its number.
    pub fn request(&self, trigger: Trigger) -> Result<i64, StoreError> {
        let run = self.shared.request(trigger)?;
        self.shared.wanted.notify_one();
        Ok(run)
    }

    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    pub fn is_running(&self) -> bool {
        self.shared.under_way(*lock(&self.shared.run)).is_some()
    }

    /// When the schedule will start the next sync.
    pub fn next(&self) -> Option<Instant> {
        *lock(&self.shared.next)
    }

    /// Ends the sync under way once what is being stored is stored, and the schedule.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        let task = lock(&self.task).take();
        if let Some(task) = task {
            // A fault in the task is in the log already.
            let _ = task.await;
        }
    }
}

impl Drop for Sync {
    fn drop(&mut self) {
        self.shared.stop.send_replace(true);
    }
}

impl Shared {
    fn request(&self, trigger: Trigger) -> Result<i64, StoreError> {
        let mut wanted = lock(&self.run);
        if let Some(run) = self.under_way(*wanted) {
            return Ok(run);
        }
        let run = self.executor.store.begin_run(trigger, self.executor.clock.now())?;
        *wanted = Some(run);
        self.progress.send_replace(Progress { run, ..Progress::default() });
        Ok(run)
    }

    /// `run`, unless it has ended already.
    fn under_way(&self, run: Option<i64>) -> Option<i64> {
        let progress = self.progress.borrow();
        run.filter(|run| !(progress.finished && progress.run == *run))
    }

    async fn keep_going(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        let mut failures = 0;
        loop {
            let wanted = *lock(&self.run);
            if let Some(run) = wanted {
                let end = self.executor.run(run, &self.progress, stop.clone()).await;
                failures = if matches!(end, RunEnd::Failed(_)) { failures + 1 } else { 0 };
                tracing::info!(run, end = ?end, "sync ended");
                // Who saw the end of this run may have asked for the next one already.
                lock(&self.run).take_if(|wanted| *wanted == run);
            }
            if *stop.borrow() {
                return;
            }
            let pause = self.pause(failures);
            tokio::select! {
                () = self.wanted.notified() => {}
                _ = stop.changed() => {}
                () = sleep(&self.executor, pause), if pause.is_some() => {
                    if let Err(error) = self.request(Trigger::Schedule) {
                        tracing::error!(%error, "a sync could not begin");
                        failures += 1;
                    }
                }
            }
        }
    }

    /// How long until the next sync by itself: an interval after the last, longer after failures, a little later than that so that many
    /// installations do not ask in the same second.
    fn pause(&self, failures: u32) -> Option<Duration> {
        let Schedule::Every(interval) = self.schedule else { return None };
        let now = self.executor.clock.now();
        // A run that was cut off goes on at once.
        let last = self.executor.store.last_run().ok().flatten().filter(|run| run.state != "interrupted").map(|run| run.started_at);
        let wait = interval.as_secs() as i64 * (1 << failures.min(MOST_DOUBLINGS));
        // A last run in the future: the clock was set back.
        let due = last.map_or(now, |last| last.min(now).plus(wait));
        let due = due.max(now);
        let jitter = rand::random_range(0.0..0.1) * interval.as_secs_f64();
        let pause = Duration::from_secs_f64((due.0 - now.0) as f64 + if last.is_some() { jitter } else { 0.0 });
        *lock(&self.next) = Some(now.plus(pause.as_secs() as i64));
        Some(pause)
    }
}

async fn sleep(executor: &Executor, pause: Option<Duration>) {
    executor.clock.sleep(pause.unwrap_or_default()).await;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
