//! The origin of an error, as Grafana classifies it.

use serde::Serialize;

/// The party at fault for an error, as Grafana's metrics and alerts count it.
///
/// The names and their meaning are those of `errorSource` in Grafana's plugin protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub enum ErrorSource {
    /// The caller's mistake, a limit of the operator, or a failure at Oura.
    Downstream,
    /// A failure of this plugin, for example an unreadable database file.
    Plugin,
}

impl ErrorSource {
    /// Returns the name that Grafana's protocol uses: `downstream` or `plugin`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorSource::Downstream => "downstream",
            ErrorSource::Plugin => "plugin",
        }
    }
}
