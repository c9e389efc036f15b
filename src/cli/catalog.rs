//! `catalog`: shows a description of Oura's API, compares two of them, or reduces a published one
//! to the bundled form.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::output::stdout;
use crate::catalog::{Catalog, CatalogError, Contract, reduce};

#[derive(Debug, clap::Subcommand)]
#[expect(missing_docs, reason = "clap would show the comment in the help")]
pub enum Command {
    /// Reduce a published OpenAPI document to the bundled form
    Reduce {
        /// The published document
        input: PathBuf,
        /// The file to write [default: standard output]
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// The version to write [default: that of a file name such as openapi-1.43.json]
        #[arg(long)]
        version: Option<String>,
    },
    /// Print collections, columns, units and series
    Show {
        /// An OpenAPI document [default: the bundled one]
        document: Option<PathBuf>,
    },
    /// Print the differences between two documents
    Diff {
        /// The first document
        a: PathBuf,
        /// The second document
        b: PathBuf,
    },
}

/// A failed `catalog` command.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant describes it")]
pub enum CatalogCommandError {
    #[error("could not read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("could not write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} is not a description of Oura's API: {source}", path.display())]
    Document { path: PathBuf, source: CatalogError },
}

/// Runs one of the commands.
pub fn run(command: Command) -> Result<(), CatalogCommandError> {
    match command {
        Command::Reduce { input, output, version } => {
            let version = version.as_deref().or_else(|| version_in(&input));
            let reduced = reduce(&read(&input)?, version)
                .map_err(|source| CatalogCommandError::Document { path: input.clone(), source })?;
            match output {
                Some(path) => std::fs::write(&path, reduced)
                    .map_err(|source| CatalogCommandError::Write { path, source }),
                None => print(&String::from_utf8_lossy(&reduced)),
            }
        }
        Command::Show { document } => {
            print(&document.as_deref().map_or_else(|| Ok(Catalog::bundled()), open)?.to_string())
        }
        Command::Diff { a, b } => {
            let changes: String = contract(&a)?
                .diff(&contract(&b)?)
                .iter()
                .map(|change| format!("{change}\n"))
                .collect();
            print(if changes.is_empty() { "no differences\n" } else { &changes })
        }
    }
}

fn print(text: &str) -> Result<(), CatalogCommandError> {
    stdout()
        .write_all(text.as_bytes())
        .map_err(|source| CatalogCommandError::Write { path: "standard output".into(), source })
}

fn open(path: &Path) -> Result<Catalog, CatalogCommandError> {
    let mut catalog = Catalog::from_openapi(&read(path)?)
        .map_err(|source| CatalogCommandError::Document { path: path.to_owned(), source })?;
    if let Some(version) = version_in(path) {
        catalog.version = version.to_owned();
    }
    Ok(catalog)
}

fn contract(path: &Path) -> Result<Contract, CatalogCommandError> {
    Contract::from_openapi(&read(path)?)
        .map_err(|source| CatalogCommandError::Document { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Vec<u8>, CatalogCommandError> {
    std::fs::read(path)
        .map_err(|source| CatalogCommandError::Read { path: path.to_owned(), source })
}

/// Returns `1.43` for `openapi-1.43.json`. Oura states the version only in the file name.
fn version_in(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()?.strip_prefix("openapi-")
}
