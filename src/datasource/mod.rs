//! Data sources: login, syncs and queries, without a protocol.
//!
//! `api`, `plugin` and `cli` use this module through [`DataSources`], the registry, and
//! [`DataSource`], a handle on three parts:
//!
//! | part | file | sees |
//! |---|---|---|
//! | login | `login.rs` | vault, OAuth, tokens, pending logins, person check |
//! | syncs | `sync_control.rs` | store, client, schedule |
//! | queries | `queries.rs` | engine, counters, notices |
//!
//! The files of this module do not import each other in cycles, which a test checks.

mod data_source;
mod demo;
mod environment;
mod error;
mod folder_lock;
mod gaps;
mod key;
mod login;
mod measures;
mod notice;
mod queries;
mod registry;
mod rotation;
pub(crate) mod settings;
pub mod specification;
mod status;
mod sync_control;
pub mod vault;

pub use crate::store::Trigger;
pub use crate::sync::Progress;
pub use data_source::DataSource;
pub use environment::Environment;
pub use error::DataSourceError;
pub use key::{DataSourceKey, InvalidUid};
#[cfg(test)]
pub(crate) use login::SealedGrant;
pub use login::{ConnectionState, LoginStart, PendingLogin, StoredLogin, stored_login};
pub use measures::Measures;
pub use registry::DataSources;
pub use rotation::rotate_vault;
pub use settings::Settings;
pub use status::{CollectionStatus, Status};
pub use sync_control::{Backfill, SyncStatus};

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    /// The files of this module, each with the files that it imports, without their tests.
    fn read_imports(folder: &Path, prefix: &str, imports: &mut BTreeMap<String, BTreeSet<String>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_stem().unwrap().to_str().unwrap());
            if path.is_dir() {
                read_imports(&path, &format!("{name}::"), imports);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let starts = [("super::", prefix), ("crate::datasource::", ""), ("self::", "")];
            let found = starts.iter().flat_map(|(start, parent)| {
                let parent =
                    if *start == "self::" { format!("{name}::") } else { (*parent).into() };
                code.split(start).skip(1).map(move |rest| format!("{parent}{}", first_path(rest)))
            });
            imports.insert(name.clone(), found.collect());
        }
    }

    /// The path at the start of `text`: `vault::error::VaultError` of `vault::error::VaultError;`.
    fn first_path(text: &str) -> &str {
        let is_end = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
        text.split(is_end).next().unwrap()
    }

    /// The file that contains the item at `path`.
    fn file_of<'a>(path: &str, files: &'a BTreeMap<String, BTreeSet<String>>) -> Option<&'a str> {
        let is_in = |file: &&String| {
            path.strip_prefix(file.as_str()).is_some_and(|r| r.is_empty() || r.starts_with("::"))
        };
        files.keys().filter(is_in).max_by_key(|file| file.len()).map(String::as_str)
    }

    #[test]
    fn files_do_not_import_each_other_in_cycles() {
        let mut imports = BTreeMap::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/datasource");
        read_imports(&folder, "", &mut imports);
        imports.remove("mod");
        assert!(file_of("vault::error::VaultError", &imports) == Some("vault::error"));
        // Removes the files with removed imports only. A cycle remains.
        let mut remaining: BTreeMap<&str, BTreeSet<&str>> = imports
            .iter()
            .map(|(file, paths)| {
                let files = paths.iter().filter_map(|path| file_of(path, &imports));
                (file.as_str(), files.filter(|other| other != file).collect())
            })
            .collect();
        assert!(remaining["data_source"].contains("login"));
        loop {
            let before: BTreeSet<&str> = remaining.keys().copied().collect();
            remaining.retain(|_, files| files.iter().any(|file| before.contains(file)));
            if remaining.len() == before.len() {
                break;
            }
        }
        assert!(remaining.is_empty(), "{remaining:#?}");
    }
}
