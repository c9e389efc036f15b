//! The queries of the provisioned dashboards, as panels, annotations and variables send them.

use serde_json::Value;

use super::Failure;

/// Every provisioned dashboard as JSON, in the order of the links on top of each dashboard.
pub const DASHBOARDS: [&str; 9] = [
    include_str!("../../provisioning/dashboards/oura-today.json"),
    OVERVIEW,
    include_str!("../../provisioning/dashboards/oura-sleep.json"),
    include_str!("../../provisioning/dashboards/oura-night.json"),
    include_str!("../../provisioning/dashboards/oura-heart.json"),
    include_str!("../../provisioning/dashboards/oura-activity.json"),
    include_str!("../../provisioning/dashboards/oura-stress.json"),
    include_str!("../../provisioning/dashboards/oura-insights.json"),
    include_str!("../../provisioning/dashboards/oura-data.json"),
];

/// The overview dashboard.
pub const OVERVIEW: &str = include_str!("../../provisioning/dashboards/oura-overview.json");

/// One query of one panel, annotation or variable.
#[derive(Clone, Debug)]
pub struct Target {
    /// The title of the panel, or the name of the annotation or variable.
    pub panel: String,
    /// The query as Grafana saves it, with the default values of the dashboard's variables.
    pub query: Value,
}

/// Returns the title of `dashboard`.
pub fn title(dashboard: &str) -> Result<String, Failure> {
    let dashboard: Value = serde_json::from_str(dashboard)?;
    Ok(dashboard["title"].as_str().unwrap_or_default().to_owned())
}

/// Returns the queries of `dashboard` for this data source: first those of panels, also inside
/// rows, then those of annotations and variables.
pub fn targets(dashboard: &str) -> Result<Vec<Target>, Failure> {
    let dashboard: Value = serde_json::from_str(dashboard)?;
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    for annotation in list(&dashboard["annotations"]["list"]) {
        found.extend(target(&annotation["name"], &annotation["target"]));
    }
    for variable in list(&dashboard["templating"]["list"]) {
        found.extend(target(&variable["name"], &variable["query"]));
    }
    if found.is_empty() {
        return Err("the dashboard contains no queries".into());
    }
    for variable in list(&dashboard["templating"]["list"]) {
        let name = variable["name"].as_str().unwrap_or_default();
        if let Some(value) = variable["current"]["value"].as_str() {
            found.iter_mut().for_each(|target| replace(&mut target.query, name, value));
        }
    }
    Ok(found)
}

/// Replaces `$name` in every text of `query`.
fn replace(query: &mut Value, name: &str, value: &str) {
    match query {
        Value::String(text) => *text = text.replace(&format!("${name}"), value),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, name, value)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| replace(field, name, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect(container: &Value, found: &mut Vec<Target>) {
    for panel in list(&container["panels"]) {
        found.extend(list(&panel["targets"]).filter_map(|query| target(&panel["title"], query)));
        collect(panel, found);
    }
}

fn list(values: &Value) -> impl Iterator<Item = &Value> {
    values.as_array().into_iter().flatten()
}

/// Returns `None` for a query of another data source, such as Grafana's own annotations.
fn target(title: &Value, query: &Value) -> Option<Target> {
    let is_ours = query["rawSql"].is_string() || query["queryType"].is_string();
    is_ours.then(|| Target {
        panel: title.as_str().unwrap_or_default().to_owned(),
        query: query.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_of_a_dashboard_is_found() {
        let query =
            |sql: &str| serde_json::json!({ "refId": "A", "queryType": "sql", "rawSql": sql });
        let dashboard = serde_json::json!({
            "panels": [
                {
                    "title": "Sleep",
                    "targets": [query("1"), { "queryType": "metrics", "metrics": ["days.steps"] }],
                },
                { "title": "A row", "panels": [{ "title": "Inside", "targets": [query("2")] }] },
            ],
            "annotations": { "list": [
                { "builtIn": 1, "name": "Grafana's" },
                { "name": "Workouts", "target": query("3") },
            ] },
            "templating": { "list": [
                { "name": "datasource", "type": "datasource", "query": "ringside-oura-datasource" },
                { "name": "kind", "type": "query", "query": query("4") },
            ] },
        });
        let found: Vec<String> = targets(&dashboard.to_string())
            .unwrap()
            .into_iter()
            .map(|target| target.panel)
            .collect();
        assert_eq!(found, ["Sleep", "Sleep", "Inside", "Workouts", "kind"]);
    }

    #[test]
    fn provisioned_dashboards_contain_no_variable_without_a_value() {
        for dashboard in DASHBOARDS {
            for Target { panel, query } in targets(dashboard).unwrap() {
                let sql = query["rawSql"].as_str().unwrap_or_default().replace("$__", "");
                let every = query["every"].as_str().unwrap_or_default();
                assert!(!sql.contains('$') && !every.contains('$'), "{panel}: {sql} {every}");
            }
        }
    }
}
