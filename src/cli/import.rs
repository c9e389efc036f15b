//! `import`: the database of an earlier export, with its history, revisions and coverage, or the ZIP
//! file of Oura's account page.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::Failure;
use super::local::Folder;
use super::output::stdout;
use crate::catalog::Catalog;
use crate::datasource::{DataSources, Environment, specification};
use crate::format::grouped;
use crate::oura::{AccountExport, Origins};
use crate::plugin::{ENCRYPTION_KEY, key_from};
use crate::store::{self, Store};
use crate::time::{Clock, Tz};

/// The first bytes of a ZIP file.
const ZIP_HEADER: [u8; 4] = *b"PK\x03\x04";

#[derive(Args, Debug)]
pub struct ImportArgs {
    #[command(flatten)]
    folder: Folder,
    /// A SQLite file of `gpx_oura export` or GET export, or the ZIP file of Oura's account page
    file: PathBuf,
}

pub async fn run(args: ImportArgs) -> Result<(), Failure> {
    let Folder { data_dir, datasource } = args.folder;
    let environment = Environment {
        encryption_key: key_from(ENCRYPTION_KEY),
        ..Environment::at(&data_dir, Origins::oura())?
    };
    // Locks the folder, so that no other process has the database open.
    let datasources = DataSources::open(environment)?;
    let zone = match datasources.stored_settings(&datasource)? {
        Some((settings, _)) => settings.timezone.parse().unwrap_or(Tz::UTC),
        None => Tz::UTC,
    };
    let catalog = specification::catalog(&data_dir, Arc::new(Catalog::bundled()));
    let to = datasource.database(&data_dir);
    let imported = if has_zip_header(&args.file) {
        store::import_with(&to, |copy| import_account(&args.file, copy, catalog, zone))
    } else {
        store::import(&args.file, &to).map_err(Failure::from).map(|imported| {
            format!(
                "{} documents and the coverage of {} days are imported",
                grouped(imported.documents),
                grouped(imported.days)
            )
        })
    };
    datasources.shutdown().await;
    writeln!(stdout(), "{}. Start Grafana or gpx_oura serve, and connect to Oura.", imported?)?;
    Ok(())
}

fn has_zip_header(path: &Path) -> bool {
    let mut header = [0; 4];
    // Another way to read it reports why a file cannot be read.
    File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_ok()
        && header == ZIP_HEADER
}

/// Creates the database `to` with the documents of an account's export. Returns a summary.
fn import_account(
    zip: &Path,
    to: &Path,
    catalog: Arc<Catalog>,
    zone: Tz,
) -> Result<String, Failure> {
    let mut export = AccountExport::open(zip)?;
    let files = export.files(&catalog)?;
    let store = Store::open(to, Arc::clone(&catalog), zone)?;
    let now = Clock::system().now();
    let mut total = 0;
    for file in files {
        let Some(collection) = file.collection.as_ref().and_then(|name| catalog.get(name)) else {
            eprintln!("{}: skipped, because Oura's API has no such collection", file.name);
            continue;
        };
        let mut documents = 0;
        let mut faulty = 0;
        export.read(&file, collection, |part| -> Result<(), Failure> {
            let stats = store.writer().add_documents(&collection.name, part, now)?;
            documents += stats.documents;
            faulty += stats.faulty;
            Ok(())
        })?;
        eprintln!("{}: {documents} documents of {}", file.name, collection.name);
        if faulty > 0 {
            eprintln!("{}: {faulty} of them could not be read completely", file.name);
        }
        total += documents;
    }
    store.writer().rebuild()?;
    drop(store);
    if total == 0 {
        return Err(io::Error::other("the export contains no data").into());
    }
    Ok(format!("{} documents are imported", grouped(total)))
}
