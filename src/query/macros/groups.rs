//! The meaning of groups of whole days.

use std::collections::BTreeSet;

/// The name of a marked group. No function has it.
pub const GROUP_MARK: &str = "__day_group";

/// How groups of whole days over a column with an unknown content expand.
#[derive(Clone, Copy, Debug)]
pub enum Grouping<'a> {
    /// To a call of [`GROUP_MARK`] with the number of the group and its column.
    Marked,
    /// To days of the calendar for these numbers, and to days in UTC for all others.
    Known(&'a BTreeSet<usize>),
}

/// The groups of a statement while it expands.
pub(super) struct Groups<'a> {
    grouping: Grouping<'a>,
    /// The number of groups so far.
    pub count: usize,
}

/// The expansion of one group.
pub(super) enum GroupKind {
    /// A mark with this number.
    Marked(usize),
    /// By the calendar.
    Calendar,
    /// By UTC.
    Utc,
}

impl<'a> Groups<'a> {
    pub fn new(grouping: Grouping<'a>) -> Groups<'a> {
        Groups { grouping, count: 0 }
    }

    /// Counts one more group, and returns how it expands.
    pub fn next(&mut self) -> GroupKind {
        let number = self.count;
        self.count += 1;
        match self.grouping {
            Grouping::Marked => GroupKind::Marked(number),
            Grouping::Known(days) if days.contains(&number) => GroupKind::Calendar,
            Grouping::Known(_) => GroupKind::Utc,
        }
    }
}
