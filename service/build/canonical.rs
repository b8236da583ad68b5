//! From the descriptors of the .proto files: `Canonical` for every message, `Sealed` for those with a seal, and the names of
//! all methods (message-v1 §3).

use std::fmt::Write;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

const PACKAGE: &str = "holdfast.v1";
/// Field 15 of signed messages; not part of what it signs.
const SEAL: &str = "seal";
const SEAL_NUMBER: i32 = 15;

/// The Rust text, or what in the descriptors has no canonical encoding.
pub(crate) fn generate(files: &FileDescriptorSet) -> Result<String, String> {
    let mut out = String::new();
    for file in files.file.iter().filter(|file| file.package() == PACKAGE) {
        for message in &file.message_type {
            write_message(message, &mut out)?;
        }
    }
    out.push_str("/// The full names of all methods, as they are signed.\npub mod methods {\n");
    for service in files.file.iter().filter(|file| file.package() == PACKAGE).flat_map(|file| &file.service) {
        for method in &service.method {
            let (service, method) = (service.name(), method.name());
            let constant = format!("{}_{}", upper_snake(service), upper_snake(method));
            let _ = writeln!(out, "    /// `{service}.{method}`.");
            let _ = writeln!(out, "    pub const {constant}: &str = \"{PACKAGE}.{service}/{method}\";");
        }
    }
    out.push_str("}\n");
    Ok(out)
}

fn write_message(message: &DescriptorProto, out: &mut String) -> Result<(), String> {
    let name = message.name();
    if !message.nested_type.is_empty() || !message.oneof_decl.is_empty() {
        return Err(format!(
            "{name}: nested messages, maps, oneofs and optional scalars have no canonical encoding"
        ));
    }
    let mut fields: Vec<&FieldDescriptorProto> = message.field.iter().collect();
    fields.sort_by_key(|field| field.number());
    let _ = writeln!(out, "impl Canonical for proto::{name} {{\n    fn encode(&self, out: &mut Encoder) {{");
    if fields.iter().all(|field| field.name() == SEAL) {
        out.push_str("        let _ = out;\n");
    }
    for field in &fields {
        if field.name() == SEAL {
            if field.number() != SEAL_NUMBER || !field.type_name().ends_with(".Seal") {
                return Err(format!("{name}.seal must be `Seal seal = {SEAL_NUMBER}`"));
            }
            continue;
        }
        write_field(name, field, out)?;
    }
    out.push_str("    }\n}\n");
    if fields.iter().any(|field| field.name() == SEAL) {
        let _ = writeln!(
            out,
            "impl Sealed for proto::{name} {{\n    fn seal(&self) -> Option<&proto::Seal> {{ self.seal.as_ref() }}\n    \
             fn set_seal(&mut self, seal: proto::Seal) {{ self.seal = Some(seal); }}\n}}"
        );
    }
    Ok(())
}

fn write_field(message: &str, field: &FieldDescriptorProto, out: &mut String) -> Result<(), String> {
    let name = field.name();
    let method = match field.r#type() {
        Type::Uint64 => "unsigned(VALUE)",
        Type::Uint32 | Type::Bool => "unsigned(u64::from(VALUE))",
        Type::Sint32 => "signed(i64::from(VALUE))",
        Type::Enum => "signed(i64::from(VALUE))",
        Type::Double => "unsigned(VALUE.to_bits())",
        Type::Bytes | Type::String => "bytes(VALUE.as_ref())",
        Type::Message => "message(VALUE)",
        other => return Err(format!("{message}.{name}: {other:?} has no canonical encoding")),
    };
    let is_message = field.r#type() == Type::Message;
    let is_bytes = matches!(field.r#type(), Type::Bytes | Type::String);
    let by = |place: &str, reference: bool| {
        let place = if is_message || is_bytes || !reference { place.to_owned() } else { format!("*{place}") };
        method.replace("VALUE", &place)
    };
    let line = match (field.label() == Label::Repeated, is_message) {
        (true, _) => format!(
            "out.count(self.{name}.len());\n        for item in &self.{name} {{ out.{}; }}",
            by("item", true)
        ),
        (false, true) => format!("out.optional(self.{name}.as_ref());"),
        (false, false) => format!("out.{};", by(&format!("self.{name}"), false)),
    };
    let _ = writeln!(out, "        {line}");
    Ok(())
}

fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out
}
