//! Configurable faults: which requests fail, how, and how often.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::life::beginning;
use super::noise::Noise;
use crate::time::Day;

/// One kind of misbehaviour on some requests.
///
/// The text form is `collection=sleep,status=500,times=3` or `path=/oauth/token,delay=250,after=1`.
/// It consists of the target (`collection`, or `path` as a prefix; by default every request), the
/// [`Misbehaviour`], and the conditions (`after`, `times`, `probability`, `day`).
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The affected requests.
    pub on: Target,
    /// The effect on them.
    pub does: Misbehaviour,
    /// Number of requests that succeed first.
    pub after: u32,
    /// Maximum number of failures. `None` for all requests.
    pub times: Option<u32>,
    /// Probability of the fault per request, from 0 to 1.
    pub probability: f64,
    /// Limits the fault to requests with this day in their range.
    pub day: Option<Day>,
}

/// The requests that a fault affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All requests.
    Everything,
    /// Requests for this collection.
    Collection(String),
    /// Requests to paths with this prefix.
    Path(String),
}

/// The effect of a fault. Each variant starts with its text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// `status=500`: responds with this status. `retry_after=2` sets the header of a 429.
    Status {
        /// From 200 to 599.
        status: u16,
        /// Seconds in the header `Retry-After`.
        retry_after: Option<u64>,
    },
    /// `scope`: responds with 401 and the name of the collection's scope.
    ScopeMissing,
    /// `membership_expired`: responds with 403, as for an inactive membership.
    MembershipExpired,
    /// `half_body`: closes the connection in the middle of the response.
    HalfBody,
    /// `invalid_json`: damages the JSON of the response.
    InvalidJson,
    /// `unknown_field`: adds a field to every document.
    UnknownField,
    /// `wrong_type`: swaps numbers and text in every document, at any depth. Days and timestamps
    /// become seconds since 1970.
    WrongType,
    /// `wrong_shape`: returns `data` as an object instead of a list.
    WrongShape,
    /// `drip=20`: sends the response in small pieces, with this many milliseconds between them.
    Drip(Duration),
    /// `delay=250`: delays the response by this many milliseconds.
    Delay(Duration),
    /// `endless_pages`: returns the first page with a `next_token` on every request.
    EndlessPages,
    /// `shuffled`: returns the documents out of order.
    Shuffled,
    /// `duplicated`: returns every document twice.
    Duplicated,
    /// `longest_range=10`: responds with 400 to a range of more days.
    LongestRange(i64),
}

impl Fault {
    /// A fault on every request to `target`.
    pub fn new(target: Target, does: Misbehaviour) -> Fault {
        Fault { on: target, does, after: 0, times: None, probability: 1.0, day: None }
    }

    /// A fault on every request for a collection.
    pub fn on_collection(name: &str, does: Misbehaviour) -> Fault {
        Fault::new(Target::Collection(name.to_owned()), does)
    }

    /// A fault on every request to a path with this prefix.
    pub fn on_path(path: &str, does: Misbehaviour) -> Fault {
        Fault::new(Target::Path(path.to_owned()), does)
    }

    /// Limits the fault to `count` requests.
    pub fn times(self, count: u32) -> Fault {
        Fault { times: Some(count), ..self }
    }

    /// Limits the fault to requests with `day` in their range.
    pub fn on_day(self, day: Day) -> Fault {
        Fault { day: Some(day), ..self }
    }

    /// Lets `count` requests succeed first.
    pub fn after(self, count: u32) -> Fault {
        Fault { after: count, ..self }
    }

    fn matches(&self, path: &str, range: Option<(Day, Day)>) -> bool {
        let has_day = |day| range.is_some_and(|(from, to)| (from..=to).contains(&day));
        self.on.covers(path) && self.day.is_none_or(has_day)
    }

    /// Whether the range is short enough for [`Misbehaviour::LongestRange`].
    fn allows(&self, range: Option<(Day, Day)>) -> bool {
        match (&self.does, range) {
            (Misbehaviour::LongestRange(days), Some((from, to))) => from.until(to) < *days,
            _ => false,
        }
    }
}

impl Misbehaviour {
    /// Whether it withholds or damages the response. Other faults only delay or change it.
    pub(super) fn spoils(&self) -> bool {
        use Misbehaviour::*;
        matches!(
            self,
            Status { .. }
                | LongestRange(_)
                | ScopeMissing
                | MembershipExpired
                | HalfBody
                | InvalidJson
                | WrongShape
                | EndlessPages
        )
    }
}

impl Target {
    fn covers(&self, path: &str) -> bool {
        match self {
            Target::Everything => true,
            Target::Path(prefix) => path.starts_with(prefix),
            Target::Collection(name) => path
                .strip_prefix("/v2/usercollection/")
                .is_some_and(|rest| rest.split('/').next() == Some(name.as_str())),
        }
    }
}

/// Text forms without a value.
const WITHOUT_VALUE: [(&str, Misbehaviour); 9] = [
    ("scope", Misbehaviour::ScopeMissing),
    ("membership_expired", Misbehaviour::MembershipExpired),
    ("half_body", Misbehaviour::HalfBody),
    ("invalid_json", Misbehaviour::InvalidJson),
    ("unknown_field", Misbehaviour::UnknownField),
    ("wrong_type", Misbehaviour::WrongType),
    ("wrong_shape", Misbehaviour::WrongShape),
    ("shuffled", Misbehaviour::Shuffled),
    ("duplicated", Misbehaviour::Duplicated),
];

/// Why the text form of a fault is invalid.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultError {
    /// A part of the text is unknown.
    #[error("unknown setting {0:?}: write a fault like collection=sleep,status=500,times=3")]
    Word(String),
    /// The value (first) of a setting (second) is invalid.
    #[error("invalid value {0:?} for {1}")]
    Value(String, String),
    /// The text contains no misbehaviour.
    #[error("the fault has no effect: add status=500, delay=250, half_body, …")]
    Nothing,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        fn number<T: FromStr>(key: &str, value: &str) -> Result<T, FaultError> {
            value.parse().map_err(|_| FaultError::Value(value.to_owned(), key.to_owned()))
        }
        let mut fault = Fault::new(Target::Everything, Misbehaviour::EndlessPages);
        let mut does = None;
        let mut retry_seconds = None;
        for word in text.split(',').map(str::trim) {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "collection" => fault.on = Target::Collection(value.to_owned()),
                "path" => fault.on = Target::Path(value.to_owned()),
                "after" => fault.after = number(key, value)?,
                "times" => fault.times = Some(number(key, value)?),
                "probability" => fault.probability = number(key, value)?,
                "retry_after" => retry_seconds = Some(number(key, value)?),
                "status" => {
                    // Statuses below 200 are not final responses.
                    let status =
                        number(key, value).ok().filter(|status| (200..600).contains(status));
                    let status = status
                        .ok_or_else(|| FaultError::Value(value.to_owned(), key.to_owned()))?;
                    does = Some(Misbehaviour::Status { status, retry_after: None });
                }
                "drip" => {
                    does = Some(Misbehaviour::Drip(Duration::from_millis(number(key, value)?)))
                }
                "longest_range" => does = Some(Misbehaviour::LongestRange(number(key, value)?)),
                "day" => fault.day = Some(number(key, value)?),
                "delay" => {
                    does = Some(Misbehaviour::Delay(Duration::from_millis(number(key, value)?)))
                }
                "endless_pages" => does = Some(Misbehaviour::EndlessPages),
                _ => {
                    let known = WITHOUT_VALUE.iter().find(|(name, _)| *name == word);
                    does = Some(known.ok_or_else(|| FaultError::Word(word.to_owned()))?.1.clone());
                }
            }
        }
        if let Some(Misbehaviour::Status { retry_after, .. }) = &mut does {
            *retry_after = retry_seconds;
        }
        fault.does = does.ok_or(FaultError::Nothing)?;
        Ok(fault)
    }
}

/// The active faults. They can change while requests arrive. Clones share the same faults.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<State>>);

struct State {
    faults: Vec<(Fault, Counts)>,
    held: Vec<Held>,
    chance: Noise,
}

/// Counts of one fault.
#[derive(Default)]
struct Counts {
    /// Requests that match the fault.
    matched: u32,
    /// Requests that failed.
    failed: u32,
}

/// Requests that wait at a [`Barrier`].
#[derive(Clone)]
struct Held {
    on: Target,
    arrived: watch::Sender<usize>,
    /// Closed once the barrier is open.
    opened: watch::Receiver<()>,
}

/// Delays the responses to some requests until it is opened or dropped.
pub struct Barrier {
    arrived: watch::Receiver<usize>,
    _closed: watch::Sender<()>,
}

impl Barrier {
    /// Waits until `count` requests have arrived here.
    pub async fn wait_for_arrivals(&mut self, count: usize) {
        // An error means that the simulator has stopped.
        let _ = self.arrived.wait_for(|arrived| *arrived >= count).await;
    }

    /// Lets all waiting and future requests pass.
    pub fn open(self) {}
}

impl Faults {
    pub(super) fn new(seed: u64, faults: Vec<Fault>) -> Faults {
        let chance = Noise::new(seed, beginning(), "faults");
        let set =
            Faults(Arc::new(Mutex::new(State { faults: Vec::new(), held: Vec::new(), chance })));
        faults.into_iter().for_each(|fault| set.add(fault));
        set
    }

    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.state().faults.push((fault, Counts::default()));
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.state().faults.clear();
    }

    /// Delays every request to `target` until the barrier opens. [`Faults::clear`] does not open
    /// it.
    pub fn hold(&self, target: Target) -> Barrier {
        let (closed, opened) = watch::channel(());
        let (arrived, arrivals) = watch::channel(0);
        self.state().held.push(Held { on: target, arrived, opened });
        Barrier { arrived: arrivals, _closed: closed }
    }

    /// Waits until no barrier delays requests to `path`.
    pub(super) async fn pass_barriers(&self, path: &str) {
        let held: Vec<Held> =
            self.state().held.iter().filter(|held| held.on.covers(path)).cloned().collect();
        for mut held in held {
            held.arrived.send_modify(|arrived| *arrived += 1);
            // No value is ever sent. The error means that the barrier is open.
            let _ = held.opened.changed().await;
        }
    }

    /// Returns the misbehaviours that apply to this request, and counts them.
    pub(super) fn apply(&self, path: &str, range: Option<(Day, Day)>) -> Vec<Misbehaviour> {
        let mut state = self.state();
        let State { faults, chance, .. } = &mut *state;
        let mut misbehaviours = Vec::new();
        for (fault, counts) in faults.iter_mut().filter(|(fault, _)| fault.matches(path, range)) {
            counts.matched += 1;
            let is_due = counts.matched > fault.after
                && fault.times.is_none_or(|times| counts.failed < times);
            if is_due
                && !fault.allows(range)
                && (fault.probability >= 1.0 || chance.chance(fault.probability))
            {
                counts.failed += 1;
                misbehaviours.push(fault.does.clone());
            }
        }
        misbehaviours
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}
