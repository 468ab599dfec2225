//! An OAuth token: the access token, and what came with it.

mod json;
mod time;

use std::fmt;

use chrono::{DateTime, FixedOffset, SubsecRound as _, TimeDelta, Utc};

use crate::secret::Text;
use crate::tree::Map;

pub(super) use json::read_scope;
pub(super) use time::read as read_time;

/// The type of a token that says nothing of its type.
const BEARER: &str = "Bearer";
/// How long a token is taken for good that does not say how long it is.
const UNKNOWN_LIFETIME: TimeDelta = TimeDelta::hours(1);
/// How long before its end a token should be refreshed.
const EARLY: TimeDelta = TimeDelta::seconds(60);

/// An OAuth token: the access token, and what came with it. Wiped on drop; `Debug` does not show the secrets.
///
/// Times are kept to the microsecond. The form in which it is stored, [`to_json`](Self::to_json), is that of kstlib.
///
/// ```
/// use sopskit::Token;
///
/// let token = Token::from_response(br#"{
///     "access_token": "eyJhbGc...",
///     "token_type": "Bearer",
///     "expires_in": 3600,
///     "refresh_token": "dGhpcyBpcyBh...",
///     "scope": "openid profile"
/// }"#)?;
/// assert_eq!(token.scope(), ["openid", "profile"]);
/// assert!(token.is_refreshable() && !token.should_refresh());
/// assert!(!format!("{token:?}").contains("eyJ"));
/// # Ok::<(), sopskit::Error>(())
/// ```
#[derive(PartialEq)]
pub struct Token {
    access_token: Text,
    token_type: String,
    expires_at: Option<DateTime<FixedOffset>>,
    refresh_token: Option<Text>,
    scope: Vec<String>,
    id_token: Option<Text>,
    issued_at: Option<DateTime<FixedOffset>>,
    metadata: Map,
    /// Fields beside these in what was read: kept for whoever wrote them.
    others: Map,
}

impl Token {
    /// A bearer token that was issued now and says nothing of its end.
    #[must_use]
    pub fn new(access_token: impl Into<Text>) -> Self {
        Token {
            access_token: access_token.into(),
            token_type: BEARER.to_owned(),
            expires_at: None,
            refresh_token: None,
            scope: Vec::new(),
            id_token: None,
            issued_at: Some(kept(Utc::now())),
            metadata: Map::new(),
            others: Map::new(),
        }
    }

    /// The same token with another type than `Bearer`.
    #[must_use]
    pub fn with_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = token_type.into();
        self
    }

    /// The same token with another end.
    #[must_use]
    pub fn with_expires_at(mut self, at: Option<DateTime<Utc>>) -> Self {
        self.expires_at = at.map(kept);
        self
    }

    /// The same token with another refresh token.
    #[must_use]
    pub fn with_refresh_token(mut self, token: Option<Text>) -> Self {
        self.refresh_token = token;
        self
    }

    /// The same token with other scopes.
    #[must_use]
    pub fn with_scope(mut self, scope: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.scope = scope.into_iter().map(Into::into).collect();
        self
    }

    /// The same token with another ID token.
    #[must_use]
    pub fn with_id_token(mut self, token: Option<Text>) -> Self {
        self.id_token = token;
        self
    }

    /// The same token with another time of issue.
    #[must_use]
    pub fn with_issued_at(mut self, at: DateTime<Utc>) -> Self {
        self.issued_at = Some(kept(at));
        self
    }

    /// The same token with other data of the provider or of the application.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Map) -> Self {
        self.metadata = metadata;
        self
    }

    /// The access token itself: a secret.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.access_token.as_str()
    }

    /// How the access token is used, as a rule `Bearer`.
    #[must_use]
    pub fn token_type(&self) -> &str {
        &self.token_type
    }

    /// When the access token ends; `None` where the provider did not say.
    #[must_use]
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at.map(|at| at.to_utc())
    }

    /// The token that gets a new access token: a secret.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_ref().map(Text::as_str)
    }

    /// What the access token gives access to.
    #[must_use]
    pub fn scope(&self) -> &[String] {
        &self.scope
    }

    /// The ID token of OpenID Connect: a secret.
    #[must_use]
    pub fn id_token(&self) -> Option<&str> {
        self.id_token.as_ref().map(Text::as_str)
    }

    /// When the token was issued; `None` only for a stored token that does not say. (To kstlib such a one was issued just now; here it counts as ended, unless it says
    /// when it ends.)
    #[must_use]
    pub fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.issued_at.map(|at| at.to_utc())
    }

    /// What else the provider or the application says of it.
    #[must_use]
    pub fn metadata(&self) -> &Map {
        &self.metadata
    }

    /// Whether the access token has ended. One that does not say when it ends is taken for ended one hour after it was issued.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.is_expired_at(Utc::now())
    }

    /// As [`is_expired`](Self::is_expired), at another time than now.
    #[must_use]
    pub fn is_expired_at(&self, now: DateTime<Utc>) -> bool {
        match (self.expires_at, self.issued_at) {
            (Some(end), _) => now >= end,
            (None, Some(issued)) => now.signed_duration_since(issued) > UNKNOWN_LIFETIME,
            (None, None) => true,
        }
    }

    /// Seconds until the access token ends, negative when it has; `None` where the provider did not say.
    #[must_use]
    pub fn expires_in(&self) -> Option<i64> {
        self.expires_in_at(Utc::now())
    }

    /// As [`expires_in`](Self::expires_in), at another time than now.
    #[must_use]
    pub fn expires_in_at(&self, now: DateTime<Utc>) -> Option<i64> {
        self.expires_at.map(|end| end.signed_duration_since(now).num_seconds())
    }

    /// Whether there is a refresh token.
    #[must_use]
    pub fn is_refreshable(&self) -> bool {
        self.refresh_token.as_ref().is_some_and(|token| !token.as_str().is_empty())
    }

    /// Whether the access token ends within 60 seconds, or has ended.
    #[must_use]
    pub fn should_refresh(&self) -> bool {
        self.should_refresh_at(Utc::now())
    }

    /// As [`should_refresh`](Self::should_refresh), at another time than now.
    #[must_use]
    pub fn should_refresh_at(&self, now: DateTime<Utc>) -> bool {
        match self.expires_at {
            Some(end) => end.signed_duration_since(now) <= EARLY,
            None => self.is_expired_at(now),
        }
    }

    /// A second one in memory. Not `Clone`: each copy of a secret is there for a reason.
    pub(super) fn copy(&self) -> Self {
        Token {
            access_token: self.access_token.clone(),
            token_type: self.token_type.clone(),
            expires_at: self.expires_at,
            refresh_token: self.refresh_token.clone(),
            scope: self.scope.clone(),
            id_token: self.id_token.clone(),
            issued_at: self.issued_at,
            metadata: self.metadata.clone(),
            others: self.others.clone(),
        }
    }
}

/// A time as it is kept: Python, with which the files are shared, has microseconds.
fn kept(time: DateTime<Utc>) -> DateTime<FixedOffset> {
    time.trunc_subsecs(6).fixed_offset()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("token_type", &self.token_type)
            .field("expires_at", &self.expires_at)
            .field("scope", &self.scope)
            .field("issued_at", &self.issued_at)
            .field("is_refreshable", &self.is_refreshable())
            .finish_non_exhaustive()
    }
}
