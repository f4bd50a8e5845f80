//! Moments in time, to the millisecond, in one textual form.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};

/// A moment in UTC, in whole milliseconds since the Unix epoch, between the years 0000 and 9999.
///
/// Its text is `YYYY-MM-DDThh:mm:ss.sssZ`, exactly: a profile of RFC 3339 with one spelling for each moment, so that equal
/// moments have equal digests. [REC-002] [DIG-130]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of the form YYYY-MM-DDThh:mm:ss.sssZ")]
pub struct TimestampError(String);

impl Timestamp {
    const MIN_MILLIS: i64 = -62_167_219_200_000;
    const MAX_MILLIS: i64 = 253_402_300_799_999;

    /// The moment so many milliseconds after the Unix epoch; moments outside the years 0000 to 9999 become the nearest inside.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(Self::MIN_MILLIS, Self::MAX_MILLIS))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// The moment `duration` later (to the millisecond, rounded down; at most the end of the year 9999).
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// How long it is from `earlier` to this moment; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = UtcDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).map_err(|_| fmt::Error)?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (last, mut number) in [
            (3, u32::try_from(moment.year()).map_err(|_| fmt::Error)?),
            (6, u32::from(u8::from(moment.month()))),
            (9, u32::from(moment.day())),
            (12, u32::from(moment.hour())),
            (15, u32::from(moment.minute())),
            (18, u32::from(moment.second())),
            (22, u32::from(moment.millisecond())),
        ] {
            // From the last digit to the first, over the zeros that are there.
            for digit in text.iter_mut().take(last + 1).rev() {
                if number == 0 {
                    break;
                }
                *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || TimestampError(text.chars().take(40).collect());
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        let moment = PrimitiveDateTime::parse(text, form).map_err(|_| refuse())?.assume_utc();
        let millis = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).map_err(|_| refuse())?;
        let parsed = Self::from_unix_millis(millis);
        // One spelling for each moment: what does not print as it was read is refused.
        if parsed.to_string() == text { Ok(parsed) } else { Err(refuse()) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a moment in UTC, to the millisecond",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling_for_each_moment() {
        // [REC-002, DIG-130]
        let text = "2026-11-23T04:28:22.007Z";
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        for other in [
            "2026-11-23T04:28:22Z",
            "2026-11-23T04:28:22.0070Z",
            "2026-11-23t04:28:22.007z",
            "2026-11-23T04:28:22.007+00:00",
            "2026-11-23 04:28:22.007Z",
            "2026-02-30T04:28:22.007Z",
            "2026-11-23T24:00:00.000Z",
            "2026-11-23T04:28:60.000Z",
            "+2026-11-23T04:28:22.007Z",
            "",
        ] {
            assert!(other.parse::<Timestamp>().is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(millis in Timestamp::MIN_MILLIS..=Timestamp::MAX_MILLIS) {
            let moment = Timestamp::from_unix_millis(millis);
            prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }
    }
}
