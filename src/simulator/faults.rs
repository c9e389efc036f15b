//! Bad manners on order: which requests go wrong, how, and how often.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::life::beginning;
use super::noise::Noise;
use crate::time::Day;

/// One kind of misbehaviour on some of the requests.
///
/// Written as `collection=sleep,status=500,times=3` or `path=/oauth/token,delay=250,after=1`: where (`collection` or `path`, a prefix;
/// nothing for every request), what ([`Misbehaviour`]), and when (`after`, `times`, `probability`, `day`).
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub on: Target,
    pub does: Misbehaviour,
    /// Requests to let pass first.
    pub after: u32,
    /// How many requests go wrong; `None` for all.
    pub times: Option<u32>,
    /// Of each request that could go wrong.
    pub probability: f64,
    /// Only requests whose range holds this day.
    pub day: Option<Day>,
}

/// The requests a fault may hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Everything,
    Collection(String),
    /// Every path that begins so.
    Path(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// `status=500`, with `retry_after=2` for the header of a 429.
    Status { status: u16, retry_after: Option<u64> },
    /// `scope`: the 401 that names the collection's scope.
    ScopeMissing,
    /// `membership_expired`: 403.
    MembershipExpired,
    /// `half_body`: the connection is cut in the middle of the answer.
    HalfBody,
    /// `invalid_json`.
    InvalidJson,
    /// `unknown_field`: every document has one more.
    UnknownField,
    /// `wrong_type`: every value of a document that was a number is a text, and the other way round, at any depth. Days and timestamps
    /// are seconds since 1970 then.
    WrongType,
    /// `wrong_shape`: `data` is an object instead of a list.
    WrongShape,
    /// `drip=20`: the answer comes in small pieces, so many milliseconds apart.
    Drip(Duration),
    /// `delay=250`: the answer begins so many milliseconds late.
    Delay(Duration),
    /// `endless_pages`: the same `next_token` for ever.
    EndlessPages,
    /// `shuffled`: documents out of order.
    Shuffled,
    /// `duplicated`: every document twice.
    Duplicated,
    /// `longest_range=10`: 400 for a range of more days.
    LongestRange(i64),
}

impl Fault {
    /// Does so on every request to `target`.
    pub fn new(target: Target, does: Misbehaviour) -> Fault {
        Fault { on: target, does, after: 0, times: None, probability: 1.0, day: None }
    }

    /// Every request for `name`.
    pub fn on_collection(name: &str, does: Misbehaviour) -> Fault {
        Fault::new(Target::Collection(name.to_owned()), does)
    }

    /// Every request to a path beginning with `path`.
    pub fn on_path(path: &str, does: Misbehaviour) -> Fault {
        Fault::new(Target::Path(path.to_owned()), does)
    }

    /// At most `count` times.
    pub fn times(self, count: u32) -> Fault {
        Fault { times: Some(count), ..self }
    }

    /// Only where the range holds `day`.
    pub fn on_day(self, day: Day) -> Fault {
        Fault { day: Some(day), ..self }
    }

    /// Only once `count` requests went well.
    pub fn after(self, count: u32) -> Fault {
        Fault { after: count, ..self }
    }
}

impl Misbehaviour {
    /// Whether it takes the answer, or a part of it, from the one who asked; others only delay or disguise it.
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

/// Words without a value.
const PLAIN: [(&str, Misbehaviour); 9] = [
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

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FaultError {
    #[error("{0:?} says nothing about a fault; one looks like collection=sleep,status=500,times=3")]
    Word(String),
    #[error("{0:?} is no value for {1}")]
    Value(String, String),
    #[error("a fault needs to do something: status=500, delay=250, half_body, …")]
    Nothing,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        fn number<T: FromStr>(key: &str, value: &str) -> Result<T, FaultError> {
            value.parse().map_err(|_| FaultError::Value(value.to_owned(), key.to_owned()))
        }
        let mut fault = Fault::new(Target::Everything, Misbehaviour::EndlessPages);
        let (mut does, mut wait) = (None, None);
        for word in text.split(',').map(str::trim) {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "collection" => fault.on = Target::Collection(value.to_owned()),
                "path" => fault.on = Target::Path(value.to_owned()),
                "after" => fault.after = number(key, value)?,
                "times" => fault.times = Some(number(key, value)?),
                "probability" => fault.probability = number(key, value)?,
                "retry_after" => wait = Some(number(key, value)?),
                "status" => {
                    // HTTP has three digits; below 200 nothing is an answer.
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
                    let plain = PLAIN.iter().find(|(name, _)| *name == word);
                    does = Some(plain.ok_or_else(|| FaultError::Word(word.to_owned()))?.1.clone());
                }
            }
        }
        if let Some(Misbehaviour::Status { retry_after, .. }) = &mut does {
            *retry_after = wait;
        }
        fault.does = does.ok_or(FaultError::Nothing)?;
        Ok(fault)
    }
}

/// The faults in force, which may change while requests come in. Clones are the same set.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Armed>>);

struct Armed {
    faults: Vec<(Fault, Tally)>,
    held: Vec<Held>,
    chance: Noise,
}

/// How many requests a fault could have hit, and how many it has hit.
#[derive(Default)]
struct Tally {
    seen: u32,
    struck: u32,
}

/// Requests that wait at a [`Barrier`].
#[derive(Clone)]
struct Held {
    on: Target,
    arrived: watch::Sender<usize>,
    /// Closed once the barrier is open.
    opened: watch::Receiver<()>,
}

/// A barrier before the answers to some requests. Opening or dropping it lets them pass.
pub struct Barrier {
    arrived: watch::Receiver<usize>,
    _closed: watch::Sender<()>,
}

impl Barrier {
    /// Waits until `count` requests have arrived here.
    pub async fn wait_for_arrivals(&mut self, count: usize) {
        // An error means that the simulator is gone, with its requests.
        let _ = self.arrived.wait_for(|arrived| *arrived >= count).await;
    }

    /// Lets the requests pass, now and from now on.
    pub fn open(self) {}
}

impl Faults {
    pub(super) fn new(seed: u64, faults: Vec<Fault>) -> Faults {
        let chance = Noise::new(seed, beginning(), "faults");
        let set =
            Faults(Arc::new(Mutex::new(Armed { faults: Vec::new(), held: Vec::new(), chance })));
        faults.into_iter().for_each(|fault| set.add(fault));
        set
    }

    pub fn add(&self, fault: Fault) {
        self.armed().faults.push((fault, Tally::default()));
    }

    pub fn clear(&self) {
        self.armed().faults.clear();
    }

    /// Holds every request to `target` back until the barrier opens. [`Faults::clear`] does not
    /// open it.
    pub fn hold(&self, target: Target) -> Barrier {
        let (closed, opened) = watch::channel(());
        let (arrived, arrivals) = watch::channel(0);
        self.armed().held.push(Held { on: target, arrived, opened });
        Barrier { arrived: arrivals, _closed: closed }
    }

    /// Returns once no barrier holds requests to `path`.
    pub(super) async fn pass_barriers(&self, path: &str) {
        let held: Vec<Held> =
            self.armed().held.iter().filter(|held| held.on.covers(path)).cloned().collect();
        for mut held in held {
            held.arrived.send_modify(|arrived| *arrived += 1);
            // Nothing is ever sent: the error says that the barrier is gone.
            let _ = held.opened.changed().await;
        }
    }

    /// What goes wrong with this request.
    pub(super) fn strike(&self, path: &str, range: Option<(Day, Day)>) -> Vec<Misbehaviour> {
        let mut armed = self.armed();
        let Armed { faults, chance, .. } = &mut *armed;
        let mut strikes = Vec::new();
        let meant = |fault: &Fault| {
            let held = |day| range.is_some_and(|(from, to)| (from..=to).contains(&day));
            fault.on.covers(path) && fault.day.is_none_or(held)
        };
        for (fault, tally) in faults.iter_mut().filter(|(fault, _)| meant(fault)) {
            tally.seen += 1;
            let due =
                tally.seen > fault.after && fault.times.is_none_or(|times| tally.struck < times);
            // Short ranges are what it wants.
            let fits = matches!((&fault.does, range), (Misbehaviour::LongestRange(most), Some((from, to))) if from.until(to) < *most);
            if due && !fits && (fault.probability >= 1.0 || chance.chance(fault.probability)) {
                tally.struck += 1;
                strikes.push(fault.does.clone());
            }
        }
        strikes
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.0.lock()
    }
}
