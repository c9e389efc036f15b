//! Differences between two versions of Oura's API.

use std::fmt;

use super::contract::{CollectionContract, Contract, Parameter, Presence};
use super::{Collection, Kind, Style};

/// One difference. `Display` returns a line that starts with `+` (added), `-` (removed) or `~`
/// (changed). Parameters follow a `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields repeat the description of their variant")]
pub enum Change {
    /// A new collection.
    CollectionAdded { collection: String },
    /// A removed collection.
    CollectionRemoved { collection: String },
    /// Other request parameters for the range.
    StyleChanged { collection: String, from: Style, to: Style },
    /// A new query parameter.
    ParameterAdded { collection: String, parameter: String },
    /// A removed query parameter.
    ParameterRemoved { collection: String, parameter: String },
    /// A query parameter of another type.
    ParameterKindChanged { collection: String, parameter: String, from: Kind, to: Kind },
    /// A query parameter that became required or optional.
    ParameterPresenceChanged { collection: String, parameter: String, required: bool },
    /// A new column.
    ColumnAdded { collection: String, column: String, kind: Kind },
    /// A removed column.
    ColumnRemoved { collection: String, column: String },
    /// A column of another type.
    KindChanged { collection: String, column: String, from: Kind, to: Kind },
    /// A new series.
    SeriesAdded { series: String },
    /// A removed series.
    SeriesRemoved { series: String },
    /// A field that can be missing or null now, or no longer can.
    PresenceChanged { collection: String, field: String, from: Presence, to: Presence },
    /// Other permitted values of a field.
    ValuesChanged { collection: String, field: String, added: Vec<String>, removed: Vec<String> },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CollectionAdded { collection } => write!(f, "+ {collection}"),
            Change::CollectionRemoved { collection } => write!(f, "- {collection}"),
            Change::StyleChanged { collection, from, to } => {
                write!(f, "~ {collection}: {} → {}", from.description(), to.description())
            }
            Change::ParameterAdded { collection, parameter } => {
                write!(f, "+ {collection}?{parameter}")
            }
            Change::ParameterRemoved { collection, parameter } => {
                write!(f, "- {collection}?{parameter}")
            }
            Change::ParameterKindChanged { collection, parameter, from, to } => {
                let (from, to) = (from.sqlite_type(), to.sqlite_type());
                write!(f, "~ {collection}?{parameter}: {from} → {to}")
            }
            Change::ParameterPresenceChanged { collection, parameter, required } => {
                let presence = if *required { "now required" } else { "now optional" };
                write!(f, "~ {collection}?{parameter}: {presence}")
            }
            Change::ColumnAdded { collection, column, kind } => {
                write!(f, "+ {collection}.{column} {}", kind.sqlite_type())
            }
            Change::ColumnRemoved { collection, column } => write!(f, "- {collection}.{column}"),
            Change::KindChanged { collection, column, from, to } => {
                let (from, to) = (from.sqlite_type(), to.sqlite_type());
                write!(f, "~ {collection}.{column}: {from} → {to}")
            }
            Change::SeriesAdded { series } => write!(f, "+ {series} (series)"),
            Change::SeriesRemoved { series } => write!(f, "- {series} (series)"),
            Change::PresenceChanged { collection, field, from, to } => {
                write!(f, "~ {collection}.{field}: {from} → {to}")
            }
            Change::ValuesChanged { collection, field, added, removed } => {
                write!(f, "~ {collection}.{field}:")?;
                if !added.is_empty() {
                    write!(f, " + {}", added.join(", "))?;
                }
                if !removed.is_empty() {
                    write!(f, " - {}", removed.join(", "))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.required, self.nullable) {
            (true, false) => "required",
            (true, true) => "required, nullable",
            (false, false) => "optional",
            (false, true) => "optional, nullable",
        })
    }
}

impl Contract {
    /// Returns the changes from `self` to `other`, by collection. A renamed collection or field is
    /// one removal and one addition.
    pub fn diff(&self, other: &Contract) -> Vec<Change> {
        let old = &self.catalog.collections;
        let new = &other.catalog.collections;
        let mut changes = Vec::new();
        for before in old {
            let Some(after) = new.iter().find(|after| after.name == before.name) else {
                changes.push(Change::CollectionRemoved { collection: before.name.clone() });
                continue;
            };
            compare_collections(before, after, &mut changes);
            if let Some(before_contract) = self.collection(&before.path)
                && let Some(after_contract) = other.collection(&after.path)
            {
                compare_parameters(&before.name, before_contract, after_contract, &mut changes);
                compare_fields(&before.name, before_contract, after_contract, &mut changes);
            }
        }
        for after in new {
            if old.iter().all(|before| before.name != after.name) {
                changes.push(Change::CollectionAdded { collection: after.name.clone() });
            }
        }
        changes
    }
}

fn compare_collections(old: &Collection, new: &Collection, changes: &mut Vec<Change>) {
    let collection = &old.name;
    if old.style != new.style {
        changes.push(Change::StyleChanged {
            collection: collection.clone(),
            from: old.style,
            to: new.style,
        });
    }
    for before in &old.columns {
        let column = before.name.clone();
        match new.columns.iter().find(|after| after.name == before.name) {
            Some(after) if after.kind == before.kind => {}
            Some(after) => changes.push(Change::KindChanged {
                collection: collection.clone(),
                column,
                from: before.kind,
                to: after.kind,
            }),
            None => {
                changes.push(Change::ColumnRemoved { collection: collection.clone(), column });
            }
        }
    }
    for after in &new.columns {
        if old.columns.iter().all(|before| before.name != after.name) {
            changes.push(Change::ColumnAdded {
                collection: collection.clone(),
                column: after.name.clone(),
                kind: after.kind,
            });
        }
    }
    for before in &old.series {
        if new.series.iter().all(|after| after.name != before.name) {
            changes.push(Change::SeriesRemoved { series: before.name.clone() });
        }
    }
    for after in &new.series {
        if old.series.iter().all(|before| before.name != after.name) {
            changes.push(Change::SeriesAdded { series: after.name.clone() });
        }
    }
}

fn compare_parameters(
    collection: &str,
    old: &CollectionContract,
    new: &CollectionContract,
    changes: &mut Vec<Change>,
) {
    for (name, before) in &old.parameters {
        let collection = collection.to_owned();
        let parameter = name.clone();
        let Some(after) = find_parameter(new, name) else {
            changes.push(Change::ParameterRemoved { collection, parameter });
            continue;
        };
        if before.kind != after.kind {
            changes.push(Change::ParameterKindChanged {
                collection: collection.clone(),
                parameter: parameter.clone(),
                from: before.kind,
                to: after.kind,
            });
        }
        if before.required != after.required {
            let required = after.required;
            changes.push(Change::ParameterPresenceChanged { collection, parameter, required });
        }
    }
    for (name, _) in &new.parameters {
        if find_parameter(old, name).is_none() {
            changes.push(Change::ParameterAdded {
                collection: collection.to_owned(),
                parameter: name.clone(),
            });
        }
    }
}

fn find_parameter<'a>(contract: &'a CollectionContract, name: &str) -> Option<&'a Parameter> {
    contract.parameters.iter().find(|(other, _)| other == name).map(|(_, parameter)| parameter)
}

/// Compares the fields of both versions. Additions and removals are reported as columns and series.
fn compare_fields(
    collection: &str,
    old: &CollectionContract,
    new: &CollectionContract,
    changes: &mut Vec<Change>,
) {
    for (field, before) in &old.fields {
        let Some(after) = new.fields.get(field) else { continue };
        if before.presence != after.presence {
            changes.push(Change::PresenceChanged {
                collection: collection.to_owned(),
                field: field.clone(),
                from: before.presence,
                to: after.presence,
            });
        }
        let added = missing_values(&after.values, &before.values);
        let removed = missing_values(&before.values, &after.values);
        if !added.is_empty() || !removed.is_empty() {
            changes.push(Change::ValuesChanged {
                collection: collection.to_owned(),
                field: field.clone(),
                added,
                removed,
            });
        }
    }
}

/// Returns the values that `others` lacks.
fn missing_values(values: &[String], others: &[String]) -> Vec<String> {
    values.iter().filter(|value| !others.contains(value)).cloned().collect()
}
