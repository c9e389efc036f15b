//! `forget`: revokes the login of a data source and erases its data.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::Failure;
use super::output::stdout;
use crate::datasource::{DataSourceKey, DataSources, Environment};
use crate::lake::Owner;
use crate::oura::Origins;
use crate::plugin::{ENCRYPTION_KEY, key_from};

#[derive(Args, Debug)]
pub struct ForgetArgs {
    /// The data folder. Grafana's is named ringside-oura-datasource-data
    #[arg(long, env = "RINGSIDE_DATA_DIR", default_value = "ringside-data")]
    data_dir: PathBuf,
    /// Organization and uid of the data source, as in its folder's path
    #[arg(value_name = "ORG/UID")]
    datasource: DataSourceKey,
    /// Origin of Oura's API and login, for a simulator or a proxy
    #[arg(long, env = "GF_PLUGIN_OURA_URL", value_parser = crate::plugin::origin)]
    oura_url: Option<Url>,
    /// The lake that has a copy: a folder, or s3://bucket/prefix
    #[arg(long, env = "RINGSIDE_LAKE", value_name = "PLACE")]
    lake: Option<String>,
}

pub async fn run(args: ForgetArgs) -> Result<(), Failure> {
    if !args.data_dir.is_dir() {
        return Err(format!("{} does not exist; set --data-dir", args.data_dir.display()).into());
    }
    let origins = args.oura_url.as_ref().map_or_else(Origins::oura, Origins::at);
    let environment = Environment {
        encryption_key: key_from(ENCRYPTION_KEY),
        ..Environment::at(&args.data_dir, origins)?
    };
    let datasources = DataSources::open(environment)?;
    let forgotten = datasources.forget(&args.datasource).await?;
    datasources.shutdown().await;
    let login = match forgotten.revoked {
        None => "no login was stored".to_owned(),
        Some(Ok(())) => "its login is revoked".to_owned(),
        Some(Err(reason)) => format!(
            "its login could not be revoked ({reason}): remove the application's access on Oura's \
             page, or wait until it expires"
        ),
    };
    writeln!(stdout(), "{}: all data is erased, and {login}", args.datasource)?;
    forget_in_lake(&args).await
}

/// Removes the data source from the lake, or prints the command that does.
async fn forget_in_lake(args: &ForgetArgs) -> Result<(), Failure> {
    let ForgetArgs { data_dir, datasource, lake, .. } = args;
    if !Owner::exists(data_dir) {
        return Ok(());
    }
    let command = format!("gpx_oura lake forget {datasource} --data-dir {}", data_dir.display());
    match lake.as_deref().filter(|place| !place.trim().is_empty()) {
        Some(place) => {
            let removed = super::lake::forget(data_dir, place, datasource).await;
            removed.map_err(|error| {
                format!(
                    "{datasource} may still be in the lake: {error}. Afterwards run `{command} \
                     --lake {place}`"
                )
                .into()
            })
        }
        None => Ok(writeln!(
            stdout(),
            "{datasource}: a lake of this data folder still contains it. Run `{command} --lake \
             PLACE`"
        )?),
    }
}
