//! The caller and the data source of a call, from the context that Grafana sends with it.

use std::sync::Arc;

use grafana_plugin_sdk::pluginv2::PluginContext;

use super::startup::{Startup, Unavailable};
use crate::api::{ApiError, Caller, Role, Target};
use crate::datasource::{DataSource, DataSourceError, DataSourceKey, InvalidKey, Settings};
use crate::doors::{Cap, Door, Reached};
use crate::oura::Secret;

/// The reason that a call has no usable data source.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    #[error("the call contains no data source")]
    NoDatasource,
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error("no data source {0} is granted to this Grafana")]
    NotGranted(DataSourceKey),
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
            ContextError::NotGranted(_) => ApiError::new(
                403,
                "not_granted",
                message,
                "Grant it at the owner with `gpx_oura token grant`, and log in to Oura on the \
                 Grafana that it belongs to.",
            ),
            ContextError::Key(_) => {
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

/// The context of a call and, at an owner, the door that it came through.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The data source and the user, as Grafana sends them.
    pub context: Option<&'a PluginContext>,
    /// The Grafana of the call. `None` for the Grafana that started this process.
    pub door: Option<&'a Door>,
}

/// A data source of a call, and whether the call may only read it.
struct Reach {
    target: Target,
    is_read_only: bool,
}

/// Opens the data source of a call.
pub async fn datasource(startup: &Startup, call: Call<'_>) -> Result<DataSource, ContextError> {
    Ok(target(startup, call).await?.open().await?)
}

/// Returns the data source of a call without opening it.
pub async fn target(startup: &Startup, call: Call<'_>) -> Result<Target, ContextError> {
    Ok(reach(startup, call).await?.target)
}

/// Opens the data source of a call. Also returns whether the call may only read it.
pub async fn datasource_and_rights(
    startup: &Startup,
    call: Call<'_>,
) -> Result<(DataSource, bool), ContextError> {
    let Reach { target, is_read_only } = reach(startup, call).await?;
    Ok((target.open().await?, is_read_only))
}

async fn reach(startup: &Startup, call: Call<'_>) -> Result<Reach, ContextError> {
    let (local, settings, client_secret) = parse_settings(call.context)?;
    let datasources = startup.datasources().await?;
    let (key, is_read_only) = match call.door.map(|door| door.reach(&local)).transpose()? {
        None => (local.clone(), false),
        Some(Reached::Own(key)) => (key, call.door.is_some_and(|door| door.cap == Cap::Reader)),
        Some(Reached::Granted(key)) => (key, true),
    };
    if !is_read_only {
        return Ok(Reach {
            target: Target { datasources, key, settings, client_secret },
            is_read_only,
        });
    }
    // The settings of a reader must not replace those of the Grafana with the login.
    let stored = datasources.stored_settings(&key)?;
    let (settings, client_secret) = stored.ok_or(ContextError::NotGranted(local))?;
    Ok(Reach { target: Target { datasources, key, settings, client_secret }, is_read_only })
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

/// Returns the caller of a resource. Only the role Admin changes anything; all others read. Behind
/// a door, the owner's word counts: a granted data source, and any behind a reader door, is only
/// read.
pub fn caller(call: Call<'_>) -> Caller {
    let user = call.context.and_then(|context| context.user.as_ref());
    let is_admin = user.is_some_and(|user| user.role == "Admin");
    let may_change = call.door.is_none_or(|door| {
        let local = parse_settings(call.context).map(|(local, ..)| local);
        let is_own = local.is_ok_and(|local| matches!(door.reach(&local), Ok(Reached::Own(_))));
        door.cap == Cap::Admin && is_own
    });
    let role = if is_admin && may_change { Role::Admin } else { Role::Reader };
    Caller { user: user.map(|user| user.login.clone()).unwrap_or_default(), role }
}

#[cfg(test)]
mod tests {
    use grafana_plugin_sdk::pluginv2::{DataSourceInstanceSettings, User};

    use super::*;

    fn direct(context: Option<&PluginContext>) -> Call<'_> {
        Call { context, door: None }
    }

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
        let role = |role| caller(direct(Some(&context("{}", role)))).role;
        assert_eq!(role(Some("Admin")), Role::Admin);
        for other in
            [Some("Viewer"), Some("Editor"), Some("None"), Some("Grafana Admin"), Some(""), None]
        {
            assert_eq!(role(other), Role::Reader);
        }
        assert_eq!(caller(direct(None)).role, Role::Reader);
    }

    #[test]
    fn behind_a_reader_door_or_a_grant_every_caller_is_a_reader() {
        let door = |cap, grants: &[(&str, &str)]| Door {
            name: "home".to_owned(),
            cap,
            grants: grants
                .iter()
                .map(|(local, key)| (local.parse().unwrap(), key.parse().unwrap()))
                .collect(),
        };
        let context = context("{}", Some("Admin"));
        for (door, expected) in [
            (door(Cap::Admin, &[]), Role::Admin),
            (door(Cap::Admin, &[("2/other", "lab/1/oura")]), Role::Admin),
            (door(Cap::Admin, &[("2/oura", "lab/1/oura")]), Role::Reader),
            (door(Cap::Reader, &[]), Role::Reader),
        ] {
            let call = Call { context: Some(&context), door: Some(&door) };
            assert_eq!(caller(call).role, expected, "{door:?}");
        }
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
