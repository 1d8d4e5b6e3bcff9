//! `init` and `validate`.

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_report::validate_json;

use crate::args::{InitArgs, ValidateArgs};
use crate::context::Context;
use crate::{backend, encryption, load};

/// Sets up where the state is kept. There is nothing to install; what would be in the way later is said
/// now.
pub(crate) fn init(context: &Context, args: &InitArgs) -> Result<i32, Diagnostics> {
    let mut loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    if loaded.is_empty() {
        context.ui.say(
            "Plumb initialized in an empty directory!\n\nThe directory has no configuration files. \
             You may begin working with Plumb\nimmediately by creating configuration files.",
        );
        return Ok(0);
    }
    let failed = |diagnostics: &[Diagnostic]| diagnostics.iter().any(Diagnostic::is_error);
    if failed(&loaded.diagnostics) {
        return Err(loaded.diagnostics);
    }
    context.ui.say("Initializing the backend...");
    let root = loaded.root().map(|it| &**it);
    encryption::sealer(context, root, &[])?;
    backend::initialize(context, args, root)?;
    if loaded.tree.dirs.len() > 1 {
        context.ui.say("Initializing modules...");
    }
    context.ui.say("Initializing provider plugins...");
    // Mistakes in the blocks are for `validate`; providers that are not there are for now.
    let schemas = context.schemas();
    let (_, found) = plumb_lang::compile(&loaded.tree, &schemas);
    let of_providers = ["Unknown provider", "Provider type mismatch"];
    let missing = found.into_iter().filter(|it| of_providers.contains(&&*it.summary));
    loaded.diagnostics.extend(missing);
    if failed(&loaded.diagnostics) {
        return Err(loaded.diagnostics);
    }
    for schema in schemas.providers.values() {
        context.ui.say(&format!("- {} is built in", schema.source));
    }
    context.ui.diagnostics(&loaded.diagnostics);
    context.ui.say(
        "\nPlumb has been successfully initialized!\n\nYou may now begin working with Plumb. Try \
         running \"plumb plan\" to see\nany changes that are required for your infrastructure.",
    );
    Ok(0)
}

/// Everything that can be found without values.
pub(crate) fn validate(context: &Context, args: &ValidateArgs) -> Result<i32, Diagnostics> {
    let mut loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    load::check(&mut loaded, &context.schemas());
    let failed = loaded.diagnostics.iter().any(Diagnostic::is_error);
    if args.json {
        context.ui.remember(&loaded.diagnostics);
        context.ui.print(&validate_json(&loaded.diagnostics, &loaded.sources));
        return Ok(i32::from(failed));
    }
    if failed {
        return Err(loaded.diagnostics);
    }
    context.ui.diagnostics(&loaded.diagnostics);
    let but = match loaded.diagnostics.len() {
        0 => ".",
        _ => ", but there were some\nvalidation warnings as shown above.",
    };
    context.ui.say(&format!("Success! The configuration is valid{but}\n"));
    Ok(0)
}
