//! `catalog`: what the program knows of Oura's API, how two versions differ, and how the bundled document is made.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::catalog::{Catalog, CatalogError, Contract, reduce};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Reduce a published OpenAPI document to facts, on standard output or into a file.
    Reduce {
        input: PathBuf,
        /// The file to write; standard output without it.
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// The version to write into it; by default the one in a file name such as openapi-1.43.json.
        #[arg(long)]
        version: Option<String>,
    },
    /// Print collections, columns, units and series, of the bundled document or another.
    Show { document: Option<PathBuf> },
    /// Print what the second document has that the first has not, and the reverse: collections, fields, parameters, values, and what may
    /// be missing.
    Diff { a: PathBuf, b: PathBuf },
}

#[derive(Debug, thiserror::Error)]
pub enum CatalogCommandError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} is no description of Oura's API: {source}", path.display())]
    Document { path: PathBuf, source: CatalogError },
}

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

/// A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<(), CatalogCommandError> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CatalogCommandError::Write { path: "standard output".into(), source })
        }
        _ => Ok(()),
    }
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

/// `1.43` of `openapi-1.43.json`: Oura writes the version nowhere else.
fn version_in(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()?.strip_prefix("openapi-")
}
