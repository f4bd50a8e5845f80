//! Moments in time, to the millisecond, in one textual form.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Date, Month};

/// The day of the Unix epoch, as [`Date`] counts days.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

const DAY_MILLIS: i64 = 86_400_000;

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

    /// The moment so much earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }

    /// How long it is from `earlier` to this moment; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = i32::try_from(self.0.div_euclid(DAY_MILLIS)).map_err(|_| fmt::Error)?;
        let date = Date::from_julian_day(EPOCH_JULIAN_DAY + day).map_err(|_| fmt::Error)?;
        let (year, month, day) = date.to_calendar_date();
        let millis = u32::try_from(self.0.rem_euclid(DAY_MILLIS)).map_err(|_| fmt::Error)?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (last, mut number) in [
            (3, u32::try_from(year).map_err(|_| fmt::Error)?),
            (6, u32::from(u8::from(month))),
            (9, u32::from(day)),
            (12, millis / 3_600_000),
            (15, millis / 60_000 % 60),
            (18, millis / 1000 % 60),
            (22, millis % 1000),
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
        parse(text.as_bytes()).ok_or_else(|| TimestampError(text.chars().take(40).collect()))
    }
}

/// Reads the one form: every digit and every mark in its place, so that what is read prints as it was read.
fn parse(text: &[u8]) -> Option<Timestamp> {
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    if text.len() != 24 || marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text.get(from..to)?
            .iter()
            .try_fold(0_u16, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0')))
    };
    let below = |from: usize, limit: u16| number(from, from + 2).filter(|number| *number < limit).map(i64::from);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    let (hour, minute, second) = (below(11, 24)?, below(14, 60)?, below(17, 60)?);
    let seconds = i64::from(date.to_julian_day() - EPOCH_JULIAN_DAY) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1000 + i64::from(number(20, 23)?)))
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
            let text = moment.to_string();
            prop_assert_eq!(text.parse::<Timestamp>().unwrap(), moment);
            let known = time::UtcDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap();
            let (year, month, day) = (known.year(), u8::from(known.month()), known.day());
            let (hour, minute, second, milli) = known.as_hms_milli();
            let expected = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
            prop_assert_eq!(text, expected);
        }

        #[test]
        fn what_is_read_prints_as_it_was_read(text in "[0-9]{4}-[0-9]{2}-[0-3][0-9]T[0-9:.Zz]{10,14}|.{0,30}") {
            if let Ok(moment) = text.parse::<Timestamp>() {
                prop_assert_eq!(moment.to_string(), text);
            }
        }
    }
}
