//! Schemas as JSON: `providers schema -json`.

use plumb_model::schema::{Attribute, Block, NestedBlock, Nesting, Presence, Schemas};

use crate::json::Object;

/// What `providers schema -json` says, with a line break.
pub fn schemas_json(schemas: &Schemas) -> String {
    let mut out = String::new();
    let mut root = Object::new(&mut out);
    root.text("format_version", "1.0");
    if !schemas.providers.is_empty() {
        let mut all = Object::new(root.key("provider_schemas"));
        for (source, provider) in &schemas.providers {
            let mut one = Object::new(all.key(source));
            write_schema(0, &provider.config, one.key("provider"));
            for (key, kinds) in
                [("resource_schemas", &provider.resources), ("data_source_schemas", &provider.data)]
            {
                if kinds.is_empty() {
                    continue;
                }
                let mut each = Object::new(one.key(key));
                for (kind, schema) in kinds {
                    write_schema(schema.version, &schema.block, each.key(kind));
                }
                each.end();
            }
            one.end();
        }
        all.end();
    }
    root.end();
    out.push('\n');
    out
}

fn write_schema(version: u64, block: &Block, out: &mut String) {
    let mut schema = Object::new(out);
    schema.number("version", version);
    if !block.attributes().is_empty() || !block.blocks().is_empty() {
        write_block(block, schema.key("block"));
    }
    schema.end();
}

fn write_block(block: &Block, out: &mut String) {
    let mut json = Object::new(out);
    if !block.attributes().is_empty() {
        let mut attributes = Object::new(json.key("attributes"));
        for (name, attribute) in block.attributes() {
            write_attribute(attribute, attributes.key(name));
        }
        attributes.end();
    }
    if !block.blocks().is_empty() {
        let mut blocks = Object::new(json.key("block_types"));
        for (name, nested) in block.blocks() {
            write_nested(nested, blocks.key(name));
        }
        blocks.end();
    }
    json.text("description_kind", "plain");
    json.end();
}

fn write_attribute(attribute: &Attribute, out: &mut String) {
    let mut json = Object::new(out);
    json.raw("type", &attribute.ty.to_json());
    if !attribute.description.is_empty() {
        json.text("description", &attribute.description);
    }
    json.text("description_kind", "plain");
    if attribute.deprecated.is_some() {
        json.bool("deprecated", true);
    }
    let (required, optional) = match attribute.presence {
        Presence::Required => (true, false),
        Presence::Optional | Presence::OptionalComputed => (false, true),
        Presence::Computed => (false, false),
    };
    if required {
        json.bool("required", true);
    }
    if optional {
        json.bool("optional", true);
    }
    if attribute.presence.is_computed() {
        json.bool("computed", true);
    }
    if attribute.sensitive {
        json.bool("sensitive", true);
    }
    if attribute.write_only {
        json.bool("write_only", true);
    }
    json.end();
}

fn write_nested(nested: &NestedBlock, out: &mut String) {
    let mut json = Object::new(out);
    json.text(
        "nesting_mode",
        match nested.nesting {
            Nesting::Single => "single",
            Nesting::Group => "group",
            Nesting::List => "list",
            Nesting::Set => "set",
            Nesting::Map => "map",
        },
    );
    write_block(&nested.block, json.key("block"));
    if nested.min > 0 {
        json.number("min_items", nested.min);
    }
    if nested.max > 0 {
        json.number("max_items", nested.max);
    }
    json.end();
}
