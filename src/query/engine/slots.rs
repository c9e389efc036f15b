//! The slots of an engine: queries that run at the same time, and a queue of those that wait.
//!
//! After a query, its thread runs the next one of the queue itself. While queries wait, no
//! thread sleeps between two of them, which would cost more than a small query.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

/// Work in a slot, on a blocking thread. Returns its slot, which may be another one by then.
type Job = Box<dyn FnOnce(Slot) -> Option<Slot> + Send>;

/// A number of slots, and the queue for them. Clones share both.
#[derive(Clone)]
pub(super) struct Slots {
    state: Arc<Mutex<State>>,
}

struct State {
    free: usize,
    /// Empty while slots are free.
    queue: VecDeque<(u64, Job)>,
    /// The number of jobs that were ever queued.
    queued: u64,
}

/// The place of a job in the queue. The job leaves the queue when this is dropped.
pub(super) struct Queued {
    slots: Slots,
    id: u64,
}

/// A taken slot. When it is dropped, the next job of the queue starts in it.
pub(super) struct Slot {
    slots: Slots,
}

/// The queue is full.
#[derive(Debug)]
pub(super) struct Full;

impl Slots {
    /// `count` free slots.
    pub(super) fn new(count: usize) -> Slots {
        let state = State { free: count, queue: VecDeque::new(), queued: 0 };
        Slots { state: Arc::new(Mutex::new(state)) }
    }

    /// The number of jobs in the queue.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }

    /// Takes a slot if one is free.
    pub(super) fn try_take(&self) -> Option<Slot> {
        let mut state = self.state.lock();
        state.free = state.free.checked_sub(1)?;
        Some(Slot { slots: self.clone() })
    }

    /// Starts `job` in a free slot, or else puts it into the queue if that has fewer than
    /// `max_waiting` jobs.
    pub(super) fn start(
        &self,
        max_waiting: usize,
        job: impl FnOnce(Slot) -> Option<Slot> + Send + 'static,
    ) -> Result<Option<Queued>, Full> {
        let mut state = self.state.lock();
        if state.free > 0 {
            state.free -= 1;
            drop(state);
            Slot { slots: self.clone() }.spawn(Box::new(job));
            return Ok(None);
        }
        if state.queue.len() >= max_waiting {
            return Err(Full);
        }
        state.queued += 1;
        let id = state.queued;
        state.queue.push_back((id, Box::new(job)));
        Ok(Some(Queued { slots: self.clone(), id }))
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.state.lock().free
    }
}

impl Slot {
    /// Runs `job` on a blocking thread, and then the jobs of the queue until it is empty.
    fn spawn(self, job: Job) {
        // Without a runtime, the process ends: the job is dropped, and its caller learns of it.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn_blocking(move || {
            let mut current = Some((self, job));
            while let Some((slot, job)) = current {
                current = job(slot).and_then(Slot::with_next_job);
            }
        });
    }

    /// Takes the next job from the queue. Frees the slot if there is none.
    fn with_next_job(self) -> Option<(Slot, Job)> {
        let next = self.slots.state.lock().queue.pop_front();
        next.map(|(_, job)| (self, job))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state.lock();
        match state.queue.pop_front() {
            Some((_, job)) => {
                drop(state);
                Slot { slots: self.slots.clone() }.spawn(job);
            }
            None => state.free += 1,
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut state = self.slots.state.lock();
        let position = state.queue.iter().position(|(id, _)| *id == self.id);
        let job = position.and_then(|position| state.queue.remove(position));
        drop(state);
        drop(job);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Occupies the only slot of `slots` until the returned sender is dropped.
    fn occupy(slots: &Slots) -> mpsc::Sender<()> {
        let (release, wait) = mpsc::channel::<()>();
        let job = move |slot| {
            let _ = wait.recv();
            Some(slot)
        };
        assert!(slots.start(1, job).unwrap().is_none());
        release
    }

    #[tokio::test]
    async fn thread_continues_with_the_queue_in_order() {
        let slots = Slots::new(1);
        let release = occupy(&slots);
        let (sender, mut threads) = tokio::sync::mpsc::unbounded_channel();
        let places: Vec<_> = (0..3)
            .map(|number| {
                let sender = sender.clone();
                let job = move |slot| {
                    sender.send((number, std::thread::current().id())).unwrap();
                    Some(slot)
                };
                slots.start(3, job).unwrap().unwrap()
            })
            .collect();
        assert_eq!((slots.waiting(), slots.try_take().is_none()), (3, true));
        assert!(slots.start(3, Some).is_err(), "the queue is full");
        drop(release);
        let mut ran = Vec::new();
        for _ in 0..3 {
            ran.push(threads.recv().await.unwrap());
        }
        assert_eq!(ran.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(ran.iter().all(|(_, thread)| *thread == ran[0].1), "{ran:?}");
        drop(places);
    }

    #[tokio::test]
    async fn dropped_job_leaves_the_queue_and_a_panic_frees_its_slot() {
        let slots = Slots::new(1);
        let release = occupy(&slots);
        let (sender, mut ran) = tokio::sync::mpsc::unbounded_channel();
        let job = |name: &'static str| {
            let sender = sender.clone();
            move |slot| {
                sender.send(name).unwrap();
                if name == "panic" {
                    panic!("a panic of the test");
                }
                Some(slot)
            }
        };
        let dropped = slots.start(3, job("dropped")).unwrap();
        let _panic = slots.start(3, job("panic")).unwrap();
        let _last = slots.start(3, job("last")).unwrap();
        drop(dropped);
        drop(release);
        assert_eq!((ran.recv().await, ran.recv().await), (Some("panic"), Some("last")));
        while slots.free() != 1 {
            tokio::task::yield_now().await;
        }
    }
}
