//! `show` and `output`.

use std::io::Write;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::state::State;
use plumb_model::value::{Type, convert};
use plumb_report::{
    output_json, output_text, outputs_json, outputs_text, state_text, write_state_json,
};
use plumb_state::seal::sealed_kind;
use plumb_state::v4::with_all_needs;

use crate::args::{BackupFlags, OutputArgs, ShowArgs};
use crate::context::{Context, store_error};
use crate::planning::Prepared;
use crate::{TERRAFORM_VERSION, encryption, planfile, planning};

/// The state as it is, without a lock.
pub(crate) fn current(context: &Context, state: Option<&str>) -> Result<State, Diagnostics> {
    let store = super::state::store_of(context, state, &BackupFlags::default())?;
    store.read_only().map(|it| it.0).map_err(|it| vec![store_error(&it)])
}

/// Shows a plan or a state.
pub(crate) fn show(context: &Context, args: &ShowArgs) -> Result<i32, Diagnostics> {
    let schemas = context.schemas();
    let Some(path) = &args.path else {
        let state = current(context, None)?;
        show_state(context, args.json, &state)?;
        return Ok(0);
    };
    let bytes = std::fs::read(path).ok();
    if let Some(bytes) = bytes.filter(|it| !planfile::is_plan(it)) {
        let bytes = state_of(context, path, bytes)?;
        let state = plumb_state::v4::read(&bytes, &schemas).map_err(|error| {
            let detail = format!("{path} is neither a saved plan nor a state file: {error}.");
            vec![Diagnostic::error("Failed to read the given file as a state or plan file", detail)]
        })?;
        show_state(context, args.json, &state)?;
        return Ok(0);
    }
    let saved = planfile::read(context, path, &schemas)?;
    context.ui.show_from(&saved.prepared.loaded.sources);
    let outcome = saved.plan(&saved.state, &schemas)?;
    let planned = &outcome.planned;
    if !args.json {
        let Prepared { program, options, .. } = &saved.prepared;
        planning::show(context, &planned.plan, program, options.mode);
        return Ok(0);
    }
    written(|out| planning::write_json(&saved.prepared, planned, &schemas, out))?;
    Ok(0)
}

/// A state file in the clear, whether it is sealed or not.
pub(super) fn state_of(
    context: &Context,
    path: &str,
    bytes: Vec<u8>,
) -> Result<Vec<u8>, Diagnostics> {
    if sealed_kind(&bytes).is_none() {
        return Ok(bytes);
    }
    let opened = encryption::sealer_here(context)?;
    let opened = opened.open_state(&bytes).map(|it| it.bytes.into_owned());
    opened.map_err(|error| encryption::refusal("Failed to read the state", path, &error))
}

fn show_state(context: &Context, json: bool, state: &State) -> Result<(), Diagnostics> {
    let schemas = context.schemas();
    if json {
        let state = with_all_needs(state);
        return written(|out| write_state_json(&state, &schemas, TERRAFORM_VERSION, out));
    }
    if state.is_empty() {
        context.ui.print("No state.\n");
        return Ok(());
    }
    context.ui.print(&state_text(state, &schemas, context.ui.out));
    Ok(())
}

fn written(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Diagnostics> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(vec![Diagnostic::error("Cannot write", error.to_string())])
        }
        _ => Ok(()),
    }
}

/// Shows outputs.
pub(crate) fn output(context: &Context, args: &OutputArgs) -> Result<i32, Diagnostics> {
    let one = |summary: &str, detail: String| vec![Diagnostic::error(summary, detail)];
    if args.json && args.raw {
        return Err(one(
            "Invalid output format",
            "The -raw and -json options are mutually-exclusive.".into(),
        ));
    }
    let state = current(context, args.state.as_deref())?;
    let Some(name) = &args.name else {
        if args.raw {
            return Err(one(
                "Output name required",
                "You must give the name of a single output value when using the -raw option."
                    .into(),
            ));
        }
        if args.json {
            context.ui.print(&outputs_json(&state.outputs));
        } else if state.outputs.is_empty() {
            context.ui.diagnostics(&[Diagnostic::warning(
                "No outputs found",
                "The state file either has no outputs defined, or all the defined outputs are \
                 empty. Please define an output in your configuration with the `output` keyword \
                 and run `plumb refresh` for it to become available. If you are using \
                 interpolation, please verify the interpolated value is not empty. You can use \
                 the `plumb console` command to assist.",
            )]);
        } else {
            context.ui.print(&outputs_text(&state.outputs));
        }
        return Ok(0);
    };
    let Some(value) = state.outputs.get(name.as_str()) else {
        return Err(one(
            &format!("Output {name:?} not found"),
            "The output variable requested could not be found in the state file. If you recently \
             added this to your configuration, be sure to run `plumb apply`, since the state won't \
             be updated with new output variables until that command is run."
                .into(),
        ));
    };
    if args.json {
        context.ui.print(&output_json(value));
        return Ok(0);
    }
    if !args.raw {
        context.ui.print(&output_text(value));
        return Ok(0);
    }
    let plain = value.unmark_deep();
    match convert(&plain, &Type::String) {
        Ok(text) if text.is_null() => Err(one(
            "Unsupported value for raw output",
            format!("The value for output value {name:?} is null, so -raw mode cannot print it."),
        )),
        Ok(text) => {
            context.ui.print(text.as_str().unwrap_or_default());
            Ok(0)
        }
        Err(_) => Err(one(
            "Unsupported value for raw output",
            format!(
                "The -raw option only supports strings, numbers, and boolean values, but output \
                 value {name:?} is {}.\n\nUse the -json option for machine-readable \
                 representations of output values that have complex types.",
                plain.ty()
            ),
        )),
    }
}
