//! Byte sizes for people: `1.50 GiB` out, `16MiB`, `1.5GiB`, `500MB` or plain bytes in.

/// Units accepted by [`parse_bytes`], longest name first.
const UNITS: [(&str, u64); 11] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("B", 1),
];
const FRACTION_DIGITS_MAXIMUM: usize = 9;

/// Why a byte size was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a number with a unit.
    #[error("`{0}` is not a byte size: write bytes (`1048576`) or a unit (`16MiB`, `1.5GiB`, `500MB`)")]
    NotASize(String),
    /// A unit that could mean two things, or none.
    #[error(
        "`{text}`: unknown unit `{unit}`: use B, KiB, MiB, GiB, TiB, PiB (powers of 1024) or kB, MB, GB, TB, PB (powers of 1000)"
    )]
    UnknownUnit {
        /// What was given.
        text: String,
        /// Its unit.
        unit: String,
    },
    /// More than 2^64 − 1 bytes.
    #[error("`{0}` is more than 2^64 - 1 bytes")]
    TooLarge(String),
}

/// A size in the largest binary unit that leaves at least 1, rounded down to two decimals: `1.50 GiB`, `512 B`.
pub fn format_bytes(bytes: u64) -> String {
    let units = UNITS[..5].iter().rev();
    match units.copied().find(|&(_, unit)| bytes >= unit) {
        None => format!("{bytes} B"),
        Some((name, unit)) => {
            let hundredths = u128::from(bytes) * 100 / u128::from(unit);
            format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
        }
    }
}

/// Bytes of `16MiB`, `1.5 GiB`, `500MB` or `1048576`, rounded down. Capitals do not matter; a bare `M` is refused, since
/// it means 2^20 to some tools and 10^6 to others.
///
/// # Errors
/// [`SizeError`], with what was given.
pub fn parse_bytes(text: &str) -> Result<u64, SizeError> {
    let trimmed = text.trim();
    let not_a_size = || SizeError::NotASize(text.to_owned());
    let unit_at = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(unit_at);
    let unit_bytes = unit_bytes(unit.trim_start())
        .ok_or_else(|| SizeError::UnknownUnit { text: text.to_owned(), unit: unit.trim_start().to_owned() });
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > FRACTION_DIGITS_MAXIMUM {
        return Err(not_a_size());
    }
    let unit_bytes = u128::from(unit_bytes?);
    let too_large = || SizeError::TooLarge(text.to_owned());
    let fraction_value: u128 = fraction.parse().map_err(|_| not_a_size())?;
    let whole: u64 = if whole.bytes().all(|c| c.is_ascii_digit()) {
        whole.parse().map_err(|_| too_large())?
    } else {
        return Err(not_a_size());
    };
    let mut fraction_scale = 1_u128;
    fraction.bytes().for_each(|_| fraction_scale *= 10);
    let bytes = u128::from(whole) * unit_bytes + fraction_value * unit_bytes / fraction_scale;
    u64::try_from(bytes).map_err(|_| too_large())
}

fn unit_bytes(unit: &str) -> Option<u64> {
    if unit.is_empty() {
        return Some(1);
    }
    UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|&(_, bytes)| bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_for_people() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1_610_612_736, "1.50 GiB"),
            ((1 << 20) - 1, "1023.99 KiB"), // never rounded up to 1024.00 KiB
            (u64::MAX, "16383.99 PiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(format_bytes(bytes), text);
        }
    }

    #[test]
    fn sizes_from_people() {
        let cases = [
            ("0", 0),
            ("1048576", 1 << 20),
            ("16MiB", 16 << 20),
            (" 1.5 GiB ", 3 << 29),
            ("500MB", 500_000_000),
            ("2kib", 2048),
            ("7B", 7),
            ("0.3B", 0),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_was_given() {
        for text in ["", "MiB", "1.", ".5GiB", "1.2.3", "1.0000000001GiB", "-1", "1e9", "NaN", "١MiB"] {
            let error = parse_bytes(text).unwrap_err();
            assert!(!matches!(error, SizeError::TooLarge(_)), "{text}: {error}");
        }
        assert!(matches!(parse_bytes("16M"), Err(SizeError::UnknownUnit { unit, .. }) if unit == "M"));
        assert!(matches!(parse_bytes("16384PiB"), Err(SizeError::TooLarge(_))));
        assert!(matches!(parse_bytes("18446744073709551616"), Err(SizeError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_within_a_hundredth(bytes: u64) {
            let back = parse_bytes(&format_bytes(bytes)).unwrap();
            prop_assert!(back <= bytes && bytes - back <= bytes / 100);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = parse_bytes(&text).map(format_bytes);
        }
    }
}
