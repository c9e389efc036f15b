//! Failed fetches: one table from Oura's response to the text in the interface.

use FetchErrorKind as Kind;

use crate::oura::FetchErrorKind;
use crate::store::{CollectionState, GapReason};

/// The effect of a failed fetch on the rest of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// Oura refuses the collection. Its windows leave the run, and the next run requests it again.
    Refuse,
    /// The collection rests until the next run. Many such collections in a row are an outage.
    Rest,
    /// As [`FailureAction::Rest`], but a window that failed in earlier runs may itself be the
    /// cause.
    Suspect,
    /// The range is too long: the run tries shorter windows.
    Shorten,
    /// The run ends, because every other request would fail as well.
    Stop,
}

/// The meaning of one kind of failed fetch: a row of [`FAILURES`].
#[derive(Clone, Debug)]
pub struct FailureRule {
    /// The HTTP statuses that lead to this error, with one example of each range. Empty if no
    /// complete response arrived.
    pub statuses: &'static [u16],
    /// The client's error.
    pub error: FetchErrorKind,
    /// The effect on the run.
    pub action: FailureAction,
    /// The new state of the collection, in `collections.state`.
    pub state: CollectionState,
    /// The reason for the days that were not fetched, in `coverage.reason`.
    pub gap: GapReason,
    /// The text of the interface's badge.
    pub label: &'static str,
}

const fn rule(
    statuses: &'static [u16],
    error: FetchErrorKind,
    action: FailureAction,
    state: CollectionState,
    gap: GapReason,
    label: &'static str,
) -> FailureRule {
    FailureRule { statuses, error, action, state, gap, label }
}

/// The meaning of every failed fetch.
///
/// Of a 401 and a 403, the body decides: it names a scope or the membership, or neither. A 401 that
/// names neither is `Forbidden` if the token opens other collections, else `Login`. A failed login
/// leaves the collection's state, because only the run fails.
#[rustfmt::skip]
pub const FAILURES: &[FailureRule] = {
    use CollectionState as State;
    use FailureAction as Action;
    use GapReason as Gap;
    &[
        rule(&[401, 403], Kind::MissingScope,
            Action::Refuse, State::ScopeMissing, Gap::ScopeMissing, "Permission missing"),
        rule(&[403], Kind::MembershipInactive,
            Action::Refuse, State::MembershipEnded, Gap::MembershipEnded, "Membership ended"),
        rule(&[401, 403], Kind::Forbidden,
            Action::Refuse, State::Forbidden, Gap::Refused, "Refused"),
        rule(&[404], Kind::NotAvailable,
            Action::Refuse, State::NotAvailable, Gap::NotAvailable, "Not available"),
        rule(&[426], Kind::AppTooOld,
            Action::Refuse, State::AppTooOld, Gap::AppTooOld, "Oura app too old"),
        rule(&[400, 422], Kind::Rejected,
            Action::Shorten, State::Error, Gap::Failed, "Failed"),
        rule(&[429], Kind::RateLimited,
            Action::Rest, State::Error, Gap::Failed, "Failed"),
        rule(&[408, 500, 503], Kind::Server,
            Action::Suspect, State::Error, Gap::Failed, "Failed"),
        rule(&[200, 204, 302, 402, 418], Kind::Malformed,
            Action::Suspect, State::Error, Gap::Failed, "Failed"),
        rule(&[], Kind::Network,
            Action::Rest, State::Error, Gap::Failed, "Failed"),
        rule(&[401], Kind::Login,
            Action::Stop, State::Waiting, Gap::NotFetched, "Waiting"),
    ]
};

impl FailureRule {
    /// The row of `error`.
    pub fn of(error: FetchErrorKind) -> &'static FailureRule {
        FAILURES.iter().find(|rule| rule.error == error).expect("every kind has a row")
    }
}

/// The number of collections that must fail in a row, out of `collections`, to be an outage.
///
/// It is half of them, so that a few broken collections do not stop the others. All collections
/// share the rate limit, so two are enough for it.
pub(super) fn outage_threshold(error: FetchErrorKind, collections: usize) -> usize {
    match error {
        Kind::RateLimited => 2,
        _ => collections.div_ceil(2).max(2),
    }
}

#[cfg(test)]
mod tests;
