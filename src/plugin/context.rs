//! The caller and the data source of a call, from the context that Grafana sends with it.

use std::sync::Arc;

use grafana_plugin_sdk::pluginv2::PluginContext;

use super::startup::{Startup, Unavailable};
use crate::api::{ApiError, Caller, Role, Target};
use crate::datasource::{DataSource, DataSourceError, DataSourceKey, InvalidUid, Settings};
use crate::oura::Secret;

/// The reason that a call has no usable data source.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("the call contains no data source")]
    NoDatasource,
    #[error(transparent)]
    Uid(#[from] InvalidUid),
    #[error("invalid data source settings: {0}")]
    Settings(#[source] serde_json::Error),
    #[error(transparent)]
    Unavailable(#[from] Arc<Unavailable>),
    #[error(transparent)]
    DataSource(#[from] DataSourceError),
}

impl From<ContextError> for ApiError {
    fn from(error: ContextError) -> ApiError {
        let message = error.to_string();
        match &error {
            ContextError::NoDatasource => {
                ApiError::new(400, "no_datasource", message, "Call a data source, not the plugin.")
            }
            ContextError::Uid(_) => {
                ApiError::new(400, "bad_uid", message, "Give the data source another uid.")
            }
            ContextError::Settings(_) => ApiError::new(
                400,
                "bad_settings",
                message,
                "Save the data source's settings again.",
            ),
            ContextError::DataSource(error) => ApiError::from(error),
            ContextError::Unavailable(reason) => match reason.as_ref() {
                Unavailable::DataSources(error) => ApiError::from(error),
                Unavailable::Settings(_) => ApiError::new(
                    503,
                    "operator_settings",
                    message,
                    "Correct the setting in Grafana's configuration, and restart Grafana.",
                ),
                Unavailable::Panicked => {
                    ApiError::new(503, "not_opened", message, "Restart Grafana.")
                }
            },
        }
    }
}

/// Opens the data source of a call.
pub async fn datasource(
    startup: &Startup,
    context: Option<&PluginContext>,
) -> Result<DataSource, ContextError> {
    Ok(target(startup, context).await?.open().await?)
}

/// Returns the data source of a call without opening it.
pub async fn target(
    startup: &Startup,
    context: Option<&PluginContext>,
) -> Result<Target, ContextError> {
    let (key, settings, client_secret) = parse_settings(context)?;
    let datasources = startup.datasources().await?;
    Ok(Target { datasources, key, settings, client_secret })
}

fn parse_settings(
    context: Option<&PluginContext>,
) -> Result<(DataSourceKey, Settings, Secret), ContextError> {
    let context = context.ok_or(ContextError::NoDatasource)?;
    let instance =
        context.data_source_instance_settings.as_ref().ok_or(ContextError::NoDatasource)?;
    let key = DataSourceKey::new(context.org_id, &instance.uid)?;
    let settings = match instance.json_data.as_slice() {
        b"" | b"null" => Settings::default(),
        json => serde_json::from_slice(json).map_err(ContextError::Settings)?,
    };
    let client_secret =
        instance.decrypted_secure_json_data.get("clientSecret").cloned().unwrap_or_default();
    Ok((key, settings, Secret::new(client_secret)))
}

/// Returns the caller of a resource. Only the role Admin changes anything; all others read.
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
    fn only_the_role_admin_is_an_admin() {
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
    fn context_has_key_settings_and_secret() {
        let (key, settings, secret) =
            parse_settings(Some(&context(r#"{"clientId":"id","unknown":1}"#, None))).unwrap();
        assert_eq!(
            (key.to_string().as_str(), settings.client_id.as_str(), secret.reveal()),
            ("2/oura", "id", "s3cret")
        );
    }

    #[test]
    fn invalid_settings_are_reported() {
        assert!(matches!(parse_settings(None), Err(ContextError::NoDatasource)));
        assert!(matches!(
            parse_settings(Some(&PluginContext::default())),
            Err(ContextError::NoDatasource)
        ));
        let error = parse_settings(Some(&context(r#"{"collections":7}"#, None))).unwrap_err();
        assert!(error.to_string().contains("invalid type"), "{error}");
        assert!(parse_settings(Some(&context("", None))).is_ok());
    }
}
