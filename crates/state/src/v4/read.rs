//! A state file into a state.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plumb_model::addr::{
    Addr, ConfigAddr, DeposedKey, InstanceKey, Kind, Mode, ModuleInstance, ObjectKey, ProviderAddr,
    Resource,
};
use plumb_model::schema::{ResourceSchema, Schemas};
use plumb_model::state::{CheckResult, CheckStatus, Object, State};
use plumb_model::value::json::{from_json_implied, from_json_typed};
use plumb_model::value::{Marks, Path, Step, Type, Value};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::decode::{Types, decode};
use super::diagnose::diagnose;
use super::{KINDS, V4Error};

#[derive(Deserialize)]
struct File<'a> {
    version: u64,
    #[serde(default)]
    serial: u64,
    #[serde(borrow, default)]
    lineage: Cow<'a, str>,
    #[serde(borrow, default)]
    outputs: Option<BTreeMap<Cow<'a, str>, Output<'a>>>,
    #[serde(borrow, default)]
    resources: Option<Vec<Entry<'a>>>,
    #[serde(borrow, default)]
    check_results: Option<Vec<Check<'a>>>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, rename = "type")]
    ty: &'a RawValue,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    module: Cow<'a, str>,
    #[serde(borrow)]
    mode: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(borrow, default)]
    instances: Option<Vec<Instance<'a>>>,
}

#[derive(Deserialize)]
struct Instance<'a> {
    #[serde(borrow, default)]
    index_key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    deposed: Cow<'a, str>,
    #[serde(default)]
    schema_version: u64,
    #[serde(borrow, default)]
    attributes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes_flat: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sensitive_attributes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    private: Cow<'a, str>,
    #[serde(borrow, default)]
    dependencies: Option<&'a RawValue>,
    #[serde(borrow, default)]
    direct_dependencies: Option<&'a RawValue>,
    #[serde(borrow)]
    unmanaged: Option<&'a RawValue>,
    #[serde(default)]
    create_before_destroy: bool,
}

#[derive(Deserialize)]
struct PathStep<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow)]
    object_kind: Cow<'a, str>,
    #[serde(borrow)]
    config_addr: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    objects: Option<Vec<CheckObject<'a>>>,
}

#[derive(Deserialize)]
struct CheckObject<'a> {
    #[serde(borrow)]
    object_addr: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(default)]
    failure_messages: Vec<String>,
}

/// Reads a state file. `schemas` give the types of attributes: what they lack is dropped, what the
/// file lacks is null. Objects of kinds without a schema keep everything, with implied types.
pub fn read(bytes: &[u8], schemas: &Schemas) -> Result<State, V4Error> {
    let file: File<'_> = match serde_json::from_slice(bytes) {
        Ok(file) => file,
        Err(error) => return Err(diagnose(bytes, Some(&error))),
    };
    if file.version != 4 {
        return Err(diagnose(bytes, None));
    }
    let mut state =
        State { lineage: file.lineage.as_ref().into(), serial: file.serial, ..State::default() };
    for (name, output) in file.outputs.into_iter().flatten() {
        state.outputs.insert(name.as_ref().into(), output.value(&name)?);
    }
    let mut shared = Shared::default();
    for entry in file.resources.into_iter().flatten() {
        entry.read(schemas, &mut shared, &mut state.objects)?;
    }
    for check in file.check_results.into_iter().flatten() {
        state.checks.push(check.read()?);
    }
    Ok(state)
}

/// What is said again and again in a file, and kept once.
#[derive(Default)]
struct Shared<'a> {
    types: Types,
    modules: HashMap<Cow<'a, str>, ModuleInstance>,
    kinds: HashMap<Cow<'a, str>, Kind>,
    providers: HashMap<Cow<'a, str>, Arc<ProviderAddr>>,
    /// Lists of dependencies by their JSON.
    needs: HashMap<&'a str, Arc<[ConfigAddr]>>,
    blocks: HashMap<String, ConfigAddr>,
}

impl Output<'_> {
    fn value(&self, name: &str) -> Result<Value, V4Error> {
        let bad = |why: String| {
            V4Error::invalid(format!("The value of output \"{name}\" cannot be read: {why}."))
        };
        let ty = Type::from_json(self.ty.get()).map_err(|error| bad(error.message))?;
        let value = match ty {
            Type::Dynamic => Value::NULL,
            ty => from_json_typed(self.value.get(), &ty).map_err(|error| bad(error.message))?,
        };
        Ok(if self.sensitive { value.with_marks(Marks::SENSITIVE) } else { value })
    }
}

impl<'a> Entry<'a> {
    fn read(
        self,
        schemas: &Schemas,
        shared: &mut Shared<'a>,
        objects: &mut BTreeMap<ObjectKey, Object>,
    ) -> Result<(), V4Error> {
        let bad = |why: String| {
            let place = if self.module.is_empty() { "" } else { "." };
            V4Error::invalid(format!("{}{place}{}.{}: {why}.", self.module, self.kind, self.name))
        };
        let mode = match &*self.mode {
            "managed" => Mode::Managed,
            "data" => Mode::Data,
            mode => return Err(bad(format!("the resource mode \"{mode}\" is not known"))),
        };
        let module = match shared.modules.get(&self.module) {
            Some(module) => module.clone(),
            None => {
                let module: ModuleInstance =
                    self.module.parse().map_err(|error| bad(format!("{error}")))?;
                shared.modules.insert(self.module.clone(), module.clone());
                module
            }
        };
        let provider = match shared.providers.get(&self.provider) {
            Some(provider) => provider.clone(),
            None => {
                let provider = self.provider.parse().map_err(|error| bad(format!("{error}")))?;
                let provider = Arc::new(provider);
                shared.providers.insert(self.provider.clone(), Arc::clone(&provider));
                provider
            }
        };
        let kind = (shared.kinds.entry(self.kind.clone()))
            .or_insert_with(|| Kind::new(self.kind.as_ref()))
            .clone();
        let schema = schemas.resource(&provider.source, mode, &kind);
        let resource = Resource { mode, kind, name: self.name.as_ref().into() };
        for instance in self.instances.iter().flatten() {
            let key = instance.key().map_err(bad)?;
            let addr = Addr { module: module.clone(), resource: resource.clone(), key };
            let deposed = match &*instance.deposed {
                "" => None,
                key => Some(DeposedKey(key.into())),
            };
            let key = ObjectKey { addr, deposed };
            let object = (instance.object(schema.map(|it| &**it), &provider, shared))
                .map_err(|why| V4Error::invalid(format!("{key}: {why}.")))?;
            if objects.contains_key(&key) {
                return Err(V4Error::new(
                    "Duplicate resource instance in state",
                    format!("Instance {key} appears multiple times in the state file."),
                ));
            }
            objects.insert(key, object);
        }
        Ok(())
    }
}

impl<'a> Instance<'a> {
    fn key(&self) -> Result<Option<InstanceKey>, String> {
        let Some(raw) = self.index_key.map(RawValue::get) else { return Ok(None) };
        if raw == "null" {
            return Ok(None);
        }
        if raw.starts_with('"') {
            let key: Cow<'_, str> = serde_json::from_str(raw).map_err(|it| it.to_string())?;
            return Ok(Some(InstanceKey::Str(key.into())));
        }
        match raw.parse() {
            Ok(index) => Ok(Some(InstanceKey::Int(index))),
            Err(_) => Err(format!("an index key is a whole number or a string, not {raw}")),
        }
    }

    fn object(
        &self,
        schema: Option<&ResourceSchema>,
        provider: &Arc<ProviderAddr>,
        shared: &mut Shared<'a>,
    ) -> Result<Object, String> {
        if self.attributes_flat.is_some() {
            return Err("its attributes are in the form of Terraform 0.11; apply once with \
                        Terraform 1.x"
                .into());
        }
        let attrs = match (self.attributes.map_or("null", RawValue::get), schema) {
            (json, Some(schema)) => decode(json, schema.block.ty(), &shared.types)?,
            (json, None) => from_json_implied(json).map_err(|error| error.message)?,
        };
        let attrs = match self.sensitive_attributes.map_or("[]", RawValue::get) {
            "[]" | "null" => attrs,
            paths => mark(&attrs, paths)?,
        };
        let private = match &*self.private {
            "" => None,
            text => Some(STANDARD.decode(text).map_err(|_| "`private` is not base64")?.into()),
        };
        let tainted = match &*self.status {
            "" => false,
            "tainted" => true,
            status => return Err(format!("the status \"{status}\" is not known")),
        };
        let needs = self.direct_dependencies.or(self.dependencies).map_or("[]", RawValue::get);
        Ok(Object {
            attrs,
            private,
            schema_version: self.schema_version,
            provider: provider.clone(),
            needs: shared.needs(needs)?,
            tainted,
            create_before_destroy: self.create_before_destroy,
            unmanaged: self.unmanaged.and_then(|it| aside(it.get(), schema?, &shared.types)),
        })
    }
}

/// What was put aside of an object. It is only what later looks are compared with: if it does not
/// fit the schema any more, there is nothing to compare.
fn aside(json: &str, schema: &ResourceSchema, types: &Types) -> Option<Value> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let items = fields.into_iter().map(|(name, value)| {
        let ty = schema.block.ty().attribute(&name)?;
        Some((Arc::<str>::from(name), decode(value.get(), ty, types).ok()?))
    });
    let items: Vec<(Arc<str>, Value)> = items.collect::<Option<_>>()?;
    (!items.is_empty()).then(|| Value::object(items))
}

impl<'a> Shared<'a> {
    fn needs(&mut self, json: &'a str) -> Result<Arc<[ConfigAddr]>, String> {
        if let Some(needs) = self.needs.get(json) {
            return Ok(needs.clone());
        }
        let names: Option<Vec<Cow<'_, str>>> =
            serde_json::from_str(json).map_err(|_| "`dependencies` is a list of addresses")?;
        let mut needs: Vec<ConfigAddr> = Vec::new();
        for name in names.unwrap_or_default() {
            match self.blocks.get(&*name) {
                Some(addr) => needs.push(addr.clone()),
                None => {
                    let addr: ConfigAddr = name.parse().map_err(|error| format!("{error}"))?;
                    self.blocks.insert(name.into(), addr.clone());
                    needs.push(addr);
                }
            }
        }
        // In one order, whoever wrote the list: two records that say the same are then equal.
        needs.sort_unstable();
        needs.dedup();
        let needs: Arc<[ConfigAddr]> = needs.into();
        self.needs.insert(json, needs.clone());
        Ok(needs)
    }
}

/// The value with the sensitive places marked.
fn mark(attrs: &Value, paths: &str) -> Result<Value, String> {
    let bad = |_| "`sensitive_attributes` is a list of paths".to_owned();
    let paths: Vec<Vec<PathStep<'_>>> = serde_json::from_str(paths).map_err(bad)?;
    let paths: Vec<Path> = (paths.iter())
        .map(|steps| steps.iter().map(PathStep::read).collect::<Result<_, _>>())
        .collect::<Result<_, _>>()?;
    Ok(attrs.mark_with_paths(paths.iter().map(|path| (path, Marks::SENSITIVE))))
}

impl PathStep<'_> {
    fn read(&self) -> Result<Step, String> {
        let value = self.value.get();
        match &*self.kind {
            "get_attr" => {
                let name: String = serde_json::from_str(value).map_err(|it| it.to_string())?;
                Ok(Step::Attr(name.into()))
            }
            "index" => {
                let key = from_json_typed(value, &Type::Dynamic).map_err(|error| error.message)?;
                Ok(Step::Index(key))
            }
            kind => Err(format!("a step \"{kind}\" of a sensitive path is not known")),
        }
    }
}

impl Check<'_> {
    fn read(&self) -> Result<CheckResult, V4Error> {
        let kind = KINDS.iter().find(|(_, stored)| *stored == self.object_kind);
        let (object_kind, _) = kind.ok_or_else(|| {
            V4Error::invalid(format!("The check kind \"{}\" is not known.", self.object_kind))
        })?;
        let objects = self.objects.iter().flatten().map(|it| {
            let messages = it.failure_messages.iter().map(|text| text.as_str().into()).collect();
            Ok((it.object_addr.as_ref().into(), status(&it.status)?, messages))
        });
        Ok(CheckResult {
            object_kind,
            config_addr: self.config_addr.as_ref().into(),
            status: status(&self.status)?,
            objects: objects.collect::<Result<_, V4Error>>()?,
        })
    }
}

fn status(text: &str) -> Result<CheckStatus, V4Error> {
    match text {
        "pass" => Ok(CheckStatus::Pass),
        "fail" => Ok(CheckStatus::Fail),
        "error" => Ok(CheckStatus::Error),
        "unknown" => Ok(CheckStatus::Unknown),
        text => Err(V4Error::invalid(format!("The check status \"{text}\" is not known."))),
    }
}
