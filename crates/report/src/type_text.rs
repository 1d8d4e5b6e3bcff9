//! Types as the console shows them: over several lines where they have an inside.

use std::fmt::Write;

use plumb_model::value::Type;

/// A type, spelled out.
pub fn type_text(ty: &Type) -> String {
    let mut out = String::new();
    write_type(ty, 0, &mut out);
    out
}

fn write_type(ty: &Type, indent: usize, out: &mut String) {
    match ty {
        Type::Dynamic => out.push_str("dynamic"),
        Type::Bool => out.push_str("bool"),
        Type::Number => out.push_str("number"),
        Type::String => out.push_str("string"),
        Type::List(elem) => write_collection("list", elem, indent, out),
        Type::Set(elem) => write_collection("set", elem, indent, out),
        Type::Map(elem) => write_collection("map", elem, indent, out),
        Type::Tuple(elems) if elems.is_empty() => out.push_str("tuple([])"),
        Type::Tuple(elems) => {
            out.push_str("tuple([\n");
            elems.iter().for_each(|elem| write_item("", elem, indent, out));
            let _ = write!(out, "{:indent$}])", "");
        }
        Type::Object(object) if object.attrs.is_empty() => out.push_str("object({})"),
        Type::Object(object) => {
            out.push_str("object({\n");
            for (name, ty) in &object.attrs {
                write_item(&format!("{name}: "), ty, indent, out);
            }
            let _ = write!(out, "{:indent$}}})", "");
        }
    }
}

fn write_collection(word: &str, elem: &Type, indent: usize, out: &mut String) {
    if matches!(elem, Type::Tuple(_) | Type::Object(_)) {
        let _ = writeln!(out, "{word}(");
        write_item("", elem, indent, out);
        let _ = write!(out, "{:indent$})", "");
    } else {
        let _ = write!(out, "{word}(");
        write_type(elem, indent, out);
        out.push(')');
    }
}

fn write_item(name: &str, ty: &Type, indent: usize, out: &mut String) {
    let inner = indent + 4;
    let _ = write!(out, "{:inner$}{name}", "");
    write_type(ty, inner, out);
    out.push_str(",\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_an_inside_takes_lines() {
        let ty = Type::map(Type::object([
            ("x", Type::Number),
            ("y", Type::tuple([Type::list(Type::set(Type::String)), Type::tuple([])])),
        ]));
        let lines = [
            "map(",
            "    object({",
            "        x: number,",
            "        y: tuple([",
            "            list(set(string)),",
            "            tuple([]),",
            "        ]),",
            "    }),",
            ")",
        ];
        assert_eq!(type_text(&ty), lines.join("\n"));
    }
}
