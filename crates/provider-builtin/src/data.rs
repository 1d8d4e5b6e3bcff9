//! `terraform_data`: keeps a value, and is replaced when asked to. It lives in the state alone.

use plumb_model::schema::{RefineInput, Refined};
use plumb_model::value::{Refinements, Type, Value};
use plumb_provider::{Block, Failure, Resource};

/// Keeps a value of any type, and is replaced when a value changes. Other resources can refer to
/// it in `replace_triggered_by`; provisioners that belong to no resource can hang on it.
#[derive(Resource, Clone, Debug, PartialEq)]
#[resource(kind = "terraform_data", local, refine = refine)]
pub struct TerraformData {
    /// A random identifier, the same for as long as the object lives.
    #[attr(computed)]
    pub id: Option<String>,
    /// The value to keep.
    #[attr(optional)]
    pub input: Value,
    /// The value of `input`, known after it was applied.
    #[attr(computed)]
    pub output: Value,
    /// When this value changes, the object is replaced.
    #[attr(optional, replace)]
    pub triggers_replace: Value,
}

/// `output` follows `input`, but is known only after the apply, as whoever refers to it should
/// wait for the change.
fn refine(it: RefineInput<'_>) -> Refined {
    let attr = |value: &Value, name: &str| value.get_attr(name).cloned().unwrap_or(Value::NULL);
    let proposed = it.proposed;
    let input = attr(&proposed, "input");
    let later = || Value::unknown(input.ty());
    let same = |prior: &Value, name: &str| attr(prior, name) == attr(&proposed, name);
    let kept = it.prior.filter(|prior| same(prior, "triggers_replace"));
    let changed: Vec<(&str, Value)> = match kept {
        Some(prior) if same(prior, "input") => Vec::new(),
        Some(_) => vec![("output", later())],
        None => {
            let id = Value::unknown_refined(Type::String, Refinements::not_null());
            vec![("id", id), ("output", if input.is_null() { input.clone() } else { later() })]
        }
    };
    if changed.is_empty() {
        return Refined::new(proposed);
    }
    let mut planned = proposed.as_map().cloned().unwrap_or_default();
    planned.extend(changed.into_iter().map(|(name, value)| (name.into(), value)));
    Refined::new(Value::object(planned))
}

/// The object as it is after the call.
pub(crate) fn made(planned: &Value) -> Result<Value, Failure> {
    let mut data = <TerraformData as Block>::from_value(planned)?;
    data.id.get_or_insert_with(|| uuid::Uuid::new_v4().to_string());
    data.output = data.input.clone();
    Ok(Block::to_value(&data))
}

/// The object brought in by `id`: it keeps nothing yet.
pub(crate) fn imported(id: &str) -> Value {
    let null = || Value::NULL;
    let data = TerraformData {
        id: Some(id.to_owned()),
        input: null(),
        output: null(),
        triggers_replace: null(),
    };
    Block::to_value(&data)
}
