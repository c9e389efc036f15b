//! Failed fetches: one table from Oura's answer to the text in the interface.

use std::ops::RangeInclusive;

use crate::oura::FetchError;
use crate::store::{CollectionState, GapReason};

/// What a failed fetch changes in the rest of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureAction {
    /// Oura refuses the collection. Its windows leave the run, and the next run requests it again.
    Refuse,
    /// The collection rests until the next run. Many such collections in a row are an outage.
    Rest,
    /// As [`FailureAction::Rest`], but a window that failed in earlier runs may itself be the cause.
    Suspect,
    /// The range is too long: shorter windows are tried.
    Shorten,
    /// The run ends, because every other request would fail as well.
    Stop,
}

/// The kind of a [`FetchError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// [`FetchError::ScopeMissing`]
    ScopeMissing,
    /// [`FetchError::MembershipEnded`]
    MembershipEnded,
    /// [`FetchError::Forbidden`]
    Forbidden,
    /// [`FetchError::NotAvailable`]
    NotAvailable,
    /// [`FetchError::AppTooOld`]
    AppTooOld,
    /// [`FetchError::Rejected`]
    Rejected,
    /// [`FetchError::RateLimited`]
    RateLimited,
    /// [`FetchError::Network`]
    Network,
    /// [`FetchError::Server`]
    Server,
    /// [`FetchError::Malformed`]
    Malformed,
    /// [`FetchError::Login`]
    Login,
}

/// One row of [`FAILURES`].
#[derive(Clone, Debug)]
pub struct FailureRule {
    /// The HTTP statuses with this meaning. Empty if no complete response arrived.
    pub statuses: &'static [RangeInclusive<u16>],
    /// A word in the body that decides between rules with the same status.
    pub detail: Option<&'static str>,
    /// The client's error.
    pub kind: FailureKind,
    /// The effect on the run.
    pub action: FailureAction,
    /// The new state of the collection. `None` leaves its state, and only the run fails.
    pub state: Option<CollectionState>,
    /// The reason in the view `coverage` for days that could not be fetched.
    pub gap: GapReason,
    /// The text of the interface's badge.
    pub label: &'static str,
}

const fn rule(
    statuses: &'static [RangeInclusive<u16>],
    detail: Option<&'static str>,
    kind: FailureKind,
    action: FailureAction,
    state: CollectionState,
    gap: GapReason,
    label: &'static str,
) -> FailureRule {
    FailureRule { statuses, detail, kind, action, state: Some(state), gap, label }
}

/// The meaning of every failed fetch: HTTP status, error, action, collection state, coverage reason
/// and label. A 401 without a scope is `Forbidden` if the token opens other collections, else
/// `Login`.
#[rustfmt::skip]
pub const FAILURES: &[FailureRule] = {
    use CollectionState as State;
    use FailureAction as Action;
    use FailureKind as Kind;
    use GapReason as Gap;
    &[
        rule(&[401..=401, 403..=403], Some("scope"), Kind::ScopeMissing,
            Action::Refuse, State::ScopeMissing, Gap::ScopeMissing, "Permission missing"),
        rule(&[403..=403], Some("membership"), Kind::MembershipEnded,
            Action::Refuse, State::MembershipEnded, Gap::MembershipEnded, "Membership ended"),
        rule(&[401..=401, 403..=403], None, Kind::Forbidden,
            Action::Refuse, State::Forbidden, Gap::Refused, "Refused"),
        rule(&[404..=404], None, Kind::NotAvailable,
            Action::Refuse, State::NotAvailable, Gap::NotAvailable, "Not available"),
        rule(&[426..=426], None, Kind::AppTooOld,
            Action::Refuse, State::AppTooOld, Gap::AppTooOld, "Oura app too old"),
        rule(&[400..=400, 422..=422], None, Kind::Rejected,
            Action::Shorten, State::Error, Gap::Failed, "Failed"),
        rule(&[429..=429], None, Kind::RateLimited,
            Action::Rest, State::Error, Gap::Failed, "Failed"),
        rule(&[408..=408, 500..=599], None, Kind::Server,
            Action::Suspect, State::Error, Gap::Failed, "Failed"),
        rule(&[201..=399, 402..=402, 418..=418], None, Kind::Malformed,
            Action::Suspect, State::Error, Gap::Failed, "Failed"),
        rule(&[], None, Kind::Network,
            Action::Rest, State::Error, Gap::Failed, "Failed"),
        FailureRule {
            statuses: &[401..=401],
            detail: None,
            kind: Kind::Login,
            action: Action::Stop,
            state: None,
            gap: Gap::NotFetched,
            label: "Waiting",
        },
    ]
};

impl FailureKind {
    /// The kind of `error`.
    pub fn of(error: &FetchError) -> FailureKind {
        match error {
            FetchError::ScopeMissing { .. } => FailureKind::ScopeMissing,
            FetchError::MembershipEnded { .. } => FailureKind::MembershipEnded,
            FetchError::Forbidden { .. } => FailureKind::Forbidden,
            FetchError::NotAvailable => FailureKind::NotAvailable,
            FetchError::AppTooOld => FailureKind::AppTooOld,
            FetchError::Rejected { .. } => FailureKind::Rejected,
            FetchError::RateLimited => FailureKind::RateLimited,
            FetchError::Network { .. } => FailureKind::Network,
            FetchError::Server { .. } => FailureKind::Server,
            FetchError::Malformed { .. } => FailureKind::Malformed,
            FetchError::Login(_) => FailureKind::Login,
        }
    }

    /// The row of this kind.
    pub fn rule(self) -> &'static FailureRule {
        FAILURES.iter().find(|rule| rule.kind == self).expect("every kind has a row")
    }

    /// The number of collections that must fail in a row, out of `collections`, to be an outage.
    ///
    /// It is half of them, so that a few broken collections do not stop the others. The rate limit
    /// is shared, so two are enough.
    pub(super) fn outage_threshold(self, collections: usize) -> usize {
        match self {
            FailureKind::RateLimited => 2,
            _ => collections.div_ceil(2).max(2),
        }
    }
}

#[cfg(test)]
mod tests;
