//! The files that a power failure leaves.

use std::collections::BTreeMap;
use std::path::Path;

use rand::Rng;
use rand::rngs::StdRng;

use super::recorder::Operation;

/// A disk writes whole sectors.
const SECTOR: usize = 512;

/// The fate of changes that no sync has made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// No such change reached the disk.
    Lost,
    /// All of them did: the process ended, the machine did not.
    Kept,
    /// Some sectors of some of them did, in any order.
    Torn,
}

pub const FATES: [Unsynced; 3] = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn];

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Returns the files after the power failed behind `operations` on the files in `durable`.
pub fn after_cut(
    mut durable: Files,
    operations: &[Operation],
    fate: Unsynced,
    random: &mut StdRng,
) -> Files {
    let mut unsynced: Vec<&Operation> = Vec::new();
    for operation in operations {
        match operation {
            Operation::Sync { file } => {
                let (synced, others): (Vec<_>, Vec<_>) =
                    unsynced.into_iter().partition(|operation| changed_file(operation) == file);
                synced.into_iter().for_each(|operation| apply(&mut durable, operation));
                unsynced = others;
            }
            // File systems order the entries of a folder.
            Operation::Delete { file } => {
                unsynced.retain(|operation| changed_file(operation) != file);
                durable.remove(file);
            }
            change => unsynced.push(change),
        }
    }
    for operation in unsynced {
        match fate {
            Unsynced::Lost => {}
            Unsynced::Kept => apply(&mut durable, operation),
            Unsynced::Torn => apply_torn(&mut durable, operation, random),
        }
    }
    durable
}

fn changed_file(operation: &Operation) -> &String {
    match operation {
        Operation::Write { file, .. }
        | Operation::Truncate { file, .. }
        | Operation::Sync { file }
        | Operation::Delete { file } => file,
    }
}

fn apply(files: &mut Files, operation: &Operation) {
    match operation {
        Operation::Write { file, offset, bytes } => {
            let content = files.entry(file.clone()).or_default();
            content.resize(content.len().max(offset + bytes.len()), 0);
            content[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        Operation::Truncate { file, length } => {
            files.entry(file.clone()).or_default().resize(*length, 0);
        }
        Operation::Delete { .. } | Operation::Sync { .. } => {}
    }
}

/// Applies a random half of the change, by the sectors of the disk.
fn apply_torn(files: &mut Files, operation: &Operation, random: &mut StdRng) {
    let Operation::Write { file, offset, bytes } = operation else {
        if random.random() {
            apply(files, operation);
        }
        return;
    };
    let mut at = 0;
    while at < bytes.len() {
        let next = bytes.len().min(((offset + at) / SECTOR + 1) * SECTOR - offset);
        if random.random() {
            let part = bytes[at..next].to_vec();
            let part = Operation::Write { file: file.clone(), offset: offset + at, bytes: part };
            apply(files, &part);
        }
        at = next;
    }
}

/// Writes `files` into a folder, in the place of former ones.
pub fn write_files(files: &Files, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
}
