//! Tokens: what is kept of a provider's response, the stored form, and when a token has ended.
#![cfg(feature = "tokens")]

mod support;

use std::fs;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use sopskit::{ErrorKind, Map, Token, Value};
use support::{FIXTURES, folders, name, read};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn json(token: &Token) -> Json {
    serde_json::from_slice(&token.to_json().unwrap()).unwrap()
}

/// When the responses in the fixtures came.
fn received() -> DateTime<Utc> {
    at("2026-01-31T12:00:00.123456Z")
}

#[test]
fn of_each_response_is_kept_what_kstlib_keeps_or_it_is_refused_with_the_place() {
    let cases = folders(format!("{FIXTURES}/tokens/responses"));
    assert!(cases.len() >= 30, "{} cases", cases.len());
    for folder in cases {
        let token = Token::from_response_at(&read(folder.join("response.json")), received());
        match fs::read_to_string(folder.join("expect")) {
            Err(_) => {
                let expected: Json = serde_json::from_slice(&read(folder.join("token.json"))).unwrap();
                assert_eq!(json(&token.unwrap()), expected, "{}", name(&folder));
            }
            Ok(expect) => {
                let mut lines = expect.lines();
                let error = token.unwrap_err();
                assert_eq!(error.kind().as_str(), lines.next().unwrap(), "{}: {error}", name(&folder));
                assert_eq!(error.path().to_string(), lines.next().unwrap_or_default(), "{}", name(&folder));
                assert!(error.to_string().contains(lines.next().unwrap_or_default()), "{}: {error}", name(&folder));
            }
        }
    }
}

#[test]
fn an_error_never_quotes_the_response() {
    for response in [
        r#"{"access_token": 8675309}"#,
        r#"{"access_token": {"hunter2": 1}}"#,
        r#"{"access_token": "a", "expires_in": "hunter2"}"#,
        r#"{"access_token": "a", "expires_at": "hunter2"}"#,
        r#"{"access_token": "a", "refresh_token": 8675309}"#,
        r#"{"error": "the secret is hunter2", "error_description": "hunter2"}"#,
        r#"{"access_token": "a" hunter2}"#,
    ] {
        let error = Token::from_response(response.as_bytes()).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("8675309"), "{shown}");
        }
    }
}

#[test]
fn a_stored_token_is_read_and_written_without_a_change() {
    for file in ["full", "minimal", "accounts_example_com"] {
        let text = read(format!("{FIXTURES}/tokens/kstlib/{file}.token.json"));
        let mut expected: Json = serde_json::from_slice(&text).unwrap();
        if file == "accounts_example_com" {
            // One without offset is UTC, and says so from now on.
            expected["issued_at"] = "2026-01-31T12:00:00.123456+00:00".into();
        }
        assert_eq!(json(&Token::from_json(&text).unwrap()), expected, "{file}");
    }
}

#[test]
fn the_fields_stand_in_the_order_of_kstlib() {
    let token = Token::new("a").with_issued_at(at("2026-01-31T12:00:00Z"));
    let text = String::from_utf8(token.to_json().unwrap().to_vec()).unwrap();
    let expected = r#"{
  "access_token": "a",
  "token_type": "Bearer",
  "expires_at": null,
  "refresh_token": null,
  "scope": [],
  "id_token": null,
  "issued_at": "2026-01-31T12:00:00+00:00",
  "metadata": {}
}
"#;
    assert_eq!(text, expected);
}

#[test]
fn fields_that_are_not_known_come_back() {
    let text = br#"{"access_token": "a", "added_later": {"x": [1]}, "metadata": {"m": 1.5}}"#;
    let stored = json(&Token::from_json(text).unwrap());
    assert_eq!(stored["added_later"]["x"][0], 1);
    assert_eq!(stored["metadata"]["m"], 1.5);
}

#[test]
fn each_way_to_write_a_time_is_read_and_written_as_python_writes_it() {
    for (text, expected) in [
        ("2026-01-31T12:00:00+00:00", "2026-01-31T12:00:00+00:00"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00"),
        ("2026-01-31T12:00:00.000001+00:00", "2026-01-31T12:00:00.000001+00:00"),
        ("2026-01-31T12:00:00.100000-05:30", "2026-01-31T12:00:00.100000-05:30"),
        ("2026-01-31 12:00:00+14:00", "2026-01-31T12:00:00+14:00"),
        ("2026-01-31T12:00:00.5", "2026-01-31T12:00:00.500000+00:00"),
        ("2026-01-31 12:00:00", "2026-01-31T12:00:00+00:00"),
        // Python has neither leap seconds nor nanoseconds.
        ("2026-06-30T23:59:60Z", "2026-06-30T23:59:59.999999+00:00"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456+00:00"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999+00:00", "9999-12-31T23:59:59.999999+00:00"),
    ] {
        let token = Token::from_json(format!(r#"{{"access_token": "a", "expires_at": "{text}"}}"#).as_bytes()).unwrap();
        assert_eq!(json(&token)["expires_at"], expected, "{text}");
    }
}

#[test]
fn what_is_no_stored_token_is_refused_with_the_place() {
    for (text, kind, path) in [
        ("{}", ErrorKind::InvalidToken, r#"["access_token"]"#),
        (r#"{"access_token": null}"#, ErrorKind::InvalidToken, r#"["access_token"]"#),
        (r#"{"access_token": ["a"]}"#, ErrorKind::InvalidToken, r#"["access_token"]"#),
        (r#"{"access_token": "a", "expires_at": 5}"#, ErrorKind::InvalidToken, r#"["expires_at"]"#),
        (r#"{"access_token": "a", "expires_at": "soon"}"#, ErrorKind::InvalidToken, r#"["expires_at"]"#),
        (
            r#"{"access_token": "a", "expires_at": "2026-02-30T00:00:00Z"}"#,
            ErrorKind::InvalidToken,
            r#"["expires_at"]"#,
        ),
        (
            r#"{"access_token": "a", "expires_at": "+10000-01-01T00:00:00Z"}"#,
            ErrorKind::InvalidToken,
            r#"["expires_at"]"#,
        ),
        (r#"{"access_token": "a", "issued_at": "x"}"#, ErrorKind::InvalidToken, r#"["issued_at"]"#),
        (r#"{"access_token": "a", "scope": {"x": 1}}"#, ErrorKind::InvalidToken, r#"["scope"]"#),
        (r#"{"access_token": "a", "scope": ["x", null]}"#, ErrorKind::InvalidToken, r#"["scope"][1]"#),
        (r#"{"access_token": "a", "metadata": []}"#, ErrorKind::InvalidToken, r#"["metadata"]"#),
        (r#"{"access_token": "a", "token_type": 1}"#, ErrorKind::InvalidToken, r#"["token_type"]"#),
        (r#"{"access_token": "a""#, ErrorKind::Syntax, ""),
        ("", ErrorKind::EmptyInput, ""),
    ] {
        let error = Token::from_json(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.path().to_string().as_str()), (kind, path), "{text}: {error}");
    }
}

#[test]
fn a_time_that_others_cannot_read_is_not_written() {
    let token = Token::new("a").with_expires_at(Some(DateTime::<Utc>::MAX_UTC));
    let error = token.to_json().unwrap_err();
    assert_eq!((error.kind(), error.path().to_string().as_str()), (ErrorKind::InvalidToken, r#"["expires_at"]"#));
}

#[test]
fn a_token_ends_at_its_end_and_should_be_refreshed_60_seconds_before() {
    let end = at("2026-01-31T12:00:00Z");
    let token = Token::new("a").with_expires_at(Some(end));
    for (milliseconds, expired, refresh, left) in [
        (-3_600_000, false, false, 3600),
        (-60_001, false, false, 60),
        (-60_000, false, true, 60),
        (-1, false, true, 0),
        (0, true, true, 0),
        (1_500, true, true, -1),
    ] {
        let now = end + TimeDelta::milliseconds(milliseconds);
        let said = (token.is_expired_at(now), token.should_refresh_at(now), token.expires_in_at(now));
        assert_eq!(said, (expired, refresh, Some(left)), "{milliseconds} ms");
    }
}

#[test]
fn a_token_without_an_end_is_taken_for_ended_an_hour_after_its_issue() {
    let issued = at("2026-01-31T12:00:00Z");
    let token = Token::new("a").with_issued_at(issued);
    for (seconds, expired) in [(0, false), (3600, false), (3601, true)] {
        let now = issued + TimeDelta::seconds(seconds);
        let said = (token.is_expired_at(now), token.should_refresh_at(now), token.expires_in_at(now));
        assert_eq!(said, (expired, expired, None), "{seconds} s");
    }
    let unknown = Token::from_json(br#"{"access_token": "a"}"#).unwrap();
    assert!(unknown.is_expired() && unknown.should_refresh());
    assert_eq!((unknown.issued_at(), unknown.expires_in()), (None, None));
}

#[test]
fn the_clock_of_the_system_counts_where_no_other_is_given() {
    let token = Token::from_response(br#"{"access_token": "a", "expires_in": 3600}"#).unwrap();
    assert!(!token.is_expired() && !token.should_refresh());
    assert!((3590..=3600).contains(&token.expires_in().unwrap()));
    assert!(Token::from_response(br#"{"access_token": "a", "expires_in": 30}"#).unwrap().should_refresh());
}

#[test]
fn a_renewed_token_keeps_what_the_response_leaves_out() {
    let old = Token::from_json(&read(format!("{FIXTURES}/tokens/kstlib/full.token.json"))).unwrap();
    let new = old.renewed_at(br#"{"access_token": "b", "expires_in": 60, "session_state": "t"}"#, received()).unwrap();
    assert_eq!((new.access_token(), new.refresh_token(), new.id_token()), ("b", old.refresh_token(), old.id_token()));
    assert_eq!((new.scope(), new.issued_at()), (old.scope(), Some(received())));
    assert_eq!(new.expires_at(), Some(received() + TimeDelta::seconds(60)));
    let metadata = |key| (old.metadata().get(key).cloned(), new.metadata().get(key).cloned());
    assert_eq!(metadata("session_state"), (Some("s".into()), Some("t".into())));
    assert!(matches!(metadata("nested"), (Some(old), Some(new)) if old == new));

    let rotated = old.renewed(br#"{"access_token": "b", "refresh_token": "s", "scope": "x"}"#).unwrap();
    assert_eq!((rotated.refresh_token(), rotated.scope()), (Some("s"), &["x".to_owned()][..]));
    assert_eq!(rotated.expires_at(), None, "the end of the old token is not that of the new one");
}

#[test]
fn a_token_that_is_built_has_what_it_was_given() {
    let metadata = Map::from_iter([("account", Value::from("someone"))]);
    let token = Token::new("a")
        .with_token_type("DPoP")
        .with_refresh_token(Some("r".into()))
        .with_id_token(Some("i".into()))
        .with_scope(["x", "y"])
        .with_metadata(metadata.clone())
        .with_expires_at(Some(at("2026-01-31T12:00:00.1234567Z")));
    assert_eq!((token.access_token(), token.token_type()), ("a", "DPoP"));
    assert_eq!((token.refresh_token(), token.id_token()), (Some("r"), Some("i")));
    assert_eq!((token.scope(), token.metadata()), (&["x".to_owned(), "y".to_owned()][..], &metadata));
    assert_eq!(token.expires_at(), Some(at("2026-01-31T12:00:00.123456Z")), "to the microsecond");
    assert!(token.is_refreshable() && !Token::new("a").is_refreshable());
    assert!(!Token::new("a").with_refresh_token(Some("".into())).is_refreshable());
    assert!(Token::from_json(&token.to_json().unwrap()).unwrap() == token, "what is stored is what there was");
}

#[test]
fn debug_shows_no_secret() {
    let token = Token::from_response(
        br#"{"access_token": "hunter2-a", "refresh_token": "hunter2-r", "id_token": "hunter2-i", "x": "hunter2-m", "n": 8675309}"#,
    )
    .unwrap();
    for shown in [format!("{token:?}"), format!("{token:#?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains("8675309"), "{shown}");
    }
}
