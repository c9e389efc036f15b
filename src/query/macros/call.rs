//! One use of a macro.

use super::error::MacroErrorKind;
use super::groups::Groups;
use crate::query::context::QueryContext;
use crate::query::fill::Fill;
use crate::time::{Day, Instant, Tz};

/// Expands one use of a macro to SQL.
pub(super) type Expand = fn(&mut Call<'_, '_>) -> Result<String, MacroErrorKind>;

/// One use of a macro.
pub(super) struct Call<'a, 'g> {
    pub context: &'a QueryContext,
    /// The zone of calendar days.
    pub zone: Tz,
    /// The grid that the statement requests. Group macros set it.
    pub fill: &'a mut Option<Fill>,
    /// The groups of whole days in the statement.
    pub groups: &'a mut Groups<'g>,
    /// The arguments as SQL, with their macros expanded.
    pub arguments: Vec<String>,
}

impl Call<'_, '_> {
    /// Returns the first calendar day of the range.
    pub fn first_day(&self) -> Day {
        self.day(self.context.from_ms)
    }

    /// Returns the last calendar day of the range.
    pub fn last_day(&self) -> Day {
        self.day(self.context.to_ms)
    }

    fn day(&self, milliseconds: i64) -> Day {
        Instant(milliseconds.div_euclid(1_000)).day(self.zone)
    }
}
