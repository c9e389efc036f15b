//! When syncs run: on request and at an interval, one at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::Timelike;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::executor::Executor;
use super::progress::Progress;
use crate::blocking::blocking;
use crate::memory;
use crate::store::{RunEnd, RunState, StoreError, Trigger};
use crate::time::{Clock, Day, Instant, Tz};

/// The pause after the first failure, in seconds. It doubles with each further failure.
const FIRST_RETRY: i64 = 120;

/// The longest pause after failures, in sync intervals.
const MAX_RETRY_INTERVALS: i64 = 16;

/// The hours of the day in which last night's sleep usually arrives.
const MORNING: std::ops::Range<u32> = 4..12;

/// The sync interval in the morning until last night's sleep has arrived, in seconds.
const MORNING_INTERVAL: i64 = 600;

/// The longest sleep before the next look at the clock. The clock jumps when the machine resumes
/// from standby.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Whether syncs start without a request, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// A sync starts at this interval.
    Every(Duration),
    /// Syncs start only on request.
    OnRequest,
}

/// The syncs of one data source. Dropping it stops them, and [`Sync::stop`] also waits.
pub struct Sync {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    executor: Executor,
    schedule: Schedule,
    runs: Mutex<Runs>,
    /// When the schedule starts the next sync.
    next: Mutex<Option<Instant>>,
    /// Wakes the schedule's task after a request.
    requested: Notify,
    progress: watch::Sender<Progress>,
    stop: watch::Sender<bool>,
}

/// The requested runs. They get their numbers here, and the schedule's task inserts them into the
/// store. So a request never waits for the store, which can be busy with a rebuild.
struct Runs {
    /// The run under way, or the next one.
    current: Option<RequestedRun>,
    /// The run that follows `current`.
    following: Option<RequestedRun>,
    /// The number for the next new run.
    next_number: i64,
    /// Whether scheduled runs may end without fetching the collections.
    may_be_quiet: bool,
}

#[derive(Clone, Copy)]
struct RequestedRun {
    run: i64,
    trigger: Trigger,
    has_begun: bool,
}

impl Runs {
    fn new(next_number: i64, may_be_quiet: bool) -> Runs {
        Runs { current: None, following: None, next_number, may_be_quiet }
    }

    /// Requests a run and returns its number. An existing run serves, unless it has begun and
    /// `trigger` needs a new one.
    fn request(&mut self, trigger: Trigger) -> i64 {
        let place = match &self.current {
            Some(current) if current.has_begun && self.needs_new_run(current.trigger, trigger) => {
                &mut self.following
            }
            _ => &mut self.current,
        };
        if let Some(requested) = place {
            // A request by a user explains the run better than the schedule.
            if !requested.has_begun && requested.trigger == Trigger::Schedule {
                requested.trigger = trigger;
            }
            return requested.run;
        }
        let run = self.next_number;
        *place = Some(RequestedRun { run, trigger, has_begun: false });
        self.next_number += 1;
        run
    }

    /// Begins the current run, if there is one.
    fn begin(&mut self) -> Option<(i64, Trigger)> {
        let current = self.current.as_mut()?;
        current.has_begun = true;
        Some((current.run, current.trigger))
    }

    /// Replaces `run` by the following one, unless that happened already.
    fn end(&mut self, run: i64) {
        if self.current.is_some_and(|current| current.run == run) {
            self.current = self.following.take();
        }
    }

    /// Whether a run that has begun for `current` may not serve the request: it may have read the
    /// queue already, use the previous login, or end without fetching the collections.
    fn needs_new_run(&self, current: Trigger, requested: Trigger) -> bool {
        match requested {
            Trigger::Backfill | Trigger::Login => true,
            Trigger::Manual | Trigger::Health => self.may_be_quiet && current == Trigger::Schedule,
            Trigger::Schedule => false,
        }
    }
}

impl Sync {
    /// Starts the schedule. `at_once` requests a first sync now. Otherwise the first sync starts
    /// when the last one is older than the interval. Blocks for a short read.
    pub fn start(
        executor: Executor,
        schedule: Schedule,
        at_once: Option<Trigger>,
    ) -> Result<Sync, StoreError> {
        let next_number = executor.store.inspector().next_run()?;
        let may_be_quiet = executor.full_sync_interval.is_some();
        let shared = Arc::new(Shared {
            executor,
            schedule,
            runs: Mutex::new(Runs::new(next_number, may_be_quiet)),
            next: Mutex::new(None),
            requested: Notify::new(),
            progress: watch::Sender::new(Progress { finished: true, ..Progress::default() }),
            stop: watch::Sender::new(false),
        });
        if let Some(trigger) = at_once {
            shared.request(trigger);
        }
        let task = tokio::spawn(Arc::clone(&shared).run_schedule());
        Ok(Sync { shared, task: Mutex::new(Some(task)) })
    }

    /// Requests a sync and returns the number of its run at once. A run under way serves, except
    /// after a login and for a backfill. A run that cannot begin fails in [`Progress`].
    pub fn request(&self, trigger: Trigger) -> i64 {
        let run = self.shared.request(trigger);
        self.shared.requested.notify_one();
        run
    }

    /// Subscribes to the progress of the current run and the later ones.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// Whether a run is under way or requested.
    pub fn is_running(&self) -> bool {
        let mut runs = self.shared.runs.lock();
        self.shared.release_ended_run(&mut runs);
        runs.current.is_some()
    }

    /// Returns when the schedule starts the next sync.
    pub fn next(&self) -> Option<Instant> {
        *self.shared.next.lock()
    }

    /// Stops the schedule and the run under way. Waits until the current writes are complete.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        let task = self.task.lock().take();
        if let Some(task) = task {
            // The log already has a panic in the task.
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
    fn request(&self, trigger: Trigger) -> i64 {
        let mut runs = self.runs.lock();
        self.release_ended_run(&mut runs);
        let run = runs.request(trigger);
        self.announce(&runs);
        run
    }

    /// Removes a run that has ended. Observers of the progress know its end before the schedule's
    /// own task.
    fn release_ended_run(&self, runs: &mut Runs) {
        let progress = self.progress.borrow();
        let ended = progress.finished.then_some(progress.run);
        drop(progress);
        if let Some(run) = ended {
            runs.end(run);
        }
        self.announce(runs);
    }

    /// Publishes the progress of the current run, if it is another one than before.
    fn announce(&self, runs: &Runs) {
        if let Some(RequestedRun { run, .. }) = runs.current {
            self.progress.send_if_modified(|progress| {
                if progress.run == run {
                    return false;
                }
                *progress = Progress { run, ..Progress::default() };
                true
            });
        }
    }

    /// Performs one run: inserts it into the store, and executes it.
    async fn perform(&self, run: i64, trigger: Trigger, stop: &watch::Receiver<bool>) -> RunEnd {
        let store = self.executor.store.clone();
        let now = self.executor.clock.now();
        match blocking(move || store.writer().begin_run(run, trigger, now)).await {
            Ok(()) => self.executor.run(run, trigger, &self.progress, stop.clone()).await,
            Err(error) => {
                let failure = error.to_string();
                self.progress.send_replace(Progress {
                    run,
                    finished: true,
                    failure: Some(failure.clone()),
                    ..Progress::default()
                });
                RunEnd::Failed(failure)
            }
        }
    }

    /// The schedule's task: performs requested runs, and requests one when the interval has
    /// elapsed.
    async fn run_schedule(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        let mut failures = 0;
        loop {
            let requested = self.runs.lock().begin();
            if let Some((run, trigger)) = requested {
                let end = self.perform(run, trigger, &stop).await;
                let has_failed = match end {
                    RunEnd::Failed(_) => true,
                    RunEnd::NothingNew => false,
                    RunEnd::Done | RunEnd::Interrupted => self.stored_no_window(),
                };
                failures = if has_failed { failures + 1 } else { 0 };
                tracing::info!(run, end = ?end, "sync ended");
                Arc::clone(&self).release_memory().await;
                self.release_ended_run(&mut self.runs.lock());
            }
            if *stop.borrow() {
                return;
            }
            if self.runs.lock().current.is_some() {
                continue;
            }
            let pause = Arc::clone(&self).next_pause(failures).await;
            tokio::select! {
                () = self.requested.notified() => {}
                _ = stop.changed() => {}
                () = sleep(&self.executor.clock, pause.unwrap_or_default()), if pause.is_some() => {
                    self.request(Trigger::Schedule);
                }
            }
        }
    }

    /// Returns the memory of a run to the system: caches of the store, and freed documents.
    async fn release_memory(self: Arc<Self>) {
        blocking(move || {
            self.executor.store.release_memory();
            memory::trim();
        })
        .await;
    }

    /// Whether the last run sent requests and stored no window. The usual cause is a broken
    /// network.
    fn stored_no_window(&self) -> bool {
        let progress = self.progress.borrow();
        progress.requests > 0 && progress.windows_done == 0
    }

    /// Returns the time until the next scheduled sync.
    async fn next_pause(self: Arc<Self>, failures: u32) -> Option<Duration> {
        let Schedule::Every(interval) = self.schedule else { return None };
        Some(blocking(move || self.compute_pause(interval, failures)).await)
    }

    /// Computes the time until the next scheduled sync, and publishes its due time. A random delay
    /// of up to 10 % spreads the requests of many installations. Blocks.
    fn compute_pause(&self, interval: Duration, failures: u32) -> Duration {
        let Executor { store, clock, .. } = &self.executor;
        let now = clock.now();
        let last_night = store.inspector().last_night().ok().flatten();
        let wait = wait(interval.as_secs() as i64, failures, now, store.zone(), last_night);
        let last_run = store.inspector().last_run().ok().flatten();
        let counted_from = match last_run {
            // From the end of the failed run, because its begin may be long ago.
            _ if failures > 0 => Some(now),
            // An interrupted run continues at once.
            Some(run) if run.state != RunState::Interrupted => Some(run.started_at),
            _ => None,
        };
        // After the clock was set back, the last run lies in the future.
        let due = counted_from.map_or(now, |from| from.min(now).plus(wait)).max(now);
        let jitter = rand::random_range(0.0..0.1) * wait as f64;
        let delay = if counted_from.is_some() { jitter } else { 0.0 };
        let pause = Duration::from_secs_f64((due.0 - now.0) as f64 + delay);
        *self.next.lock() = Some(now.plus(pause.as_secs() as i64));
        pause
    }
}

/// Returns the seconds between two syncs: the interval, or longer after failures. It is shorter in
/// a morning without last night's sleep, if the last night is at most three days ago.
fn wait(interval: i64, failures: u32, now: Instant, zone: Tz, last_night: Option<Day>) -> i64 {
    if failures > 0 {
        return (FIRST_RETRY << (failures - 1).min(16)).min(MAX_RETRY_INTERVALS * interval);
    }
    let today = now.day(zone);
    let is_expected = last_night.is_some_and(|night| (1..=3).contains(&night.until(today)));
    let hour = now.local(zone).hour();
    if is_expected && MORNING.contains(&hour) { interval.min(MORNING_INTERVAL) } else { interval }
}

/// Waits for `pause`, or until the clock has passed its end.
async fn sleep(clock: &Clock, pause: Duration) {
    let due = clock.now().plus(pause.as_secs() as i64);
    let mut left = pause;
    while !left.is_zero() && clock.now() < due {
        let slice = left.min(MAX_SLEEP);
        clock.sleep(slice).await;
        left -= slice;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Stamp;

    /// The wait in Vienna at `time`, if the last night is the one of November 19.
    fn wait_at(time: &str, failures: u32) -> i64 {
        let now = Stamp::parse(time, Tz::named("Europe/Vienna")).unwrap().at;
        wait(1800, failures, now, Tz::named("Europe/Vienna"), Day::new(2026, 11, 19))
    }

    #[test]
    fn run_serves_all_requests_until_it_ends() {
        let mut runs = Runs::new(7, false);
        assert!(runs.begin().is_none());
        assert_eq!(
            [Trigger::Manual, Trigger::Backfill, Trigger::Health]
                .map(|trigger| runs.request(trigger)),
            [7; 3]
        );
        assert_eq!(runs.begin(), Some((7, Trigger::Manual)));
        assert_eq!(runs.request(Trigger::Schedule), 7);
        runs.end(7);
        assert_eq!((runs.begin(), runs.request(Trigger::Manual)), (None, 8));
    }

    #[test]
    fn backfill_gets_a_run_that_begins_after_its_request() {
        let mut runs = Runs::new(1, false);
        runs.request(Trigger::Schedule);
        runs.begin();
        assert_eq!(
            [Trigger::Backfill, Trigger::Manual, Trigger::Backfill]
                .map(|trigger| runs.request(trigger)),
            [2, 1, 2]
        );
        runs.end(1);
        runs.end(1);
        assert_eq!(runs.request(Trigger::Backfill), 2, "it has not begun");
        assert_eq!(runs.begin(), Some((2, Trigger::Backfill)));
        assert_eq!(runs.request(Trigger::Backfill), 3);
    }

    #[test]
    fn login_gets_a_run_that_begins_after_it() {
        let mut runs = Runs::new(1, false);
        runs.request(Trigger::Schedule);
        assert_eq!(runs.request(Trigger::Login), 1);
        assert_eq!(
            runs.begin(),
            Some((1, Trigger::Login)),
            "the login replaces the schedule as the trigger"
        );
        assert_eq!(runs.request(Trigger::Login), 2);
        runs.end(1);
        assert_eq!(runs.begin(), Some((2, Trigger::Login)));
    }

    #[test]
    fn user_is_not_served_by_a_run_that_may_be_quiet() {
        for (may_be_quiet, number) in [(false, 1), (true, 2)] {
            for trigger in [Trigger::Manual, Trigger::Health] {
                let mut runs = Runs::new(1, may_be_quiet);
                runs.request(Trigger::Schedule);
                runs.begin();
                assert_eq!(runs.request(trigger), number, "{trigger:?}");
                runs.end(1);
                runs.request(Trigger::Manual);
                runs.begin();
                assert_eq!(runs.request(trigger), 2, "a requested run is full");
            }
        }
    }

    #[test]
    fn interval_is_shorter_until_last_nights_sleep_arrives() {
        for (time, expected) in [
            ("2026-11-20T03:59:00", 1800),
            ("2026-11-20T04:00:00", 600),
            ("2026-11-20T11:59:00", 600),
            ("2026-11-20T12:00:00", 1800),
            ("2026-11-19T08:00:00", 1800),
            ("2026-11-29T08:00:00", 1800),
        ] {
            assert_eq!(wait_at(time, 0), expected, "{time}");
        }
        assert_eq!(
            wait(
                300,
                0,
                Stamp::parse("2026-11-20T08:00:00Z", Tz::UTC).unwrap().at,
                Tz::UTC,
                Day::new(2026, 11, 19)
            ),
            300
        );
    }

    #[test]
    fn pause_doubles_with_each_failure_up_to_a_limit() {
        let waits = [1, 2, 5, 9, 40].map(|failures| wait_at("2026-11-20T08:00:00", failures));
        assert_eq!(waits, [120, 240, 1920, 28_800, 28_800]);
    }
}
