//! What a look is at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_model::addr::{Mode, ObjectKey, ProviderAddr};
use plumb_model::state::State;
use plumb_provider::Touched;

/// So many things that were touched in one system are anything in it.
const TOUCHED_MAX: usize = 1000;

/// What a look is at. The default: at nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Everything, whatever is known.
    pub everything: bool,
    /// What the systems told of.
    pub touched: BTreeMap<Arc<ProviderAddr>, BTreeSet<Touched>>,
    /// Objects of ours besides.
    pub objects: BTreeSet<ObjectKey>,
}

/// What of a state a scope falls on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// These are read again.
    pub objects: BTreeSet<ObjectKey>,
    /// What stands beside our objects is looked for again.
    pub beside: bool,
}

impl Scope {
    /// Everything.
    pub fn everything() -> Scope {
        Scope { everything: true, ..Scope::default() }
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.touched.is_empty() && self.objects.is_empty()
    }

    pub(crate) fn touch(&mut self, provider: Arc<ProviderAddr>, what: Touched) {
        if self.everything {
            return;
        }
        let them = self.touched.entry(provider).or_default();
        if them.contains(&Touched::All) {
            return;
        }
        if what == Touched::All || them.len() >= TOUCHED_MAX {
            *them = BTreeSet::from([Touched::All]);
        } else {
            them.insert(what);
        }
    }

    pub(crate) fn merge(&mut self, other: Scope) {
        if self.everything || other.everything {
            *self = Scope::everything();
            return;
        }
        for (provider, them) in other.touched {
            them.into_iter().for_each(|it| self.touch(provider.clone(), it));
        }
        self.objects.extend(other.objects);
    }

    /// The objects of ours that it falls on. Something that was touched and is not ours may stand
    /// beside ours.
    pub fn narrow(&self, state: &State) -> Narrow {
        let mut res = Narrow { objects: self.objects.clone(), beside: self.everything };
        let mut found: BTreeSet<(&Arc<ProviderAddr>, &Touched)> = BTreeSet::new();
        let managed = state.objects.iter().filter(|it| it.0.addr.resource.mode == Mode::Managed);
        for (key, object) in managed {
            let them = self.touched.get_key_value(&object.provider);
            let falls = |it: &&Touched| match it {
                Touched::All => true,
                Touched::Beside => false,
                Touched::Object { kind, id } => {
                    let ours = object.attrs.get_attr("id").map(|it| it.unmark_deep());
                    *kind == key.addr.resource.kind
                        && ours.is_some_and(|ours| ours.as_str() == Some(id))
                }
            };
            let mut hit = self.everything;
            if let Some((provider, them)) = them {
                for it in them.iter().filter(falls) {
                    found.insert((provider, it));
                    hit = true;
                }
            }
            if hit {
                res.objects.insert(key.clone());
            }
        }
        let all = self.touched.iter().flat_map(|(provider, them)| {
            them.iter().map(move |it| (provider, it, matches!(it, Touched::Object { .. })))
        });
        for (provider, it, is_object) in all {
            res.beside |= !is_object || !found.contains(&(provider, it));
        }
        res
    }
}

#[cfg(test)]
mod tests {
    use plumb_model::addr::{Addr, Kind};
    use plumb_model::state::Object;
    use plumb_model::value::Value;

    use super::*;

    fn provider(name: &str) -> Arc<ProviderAddr> {
        let text = format!(r#"provider["registry.terraform.io/x/{name}"]"#);
        Arc::new(text.parse().expect("an address"))
    }

    fn key(name: &str) -> ObjectKey {
        name.parse::<Addr>().expect("an address").current()
    }

    fn state() -> State {
        let mut state = State::default();
        for (address, id, whose) in [("a.one", "1", "x"), ("a.two", "2", "x"), ("b.one", "1", "y")]
        {
            let object = Object {
                attrs: Value::object([("id", Value::string(id))]),
                private: None,
                schema_version: 0,
                provider: provider(whose),
                needs: Arc::new([]),
                tainted: false,
                create_before_destroy: false,
                unmanaged: None,
            };
            state.objects.insert(key(address), object);
        }
        state
    }

    fn narrow(touched: &[(&str, Touched)]) -> (Vec<String>, bool) {
        let mut scope = Scope::default();
        touched.iter().for_each(|(whose, what)| scope.touch(provider(whose), what.clone()));
        let Narrow { objects, beside } = scope.narrow(&state());
        (objects.iter().map(ToString::to_string).collect(), beside)
    }

    fn object(kind: &str, id: &str) -> Touched {
        Touched::Object { kind: Kind(kind.into()), id: id.into() }
    }

    #[test]
    fn only_what_was_touched_is_read_again() {
        let names = |them: &[&str]| them.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(narrow(&[("x", object("a", "1"))]), (names(&["a.one"]), false));
        assert_eq!(narrow(&[("x", object("b", "1"))]), (names(&[]), true), "not x's");
        assert_eq!(narrow(&[("x", object("a", "9"))]), (names(&[]), true), "nobody's");
        let both = [("x", object("a", "2")), ("x", object("a", "9"))];
        assert_eq!(narrow(&both), (names(&["a.two"]), true));
        assert_eq!(narrow(&[("y", Touched::Beside)]), (names(&[]), true));
        assert_eq!(narrow(&[("x", Touched::All)]), (names(&["a.one", "a.two"]), true));
        let all = Scope::everything().narrow(&state());
        assert_eq!((all.objects.len(), all.beside), (3, true));
    }

    #[test]
    fn too_much_is_anything() {
        let mut scope = Scope::default();
        (0..2 * TOUCHED_MAX)
            .for_each(|it| scope.touch(provider("x"), object("a", &it.to_string())));
        assert_eq!(scope.touched[&provider("x")], BTreeSet::from([Touched::All]));
    }
}
