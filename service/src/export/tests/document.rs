//! The specification says of every column what it is.

use super::*;
use crate::export::row::schema;

const SPECIFICATION: &str = include_str!("../../../../docs/spec/export-v1.md");

/// The rows `| column | type | … |` of the section of a table: the name, its type, and whether it may be null.
fn documented(table: Table) -> Vec<(String, String, bool)> {
    let heading = format!("`{}`", table.name());
    let sections = SPECIFICATION.split("\n### ").skip(1);
    let section = sections.into_iter().find(|section| section.starts_with(&heading));
    let section = section.unwrap_or_else(|| panic!("no section ### {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let cells = section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let kind = cells[1].strip_suffix(", null").unwrap_or(cells[1]);
        (cells[0].trim_matches('`').to_owned(), kind.to_owned(), cells[1].ends_with(", null"))
    });
    cells.collect()
}

fn written<R: Row>() -> Vec<(String, String, bool)> {
    let kind = |kind: &str| match kind {
        "UInt64" => "UINT_64".to_owned(),
        "UInt32" => "UINT_32".to_owned(),
        "Utf8" => "STRING".to_owned(),
        "Boolean" => "BOOLEAN".to_owned(),
        "Binary" => "BYTE_ARRAY".to_owned(),
        "Timestamp(ms, \"UTC\")" => "TIMESTAMP(ms, UTC)".to_owned(),
        fixed => fixed.replace("FixedSizeBinary(", "FIXED(").to_owned(),
    };
    let schema = schema::<R>();
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().clone(), kind(&field.data_type().to_string()), field.is_nullable()))
        .collect()
}

/// A column that nobody documented, or a document of a column that is not there, would be wrong for ever: files stay.
#[test]
fn every_column_is_documented() {
    assert_eq!(documented(Table::Receipts), written::<ReceiptRow>());
    assert_eq!(documented(Table::Events), written::<EventRow>());
    assert_eq!(documented(Table::Blocks), written::<BlockRow>());
    assert_eq!(documented(Table::Partitions), written::<PartitionRow>());
    assert_eq!(documented(Table::Records), written::<RecordRow>());
    assert_eq!(documented(Table::Anchors), written::<AnchorRow>());
}

#[test]
fn every_kind_of_event_is_registered() {
    let (_, registered) =
        SPECIFICATION.split_once("\n## 5. Kinds of events\n").expect("the section of kinds");
    let lines = registered.lines().take_while(|line| !line.starts_with("## "));
    let names = lines.filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name);
    assert_eq!(names.collect::<Vec<_>>(), EventKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>());
}
