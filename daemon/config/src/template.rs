//! The complete, commented file that a first run writes.

use std::fmt::Write as _;

use crate::schema::{Schema, Section};

/// Every section with every key at its preset, commented out: taking the `#` away is enough to
/// set one. The text is a valid file that changes nothing.
pub fn template(schema: &Schema) -> String {
    let mut text = comment(schema.title);
    for section in schema.sections {
        text.push('\n');
        text.push_str(&comment(section.doc));
        write_section(&mut text, schema, section);
    }
    for rows in schema.rows {
        text.push('\n');
        text.push_str(&comment(rows.doc));
        text.push_str(&comment(&format!("[[{}]]\n{}", rows.path, rows.example)));
    }
    text
}

fn write_section(text: &mut String, schema: &Schema, section: &Section) {
    // Tables with chosen names are examples: their header sleeps too, or they would come to be.
    let (header, indent) = if section.path.contains('*') {
        (section.path.replace('*', section.example), "# ")
    } else {
        (section.path.to_owned(), "")
    };
    let _ = writeln!(text, "{indent}[{header}]");
    for key in schema.keys_of(section.path) {
        let value = if key.example.is_empty() {
            key.preset.value().to_string()
        } else {
            key.example.to_owned()
        };
        if indent.is_empty() {
            text.push('\n');
            text.push_str(&comment(key.doc));
            let _ = writeln!(text, "# {} = {value}", key.name());
        } else {
            let mut lines = key.doc.lines();
            let line = format!("# {} = {value}", key.name());
            let _ = writeln!(text, "{line:<34} # {}", lines.next().unwrap_or_default());
            for more in lines {
                let _ = writeln!(text, "#{:<33} # {more}", "");
            }
        }
    }
}

fn comment(doc: &str) -> String {
    doc.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "# {line}");
        text
    })
}
