//! Function calls: arguments, expansion, and the functions that look at expressions themselves.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, FileId, SourceFile, Span};
use plumb_model::question::{Answer, FileQuestion};
use plumb_model::value::{Refinements, Type, Value, ValueKind, convert};

use super::expr::{Eval, Scope};
use super::references::references;
use super::{Names, message};
use super::{edge, provider};
use crate::functions::{self, Function};
use crate::suggest::suggest;
use crate::syntax::{Call, Expr, ExprKind, Traversal, parse_template};

/// Templates may render templates this deep.
const TEMPLATE_DEPTH_MAX: u32 = 32;

/// What a function takes.
pub(super) struct Signature {
    pub(super) fixed: &'static [(&'static str, Type)],
    pub(super) variadic: Option<(&'static str, Type)>,
}

/// Why a call failed.
pub(super) enum CallError {
    /// One argument is at fault.
    Arg(usize, String),
    /// All of them together are.
    Whole(String),
}

impl Eval<'_> {
    #[inline(never)]
    pub(super) fn call(&mut self, call: &Call, expr: &Expr, scope: Scope<'_>) -> Value {
        if !self.names.functions() {
            let detail = "Functions may not be called here.";
            self.report(Diagnostic::error("Function calls not allowed", detail).at(expr.span));
            return Value::dynamic();
        }
        let full = &*call.name.text;
        let name = full.strip_prefix("core::").unwrap_or(full);
        match name {
            "try" => return self.call_try(call, expr, scope),
            "can" => return self.call_can(call, expr, scope),
            "templatestring" => return self.call_templatestring(call, expr, scope),
            _ => {}
        }
        if let Some(function) = edge::lookup(name) {
            let signature = function.signature();
            return self.call_with(call, expr, scope, &signature, |eval, args| {
                eval.call_edge(function, args)
            });
        }
        if let Some(function) = functions::lookup(name) {
            return self.call_pure(function, call, expr, scope);
        }
        if let Some(function) =
            full.strip_prefix("provider::terraform::").and_then(provider::lookup)
        {
            let signature = function.signature();
            return self.call_with(call, expr, scope, &signature, |_, args| function.call(args));
        }
        self.report(unknown_function(full, call.name.span));
        Value::dynamic()
    }

    /// Calls a function of the library.
    fn call_pure(
        &mut self,
        function: &Function,
        call: &Call,
        expr: &Expr,
        scope: Scope<'_>,
    ) -> Value {
        let before = self.diagnostics.len();
        let Some(args) = self.arguments(call, expr, scope) else { return Value::dynamic() };
        if self.failed_since(before) {
            return Value::dynamic();
        }
        match function.call(&args) {
            Ok(value) => value,
            Err(error) => {
                let arg = error.arg.and_then(|at| call.args.get(at).or(call.args.last()));
                let name = call.name.span.to(call.open_span);
                let span = match arg {
                    Some(arg) => arg.span,
                    None if error.summary.starts_with("Not enough") => call.close_span,
                    None => name,
                };
                let about = arg.unwrap_or(expr);
                let diagnostic =
                    Diagnostic::error(error.summary, error.detail).at(span).within(expr.span);
                self.fail(diagnostic, &[about], scope);
                Value::dynamic()
            }
        }
    }

    /// Evaluates and converts the arguments, then runs the function on them.
    fn call_with(
        &mut self,
        call: &Call,
        expr: &Expr,
        scope: Scope<'_>,
        signature: &Signature,
        run: impl FnOnce(&mut Self, &[Value]) -> Result<Value, CallError>,
    ) -> Value {
        let before = self.diagnostics.len();
        let Some(mut args) = self.arguments(call, expr, scope) else { return Value::dynamic() };
        if self.wrong_number(call, expr, args.len(), signature) {
            return Value::dynamic();
        }
        for (at, arg) in args.iter_mut().enumerate() {
            let Some((name, ty)) = signature.fixed.get(at).or(signature.variadic.as_ref()) else {
                continue;
            };
            match convert(arg, ty) {
                Ok(value) => *arg = value,
                Err(error) => {
                    self.invalid_argument(call, expr, scope, at, name, &message(&error));
                }
            }
        }
        if self.failed_since(before) {
            return Value::dynamic();
        }
        match run(self, &args) {
            Ok(value) => value,
            Err(CallError::Arg(at, why)) => {
                let param = signature.fixed.get(at).or(signature.variadic.as_ref());
                self.invalid_argument(call, expr, scope, at, param.map_or("", |it| it.0), &why);
                Value::dynamic()
            }
            Err(CallError::Whole(why)) => self.failed_call(call, expr, scope, &why),
        }
    }

    /// The arguments with the last one expanded; none if it cannot be.
    fn arguments(&mut self, call: &Call, expr: &Expr, scope: Scope<'_>) -> Option<Vec<Value>> {
        let mut args: Vec<Value> = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.value(arg, scope));
        }
        if !call.expand {
            return Some(args);
        }
        let (last, marks) = args.pop()?.unmark();
        let problem = match last.kind() {
            ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => {
                args.extend(last.values().map(|it| it.clone().with_marks(marks)));
                return Some(args);
            }
            ValueKind::Null(_) => "The expanding argument (indicated by ...) must not be null.",
            ValueKind::Unknown(it)
                if matches!(
                    it.ty,
                    Type::Dynamic | Type::List(_) | Type::Set(_) | Type::Tuple(_)
                ) =>
            {
                return None;
            }
            _ => "The expanding argument (indicated by ...) must be of a tuple, list, or set type.",
        };
        let span = call.args.last().map_or(expr.span, |it| it.span);
        let diagnostic = Diagnostic::error("Invalid expanding argument value", problem)
            .at(span)
            .within(expr.span);
        self.fail(diagnostic, &[expr], scope);
        None
    }

    fn wrong_number(
        &mut self,
        call: &Call,
        expr: &Expr,
        given: usize,
        signature: &Signature,
    ) -> bool {
        let wanted = signature.fixed.len();
        let name = &*call.name.text;
        if let Some((missing, _)) = signature.fixed.get(given) {
            let least = if signature.variadic.is_some() { " at least" } else { "" };
            let detail = format!(
                "Function {name:?} expects{least} {wanted} argument(s). Missing value for \
                 {missing:?}."
            );
            self.report(
                Diagnostic::error("Not enough function arguments", detail)
                    .at(call.close_span)
                    .within(expr.span),
            );
            return true;
        }
        if given > wanted && signature.variadic.is_none() {
            let detail = format!("Function {name:?} expects only {wanted} argument(s).");
            let first = call.args.get(wanted).or(call.args.last());
            self.report(
                Diagnostic::error("Too many function arguments", detail)
                    .at(first.map_or(expr.span, |it| it.span))
                    .within(expr.span),
            );
            return true;
        }
        false
    }

    pub(super) fn invalid_argument(
        &mut self,
        call: &Call,
        expr: &Expr,
        scope: Scope<'_>,
        at: usize,
        param: &str,
        why: &str,
    ) {
        let detail = format!("Invalid value for {param:?} parameter: {why}.");
        let arg = call.args.get(at).or(call.args.last());
        let diagnostic = Diagnostic::error("Invalid function argument", detail)
            .at(arg.map_or(expr.span, |it| it.span))
            .within(expr.span);
        self.fail(diagnostic, arg.as_slice(), scope);
    }

    pub(super) fn failed_call(
        &mut self,
        call: &Call,
        expr: &Expr,
        scope: Scope<'_>,
        why: &str,
    ) -> Value {
        let detail = format!("Call to function {:?} failed: {why}.", &*call.name.text);
        let diagnostic = Diagnostic::error("Error in function call", detail)
            .at(call.name.span.to(call.open_span))
            .within(expr.span);
        self.fail(diagnostic, &[expr], scope);
        Value::dynamic()
    }

    /// The first argument that works.
    fn call_try(&mut self, call: &Call, expr: &Expr, scope: Scope<'_>) -> Value {
        if call.args.is_empty() {
            return self.failed_call(call, expr, scope, "at least one argument is required");
        }
        let mut failures = Diagnostics::new();
        for arg in &call.args {
            if self.depends_on_unknown(arg, scope) {
                return Value::dynamic();
            }
            match self.attempt(|eval| eval.value(arg, scope)) {
                Ok(value) => return value,
                Err(diagnostics) => failures.extend(diagnostics),
            }
        }
        let mut why = "no expression succeeded:".to_owned();
        for it in failures.iter().take(20) {
            why.push_str(&format!("\n- {}\n  {}", it.summary, it.detail));
        }
        why.push_str("\n\nAt least one expression must produce a successful result");
        self.failed_call(call, expr, scope, &why)
    }

    /// Whether the argument works.
    fn call_can(&mut self, call: &Call, expr: &Expr, scope: Scope<'_>) -> Value {
        let signature = Signature { fixed: &[("expression", Type::Dynamic)], variadic: None };
        if self.wrong_number(call, expr, call.args.len(), &signature) {
            return Value::dynamic();
        }
        let Some(arg) = call.args.first() else { return Value::dynamic() };
        if self.depends_on_unknown(arg, scope) {
            return Value::unknown_refined(Type::Bool, Refinements::not_null());
        }
        Value::bool(self.attempt(|eval| eval.value(arg, scope)).is_ok())
    }

    /// Whether what an expression refers to is there, but not wholly known: then it cannot be said
    /// yet whether the expression works.
    fn depends_on_unknown(&mut self, expr: &Expr, scope: Scope<'_>) -> bool {
        references(expr).into_iter().any(|it| {
            let value = self.attempt(|eval| eval.traversal(it, None, scope));
            value.is_ok_and(|it| !it.is_wholly_known())
        })
    }

    fn call_templatestring(&mut self, call: &Call, expr: &Expr, scope: Scope<'_>) -> Value {
        let signature = Signature {
            fixed: &[("template", Type::Dynamic), ("vars", Type::Dynamic)],
            variadic: None,
        };
        let source = call.args.first().map(|it| &it.unwrapped().kind);
        let problem = match source {
            None | Some(ExprKind::Traversal(_) | ExprKind::Access(_)) => None,
            Some(ExprKind::String(_) | ExprKind::Template(_)) => Some(
                "invalid template expression: templatestring is only for rendering templates \
                 retrieved dynamically from elsewhere, and so does not support providing a literal \
                 template; consider using a template string expression instead",
            ),
            Some(_) => Some(
                "invalid template expression: must be a direct reference to a single string from \
                 elsewhere in the module, containing valid template syntax",
            ),
        };
        if let (Some(why), 2) = (problem, call.args.len()) {
            self.invalid_argument(call, expr, scope, 0, "template", why);
            return Value::dynamic();
        }
        self.call_with(call, expr, scope, &signature, |eval, args| {
            let [template, vars] = args else { return Ok(Value::dynamic()) };
            let marks = template.marks() | vars.marks_deep();
            if !template.is_known() || !vars.is_known() {
                return Ok(Value::dynamic().with_marks(marks));
            }
            let text = convert(template, &Type::String).ok();
            let Some(text) = text.as_ref().and_then(Value::as_str) else {
                let why = "invalid template value: a string is required";
                return Err(CallError::Arg(0, why.into()));
            };
            let name = "<templatestring argument>";
            Ok(eval.render(name, text, vars)?.with_marks(marks))
        })
    }

    /// Renders a template that came from elsewhere.
    pub(super) fn render(
        &mut self,
        name: &str,
        text: &str,
        vars: &Value,
    ) -> Result<Value, CallError> {
        if self.template_depth >= TEMPLATE_DEPTH_MAX {
            return Err(CallError::Whole(format!(
                "templates render each other more than {TEMPLATE_DEPTH_MAX} levels deep"
            )));
        }
        let (vars, marks) = vars.clone().unmark();
        let Some(items) = vars.as_map() else {
            return Err(CallError::Arg(1, "invalid vars value: must be a map".into()));
        };
        if let Some(name) = items.keys().find(|it| !is_variable_name(it)) {
            return Err(CallError::Arg(
                1,
                format!(
                    "invalid template variable name {:?}: must start with a letter, followed by zero \
                 or more letters, digits, and underscores",
                    &**name
                ),
            ));
        }
        let file = SourceFile::new(name, text);
        let place = |span: Span| written_span(&file, span);
        let whole = |diagnostics: &[Diagnostic]| {
            let first = diagnostics.iter().find(|it| it.is_error());
            CallError::Whole(first.map_or_else(String::new, |it| {
                format!(
                    "{}: {}; {}",
                    it.span.map_or_else(String::new, &place),
                    it.summary,
                    it.detail
                )
            }))
        };
        let parsed = parse_template(FileId::default(), text);
        if parsed.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(whole(&parsed.diagnostics));
        }
        if let Some(it) =
            references(&parsed.expr).into_iter().find(|it| !items.contains_key(&it.root.text))
        {
            return Err(CallError::Arg(
                1,
                format!(
                    "vars map does not contain key {:?}, referenced at {}",
                    &*it.root.text,
                    place(it.root.span)
                ),
            ));
        }
        let names = TemplateNames { vars: &vars, outer: self.names };
        let mut diagnostics = Diagnostics::new();
        let mut eval = Eval {
            names: &names,
            diagnostics: &mut diagnostics,
            quiet: 1,
            template_depth: self.template_depth + 1,
        };
        let value = eval.value(&parsed.expr, Scope::NONE);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(whole(&diagnostics));
        }
        Ok(value.with_marks(marks))
    }
}

/// What names mean in a template: its variables, and nothing else.
struct TemplateNames<'a> {
    vars: &'a Value,
    outer: &'a dyn Names,
}

impl Names for TemplateNames<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        let root = &traversal.root;
        match self.vars.get_attr(&root.text) {
            Some(value) => Ok((value.clone(), 0)),
            None => {
                let detail = format!("There is no variable named {:?}.", &*root.text);
                Err(Box::new(Diagnostic::error("Unknown variable", detail).at(root.span)))
            }
        }
    }

    fn file(&self, question: &FileQuestion) -> Option<Answer> {
        self.outer.file(question)
    }

    fn working_dir(&self) -> Option<Arc<str>> {
        self.outer.working_dir()
    }

    fn home_dir(&self) -> Option<Arc<str>> {
        self.outer.home_dir()
    }

    fn now(&self) -> Option<Arc<str>> {
        self.outer.now()
    }

    fn plan_time(&self) -> Option<Arc<str>> {
        self.outer.plan_time()
    }

    fn random(&self) -> Option<[u8; 16]> {
        self.outer.random()
    }
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(char::is_alphabetic)
        && name.chars().all(|it| it.is_alphanumeric() || it == '_')
}

/// `path:1,3-9`, or `path:1,3-2,5` over several lines.
pub(super) fn written_span(file: &SourceFile, span: Span) -> String {
    let (start, end) = (file.position(span.start), file.position(span.end));
    if start.line == end.line {
        format!("{}:{},{}-{}", file.path, start.line, start.column, end.column)
    } else {
        format!("{}:{},{}-{},{}", file.path, start.line, start.column, end.line, end.column)
    }
}

fn unknown_function(name: &str, span: Span) -> Diagnostic {
    if let Some(rest) = name.strip_prefix("provider::") {
        let (provider, function) = rest.split_once("::").unwrap_or((rest, ""));
        if provider == "terraform" {
            let detail = format!(
                "The function {function:?} is not available from the provider \"terraform\"."
            );
            return Diagnostic::error("Unknown provider function", detail).at(span);
        }
        let detail = format!(
            "There is no function named {name:?}. Ensure that provider name {provider:?} is \
             declared in this module's required_providers block, and that this provider offers a \
             function named {function:?}."
        );
        return Diagnostic::error("Unknown provider function", detail).at(span);
    }
    if let Some((namespace, _)) = name.split_once("::") {
        let detail = format!(
            "The function namespace {namespace:?} is not valid. Provider function calls must use \
             the \"provider::\" namespace prefix."
        );
        return Diagnostic::error("Unknown provider function", detail).at(span);
    }
    let detail = format!("There is no function named {name:?}.");
    let diagnostic = Diagnostic::error("Call to unknown function", detail).at(span);
    match suggest(name, functions::names().chain(edge::names())) {
        Some(near) => diagnostic.hint(format!("Did you mean {near:?}?")),
        None => diagnostic,
    }
}
