//! From one version to the next: what a newer document may change without loss, and when it is not to be believed.

use super::{Catalog, Collection, Column, Kind};

/// Why a newer document is not used. Oura has never taken away more than one collection or a tenth of a collection's fields at a time:
/// a document that does is damaged, or another thing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    #[error("{gone} of {known} collections are missing")]
    Collections { gone: usize, known: usize },
    #[error("{gone} of {known} fields of {collection} are missing")]
    Fields { collection: String, gone: usize, known: usize },
    /// Rows cannot become documents, nor the reverse.
    #[error("{collection} is of another shape")]
    Shape { collection: String },
}

impl Catalog {
    /// What to work with once `newer` is published. New collections and fields are there; a field that is gone stays for what is stored;
    /// a field of another type becomes wide enough for both; a collection that is gone is asked for no more.
    pub fn succeeded_by(&self, newer: Catalog) -> Result<Catalog, Loss> {
        let known = self.collections.len();
        let gone = self.collections.iter().filter(|old| newer.get(&old.name).is_none()).count();
        if gone * 4 > known {
            return Err(Loss::Collections { gone, known });
        }
        let collections =
            newer.collections.into_iter().map(|collection| match self.get(&collection.name) {
                Some(old) => old.succeeded_by(collection),
                None => Ok(collection),
            });
        Ok(Catalog { version: newer.version, collections: collections.collect::<Result<_, _>>()? })
    }
}

impl Collection {
    fn succeeded_by(&self, mut newer: Collection) -> Result<Collection, Loss> {
        if newer.storage != self.storage {
            return Err(Loss::Shape { collection: self.name.clone() });
        }
        let gone: Vec<&Column> = self
            .columns
            .iter()
            .filter(|old| newer.columns.iter().all(|column| !same(&column.name, &old.name)))
            .collect();
        if gone.len() * 2 > self.columns.len() {
            return Err(Loss::Fields {
                collection: self.name.clone(),
                gone: gone.len(),
                known: self.columns.len(),
            });
        }
        for column in &mut newer.columns {
            if let Some(old) = self.columns.iter().find(|old| same(&old.name, &column.name)) {
                column.kind = old.kind.wide_enough_for(column.kind);
            }
        }
        newer.columns.extend(gone.into_iter().cloned());
        let series = self
            .series
            .iter()
            .filter(|old| newer.series.iter().all(|series| series.name != old.name))
            .cloned();
        let series: Vec<_> = series.collect();
        newer.series.extend(series);
        // A row table is built on its key.
        newer.key = self.key.clone();
        Ok(newer)
    }
}

/// SQLite's names are the same in any capitals.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl Kind {
    /// The narrowest kind that holds the values of both.
    pub fn wide_enough_for(self, other: Kind) -> Kind {
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

    fn of<'a>(catalog: &'a mut Catalog, name: &str) -> &'a mut Collection {
        catalog.collections.iter_mut().find(|collection| collection.name == name).unwrap()
    }

    #[test]
    fn a_new_collection_is_taken_and_one_that_is_gone_is_asked_for_no_more() {
        let successor = without(&["daily_stress"]).succeeded_by(without(&["tag"])).unwrap();
        assert!(successor.get("daily_stress").is_some() && successor.get("tag").is_none());
    }

    #[test]
    fn a_field_that_is_gone_stays_and_one_of_another_type_becomes_wide_enough() {
        let mut newer = Catalog::bundled();
        let sleep = of(&mut newer, "daily_sleep");
        sleep.columns.retain(|column| column.name != "contributors_timing");
        sleep.columns.iter_mut().find(|column| column.name == "score").unwrap().kind = Kind::Real;
        let successor = Catalog::bundled().succeeded_by(newer).unwrap();
        let kind = |name: &str| {
            successor
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
            assert_eq!((one.wide_enough_for(two), two.wide_enough_for(one)), (wide, wide));
        }
    }

    #[test]
    fn a_document_that_loses_too_much_is_not_believed() {
        let mut few = Catalog::bundled();
        few.collections.truncate(12);
        assert!(matches!(
            Catalog::bundled().succeeded_by(few),
            Err(Loss::Collections { known: 19, .. })
        ));
        let mut hollow = Catalog::bundled();
        of(&mut hollow, "sleep").columns.truncate(3);
        assert!(matches!(Catalog::bundled().succeeded_by(hollow), Err(Loss::Fields { .. })));
    }

    #[test]
    fn every_known_version_can_follow_the_one_before() {
        let versions = ["1.23", "1.27", "1.28", "1.29", "1.34", "1.35", "1.37", "1.43"];
        let read = |version| {
            let path =
                format!("{}/tests/fixtures/openapi/{version}.json", env!("CARGO_MANIFEST_DIR"));
            Catalog::from_openapi(&std::fs::read(path).unwrap()).unwrap()
        };
        for pair in versions.windows(2) {
            read(pair[0])
                .succeeded_by(read(pair[1]))
                .unwrap_or_else(|loss| panic!("{pair:?}: {loss}"));
        }
    }
}
