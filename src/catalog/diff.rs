//! What changed from one version of the catalogue to another.

use std::fmt;

use super::{Catalog, Collection, Kind, Style};

/// One difference. `Display` gives a line that begins with `+` (new), `-` (gone) or `~` (other).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    CollectionAdded { collection: String },
    CollectionRemoved { collection: String },
    StyleChanged { collection: String, from: Style, to: Style },
    ColumnAdded { collection: String, column: String, kind: Kind },
    ColumnRemoved { collection: String, column: String },
    KindChanged { collection: String, column: String, from: Kind, to: Kind },
    SeriesAdded { series: String },
    SeriesRemoved { series: String },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CollectionAdded { collection } => write!(f, "+ {collection}"),
            Change::CollectionRemoved { collection } => write!(f, "- {collection}"),
            Change::StyleChanged { collection, from, to } => write!(f, "~ {collection}: {} → {}", from.words(), to.words()),
            Change::ColumnAdded { collection, column, kind } => write!(f, "+ {collection}.{column} {}", kind.declared()),
            Change::ColumnRemoved { collection, column } => write!(f, "- {collection}.{column}"),
            Change::KindChanged { collection, column, from, to } => {
                write!(f, "~ {collection}.{column}: {} → {}", from.declared(), to.declared())
            }
            Change::SeriesAdded { series } => write!(f, "+ {series} (series)"),
            Change::SeriesRemoved { series } => write!(f, "- {series} (series)"),
        }
    }
}

impl Catalog {
    /// What `other` has that `self` has not, and the reverse, by collection; a renamed collection or column is one gone and one new.
    pub fn diff(&self, other: &Catalog) -> Vec<Change> {
        let mut changes = Vec::new();
        for collection in &self.collections {
            match other.collections.iter().find(|new| new.name == collection.name) {
                Some(new) => compare(collection, new, &mut changes),
                None => changes.push(Change::CollectionRemoved { collection: collection.name.clone() }),
            }
        }
        let added = other.collections.iter().filter(|new| self.collections.iter().all(|old| old.name != new.name));
        changes.extend(added.map(|new| Change::CollectionAdded { collection: new.name.clone() }));
        changes
    }
}

fn compare(old: &Collection, new: &Collection, changes: &mut Vec<Change>) {
    let collection = || old.name.clone();
    if old.style != new.style {
        changes.push(Change::StyleChanged { collection: collection(), from: old.style, to: new.style });
    }
    for column in &old.columns {
        let name = column.name.clone();
        match new.columns.iter().find(|other| other.name == column.name) {
            Some(other) if other.kind == column.kind => {}
            Some(other) => changes.push(Change::KindChanged { collection: collection(), column: name, from: column.kind, to: other.kind }),
            None => changes.push(Change::ColumnRemoved { collection: collection(), column: name }),
        }
    }
    for column in new.columns.iter().filter(|column| old.columns.iter().all(|other| other.name != column.name)) {
        changes.push(Change::ColumnAdded { collection: collection(), column: column.name.clone(), kind: column.kind });
    }
    for series in old.series.iter().filter(|series| new.series.iter().all(|other| other.name != series.name)) {
        changes.push(Change::SeriesRemoved { series: series.name.clone() });
    }
    for series in new.series.iter().filter(|series| old.series.iter().all(|other| other.name != series.name)) {
        changes.push(Change::SeriesAdded { series: series.name.clone() });
    }
}
