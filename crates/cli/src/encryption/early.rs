//! What names mean before anything is planned or read: variables, locals, files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Sources};
use plumb_lang::InputValue;
use plumb_lang::config::Module;
use plumb_lang::eval::{self, Constants, Names};
use plumb_lang::syntax::{StepKind, Traversal};
use plumb_lang::vars::merge;
use plumb_model::question::{Answer, FileQuestion};
use plumb_model::value::{Value, convert};

use crate::context::Context;
use crate::variables::{self, Typed};

/// The summary of what is said of names; every word of the detail may be shown.
pub(super) const UNKNOWN_NAME: &str = "Invalid reference in the encryption configuration";

/// The scope of the root module, as far as it is known without a plan.
pub(super) struct Early<'a> {
    module: Option<&'a Module>,
    values: BTreeMap<Arc<str>, InputValue>,
    workspace: Arc<str>,
    home: Option<Arc<str>>,
    /// Locals that are being evaluated.
    busy: RefCell<Vec<Arc<str>>>,
}

impl<'a> Early<'a> {
    /// With what the environment, files and options give to variables. What is wrong there is said
    /// by who reads all of them.
    pub(super) fn new(context: &Context, module: Option<&'a Module>, typed: &[Typed]) -> Early<'a> {
        let values = module.map(|module| {
            let mut sources = Sources::default();
            let given = variables::gather(typed, &context.env, &mut sources, &mut Vec::new());
            merge(module, given, &mut sources).0
        });
        Early {
            module,
            values: values.unwrap_or_default(),
            workspace: context.workspace(),
            home: context.home(),
            busy: RefCell::default(),
        }
    }

    /// With these values of variables, as texts.
    #[cfg(test)]
    pub(super) fn of<'b>(
        module: &'a Module,
        given: impl Iterator<Item = (&'b str, &'b str)>,
    ) -> Early<'a> {
        let value = |text: &str| InputValue {
            value: Value::string(text),
            span: None,
            origin: "a test".into(),
        };
        Early {
            module: Some(module),
            values: given.map(|(name, text)| (name.into(), value(text))).collect(),
            workspace: "default".into(),
            home: None,
            busy: RefCell::default(),
        }
    }

    fn variable(&self, name: &str) -> Result<Value, String> {
        let declared = self.module.and_then(|it| it.variables.get(name));
        let declared = declared.ok_or_else(|| format!("there is no variable {name:?}"))?;
        let mut found = Vec::new();
        let value = match (self.values.get(name), &declared.default) {
            (Some(given), _) => given.value.clone(),
            (None, Some(default)) => eval::evaluate(default, &Constants, &mut found),
            (None, None) => {
                return Err(format!(
                    "the variable {name:?} has no value; set TF_VAR_{name}, or put it in a .auto.tfvars file"
                ));
            }
        };
        if !found.is_empty() {
            return Err(format!("the default of the variable {name:?} is not constant"));
        }
        convert(&value, &declared.ty)
            .map_err(|_| format!("the value of the variable {name:?} is not of its type"))
    }

    fn local(&self, name: &Arc<str>) -> Result<Value, Box<Diagnostic>> {
        let refused = |why: String| Box::new(refused(&why));
        let declared = self.module.and_then(|it| it.locals.get(name));
        let declared = declared.ok_or_else(|| refused(format!("there is no local {name:?}")))?;
        if self.busy.borrow().contains(name) {
            return Err(refused(format!("the local {name:?} refers to itself")));
        }
        self.busy.borrow_mut().push(name.clone());
        let mut found = Vec::new();
        let value = eval::evaluate(&declared.expr, self, &mut found);
        self.busy.borrow_mut().pop();
        match found.into_iter().next() {
            Some(first) => Err(Box::new(first)),
            None => Ok(value),
        }
    }
}

fn refused(why: &str) -> Diagnostic {
    Diagnostic::error(UNKNOWN_NAME, format!("{why}."))
}

impl Names for Early<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        let step = traversal.steps.first().map(|it| &it.kind);
        let found = match (&*traversal.root.text, step) {
            ("var", Some(StepKind::Attr(name))) => self.variable(name),
            ("local", Some(StepKind::Attr(name))) => {
                let at = |it: Box<Diagnostic>| Box::new(it.at(traversal.span()));
                return self.local(name).map(|it| (it, 1)).map_err(at);
            }
            ("terraform", Some(StepKind::Attr(name))) if &**name == "workspace" => {
                Ok(Value::string(&*self.workspace))
            }
            ("path", Some(StepKind::Attr(name))) if matches!(&**name, "module" | "root") => {
                Ok(Value::string("."))
            }
            (root, _) => Err(format!(
                "only variables and locals of the root module may be used here, and not {root:?}, \
                 because states are read with it"
            )),
        };
        let value = found.map_err(|why| Box::new(refused(&why).at(traversal.span())))?;
        Ok((value, 1))
    }

    fn file(&self, question: &FileQuestion) -> Option<Answer> {
        match question {
            FileQuestion::Content(path) => match std::fs::read(&**path) {
                Ok(bytes) => Some(Answer::Bytes(bytes.into())),
                Err(_) => Some(Answer::Gone),
            },
            FileQuestion::Exists(path) => {
                Some(Answer::Bool(std::path::Path::new(&**path).is_file()))
            }
            FileQuestion::Set(..) => None,
        }
    }

    fn working_dir(&self) -> Option<Arc<str>> {
        std::env::current_dir().ok()?.to_str().map(Into::into)
    }

    fn home_dir(&self) -> Option<Arc<str>> {
        self.home.clone()
    }
}
