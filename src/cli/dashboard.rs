//! The queries of a provisioned dashboard, as its panels send them.

use serde_json::Value;

use super::Failure;

/// The dashboard that is provisioned first.
pub const OVERVIEW: &str = include_str!("../../provisioning/dashboards/oura-overview.json");

/// One query of one panel.
#[derive(Clone, Debug)]
pub struct Target {
    pub panel: String,
    pub query: Value,
}

/// Every SQL query of `dashboard`, in panel order, rows opened.
pub fn targets(dashboard: &str) -> Result<Vec<Target>, Failure> {
    let dashboard: Value = serde_json::from_str(dashboard)?;
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    if found.is_empty() {
        return Err("the dashboard has no queries".into());
    }
    Ok(found)
}

fn collect(container: &Value, found: &mut Vec<Target>) {
    for panel in container["panels"].as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten().filter(|target| target["rawSql"].is_string()) {
            found.push(Target { panel: title.to_owned(), query: target.clone() });
        }
        collect(panel, found);
    }
}
