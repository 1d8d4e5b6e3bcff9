//! What can be said of an object before it is made or changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::schema::{Companion, Problem, RefineInput, Refined, ResourceSchema};
use plumb_model::value::Value;

use crate::table::{Field, Table};

/// The rules of a resource type. Static, so that a planning rule captures nothing.
pub(crate) trait Rules {
    /// What it works with though it does not name it.
    const COMPANIONS: &'static [Companion] = &[];

    /// A replacement is made before the old object goes.
    const CREATE_FIRST: bool = false;

    /// Its rows.
    fn table() -> &'static Table;

    /// What the rows cannot say of a plan. `planned` has what they say.
    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let _ = (input, planned);
    }

    /// What the rows cannot say of a configuration. May see unknown values.
    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let _ = (config, problems);
    }
}

/// A plan in the making.
pub(crate) struct Planned {
    pub(crate) attrs: BTreeMap<Arc<str>, Value>,
    /// Changes that need a new object, besides those that the rows mark.
    pub(crate) replace: Vec<plumb_model::value::Path>,
    /// The new object cannot be beside the old one.
    pub(crate) delete_first: bool,
    /// What the change means for those who use the object.
    pub(crate) says: Vec<Arc<str>>,
}

impl Planned {
    /// Promises a value.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        crate::json::set(&mut self.attrs, name, value);
    }

    /// Promises nothing of an attribute.
    pub(crate) fn unknown(&mut self, name: &str) {
        if let Some(slot) = self.attrs.get_mut(name) {
            *slot = Value::unknown(slot.ty());
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.attrs.get(name)
    }
}

/// The schema with its rules.
pub(crate) fn schema<R: Rules>() -> ResourceSchema {
    ResourceSchema {
        refine: Some(refine::<R>),
        validate: Some(validate::<R>),
        companions: R::COMPANIONS,
        create_first: R::CREATE_FIRST,
        ..R::table().schema()
    }
}

fn validate<R: Rules>(config: &Value) -> Vec<Problem> {
    let mut problems = R::table().problems(config);
    R::validate(config, &mut problems);
    problems
}

fn refine<R: Rules>(mut input: RefineInput<'_>) -> Refined {
    let proposed = std::mem::replace(&mut input.proposed, Value::NULL);
    let Some(attrs) = proposed.as_map() else {
        return Refined::new(proposed);
    };
    let mut planned = Planned {
        attrs: attrs.clone(),
        replace: Vec::new(),
        delete_first: false,
        says: Vec::new(),
    };
    if let Some(prior) = input.prior {
        follow(&R::table().fields, input.config, prior, &mut planned.attrs);
    }
    R::refine(&input, &mut planned);
    Refined {
        replace: planned.replace,
        delete_first: planned.delete_first,
        says: planned.says,
        ..Refined::new(Value::object(planned.attrs))
    }
}

/// What comes out anew when something changes is not promised.
fn follow(
    fields: &[Field],
    config: &Value,
    prior: &Value,
    planned: &mut BTreeMap<Arc<str>, Value>,
) {
    let changed = |name: &str| prior.get_attr(name) != planned.get(name);
    let any = planned.keys().any(|it| changed(it));
    let moved = |it: &&Field| match it.follows {
        [] => false,
        ["*"] => any,
        names => names.iter().any(|it| changed(it)),
    };
    let free = |it: &&Field| config.get_attr(it.name).is_none_or(Value::is_null);
    let moved: Vec<_> = fields.iter().filter(moved).filter(free).collect();
    for field in moved {
        planned.insert(field.name.into(), Value::unknown(field.ty()));
    }
}
