//! The borders of the modules, read from the imports of every file in `src/`.
//!
//! `docs/architecture.md` shows the same layers. Test code may cross a border, so `#[cfg(test)]`
//! modules and files named `tests.rs` are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules from the lowest to the highest, each with the modules that it may use.
///
/// Every module may use `BASE`. `cli` and the crate's root may use everything.
const LAYERS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("catalog", &[]),
    ("simulator", &[]),
    ("store", &["catalog"]),
    ("oura", &["catalog"]),
    ("query", &["store", "catalog"]),
    ("sync", &["oura", "store", "catalog"]),
    ("frames", &["query", "store", "catalog"]),
    ("lake", &["frames", "oura", "store", "catalog"]),
    ("datasource", &["sync", "query", "oura", "store", "catalog", "simulator"]),
    ("api", &["datasource", "frames", "sync", "query", "oura", "store", "catalog"]),
    ("doors", &["api", "datasource", "oura"]),
    (
        "plugin",
        &["doors", "api", "datasource", "frames", "sync", "query", "oura", "store", "catalog"],
    ),
];

/// Small modules without a layer.
const BASE: &[&str] =
    &["os", "time", "blocking", "format", "error_source", "held_body", "memory", "sql"];

/// External crates that only some modules may name, by path prefixes below `src/`.
const CRATE_USERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store/", "datasource/vault"]),
    (
        "reqwest",
        &[
            "oura/",
            "datasource/",
            "lake/storage.rs",
            "plugin/settings.rs",
            "cli/",
            "simulator/visitor.rs",
        ],
    ),
    ("tonic", &["plugin/"]),
    ("axum", &["api/", "cli/", "doors/", "plugin/", "simulator/"]),
    ("tokio_rustls", &["doors/", "oura/network_error.rs", "cli/serve/server.rs"]),
    ("webpki_roots", &["doors/tls.rs"]),
    ("arrow", &["store/", "query/", "frames/", "lake/", "plugin/host.rs", "cli/"]),
    ("clap", &["cli/"]),
    ("sqlparser", &["query/"]),
    ("oauth2", &["oura/"]),
    ("object_store", &["lake/storage.rs"]),
];

#[test]
fn modules_use_only_lower_layers() {
    let mut violations = Vec::new();
    for (file, code) in sources() {
        let Some(module) = top_module(&file) else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else { continue };
        for used in crate_modules(&code) {
            if used != module && !BASE.contains(&used.as_str()) && !allowed.contains(&used.as_str())
            {
                violations.push(format!("{} uses crate::{used}", file.display()));
            }
        }
    }
    assert!(violations.is_empty(), "imports against the layers:\n{}", violations.join("\n"));
}

#[test]
fn layers_list_every_module() {
    let known: BTreeSet<&str> =
        LAYERS.iter().map(|(name, _)| *name).chain(BASE.iter().copied()).collect();
    let unknown: BTreeSet<String> = sources()
        .iter()
        .filter_map(|(file, _)| top_module(file))
        .filter(|module| !known.contains(module.as_str()))
        .filter(|module| !["cli", "lib", "main"].contains(&module.as_str()))
        .collect();
    assert!(unknown.is_empty(), "add these modules to LAYERS: {unknown:?}");
}

#[test]
fn external_crates_stay_in_their_modules() {
    let mut violations = Vec::new();
    for (file, code) in sources() {
        let path = file.to_string_lossy().replace('\\', "/");
        for (name, users) in CRATE_USERS {
            let is_user = users.iter().any(|user| path.starts_with(user));
            if !is_user && paths(&code).any(|path| path.first().is_some_and(|root| root == name)) {
                violations.push(format!("{path} uses {name}"));
            }
        }
    }
    assert!(violations.is_empty(), "crates outside of their modules:\n{}", violations.join("\n"));
}

#[test]
fn timestamps_are_parsed_in_one_place() {
    let elsewhere: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(file, code)| !file.ends_with("time.rs") && code.contains("parse_from_"))
        .map(|(file, _)| file)
        .collect();
    assert!(elsewhere.is_empty(), "only src/time.rs parses timestamps: {elsewhere:?}");
}

/// The files of the frontend with their code in lower case, tests included.
fn frontend_sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("frontend/src")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "ts" || kind == "tsx") {
                let code = fs::read_to_string(&path).unwrap().to_lowercase();
                sources.push((path, code));
            }
        }
    }
    assert!(sources.len() > 30, "{} files", sources.len());
    sources
}

/// React escapes texts from data. Only these properties and methods would not.
#[test]
fn texts_are_never_rendered_as_html() {
    const RAW: [&str; 5] =
        ["innerhtml", "outerhtml", "insertadjacenthtml", "document.write", "rendermarkdown"];
    for (path, code) in frontend_sources() {
        let raw = RAW.iter().find(|name| code.contains(*name));
        assert_eq!(raw, None, "{}", path.display());
    }
}

/// The login is a redirect: a page of another site has no window to talk to.
#[test]
fn windows_exchange_no_messages() {
    const MESSAGES: [&str; 4] = ["postmessage", "onmessage", "messagechannel", "window.opener"];
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/serve/pages");
    let pages = fs::read_dir(pages).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = pages
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap().to_lowercase()))
        .collect();
    assert!(!pages.is_empty());
    for (path, code) in frontend_sources().into_iter().chain(pages) {
        let message = MESSAGES.iter().find(|name| code.contains(*name));
        assert_eq!(message, None, "{}", path.display());
    }
}

#[test]
fn files_of_a_module_import_each_other_without_a_circle() {
    let sources = sources();
    let mut circles = Vec::new();
    for folder in folders(&sources) {
        let edges = sibling_imports(&folder, &sources);
        for file in edges.keys() {
            if let Some(circle) = circle_through(file, &edges) {
                circles.push(format!("{}: {}", folder.display(), circle.join(" → ")));
                break;
            }
        }
    }
    assert!(
        circles.is_empty(),
        "files that import each other in a circle:\n{}",
        circles.join("\n")
    );
}

/// Every file below `src/` by its relative path, without comments and test modules.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut test_files = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let code = fs::read_to_string(&path).unwrap();
                let file = path.strip_prefix(&root).unwrap().to_owned();
                test_files
                    .extend(test_modules(&code).map(|name| file.with_file_name(name + ".rs")));
                files.push((file, without_tests(&code)));
            }
        }
    }
    files.retain(|(file, _)| !test_files.contains(file));
    files.sort();
    assert!(files.len() > 50, "found only {} files", files.len());
    files
}

/// Names in declarations of the form `#[cfg(test)] mod name;`.
fn test_modules(code: &str) -> impl Iterator<Item = String> {
    code.split("#[cfg(test)]").skip(1).filter_map(|item| {
        let name = item.trim_start().strip_prefix("mod ")?.split(';').next()?;
        name.chars().all(|char| char.is_alphanumeric() || char == '_').then(|| name.to_owned())
    })
}

/// Removes comments, and the modules and declarations behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut rest = code.as_str();
    let mut kept = String::new();
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let end = match (item.find('{'), item.find(';')) {
            (Some(brace), Some(semicolon)) if semicolon < brace => semicolon + 1,
            (Some(brace), _) => brace + closing_brace(&item[brace..]) + 1,
            (None, Some(semicolon)) => semicolon + 1,
            (None, None) => item.len(),
        };
        rest = &item[end..];
    }
    kept.push_str(rest);
    kept
}

/// The offset of the brace that closes the first one of `code`.
fn closing_brace(code: &str) -> usize {
    let mut depth = 0;
    for (at, char) in code.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    code.len() - 1
}

/// The module that a file belongs to: its folder, or its own name.
fn top_module(file: &Path) -> Option<String> {
    let first = file.iter().next()?.to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// Names of the crate's own modules that `code` mentions.
fn crate_modules(code: &str) -> BTreeSet<String> {
    paths(code)
        .filter(|path| path.len() > 1 && path[0] == "crate")
        .map(|path| path[1].clone())
        .filter(|name| name.starts_with(|char: char| char.is_ascii_lowercase()))
        .collect()
}

/// Every path in `code` with its braces expanded: `a::{b, c::D}` gives `a::b` and `a::c::D`.
fn paths(code: &str) -> impl Iterator<Item = Vec<String>> {
    let mut found = Vec::new();
    let mut prefixes: Vec<Vec<String>> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut is_continued = false;
    for token in tokens(code) {
        match token.as_str() {
            "::" => is_continued = true,
            "{" if is_continued => {
                prefixes.push(std::mem::take(&mut path));
                is_continued = false;
            }
            word if word.starts_with(|char: char| char.is_alphabetic() || char == '_') => {
                if !is_continued && !path.is_empty() {
                    found.push(std::mem::take(&mut path));
                }
                if path.is_empty() {
                    path = prefixes.last().cloned().unwrap_or_default();
                }
                path.push(word.to_owned());
                is_continued = false;
            }
            other => {
                if !path.is_empty() {
                    found.push(std::mem::take(&mut path));
                }
                if other == "}" {
                    prefixes.pop();
                } else if other == "{" {
                    // A block: names inside it have no prefix.
                    prefixes.push(Vec::new());
                }
                is_continued = false;
            }
        }
    }
    found.into_iter()
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_alphabetic() || char == '_' {
            let mut word = String::from(char);
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            tokens.push(word);
        } else if char == ':' && chars.next_if_eq(&':').is_some() {
            tokens.push("::".to_owned());
        } else if !char.is_whitespace() {
            tokens.push(char.to_string());
        }
    }
    tokens
}

/// Folders with a module file: `src/store` for `src/store/mod.rs` or `src/store.rs`.
fn folders(sources: &[(PathBuf, String)]) -> BTreeSet<PathBuf> {
    sources.iter().filter_map(|(file, _)| file.parent()).map(Path::to_owned).collect()
}

/// For each file of `folder`, the names of the sibling files that it imports.
///
/// An import through the module file counts as an import of the file that defines the name.
fn sibling_imports(
    folder: &Path,
    sources: &[(PathBuf, String)],
) -> BTreeMap<String, BTreeSet<String>> {
    let siblings: BTreeMap<String, &str> = sources
        .iter()
        .filter(|(file, _)| file.parent() == Some(folder) && !file.ends_with("mod.rs"))
        .map(|(file, code)| {
            (file.file_stem().unwrap().to_string_lossy().into_owned(), code.as_str())
        })
        .collect();
    let module_file = sources
        .iter()
        .find(|(file, _)| *file == folder.join("mod.rs") || *file == folder.with_extension("rs"));
    let exports = module_file.map(|(_, code)| exports(code, &siblings)).unwrap_or_default();
    let here: Vec<String> = std::iter::once("crate".to_owned())
        .chain(folder.iter().map(|part| part.to_string_lossy().into_owned()))
        .collect();
    let imports = |name: &str, code: &str| {
        paths(code)
            .filter_map(|path| {
                let rest = match path.strip_prefix(here.as_slice()) {
                    Some(rest) => rest.first()?,
                    None if path[0] == "super" => path.get(1)?,
                    None => return None,
                };
                let target = exports.get(rest).unwrap_or(rest).clone();
                (target != name && siblings.contains_key(&target)).then_some(target)
            })
            .collect()
    };
    siblings.iter().map(|(name, code)| (name.clone(), imports(name, code))).collect()
}

/// Names that a module file re-exports or imports, with the sibling that defines each.
fn exports(code: &str, siblings: &BTreeMap<String, &str>) -> BTreeMap<String, String> {
    paths(code)
        .filter(|path| path.len() > 1 && siblings.contains_key(&path[path.len() - 2]))
        .map(|path| (path[path.len() - 1].clone(), path[path.len() - 2].clone()))
        .collect()
}

/// The files on a way from `start` back to itself.
fn circle_through(start: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in &edges[way.last()?] {
            if next == start {
                return Some([way, vec![start.to_owned()]].concat());
            }
            if seen.insert(next.clone()) {
                ways.push([way.clone(), vec![next.clone()]].concat());
            }
        }
    }
    None
}
