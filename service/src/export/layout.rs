//! Names of folders and files: `date=YYYY-MM-DD/part-FIRST-LAST.parquet`.

/// Before the date of a folder, as Hive, DuckDB and pandas read it.
const DATE_PREFIX: &str = "date=";
const MS_PER_DAY: u64 = 86_400_000;
/// The last millisecond of the year 9999: later dates have no four digits of a year.
pub(super) const TIME_MS_MAX: u64 = 253_402_300_799_999;

/// The folder of rows of this time: the day in UTC. `None` after the year 9999.
pub(super) fn date_folder(time_ms: u64) -> Option<String> {
    if time_ms > TIME_MS_MAX {
        return None;
    }
    let (year, month, day) = date_of_days(time_ms / MS_PER_DAY);
    Some(format!("{DATE_PREFIX}{year:04}-{month:02}-{day:02}"))
}

/// Whether a folder's name has the form of a date's; whether there is such a day, the rows' times tell.
pub(super) fn is_date_folder(name: &str) -> bool {
    let form = name.strip_prefix(DATE_PREFIX).unwrap_or_default().as_bytes();
    let fits =
        |(i, byte): (usize, &u8)| if matches!(i, 4 | 7) { *byte == b'-' } else { byte.is_ascii_digit() };
    form.len() == 10 && form.iter().enumerate().all(fits)
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar. A year is counted from March, so that
/// the leap day is its last (H. Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn date_of_days(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097; // 400 years
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

/// The name of the file with rows `first` to `last`; names sort as numbers do.
pub(super) fn part_name(first: u64, last: u64) -> String {
    format!("part-{first:020}-{last:020}.parquet")
}

/// The rows of a file with this name; `None` for a name that [`part_name`] does not give.
pub(super) fn parse_part_name(name: &str) -> Option<(u64, u64)> {
    let (first, last) = name.strip_prefix("part-")?.strip_suffix(".parquet")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && part_name(first, last) == name).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `date -u -d @SECONDS +%F`; the days around February's end are where calendars go wrong.
    #[test]
    fn dates_are_those_of_the_calendar() {
        let known = [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (86_400, "1970-01-02"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (1_760_659_200, "2025-10-17"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
            (253_402_300_799, "9999-12-31"),
        ];
        for (seconds, date) in known {
            assert_eq!(date_folder(seconds * 1000 + 999), Some(format!("date={date}")), "{seconds}");
        }
        assert_eq!(date_folder(TIME_MS_MAX + 1), None);
    }

    #[test]
    fn only_our_names_are_ours() {
        assert_eq!(parse_part_name(&part_name(7, u64::MAX)), Some((7, u64::MAX)));
        for name in [
            "part-7-9.parquet",
            "part-00000000000000000009-00000000000000000007.parquet",
            "part-+0000000000000000007-00000000000000000009.parquet",
            "part-00000000000000000007-99999999999999999999.parquet",
            "part-00000000000000000007-00000000000000000009.parquet.new",
        ] {
            assert_eq!(parse_part_name(name), None, "{name}");
        }
        assert!(is_date_folder("date=2025-10-17"));
        for name in ["date=2025-1-17", "2025-10-17", "date=2025-10-17x", "date=２025-10-1", "date=2025x10-17"]
        {
            assert!(!is_date_folder(name), "{name}");
        }
    }
}
