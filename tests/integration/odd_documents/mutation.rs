//! Mutations of one good document.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use ringside::catalog::{Collection, KeyRule, Storage};
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

/// The kinds of mutations.
pub const KINDS: &[&str] = &[
    "not an object",
    "no id",
    "twin",
    "same id",
    "same second",
    "duplicate key",
    "unknown field",
    "depth",
    "length",
    "series",
    "type",
    "null",
    "quotes",
    "number",
    "text",
    "encoding",
    "syntax",
    "day",
];

/// Returns a mutation of `good` of a kind, at a random place. `None` if the document has no such
/// place.
pub fn mutate(
    kind: &'static str,
    good: &Value,
    collection: &Collection,
    random: &mut StdRng,
) -> Option<Odd> {
    let id = id_of(good, collection);
    let has_list = collection.name != "personal_info";
    let is_document = collection.storage == Storage::Documents;
    match kind {
        "not an object" if has_list => {
            let texts: [&[u8]; 5] = [b"null", b"\"text\"", b"[1,2]", b"5", b"NaN"];
            Some(Odd::whole(kind, texts.choose(random)?.to_vec(), None))
        }
        "no id" if is_document && good.get("id").is_some() => {
            let mut lone = good.clone();
            lone.as_object_mut()?.remove("id");
            let bytes = lone.to_string().into_bytes();
            let field = Some("id".to_owned());
            Some(Odd { is_copy: has_list, field, ..Odd::whole(kind, bytes, None) })
        }
        "twin" if has_list && good["id"].is_string() => {
            let mut twin = good.clone();
            let id = format!("{}-twin", twin["id"].as_str()?);
            twin["id"] = id.clone().into();
            let bytes = twin.to_string().into_bytes();
            Some(Odd { is_copy: true, ..Odd::whole(kind, bytes, Some(id)) })
        }
        "same id" if has_list => {
            let bytes = with_more(good, b"\"later\":1");
            let field = Some("later".to_owned());
            Some(Odd { is_copy: true, field, ..Odd::whole(kind, bytes, id) })
        }
        "same second" if !is_document => {
            let mut later = good.clone();
            let timestamp = later["timestamp"].as_str()?;
            let (second, zone) = timestamp.split_at(19);
            let zone = zone.trim_start_matches(['.', '0']);
            later["timestamp"] = format!("{second}.25{zone}").into();
            let id = id?.replacen("|0", "|250000000", 1);
            let bytes = later.to_string().into_bytes();
            Some(Odd { is_copy: true, ..Odd::whole(kind, bytes, Some(id)) })
        }
        "duplicate key" => {
            let field = pick_field(good, random);
            let more = format!("{}:\"twice\"", Value::from(field.as_str()));
            let id = id.filter(|_| !is_key(&field, good, collection));
            let bytes = with_more(good, more.as_bytes());
            Some(Odd { field: Some(field), ..Odd::whole(kind, bytes, id) })
        }
        "unknown field" => {
            let fields: [&[u8]; 5] = [
                b"\"\\ud83d\":1",
                b"\"\xff\":{\"\xfe\":1}",
                b"\"new\":[[[{\"a\":1e999}]]]",
                b"",
                b"\"\":null",
            ];
            let bytes = with_more(good, fields.choose(random)?);
            Some(Odd { field: Some("extra".to_owned()), ..Odd::whole(kind, bytes, id) })
        }
        "not an object" | "no id" | "twin" | "same id" | "same second" => None,
        _ => mutate_value(kind, good, id, collection, random),
    }
}

/// The text of `good` with `more` before its closing brace.
fn with_more(good: &Value, more: &[u8]) -> Vec<u8> {
    let mut text = good.to_string().into_bytes();
    text.pop();
    [text.as_slice(), b",", more, b"}"].concat()
}

impl Odd {
    fn whole(kind: &'static str, bytes: Vec<u8>, id: Option<String>) -> Odd {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
        let description = format!("{kind}: {start}");
        Odd { bytes, kind, description, id, is_copy: false, field: None }
    }
}

fn mutate_value(
    kind: &'static str,
    good: &Value,
    id: Option<String>,
    collection: &Collection,
    random: &mut StdRng,
) -> Option<Odd> {
    let path = pick_path(kind, good, collection, random)?;
    let original = value_at(good, &path);
    let value: Vec<u8> = match kind {
        "depth" => {
            let depth = *[90, 127, 128, 300, 1200, 20_000].choose(random)?;
            [b"[".repeat(depth), b"]".repeat(depth)].concat()
        }
        "length" if random.random_bool(0.2) => format!("[{}0]", "1,".repeat(60_000)).into_bytes(),
        "length" => {
            let length = *[300, 5_000, 17_000, 100_000, 140_000].choose(random)?;
            format!("\"{}\"", "é".repeat(length / 2)).into_bytes()
        }
        "quotes" if original.is_number() && random.random_bool(0.5) => {
            format!("\"{original}\"").into_bytes()
        }
        "series" => odd_items(original, random),
        _ => {
            let values: Vec<&[u8]> =
                VALUES.iter().filter(|(of, _)| *of == kind).map(|(_, value)| *value).collect();
            values.choose(random)?.to_vec()
        }
    };
    let mut bytes = Vec::new();
    write_with(good, &path, &value, &mut bytes);
    let shown = String::from_utf8_lossy(&value[..value.len().min(60)]).into_owned();
    Some(Odd {
        bytes,
        kind,
        description: format!("{kind}: {} = {shown}", path.join(".")),
        id: id.filter(|_| !is_key(&path[0], good, collection)),
        is_copy: false,
        field: path.into_iter().next(),
    })
}

/// A random place for a mutation of a kind: a list for odd items, often a time for odd days, and
/// any value for others.
fn pick_path(
    kind: &str,
    good: &Value,
    collection: &Collection,
    random: &mut StdRng,
) -> Option<Vec<String>> {
    if kind == "series" {
        let mut lists = Vec::new();
        for (name, value) in good.as_object()? {
            if value.is_array() {
                lists.push(vec![name.clone()]);
            } else if value["items"].is_array() {
                lists.push(vec![name.clone(), "items".to_owned()]);
            }
        }
        return lists.choose(random).cloned();
    }
    let time = collection.time;
    let times = time.day.iter().chain(time.start).chain(time.end);
    let times: Vec<&str> = times.copied().filter(|name| good.get(*name).is_some()).collect();
    if kind == "day" && random.random_bool(0.7) {
        return Some(vec![(*times.choose(random)?).to_owned()]);
    }
    let mut path = vec![pick_field(good, random)];
    while let Some(inner) = value_at(good, &path).as_object().filter(|inner| !inner.is_empty())
        && random.random_bool(0.8)
    {
        let names: Vec<&String> = inner.keys().collect();
        path.push((*names.choose(random)?).clone());
    }
    Some(path)
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

/// Whether the identity of `good` comes from `field`.
fn is_key(field: &str, good: &Value, collection: &Collection) -> bool {
    if let KeyRule::Fields(names) = &collection.key {
        return names.contains(&field);
    }
    let time = collection.time;
    match good.get("id") {
        Some(_) => field == "id",
        None => time.day.contains(&field) || time.start.contains(&field),
    }
}

fn id_of(good: &Value, collection: &Collection) -> Option<String> {
    match collection.storage {
        Storage::Documents => {
            collection.read(good, Tz::named("Europe/Vienna")).ok().map(|one| one.id)
        }
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
