//! Times as Home Assistant writes them, and identifiers made from them. Pure.

/// Seconds of a day.
pub(crate) const DAY: f64 = 86_400.0;

/// Year, month, day, hour, minute, second of a moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

/// Splits seconds since 1970 into a date and a time of day.
pub(crate) fn civil(at: f64) -> Civil {
    let seconds = at.floor() as i64;
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years are counted from March, so that the leap day is the last of its year; 400 years are one
    // period of 146,097 days.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
        hour: rest / 3_600,
        minute: rest / 60 % 60,
        second: rest % 60,
    }
}

/// Writes a moment as `2026-11-21T10:24:21.534446+00:00`.
pub(crate) fn iso(at: f64) -> String {
    let whole = at.floor();
    let micros = ((at - whole) * 1e6) as i64;
    let (date, offset) = (date_time(whole), "+00:00");
    if micros == 0 { format!("{date}{offset}") } else { format!("{date}.{micros:06}{offset}") }
}

fn date_time(at: f64) -> String {
    let Civil { year, month, day, hour, minute, second } = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Writes a 128-bit number in the 26 letters of a ULID.
pub(crate) fn ulid(id: u128) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26).rev().map(|n| LETTERS[(id >> (5 * n)) as usize & 31] as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_home_assistant_writes_them() {
        let rows = [
            (0.0, "1970-01-01T00:00:00+00:00"),
            (951_782_400.0, "2000-02-29T00:00:00+00:00"),
            (1_795_258_358.363_035, "2026-11-21T10:52:38.363035+00:00"),
            (4_102_444_799.5, "2099-12-31T23:59:59.500000+00:00"),
        ];
        for (at, text) in rows {
            let got = iso(at);
            assert_eq!(got.get(..22), text.get(..22), "{at}: {got}");
            assert_eq!(got.len(), text.len());
        }
    }

    #[test]
    fn a_ulid_sorts_like_its_number() {
        assert_eq!(ulid(0), "0".repeat(26));
        assert_eq!(ulid(u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert!(ulid(1 << 80) < ulid(2 << 80));
    }
}
