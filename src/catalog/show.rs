//! Text form of the catalogue, for `gpx_oura catalog show` and the snapshot test.

use std::fmt;

use super::{Catalog, Collection, Column, Encoding, KeyRule, Series, Storage, Style, Unit};

impl Style {
    /// Describes the parameters of a request.
    pub(super) fn description(self) -> &'static str {
        match self {
            Style::Dates => "by dates",
            Style::Datetimes => "by datetimes",
            Style::TokenOnly => "without a range",
            Style::Singleton => "one object",
        }
    }
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: usize =
            self.collections.iter().map(|collection| collection.columns.len()).sum();
        let series: usize = self.collections.iter().map(|collection| collection.series.len()).sum();
        writeln!(
            f,
            "Oura API {}: {} collections, {columns} columns, {series} series",
            self.version,
            self.collections.len()
        )?;
        self.collections.iter().try_for_each(|collection| write!(f, "\n{collection}"))
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.name, self.description)?;
        write!(f, "  table {}, {}", self.table, self.style.description())?;
        if matches!(self.style, Style::Dates | Style::Datetimes) {
            write!(f, " ({} days at most)", self.max_window_days)?;
        }
        write!(f, ", {}", if self.storage == Storage::Documents { "documents" } else { "rows" })?;
        if let KeyRule::Fields(fields) = &self.key {
            write!(f, " by {}", fields.join(", "))?;
        }
        writeln!(f, ", scope {}", self.scope.unwrap_or("unknown"))?;
        self.columns.iter().try_for_each(|column| write!(f, "{column}"))?;
        self.series.iter().try_for_each(|series| write!(f, "{series}"))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentinel = self.sentinel.map(|value| format!(" ({value} is null)")).unwrap_or_default();
        row(
            f,
            &self.name,
            self.kind.sqlite_type(),
            self.unit,
            &format!("{}{sentinel}", self.description),
        )
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, codes) = match &self.encoding {
            Encoding::Sample => ("series".to_owned(), &[][..]),
            Encoding::Digits { interval, codes } => (format!("{interval} s"), *codes),
        };
        let codes: Vec<String> =
            codes.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
        let meaning =
            if codes.is_empty() { String::new() } else { format!(": {}", codes.join(", ")) };
        row(f, &self.name, &kind, self.unit, &format!("{}{meaning}", self.description))
    }
}

fn row(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    kind: &str,
    unit: Option<Unit>,
    description: &str,
) -> fmt::Result {
    let line = format!("  {name:44} {kind:9} {:17} {description}", unit.map_or("", |unit| unit.0));
    writeln!(f, "{}", line.trim_end())
}
