//! When syncs happen: on request, and by themselves at an interval; one at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::Timelike;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::executor::{Executor, Progress};
use crate::blocking::blocking;
use crate::store::{RunEnd, RunState, StoreError, Trigger};
use crate::time::{Clock, Day, Instant, Tz};

/// The pause after a first failure, in seconds; it doubles with each further one, up to [`LONGEST`] intervals.
const FIRST_RETRY: i64 = 120;
const LONGEST: i64 = 16;
/// Hours of the day in which last night's sleep is expected, and how often to look for it, in seconds.
const MORNING: std::ops::Range<u32> = 4..12;
const MORNING_INTERVAL: i64 = 600;
/// How long to sleep before looking at the clock again: a machine that slept wakes to another time than it fell asleep at.
const SLICE: Duration = Duration::from_secs(60);

/// Whether syncs happen by themselves, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every(Duration),
    /// Only on request.
    OnRequest,
}

/// The syncs of one data source. Dropping it stops them; [`Sync::stop`] waits.
pub struct Sync {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    executor: Executor,
    schedule: Schedule,
    runs: Mutex<Runs>,
    next: Mutex<Option<Instant>>,
    wanted: Notify,
    progress: watch::Sender<Progress>,
    stop: watch::Sender<bool>,
}

/// Runs are numbered here and begun in the store by the schedule's own task: who asks for one does not wait for the store, which may be
/// busy for long with tables that are derived anew.
struct Runs {
    /// Under way, or the next to be.
    wanted: Option<Wanted>,
    /// Wanted when that one has ended.
    after: Option<Wanted>,
    /// The number of the next new one.
    next: i64,
}

#[derive(Clone, Copy)]
struct Wanted {
    run: i64,
    trigger: Trigger,
    begun: bool,
}

impl Runs {
    /// Wants a run, and returns its number; one that is wanted or under way serves, unless it may be past what is asked for.
    fn want(&mut self, trigger: Trigger) -> i64 {
        let place = match &self.wanted {
            Some(wanted) if wanted.begun && asks_for_more(trigger) => &mut self.after,
            _ => &mut self.wanted,
        };
        if let Some(wanted) = place {
            // Time would have set it off as well: what somebody did says more.
            if !wanted.begun && wanted.trigger == Trigger::Schedule {
                wanted.trigger = trigger;
            }
            return wanted.run;
        }
        let run = self.next;
        *place = Some(Wanted { run, trigger, begun: false });
        self.next += 1;
        run
    }

    /// The one to do now.
    fn begin(&mut self) -> Option<(i64, Trigger)> {
        let wanted = self.wanted.as_mut()?;
        wanted.begun = true;
        Some((wanted.run, wanted.trigger))
    }

    /// `run` makes way for the one after it, if it has not done so already.
    fn end(&mut self, run: i64) {
        if self.wanted.is_some_and(|wanted| wanted.run == run) {
            self.wanted = self.after.take();
        }
    }
}

/// Whether a run that has begun may not bring what is asked for: it may have looked already what waits in the store, or may be dying of
/// the login before.
fn asks_for_more(trigger: Trigger) -> bool {
    matches!(trigger, Trigger::Backfill | Trigger::Login)
}

impl Sync {
    /// Starts the schedule, with a sync if there is a reason for one at once; else the first is due when the last one is older than the
    /// interval. Blocks for a small read.
    pub fn start(
        executor: Executor,
        schedule: Schedule,
        at_once: Option<Trigger>,
    ) -> Result<Sync, StoreError> {
        let next = executor.store.next_run()?;
        let shared = Arc::new(Shared {
            executor,
            schedule,
            runs: Mutex::new(Runs { wanted: None, after: None, next }),
            next: Mutex::new(None),
            wanted: Notify::new(),
            progress: watch::Sender::new(Progress { finished: true, ..Progress::default() }),
            stop: watch::Sender::new(false),
        });
        if let Some(trigger) = at_once {
            shared.request(trigger);
        }
        let task = tokio::spawn(Arc::clone(&shared).keep_going());
        Ok(Sync { shared, task: Mutex::new(Some(task)) })
    }

    /// Asks for a sync. One that is wanted or under way already serves; after a login, and for a backfill, one that begins from now on.
    /// Returns at once the number of the one that serves; that it could not begin is told as its failure, in [`Progress`].
    pub fn request(&self, trigger: Trigger) -> i64 {
        let run = self.shared.request(trigger);
        self.shared.wanted.notify_one();
        run
    }

    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    pub fn is_running(&self) -> bool {
        let mut runs = self.shared.runs.lock();
        self.shared.move_on(&mut runs);
        runs.wanted.is_some()
    }

    /// When the schedule will start the next sync.
    pub fn next(&self) -> Option<Instant> {
        *self.shared.next.lock()
    }

    /// Ends the sync under way once what is being stored is stored, and the schedule.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        let task = self.task.lock().take();
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
    fn request(&self, trigger: Trigger) -> i64 {
        let mut runs = self.runs.lock();
        self.move_on(&mut runs);
        let run = runs.want(trigger);
        self.announce(&runs);
        run
    }

    /// Lets go of the run that has ended, as whoever follows it knows before the schedule's own task.
    fn move_on(&self, runs: &mut Runs) {
        let ended = Some(self.progress.borrow())
            .filter(|progress| progress.finished)
            .map(|progress| progress.run);
        if let Some(run) = ended {
            runs.end(run);
        }
        self.announce(runs);
    }

    /// Shows the run that is wanted as the one that is to be followed.
    fn announce(&self, runs: &Runs) {
        if let Some(Wanted { run, .. }) = runs.wanted {
            let follow = |progress: &mut Progress| {
                let is_new = progress.run != run;
                if is_new {
                    *progress = Progress { run, ..Progress::default() };
                }
                is_new
            };
            self.progress.send_if_modified(follow);
        }
    }

    /// One run from its row in the store to its end.
    async fn go(&self, run: i64, trigger: Trigger, stop: &watch::Receiver<bool>) -> RunEnd {
        let (store, now) = (self.executor.store.clone(), self.executor.clock.now());
        match blocking(move || store.begin_run(run, trigger, now)).await {
            Ok(()) => self.executor.run(run, &self.progress, stop.clone()).await,
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

    async fn keep_going(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        let mut failures = 0;
        loop {
            let wanted = self.runs.lock().begin();
            if let Some((run, trigger)) = wanted {
                let end = self.go(run, trigger, &stop).await;
                failures = if matches!(end, RunEnd::Failed(_)) || self.reached_nothing() {
                    failures + 1
                } else {
                    0
                };
                tracing::info!(run, end = ?end, "sync ended");
                self.move_on(&mut self.runs.lock());
            }
            if *stop.borrow() {
                return;
            }
            if self.runs.lock().wanted.is_some() {
                continue;
            }
            let pause = Arc::clone(&self).pause(failures).await;
            tokio::select! {
                () = self.wanted.notified() => {}
                _ = stop.changed() => {}
                () = sleep(&self.executor.clock, pause.unwrap_or_default()), if pause.is_some() => {
                    self.request(Trigger::Schedule);
                }
            }
        }
    }

    /// Whether the last run asked for windows and got none: the network is gone, most likely.
    fn reached_nothing(&self) -> bool {
        let progress = self.progress.borrow();
        progress.requests > 0 && progress.windows_done == 0
    }

    /// How long until the next sync by itself, a little later than due so that many installations do not ask in the same second.
    async fn pause(self: Arc<Self>, failures: u32) -> Option<Duration> {
        let Schedule::Every(interval) = self.schedule else { return None };
        Some(blocking(move || self.pause_of(interval, failures)).await)
    }

    fn pause_of(&self, interval: Duration, failures: u32) -> Duration {
        let Executor { store, clock, .. } = &self.executor;
        let now = clock.now();
        let wait = wait(
            interval.as_secs() as i64,
            failures,
            now,
            store.zone(),
            store.last_night().ok().flatten(),
        );
        let last = store.last_run().ok().flatten();
        let from = match last {
            // Counted from now, when it ended or could not even begin: its start may be long ago.
            _ if failures > 0 => Some(now),
            // A run that was cut off goes on at once.
            Some(run) if run.state != RunState::Interrupted => Some(run.started_at),
            _ => None,
        };
        // A last run in the future: the clock was set back.
        let due = from.map_or(now, |from| from.min(now).plus(wait)).max(now);
        let jitter = rand::random_range(0.0..0.1) * wait as f64;
        let pause = Duration::from_secs_f64(
            (due.0 - now.0) as f64 + if from.is_some() { jitter } else { 0.0 },
        );
        *self.next.lock() = Some(now.plus(pause.as_secs() as i64));
        pause
    }
}

/// Seconds between two syncs: the interval; longer and longer after failures; shorter in a morning without last night's sleep, of
/// someone who usually has one.
fn wait(interval: i64, failures: u32, now: Instant, zone: Tz, newest_night: Option<Day>) -> i64 {
    if failures > 0 {
        return (FIRST_RETRY << (failures - 1).min(16)).min(LONGEST * interval);
    }
    let today = now.day(zone);
    let awaited = newest_night.is_some_and(|night| (1..=3).contains(&night.until(today)));
    let hour = now.utc().with_timezone(&zone).hour();
    if awaited && MORNING.contains(&hour) { interval.min(MORNING_INTERVAL) } else { interval }
}

/// Waits for `pause`, or until the clock says that it has passed.
async fn sleep(clock: &Clock, pause: Duration) {
    let due = clock.now().plus(pause.as_secs() as i64);
    let mut left = pause;
    while !left.is_zero() && clock.now() < due {
        let slice = left.min(SLICE);
        clock.sleep(slice).await;
        left -= slice;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Stamp;

    /// The wait in Vienna, where the newest night is that of the 19th.
    fn wait_at(time: &str, failures: u32) -> i64 {
        let now = Stamp::parse(time, Tz::Europe__Vienna).unwrap().at;
        wait(1800, failures, now, Tz::Europe__Vienna, Day::new(2026, 11, 19))
    }

    #[test]
    fn a_run_serves_everybody_until_it_ends() {
        let mut runs = Runs { wanted: None, after: None, next: 7 };
        assert!(runs.begin().is_none());
        assert_eq!(
            [Trigger::Manual, Trigger::Backfill, Trigger::Health].map(|trigger| runs.want(trigger)),
            [7; 3]
        );
        assert_eq!(runs.begin(), Some((7, Trigger::Manual)));
        assert_eq!(runs.want(Trigger::Schedule), 7);
        runs.end(7);
        assert_eq!((runs.begin(), runs.want(Trigger::Manual)), (None, 8));
    }

    #[test]
    fn a_backfill_is_done_by_a_run_that_begins_after_it_was_asked_for() {
        let mut runs = Runs { wanted: None, after: None, next: 1 };
        runs.want(Trigger::Schedule);
        runs.begin();
        assert_eq!(
            [Trigger::Backfill, Trigger::Manual, Trigger::Backfill]
                .map(|trigger| runs.want(trigger)),
            [2, 1, 2]
        );
        runs.end(1);
        runs.end(1);
        assert_eq!(runs.want(Trigger::Backfill), 2, "it has not begun");
        assert_eq!(runs.begin(), Some((2, Trigger::Backfill)));
        assert_eq!(runs.want(Trigger::Backfill), 3);
    }

    #[test]
    fn a_run_that_began_before_a_login_does_not_serve_it() {
        let mut runs = Runs { wanted: None, after: None, next: 1 };
        runs.want(Trigger::Schedule);
        assert_eq!(runs.want(Trigger::Login), 1);
        assert_eq!(runs.begin(), Some((1, Trigger::Login)), "not by itself");
        assert_eq!(runs.want(Trigger::Login), 2);
        runs.end(1);
        assert_eq!(runs.begin(), Some((2, Trigger::Login)));
    }

    #[test]
    fn a_morning_without_last_nights_sleep_is_looked_at_more_often() {
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
    fn failures_are_tried_again_soon_and_then_less_and_less_often() {
        let waits = [1, 2, 5, 9, 40].map(|failures| wait_at("2026-11-20T08:00:00", failures));
        assert_eq!(waits, [120, 240, 1920, 28_800, 28_800]);
    }
}
