//! Upgrades of the catalogue to a newer version of the API, without loss of stored data.

use super::{Catalog, Collection, Column, Kind};

/// Why a newer version is rejected. Oura has never removed more than one collection or a tenth of a
/// collection's fields at a time, so a document with more removals is damaged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// More than a quarter of the collections is missing.
    #[error("{missing} of {total} collections are missing")]
    Collections {
        /// The number of missing collections.
        missing: usize,
        /// The number of collections before.
        total: usize,
    },
    /// More than half of the fields of a collection is missing.
    #[error("{missing} of {total} fields of {collection} are missing")]
    Fields {
        /// The collection's name.
        collection: String,
        /// The number of missing fields.
        missing: usize,
        /// The number of fields before.
        total: usize,
    },
    /// Rows became documents, or the reverse.
    #[error("{collection} has another form of storage")]
    Storage {
        /// The collection's name.
        collection: String,
    },
}

impl Catalog {
    /// Merges this catalogue with the `newer` version of the API:
    ///
    /// - New collections and fields are added.
    /// - Removed collections are dropped, so that they are no longer fetched.
    /// - Removed fields are kept for the stored data.
    /// - Fields with another type get a type that covers both.
    pub fn upgrade(&self, newer: Catalog) -> Result<Catalog, UpgradeError> {
        let total = self.collections.len();
        let missing = self.collections.iter().filter(|old| newer.get(&old.name).is_none()).count();
        if missing * 4 > total {
            return Err(UpgradeError::Collections { missing, total });
        }
        let mut collections = Vec::new();
        for collection in newer.collections {
            collections.push(match self.get(&collection.name) {
                Some(old) => old.upgrade(collection)?,
                None => collection,
            });
        }
        Ok(Catalog { version: newer.version, collections })
    }
}

impl Collection {
    fn upgrade(&self, mut newer: Collection) -> Result<Collection, UpgradeError> {
        if newer.storage != self.storage {
            return Err(UpgradeError::Storage { collection: self.name.clone() });
        }
        let removed: Vec<&Column> = self
            .columns
            .iter()
            .filter(|old| newer.columns.iter().all(|column| !is_same_name(&column.name, &old.name)))
            .collect();
        if removed.len() * 2 > self.columns.len() {
            return Err(UpgradeError::Fields {
                collection: self.name.clone(),
                missing: removed.len(),
                total: self.columns.len(),
            });
        }
        for column in &mut newer.columns {
            if let Some(old) = self.columns.iter().find(|old| is_same_name(&old.name, &column.name))
            {
                column.kind = old.kind.common_kind(column.kind);
            }
        }
        newer.columns.extend(removed.into_iter().cloned());
        for old in &self.series {
            if newer.series.iter().all(|series| series.name != old.name) {
                newer.series.push(old.clone());
            }
        }
        // The primary key of an existing row table cannot change.
        newer.key = self.key.clone();
        Ok(newer)
    }
}

/// Compares column names as SQLite does, without regard to case.
fn is_same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl Kind {
    /// Returns the narrowest kind that covers the values of both.
    pub fn common_kind(self, other: Kind) -> Kind {
        use Kind::{Boolean, Integer, Json, Real};
        match (self, other) {
            (one, two) if one == two => one,
            (Json, _) | (_, Json) => Json,
            (Boolean | Integer, Boolean | Integer) => Integer,
            (Boolean | Integer | Real, Boolean | Integer | Real) => Real,
            _ => Kind::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(names: &[&str]) -> Catalog {
        let mut catalog = Catalog::bundled();
        catalog.collections.retain(|collection| !names.contains(&collection.name.as_str()));
        catalog
    }

    fn collection<'a>(catalog: &'a mut Catalog, name: &str) -> &'a mut Collection {
        catalog.collections.iter_mut().find(|collection| collection.name == name).unwrap()
    }

    #[test]
    fn collections_are_added_and_removed() {
        let upgraded = without(&["daily_stress"]).upgrade(without(&["tag"])).unwrap();
        assert!(upgraded.get("daily_stress").is_some() && upgraded.get("tag").is_none());
    }

    #[test]
    fn removed_fields_stay_and_changed_types_widen() {
        let mut newer = Catalog::bundled();
        let sleep = collection(&mut newer, "daily_sleep");
        sleep.columns.retain(|column| column.name != "contributors_timing");
        sleep.columns.iter_mut().find(|column| column.name == "score").unwrap().kind = Kind::Real;
        let upgraded = Catalog::bundled().upgrade(newer).unwrap();
        let kind = |name: &str| {
            upgraded
                .get("daily_sleep")
                .unwrap()
                .columns
                .iter()
                .find(|column| column.name == name)
                .unwrap()
                .kind
        };
        assert_eq!((kind("score"), kind("contributors_timing")), (Kind::Real, Kind::Integer));
        for (one, two, wide) in [
            (Kind::Real, Kind::Integer, Kind::Real),
            (Kind::Day, Kind::Instant, Kind::Text),
            (Kind::Integer, Kind::Text, Kind::Text),
            (Kind::Text, Kind::Json, Kind::Json),
            (Kind::Boolean, Kind::Boolean, Kind::Boolean),
        ] {
            assert_eq!((one.common_kind(two), two.common_kind(one)), (wide, wide));
        }
    }

    #[test]
    fn document_with_many_removals_is_rejected() {
        let mut few = Catalog::bundled();
        few.collections.truncate(12);
        assert!(matches!(
            Catalog::bundled().upgrade(few),
            Err(UpgradeError::Collections { total: 19, .. })
        ));
        let mut hollow = Catalog::bundled();
        collection(&mut hollow, "sleep").columns.truncate(3);
        assert!(matches!(Catalog::bundled().upgrade(hollow), Err(UpgradeError::Fields { .. })));
    }

    #[test]
    fn every_version_upgrades_from_the_previous_one() {
        let versions = ["1.23", "1.27", "1.28", "1.29", "1.34", "1.35", "1.37", "1.43"];
        let read = |version| {
            let path =
                format!("{}/tests/fixtures/openapi/{version}.json", env!("CARGO_MANIFEST_DIR"));
            Catalog::from_openapi(&std::fs::read(path).unwrap()).unwrap()
        };
        for pair in versions.windows(2) {
            read(pair[0])
                .upgrade(read(pair[1]))
                .unwrap_or_else(|error| panic!("{pair:?}: {error}"));
        }
    }
}
