//! Tokens as JSON: the stored form, and the response of a provider.
//!
//! Source: `Token.to_dict`, `from_dict` and `from_response` in `kstlib/auth/models.py`; RFC 6749, sections 5 and 6.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use super::{BEARER, Token, kept, time};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Format, Indent};
use crate::secret::{Bytes, Text};
use crate::tree::{Map, Value, float_as_int};

const ACCESS_TOKEN: &str = "access_token";
const TOKEN_TYPE: &str = "token_type";
const EXPIRES_AT: &str = "expires_at";
const EXPIRES_IN: &str = "expires_in";
const REFRESH_TOKEN: &str = "refresh_token";
const SCOPE: &str = "scope";
const ID_TOKEN: &str = "id_token";
const ISSUED_AT: &str = "issued_at";
const METADATA: &str = "metadata";

/// The longest code of an error that is repeated.
const MAX_CODE: usize = 64;

impl Token {
    /// The token in a response of a provider: JSON, as RFC 6749 describes it.
    ///
    /// The end is told by `expires_in`, in seconds from now, or else by `expires_at`, in seconds since 1970 or as RFC 3339; the scope is a string or a
    /// list. All fields that are not known become [`metadata`](Self::metadata).
    ///
    /// # Errors
    /// Those of JSON; [`ErrorKind::InvalidToken`], with the key path, for a field in a wrong form, and for a response without an access
    /// token: of an error response it tells the code.
    pub fn from_response(json: &[u8]) -> Result<Self> {
        Token::from_response_at(json, Utc::now())
    }

    /// As [`from_response`](Self::from_response), of a response that came at another time than now.
    ///
    /// # Errors
    /// As [`from_response`](Self::from_response).
    pub fn from_response_at(json: &[u8], now: DateTime<Utc>) -> Result<Self> {
        let mut fields = Format::Json.parse(json)?;
        let code = error_code(&fields);
        let access_token = take(&mut fields, ACCESS_TOKEN, text)?.filter(|token| !token.as_str().is_empty());
        let access_token = access_token.ok_or_else(|| match code {
            Some(code) => invalid(format!("the provider answered the error {code:?}")),
            None => invalid("there is none").under_key(ACCESS_TOKEN),
        })?;
        let expires_in = take(&mut fields, EXPIRES_IN, |value| lifetime(value, now))?;
        // What the other one says does not count then, and need not be sound.
        let expires_at = fields.remove(EXPIRES_AT).filter(|value| expires_in.is_none() && *value != Value::Null);
        let expires_at =
            expires_at.map(|value| end(&value)).transpose().map_err(|error| error.under_key(EXPIRES_AT))?;
        let mut token = Token::new(access_token).with_issued_at(now);
        token.expires_at = expires_in.or(expires_at.flatten());
        token.read_common(&mut fields)?;
        token.refresh_token = token.refresh_token.take().filter(|token| !token.as_str().is_empty());
        token.metadata = fields;
        Ok(token)
    }

    /// The token in the response to a request for a new one: what it leaves out, the refresh token as a rule, stays as it is in this one.
    ///
    /// Source: RFC 6749, section 6.
    ///
    /// # Errors
    /// As [`from_response`](Self::from_response).
    pub fn renewed(&self, response: &[u8]) -> Result<Self> {
        self.renewed_at(response, Utc::now())
    }

    /// As [`renewed`](Self::renewed), by a response that came at another time than now.
    ///
    /// # Errors
    /// As [`from_response`](Self::from_response).
    pub fn renewed_at(&self, response: &[u8], now: DateTime<Utc>) -> Result<Self> {
        let mut new = Token::from_response_at(response, now)?;
        new.refresh_token = new.refresh_token.take().or_else(|| self.refresh_token.clone());
        new.id_token = new.id_token.take().or_else(|| self.id_token.clone());
        if new.scope.is_empty() {
            new.scope.clone_from(&self.scope);
        }
        for (kept, new) in [(&self.metadata, &mut new.metadata), (&self.others, &mut new.others)] {
            for (key, value) in kept.iter().filter(|(key, _)| !new.contains_key(key)).collect::<Vec<_>>() {
                new.insert(key, value.clone());
            }
        }
        Ok(new)
    }

    /// Reads the form in which a token is stored.
    ///
    /// Times are RFC 3339, with or without microseconds and offset. Fields that are not known are kept.
    ///
    /// # Errors
    /// Those of JSON; [`ErrorKind::InvalidToken`], with the key path, for a field in a wrong form or without an access token.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        Token::take_from(Format::Json.parse(json)?)
    }

    /// The form in which a token is stored, as JSON: that of kstlib, indented by two blanks.
    ///
    /// # Errors
    /// As [`to_tree`](Self::to_tree).
    pub fn to_json(&self) -> Result<Bytes> {
        Format::Json.write(&self.to_tree()?, Indent::Spaces(2))
    }

    /// Reads the form in which a token is stored, as the plaintext of a [`Document`](crate::Document).
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), but for those of JSON.
    pub fn from_tree(tree: &Map) -> Result<Self> {
        Token::take_from(tree.clone())
    }

    /// As [`from_tree`](Self::from_tree), without a copy.
    pub(in crate::storage) fn take_from(mut fields: Map) -> Result<Self> {
        let access_token = take(&mut fields, ACCESS_TOKEN, text)?;
        let mut token = Token::new(access_token.ok_or_else(|| invalid("there is none").under_key(ACCESS_TOKEN))?);
        token.expires_at = take(&mut fields, EXPIRES_AT, stored_time)?.flatten();
        token.issued_at = take(&mut fields, ISSUED_AT, stored_time)?.flatten();
        token.read_common(&mut fields)?;
        token.metadata = take(&mut fields, METADATA, |value| match value {
            Value::Object(map) => Ok(map.clone()),
            _ => Err(invalid("expected an object")),
        })?
        .unwrap_or_default();
        token.others = fields;
        Ok(token)
    }

    /// The form in which a token is stored, as a tree: for a [`Document`](crate::Document).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`], with the key path, for a time before the year 1 or after 9999, which others could not read.
    pub fn to_tree(&self) -> Result<Map> {
        let time = |key: &str, time: Option<DateTime<FixedOffset>>| match time {
            None => Ok(Value::Null),
            Some(at) if time::is_known(at) => Ok(Value::from(time::write(at))),
            Some(_) => Err(invalid("the year is not one of 1 to 9999").under_key(key)),
        };
        let secret = |text: &Option<Text>| text.clone().map_or(Value::Null, Value::Text);
        let scope = self.scope.iter().map(|scope| Value::from(scope.as_str())).collect::<Vec<_>>();
        let mut tree = Map::from_iter([
            (ACCESS_TOKEN, Value::Text(self.access_token.clone())),
            (TOKEN_TYPE, Value::from(self.token_type.as_str())),
            (EXPIRES_AT, time(EXPIRES_AT, self.expires_at)?),
            (REFRESH_TOKEN, secret(&self.refresh_token)),
            (SCOPE, Value::from(scope)),
            (ID_TOKEN, secret(&self.id_token)),
            (ISSUED_AT, time(ISSUED_AT, self.issued_at)?),
            (METADATA, Value::Object(self.metadata.clone())),
        ]);
        for (key, value) in self.others.iter() {
            tree.insert(key, value.clone());
        }
        Ok(tree)
    }

    /// The fields that have one form in a response and in storage.
    fn read_common(&mut self, fields: &mut Map) -> Result<()> {
        let kind = take(fields, TOKEN_TYPE, text)?;
        self.token_type = kind.map_or_else(|| BEARER.to_owned(), |kind| kind.as_str().to_owned());
        self.refresh_token = take(fields, REFRESH_TOKEN, text)?;
        self.id_token = take(fields, ID_TOKEN, text)?;
        self.scope = take(fields, SCOPE, scope)?.unwrap_or_default();
        Ok(())
    }
}

/// Takes a field out and reads it; `null` counts as absent.
fn take<T>(fields: &mut Map, key: &str, read: impl FnOnce(&Value) -> Result<T>) -> Result<Option<T>> {
    match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(&value).map(Some).map_err(|error| error.under_key(key)),
    }
}

fn text(value: &Value) -> Result<Text> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(invalid("expected a string")),
    }
}

fn scope(value: &Value) -> Result<Vec<String>> {
    let item = |(index, item): (usize, &Value)| match item.as_str() {
        Some(scope) => Ok(scope.to_owned()),
        None => Err(invalid("expected a string").under_index(index)),
    };
    match value {
        Value::Text(list) => Ok(list.as_str().split_whitespace().map(str::to_owned).collect()),
        Value::Array(items) => items.iter().enumerate().map(item).collect(),
        _ => Err(invalid("expected a string or a list of strings")),
    }
}

/// The scopes that a stored token has, if they are in the form of scopes.
pub(crate) fn read_scope(value: &Value) -> Option<Vec<String>> {
    scope(value).ok()
}

/// A time of the stored form; an empty string is none.
fn stored_time(value: &Value) -> Result<Option<DateTime<FixedOffset>>> {
    match value.as_str() {
        Some("") => Ok(None),
        Some(text) => {
            time::read(text).map(Some).ok_or_else(|| invalid("expected a time as in 2026-01-31T12:00:00+00:00"))
        }
        None => Err(invalid("expected a time as a string")),
    }
}

/// Seconds from now until the end.
fn lifetime(value: &Value, now: DateTime<Utc>) -> Result<DateTime<FixedOffset>> {
    let seconds = seconds(value)?;
    known(TimeDelta::try_seconds(seconds).and_then(|lifetime| now.checked_add_signed(lifetime)))
}

/// When the token ends: seconds from 1970, or a time as a string.
fn end(value: &Value) -> Result<Option<DateTime<FixedOffset>>> {
    match value {
        Value::Float(seconds) => {
            let whole = float_as_int(seconds.floor()).ok_or_else(not_seconds)?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to less than a second")]
            let rest = ((seconds - seconds.floor()) * 1e9) as u32;
            known(DateTime::from_timestamp(whole, rest)).map(Some)
        }
        Value::Text(text) if text.as_str().trim().parse::<i64>().is_err() => stored_time(value),
        value => known(DateTime::from_timestamp(seconds(value)?, 0)).map(Some),
    }
}

fn known(time: Option<DateTime<Utc>>) -> Result<DateTime<FixedOffset>> {
    let time = time.map(kept).filter(|time| time::is_known(*time));
    time.ok_or_else(|| invalid("the year is not one of 1 to 9999"))
}

/// A whole number, as some providers also spell it: with a fraction, or as a string.
fn seconds(value: &Value) -> Result<i64> {
    let seconds = match value {
        Value::Int(seconds) => Some(*seconds),
        Value::Float(seconds) => float_as_int(seconds.trunc()),
        Value::Text(text) => text.as_str().trim().parse().ok(),
        _ => None,
    };
    seconds.ok_or_else(not_seconds)
}

fn not_seconds() -> Error {
    invalid("expected a number of seconds")
}

/// The code of an error response, if it looks like one.
fn error_code(fields: &Map) -> Option<String> {
    let is_plain =
        |code: &&str| code.len() <= MAX_CODE && code.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.".contains(&c));
    fields.get("error").and_then(Value::as_str).filter(is_plain).map(str::to_owned)
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::with_detail(ErrorKind::InvalidToken, detail)
}
