//! What changed from one version of Oura's API to another.

use std::fmt;

use super::contract::{Contract, Parameter, Presence, Terms};
use super::{Collection, Kind, Style};

/// One difference. `Display` gives a line that begins with `+` (new), `-` (gone) or `~` (other); a parameter stands after a `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    CollectionAdded { collection: String },
    CollectionRemoved { collection: String },
    StyleChanged { collection: String, from: Style, to: Style },
    ParameterAdded { collection: String, parameter: String },
    ParameterRemoved { collection: String, parameter: String },
    ParameterKindChanged { collection: String, parameter: String, from: Kind, to: Kind },
    ParameterPresenceChanged { collection: String, parameter: String, required: bool },
    ColumnAdded { collection: String, column: String, kind: Kind },
    ColumnRemoved { collection: String, column: String },
    KindChanged { collection: String, column: String, from: Kind, to: Kind },
    SeriesAdded { series: String },
    SeriesRemoved { series: String },
    PresenceChanged { collection: String, field: String, from: Presence, to: Presence },
    ValuesChanged { collection: String, field: String, added: Vec<String>, removed: Vec<String> },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CollectionAdded { collection } => write!(f, "+ {collection}"),
            Change::CollectionRemoved { collection } => write!(f, "- {collection}"),
            Change::StyleChanged { collection, from, to } => {
                write!(f, "~ {collection}: {} → {}", from.words(), to.words())
            }
            Change::ParameterAdded { collection, parameter } => {
                write!(f, "+ {collection}?{parameter}")
            }
            Change::ParameterRemoved { collection, parameter } => {
                write!(f, "- {collection}?{parameter}")
            }
            Change::ParameterKindChanged { collection, parameter, from, to } => {
                write!(f, "~ {collection}?{parameter}: {} → {}", from.declared(), to.declared())
            }
            Change::ParameterPresenceChanged { collection, parameter, required } => {
                write!(
                    f,
                    "~ {collection}?{parameter}: {}",
                    if *required { "now needed" } else { "no longer needed" }
                )
            }
            Change::ColumnAdded { collection, column, kind } => {
                write!(f, "+ {collection}.{column} {}", kind.declared())
            }
            Change::ColumnRemoved { collection, column } => write!(f, "- {collection}.{column}"),
            Change::KindChanged { collection, column, from, to } => {
                write!(f, "~ {collection}.{column}: {} → {}", from.declared(), to.declared())
            }
            Change::SeriesAdded { series } => write!(f, "+ {series} (series)"),
            Change::SeriesRemoved { series } => write!(f, "- {series} (series)"),
            Change::PresenceChanged { collection, field, from, to } => {
                write!(f, "~ {collection}.{field}: {from} → {to}")
            }
            Change::ValuesChanged { collection, field, added, removed } => {
                write!(f, "~ {collection}.{field}:")?;
                for (sign, values) in
                    [('+', added), ('-', removed)].iter().filter(|(_, values)| !values.is_empty())
                {
                    write!(f, " {sign} {}", values.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.required, self.nullable) {
            (true, false) => "always there",
            (true, true) => "always there, maybe null",
            (false, false) => "maybe missing",
            (false, true) => "maybe missing or null",
        })
    }
}

impl Contract {
    /// What `other` has that `self` has not, and the reverse, by collection; a renamed collection or field is one gone and one new.
    pub fn diff(&self, other: &Contract) -> Vec<Change> {
        let (old, new) = (&self.catalog.collections, &other.catalog.collections);
        let mut changes = Vec::new();
        for collection in old {
            match new.iter().find(|new| new.name == collection.name) {
                Some(new) => {
                    compare(collection, new, &mut changes);
                    if let (Some(before), Some(after)) =
                        (self.terms(&collection.path), other.terms(&new.path))
                    {
                        compare_terms(&collection.name, before, after, &mut changes);
                    }
                }
                None => {
                    changes.push(Change::CollectionRemoved { collection: collection.name.clone() })
                }
            }
        }
        let added = new.iter().filter(|new| old.iter().all(|old| old.name != new.name));
        changes.extend(added.map(|new| Change::CollectionAdded { collection: new.name.clone() }));
        changes
    }
}

fn compare(old: &Collection, new: &Collection, changes: &mut Vec<Change>) {
    let collection = || old.name.clone();
    if old.style != new.style {
        changes.push(Change::StyleChanged {
            collection: collection(),
            from: old.style,
            to: new.style,
        });
    }
    for column in &old.columns {
        let name = column.name.clone();
        match new.columns.iter().find(|other| other.name == column.name) {
            Some(other) if other.kind == column.kind => {}
            Some(other) => changes.push(Change::KindChanged {
                collection: collection(),
                column: name,
                from: column.kind,
                to: other.kind,
            }),
            None => changes.push(Change::ColumnRemoved { collection: collection(), column: name }),
        }
    }
    for column in new
        .columns
        .iter()
        .filter(|column| old.columns.iter().all(|other| other.name != column.name))
    {
        changes.push(Change::ColumnAdded {
            collection: collection(),
            column: column.name.clone(),
            kind: column.kind,
        });
    }
    for series in
        old.series.iter().filter(|series| new.series.iter().all(|other| other.name != series.name))
    {
        changes.push(Change::SeriesRemoved { series: series.name.clone() });
    }
    for series in
        new.series.iter().filter(|series| old.series.iter().all(|other| other.name != series.name))
    {
        changes.push(Change::SeriesAdded { series: series.name.clone() });
    }
}

/// Of fields that both have; new and gone ones are told as columns and series.
fn compare_terms(collection: &str, old: &Terms, new: &Terms, changes: &mut Vec<Change>) {
    let collection = || collection.to_owned();
    let find = |among: &Terms, name: &str| -> Option<Parameter> {
        among
            .parameters
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, parameter)| parameter.clone())
    };
    for (name, before) in &old.parameters {
        let parameter = name.clone();
        let Some(after) = find(new, name) else {
            changes.push(Change::ParameterRemoved { collection: collection(), parameter });
            continue;
        };
        if before.kind != after.kind {
            let (from, to) = (before.kind, after.kind);
            changes.push(Change::ParameterKindChanged {
                collection: collection(),
                parameter: parameter.clone(),
                from,
                to,
            });
        }
        if before.required != after.required {
            changes.push(Change::ParameterPresenceChanged {
                collection: collection(),
                parameter,
                required: after.required,
            });
        }
    }
    let added = new.parameters.iter().filter(|(name, _)| find(old, name).is_none());
    changes.extend(added.map(|(name, _)| Change::ParameterAdded {
        collection: collection(),
        parameter: name.clone(),
    }));

    for (field, before) in &old.fields {
        let Some(after) = new.fields.get(field) else { continue };
        if before.presence != after.presence {
            let (from, to) = (before.presence, after.presence);
            changes.push(Change::PresenceChanged {
                collection: collection(),
                field: field.clone(),
                from,
                to,
            });
        }
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|value| !those.contains(value)).cloned().collect::<Vec<_>>()
        };
        let (added, removed) =
            (only(&after.values, &before.values), only(&before.values, &after.values));
        if !added.is_empty() || !removed.is_empty() {
            changes.push(Change::ValuesChanged {
                collection: collection(),
                field: field.clone(),
                added,
                removed,
            });
        }
    }
}
