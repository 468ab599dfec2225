//! Any type that serde writes and reads goes through a file and comes back, and what does not fit is refused with its key path.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::fmt::Debug;
use std::net::IpAddr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use sopskit::{Document, EncryptedDocument, Error, ErrorKind, Format, MAX_DEPTH, Map, Value};
use support::{FIXTURES, RELEASES, identities, read, recipients};

// ---------------------------------------------------------------------------------------------------------- helpers

/// Files are objects, so a value of another kind is put under a key.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Holder<T> {
    it: T,
}

#[track_caller]
fn through_a_file<T: Serialize, U: DeserializeOwned>(value: &T) -> Result<U, Error> {
    let text = sopskit::encrypt(value, &recipients(&["alice"])).unwrap();
    sopskit::decrypt(text.as_bytes(), &identities("alice"))
}

#[track_caller]
fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let holder = Holder { it: value };
    let back: Holder<T> = through_a_file(&holder).unwrap_or_else(|error| panic!("{holder:?}: {error}"));
    assert_eq!(back, holder);
}

/// The value comes back, and stands in the plaintext as serde_json writes it.
#[track_caller]
fn assert_as_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, json: &serde_json::Value) {
    assert_eq!(serde_json::to_value(&value).unwrap(), *json, "the test is wrong");
    assert_eq!(plaintext(&Holder { it: &value }), json!({ "it": json }));
    assert_round_trip(value);
}

#[track_caller]
fn document(value: &impl Serialize) -> Document {
    Document::from_serialize(value, &recipients(&["alice"])).unwrap()
}

/// The plaintext of a document of this value, as serde_json reads it.
#[track_caller]
fn plaintext(value: &impl Serialize) -> serde_json::Value {
    serde_json::from_slice(&document(value).to_bytes(Format::Json).unwrap()).unwrap()
}

fn document_of(json: &str) -> Document {
    Document::new(Format::Json.parse(json.as_bytes()).unwrap(), &recipients(&["alice"])).unwrap()
}

/// How a document of this JSON, read as a `T`, fails.
#[track_caller]
fn mismatch<T: DeserializeOwned>(json: &str) -> Error {
    match document_of(json).deserialize::<T>() {
        Err(error) => error,
        Ok(_) => panic!("{json} was read"),
    }
}

#[track_caller]
fn assert_mismatch<T: DeserializeOwned>(json: &str, path: &str, says: &[&str]) {
    let error = mismatch::<T>(json);
    assert_eq!((error.kind(), error.path().to_string().as_str()), (ErrorKind::TypeMismatch, path), "{json}: {error}");
    for part in says {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

#[track_caller]
fn assert_unwritable(value: &(impl Serialize + ?Sized), kind: ErrorKind, path: &str) {
    let Err(error) = sopskit::encrypt(value, &recipients(&["alice"])) else { panic!("it was written") };
    assert_eq!((error.kind(), error.path().to_string().as_str()), (kind, path), "{error}");
}

#[track_caller]
fn assert_silent(error: &Error, secret: &str) {
    let shown = format!("{error} {error:?} {error:#?} {:?}", std::error::Error::source(error).map(ToString::to_string));
    assert!(!shown.contains(secret), "{shown}");
}

// ------------------------------------------------------------------------------------------------------- what comes back

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Database {
    host: String,
    port: u16,
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replicas: Vec<Database>,
}

#[test]
fn a_configuration_comes_back_as_it_was() {
    let replica = Database { host: "replica".to_owned(), port: 0, ..Database::default() };
    let database = Database {
        host: "\u{1f512} \"db\"\n".to_owned(),
        port: u16::MAX,
        password: Some(String::new()),
        replicas: vec![replica],
    };
    let json = json!({ "host": "\u{1f512} \"db\"\n", "port": 65535, "password": "", "replicas": [{ "host": "replica", "port": 0, "password": null }] });
    assert_eq!(plaintext(&database), json);
    assert_eq!(through_a_file::<_, Database>(&database).unwrap(), database);
    assert_as_json(database, &json);
}

#[test]
fn a_file_on_disk_is_read_as_a_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db.enc.json");
    let database = Database { host: "db".to_owned(), port: 5432, ..Database::default() };
    sopskit::replace_file(&path, sopskit::encrypt(&database, &recipients(&["bob"])).unwrap().as_bytes()).unwrap();
    assert_eq!(sopskit::decrypt_file::<Database>(&path, &identities("bob")).unwrap(), database);
    let error = sopskit::decrypt_file::<Holder<u8>>(&path, &identities("bob")).unwrap_err();
    assert_eq!((error.kind(), error.file()), (ErrorKind::TypeMismatch, Some(path.as_path())));
}

#[test]
fn an_option_is_null_or_its_value() {
    assert_as_json(None::<u8>, &json!(null));
    assert_as_json(Some(7_u8), &json!(7));
    assert_as_json(Some(String::new()), &json!(""));
    assert_as_json(vec![Some(false), None], &json!([false, null]));
    let absent: Holder<Option<u8>> = document_of("{}").deserialize().unwrap();
    assert_eq!(absent.it, None);
    let present: Option<Holder<u8>> = through_a_file(&Some(Holder { it: 1_u8 })).unwrap();
    assert_eq!(present, Some(Holder { it: 1 }));
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Shape {
    Unit,
    Newtype(u32),
    Tuple(i8, String),
    Struct { side: f64, name: Option<String> },
    Nested(Box<Shape>),
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Untagged {
    Flag(bool),
    Number(i64),
    Fraction(f64),
    Words(Vec<String>),
    Text(String),
    Struct { a: u8 },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type")]
enum Internal {
    Unit,
    Newtype(Database),
    Struct { n: u64, x: f32, on: bool },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Newtype(u8),
    Tuple(u8, char),
    Struct { a: Option<u8> },
}

#[test]
fn an_enum_comes_back_in_each_of_its_shapes() {
    assert_as_json(Shape::Unit, &json!("Unit"));
    assert_as_json(Shape::Newtype(1), &json!({ "Newtype": 1 }));
    assert_as_json(Shape::Tuple(-1, "a".to_owned()), &json!({ "Tuple": [-1, "a"] }));
    assert_as_json(Shape::Struct { side: 0.5, name: None }, &json!({ "Struct": { "side": 0.5, "name": null } }));
    let nested = Shape::Nested(Box::new(Shape::Nested(Box::new(Shape::Unit))));
    assert_as_json(nested, &json!({ "Nested": { "Nested": "Unit" } }));
    let top: Shape = through_a_file(&Shape::Struct { side: 1.0, name: Some("x".to_owned()) }).unwrap();
    assert_eq!(top, Shape::Struct { side: 1.0, name: Some("x".to_owned()) });
}

#[test]
fn an_enum_without_tags_comes_back() {
    for value in [
        Untagged::Flag(true),
        Untagged::Number(i64::MIN),
        Untagged::Fraction(-1.25),
        Untagged::Words(vec!["a".to_owned(), String::new()]),
        Untagged::Text("true".to_owned()),
        Untagged::Struct { a: 255 },
    ] {
        let json = serde_json::to_value(&value).unwrap();
        assert_as_json(value, &json);
    }
}

#[test]
fn an_enum_tagged_inside_or_beside_comes_back() {
    for value in [
        Internal::Unit,
        Internal::Newtype(Database { host: "h".to_owned(), port: 1, password: None, replicas: Vec::new() }),
        Internal::Struct { n: 1 << 62, x: 0.5, on: false },
    ] {
        let json = serde_json::to_value(&value).unwrap();
        assert_as_json(value, &json);
    }
    for value in [Adjacent::Unit, Adjacent::Newtype(0), Adjacent::Tuple(1, '\u{1f512}'), Adjacent::Struct { a: None }] {
        let json = serde_json::to_value(&value).unwrap();
        assert_as_json(value, &json);
    }
}

#[derive(Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
enum Name {
    First,
    Second,
}

#[derive(Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct Id(u32);

#[test]
fn keys_that_are_no_strings_are_spelled_as_json_spells_them() {
    assert_as_json(
        BTreeMap::from([(-5_i32, "a"), (7, "b")].map(|(key, value)| (key, value.to_owned()))),
        &json!({ "-5": "a", "7": "b" }),
    );
    assert_as_json(BTreeMap::from([(true, 1), (false, 2)]), &json!({ "true": 1, "false": 2 }));
    assert_as_json(BTreeMap::from([(Name::First, 1), (Name::Second, 2)]), &json!({ "First": 1, "Second": 2 }));
    assert_as_json(BTreeMap::from([(Id(9), 1)]), &json!({ "9": 1 }));
    assert_as_json(BTreeMap::from([('\u{e9}', 1), ('"', 2)]), &json!({ "\u{e9}": 1, "\"": 2 }));
    assert_as_json(HashMap::from([(String::new(), ())]), &json!({ "": null }));
    assert_round_trip(BTreeMap::from([(i64::MIN, i64::MAX), (i64::MAX, i64::MIN)]));
}

#[test]
fn an_integer_key_may_be_of_any_size_since_it_is_a_string_in_the_file() {
    assert_as_json(BTreeMap::from([(u64::MAX, 1)]), &json!({ "18446744073709551615": 1 }));
    assert_round_trip(BTreeMap::from([(i128::MIN, 1), (i128::MAX, 2)]));
    assert_round_trip(BTreeMap::from([(u128::MAX, 1)]));
}

#[test]
fn a_key_that_is_no_string_number_or_flag_is_refused() {
    assert_unwritable(&Holder { it: BTreeMap::from([(vec![1], 1)]) }, ErrorKind::TypeMismatch, r#"["it"]"#);
    assert_unwritable(&Holder { it: BTreeMap::from([((), 1)]) }, ErrorKind::TypeMismatch, r#"["it"]"#);
    assert_mismatch::<Holder<BTreeMap<u8, u8>>>(r#"{"it": {"256": 1}}"#, r#"["it"]["256"]"#, &[]);
    assert_mismatch::<Holder<BTreeMap<bool, u8>>>(r#"{"it": {"yes": 1}}"#, r#"["it"]["yes"]"#, &[]);
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Pair(u8, String);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Newtype(Vec<Option<Id2>>);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Id2(i64);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct UnitStruct;

#[test]
fn tuples_newtypes_units_and_characters_come_back() {
    assert_as_json((1, "a".to_owned(), [true, false], ('x',)), &json!([1, "a", [true, false], ["x"]]));
    assert_as_json(Pair(1, "b".to_owned()), &json!([1, "b"]));
    assert_as_json(Newtype(vec![None, Some(Id2(-1))]), &json!([null, -1]));
    assert_as_json((), &json!(null));
    assert_as_json(UnitStruct, &json!(null));
    assert_as_json('\u{1f512}', &json!("\u{1f512}"));
    assert_as_json('\0', &json!("\0"));
    assert_as_json::<[u8; 0]>([], &json!([]));
    assert_as_json(BTreeMap::<String, u8>::new(), &json!({}));
    assert_as_json(Box::new([String::new()]), &json!([""]));
    assert_as_json("::1".parse::<IpAddr>().unwrap(), &json!("::1"));
    assert_as_json(std::time::Duration::new(3, 7), &json!({ "secs": 3, "nanos": 7 }));
    assert_as_json(Ok::<u8, String>(1), &json!({ "Ok": 1 }));
}

#[test]
fn bytes_come_back() {
    assert_as_json(vec![0_u8, 127, 255], &json!([0, 127, 255]));
    assert_as_json(CString::new([1, 128, 255]).unwrap(), &json!([1, 128, 255]));
    let from_text: Holder<CString> = document_of(r#"{"it": "text"}"#).deserialize().unwrap();
    assert_eq!(from_text.it.to_bytes(), b"text");
    assert_mismatch::<Holder<Vec<u8>>>(r#"{"it": [1, 256]}"#, r#"["it"][1]"#, &["u8"]);
}

#[test]
fn integers_come_back_at_their_edges() {
    assert_as_json(i64::MIN, &json!(i64::MIN));
    assert_as_json(i64::MAX, &json!(i64::MAX));
    assert_as_json(
        (i8::MIN, i16::MIN, i32::MIN, u8::MAX, u16::MAX, u32::MAX),
        &json!([-128, -32768, i32::MIN, 255, 65535, u32::MAX]),
    );
    assert_as_json(i64::MAX.unsigned_abs(), &json!(i64::MAX));
    assert_round_trip(i128::from(i64::MIN));
    assert_round_trip(u128::from(i64::MAX.unsigned_abs()));
    assert_round_trip(-(1_i64 << 53) - 1);
}

#[test]
fn an_integer_outside_64_bits_is_refused_with_its_path() {
    let too_large = 1_u64 << 63;
    assert_unwritable(&Holder { it: too_large }, ErrorKind::NumberNotExact, r#"["it"]"#);
    assert_unwritable(&Holder { it: u64::MAX }, ErrorKind::NumberNotExact, r#"["it"]"#);
    assert_unwritable(&Holder { it: i128::from(i64::MIN) - 1 }, ErrorKind::NumberNotExact, r#"["it"]"#);
    assert_unwritable(&Holder { it: u128::MAX }, ErrorKind::NumberNotExact, r#"["it"]"#);
    assert_unwritable(&json!({ "a": [1, { "b": too_large }] }), ErrorKind::NumberNotExact, r#"["a"][1]["b"]"#);
    assert_unwritable(&Holder { it: (1, too_large) }, ErrorKind::NumberNotExact, r#"["it"][1]"#);
}

#[test]
fn what_an_enum_holds_is_refused_with_a_path_that_names_the_variant() {
    #[derive(Serialize)]
    enum Big {
        Newtype(u64),
        Tuple(u8, u64),
        Struct { n: u64 },
    }
    let kind = ErrorKind::NumberNotExact;
    assert_unwritable(&Holder { it: Big::Newtype(u64::MAX) }, kind, r#"["it"]["Newtype"]"#);
    assert_unwritable(&Holder { it: Big::Tuple(1, u64::MAX) }, kind, r#"["it"]["Tuple"][1]"#);
    assert_unwritable(&Holder { it: Big::Struct { n: u64::MAX } }, kind, r#"["it"]["Struct"]["n"]"#);

    assert_mismatch::<Holder<Shape>>(r#"{"it": {"Newtype": "x"}}"#, r#"["it"]["Newtype"]"#, &[]);
    assert_mismatch::<Holder<Shape>>(r#"{"it": {"Tuple": [1, 2]}}"#, r#"["it"]["Tuple"][1]"#, &[]);
    assert_mismatch::<Holder<Shape>>(r#"{"it": {"Struct": {"side": "x"}}}"#, r#"["it"]["Struct"]["side"]"#, &[]);
}

#[test]
#[allow(clippy::excessive_precision, reason = "the digits of the float, all of them")]
fn floats_come_back_to_the_bit() {
    for number in [
        0.1,
        -1.5,
        1.0,
        0.1 + 0.2,
        1e21,
        1e-7,
        5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        f64::EPSILON,
        9_007_199_254_740_993.0,
        1e15 + 0.25,
        900_719_925_474_099.25,
        9_223_372_036_854_775_808.0,
    ] {
        let back: Holder<f64> = through_a_file(&Holder { it: number }).unwrap();
        assert_eq!(back.it.to_bits(), number.to_bits(), "{number}");
    }
    for number in [0.1_f32, 16_777_216.0, f32::MAX, f32::MIN_POSITIVE, 1e-45, -3.402_823_3e38, 8.589_973e9] {
        let back: Holder<f32> = through_a_file(&Holder { it: number }).unwrap();
        assert_eq!(back.it.to_bits(), number.to_bits(), "{number}");
    }
    assert_eq!(plaintext(&Holder { it: 0.1_f32 }), json!({ "it": 0.1 }));
    let zero: Holder<f64> = through_a_file(&Holder { it: -0.0_f64 }).unwrap();
    assert!(zero.it == 0.0 && zero.it.is_sign_negative());
}

#[test]
#[allow(clippy::excessive_precision, reason = "the digits of the float, all of them")]
fn a_float_halfway_between_two_decimals_opens_as_sops_sealed_it() {
    // Sealed by sops 3.13.2 from {"sealed": 900719925474099.2}; the float is …99.25, and the upper decimal would give another MAC.
    const SEALED: &str = r##"{
  "sealed": "ENC[AES256_GCM,data:cUeLDFNZVoV2GNDCa/SJVzE=,iv:NT7NTL7gXN2qGU9A9R3RwgR8nlXeBSLPFg58zj26aT8=,tag:LgeEsLxhpNQNfHHCBgIzBw==,type:float]",
  "sops": {
    "age": [
      {
        "enc": "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBsZFkvZzRDZ1VTc2RvNGlh\nc1FLRlhmQUJEQjNuSVF3Mk5FNFY0ZDFkRjFrCllyT0hmUmlDYWliUlYwWjhGeXF0\nNS9tUzFOS09HRm9TMjdlNk81NTltSmsKLS0tIGNvczBpV0JzRU9uVUpSdGUweUhu\nODhld0wwaGE3Y1JjNmVqaFU1VkRMSEkKkvVZHGirloIch+2pzzMjHqamBPLp26x1\n404cF94KHNIA+noTWGaQjJ3QyCg/HsvX1yJu1OV/oOIogFDiAYPyiQ==\n-----END AGE ENCRYPTED FILE-----\n",
        "recipient": "age1w7873r7u6vgwnvm3rx5jmsc2eeahce2wce5w94d04r5qu0y6nyysemjf6a"
      }
    ],
    "lastmodified": "2026-11-23T23:32:38Z",
    "mac": "ENC[AES256_GCM,data:9gM3zlV2uyVinxT65krf9cnCS4+pmzTr6E7yj+5GIPRQJRaNRebU3yJS+EEHXwJ3NgI7T5sWxEMHm8mbw/qy9wYcLKIhV0JyaT78KrsMBMsqdig/+lJZtDpJlQkUUxWRqRK0DKW48LrRpXW89RwO76yj5XUFCz0iufCVRPX3Fxg=,iv:9t6stCl3W7DsHPXZVkcxgk1j7pJuFGZhr2Pt3n/chrw=,tag:O31jPpPfdl5kj6W28UyhWA==,type:str]",
    "unencrypted_suffix": "_unencrypted",
    "version": "3.13.2"
  }
}"##;
    let document = EncryptedDocument::parse(SEALED.as_bytes()).unwrap().decrypt(&identities("alice")).unwrap();
    assert_eq!(document.get(r#"["sealed"]"#).unwrap().as_f64(), Some(900_719_925_474_099.25));
    let text = document.to_bytes(Format::Json).unwrap();
    assert_eq!(String::from_utf8_lossy(&text), "{\n\t\"sealed\": 900719925474099.2\n}\n");
}

#[test]
fn a_number_that_is_none_is_refused_with_its_path() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_unwritable(&Holder { it: vec![0.5, number] }, ErrorKind::NumberOutOfRange, r#"["it"][1]"#);
    }
    assert_unwritable(&Holder { it: f32::NAN }, ErrorKind::NumberOutOfRange, r#"["it"]"#);
    assert_unwritable(&Holder { it: f32::INFINITY }, ErrorKind::NumberOutOfRange, r#"["it"]"#);
}

#[test]
fn a_whole_number_is_read_as_an_integer_or_as_a_float_whatever_it_was_written_as() {
    for json in [r#"{"it": 5}"#, r#"{"it": 5.0}"#, r#"{"it": 0.5e1}"#] {
        let document = document_of(json);
        assert_eq!(document.deserialize::<Holder<u8>>().unwrap().it, 5);
        assert_eq!(document.deserialize::<Holder<i64>>().unwrap().it, 5);
        assert_eq!(document.deserialize::<Holder<i128>>().unwrap().it, 5);
        assert!((document.deserialize::<Holder<f64>>().unwrap().it - 5.0).abs() == 0.0);
        assert_eq!(document.deserialize::<Holder<Untagged>>().unwrap().it, Untagged::Number(5));
    }
    assert_mismatch::<Holder<i64>>(r#"{"it": 5.5}"#, r#"["it"]"#, &["a number", "i64"]);
    assert_mismatch::<Holder<u8>>(r#"{"it": -1}"#, r#"["it"]"#, &["an integer", "u8"]);
    assert_mismatch::<Holder<i64>>(r#"{"it": -0.0}"#, r#"["it"]"#, &["a number", "i64"]);
}

#[test]
fn an_integer_that_an_old_sops_sealed_as_a_float_is_read_as_an_integer() {
    #[derive(Deserialize)]
    struct Answer {
        answer: u8,
    }
    for release in RELEASES {
        let file = read(format!("{FIXTURES}/{release}/int/sealed.json"));
        let kind = if release == "3.13.2" { "type:int]" } else { "type:float]" };
        assert!(String::from_utf8_lossy(&file).contains(kind), "{release}: the fixture is not what this test needs");
        let answer: Answer = sopskit::decrypt(&file, &identities("alice")).unwrap();
        assert_eq!(answer.answer, 42, "{release}");
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    database: Database,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[test]
fn a_flattened_struct_comes_back() {
    let flat = Flat {
        name: "n".to_owned(),
        database: Database { host: "h".to_owned(), port: 1, password: Some("p".to_owned()), replicas: Vec::new() },
        rest: BTreeMap::from([("x".to_owned(), json!([1, -2, 0.5, null])), ("y".to_owned(), json!({ "z": true }))]),
    };
    let json =
        json!({ "name": "n", "host": "h", "port": 1, "password": "p", "x": [1, -2, 0.5, null], "y": { "z": true } });
    assert_as_json(flat, &json);
}

#[test]
fn two_members_that_flatten_to_one_key_are_refused() {
    #[derive(Serialize)]
    struct Twice {
        host: u8,
        #[serde(flatten)]
        database: Database,
    }
    assert_unwritable(
        &Holder { it: Twice { host: 1, database: Database::default() } },
        ErrorKind::DuplicateKey,
        r#"["it"]["host"]"#,
    );
}

#[test]
fn any_json_comes_back() {
    let json = json!({
        "": { "": [] }, "null": null, "deep": [[[{ "a": {} }]]], "text": "\u{0}\u{2028}\u{1f512}<&>", "ENC[": "ENC[AES256_GCM,data:x]",
        "numbers": [0, -1, i64::MAX, i64::MIN, 0.5, 1e-9, 1e300, -2.5e21], "flags": [true, false], "a:b": 1, "a.b": 2, "x_unencrypted": [1, "x", true, 0.25],
    });
    assert_eq!(plaintext(&json), json);
    assert_eq!(through_a_file::<_, serde_json::Value>(&json).unwrap(), json);
}

#[test]
fn keys_keep_the_order_in_which_the_type_writes_them() {
    #[derive(Serialize)]
    struct Order {
        z: u8,
        a: u8,
        m: BTreeMap<&'static str, u8>,
        b: u8,
    }
    let document = document(&Order { z: 1, a: 2, m: BTreeMap::from([("y", 1), ("x", 2)]), b: 3 });
    assert_eq!(document.tree().keys().collect::<Vec<_>>(), ["z", "a", "m", "b"]);
}

#[test]
fn the_top_level_must_be_an_object() {
    assert_unwritable(&1, ErrorKind::NotAnObject, "");
    assert_unwritable("text", ErrorKind::NotAnObject, "");
    assert_unwritable(&[1], ErrorKind::NotAnObject, "");
    assert_unwritable(&(), ErrorKind::NotAnObject, "");
    assert_unwritable(&None::<Database>, ErrorKind::NotAnObject, "");
    assert_unwritable(&Shape::Unit, ErrorKind::NotAnObject, "");
    assert_unwritable(&json!({ "sops": 1 }), ErrorKind::AlreadyEncrypted, "");
}

// ------------------------------------------------------------------------------------------------------------ what fails

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by nobody")]
struct Config {
    db: Strict,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by nobody")]
struct Strict {
    port: u16,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    mode: Option<Shape>,
}

#[test]
fn a_value_of_another_type_is_refused_with_its_path() {
    for (json, path, says) in [
        (r#"{"db": {"port": "5432"}}"#, r#"["db"]["port"]"#, ["a string", "u16"]),
        (r#"{"db": {"port": 65536}}"#, r#"["db"]["port"]"#, ["an integer", "u16"]),
        (r#"{"db": {"port": 1.5}}"#, r#"["db"]["port"]"#, ["a number", "u16"]),
        (r#"{"db": {"port": true}}"#, r#"["db"]["port"]"#, ["a boolean", "u16"]),
        (r#"{"db": {"port": null}}"#, r#"["db"]["port"]"#, ["null", "u16"]),
        (r#"{"db": {"port": [1]}}"#, r#"["db"]["port"]"#, ["an array", "u16"]),
        (r#"{"db": {"port": {}}}"#, r#"["db"]["port"]"#, ["an object", "u16"]),
        (r#"{"db": {"port": 1, "hosts": ["a", 2]}}"#, r#"["db"]["hosts"][1]"#, ["an integer", "string"]),
        (r#"{"db": {"port": 1, "hosts": "a"}}"#, r#"["db"]["hosts"]"#, ["a string", "sequence"]),
        (r#"{"db": {"port": 1, "mode": 1}}"#, r#"["db"]["mode"]"#, ["an integer", "string"]),
        (r#"{"db": {"port": 1, "mode": "Round"}}"#, r#"["db"]["mode"]"#, ["variant", "Newtype"]),
        (r#"{"db": {"port": 1, "mode": {}}}"#, r#"["db"]["mode"]"#, ["one key", ""]),
        (r#"{"db": {"port": 1, "mode": {"Unit": null, "Newtype": 1}}}"#, r#"["db"]["mode"]"#, ["one key", ""]),
        (r#"{"db": {"port": 1, "mode": "Newtype"}}"#, r#"["db"]["mode"]"#, ["content", ""]),
        (r#"{"db": []}"#, r#"["db"]"#, ["", ""]),
        (r#"{"db": {"port": 1, "x": 1}}"#, r#"["db"]["x"]"#, ["unknown field", "port"]),
        (r#"{"db": {"hosts": []}}"#, r#"["db"]"#, ["missing field \"port\"", ""]),
        ("{}", "", ["missing field \"db\"", ""]),
    ] {
        assert_mismatch::<Config>(json, path, &says);
    }
    assert_mismatch::<Holder<(u8, u8)>>(r#"{"it": [1]}"#, r#"["it"]"#, &["1", "2"]);
    assert_mismatch::<Holder<(u8, u8)>>(r#"{"it": [1, 2, 3]}"#, r#"["it"]"#, &["3"]);
    assert_mismatch::<Holder<char>>(r#"{"it": "ab"}"#, r#"["it"]"#, &["character"]);
    assert_mismatch::<Vec<u8>>(r#"{"it": 1}"#, "", &["an object", "sequence"]);
}

#[test]
fn an_error_of_a_typed_read_never_holds_the_value() {
    const SECRET: &str = "hunter2-and-more";
    const NUMBER: &str = "8675309";
    let text = format!(r#"{{"it": "{SECRET}"}}"#);
    let number = format!(r#"{{"it": {NUMBER}}}"#);
    let fraction = format!(r#"{{"it": {NUMBER}.25}}"#);
    for error in [
        mismatch::<Holder<u8>>(&text),
        mismatch::<Holder<bool>>(&text),
        mismatch::<Holder<char>>(&text),
        mismatch::<Holder<Vec<u8>>>(&text),
        mismatch::<Holder<Database>>(&text),
        mismatch::<Holder<()>>(&text),
        mismatch::<Holder<(u8,)>>(&text),
        mismatch::<Holder<Shape>>(&text),
        mismatch::<Holder<Internal>>(&text),
        mismatch::<Holder<IpAddr>>(&text),
        mismatch::<Holder<BTreeMap<String, u8>>>(&text),
        mismatch::<Holder<Option<std::num::NonZeroU8>>>(&text),
        mismatch::<Holder<Internal>>(&format!(r#"{{"it": {{"type": "{SECRET}"}}}}"#)),
        mismatch::<Holder<Adjacent>>(&format!(r#"{{"it": {{"t": "{SECRET}", "c": "{SECRET}"}}}}"#)),
        mismatch::<Holder<Adjacent>>(&format!(r#"{{"it": {{"t": "Newtype", "c": "{SECRET}"}}}}"#)),
        mismatch::<Holder<Internal>>(&format!(
            r#"{{"it": {{"type": "Struct", "n": "{SECRET}", "x": 1, "on": true}}}}"#
        )),
        mismatch::<Flat>(&format!(r#"{{"name": "n", "host": "h", "port": "{SECRET}"}}"#)),
    ] {
        assert_eq!(error.kind(), ErrorKind::TypeMismatch);
        assert_silent(&error, SECRET);
    }
    for json in [&number, &fraction] {
        for error in [
            mismatch::<Holder<u8>>(json),
            mismatch::<Holder<String>>(json),
            mismatch::<Holder<bool>>(json),
            mismatch::<Holder<char>>(json),
            mismatch::<Holder<Shape>>(json),
            mismatch::<Holder<Internal>>(json),
            mismatch::<Holder<std::num::NonZeroU8>>(json),
        ] {
            assert_eq!(error.kind(), ErrorKind::TypeMismatch);
            assert_silent(&error, NUMBER);
        }
    }
}

#[test]
fn a_type_that_quotes_the_value_in_its_own_error_is_not_repeated() {
    #[derive(Debug)]
    struct Picky;

    impl<'de> Deserialize<'de> for Picky {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            Err(D::Error::custom(format!("the password {text:?} is too weak")))
        }
    }

    impl Serialize for Picky {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the password \"hunter2\" is too weak"))
        }
    }

    let error = mismatch::<Holder<Vec<Picky>>>(r#"{"it": ["hunter2"]}"#);
    assert_eq!(error.path().to_string(), r#"["it"][0]"#);
    assert_silent(&error, "hunter2");
    let error = sopskit::encrypt(&Holder { it: (1, Picky) }, &recipients(&["alice"])).unwrap_err();
    assert_eq!((error.kind(), error.path().to_string().as_str()), (ErrorKind::TypeMismatch, r#"["it"][1]"#));
    assert_silent(&error, "hunter2");
}

#[test]
fn a_value_that_is_read_as_the_name_of_a_field_is_not_repeated() {
    #[derive(Debug, Deserialize)]
    #[serde(field_identifier, rename_all = "lowercase")]
    enum Field {
        Host,
        Port,
    }
    assert!(matches!(document_of(r#"{"it": "host"}"#).deserialize::<Holder<Field>>().unwrap().it, Field::Host));
    assert!(matches!(document_of(r#"{"it": "port"}"#).deserialize::<Holder<Field>>().unwrap().it, Field::Port));
    assert_silent(&mismatch::<Holder<Field>>(r#"{"it": "hunter2"}"#), "hunter2");
}

// -------------------------------------------------------------------------------------------------------------- depth

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Chain {
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Box<Chain>>,
}

impl Chain {
    fn of(depth: usize) -> Self {
        (1..depth).fold(Chain::default(), |chain, _| Chain { next: Some(Box::new(chain)) })
    }
}

#[test]
fn a_value_nested_to_the_limit_comes_back_and_a_deeper_one_is_refused() {
    let deepest = Chain::of(MAX_DEPTH);
    assert_eq!(through_a_file::<_, Chain>(&deepest).unwrap(), deepest);
    let error = sopskit::encrypt(&Chain::of(MAX_DEPTH + 1), &recipients(&["alice"])).unwrap_err();
    assert_eq!((error.kind(), error.path().segments().len()), (ErrorKind::TooDeep, MAX_DEPTH));
}

#[test]
fn a_value_nested_without_end_is_refused_and_exhausts_no_stack() {
    #[derive(Serialize)]
    enum Link {
        Newtype(Vec<Link>),
        Tuple(u8, Vec<Link>),
        Struct { next: Vec<Link> },
    }
    let links = (0..10_000).fold(Vec::new(), |links, level| {
        vec![match level % 3 {
            0 => Link::Newtype(links),
            1 => Link::Tuple(1, links),
            _ => Link::Struct { next: links },
        }]
    });
    let recipients = recipients(&["alice"]);
    assert_eq!(sopskit::encrypt(&Chain::of(10_000), &recipients).unwrap_err().kind(), ErrorKind::TooDeep);
    assert_eq!(sopskit::encrypt(&Holder { it: links }, &recipients).unwrap_err().kind(), ErrorKind::TooDeep);

    // One that has no end at all.
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::repeat_with(|| Endless).take(1))
        }
    }
    assert_eq!(sopskit::encrypt(&Holder { it: Endless }, &recipients).unwrap_err().kind(), ErrorKind::TooDeep);
}

#[test]
fn a_tree_made_by_hand_is_held_to_the_same_limits() {
    let nested = |depth: usize| {
        (1..depth).fold(Map::new(), |map, level| {
            let inside =
                if level % 2 == 0 { Value::from(map) } else { Value::from(vec![Value::from(1), Value::from(map)]) };
            Map::from_iter([("k", inside)])
        })
    };
    let recipients = recipients(&["alice"]);
    Document::new(nested(80), &recipients).unwrap();
    assert_eq!(Document::new(nested(100), &recipients).unwrap_err().kind(), ErrorKind::TooDeep);
    let tree = Map::from_iter([("a", Value::from(vec![Value::from(f64::NAN)]))]);
    let error = Document::new(tree, &recipients).unwrap_err();
    assert_eq!((error.kind(), error.path().to_string().as_str()), (ErrorKind::NumberOutOfRange, r#"["a"][0]"#));
}

#[test]
fn a_type_that_is_written_by_its_display_comes_back() {
    assert_as_json(Holder { it: "10.0.0.1".parse::<std::net::Ipv4Addr>().unwrap() }, &json!({"it": "10.0.0.1"}));
}
