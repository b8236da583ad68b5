//! DuckDB, pandas and pyarrow read what we write, value for value, and the guide's queries give what they should.

use std::path::PathBuf;
use std::process::Command;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMillisecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef};

use super::*;
use crate::export::row::schema;

/// A Python with tests/interop/requirements-parquet.txt, or why there is none.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("HOLDFAST_PYTHON").map(PathBuf::from);
    if named.is_none() {
        let why = "HOLDFAST_PYTHON names no Python with tests/interop/requirements-parquet.txt";
        let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "python"), "python is required: ABSENT({why})");
        println!("ABSENT({why})");
    }
    named
}

/// A value as the script expects it: bytes in hex, times in milliseconds.
fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type().to_string().as_str() {
        "UInt64" => column.as_primitive::<UInt64Type>().value(row).into(),
        "UInt32" => column.as_primitive::<UInt32Type>().value(row).into(),
        "Timestamp(ms, \"UTC\")" => column.as_primitive::<TimestampMillisecondType>().value(row).into(),
        "Boolean" => column.as_boolean().value(row).into(),
        "Utf8" => column.as_string::<i32>().value(row).into(),
        "Binary" => hex::encode(column.as_binary::<i32>().value(row)).into(),
        _ => hex::encode(column.as_fixed_size_binary().value(row)).into(),
    }
}

/// Columns with the types of the specification, and all rows.
fn expected<R: Row>(rows: &[R]) -> Value {
    let kind = |kind: String| match kind.as_str() {
        "UInt64" => "UINT_64",
        "UInt32" => "UINT_32",
        "Utf8" => "STRING",
        "Boolean" => "BOOLEAN",
        "Binary" => "BYTE_ARRAY",
        fixed if fixed.starts_with("Fixed") => "FIXED",
        _ => "TIMESTAMP",
    };
    let schema = schema::<R>();
    let columns =
        schema.fields().iter().map(|field| json!([field.name(), kind(field.data_type().to_string())]));
    let batch = encode(rows).unwrap();
    let rows = (0..rows.len()).map(|row| batch.columns().iter().map(|column| value(column, row)).collect());
    json!({ "columns": columns.collect::<Value>(), "rows": rows.collect::<Vec<Value>>() })
}

#[test]
fn other_tools_read_the_same() {
    let Some(python) = python() else { return };
    let scene = Scene::new();
    let directory = scene.written();
    let expected = json!({
        "receipts": expected(&scene.receipts),
        "events": expected(&scene.events),
        "blocks": expected(&scene.blocks),
        "partitions": expected(&scene.partitions),
        "records": expected(&scene.records),
        "anchors": expected(&scene.anchors),
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = |expected: String| {
        fs::write(file.path(), expected).unwrap();
        let mut command = Command::new(&python);
        command.arg(root.join("tests/interop/parquet.py"));
        command.args([directory.path(), file.path(), &root.join("docs/guide/export.md")]).output().unwrap()
    };
    let output = run(expected.to_string());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    println!("{said}");
    // The script must notice one value that is not what was written.
    let lie = expected.to_string().replacen("accepted", "rejected", 1);
    assert!(!run(lie).status.success(), "a changed value was not noticed");
}
