//! Who asks, and about which data source: what Grafana sends with every call.

use std::sync::Arc;

use grafana_plugin_sdk::pluginv2::PluginContext;

use super::startup::{Startup, Unavailable};
use crate::api::{ApiError, Caller, Role};
use crate::datasource::{DataSource, DataSourceError, DataSourceKey, InvalidUid, Settings};
use crate::oura::Secret;

/// Why a call gets no data source.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("this call is about no data source")]
    NoDatasource,
    #[error(transparent)]
    Uid(#[from] InvalidUid),
    #[error("the data source's settings cannot be read: {0}")]
    Settings(#[source] serde_json::Error),
    #[error(transparent)]
    Unavailable(#[from] Arc<Unavailable>),
    #[error(transparent)]
    DataSource(#[from] DataSourceError),
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let message = refusal.to_string();
        match &refusal {
            Refusal::NoDatasource => {
                ApiError::new(400, "no_datasource", message, "Ask a data source, not the plugin.")
            }
            Refusal::Uid(_) => {
                ApiError::new(400, "bad_uid", message, "Give the data source another uid.")
            }
            Refusal::Settings(_) => ApiError::new(
                400,
                "bad_settings",
                message,
                "Save the data source's settings again.",
            ),
            Refusal::DataSource(error) => ApiError::from(error),
            Refusal::Unavailable(reason) => match reason.as_ref() {
                Unavailable::DataSources(error) => ApiError::from(error),
                Unavailable::Settings(_) => ApiError::new(
                    503,
                    "operator_settings",
                    message,
                    "Correct it in Grafana's configuration and restart Grafana.",
                ),
                Unavailable::Panicked => {
                    ApiError::new(503, "not_opened", message, "Restart Grafana.")
                }
            },
        }
    }
}

/// The data source that `context` is about.
pub async fn datasource(
    startup: &Startup,
    context: Option<&PluginContext>,
) -> Result<DataSource, Refusal> {
    let (key, settings, client_secret) = settings_of(context)?;
    Ok(startup.datasources().await?.datasource(&key, &settings, &client_secret).await?)
}

fn settings_of(
    context: Option<&PluginContext>,
) -> Result<(DataSourceKey, Settings, Secret), Refusal> {
    let context = context.ok_or(Refusal::NoDatasource)?;
    let instance = context.data_source_instance_settings.as_ref().ok_or(Refusal::NoDatasource)?;
    let key = DataSourceKey::new(context.org_id, &instance.uid)?;
    let settings = match instance.json_data.as_slice() {
        b"" | b"null" => Settings::default(),
        json => serde_json::from_slice(json).map_err(Refusal::Settings)?,
    };
    let client_secret =
        instance.decrypted_secure_json_data.get("clientSecret").cloned().unwrap_or_default();
    Ok((key, settings, Secret::new(client_secret)))
}

/// The caller of a resource. Whoever is not an admin of the organisation only reads; a role that is not known here is no admin.
pub fn caller(context: Option<&PluginContext>) -> Caller {
    let user = context.and_then(|context| context.user.as_ref());
    let role = match user.map(|user| user.role.as_str()) {
        Some("Admin") => Role::Admin,
        _ => Role::Reader,
    };
    Caller { user: user.map(|user| user.login.clone()).unwrap_or_default(), role }
}

#[cfg(test)]
mod tests {
    use grafana_plugin_sdk::pluginv2::{DataSourceInstanceSettings, User};

    use super::*;

    fn context(json_data: &str, role: Option<&str>) -> PluginContext {
        PluginContext {
            org_id: 2,
            user: role.map(|role| User {
                login: "ann".to_owned(),
                role: role.to_owned(),
                ..User::default()
            }),
            data_source_instance_settings: Some(DataSourceInstanceSettings {
                uid: "oura".to_owned(),
                json_data: json_data.as_bytes().to_vec(),
                decrypted_secure_json_data: [("clientSecret".to_owned(), "s3cret".to_owned())]
                    .into(),
                ..DataSourceInstanceSettings::default()
            }),
            ..PluginContext::default()
        }
    }

    #[test]
    fn only_an_admin_of_the_organisation_may_change_anything() {
        let role = |role| caller(Some(&context("{}", role))).role;
        assert_eq!(role(Some("Admin")), Role::Admin);
        for other in
            [Some("Viewer"), Some("Editor"), Some("None"), Some("Grafana Admin"), Some(""), None]
        {
            assert_eq!(role(other), Role::Reader);
        }
        assert_eq!(caller(None).role, Role::Reader);
    }

    #[test]
    fn a_data_source_is_found_by_organisation_and_uid() {
        let (key, settings, secret) =
            settings_of(Some(&context(r#"{"clientId":"id","unknown":1}"#, None))).unwrap();
        assert_eq!(
            (key.to_string().as_str(), settings.client_id.as_str(), secret.reveal()),
            ("2/oura", "id", "s3cret")
        );
    }

    #[test]
    fn a_call_without_usable_settings_says_what_is_wrong_with_them() {
        assert!(matches!(settings_of(None), Err(Refusal::NoDatasource)));
        assert!(matches!(settings_of(Some(&PluginContext::default())), Err(Refusal::NoDatasource)));
        let error = settings_of(Some(&context(r#"{"collections":7}"#, None))).unwrap_err();
        assert!(error.to_string().contains("invalid type"), "{error}");
        assert!(settings_of(Some(&context("", None))).is_ok());
    }
}
