//! The states of collections, runs, windows and days, as SQLite, the API and the interface share
//! them.
//!
//! Each type has one text form. The tables, the view `coverage`, the JSON responses, the metrics
//! and the browser use exactly these texts, because dashboards and alert rules compare them.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// The last known condition of a collection: `collections.state`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum CollectionState {
    /// Its last window was stored, and no failed window is queued.
    Ok,
    /// No sync has fetched it yet.
    #[default]
    Waiting,
    /// The login lacks a scope that Oura requires for it.
    ScopeMissing,
    /// Oura serves it to members only, and the membership is inactive.
    MembershipEnded,
    /// Oura refused access for another reason.
    Forbidden,
    /// Oura does not offer it to this account.
    NotAvailable,
    /// The Oura app on the phone is too old for it.
    AppTooOld,
    /// The API version in use no longer has it. Stored documents stay.
    Removed,
    /// The last fetch failed. The next sync retries it.
    Error,
}

/// The condition of a sync run: `sync_runs.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Under way.
    Running,
    /// Ended after every planned window was stored or its collection failed.
    Done,
    /// Ended early. `sync_runs.message` has the reason.
    Failed,
    /// Ended because the process stopped. The next run continues it.
    Interrupted,
}

/// The cause of a sync run: `sync_runs.trigger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The sync interval elapsed.
    Schedule,
    /// A user or an API client requested it.
    Manual,
    /// A login was completed.
    Login,
    /// *Save & test* requested it.
    Health,
    /// A user requested days again.
    Backfill,
}

/// The cause of a window: `sync_windows.reason`. The order is the order of fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowReason {
    /// Its days may have changed since they were fetched.
    Trailing,
    /// A user requested its days again.
    Backfill,
    /// Its days were never fetched.
    History,
}

/// Whether a data source has a login at Oura: `sync_status.connection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum ConnectionState {
    /// The settings lack a client ID or secret.
    NotConfigured,
    /// Never connected, or disconnected.
    NotConnected,
    /// A login exists, and is not known to have ended.
    Connected,
    /// The login has ended, and a user must log in again.
    ReconnectNeeded,
}

/// How complete one day of one collection is: `coverage.state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum DayState {
    /// Fetched, with documents, and settled.
    Complete,
    /// Fetched while the day could still change.
    Partial,
    /// Fetched and settled, without documents.
    Empty,
    /// Never fetched.
    NotFetched,
}

/// Why a day of a collection has no documents: `coverage.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum GapReason {
    /// No sync has fetched the day yet.
    NotFetched,
    /// The ring or the person recorded no data.
    Empty,
    /// See [`CollectionState::ScopeMissing`].
    ScopeMissing,
    /// See [`CollectionState::MembershipEnded`].
    MembershipEnded,
    /// See [`CollectionState::Forbidden`].
    Refused,
    /// See [`CollectionState::NotAvailable`].
    NotAvailable,
    /// See [`CollectionState::AppTooOld`].
    AppTooOld,
    /// See [`CollectionState::Removed`].
    Removed,
    /// The last fetch of the day failed.
    Failed,
    /// The ring's battery was empty.
    BatteryEmpty,
    /// The ring sent no battery level: it was off or out of reach.
    RingOff,
    /// The day precedes the first recorded one.
    NoRingYet,
    /// The phone has not sent the day to Oura yet.
    NotSynced,
}

impl CollectionState {
    /// Every state.
    pub const ALL: &'static [CollectionState] = &[
        CollectionState::Ok,
        CollectionState::Waiting,
        CollectionState::ScopeMissing,
        CollectionState::MembershipEnded,
        CollectionState::Forbidden,
        CollectionState::NotAvailable,
        CollectionState::AppTooOld,
        CollectionState::Removed,
        CollectionState::Error,
    ];

    /// The stored and served text.
    pub const fn as_str(self) -> &'static str {
        match self {
            CollectionState::Ok => "ok",
            CollectionState::Waiting => "waiting",
            CollectionState::ScopeMissing => "scope_missing",
            CollectionState::MembershipEnded => "membership_ended",
            CollectionState::Forbidden => "forbidden",
            CollectionState::NotAvailable => "not_available",
            CollectionState::AppTooOld => "app_too_old",
            CollectionState::Removed => "removed",
            CollectionState::Error => "error",
        }
    }

    /// The text of the interface's badge.
    pub const fn label(self) -> &'static str {
        match self {
            CollectionState::Ok => "OK",
            CollectionState::Waiting => "Waiting",
            CollectionState::ScopeMissing => "Permission missing",
            CollectionState::MembershipEnded => "Membership ended",
            CollectionState::Forbidden => "Refused",
            CollectionState::NotAvailable => "Not available",
            CollectionState::AppTooOld => "Oura app too old",
            CollectionState::Removed => "No longer offered",
            CollectionState::Error => "Failed",
        }
    }

    /// Whether Oura refuses the collection. Such a collection is requested again in every sync, but
    /// does not count as a failure.
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            CollectionState::ScopeMissing
                | CollectionState::MembershipEnded
                | CollectionState::Forbidden
                | CollectionState::NotAvailable
                | CollectionState::AppTooOld
        )
    }

    /// Whether documents are expected from it: neither refused nor removed.
    pub const fn is_open(self) -> bool {
        matches!(self, CollectionState::Ok | CollectionState::Waiting | CollectionState::Error)
    }

    /// Whether the user should know about it: refused or failed.
    pub const fn is_trouble(self) -> bool {
        self.is_refusal() || matches!(self, CollectionState::Error)
    }

    /// The reason that `coverage` shows for the days that this state keeps from being fetched.
    pub const fn gap_reason(self) -> GapReason {
        match self {
            CollectionState::Ok | CollectionState::Waiting => GapReason::NotFetched,
            CollectionState::ScopeMissing => GapReason::ScopeMissing,
            CollectionState::MembershipEnded => GapReason::MembershipEnded,
            CollectionState::Forbidden => GapReason::Refused,
            CollectionState::NotAvailable => GapReason::NotAvailable,
            CollectionState::AppTooOld => GapReason::AppTooOld,
            CollectionState::Removed => GapReason::Removed,
            CollectionState::Error => GapReason::Failed,
        }
    }
}

impl RunState {
    /// Every state.
    pub const ALL: &'static [RunState] =
        &[RunState::Running, RunState::Done, RunState::Failed, RunState::Interrupted];

    /// The stored and served text.
    pub const fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Done => "done",
            RunState::Failed => "failed",
            RunState::Interrupted => "interrupted",
        }
    }
}

impl Trigger {
    /// Every trigger.
    pub const ALL: &'static [Trigger] =
        &[Trigger::Schedule, Trigger::Manual, Trigger::Login, Trigger::Health, Trigger::Backfill];

    /// The stored text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Manual => "manual",
            Trigger::Login => "login",
            Trigger::Health => "health",
            Trigger::Backfill => "backfill",
        }
    }
}

impl WindowReason {
    /// Every reason, in the order of fetching.
    pub const ALL: &'static [WindowReason] =
        &[WindowReason::Trailing, WindowReason::Backfill, WindowReason::History];

    /// The stored text.
    pub const fn as_str(self) -> &'static str {
        match self {
            WindowReason::Trailing => "trailing",
            WindowReason::Backfill => "backfill",
            WindowReason::History => "history",
        }
    }
}

impl ConnectionState {
    /// Every state.
    pub const ALL: &'static [ConnectionState] = &[
        ConnectionState::NotConfigured,
        ConnectionState::NotConnected,
        ConnectionState::Connected,
        ConnectionState::ReconnectNeeded,
    ];

    /// The stored and served text.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConnectionState::NotConfigured => "not_configured",
            ConnectionState::NotConnected => "not_connected",
            ConnectionState::Connected => "connected",
            ConnectionState::ReconnectNeeded => "reconnect_needed",
        }
    }

    /// The text of the interface's badge.
    pub const fn label(self) -> &'static str {
        match self {
            ConnectionState::NotConfigured => "Not configured",
            ConnectionState::NotConnected => "Not connected",
            ConnectionState::Connected => "Connected",
            ConnectionState::ReconnectNeeded => "Reconnect required",
        }
    }
}

impl DayState {
    /// Every state.
    pub const ALL: &'static [DayState] =
        &[DayState::Complete, DayState::Partial, DayState::Empty, DayState::NotFetched];

    /// The text in the view `coverage`.
    pub const fn as_str(self) -> &'static str {
        match self {
            DayState::Complete => "complete",
            DayState::Partial => "partial",
            DayState::Empty => "empty",
            DayState::NotFetched => "not_fetched",
        }
    }
}

impl GapReason {
    /// Every reason.
    pub const ALL: &'static [GapReason] = &[
        GapReason::NotFetched,
        GapReason::Empty,
        GapReason::ScopeMissing,
        GapReason::MembershipEnded,
        GapReason::Refused,
        GapReason::NotAvailable,
        GapReason::AppTooOld,
        GapReason::Removed,
        GapReason::Failed,
        GapReason::BatteryEmpty,
        GapReason::RingOff,
        GapReason::NoRingYet,
        GapReason::NotSynced,
    ];

    /// The text in the view `coverage`.
    pub const fn as_str(self) -> &'static str {
        match self {
            GapReason::NotFetched => "not_fetched",
            GapReason::Empty => "empty",
            GapReason::ScopeMissing => "scope_missing",
            GapReason::MembershipEnded => "membership_ended",
            GapReason::Refused => "refused",
            GapReason::NotAvailable => "not_available",
            GapReason::AppTooOld => "app_too_old",
            GapReason::Removed => "removed",
            GapReason::Failed => "failed",
            GapReason::BatteryEmpty => "battery_empty",
            GapReason::RingOff => "ring_off",
            GapReason::NoRingYet => "no_ring_yet",
            GapReason::NotSynced => "not_synced",
        }
    }

    /// The words after a number of days without data: `2 of the last 30 days not fetched yet`.
    pub const fn label(self) -> &'static str {
        match self {
            GapReason::NotFetched => "not fetched yet",
            GapReason::Empty => "without data",
            GapReason::ScopeMissing => "permission missing",
            GapReason::MembershipEnded => "membership ended",
            GapReason::Refused => "refused",
            GapReason::NotAvailable => "not available",
            GapReason::AppTooOld => "Oura app too old",
            GapReason::Removed => "no longer offered",
            GapReason::Failed => "failed",
            GapReason::BatteryEmpty => "with an empty ring battery",
            GapReason::RingOff => "with the ring off or out of reach",
            GapReason::NoRingYet => "before the first ring",
            GapReason::NotSynced => "not synced from the phone yet",
        }
    }

    /// Whether the collection's own state and message explain the gap already.
    pub const fn follows_from_state(self) -> bool {
        matches!(
            self,
            GapReason::ScopeMissing
                | GapReason::MembershipEnded
                | GapReason::Refused
                | GapReason::NotAvailable
                | GapReason::AppTooOld
                | GapReason::Removed
                | GapReason::Failed
        )
    }
}

/// The error for a text that names no state.
#[derive(Debug, thiserror::Error)]
#[error("Unknown {kind} {text:?}")]
pub struct UnknownState {
    kind: &'static str,
    text: String,
}

/// Implements the conversions that follow from `ALL` and `as_str`.
macro_rules! text_conversions {
    ($($state:ident: $kind:literal),+ $(,)?) => {$(
        impl fmt::Display for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $state {
            type Err = UnknownState;

            fn from_str(text: &str) -> Result<$state, UnknownState> {
                let known = $state::ALL.iter().find(|state| state.as_str() == text);
                known.copied().ok_or_else(|| UnknownState { kind: $kind, text: text.to_owned() })
            }
        }

        impl ToSql for $state {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.as_str()))
            }
        }

        impl FromSql for $state {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$state> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    )+};
}

text_conversions! {
    CollectionState: "collection state",
    RunState: "run state",
    Trigger: "trigger",
    WindowReason: "window reason",
    ConnectionState: "connection state",
    DayState: "day state",
    GapReason: "gap reason",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;

    fn assert_one_text<T>(all: &[T])
    where
        T: Copy + Debug + PartialEq + fmt::Display + FromStr + Serialize + DeserializeOwned,
        <T as FromStr>::Err: Debug,
    {
        for state in all {
            let text = state.to_string();
            assert_eq!(serde_json::to_value(state).unwrap(), text.as_str());
            assert_eq!(serde_json::from_value::<T>(text.as_str().into()).unwrap(), *state);
            assert_eq!(text.parse::<T>().unwrap(), *state);
        }
    }

    #[test]
    fn stored_and_served_texts_are_equal() {
        assert_one_text(CollectionState::ALL);
        assert_one_text(RunState::ALL);
        assert_one_text(Trigger::ALL);
        assert_one_text(WindowReason::ALL);
        assert_one_text(ConnectionState::ALL);
        assert_one_text(DayState::ALL);
        assert_one_text(GapReason::ALL);
    }

    #[test]
    fn unknown_text_is_rejected() {
        let error = "well".parse::<CollectionState>().unwrap_err();
        assert_eq!(error.to_string(), "Unknown collection state \"well\"");
    }

    /// The text literals in `sql`, without those in comments.
    fn literals(sql: &str) -> BTreeSet<&str> {
        let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        code.flat_map(|line| line.split('\'').skip(1).step_by(2)).collect()
    }

    #[test]
    fn coverage_view_uses_the_texts_of_the_types() {
        let sql = include_str!("views/coverage.sql");
        let known: BTreeSet<&str> = CollectionState::ALL
            .iter()
            .map(|state| state.as_str())
            .chain(GapReason::ALL.iter().map(|reason| reason.as_str()))
            .chain(DayState::ALL.iter().map(|state| state.as_str()))
            .collect();
        let used = literals(sql);
        for text in GapReason::ALL.iter().map(|reason| reason.as_str()) {
            assert!(used.contains(text), "{text}");
        }
        for text in DayState::ALL.iter().map(|state| state.as_str()) {
            assert!(used.contains(text), "{text}");
        }
        let unknown: Vec<_> =
            used.difference(&known).filter(|text| **text != "ring_battery_level").collect();
        assert_eq!(unknown, Vec::<&&str>::new());
    }

    #[test]
    fn sync_status_view_counts_failing_collections() {
        let sql = include_str!("views/sync_status.sql");
        let quiet: Vec<String> = CollectionState::ALL
            .iter()
            .filter(|state| !state.is_trouble())
            .map(|state| format!("'{state}'"))
            .collect();
        assert!(sql.contains(&format!("state NOT IN ({})", quiet.join(", "))), "{sql}");
        assert!(sql.contains(&format!("state = '{}'", RunState::Running)), "{sql}");
        assert!(sql.contains(&format!("'{}'", ConnectionState::NotConnected)), "{sql}");
    }
}
