//! After a call: what it left is masked, and held against what was promised.

use plumb_diag::Diagnostic;
use plumb_model::event::{Effect, Intended, Remote};
use plumb_model::plan::Op;
use plumb_model::propose::{admits, managed_in_either, mask, unmanaged};
use plumb_model::state::Token;
use plumb_model::value::{Value, convert};

use crate::prepare::site;
use crate::run::Run;

/// Whether a step did what it was to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did.
    Kept,
    /// It did not; diagnostics say how.
    Failed,
    /// A fact is missing; it is in `asked`.
    Asks,
}

impl Run<'_> {
    /// What a call left, without what is not managed, and what that is.
    pub(crate) fn masked(
        &self,
        token: Token,
        left: Effect,
        failed: bool,
    ) -> (Effect, Option<Value>) {
        let Effect::Made(remote) = left else { return (left, None) };
        let Some(intent) = self.state.in_doubt.get(&token) else {
            return (Effect::Made(remote), None);
        };
        let resource = &intent.action.addr().resource;
        let schema =
            self.input.schemas.resource(&intent.provider.source, resource.mode, &resource.kind);
        let Some(schema) = schema else { return (Effect::Made(remote), None) };
        let stored;
        let managed = match &intent.action {
            Intended::Delete { key } => {
                stored = self.state.objects.get(key).map(|it| it.attrs.unmark_deep());
                stored.unwrap_or(Value::NULL)
            }
            Intended::Update { addr } if failed => {
                // What the update was to take out may still be there.
                let planned = intent.planned.unmark_deep();
                match self.state.current(addr) {
                    Some(object) => managed_in_either(&planned, &object.attrs.unmark_deep()),
                    None => planned,
                }
            }
            _ => intent.planned.unmark_deep(),
        };
        let attrs =
            convert(&remote.attrs, schema.block.ty()).unwrap_or_else(|_| remote.attrs.clone());
        let aside = unmanaged(&schema.block, &managed, &attrs);
        let attrs = mask(&schema.block, &managed, &attrs);
        (Effect::Made(Remote { attrs, ..remote }), aside)
    }

    /// Whether the call kept what the plan promised. What it left is recorded already.
    pub(crate) fn judge(&mut self, index: u32, left: &Effect) -> Verdict {
        let step = &self.input.plan.steps[index as usize];
        let (addr, remote) = match (&step.op, left) {
            (Op::Create { addr, .. } | Op::Update { addr }, Effect::Made(remote)) => (addr, remote),
            (Op::Delete { .. }, Effect::Deleted) => return Verdict::Kept,
            (op, _) => {
                let address = op.addr().map(ToString::to_string).unwrap_or_default();
                let detail = format!(
                    "The provider said that the operation on {address} went well, but it left \
                     something else than was asked for."
                );
                let error =
                    Diagnostic::error("Provider produced inconsistent result after apply", detail);
                self.diagnostics.push(error.about(address));
                return Verdict::Failed;
            }
        };
        let site = site(step);
        let marked = self.state.current(addr).map(|it| it.attrs.clone());
        self.know(site, addr, &marked.unwrap_or_else(|| remote.attrs.clone()));
        let promised = self.input.plan.changes[&addr.current()].after.as_ref();
        let promised = promised.map(Value::unmark_deep).unwrap_or(Value::NULL);
        let mut kept = remote.complete;
        if !kept {
            let detail = format!(
                "{addr} was not made to the end. It is marked as tainted; the next apply replaces it."
            );
            let error = Diagnostic::error("Provider left the object unfinished", detail);
            self.diagnostics.push(error.about(addr.to_string()));
        }
        for (name, value) in promised.as_map().into_iter().flatten() {
            let actual = remote.attrs.get_attr(name).cloned().unwrap_or(Value::NULL);
            if !admits(value, &actual) {
                kept = false;
                let detail = format!(
                    "When applying changes to {addr}, the provider produced another value for \
                     {name:?} than was planned. What it made is in the state; plan again to see \
                     the difference."
                );
                let error =
                    Diagnostic::error("Provider produced inconsistent result after apply", detail);
                self.diagnostics.push(error.about(addr.to_string()));
            }
        }
        match self.postconditions(site, addr) {
            verdict if kept => verdict,
            _ => {
                // It failed already: what is missing is of no use any more.
                self.asked.take();
                Verdict::Failed
            }
        }
    }
}
