//! Mutations of one good document.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use ringside::catalog::{Collection, Storage};
use ringside::time::Tz;
use serde_json::Value;

/// A mutated document.
pub struct Odd {
    pub bytes: Vec<u8>,
    pub kind: &'static str,
    pub description: String,
    /// The id under which it must be stored, if the mutation leaves one.
    pub id: Option<String>,
    /// Whether it is served in addition to the original.
    pub is_copy: bool,
    /// The top-level field with another value.
    field: Option<String>,
}

impl Odd {
    /// Whether the mutation may change the typed `column`.
    pub fn touches(&self, collection: &Collection, column: &str) -> bool {
        let Some(field) = &self.field else { return false };
        let time = collection.time;
        let names = time.day.iter().chain(time.start).chain(time.end).chain(&["timestamp"]);
        let is_time = names.copied().any(|name| name == field);
        // Samples and the row's own time come from these fields.
        let is_placed =
            column.contains('.') || ["time", "day", "utc_offset", "subsecond"].contains(&column);
        is_time && is_placed
            || column.strip_prefix(collection.table.as_str()).is_some_and(|series| {
                series.strip_prefix('.').is_some_and(|series| series.starts_with(field.as_str()))
            })
            || column.starts_with(field.as_str())
            || column == "extra"
    }
}

/// Values in place of another one: the kind, and JSON or something like it.
const VALUES: &[(&str, &[u8])] = &[
    ("type", b"\"high\""),
    ("type", b"true"),
    ("type", b"[]"),
    ("type", b"{}"),
    ("type", b"[1,{\"a\":[null]}]"),
    ("type", b"-1"),
    ("type", b"1.5"),
    ("null", b"null"),
    ("quotes", b"\"\""),
    ("quotes", b"\"85\""),
    ("quotes", b"\" 85.5 \""),
    ("quotes", b"\"NaN\""),
    ("quotes", b"\"inf\""),
    ("quotes", b"\"0x1F\""),
    ("number", b"1e999"),
    ("number", b"-1e999"),
    ("number", b"18446744073709551616"),
    ("number", b"9007199254740993"),
    ("number", b"NaN"),
    ("number", b"-Infinity"),
    ("number", b"-0.0"),
    ("number", b"007"),
    ("number", b"1e-400"),
    ("text", b"\"half \\ud83d\""),
    ("text", b"\"\\ude00 half\""),
    ("text", b"\"\\ud83d\\ud83d\\ude00\""),
    ("text", b"\"nul \\u0000 inside\""),
    ("text", b"\"\\u202e\\ufeff\""),
    ("encoding", b"\"caf\xff\""),
    ("encoding", b"\"caf\xe9\""),
    ("encoding", b"\"\xc0\xaf\xed\xa0\xbd\""),
    ("syntax", b"\"a\x01b\nc\""),
    ("syntax", b"\"bad \\q escape \\u12\""),
    ("syntax", b""),
    ("syntax", b"undefined"),
    ("syntax", b"'single'"),
    ("day", b"\"0001-01-01\""),
    ("day", b"\"9999-12-31\""),
    ("day", b"\"2026-02-30\""),
    ("day", b"\"2026-06-10\""),
    ("day", b"\"2026-06-10T12:00:00+14:00\""),
    ("day", b"\"2026-06-10 12:00:00.25\""),
    ("day", b"\"9999-12-31T23:59:59Z\""),
    ("day", b"\"1969-12-31T23:59:59.5-03:30\""),
    ("day", b"1781000000"),
    ("day", b"\"1781000000.5\""),
];

/// Returns a mutation of `good`, with a random place and kind.
pub fn mutate(good: &Value, collection: &Collection, random: &mut StdRng) -> Odd {
    let id = id_of(good, collection);
    let has_list = collection.name != "personal_info";
    match random.random_range(0..20) {
        0 if has_list => {
            let texts: [&[u8]; 5] = [b"null", b"\"text\"", b"[1,2]", b"5", b"NaN"];
            Odd::whole("not an object", texts.choose(random).unwrap().to_vec(), None)
        }
        1 if collection.storage == Storage::Documents => {
            let mut lone = good.clone();
            lone.as_object_mut().unwrap().remove("id");
            Odd {
                is_copy: has_list,
                field: Some("id".to_owned()),
                ..Odd::whole("no id", lone.to_string().into_bytes(), None)
            }
        }
        2 if has_list && good["id"].is_string() => {
            let mut twin = good.clone();
            let id = format!("{}-twin", twin["id"].as_str().unwrap());
            twin["id"] = id.clone().into();
            Odd { is_copy: true, ..Odd::whole("twin", twin.to_string().into_bytes(), Some(id)) }
        }
        3 if has_list => {
            let mut text = good.to_string().into_bytes();
            text.pop();
            text.extend(b",\"later\":1}");
            Odd {
                is_copy: true,
                field: Some("later".to_owned()),
                ..Odd::whole("same id", text, id)
            }
        }
        4 => {
            let mut text = good.to_string().into_bytes();
            text.pop();
            let field = pick_field(good, random);
            text.extend(format!(",{}:\"twice\"}}", Value::from(field.as_str())).into_bytes());
            let id = id.filter(|_| !is_key(&field));
            Odd { field: Some(field), ..Odd::whole("duplicate key", text, id) }
        }
        5 => {
            let mut text = good.to_string().into_bytes();
            text.pop();
            let extra: &[&[u8]] = &[
                b",\"\\ud83d\":1}",
                b",\"\xff\":{\"\xfe\":1}}",
                b",\"new\":[[[{\"a\":1e999}]]]}",
                b",}",
                b",\"\":null}",
            ];
            text.extend(*extra.choose(random).unwrap());
            Odd { field: Some("extra".to_owned()), ..Odd::whole("unknown field", text, id) }
        }
        _ => mutate_value(good, id, random),
    }
}

impl Odd {
    fn whole(kind: &'static str, bytes: Vec<u8>, id: Option<String>) -> Odd {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
        let description = format!("{kind}: {start}");
        Odd { bytes, kind, description, id, is_copy: false, field: None }
    }
}

fn mutate_value(good: &Value, id: Option<String>, random: &mut StdRng) -> Odd {
    let mut path = vec![pick_field(good, random)];
    while let Some(inner) = value_at(good, &path).as_object().filter(|inner| !inner.is_empty())
        && random.random_bool(0.8)
    {
        let names: Vec<&String> = inner.keys().collect();
        path.push((*names.choose(random).unwrap()).clone());
    }
    let original = value_at(good, &path);
    let (kind, value): (&'static str, Vec<u8>) = match random.random_range(0..10) {
        0 => {
            let depth = [90, 127, 128, 300, 1200, 20_000].choose(random).copied().unwrap();
            ("depth", [b"[".repeat(depth), b"]".repeat(depth)].concat())
        }
        1 => {
            let length = [300, 5_000, 17_000, 100_000, 140_000].choose(random).copied().unwrap();
            ("length", format!("\"{}\"", "é".repeat(length / 2)).into_bytes())
        }
        2 => ("length", format!("[{}0]", "1,".repeat(60_000)).into_bytes()),
        3 if original.is_number() => ("quotes", format!("\"{original}\"").into_bytes()),
        4 if original.is_array() => ("series", odd_items(original, random)),
        _ => {
            let (kind, value) = VALUES.choose(random).unwrap();
            (*kind, value.to_vec())
        }
    };
    let mut bytes = Vec::new();
    write_with(good, &path, &value, &mut bytes);
    let shown = String::from_utf8_lossy(&value[..value.len().min(60)]).into_owned();
    Odd {
        bytes,
        kind,
        description: format!("{kind}: {} = {shown}", path.join(".")),
        id: id.filter(|_| !is_key(&path[0])),
        is_copy: false,
        field: Some(path.swap_remove(0)),
    }
}

/// A list with odd values among its items.
fn odd_items(items: &Value, random: &mut StdRng) -> Vec<u8> {
    let mut items: Vec<Vec<u8>> =
        items.as_array().unwrap().iter().map(|item| item.to_string().into_bytes()).collect();
    for _ in 0..3 {
        let place = random.random_range(0..=items.len());
        let value = VALUES.choose(random).unwrap().1;
        items.insert(place, if value.is_empty() { b"null".to_vec() } else { value.to_vec() });
    }
    [b"[".to_vec(), items.join(&b','), b"]".to_vec()].concat()
}

/// Fields that are part of an identity.
fn is_key(field: &str) -> bool {
    ["id", "timestamp", "source", "set_up_at"].contains(&field)
}

fn id_of(good: &Value, collection: &Collection) -> Option<String> {
    match collection.storage {
        Storage::Documents => collection.read(good, Tz::Europe__Vienna).ok().map(|one| one.id),
        Storage::Rows => Some(super::identity(collection, good)),
    }
}

fn pick_field(good: &Value, random: &mut StdRng) -> String {
    let names: Vec<&String> = good.as_object().unwrap().keys().collect();
    (*names.choose(random).unwrap()).clone()
}

fn value_at<'a>(document: &'a Value, path: &[String]) -> &'a Value {
    path.iter().fold(document, |value, name| &value[name.as_str()])
}

/// Writes `document` with the bytes `value` at `path`.
fn write_with(document: &Value, path: &[String], value: &[u8], bytes: &mut Vec<u8>) {
    let Some((first, rest)) = path.split_first() else { return bytes.extend(value) };
    bytes.push(b'{');
    for (number, (name, field)) in document.as_object().unwrap().iter().enumerate() {
        if number > 0 {
            bytes.push(b',');
        }
        bytes.extend(format!("{}:", Value::from(name.as_str())).into_bytes());
        if name == first {
            write_with(field, rest, value, bytes);
        } else {
            bytes.extend(field.to_string().into_bytes());
        }
    }
    bytes.push(b'}');
}
